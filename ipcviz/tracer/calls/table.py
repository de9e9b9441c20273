"""The system calls that ipcviz knows: their arguments, and when a process is stopped at them.

Names and argument order are those of the manual pages (section 2) and the kernel's syscalls.h. A
call that is in no table here passes unseen.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events.calls import CALLS, Stops, SystemCall, having, where
from ipcviz.kernel.seccomp import AnyBits, Condition, Masked, OneOf


def _list_stopping(when: Stops) -> dict[str, SystemCall]:
    return {name: call for name, call in CALLS.items() if call.stops == when}


STRUCTURAL: Final[dict[str, SystemCall]] = _list_stopping("always")
"""Calls that change who is connected to what, or how signals are treated: a process is stopped at
every one.
"""

DATA: Final[dict[str, SystemCall]] = _list_stopping("in full mode")
"""Calls that move data or wait for it: a process is stopped at them only while it is traced in
full.
"""

ADDRESSED: Final = having("ranged")
"""Calls about a range of memory: of interest only where that range is shared with others."""

MARKER_PATH: Final[dict[str, int]] = {
    name: call.find_argument("path") for name, call in _list_stopping("for markers").items()
}
"""Calls that only look at a path, and which argument that is: a program may leave a marker by
them. They are far too frequent to be structural, and are looked at only while a process is
traced in full."""

LOOKUPS: Final = {
    name: call.find_argument("path") for name, call in CALLS.items() if call.names == "looks at"
}
"""All calls that look at a path, and which argument that is."""

KNOWN: Final[dict[str, SystemCall]] = {**STRUCTURAL, **DATA}

BIRTHS_AND_ENDS: Final[dict[str, SystemCall]] = {
    name: call for name, call in CALLS.items() if call.family
}
"""Calls that ptrace's own events tell of; step mode holds threads before them, too."""

# fcntl commands (linux/fcntl.h) that change what is shown; the others are many and change nothing.
F_DUPFD: Final = 0
F_SETFD: Final = 2
F_SETFL: Final = 4
F_SETLK: Final = 6
F_SETLKW: Final = 7
F_OFD_SETLK: Final = 37
F_OFD_SETLKW: Final = 38
F_DUPFD_CLOEXEC: Final = 1030
F_SETPIPE_SZ: Final = 1031
F_ADD_SEALS: Final = 1033
LOCK_COMMANDS: Final = frozenset({F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW})

# asm-generic/ioctls.h
FIONBIO: Final = 0x5421
FIOCLEX: Final = 0x5451
FIONCLEX: Final = 0x5450

TIOCSCTTY: Final = 0x540E
TIOCSPGRP: Final = 0x5410
TIOCNOTTY: Final = 0x5422

PTRACE_TRACEME: Final = 0
PTRACE_ATTACH: Final = 16
PTRACE_SEIZE: Final = 0x4206
PR_SET_PDEATHSIG: Final = 1
SO_ERROR: Final = 4
SO_PEERCRED: Final = 17
"""asm-generic/socket.h, at level SOL_SOCKET"""

PR_SET_SECCOMP: Final = 22
PR_SET_CHILD_SUBREAPER: Final = 36
"""linux/prctl.h"""

SECCOMP_SET_MODE_STRICT: Final = 0
SECCOMP_SET_MODE_FILTER: Final = 1
"""linux/seccomp.h"""

MAP_SHARED: Final = 1
MAP_FIXED: Final = 0x10
MAP_ANONYMOUS: Final = 0x20
MAP_DENYWRITE: Final = 0x800
MREMAP_DONTUNMAP: Final = 4
"""linux/mman.h"""
AT_EMPTY_PATH: Final = 0x1000
PROT_EXEC: Final = 4

CLONE_UNTRACED: Final = 0x00800000
"""linux/sched.h: the new process or thread is not to be traced by whoever traces its maker."""

SECCOMP_FILTER_FLAG_NEW_LISTENER: Final = 8
"""linux/seccomp.h: the call returns a descriptor."""

