"""Where a function will return to, watched by a debug register of its thread: nothing is written
into the program.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.kernel.arch import Arch
from ipcviz.kernel.watchpoints import REGISTERS, On, Watchpoint, set_watchpoints


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


def set_registers(tid: int, arch: Arch, points: tuple[Watchpoint, ...], address: int = 0) -> bool:
    """Set a stopped thread's debug registers.

    Args:
        tid: The thread.
        arch: Its architecture.
        points: The memory that is watched.
        address: Where it is to stop before it executes what lies there; 0 for nowhere. Takes the
            last register, so it must be free.

    Returns:
        False if this machine can't, or if all registers watch memory.
    """
    if not address:
        return set_watchpoints(tid, arch, points)
    if len(points) >= REGISTERS:
        return False
    free = (None,) * (REGISTERS - 1 - len(points))
    return set_watchpoints(tid, arch, [*points, *free, Watchpoint(address, 1, On.EXECUTION)])
