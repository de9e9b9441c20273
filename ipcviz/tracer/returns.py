"""Where a function will return to, watched by a debug register of its thread: nothing is written
into the program.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.kernel import ptrace
from ipcviz.kernel.arch import Arch

DEBUG_REGISTERS: Final = 848
"""Offset of u_debugreg in struct user (sys/user.h) of x86-64."""
_CONTROL: Final = DEBUG_REGISTERS + 7 * 8
_EXECUTED: Final = 1
"""Of DR7: register 0 is on, for this thread, and stops it before the instruction there is executed.
"""
TRAP_HWBKPT: Final = 4
"""si_code of its signal (asm-generic/siginfo.h)."""


class Trying(NamedTuple):
    """A thread is inside a function whose result is to be seen.

    Attributes:
        address: Where it will return to; 0 if it is in none.
        sp: Its stack pointer then.
        key: The semaphore that it tries to take.
        found: It was above 0 when the thread came there.
    """

    address: int = 0
    sp: int = 0
    key: str = ""
    found: bool = False


NOTHING: Final = Trying()


def watch(tid: int, arch: Arch, address: int) -> bool:
    """Stop a thread once it is about to execute what lies at an address; false if this machine
    can't.
    """
    if arch.machine != "x86_64" or not address:
        return False
    return ptrace.set_user(tid, DEBUG_REGISTERS, address) and ptrace.set_user(
        tid, _CONTROL, _EXECUTED
    )


def unwatch(tid: int, arch: Arch) -> None:
    """Stop it there no more."""
    if arch.machine == "x86_64":
        ptrace.set_user(tid, _CONTROL, 0)
