"""Until when a call that sleeps waits at most: from its arguments, its thread's memory, or a
socket's options.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Final

from ipcviz.events.calls import ACCEPTS, CALLS, READS, WRITES
from ipcviz.kernel import memory, procfs
from ipcviz.kernel.borrow import borrow
from ipcviz.kernel.futexes import LOCK_PI, LOCK_PI2, WAIT, WAIT_BITSET


def _find_argument(*types: str) -> dict[str, int]:
    """Which argument of each call is of one of these types, by the call's name."""
    return {
        name: call.find_argument(*types)
        for name, call in CALLS.items()
        if call.find_argument(*types) >= 0
    }


_MILLISECONDS: Final = _find_argument("milliseconds")
"""Which argument is an int of milliseconds."""

_LENGTHS: Final = {
    **{name: (at, 1e9) for name, at in _find_argument("timespec", "timespec_left").items()},
    **{name: (at, 1e6) for name, at in _find_argument("timeval_left").items()},
}
"""Which argument points to a length of time, and the unit of its second half."""

_MOMENTS: Final = _find_argument("moment")
"""Which argument points to a moment of CLOCK_REALTIME."""

_TIMEOUT: Final = 3
"""Of futex(2)."""
_COMMAND: Final = 0x7F
_REALTIME: Final = 0x100
"""FUTEX_CLOCK_REALTIME of linux/futex.h; without it CLOCK_MONOTONIC is meant, but for LOCK_PI."""
_TIMER_ABSTIME: Final = 1

_CLOCKS: Final = frozenset(
    {time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME, time.CLOCK_TAI}
)
"""Those that pass for everybody alike: CPU time does not."""
_OF_NAMESPACE: Final = frozenset({time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME})
"""Those that time namespaces shift (time_namespaces(7))."""

_TIMEVAL: Final = struct.Struct("=qq")


def find_limit(tid: int, name: str, raw: tuple[int, ...]) -> float | None:
    """How many seconds a call waits at most from its beginning; None if its arguments set no such
    limit.
    """
    if name in _MILLISECONDS:
        value = raw[_MILLISECONDS[name]] & 0xFFFFFFFF
        return None if value >> 31 else value / 1000
    if name == "futex":
        return read_length(tid, raw[_TIMEOUT], 1e9) if raw[1] & _COMMAND == WAIT else None
    if name not in _LENGTHS or (name == "clock_nanosleep" and raw[1] & _TIMER_ABSTIME):
        return None
    argument, unit = _LENGTHS[name]
    return read_length(tid, raw[argument], unit)


Moment = tuple[int, float]
"""A clock, and a time of it in seconds."""


def find_moment(tid: int, name: str, raw: tuple[int, ...]) -> Moment | None:
    """The moment at which a call ends by itself; None if its arguments name none."""
    clock, address = time.CLOCK_REALTIME, 0
    if name == "futex" and raw[1] & _COMMAND in (WAIT_BITSET, LOCK_PI, LOCK_PI2):
        address = raw[_TIMEOUT]
        if raw[1] & _COMMAND != LOCK_PI and not raw[1] & _REALTIME:
            clock = time.CLOCK_MONOTONIC
    elif name == "clock_nanosleep" and raw[1] & _TIMER_ABSTIME:
        clock, address = raw[0] & 0xFFFFFFFF, raw[2]
    elif name in _MOMENTS:
        address = raw[_MOMENTS[name]]
    at = read_length(tid, address, 1e9)
    return (clock, at) if at is not None else None


def find_time_left(pid: int, until: Moment | None) -> float | None:
    """In how many seconds a moment comes that a process has named; None if there is none, or if
    that is not known.
    """
    if until is None or until[0] not in _CLOCKS:
        return None
    clock, at = until
    if clock in _OF_NAMESPACE and not procfs.same_namespace(pid, "time"):
        return None
    return at - time.clock_gettime(clock)


def is_short(pid: int, tid: int, name: str, raw: tuple[int, ...], most: float) -> bool:
    """Whether a call that is about to be made waits for `most` seconds at most, by what its
    arguments say.
    """
    seconds = find_limit(tid, name, raw)
    if seconds is None:
        seconds = find_time_left(pid, find_moment(tid, name, raw))
    return seconds is not None and seconds <= most


def find_socket_limit(pid: int, fd: object, name: str) -> float | None:
    """How many seconds a call on a socket waits at most (SO_RCVTIMEO, SO_SNDTIMEO of socket(7));
    None if for ever.

    Only for processes whose descriptors may be borrowed.
    """
    takes = name in READS or name in ACCEPTS
    if not isinstance(fd, int) or not (takes or name in WRITES or name == "connect"):
        return None
    with borrow(pid, fd) as number:
        if number is None:
            return None
        try:
            one = socket.socket(fileno=number)
        except OSError:
            return None
        try:
            option = socket.SO_RCVTIMEO if takes else socket.SO_SNDTIMEO
            seconds, micros = _TIMEVAL.unpack(
                one.getsockopt(socket.SOL_SOCKET, option, _TIMEVAL.size)
            )
        except (OSError, struct.error):
            return None
        finally:
            one.detach()
    return seconds + micros / 1e6 or None


def read_length(tid: int, address: int, unit: float) -> float | None:
    """A struct timespec or timeval of a thread's memory in seconds; None if there is none."""
    data = memory.read_bytes(tid, address, _TIMEVAL.size) if address else None
    if data is None or len(data) < _TIMEVAL.size:
        return None
    seconds, parts = _TIMEVAL.unpack(data)
    return float(seconds + parts / unit)
