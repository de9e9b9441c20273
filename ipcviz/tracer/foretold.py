"""Calls whose effects are known before they are made, so that a thread need not stop again at their return.

A shell makes some ten of them for each command. They fail only for arguments that can be looked at: what is in doubt is
waited for as with any other call.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import AnyEffect, Disposition, Mask
from ipcviz.kernel import ptrace
from ipcviz.tracer.decode import read_mask, read_sigaction

SIGKILL: Final = 9
SIGSTOP: Final = 19
LAST: Final = 64
NEVER_BLOCKED: Final = 1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1)
NOT_TAKEN: Final = frozenset({SIGKILL, SIGSTOP, ptrace.SIGTRAP})
"""Signals whose handling can't be set, or has to do with breakpoints."""

SET_SIZE: Final = 8
"""Bytes of the kernel's sigset_t."""
STACK: Final = 1 << 16
"""So many bytes from the stack pointer on can be written to: they have been, by those who called."""


def effects(tid: int, name: str, info: ptrace.SyscallInfo) -> tuple[AnyEffect, ...] | None:
    """What a call that a thread stands at the entry of will do; None if it may fail, or is none of `calls.FORETOLD`.

    Args:
        tid: The thread, stopped.
        name: The call.
        info: Its number and arguments, and the stack pointer.
    """
    first, new, old, size = info.args[:4]
    if size != SET_SIZE or not (old == 0 or info.sp <= old < info.sp + STACK):
        return None
    if name == "rt_sigprocmask":
        mask, before = read_mask(tid, new), ptrace.get_mask(tid)
        if mask is None or before is None:
            return None
        # asm-generic/signal-defs.h: SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK
        after = {0: before | mask, 1: before & ~mask, 2: mask}.get(first & 0xFFFFFFFF)
        return None if after is None else (Mask(blocked=after & ~NEVER_BLOCKED),)
    signo = first & 0xFFFFFFFF
    found = disposition(tid, signo, new) if 0 < signo <= LAST and signo not in NOT_TAKEN else None
    return None if found is None else (found,)


def disposition(tid: int, signo: int, address: int) -> Disposition | None:
    """What a struct sigaction at an address in a thread's memory says; None if it can't be read."""
    found = read_sigaction(tid, address)
    if found is None or found[0] not in ("default", "ignore", "catch"):
        return None
    action, flags, mask = found
    return Disposition(
        signo=signo,
        action="default" if action == "default" else "ignore" if action == "ignore" else "catch",
        flags=flags,
        mask=mask,
    )
