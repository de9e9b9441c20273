"""Calls with a time limit of their own that the kernel begins anew when they are made again: by
table.

After a signal the kernel itself keeps the limit of nanosleep, poll and futex (restart blocks), of
calls whose limit is a moment (mq_timedsend, futex with FUTEX_WAIT_BITSET), and of select and ppoll,
into whose arguments it writes what is left.
"""

from __future__ import annotations

import errno
from typing import Final

from ipcviz.kernel import memory
from ipcviz.tracer.calls import deadlines

EXPIRED: Final = {
    "epoll_wait": 0,
    "epoll_pwait": 0,
    "epoll_pwait2": 0,
    "ppoll": 0,
    "select": 0,
    "pselect6": 0,
    "io_getevents": 0,
    "io_pgetevents": 0,
    "io_uring_enter": -errno.ETIME,
    "rt_sigtimedwait": -errno.EAGAIN,
    "semtimedop": -errno.EAGAIN,
    "accept": -errno.EAGAIN,
    "accept4": -errno.EAGAIN,
    "connect": -errno.EAGAIN,
    **dict.fromkeys(("recvfrom", "recvmsg", "recvmmsg", "readv", "read"), -errno.EAGAIN),
    **dict.fromkeys(
        ("sendto", "sendmsg", "sendmmsg", "writev", "write", "sendfile", "splice"), -errno.EAGAIN
    ),
}
"""What each returns when its limit is up and nothing has come of it.

The kernel lets select and ppoll fail with EINTR only if it can't write what is left, into
constants, say."""

TIMED: Final = frozenset(
    {
        *("epoll_wait", "epoll_pwait", "epoll_pwait2", "rt_sigtimedwait", "semtimedop"),
        *("io_getevents", "io_pgetevents"),
    }
)
"""Those whose arguments alone set the limit."""

ANEW: Final = frozenset({"io_pgetevents", "read", "readv", "recvmmsg"})
"""Those that the kernel makes again by itself, with their whole limit: of read(2), one of a
terminal with VTIME.
"""

OF_SOCKETS: Final = {
    **dict.fromkeys(
        ("read", "readv", "recvfrom", "recvmsg", "recvmmsg", "accept", "accept4"), (0, "read")
    ),
    **dict.fromkeys(
        ("write", "writev", "sendto", "sendmsg", "sendmmsg", "sendfile", "connect"), (0, "write")
    ),
    "splice": (2, "write"),
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
    return deadlines.length(tid, name, raw)


def of_socket(pid: int, name: str, raw: tuple[int, ...]) -> float | None:
    """How many seconds a call on a socket waits at most, by the socket's options; None if for
    ever.
    """
    argument, way = OF_SOCKETS[name]
    return deadlines.of_socket(pid, raw[argument] & 0xFFFFFFFF, way)
