"""Descriptors that tell of events, in words: eventfd, timerfd, signalfd, pidfd, inotify, epoll."""

from __future__ import annotations

import struct

import pytest

from ipcviz.events import InotifyWatch, Notifier, ObjectInfo, Sample, Taken
from ipcviz.narrate import DETAIL, NOISE
from tests import picture_states as systems
from tests.told import Row, check, did

KINDS = ("eventfd", "timerfd", "signalfd", "pidfd", "inotify", "epoll")
FD = {kind: 3 + index for index, kind in enumerate(KINDS)}
SPOOL = ObjectInfo(key="8:50", kind="directory", path="/spool/queue", dev=8, ino=50)


def at(kind: str) -> dict[str, object]:
    return {"object": f"anon:{kind}", "fd": FD[kind]}


def seen(**facts) -> Sample:
    kind = facts.pop("kind")
    return Sample(t=8.0, notifiers=(Notifier(f"anon:{kind}", **facts),))


def system():
    """A process with one descriptor of each kind, the numbers 3 to 8, and a directory behind 9."""
    m = systems.Maker()
    m.launch(12, "lpd")
    for kind in KINDS:
        m.open(12, FD[kind], ObjectInfo(key=f"anon:{kind}", kind=kind), "rw")
    m.open(12, 9, SPOOL, "r")
    return m.state


def number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def changed(mask: int, name: bytes = b"j1", wd: int = 1, more: bytes = b"") -> bytes:
    return struct.pack("<iIII", wd, mask, 0, len(name)) + name + more


WATCHES = seen(
    kind="inotify",
    watches=(InotifyWatch(wd=1, path="/spool/tmp"), InotifyWatch(wd=2, object=SPOOL.key)),
)


def read(mask: int, *args, **more) -> tuple:
    data = changed(mask, *args)
    return (WATCHES, did("read", **at("inotify"), ret=len(data), data=data, **more))


COUNTERS = [
    Row(
        did("write", **at("eventfd"), ret=8, data=number(1500)),
        "lpd[12] added 1,500 to the eventfd E1 (fd 3)",
    ),
    Row(
        did("read", **at("eventfd"), ret=8, data=number(3)),
        "lpd[12] took 3 from the eventfd E1: its counter is back at 0 (fd 3)",
    ),
    Row(
        (
            seen(kind="eventfd", count=1, semaphore=True),
            did("read", **at("eventfd"), ret=8, data=number(1)),
        ),
        "lpd[12] took 1 from the eventfd E1 (fd 3)",
    ),
    Row(
        did("read", **at("eventfd"), error="EAGAIN"),
        "lpd[12] got EAGAIN from read (fd 3) on E1: it is empty, and its open file"
        " description does not block",
    ),
    Row(
        did("read", **at("timerfd"), ret=8, data=number(1)),
        "lpd[12] read from the timer T1 that it has expired once (fd 4)",
    ),
    Row(
        did("read", **at("timerfd"), ret=8, data=number(1200)),
        "lpd[12] read from the timer T1 that it has expired 1,200 times (fd 4)",
    ),
    Row(
        did("timerfd_settime", **at("timerfd"), new="1.5 s, then every 2 s"),
        "lpd[12] armed the timer T1: it expires in 1.5 s, then every 2 s",
    ),
    Row(did("timerfd_settime", **at("timerfd"), new="0 s"), "lpd[12] disarmed the timer T1"),
    Row(
        did(
            "timerfd_settime",
            **at("timerfd"),
            new="99 s, then every 2 s",
            flags="TIMER_ABSTIME",
        ),
        "lpd[12] armed the timer T1 for a moment of its clock, then every 2 s",
    ),
    Row(
        did("timerfd_settime", **at("timerfd"), error="EINVAL"),
        "lpd[12] got EINVAL from timerfd_settime of T1",
        DETAIL,
    ),
]

SIGNALS = [
    Row(
        did("read", Taken(signo=10, code="SI_USER", sender=12), **at("signalfd"), ret=128),
        "lpd[12] took SIGUSR1 from lpd[12] out of SG1 (fd 5)",
    ),
    Row(
        did("read", **at("signalfd"), ret=128, data=struct.pack("<IiiI", 15, 0, 0, 12)),
        "lpd[12] took SIGTERM from lpd[12] out of SG1 (fd 5)",
    ),
    Row(
        did("read", **at("signalfd"), ret=128, data=struct.pack("<IiiI", 15, 0, 0, 0)),
        "lpd[12] took SIGTERM out of SG1 (fd 5)",
    ),
    Row(
        did("signalfd4", ret=5, mask=1 << 1 | 1 << 14),
        "lpd[12] made SIGINT or SIGTERM readable from SG1: descriptor 5",
    ),
    Row(
        did(
            "signalfd4",
            ret=77,
            mask="?",
        ),
        "lpd[12] made signals readable from a signal descriptor: descriptor 77",
    ),
    Row(did("signalfd4", error="EINVAL"), "lpd[12] got EINVAL from signalfd4", DETAIL),
]

