"""What of a process is read rarely: its namespaces, timers, and title (namespaces(7),
proc(5)).
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

from ipcviz.events import PosixTimer, Surroundings
from ipcviz.kernel import procfs
from ipcviz.kernel.notifiers import CLOCKS

NAMESPACES: Final = ("pid", "net", "mnt", "ipc", "user")
"""Those that decide whom a process can meet."""
_WORDS: Final = 24
_LONGEST_WORD: Final = 400
"""Of arguments so many words are kept, and so much of each."""


def _read_namespace(pid: int | str, kind: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return ""


@cache
def _read_own_namespace(kind: str) -> str:
    return _read_namespace("self", kind)


def read_surroundings(pid: int) -> Surroundings | None:
    """A process's namespaces as far as they are not ours, its ids in inner PID namespaces, and its
    POSIX timers.

    Returns:
        None if it is gone; what may not be read (the rights of ptrace(2) to read are needed) counts
        as ours.
    """
    status = procfs.read_status(pid)
    if status is None:
        return None
    other = tuple(
        kind
        for kind in NAMESPACES
        if (link := _read_namespace(pid, kind)) and link != _read_own_namespace(kind)
    )
    return Surroundings(
        pid=pid,
        namespaces=other,
        inner=status.nspid[1:],
        timers=read_timers(pid),
        title=shorten_words(procfs.read_cmdline(pid) or ()),
    )


def shorten_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """The first of a process's arguments, or of what it has written over them: a title is one word,
    and short.
    """
    return tuple(word[:_LONGEST_WORD] for word in words[:_WORDS])


def read_timers(pid: int) -> tuple[PosixTimer, ...]:
    """The timers that a process has made (timer_create(2)); the file is there with
    CONFIG_CHECKPOINT_RESTORE only.
    """
    return parse_timers(
        procfs.decode_text(procfs.read_bytes(f"/proc/{pid}/timers", whole=True) or b"")
    )


def parse_timers(text: str) -> tuple[PosixTimer, ...]:
    """Parse /proc/PID/timers: `ID: 1`, `signal: 60/00007fff86e452a8`, `notify: signal/pid.2634`,
    `ClockID: 0`.
    """
    found = []
    lines: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        lines[name] = value
        if name == "ClockID":
            found.append(_parse_timer(lines))
            lines = {}
    return tuple(
        sorted((timer for timer in found if timer is not None), key=lambda timer: timer.id)
    )


def _parse_timer(lines: dict[str, str]) -> PosixTimer | None:
    how, _, target = lines.get("notify", "").partition("/")
    try:
        clock = int(lines["ClockID"])
        return PosixTimer(
            id=int(lines["ID"]),
            signo=int(lines["signal"].partition("/")[0]),
            clock=CLOCKS.get(clock, f"clock {clock}"),
            notify=how != "none",
            tid=int(target.partition(".")[2] or 0) if target.startswith("tid.") else 0,
        )
    except (KeyError, ValueError):
        return None
