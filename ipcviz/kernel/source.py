"""The source line that a thread is on: the first function of its chain of calls that has one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ipcviz.kernel import debug_info, memory, procfs, unwinding
from ipcviz.kernel.arch import Arch
from ipcviz.kernel.maps import MapLine


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
    registers: Sequence[int | None],
    find_mapping: unwinding.FindMapping,
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
        registers: Its general registers, None for those that are not known.
        find_mapping: Finds a line of its /proc/PID/maps.
        root: Its root folder as we see it; empty if it is ours.
        behind: The instruction that is asked about is the one before the program counter.
    """
    inner = None
    frames = unwinding.walk_stack(
        arch, registers, partial(memory.read_bytes, pid), find_mapping, root, behind=behind
    )
    for frame in frames:
        inner = inner or frame
        found = debug_info.find_line(root + frame.path, frame.address)
        if found is not None:
            return SourcePosition(found, inner, frame is inner)
    return SourcePosition(None, inner)


def find_blocked_source(
    pid: int, tid: int, arch: Arch, find_mapping: unwinding.FindMapping, root: str = ""
) -> debug_info.SourceLine | None:
    """The source line of the call that a thread is blocked in, which nobody has stopped.

    /proc/PID/task/TID/syscall tells its stack pointer and its program counter. The first leads out
    of all functions that do not keep their place on the stack in another register, as those of libc
    do not.

    Returns:
        None if there is none, or if the thread has not stayed in that call meanwhile.
    """
    call = procfs.read_syscall(pid, tid)
    if call is None or call.running or call.number < 0 or not call.sp:
        return None
    registers: list[int | None] = [None] * (struct.calcsize(arch.registers) // 8)
    registers[arch.sp], registers[arch.pc] = call.sp, call.pc
    found = find_source(pid, arch, registers, find_mapping, root, behind=True)
    return found.line if procfs.read_syscall(pid, tid) == call else None


def has_debug_info(lines: Sequence[MapLine], root: str = "") -> bool:
    """Whether any of the programs and libraries that a process has mapped has debug information.

    Args:
        lines: Its mappings.
        root: Its root folder as we see it; empty if it is ours.
    """
    paths = dict.fromkeys(
        line.path for line in lines if "x" in line.perms and line.path.startswith("/")
    )
    return any(debug_info.read_debug_info(root + path) is not None for path in paths)
