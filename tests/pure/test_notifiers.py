"""Descriptors that tell of events: fdinfo's lines, what is ready, and waits in words.

Plain data, no kernel.
"""

from __future__ import annotations

import ctypes
import os
import struct

import pytest

from ipcviz.app.history import Log
from ipcviz.events import (
    Call,
    EpollEntry,
    InotifyWatch,
    Level,
    Notifier,
    ObjectInfo,
    ProcessSample,
    Sample,
    Started,
    Table,
    TableEntry,
    Waiting,
)
from ipcviz.kernel.notifiers import parse_notifier
from ipcviz.model.mechanisms.notifiers import describe_content, describe_due, is_ready, list_found
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate import narrate
from ipcviz.narrate.waits import describe_wait
from ipcviz.tracer.sampling.notifiers import count_events

KINDS = ("eventfd", "timerfd", "signalfd", "pidfd", "inotify", "epoll")
THINGS = {kind: ObjectInfo(key=f"anon:{n}", kind=kind) for n, kind in enumerate(KINDS, 1)}
SOCKET = ObjectInfo(key="socket:[7]", kind="unix socket", ino=7)
FDS = {**{kind: n + 10 for n, kind in enumerate(KINDS)}, "unix socket": 20}


def parsed(kind: str, **lines: object) -> Notifier | None:
    texts = {
        name.replace("_", "-") if name.startswith("eventfd") else name: (str(v),)
        for name, v in lines.items()
    }
    return parse_notifier(
        THINGS[kind], texts, 100.0, lambda fd, dev, ino: f"{fd}@{dev}:{ino}", lambda wd, key: ""
    )


def test_lines_of_fdinfo() -> None:
    assert parsed("eventfd", eventfd_count="1f", eventfd_semaphore=1) == Notifier(
        "anon:1", count=31, semaphore=True
    )
    assert parsed(
        "timerfd", clockid=1, ticks=3, it_value="(1, 500000000)", it_interval="(2, 0)"
    ) == Notifier("anon:2", count=3, clock="CLOCK_MONOTONIC", due=101.5, interval=2.0)
    assert parsed(
        "timerfd", clockid=0, ticks=0, it_value="(0, 0)", it_interval="(0, 0)"
    ) == Notifier("anon:2", count=0, clock="CLOCK_REALTIME")
    assert parsed("signalfd", sigmask="0000000000000202") == Notifier("anon:3", mask=0x202)
    assert parsed("pidfd", Pid=-1) == Notifier("anon:4", pid=-1)
    device = os.makedev(254, 3)
    found = parsed(
        "inotify", inotify="wd:1 ino:ff sdev:fe00003 mask:180 ignored_mask:0 fhandle-bytes:8"
    )
    assert found == Notifier(
        "anon:5", watches=(InotifyWatch(1, f"{device}:255", "", ("IN_MOVED_TO", "IN_CREATE")),)
    )
    line = "6 events: 80000005 data:     7ff900000006  pos:0 ino:ff sdev:fe00003"
    listed = (EpollEntry(6, ("EPOLLIN", "EPOLLOUT", "EPOLLET"), f"6@{device}:255", 0x7FF900000006),)
    assert parsed("epoll", tfd=line) == Notifier("anon:6", listed=listed)


@pytest.mark.parametrize("kind", KINDS[:4])
def test_lines_of_something_else_are_not_believed(kind: str) -> None:
    assert parsed(kind, sigmask_="x") is None
    assert parsed("timerfd", clockid=1, ticks=0, it_value="()", it_interval="(0, 0)") is None


def system(*notifiers: Notifier) -> State:
    rows = [
        TableEntry(fd=FDS[info.kind], ofd=n, object=info, mode="rw")
        for n, info in enumerate(THINGS.values(), 1)
    ]
    rows.append(TableEntry(fd=20, ofd=20, object=SOCKET, mode="rw"))
    return reduce_all(
        [
            Started(t=0.0),
            Table(t=0.0, pid=10, entries=tuple(rows)),
            Sample(
                t=1.0, processes=(ProcessSample(pid=10, state="S", name="sh"),), notifiers=notifiers
            ),
        ]
    )


def reason(state: State, call: str, **args: int | str) -> str:
    key = {fd: kind for kind, fd in FDS.items()}.get(int(args.get("fd", -1)))
    thing = THINGS[key].key if key in THINGS else ""
    state = reduce(state, Waiting(t=2.0, pid=10, tid=10, call=call, args=args, object=thing))
    wait = wait_of(state, 10)
    assert wait is not None
    return describe_wait(state, wait, 2.0)


