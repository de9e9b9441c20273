"""What a thread that sleeps in poll, select or epoll_wait waits for, and for how long at most; how
long one sleeps; what was ready when it returned.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import islice
from typing import Final

from ipcviz.events.calls import where
from ipcviz.kernel import memory
from ipcviz.kernel.arch import X86_64, find_native_arch
from ipcviz.tracer.calls.deadlines import find_limit
from ipcviz.tracer.calls.flags import Word

_WATCHED: Final = 64
"""Descriptors of one poll, select or epoll that are read at most."""
POLLIN: Final = 1
POLLPRI: Final = 2
POLLOUT: Final = 4
_LETTERS: Final = ((POLLIN, "r"), (POLLOUT, "w"), (POLLPRI, "x"))
_FOUND: Final = (*_LETTERS, (8, "e"), (16, "h"), (32, "n"))
"""Besides those that are asked for: POLLERR, POLLHUP and POLLNVAL (poll(2))."""


_POLLS: Final = where(lambda call: call.find_argument("pollfds") >= 0)
SELECTS: Final = where(lambda call: call.has_argument("readfds"))
"""Calls whose three sets of descriptors are bits in memory."""
READY: Final = where(lambda call: call.waits == "ready")
"""Calls that find out which of several descriptors are ready."""


def read_watched(tid: int, name: str, raw: tuple[int, ...]) -> dict[str, Word]:
    """The descriptors that a sleeping poll or select watches, as `read_watched`: `3r 5rw 6x`;
    seconds at most, as `limit`.

    They are read while it sleeps, from its memory, which the kernel has read at the entry. What an
    epoll set lists is a fact of the set.
    """
    found: list[tuple[int, int]] = []
    if name in _POLLS:
        found = [(fd, events) for fd, events, _ in _read_polled(tid, raw)]
    elif name in SELECTS:
        found = _read_sets(tid, raw)
    shown = _write_down(((fd, events) for fd, events in found if fd >= 0), _LETTERS)
    seconds = find_limit(tid, name, raw)
    limit = f"{seconds:g}" if seconds is not None else ""
    return {
        **({"watched": " ".join(shown)} if shown else {}),
        **({"limit": limit} if limit else {}),
    }


def read_ready(tid: int, name: str, raw: tuple[int, ...], result: int) -> dict[str, Word]:
    """Which descriptors a poll, select or epoll_wait that has returned found ready, as `ready`: `3r
    5rh`; read from the thread's memory, where the kernel has just put them.

    Of an epoll set the number is not the descriptor's but what the program gave with it (`data`,
    epoll_ctl(2)).
    """
    if result <= 0:
        return {}
    if name in _POLLS:
        found = [(fd, told) for fd, _, told in _read_polled(tid, raw) if told]
    elif name in SELECTS:
        found = _read_sets(tid, raw)
    else:
        # struct epoll_event is packed on x86-64 alone (linux/eventpoll.h).
        form = "=IQ" if find_native_arch() is X86_64 else "=I4xQ"
        rows = _read_structs(tid, raw[1], form, min(result, _WATCHED))
        found = [(data, told) for told, data in rows]
    shown = _write_down(found, _FOUND)
    return {"ready": " ".join(shown)} if shown else {}


def _read_polled(tid: int, raw: tuple[int, ...]) -> list[tuple[int, ...]]:
    """(descriptor, events asked for, events found) of a poll."""
    return _read_structs(tid, raw[0], "=ihh", min(raw[1], _WATCHED))


def _read_structs(tid: int, address: int, form: str, count: int) -> list[tuple[int, ...]]:
    size = struct.calcsize(form)
    data = memory.read_bytes(tid, address, size * count) if address and count else None
    return list(struct.iter_unpack(form, (data or b"")[: len(data or b"") // size * size]))


def _read_sets(tid: int, raw: tuple[int, ...]) -> list[tuple[int, int]]:
    """(descriptor, events) of each one that is in one of select's three sets."""
    sets = [memory.read_bytes(tid, address, 128) or b"" if address else b"" for address in raw[1:4]]
    found = []
    for fd in range(min(raw[0] & 0xFFFFFFFF, 1024)):
        bits = [len(one) > fd // 8 and bool(one[fd // 8] >> fd % 8 & 1) for one in sets]
        if any(bits):
            found.append((fd, POLLIN * bits[0] | POLLOUT * bits[1] | POLLPRI * bits[2]))
    return found


def _write_down(
    found: Iterable[tuple[int, int]], letters: tuple[tuple[int, str], ...]
) -> list[str]:
    return [
        f"{number}{''.join(letter for bit, letter in letters if events & bit)}"
        for number, events in islice(found, _WATCHED)
    ]


def name_restarted(wchan: str, raw: tuple[int, ...]) -> str:
    """The call that a thread sleeps in as `restart_syscall` after a stop or a signal; empty if that
    is not known.

    The registers keep its arguments, but its number is gone. The kernel goes on in this way with
    four calls only (those that set a restart_block), which the function that the thread sleeps in
    tells apart: poll and futex have one of their own, those of nanosleep are passed over in favour
    of their caller.

    Args:
        wchan: That function's name.
        raw: The arguments.
    """
    if any(name in wchan for name in ("nanosleep", "do_syscall", "invoke_syscall")):
        # A clock's number, which can be negative, or the address of a time.
        return "nanosleep" if 4096 <= raw[0] < 1 << 63 else "clock_nanosleep"
    return next((name for name in ("poll", "futex") if name in wchan), "")
