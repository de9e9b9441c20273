"""Whose C library a program uses: how mutexes and the like lie in memory is each library's own."""

from __future__ import annotations

import os
from typing import Final, Literal

from ipcviz.kernel import elf

Libc = Literal["glibc", "musl", "go", ""]

_LOADERS: Final[tuple[tuple[str, Libc], ...]] = (
    ("ld-linux", "glibc"),
    ("ld64.so", "glibc"),
    ("ld-musl", "musl"),
)
_MUSL: Final = ("__dls3", "__init_tp")
"""Functions that only musl has, as a dynamic linker and in static programs."""
_GLIBC: Final = ("_dl_debug_state", "_dl_relocate_static_pie")
"""The same of glibc, if they are not musl's."""
_NT_GNU_ABI_TAG: Final = 1
"""elf.h: of a note by GNU, the system that the program needs."""
_KEPT: Final = 256

_known: dict[tuple[int, int, int], Libc] = {}


def of_program(path: str) -> Libc:
    """The C library of a program, or Go's runtime, which has none; empty if it can't be told.

    The name of its dynamic linker tells; of a static one glibc's mark (a note with the system that
    it needs), or its symbols.

    Args:
        path: The program, readable by us.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    identity = status.st_dev, status.st_ino, status.st_mtime_ns
    if identity not in _known:
        if len(_known) >= _KEPT:
            _known.clear()
        _known[identity] = _find_libc(path)
    return _known[identity]


def _find_libc(path: str) -> Libc:
    kind = elf.machine_class(path)
    if kind is None:
        return ""
    loader = kind.interpreter.rpartition("/")[2]
    for begins, libc in _LOADERS:
        if loader.startswith(begins):
            return libc
    marks = _read_marks(path)
    if marks:
        return marks
    if elf.function_addresses(path, _MUSL):
        return "musl"
    return "glibc" if elf.function_addresses(path, _GLIBC) else ""


def _read_marks(path: str) -> Libc:
    """What a program's notes say: glibc's crt1.o gives it NT_GNU_ABI_TAG, Go's linker an id of the
    build.
    """
    notes = elf.read_notes(path)
    if ("GNU", _NT_GNU_ABI_TAG) in notes:
        return "glibc"
    return "go" if any(name == "Go" for name, _ in notes) else ""