HELD = (
    Notifier("anon:1", count=0),
    Notifier("anon:2", count=0, due=3.5),
    Notifier("anon:3", mask=1 << 14),
    Notifier("anon:4", pid=10),
    Notifier("anon:5", watches=(InotifyWatch(1, "8:1", "/q", ("IN_MOVED_TO",)),)),
)


def test_waits_name_what_they_are_for() -> None:
    state = system(*HELD)
    words = reason(state, "poll", watched="20r 11r 12r", limit="5")
    assert (
        words == "poll, for S1 (readable), T1 (a timer, 1.5 s left) or SG1 (SIGTERM), 5 s at most"
    )
    assert reason(state, "poll", limit="0.5") == "poll, until time is up, 0.5 s at most"
    assert (
        reason(state, "select", watched="20rw 99r")
        == "select, for S1 (readable or writable) or descriptor 99, not known any more"
    )
    assert (
        reason(state, "poll", watched="13r 14r")
        == "poll, for PD1 (the end of sh[10]) or IN1 (a change in /q)"
    )
    assert reason(state, "read", fd=10) == "read(10) on E1, its counter is 0"
    assert reason(state, "read", fd=11) == "read(11) on T1, until it expires (1.5 s left)"
    assert reason(state, "read", fd=12) == "read(12) on SG1, until SIGTERM comes"
    assert reason(state, "read", fd=14) == "read(14) on IN1, until something happens in /q"


def test_an_epoll_set_means_the_files_and_not_the_numbers() -> None:
    listed = (
        EpollEntry(fd=11, events=("EPOLLIN",), object=SOCKET.key),
        EpollEntry(fd=13, events=("EPOLLOUT",)),
    )
    state = system(*HELD, Notifier("anon:6", listed=listed))
    words = reason(state, "epoll_wait", fd=15, watched="11r 13w")
    assert words == "epoll_wait(15) on EP1, for S1 (readable) or descriptor 13, not known any more"


def test_what_epoll_gives_back_names_an_entry_if_it_is_one_only() -> None:
    listed = (
        EpollEntry(fd=10, object="anon:1", data=1 << 47),
        EpollEntry(fd=20, object=SOCKET.key, data=7),
        EpollEntry(fd=11, object="anon:2", data=7),
    )
    state = system(*HELD, Notifier("anon:6", listed=listed))
    args = {"fd": 15, "ready": f"{1 << 47}rh 7r 8r"}
    event = Call(
        t=2.0, pid=10, tid=10, name="epoll_wait", began=1.0, args=args, ret=3, object="anon:6"
    )
    found = [(thing and thing.label, fd, told) for thing, fd, told in list_found(state, event)]
    assert found == [("E1", 10, "rh")]


def test_timers_count_down_by_the_viewers_clock() -> None:
    timer = Notifier("anon:2", count=0, due=130.0)
    assert [describe_due(timer, now) for now in (0.0, 100.0, 128.75, 129.9, 130.5)] == [
        "2 min left",
        "30 s left",
        "1.2 s left",
        "0.10 s left",
        "due now",
    ]
    assert describe_due(Notifier("anon:2", count=2), 0.0) == "expired 2 times"
    assert describe_due(Notifier("anon:2", count=0), 0.0) == "not armed"


def test_what_is_ready() -> None:
    state = system(
        Notifier("anon:1", count=1),
        Notifier("anon:2", count=0, due=9.0),
        Notifier("anon:3", mask=1 << 9),
        *HELD[3:],
    )
    found = {
        kind: is_ready(state, 10, state.objects[info.key], "r") for kind, info in THINGS.items()
    }
    assert found == {
        "eventfd": True,
        "timerfd": False,
        "signalfd": False,
        "pidfd": False,
        "inotify": None,
        "epoll": None,
    }
    assert is_ready(state, 10, state.objects[SOCKET.key], "r") is None
    state = reduce(
        state, Sample(t=3.0, levels=(Level(object=SOCKET.key, queued=3, writable=True),))
    )
    assert is_ready(state, 10, state.objects[SOCKET.key], "r") is True
    state = reduce(
        state, Sample(t=4.0, processes=(ProcessSample(pid=10, state="S", pending=1 << 9),))
    )
    assert is_ready(state, 10, state.objects["anon:3"], "r") is True
    assert describe_content(state, state.objects["anon:4"], 4.0) == "of sh[10]"


