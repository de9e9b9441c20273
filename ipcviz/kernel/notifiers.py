"""What descriptors that only tell of events hold, from /proc/PID/fdinfo (proc(5)); nothing is
borrowed for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from typing import Final

from ipcviz.events import EpollEntry, InotifyWatch, Notifier, ObjectInfo
from ipcviz.events.notifiers import LISTED
from ipcviz.kernel import procfs

# linux/eventpoll.h
_EPOLL: Final = (
    (0x1, "EPOLLIN"),
    (0x2, "EPOLLPRI"),
    (0x4, "EPOLLOUT"),
    (0x2000, "EPOLLRDHUP"),
    (1 << 28, "EPOLLEXCLUSIVE"),
    (1 << 29, "EPOLLWAKEUP"),
    (1 << 30, "EPOLLONESHOT"),
    (1 << 31, "EPOLLET"),
)

# linux/inotify.h
_INOTIFY: Final = (
    (0x1, "IN_ACCESS"),
    (0x2, "IN_MODIFY"),
    (0x4, "IN_ATTRIB"),
    (0x8, "IN_CLOSE_WRITE"),
    (0x10, "IN_CLOSE_NOWRITE"),
    (0x20, "IN_OPEN"),
    (0x40, "IN_MOVED_FROM"),
    (0x80, "IN_MOVED_TO"),
    (0x100, "IN_CREATE"),
    (0x200, "IN_DELETE"),
    (0x400, "IN_DELETE_SELF"),
    (0x800, "IN_MOVE_SELF"),
)

# linux/time.h
CLOCKS: Final = {
    0: "CLOCK_REALTIME",
    1: "CLOCK_MONOTONIC",
    2: "CLOCK_PROCESS_CPUTIME_ID",
    3: "CLOCK_THREAD_CPUTIME_ID",
    7: "CLOCK_BOOTTIME",
    8: "CLOCK_REALTIME_ALARM",
    9: "CLOCK_BOOTTIME_ALARM",
}


def epoll_events(mask: int) -> tuple[str, ...]:
    """The events of an epoll entry by name, without those that are always meant."""
    return tuple(name for bit, name in _EPOLL if mask & bit)


def inotify_events(mask: int) -> tuple[str, ...]:
    """The events of an inotify watch by name."""
    return tuple(name for bit, name in _INOTIFY if mask & bit)


def decode_device(kernel: int) -> int:
    """A device number as stat(2) gives it, from the kernel's own, which fdinfo shows (MAJOR and
    MINOR of kdev_t.h).
    """
    return os.makedev(kernel >> 20, kernel & 0xFFFFF)


@cache
def anonymous_inode() -> tuple[int, int]:
    """Device and number of the one inode that eventfd, timerfd, signalfd, inotify and epoll
    descriptors share.
    """
    number = os.eventfd(0, os.EFD_CLOEXEC)
    try:
        status = os.fstat(number)
    finally:
        os.close(number)
    return status.st_dev, status.st_ino


Place = Callable[[int, int, int], str]
"""Key of the object behind a number: given the number, and the device and inode that it had when it
was put in.
"""

Name = Callable[[int, str], str]
"""Path of what a watch is about: given its number and its object's key; empty if it is not known.
"""


def read_notifier(
    pid: int, fd: int, info: ObjectInfo, now: float, place: Place, name: Name
) -> Notifier | None:
    """What lies behind a descriptor of one of the `NOTIFIERS`.

    Args:
        pid: The process.
        fd: Its descriptor.
        info: The object behind it.
        now: The moment, in session seconds, that a timer's remaining time counts from.
        place: Gives the objects in an epoll set.
        name: Gives the paths of inotify's watches.

    Returns:
        What fdinfo says; None if the descriptor is gone, or is not what it was any more.
    """
    facts = procfs.read_fdinfo(pid, fd)
    return None if facts is None else parse_notifier(info, facts.extra, now, place, name)


def parse_notifier(
    info: ObjectInfo, lines: dict[str, tuple[str, ...]], now: float, place: Place, name: Name
) -> Notifier | None:
    """The same from the lines of fdinfo; None if they are not those of such an object."""
    key = info.key
    try:
        if info.kind == "eventfd":
            count = min(int(lines["eventfd-count"][0], 16), (1 << 63) - 1)
            return Notifier(
                object=key, count=count, semaphore=lines.get("eventfd-semaphore", ("0",))[0] == "1"
            )
        if info.kind == "timerfd":
            left = _parse_seconds(lines["it_value"][0])
            clock = int(lines["clockid"][0])
            return Notifier(
                object=key,
                count=int(lines["ticks"][0]),
                clock=CLOCKS.get(clock, f"clock {clock}"),
                due=now + left if left else None,
                interval=_parse_seconds(lines["it_interval"][0]),
            )
        if info.kind == "signalfd":
            return Notifier(object=key, mask=int(lines["sigmask"][0], 16))
        if info.kind == "pidfd":
            return Notifier(object=key, pid=int(lines["Pid"][0]))
        if info.kind == "inotify":
            found = lines.get("inotify", ())
            return Notifier(
                object=key,
                watches=_parse_watches(found[:LISTED], name),
                more=max(0, len(found) - LISTED),
            )
        if info.kind == "epoll":
            found = lines.get("tfd", ())
            return Notifier(
                object=key,
                listed=_parse_entries(found[:LISTED], place),
                more=max(0, len(found) - LISTED),
            )
    except (KeyError, ValueError, IndexError):
        return None
    return None


def _parse_seconds(pair: str) -> float:
    """`(1, 498350545)`."""
    seconds, nanoseconds = (int(word) for word in pair.strip("()").split(","))
    return seconds + nanoseconds / 1e9


def _parse_entries(lines: tuple[str, ...], place: Place) -> tuple[EpollEntry, ...]:
    """`6 events: 19 data: 7ff900000006 pos:0 ino:5806b sdev:5`."""
    found = []
    for line in lines:
        words = re.sub(r":\s+", ":", line).split()
        facts = dict(word.split(":", 1) for word in words[1:])
        fd, mask = int(words[0]), int(facts["events"], 16)
        thing = place(
            fd, decode_device(int(facts.get("sdev", "0"), 16)), int(facts.get("ino", "0"), 16)
        )
        data = int(facts["data"], 16)
        found.append(EpollEntry(fd=fd, events=epoll_events(mask), object=thing, data=data))
    return tuple(sorted(found, key=lambda entry: entry.fd))


def _parse_watches(lines: tuple[str, ...], name: Name) -> tuple[InotifyWatch, ...]:
    """`wd:1 ino:212957 sdev:fe00000 mask:fff ignored_mask:0 ...`."""
    found = []
    for line in lines:
        facts = dict(word.split(":", 1) for word in line.split() if ":" in word)
        wd = int(facts["wd"])
        key = f"{decode_device(int(facts['sdev'], 16))}:{int(facts['ino'], 16)}"
        events = inotify_events(int(facts["mask"], 16))
        found.append(InotifyWatch(wd=wd, object=key, path=name(wd, key), events=events))
    return tuple(sorted(found, key=lambda watch: watch.wd))