CONDITIONS: Final[dict[str, tuple[Condition, ...]]] = {
    "clone": (AnyBits(0, CLONE_UNTRACED),),
    "fcntl": (
        OneOf(
            1,
            (
                F_DUPFD,
                F_SETFD,
                F_SETFL,
                F_SETLK,
                F_SETLKW,
                F_OFD_SETLK,
                F_OFD_SETLKW,
                F_DUPFD_CLOEXEC,
                F_SETPIPE_SZ,
                F_ADD_SEALS,
            ),
        ),
    ),
    "ioctl": (OneOf(1, (FIONBIO, FIOCLEX, FIONCLEX, TIOCSCTTY, TIOCSPGRP, TIOCNOTTY)),),
    "prctl": (OneOf(0, (PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER)),),
    "seccomp": (OneOf(0, (SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER)),),
    "ptrace": (OneOf(0, (PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE)),),
    "landlock_create_ruleset": (Masked(2, 0xFFFFFFFF, 0),),
    "mq_getsetattr": (AnyBits(1, 0xFFFFFFFF),),
    "getsockopt": (OneOf(2, (SO_ERROR, SO_PEERCRED)),),
    "mmap": (AnyBits(3, MAP_SHARED), AnyBits(2, PROT_EXEC)),
    "rt_sigaction": (AnyBits(1, 0xFFFFFFFF),),
    "sigaltstack": (AnyBits(0, 0xFFFFFFFF),),
    "rt_sigprocmask": (AnyBits(1, 0xFFFFFFFF),),
}
"""Which of a structural call's uses are marked. rt_sigaction, rt_sigprocmask, sigaltstack and
mq_getsetattr that only ask have a null pointer there; its low half is zero in practice only
then. mmap is marked for shared memory and for code (libraries)."""

FULL_CONDITIONS: Final = {
    **CONDITIONS,
    "mmap": (
        *CONDITIONS["mmap"],
        Masked(3, MAP_ANONYMOUS | MAP_DENYWRITE, 0),
        Masked(3, MAP_FIXED | MAP_DENYWRITE, MAP_FIXED),
    ),
    "newfstatat": (Masked(3, AT_EMPTY_PATH, 0),),
    "statx": (Masked(2, AT_EMPTY_PATH, 0),),
}
"""The same in full mode, where private mappings of files that others write are to be seen, too,
and what is mapped in the place of something else; but not those that the dynamic linker makes of
programs and libraries, for which alone MAP_DENYWRITE is still used (mmap(2)). Of the calls that
look for a marker those are passed over that are about a descriptor: glibc's fstat is one of
them."""

NEW_DESCRIPTOR: Final = where(lambda call: call.descriptors == "new")
"""Calls that return the number of a descriptor of a new open file description."""

LOADS: Final = having("loads")
"""Calls by which the dynamic linker finds and maps libraries: what it opens it closes again, and
nobody notices.
"""

FORETOLD: Final = having("foretold")
"""Calls that can only succeed if their arguments are in order (see `ipcviz.tracer.stops.foretold`).
"""

QUICK: Final = having("quick")
"""Frequent calls whose arguments can be looked at while they are being made.

They write to nothing that they read, and what they undo is known without a look."""

UNCOUNTED: Final = having("uncounted")
"""Structural calls that are looked at however many there are: what they do bears on how a
process can be traced, and /proc does not tell of it. Programs make few."""

NUMBERED: Final[dict[str, tuple[str, ...]]] = {
    name: found
    for name, call in CALLS.items()
    if (found := tuple(argument for argument, kind in call.arguments if kind == "pid"))
}
"""Which arguments of which calls are numbers of processes, threads or, below zero, process groups.
"""

MAKES: Final = where(lambda call: call.names == "makes")
"""Calls that make FIFOs."""

NO_RETURN: Final = where(lambda call: call.returns == "elsewhere")
"""Calls whose return says nothing of its own."""


def find_open_flags(name: str, raw: tuple[int, ...]) -> int:
    """The flags that a call opens a file with; -1 if it is none of those that open by a name."""
    at = {"open": 1, "openat": 2}.get(name)
    return raw[at] & 0xFFFFFFFF if at is not None else -1