def told(state: State, name: str, fd: int, data: bytes, **rest: object) -> str:
    key = THINGS[{n: kind for kind, n in FDS.items()}[fd]].key
    event = Call(
        t=5.0,
        pid=10,
        tid=10,
        name=name,
        args={"fd": fd},
        ret=len(data),
        object=key,
        data=data,
        **rest,
    )
    sentence = narrate(event, state, reduce(state, event))
    assert sentence is not None
    return sentence.text


def test_only_the_same_number_twice_is_one_row_of_the_log() -> None:
    state, log = system(*HELD), Log()
    for number in (1, 2, 2, 3):
        data = number.to_bytes(8, "little")
        event = Call(
            t=5.0, pid=10, tid=10, name="write", args={"fd": 10}, ret=8, object="anon:1", data=data
        )
        sentence = narrate(event, state, reduce(state, event))
        assert sentence is not None
        log.add_sentence(sentence)
    assert [(entry.sentence.text.split()[2], entry.times) for entry in log.entries] == [
        ("1", 1),
        ("2", 2),
        ("3", 1),
    ]


def test_bytes_that_they_give_are_told_as_what_they_mean() -> None:
    state = system(*HELD)
    number = (3).to_bytes(8, "little")
    assert told(state, "write", 10, number) == "sh[10] added 3 to the eventfd E1 (fd 10)"
    assert (
        told(state, "read", 10, number)
        == "sh[10] took 3 from the eventfd E1: its counter is back at 0 (fd 10)"
    )
    assert (
        told(state, "read", 11, number)
        == "sh[10] read from the timer T1 that it has expired 3 times (fd 11)"
    )
    signal = struct.pack("=IiiI", 15, 0, 0, 10) + bytes(48)
    assert told(state, "read", 12, signal) == "sh[10] took SIGTERM from sh[10] out of SG1 (fd 12)"
    moved = struct.pack("=iIII", 1, 0x80, 5, 16) + b"j1".ljust(16, b"\0")
    assert (
        told(state, "read", 14, moved) == "sh[10] read from IN1 that j1 was moved into /q (fd 14)"
    )
    gone = struct.pack("=iIII", 1, 0x8000, 0, 0)
    assert (
        told(state, "read", 14, gone) == "sh[10] read from IN1 that the watch of /q is gone (fd 14)"
    )
    itself = struct.pack("=iIII", 1, 0x200 | 0x40000000, 0, 0) + moved
    assert (
        told(state, "read", 14, itself)
        == "sh[10] read from IN1 that /q was removed, and more (fd 14)"
    )


def test_entries_that_tell_no_more_or_only_news() -> None:
    listed = (
        EpollEntry(10, ("EPOLLONESHOT",), "anon:1"),
        EpollEntry(20, ("EPOLLIN", "EPOLLET"), "socket:[7]"),
    )
    state = system(Notifier("anon:1", count=1), Notifier("anon:6", listed=listed))
    words = reason(state, "epoll_wait", fd=FDS["epoll"])
    assert "E1 (has told once, EPOLLONESHOT, and is switched off)" in words
    assert "S1 (readable, edge-triggered)" in words


def test_select_has_a_third_set() -> None:
    assert "S1 (readable or in an exceptional condition)" in reason(
        system(), "pselect6", watched="20rx"
    )


def test_lost_events_are_said() -> None:
    one = struct.pack("=iIII", 1, 0x100, 0, 16) + b"a".ljust(16, b"\0")
    state = system(Notifier("anon:5", watches=(InotifyWatch(1, "8:1", "in", ("IN_CREATE",)),)))
    args: dict[str, int | str] = {"events": 400, "lost": 1}
    event = Call(
        t=3.0,
        pid=10,
        tid=10,
        name="read",
        args={"fd": 14, **args},
        ret=9000,
        object="anon:5",
        data=one * 2,
    )
    sentence = narrate(event, state, reduce(state, event))
    assert sentence is not None
    assert (
        "a was made in in, and 399 more; and that further events were lost: its queue was full"
        in sentence.text
    )


def test_a_full_queue_of_inotify_is_found_in_what_was_read() -> None:
    one = struct.pack("=iIII", 1, 0x100, 0, 16) + b"a".ljust(16, b"\0")
    full = one * 3 + struct.pack("=iIII", -1, 0x4000, 0, 0)
    buffer = ctypes.create_string_buffer(full, len(full))
    at = ctypes.addressof(buffer)
    assert count_events(os.getpid(), at, len(full)) == {"events": 4, "lost": 1}
    assert count_events(os.getpid(), at, len(one) * 3) == {"events": 3}
