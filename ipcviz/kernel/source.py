"""The source line that a thread is on: the first function of its chain of calls that has one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ipcviz.kernel import debug_info, memory, unwinding
from ipcviz.kernel.arch import Arch
from ipcviz.kernel.maps import MapLine, line_at


class SourcePosition(NamedTuple):
    """Where a stopped thread is.

    Attributes:
        line: The source line; None if no function of the chain has one.
        inner: The file and the address in it of the innermost function; None if its code is in no
            file.
        is_inner: The line is that of the innermost function, and not of a caller.
    """

    line: debug_info.SourceLine | None
    inner: unwinding.Frame | None
    is_inner: bool = False


def find_source(
    pid: int,
    arch: Arch,
    registers: list[int],
    lines: Sequence[MapLine],
    root: str = "",
    *,
    behind: bool = False,
) -> SourcePosition:
    """The source line that a stopped thread is on, or has come from last.

    The chain of calls is followed outwards to the first function whose file has debug information
    about it, which leads out of libc. It ends there.

    Args:
        pid: The thread's process.
        arch: Its architecture.
        registers: Its general registers.
        lines: The process's mappings.
        root: Its root folder as we see it; empty if it is ours.
        behind: The instruction that is asked about is the one before the program counter.
    """
    inner = None
    frames = unwinding.walk_stack(
        arch, registers, partial(memory.read, pid), partial(line_at, lines), root, behind=behind
    )
    for frame in frames:
        inner = inner or frame
        found = debug_info.find_line(root + frame.path, frame.address)
        if found is not None:
            return SourcePosition(found, inner, frame is inner)
    return SourcePosition(None, inner)
