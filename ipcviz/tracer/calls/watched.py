"""What a thread that sleeps in poll, select or epoll_wait waits for, and for how long at most; how
long one sleeps.
"""

from __future__ import annotations

import struct
from typing import Final

from ipcviz.events.calls import where
from ipcviz.kernel import memory
from ipcviz.tracer.calls.deadlines import find_limit
from ipcviz.tracer.calls.flags import Word

_WATCHED: Final = 64
"""Descriptors of one poll, select or epoll that are read at most."""
POLLIN: Final = 1
POLLPRI: Final = 2
POLLOUT: Final = 4


_POLLS: Final = where(lambda call: call.find_argument("pollfds") >= 0)
SELECTS: Final = where(lambda call: call.has_argument("readfds"))
"""Calls whose three sets of descriptors are bits in memory."""


def read_watched(tid: int, name: str, raw: tuple[int, ...]) -> dict[str, Word]:
    """The descriptors that a sleeping poll or select watches, as `read_watched`: `3r 5rw 6x`;
    seconds at most, as `limit`.

    They are read while it sleeps, from its memory, which the kernel has read at the entry. What an
    epoll set lists is a fact of the set.
    """
    found: list[tuple[int, int]] = []
    if name in _POLLS:
        data = (
            memory.read_bytes(tid, raw[0], 8 * min(raw[1], _WATCHED)) if raw[0] and raw[1] else None
        )
        found = [
            (fd, events)
            for fd, events, _ in struct.iter_unpack(
                "=ihh", (data or b"")[: len(data or b"") // 8 * 8]
            )
        ]
    elif name in SELECTS:
        sets = [
            memory.read_bytes(tid, address, 128) or b"" if address else b"" for address in raw[1:4]
        ]
        for fd in range(min(raw[0] & 0xFFFFFFFF, 1024)):
            bits = [len(one) > fd // 8 and bool(one[fd // 8] >> fd % 8 & 1) for one in sets]
            if any(bits):
                found.append((fd, POLLIN * bits[0] | POLLOUT * bits[1] | POLLPRI * bits[2]))
    letters = ((POLLIN, "r"), (POLLOUT, "w"), (POLLPRI, "x"))
    shown = [
        f"{fd}{''.join(letter for bit, letter in letters if events & bit)}"
        for fd, events in found[:_WATCHED]
        if fd >= 0
    ]
    seconds = find_limit(tid, name, raw)
    limit = f"{seconds:g}" if seconds is not None else ""
    return {
        **({"watched": " ".join(shown)} if shown else {}),
        **({"limit": limit} if limit else {}),
    }


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
