"""Where a program's dynamic linker lies: calls from there are how the program is loaded, and not
what it does.
"""

from __future__ import annotations

import os
import struct
from typing import Final, NamedTuple

from ipcviz.kernel import elf, procfs, ptrace
from ipcviz.tracer.calls.table import find_open_flags
from ipcviz.tracer.tasks import TracedProcess

AT_BASE: Final = 7
AT_ENTRY: Final = 9
"""linux/auxvec.h: where the kernel has loaded the program's interpreter, and where the program
itself begins.
"""
_PAIRS: Final = struct.Struct("=QQ")
NOWHERE: Final = (0, 0)


class Loader(NamedTuple):
    """A process's dynamic linker.

    Attributes:
        path: Its file, readable by us.
        base: The address that it is loaded at.
        code: Where its code begins and ends; both 0 if there is none, or it is not glibc's.
        facts: What the kernel has told it (getauxval(3)).
    """

    path: str = ""
    base: int = 0
    code: tuple[int, int] = NOWHERE
    facts: dict[int, int] = {}


def loader_of(pid: int, kind: elf.ElfClass | None) -> Loader:
    """The dynamic linker of a process that has just executed a program of a kind.

    That of musl is its libc as well.
    """
    if kind is None or not kind.interpreter.rpartition("/")[2].startswith("ld-linux"):
        return Loader()
    raw = procfs.read_bytes(f"/proc/{pid}/auxv") or b""
    facts = dict(_PAIRS.iter_unpack(raw[: len(raw) // _PAIRS.size * _PAIRS.size]))
    path, base = f"/proc/{pid}/root{kind.interpreter}", facts.get(AT_BASE, 0)
    code = elf.executable_segments(path)
    if not base or not code:
        return Loader()
    return Loader(
        path,
        base,
        (base + min(s.vaddr for s in code), base + max(s.vaddr + s.memsz for s in code)),
        facts,
    )


def is_loading(process: TracedProcess, name: str, info: ptrace.SyscallInfo) -> bool:
    """Whether one of `calls.LOADS` comes from the dynamic linker, and is about nothing but
    libraries.

    What that opens to be written to is where it says what it does (LD_DEBUG_OUTPUT).
    """
    place = process.loader
    if place is None or not place[0] <= info.pc < place[1]:
        return False
    flags = find_open_flags(name, info.args)
    return flags == -1 or not flags & os.O_ACCMODE
