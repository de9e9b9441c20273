"""Calls with a time limit of their own that the kernel begins anew when they are made again: by
table.

After a signal the kernel itself keeps the limit of nanosleep, poll and futex (restart blocks), of
calls whose limit is a moment (mq_timedsend, futex with FUTEX_WAIT_BITSET), and of select and ppoll,
into whose arguments it writes what is left.
"""

from __future__ import annotations

import errno
from typing import Final

from ipcviz.events.calls import CALLS, SystemCall, having, where
from ipcviz.kernel import memory
from ipcviz.tracer.calls import deadlines

EXPIRED: Final = {
    name: -int(getattr(errno, call.expired, 0)) for name, call in CALLS.items() if call.expired
}
"""What each returns when its limit is up and nothing has come of it.

The kernel lets select and ppoll fail with EINTR only if it can't write what is left, into
constants, say."""

TIMED: Final = where(
    lambda call: bool(call.expired) and call.find_argument("milliseconds", "timespec") >= 0
)
"""Those whose arguments alone set the limit."""

ANEW: Final = having("anew")
"""Those that the kernel makes again by itself, with their whole limit: of read(2), one of a
terminal with VTIME.
"""


def _socket_limit(call: SystemCall) -> tuple[int, str]:
    taken = call.flow == "takes" or call.waits == "connection"
    names = [argument for argument, _ in call.arguments]
    place = names.index("fd_out" if call.flow == "transfers" else "fd")
    return place, "read" if taken else "write"


OF_SOCKETS: Final = {
    name: _socket_limit(call)
    for name, call in CALLS.items()
    if call.expired == "EAGAIN" and call.on in ("any", "socket", "pipe")
}
"""Whose limit is a socket's: which argument is its descriptor, and whether it is that of reads
or of writes (SO_RCVTIMEO, SO_SNDTIMEO)."""

IORING_ENTER_EXT_ARG: Final = 8
TIMES: Final = 16
"""linux/io_uring.h: the flag, and where struct io_uring_getevents_arg has the address of its time.
"""


def of_arguments(tid: int, name: str, raw: tuple[int, ...]) -> float | None:
    """How many seconds a call waits at most, by its arguments; None if they set no limit."""
    if name == "io_uring_enter":
        if not raw[3] & IORING_ENTER_EXT_ARG:
            return None
        address = memory.read_u64(tid, raw[4] + TIMES)
        return deadlines.read_length(tid, address, 1e9) if address else None
    return deadlines.find_limit(tid, name, raw)


def of_socket(pid: int, name: str, raw: tuple[int, ...]) -> float | None:
    """How many seconds a call on a socket waits at most, by the socket's options; None if for
    ever.
    """
    argument, way = OF_SOCKETS[name]
    return deadlines.find_socket_limit(pid, raw[argument] & 0xFFFFFFFF, way)
