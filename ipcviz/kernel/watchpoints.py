"""Debug registers of a thread: the processor stops it when it loads, stores or executes what lies
at an address.

Of x86-64 there are four (DR0 to DR3), each for 1, 2, 4 or 8 bytes at an address that is a multiple
of its size. They belong to one thread: they are not inherited by fork(2) or clone(2), and execve(2)
clears them (flush_ptrace_hw_breakpoint in arch/x86/kernel/hw_breakpoint.c). The thread stops behind
the instruction that loaded or stored, and before one that is to be executed, by a SIGTRAP whose
si_code is TRAP_HWBKPT. A tracer sets them by PTRACE_POKEUSER at offsets of u_debugreg in struct
user (sys/user.h); when it ends the kernel takes them away (ptrace_detach).

What the kernel loads or stores for a thread, as read(2) and write(2) do, stops nothing: the debug
registers are off while it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from ipcviz.kernel import ptrace
from ipcviz.kernel.arch import Arch

TRAP_HWBKPT: Final = 4
"""si_code of the SIGTRAP of a debug register (asm-generic/siginfo.h)."""
REGISTERS: Final = 4
"""Debug registers for addresses that a thread has."""
SIZES: Final = (1, 2, 4, 8)
"""How many bytes one of them can watch."""
_ADDRESSES: Final = 848
"""Offset of u_debugreg in struct user (sys/user.h) of x86-64."""
_STATUS: Final = _ADDRESSES + 6 * 8
_CONTROL: Final = _ADDRESSES + 7 * 8
_LENGTH_BITS: Final = {1: 0, 2: 1, 4: 3, 8: 2}
"""Of DR7: two bits for the length of what is watched (Intel SDM volume 3, 18.2.4)."""


class On(IntEnum):
    """What a debug register stops a thread at: the values of DR7's R/W bits."""

    EXECUTION = 0
    STORE = 1
    ACCESS = 3
    """A load or a store: the processor knows no stop for loads alone."""


class Watchpoint(NamedTuple):
    """What one debug register watches.

    Attributes:
        address: In the thread's memory; a multiple of `size`.
        size: 1, 2, 4 or 8 bytes; 1 for `On.EXECUTION`.
        on: What it stops the thread at.
    """

    address: int
    size: int = 1
    on: On = On.ACCESS


def is_aligned(address: int, size: int) -> bool:
    """Whether one debug register can watch so many bytes there."""
    return size in SIZES and address % size == 0


def control_of(watchpoints: Sequence[Watchpoint | None]) -> int:
    """DR7 for what registers 0, 1, ... watch; None is a register that watches nothing."""
    control = 0
    for number, one in enumerate(watchpoints):
        if one is None:
            continue
        bits = int(one.on) | _LENGTH_BITS[one.size] << 2
        control |= 1 << 2 * number | bits << 16 + 4 * number
    return control


def set_watchpoints(tid: int, arch: Arch, watchpoints: Sequence[Watchpoint | None]) -> bool:
    """Give a stopped thread these watchpoints in place of those that it has.

    Args:
        tid: A traced thread that is stopped.
        arch: Its architecture.
        watchpoints: For registers 0, 1, ... at most four; None where nothing is to be watched.

    Returns:
        False if this machine has no debug registers for it, if an address can't be watched, or if
        the thread is gone. It has no watchpoints then.
    """
    if arch.machine != "x86_64" or len(watchpoints) > REGISTERS:
        return False
    # An address is checked together with the bits in DR7: off first, or old ones would be checked.
    if not ptrace.set_user(tid, _CONTROL, 0):
        return False
    for number, one in enumerate(watchpoints):
        if one is not None and not ptrace.set_user(tid, _ADDRESSES + 8 * number, one.address):
            return False
    if not any(watchpoints):
        return True
    return ptrace.set_user(tid, _CONTROL, control_of(watchpoints))


def read_hits(tid: int) -> frozenset[int]:
    """Which of its debug registers, 0 to 3, a thread that stopped by TRAP_HWBKPT stopped for.

    They are forgotten by that: DR6 keeps them otherwise until somebody clears it.
    """
    status = ptrace.get_user(tid, _STATUS)
    if not status:
        return frozenset()
    ptrace.set_user(tid, _STATUS, 0)
    return frozenset(number for number in range(REGISTERS) if status >> number & 1)
