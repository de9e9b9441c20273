"""Calls whose effects are known before they are made, so that a thread need not stop again at their
return.

A shell makes some ten of them for each command. They fail only for arguments that can be looked at:
what is in doubt is waited for as with any other call.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.events import AnyEffect, Closed, Mask
from ipcviz.events.kinds import UNNAMED_PIPES
from ipcviz.kernel import identity, ptrace
from ipcviz.model.state import State
from ipcviz.tracer.calls.decode import decode_arguments, read_disposition, read_mask
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.tasks import TracedProcess

SIG_BLOCK: Final = 0
SIG_UNBLOCK: Final = 1
SIG_SETMASK: Final = 2
"""asm-generic/signal-defs.h"""

SIGKILL: Final = 9
SIGSTOP: Final = 19
LAST: Final = 64
NEVER_BLOCKED: Final = 1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1)
NOT_TAKEN: Final = frozenset({SIGKILL, SIGSTOP, ptrace.SIGTRAP})
"""Signals whose handling can't be set, or has to do with breakpoints."""

NOT_ALONE: Final = frozenset({0, identity.FUSE_MAGIC, identity.ECRYPTFS_MAGIC})
"""File systems, by statfs(2), in which closing a file may ask somebody else, and fail; 0 is one
that is not known.
"""

SET_SIZE: Final = 8
"""Bytes of the kernel's sigset_t."""
STACK: Final = 1 << 16
"""So many bytes from the stack pointer on can be written to: they have been, by those who called.
"""


class Foretold(NamedTuple):
    """What a call will do, and its arguments decoded."""

    effect: AnyEffect
    args: dict[str, Word]


def foretell_call(tid: int, name: str, info: ptrace.SyscallInfo) -> Foretold | None:
    """What a call that a thread stands at the entry of will do; None if it may fail, or is none of
    `calls.FORETOLD`.

    Args:
        tid: The thread, stopped.
        name: The call.
        info: Its number and arguments, and the stack pointer.
    """
    first, new, old, size = info.args[:4]
    if size != SET_SIZE or not (old == 0 or info.sp <= old < info.sp + STACK):
        return None
    if name == "rt_sigprocmask":
        how, mask = first & 0xFFFFFFFF, read_mask(tid, new)
        before = ptrace.get_mask(tid) if how in (SIG_BLOCK, SIG_UNBLOCK) else 0
        if mask is None or before is None or how > SIG_SETMASK:
            return None
        after = mask
        if how != SIG_SETMASK:
            after = before | mask if how == SIG_BLOCK else before & ~mask
        return Foretold(
            Mask(blocked=after & ~NEVER_BLOCKED),
            {**decode_arguments(0, name, info.args), "set": mask},
        )
    signo = first & 0xFFFFFFFF
    found = (
        read_disposition(tid, signo, new) if 0 < signo <= LAST and signo not in NOT_TAKEN else None
    )
    return None if found is None else Foretold(found, decode_arguments(tid, name, info.args))


def foretell_close(state: State, process: TracedProcess, number: int) -> Closed | None:
    """What closing a descriptor, at whose entry a thread stands, will do; None if it may do more,
    or fail.

    Closing a file that could only be read does nothing else as long as nobody has locks on it: no
    file system but those in user space hears of it (`flush` of struct file_operations), and no
    peer. So it is of one of several descriptors of a pipe's end.

    Args:
        state: All that is known just then.
        process: The thread's.
        number: The call's first argument register.
    """
    fd = number & 0xFFFFFFFF
    if len(process.tasks) > 1 or process.shares_files or process.doubted or not process.full:
        return None
    file = state.find_description(process.pid, fd)
    thing = state.object_of(file)
    if file is None or thing is None:
        return None
    if thing.info.kind in UNNAMED_PIPES:
        alone = file.references < 2
    else:
        alone = thing.info.kind != "file" or file.mode != "r" or file.object in state.locks
        alone = (
            alone
            or identity.file_system(thing.info.dev, f"/proc/{process.pid}/fd/{fd}") in NOT_ALONE
        )
    return None if alone else Closed(fd=fd)
