"""Debug registers of a thread: the processor stops it when it loads, stores or executes what lies
at an address.

Each watches 1, 2, 4 or 8 bytes at an address that is a multiple of its size. They belong to one
thread: they are not inherited by fork(2) or clone(2), and execve(2) clears them
(flush_ptrace_hw_breakpoint in the kernel's hw_breakpoint.c). A thread stops by a SIGTRAP whose
si_code is TRAP_HWBKPT. When its tracer ends the kernel takes them away (ptrace_detach).

- x86-64 has four (DR0 to DR3). A tracer sets them by PTRACE_POKEUSER at offsets of u_debugreg in
  struct user (sys/user.h). The thread stops *behind* the instruction that loaded or stored, and
  before one that is to be executed. DR6 says which of them it was.
- aarch64 has two sets, one for loads and stores and one for execution (NT_ARM_HW_WATCH and
  NT_ARM_HW_BREAK, struct user_hwdebug_state in asm/ptrace.h), each of two registers at least. The
  thread stops *before* the instruction, and would stop there for ever: who watches it has to take
  the register away for one step. si_addr is the address that is loaded or stored.

What the kernel loads or stores for a thread, as read(2) and write(2) do, stops nothing: the debug
registers are off while it runs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from ipcviz.kernel import ptrace
from ipcviz.kernel.arch import Arch

TRAP_HWBKPT: Final = 4
"""si_code of the SIGTRAP of a debug register (asm-generic/siginfo.h)."""
REGISTERS: Final = 4
"""Debug registers for addresses that are used of a thread's."""
SIZES: Final = (1, 2, 4, 8)
"""How many bytes one of them can watch."""
_ADDRESSES: Final = 848
"""Offset of u_debugreg in struct user (sys/user.h) of x86-64."""
_STATUS: Final = _ADDRESSES + 6 * 8
_CONTROL: Final = _ADDRESSES + 7 * 8
_LENGTH_BITS: Final = {1: 0, 2: 1, 4: 3, 8: 2}
"""Of DR7: two bits for the length of what is watched (Intel SDM volume 3, 18.2.4)."""


_HW_BREAK: Final = 0x402
_HW_WATCH: Final = 0x403
"""linux/elf.h"""
_HEAD: Final = struct.Struct("=I4x")
_SLOT: Final = struct.Struct("=QI4x")
"""Of struct user_hwdebug_state: how many registers there are, in its low 8 bits; then each."""


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
    if len(watchpoints) > REGISTERS:
        return False
    if arch.machine == "aarch64":
        return _set_both(tid, watchpoints)
    if arch.machine != "x86_64":
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


def _set_both(tid: int, watchpoints: Sequence[Watchpoint | None]) -> bool:
    """The same on aarch64: the set for memory, and the one for execution."""
    wanted = [one for one in watchpoints if one is not None]
    # The kernel takes what is not aligned, as long as it lies within 8 bytes.
    if not all(is_aligned(one.address, one.size) for one in wanted):
        return False
    return all(
        _set_all(tid, number, [one for one in wanted if (one.on is On.EXECUTION) is executes])
        for number, executes in ((_HW_WATCH, False), (_HW_BREAK, True))
    )


def _set_all(tid: int, number: int, wanted: Sequence[Watchpoint]) -> bool:
    """Give a thread these debug registers of one set, and none besides; none at all on failure."""
    had = ptrace.read_register_set(tid, number)
    room = _HEAD.unpack_from(had)[0] & 0xFF if len(had) >= _HEAD.size else 0
    if not room:
        return not wanted and bool(had)
    empty = _HEAD.pack(0) + _SLOT.pack(0, 0) * room
    if not wanted:
        # Not even once: a register that was never used is not made.
        return had[_HEAD.size :] == empty[_HEAD.size :] or ptrace.write_register_set(
            tid, number, empty
        )
    if len(wanted) > room:
        return False
    slots = [_SLOT.pack(one.address, encode_slot(one)) for one in wanted]
    slots += [_SLOT.pack(0, 0)] * (room - len(wanted))
    if ptrace.write_register_set(tid, number, _HEAD.pack(0) + b"".join(slots)):
        return True
    ptrace.write_register_set(tid, number, empty)
    return False


def encode_slot(one: Watchpoint) -> int:
    """The control word of a debug register of aarch64: in use; stops at execution, loads or stores;
    one bit for each byte (encode_ctrl_reg in asm/hw_breakpoint.h).
    """
    kinds = {On.EXECUTION: 0, On.STORE: 2, On.ACCESS: 3}
    # Instructions have four bytes.
    size = 4 if one.on is On.EXECUTION else one.size
    return 1 | kinds[one.on] << 3 | (1 << size) - 1 << 5


def find_touched(
    watchpoints: Sequence[Watchpoint], address: int, *, stores: bool
) -> frozenset[int]:
    """Which watchpoints an instruction stops at that loads or stores at an address: those that it
    begins in, else the nearest behind that (watchpoint_handler in arch/arm64's hw_breakpoint.c).

    Args:
        watchpoints: Those of the thread, in their order.
        address: si_addr of the stop.
        stores: Whether it stores.
    """
    found = {
        number: max(one.address - address, address - one.address - one.size + 1, 0)
        for number, one in enumerate(watchpoints)
        if one.on is On.ACCESS or (one.on is On.STORE and stores)
    }
    least = min(found.values(), default=0)
    return frozenset(number for number, distance in found.items() if distance == least)


def read_hits(tid: int) -> frozenset[int]:
    """Which of its debug registers, 0 to 3, a thread of x86-64 that stopped by TRAP_HWBKPT stopped
    for.

    They are forgotten by that: DR6 keeps them otherwise until somebody clears it.
    """
    status = ptrace.get_user(tid, _STATUS)
    if not status:
        return frozenset()
    ptrace.set_user(tid, _STATUS, 0)
    return frozenset(number for number in range(REGISTERS) if status >> number & 1)