WATCHING = [
    Row(
        did(
            "inotify_add_watch", **at("inotify"), path="/spool", mask="IN_CREATE|IN_MOVED_TO", ret=1
        ),
        "lpd[12] watches /spool by IN1 from now on: IN_CREATE, IN_MOVED_TO",
    ),
    Row(
        did("inotify_add_watch", **at("inotify"), path="/s", mask="A|B|C|D|E|F", ret=1),
        "lpd[12] watches /s by IN1 from now on: A, B, C, D and 2 more",
    ),
    Row(
        did("inotify_add_watch", **at("inotify"), path="/no", error="ENOENT"),
        "lpd[12] got ENOENT from inotify_add_watch of /no",
    ),
    Row(
        (WATCHES, did("inotify_rm_watch", **at("inotify"), wd=1)),
        "lpd[12] no longer watches /spool/tmp",
    ),
    Row(
        did("inotify_rm_watch", **at("inotify"), wd=7),
        "lpd[12] no longer watches the place of watch 7",
    ),
    Row(
        did("inotify_rm_watch", **at("inotify"), wd=7, error="EINVAL"),
        "lpd[12] got EINVAL from inotify_rm_watch",
        DETAIL,
    ),
    Row(read(0x80), "lpd[12] read from IN1 that j1 was moved into /spool/tmp (fd 7)"),
    Row(read(0x80, b"j1", 2), "lpd[12] read from IN1 that j1 was moved into /spool/queue (fd 7)"),
    Row(read(0x40), "lpd[12] read from IN1 that j1 was moved out of /spool/tmp (fd 7)"),
    Row(
        read(0x100, b"j1\0\0", 3),
        "lpd[12] read from IN1 that j1 was made in the place of watch 3 (fd 7)",
    ),
    Row(read(0x200), "lpd[12] read from IN1 that j1 was removed from /spool/tmp (fd 7)"),
    Row(read(0x8), "lpd[12] read from IN1 that j1 in /spool/tmp was closed after writing (fd 7)"),
    Row(read(0x2), "lpd[12] read from IN1 that j1 in /spool/tmp was written to (fd 7)"),
    Row(read(0x4), "lpd[12] read from IN1 that the attributes of j1 in /spool/tmp changed (fd 7)"),
    Row(read(0x20), "lpd[12] read from IN1 that j1 in /spool/tmp was opened (fd 7)"),
    Row(read(0x10), "lpd[12] read from IN1 that j1 in /spool/tmp was closed (fd 7)"),
    Row(read(0x1), "lpd[12] read from IN1 that j1 in /spool/tmp was read (fd 7)"),
    Row(read(0x8, b""), "lpd[12] read from IN1 that /spool/tmp was closed after writing (fd 7)"),
    Row(read(0x4, b""), "lpd[12] read from IN1 that the attributes of /spool/tmp changed (fd 7)"),
    Row(read(0x200, b""), "lpd[12] read from IN1 that /spool/tmp was removed (fd 7)"),
    Row(read(0x400, b""), "lpd[12] read from IN1 that /spool/tmp itself was removed (fd 7)"),
    Row(read(0x800, b""), "lpd[12] read from IN1 that /spool/tmp itself was moved (fd 7)"),
    Row(
        read(0x4000, b"", -1),
        "lpd[12] read from IN1 that events were lost: its queue was full (fd 7)",
    ),
    Row(read(0x8000, b""), "lpd[12] read from IN1 that the watch of /spool/tmp is gone (fd 7)"),
    Row(read(0x10000000), "lpd[12] read from IN1 that something happened (fd 7)"),
    Row(
        read(
            0x100,
            b"j1",
            1,
            changed(0x100, b"j2"),
        ),
        "lpd[12] read from IN1 that j1 was made in /spool/tmp, and more (fd 7)",
    ),
    Row(
        read(0x100, b"j1", 1, changed(0x100, b"j2"), events=2),
        "lpd[12] read from IN1 that j1 was made in /spool/tmp, and 1 more (fd 7)",
    ),
    Row(
        read(0x100, events=1, lost=1),
        "lpd[12] read from IN1 that j1 was made in /spool/tmp; and that further events"
        " were lost: its queue was full (fd 7)",
    ),
]

SETS = [
    Row(
        did("epoll_ctl", **at("epoll"), op="EPOLL_CTL_ADD", target=4, event="EPOLLIN|EPOLLET"),
        "lpd[12] put T1 (fd 4) into the epoll set EP1: EPOLLIN, EPOLLET",
        DETAIL,
    ),
    Row(
        did("epoll_ctl", **at("epoll"), op="EPOLL_CTL_MOD", target=4, event="EPOLLOUT"),
        "lpd[12] changed T1 (fd 4) in the epoll set EP1: EPOLLOUT",
        DETAIL,
    ),
    Row(
        did("epoll_ctl", **at("epoll"), op="EPOLL_CTL_DEL", target=99),
        "lpd[12] took a descriptor (fd 99) out of the epoll set EP1",
        DETAIL,
    ),
    Row(
        did("epoll_ctl", op="EPOLL_CTL_ADD", target=4, error="EEXIST"),
        "lpd[12] got EEXIST from epoll_ctl for T1 (fd 4) in an epoll set",
        DETAIL,
    ),
    Row(
        did("epoll_wait", **at("epoll"), ret=0),
        "lpd[12] found no descriptor ready in epoll_wait",
        NOISE,
    ),
    Row(
        did("epoll_wait", **at("epoll"), ret=1),
        "lpd[12] found 1 descriptor ready in epoll_wait",
        DETAIL,
    ),
    Row(did("poll", ret=2), "lpd[12] found 2 descriptors ready in poll", DETAIL),
    Row(
        did("poll", ret=2, ready="4r 99hn"),
        "lpd[12] found 2 descriptors ready in poll: T1 (fd 4, readable) and fd 99 (hung up and not"
        " open)",
        DETAIL,
    ),
    Row(
        did("select", ret=5, ready="4rw"),
        "lpd[12] found 5 descriptors ready in select: T1 (fd 4, readable and writable) and 4 more",
        DETAIL,
    ),
    Row(
        did("epoll_wait", **at("epoll"), ret=1, ready="140737488355332r"),
        "lpd[12] found 1 descriptor ready in epoll_wait",
        DETAIL,
    ),
    Row(did("select", error="EBADF"), ""),
]

TABLES = [(table, system) for table in (COUNTERS, SIGNALS, WATCHING, SETS)]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)
