"""Questions to a state, and how single mechanisms change it: plain data, a fact a test."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Call,
    Closed,
    Coverage,
    Disposition,
    EpollEntry,
    Executed,
    Exited,
    Forked,
    Futex,
    InotifyWatch,
    Level,
    MapEntry,
    Mapped,
    Maps,
    MemorySample,
    NameRemoved,
    Notifier,
    ObjectInfo,
    Opened,
    OpenedOutside,
    PagesSample,
    Poised,
    ProcessSample,
    Sample,
    SemaphoreLevel,
    SemaphoreOp,
    Sent,
    SignalDelivered,
    StatusFlags,
    Unmapped,
    Uses,
    Waiting,
)
from ipcviz.model import query
from ipcviz.model.addresses import unmap_address
from ipcviz.model.mechanisms import memory, notifiers, queues
from ipcviz.model.mechanisms.futexes import asleep_on
from ipcviz.model.mechanisms.semaphores import UNSEEN
from ipcviz.model.parts import MemoryPart
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import CallInProgress, Object, State
from ipcviz.model.steps import stepping
from ipcviz.model.steps.visible import is_visible
from ipcviz.model.waits.rules import explain_waiting
from ipcviz.narrate.waits import describe_detail
from tests import fakes
from tests import picture_states as systems
from tests.told import did

P = systems.pipe(1)
FILE = systems.plain(9, "/tmp/data")


def after(state: State, *events) -> State:
    for event in events:
        state = reduce(state, event)
    return state


def shell() -> State:
    """sh[12] with a pipe (3, 4), and cat[13], which has both ends too."""
    m = systems.Maker()
    m.launch(12, "sh")
    m.pipe(12, 3, 4, P)
    m.fork(12, 13, "cat")
    return m.state


# Who has what.


def test_a_mapping_is_a_connection_with_its_object():
    state = after(
        shell(),
        did("openat", Opened(fd=5, ofd=500, object=FILE, mode="r"), ret=5),
        did("mmap", Mapped(start=0x1000, length=4096, object=FILE, prot="rw-", shared=False)),
        did("mmap", Mapped(start=0x1000, length=4096, object=FILE, prot="-w-"), by=13),
    )
    links = {link.pid: link for link in query.list_links(state) if link.object == FILE.key}
    assert (links[12].reads, links[12].writes, links[12].fds) == (True, False, (5,))
    assert (links[13].reads, links[13].writes, links[13].mapped) == (False, True, True)
    gone = after(state, Exited(t=10, pid=13))
    assert [link.pid for link in query.list_links(gone) if link.object == FILE.key] == [12]
    pipe = {link.pid: link for link in query.list_links(state) if link.object == P.key}
    assert (pipe[12].reads, pipe[12].writes, pipe[12].fds) == (True, True, (3, 4))


@pytest.mark.parametrize("make", [systems.fan, systems.mmap_queue, systems.tree, systems.ended])
def test_the_holders_of_some_objects_are_those_among_all(make):
    state = make()
    queue = ObjectInfo(key="msg:5", kind="message queue", ino=5)
    state = reduce(state, did("msgsnd", Uses(queue), by=min(state.processes), id=5))
    every = query.list_holders(state)
    assert query.list_holders(state, every.keys()) == every
    for key, rows in every.items():
        assert query.list_holders(state, {key, "nobody's"}) == {key: rows}


def test_bytes_that_wait_have_been_written_though_the_write_has_not_returned():
    state = after(shell(), did("read", object=P.key, fd=3, ret=5))
    assert query.went_in(state, state.objects[P.key]) == (5, False)
    left = ObjectInfo("socket:[1]", "unix socket", ino=1, peer="socket:[2]", detail="stream")
    right = ObjectInfo("socket:[2]", "unix socket", ino=2, peer="socket:[1]", detail="stream")
    ends = (
        Opened(fd=6, ofd=60, object=left, mode="rw"),
        Opened(fd=7, ofd=61, object=right, mode="rw"),
    )
    state = after(
        shell(),
        did("socketpair", *ends),
        did("write", object=left.key, fd=6, ret=10),
        did("read", object=right.key, fd=7, ret=4),
    )
    assert query.went_in(state, state.objects[right.key]) == (10, True)
    state = after(state, Sample(t=9.5, levels=(Level(object=right.key, queued=20),)))
    assert query.went_in(state, state.objects[right.key]) == (24, False), "4 read, 20 wait"


def test_who_is_blocked_at_an_object():
    state = after(
        shell(),
        Waiting(t=9, pid=12, tid=12, call="write", args={"fd": 4}, object=P.key),
        Waiting(t=9, pid=13, tid=13, call="read", args={"fd": 3}, object=P.key),
    )
    assert query.blocked_on(state) == {P.key: {12}}
    assert [thread.tid for thread in query.blocked_writers(state, P.key)] == [12]
    assert [thread.tid for thread in query.blocked_readers(state, P.key)] == [13]


def test_the_mapping_at_an_address():
    one = MapEntry(start=0x1000, length=0x1000, object=FILE)
    two = MapEntry(start=0x4000, length=0x1000, object=FILE)
    state = after(shell(), Maps(t=9, pid=12, entries=(one, two)))
    at = {
        address: query.mapping_at(state, 12, address, 1)
        for address in (0xFFF, 0x1000, 0x1FFF, 0x2000, 0x4000, 0x5000)
    }
    assert list(at.values()) == [None, one, one, None, two, None]
    assert query.mapping_at(state, 12, 0x2000, 0x2000) is None
    assert query.mapping_at(state, 12, 0x2000, 0x2001) == two


# Memory.


def entry(start: int, length: int, offset: int = 0, prot: str = "rw-") -> MapEntry:
    return MapEntry(start=start, length=length, object=FILE, offset=offset, prot=prot)


def test_a_range_cuts_mappings():
    whole = (entry(0x1000, 0x3000),)
    assert memory.cut_range(whole, 0x2000, 0x1000) == (
        entry(0x1000, 0x1000),
        entry(0x3000, 0x1000, 0x2000),
    )
    assert memory.cut_range(whole, 0x4000, 0x1000) == whole
    assert memory.cut_range(whole, 0x0, 0x1000) == whole
    assert memory.cut_range(whole, 0x0, 0x9000) == ()
    assert memory.protect_range(whole, 0x3000, 0x1000, "r--") == (
        entry(0x1000, 0x2000),
        entry(0x3000, 0x1000, 0x2000, "r--"),
    )
    assert memory.protect_range(whole, 0x3000, 0x9000, "r--")[1].length == 0x1000


def test_a_mapping_that_continues_another_is_one_with_it():
    before = (entry(0x1000, 0x1000), entry(0x8000, 0x1000))
    after_it = entry(0x2000, 0x1000, 0x1000)
    assert memory.replace_mappings(before, 0x2000, 0x1000, after_it) == (
        entry(0x1000, 0x2000),
        before[1],
    )
    elsewhere = entry(0x2000, 0x1000, 0x5000)
    assert memory.replace_mappings(before, 0x2000, 0x1000, elsewhere) == (
        before[0],
        elsewhere,
        before[1],
    )
    assert memory.replace_mappings(before, 0x1800, 0x6000, None) == (
        entry(0x1000, 0x800),
        before[1],
    )
    other = entry(0x2000, 0x1000, 0x1000, "r--")
    assert memory.replace_mappings(before, 0x2000, 0x1000, other) == (before[0], other, before[1])


def test_pages_and_bytes_go_with_their_mapping():
    pages = PagesSample(pid=12, start=0x1000, pages="oo", total=2)
    mine = MemorySample(object=FILE.key, pid=12, data=b"mine")
    state = after(
        shell(),
        did("mmap", Mapped(start=0x1000, length=0x2000, object=FILE, prot="rw-")),
        Sample(t=9.1, pages=(pages,), memory=(mine, MemorySample(object=FILE.key, data=b"all"))),
    )
    assert state.pages[12, 0x1000] == pages
    assert (state.memory[FILE.key, 12].at, state.memory[FILE.key, 12].changed_at) == (9.1, 9.1)
    same = after(state, Sample(t=9.2, memory=(mine,)))
    assert (same.memory[FILE.key, 12].at, same.memory[FILE.key, 12].changed_at) == (9.2, 9.1)
    other = MemorySample(object=FILE.key, pid=12, data=b"MINE", changed=((0, 4),))
    now = after(state, Sample(t=9.3, memory=(other,)))
    assert now.memory[FILE.key, 12].changed_at == 9.3
    assert MemoryPart(FILE.key) in now.changed
    assert MemoryPart(FILE.key) not in same.changed
    unmapped = after(state, did("munmap", Unmapped(start=0x1000, length=0x1000)))
    assert (12, 0x1000) not in unmapped.pages
    assert (12, 0x1000) in after(state, did("munmap", Unmapped(start=0x4000, length=1))).pages
    ended = after(state, Exited(t=10, pid=12))
    assert not ended.pages
    assert list(ended.memory) == [(FILE.key, 0)], "the object's own bytes stay"


# Queues and semaphores.


def test_who_uses_a_system_v_queue():
    key = "msg:3"
    info = ObjectInfo(key=key, kind="message queue", path="msg 3", ino=3)
    state = after(shell(), did("msgget", Uses(object=info), ret=3))
    state = after(state, did("msgsnd", by=13, object=key, id=3, count=5))
    assert queues.list_users(state, key) == (12, 13)
    assert state.objects[key].bytes_in == 5
    state = after(state, did("msgrcv", by=13, object=key, id=3, ret=5))
    assert state.objects[key].bytes_out == 5
    assert queues.list_users(after(state, Exited(t=10, pid=12)), key) == (13,)
    removed = after(
        state, did("msgctl", NameRemoved(path="", object=key), object=key, cmd="IPC_RMID")
    )
    assert queues.list_users(removed, key) == ()


@pytest.mark.parametrize(
    ("seconds", "value", "unsure"),
    [(0.3, 0, ""), (0.3, 1, UNSEEN), (0.3, 2, UNSEEN), (0.1, 1, "")],
)
def test_a_value_that_operations_do_not_explain_was_changed_by_others(seconds, value, unsure):
    def op(name: str, value: int | None, **more) -> SemaphoreOp:
        return SemaphoreOp(
            t=9.0, pid=12, tid=12, op=name, semaphore=fakes.LOCK, value=value, **more
        )

    state = after(shell(), op("init", None, initial=1), op("wait", 1))
    seen = SemaphoreLevel(info=fakes.LOCK, value=value)
    state = after(state, Sample(t=9.0 + seconds, semaphores=(seen,)))
    assert state.semaphores[fakes.LOCK.key].unsure == unsure


# Descriptors that tell of events.


def kind(name: str) -> ObjectInfo:
    return ObjectInfo(key=f"anon:{name}", kind=name)  # type: ignore[arg-type]


def with_notifier(name: str, *events, **facts) -> State:
    opened = did("make", Opened(fd=8, ofd=80, object=kind(name), mode="rw"), ret=8)
    sample = Sample(t=9.5, notifiers=(Notifier(f"anon:{name}", **facts),))
    return after(shell(), opened, sample, *events)


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("eventfd", {"count": 1500}, "counter 1,500"),
        ("eventfd", {"count": 0, "semaphore": True}, "counter 0, a semaphore"),
        ("timerfd", {"due": 12.5, "interval": 2.0}, "2.5 s left, every 2 s"),
        ("timerfd", {"count": 1, "due": 12.5}, "expired once"),
        ("timerfd", {}, "not armed"),
        ("signalfd", {"mask": 1 << 9}, "SIGUSR1"),
        ("pidfd", {"pid": 13}, "of cat[13]"),
        ("pidfd", {"pid": -1}, "of a process that is gone"),
        ("inotify", {}, "watches nothing"),
        ("inotify", {"watches": (InotifyWatch(1, path="/s"),), "more": 2}, "watches /s and 1 more"),
        ("epoll", {"listed": (EpollEntry(3),)}, "lists 1 descriptor"),
        ("epoll", {"more": 2}, "lists 2 descriptors"),
    ],
)
def test_what_a_notifier_holds(name, facts, words):
    state = with_notifier(name, **facts)
    assert notifiers.describe_content(state, state.objects[f"anon:{name}"], 10.0) == words


PENDING = Sample(t=9.6, processes=(ProcessSample(pid=12, state="S", name="sh", pending=1 << 9),))


@pytest.mark.parametrize(
    ("name", "facts", "events", "is_ready"),
    [
        ("eventfd", {"count": 1}, (), True),
        ("eventfd", {"count": 0}, (), False),
        ("timerfd", {"count": 0}, (), False),
        ("timerfd", {"count": 2}, (), True),
        ("signalfd", {"mask": 1 << 9}, (), False),
        ("signalfd", {"mask": 1 << 9}, (PENDING,), True),
        ("signalfd", {"mask": 1 << 8}, (PENDING,), False),
        ("pidfd", {"pid": 13}, (), False),
        ("pidfd", {"pid": 13}, (Exited(t=9.6, pid=13),), True),
        ("pidfd", {"pid": -1}, (), True),
        ("pidfd", {"pid": 99}, (), None),
        ("epoll", {}, (), None),
    ],
)
def test_what_is_ready_to_be_read(name, facts, events, is_ready):
    state = with_notifier(name, *events, **facts)
    assert notifiers.is_ready(state, 12, state.objects[f"anon:{name}"], "r") is is_ready


@pytest.mark.parametrize(
    ("queued", "writable", "events", "is_ready"),
    [
        (5, None, "r", True),
        (0, None, "r", False),
        (0, True, "rw", True),
        (0, False, "w", False),
        (0, None, "x", None),
    ],
)
def test_whether_a_pipe_is_ready(queued, writable, events, is_ready):
    level = Level(object=P.key, queued=queued, writable=writable)
    state = after(shell(), Sample(t=9.5, levels=(level,)))
    assert notifiers.is_ready(state, 12, state.objects[P.key], events) is is_ready


# Futexes.


def test_a_futex_that_has_another_owner_now():
    def asleep(pid: int, key: str) -> Waiting:
        futex = Futex(key=key, kind="mutex", owner=1)
        return Waiting(t=9, pid=pid, tid=pid, call="futex", futex=futex)

    state = after(shell(), asleep(12, "futex:a"), asleep(13, "futex:b"))
    state = after(state, Sample(t=9.5, futexes=(Futex(key="futex:a", owner=13, readers=2),)))
    seen = {tid: state.threads[tid].waiting.futex for tid in (12, 13)}
    assert (seen[12].owner, seen[12].readers, seen[12].kind) == (13, 2, "mutex")
    assert seen[13].owner == 1
    assert {key: [t.tid for t in found] for key, found in asleep_on(state).items()} == {
        "futex:a": [12],
        "futex:b": [13],
    }


# Offsets, which all who share a description move.


def test_offsets():
    def offset(*events) -> int:
        opened = did("openat", Opened(fd=5, ofd=50, object=FILE, mode="rw"), ret=5)
        return after(shell(), opened, *events).open_files[50].offset

    at = {"object": FILE.key, "fd": 5}
    assert offset(did("read", **at, ret=10), did("write", **at, ret=5)) == 15
    assert offset(did("read", **at, ret=10), did("pread64", **at, ret=7)) == 10
    assert offset(did("read", **at, ret=10), did("lseek", fd=5, ret=3)) == 3
    assert offset(did("read", **at, error="EIO")) == 0
    append = did("fcntl", StatusFlags(fd=5, flags=("append",)), fd=5)
    assert offset(append, did("write", **at, ret=9)) == 0, "the file's end, wherever that is"
    assert offset(append, did("read", **at, ret=9)) == 9


# Signals.


def test_a_signal_that_came_before_its_sender_returned():
    arrived = SignalDelivered(t=9.0, pid=13, tid=13, signo=10, sender=12, code="SI_USER")
    state = after(shell(), arrived, did("kill", Sent(target=13, signo=10)))
    assert state.sent[-1].delivered == 9.0
    for other in (
        SignalDelivered(t=9.0, pid=13, tid=13, signo=12, sender=12),
        SignalDelivered(t=9.0, pid=13, tid=13, signo=10, sender=14),
        SignalDelivered(t=9.0, pid=12, tid=12, signo=10, sender=12),
        SignalDelivered(t=8.0, pid=13, tid=13, signo=10, sender=12),
    ):
        state = after(shell(), other, did("kill", Sent(target=13, signo=10)))
        assert state.sent[-1].delivered is None, other


def test_a_second_signal_of_the_same_kind_merges_with_the_pending_one():
    def sent(*events) -> list[bool]:
        return [record.coalesced for record in after(shell(), *events).sent]

    one = did("kill", Sent(target=13, signo=10))
    assert sent(one, one) == [False, True]
    assert sent(one, did("kill", Sent(target=12, signo=10))) == [False, False]
    assert sent(one, did("kill", Sent(target=13, signo=12))) == [False, False]
    assert sent(one, did("tgkill", Sent(target=13, signo=10, tid=13))) == [False, False]
    real_time = did("kill", Sent(target=13, signo=35))
    assert sent(real_time, real_time) == [False, False], "those queue"
    taken = SignalDelivered(t=9.0, pid=13, tid=13, signo=10, sender=12)
    assert sent(one, taken, one) == [False, False]


# What the ledger can't vouch for any more.


def channel(*events):
    return after(shell(), *events).channels[P.key]


def test_when_it_is_not_known_any_more_whose_bytes_are_in_a_pipe():
    assert channel().known
    sampled = channel(Coverage(t=9, pid=13, full=False))
    assert not sampled.known
    assert not sampled.outside, "it can become known again"
    ring = did("io_uring_setup", Opened(fd=8, ofd=80, object=kind("epoll"), mode="rw"), ret=8)
    ended = channel(ring)
    assert ended.known or ended.outside
    packets = channel(did("fcntl", StatusFlags(fd=4, flags=("direct",)), fd=4))
    assert (packets.known, packets.outside) == (False, True)
    assert packets.reason == "not all who write to it write packets (O_DIRECT)"
    assert channel(did("fcntl", StatusFlags(fd=4, flags=("nonblock",)), fd=4)).known


def test_a_channel_goes_with_its_last_descriptor():
    some = [did("close", Closed(fd=fd), by=pid) for pid in (12, 13) for fd in (3, 4)]
    assert P.key in after(shell(), *some[:3]).channels
    assert P.key not in after(shell(), *some).channels


def test_a_fifo_that_somebody_else_opens_is_certain_no_more():
    fifo = ObjectInfo(key="8:7", kind="fifo", path="/tmp/f", dev=8, ino=7)
    opened = did("openat", Opened(fd=8, ofd=80, object=fifo, mode="rw", alone=True), ret=8)
    state = after(shell(), opened)
    assert (state.channels[fifo.key].known, state.channels[fifo.key].named) == (True, False)
    assert after(state, OpenedOutside(t=9, object=fifo.key)).channels[fifo.key].named


# Stepping.


def held(*tids: int) -> State:
    state = after(shell(), Forked(t=9, pid=14, parent=12, by=12))
    return after(state, *(Poised(t=9, pid=t, tid=t, at="entry", call="read") for t in tids))


def test_whose_turn_it_is():
    assert stepping.find_next_in_turn(held(), 12) == 0
    assert [stepping.find_next_in_turn(held(12, 13, 14), last) for last in (0, 12, 13, 14)] == [
        12,
        13,
        14,
        12,
    ]
    assert stepping.find_next_in_turn(held(12, 14), 13) == 14, "the next in age of one that blocks"
    assert stepping.find_next_in_turn(held(12, 13), 14) == 12, (
        "behind the youngest comes the eldest"
    )
    assert stepping.find_next_in_turn(held(13, 14), 99) == 13


@pytest.mark.parametrize(
    ("name", "args", "visible"),
    [
        ("mmap", {"flags": "MAP_SHARED", "fd": 3}, True),
        ("mmap", {"flags": "MAP_SHARED", "fd": 99}, False),
        ("mmap", {"flags": "MAP_SHARED|MAP_ANONYMOUS", "fd": -1}, True),
        ("mmap", {"flags": "MAP_PRIVATE", "fd": 3, "prot": "PROT_READ"}, False),
        ("mmap", {"flags": "MAP_PRIVATE", "fd": 3, "prot": "PROT_READ|PROT_WRITE"}, True),
        ("mmap", {"flags": "MAP_PRIVATE", "fd": 99, "prot": "PROT_READ|PROT_WRITE"}, False),
        (
            "mmap",
            {"flags": "MAP_PRIVATE|MAP_ANONYMOUS", "fd": -1, "prot": "PROT_READ|PROT_WRITE"},
            False,
        ),
        ("munmap", {"address": "0x1000", "length": 4096}, True),
        ("munmap", {"address": 0x9000, "length": 4096}, False),
        ("munmap", {"address": "?", "length": 4096}, False),
        ("rt_sigaction", {"signal": "SIGINT", "new": "catch"}, True),
        ("rt_sigaction", {"signal": "signal 32", "new": "catch"}, False),
        ("rt_sigaction", {"signal": "SIGINT", "new": "ignore"}, False),
        ("rt_sigprocmask", {"how": "SIG_BLOCK", "set": 1}, True),
        ("rt_sigprocmask", {"how": "SIG_BLOCK", "set": 3 << 31}, False),
        ("rt_sigprocmask", {"how": "SIG_BLOCK", "set": (1 << 33) - 1 - (3 << 31)}, True),
        ("rt_sigprocmask", {"how": "SIG_BLOCK", "set": (1 << 64) - 1}, False),
        ("rt_sigprocmask", {"how": "SIG_UNBLOCK", "set": 1}, False),
        ("rt_sigprocmask", {"how": "SIG_BLOCK", "set": "?"}, False),
        ("fcntl", {"fd": 3, "cmd": "F_SETFL"}, True),
        ("fcntl", {"fd": 3, "cmd": "F_SETFD"}, False),
        ("fcntl", {"fd": 3, "cmd": "F_SETFD", "lock": "F_WRLCK"}, True),
        ("splice", {"fd_in": 99, "fd_out": 4}, True),
        ("splice", {"fd_in": 99, "fd_out": 98}, False),
        ("lseek", {"fd": 4, "offset": -6, "whence": "SEEK_END"}, True),
        ("lseek", {"fd": 4, "offset": 6, "whence": "SEEK_CUR"}, True),
        ("lseek", {"fd": 4, "offset": 0, "whence": "SEEK_CUR"}, False),
        ("lseek", {"fd": 99, "offset": 0, "whence": "SEEK_SET"}, False),
    ],
)
def test_what_is_worth_a_step(name, args, visible):
    state = after(shell(), did("mmap", Mapped(start=0x1000, length=4096, object=FILE, prot="rw-")))
    assert is_visible(state, 12, name, args) is visible


TERMINAL = ObjectInfo(key="terminal", kind="terminal", path="/dev/pts/7")
OWN_MAPS = ObjectInfo(key="0:12", kind="file", path="/proc/12/maps")
OTHERS_MAPS = ObjectInfo(key="0:13", kind="file", path="/proc/13/maps")


@pytest.mark.parametrize(
    ("name", "args", "visible"),
    [
        ("close", {"fd": 3}, True),
        ("close", {"fd": 7}, False),
        ("dup", {"fd": 7}, False),
        ("fcntl", {"fd": 7, "cmd": "F_DUPFD_CLOEXEC"}, False),
        ("fcntl", {"fd": 3, "cmd": "F_DUPFD"}, True),
        ("fcntl", {"fd": 7, "cmd": "F_SETFL"}, True),
        ("dup2", {"fd": 7, "newfd": 1}, False),
        ("dup2", {"fd": 7, "newfd": 4}, True),
        ("dup2", {"fd": 3, "newfd": 7}, True),
        ("write", {"fd": 7}, True),
        ("read", {"fd": 8}, False),
        ("read", {"fd": 9}, True),
        ("close", {"fd": 8}, False),
        ("openat", {"path": "/proc/12/status"}, False),
        ("openat", {"path": "/proc/13/status"}, True),
    ],
)
def test_copies_of_a_terminal_and_reads_of_oneself_are_not_worth_a_step(name, args, visible):
    things = ((7, TERMINAL), (8, OWN_MAPS), (9, OTHERS_MAPS))
    opened = [
        did("openat", Opened(fd=fd, ofd=90 + fd, object=thing, mode="rw"), ret=fd)
        for fd, thing in things
    ]
    assert is_visible(after(shell(), *opened), 12, name, args) is visible


def test_a_shell_only_notes_that_a_child_has_ended():
    state = after(shell(), SignalDelivered(t=9, pid=12, tid=12, signo=17, action="handler"))
    assert not is_visible(state, 12, "rt_sigreturn", {})
    assert is_visible(state, 13, "rt_sigreturn", {}), "cat is no shell"
    both = after(state, SignalDelivered(t=9, pid=12, tid=12, signo=10, action="handler"))
    assert is_visible(both, 12, "rt_sigreturn", {}), "it leaves the inner one"


def test_python_catches_sigint_as_it_starts():
    caught = {"signal": "SIGINT", "new": "catch"}
    state = after(
        shell(), Executed(t=8, pid=13, path="/bin/python3.11", argv=("python3.11", "ask.py"))
    )
    assert not is_visible(state, 13, "rt_sigaction", caught)
    handler = Disposition(signo=2, action="handler")
    state = after(state, did("rt_sigaction", handler, by=13))
    assert is_visible(state, 13, "rt_sigaction", caught), "the program's own"


@pytest.mark.parametrize(
    ("path", "flags", "visible"),
    [
        ("/dev/zero", "MAP_SHARED", True),
        ("/dev/zero", "MAP_PRIVATE", False),
        ("/dev/null", "MAP_SHARED", False),
    ],
)
def test_a_shared_mapping_of_zeros_is_memory_for_others(path, flags, visible):
    device = ObjectInfo(key="6:5", kind="device", path=path, dev=6, ino=5)
    state = after(shell(), did("openat", Opened(fd=9, ofd=99, object=device, mode="rw")))
    args = {"flags": flags, "fd": 9, "prot": "PROT_READ|PROT_WRITE"}
    assert is_visible(state, 12, "mmap", args) is visible


def test_a_child_of_a_process_that_shares_its_table():
    clone = Forked(t=9, pid=14, parent=12, by=12, how="clone", shares_files=True)
    state = after(shell(), clone)
    assert (state.processes[14].table, state.processes[12].shares) == (12, True)
    assert not shell().processes[12].shares
    later = after(state, Forked(t=9, pid=15, parent=12, by=12))
    assert later.processes[12].shares, "it still does"


def test_reduce_all_is_reduce_one_after_the_other():
    events = fakes.pipeline()
    assert reduce_all(events) == after(State(), *events)


def test_an_address_as_the_other_end_may_know_it():
    assert unmap_address("[::ffff:127.0.0.1]:80") == "127.0.0.1:80"
    assert unmap_address("[::1]:80") == "[::1]:80"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, ""),
        (1, "c0[20]"),
        (3, "c0[20], c1[21] or c2[22]"),
        (4, "one of c0[20], c1[21] and 2 more"),
    ],
)
def test_which_children_are_waited_for(count, words):
    born = [
        Forked(t=9.0 + k / 100, pid=20 + k, parent=13, by=13, name=f"c{k}") for k in range(count)
    ]
    state = after(shell(), *born)
    wait = explain_waiting(state, state.threads[13], CallInProgress("wait4", args={"pid": -1}))
    assert describe_detail(state, wait) == words


def test_what_nobody_communicates_by_comes_after_what_several_write():
    from ipcviz.events import Forked, MapEntry, Maps, ObjectInfo
    from ipcviz.model.query import list_mappers, rank_memory

    cache = ObjectInfo(key="8:1", kind="file", path="/usr/lib/gconv/gconv-modules.cache")
    shared = ObjectInfo(key="8:2", kind="file", path="/w/shared.dat")
    own = ObjectInfo(key="8:3", kind="file", path="/w/own.dat")
    entries = tuple(
        MapEntry(object=info, start=4096 * place, length=4096, prot=prot)
        for place, (info, prot) in enumerate(((cache, "r--"), (shared, "rw-")), 1)
    )
    alone = MapEntry(object=own, start=0x9000, length=4096, prot="rw-")
    state = reduce_all(
        [
            Forked(t=0, n=1, pid=5, parent=1, how="launched"),
            Forked(t=0, n=2, pid=6, parent=5),
            Maps(t=0, n=3, pid=5, entries=(*entries, alone)),
            Maps(t=0, n=4, pid=6, entries=entries),
        ]
    )
    found = list_mappers(state)
    ranks = {key: rank_memory(state, state.objects[key], rows) for key, rows in found.items()}
    assert ranks == {"8:2": 1, "8:1": 2, "8:3": 3}


def test_into_a_socket_whose_other_end_is_not_known_went_what_came_out():
    thing = Object(
        info=ObjectInfo(key="socket:[9]", kind="unix socket", detail="stream"),
        label="S1",
        bytes_out=3,
    )
    assert query.went_in(State(), thing) == (3, False)


def test_a_wait_for_a_semaphore_is_not_over_when_its_futex_call_returns():
    def came_back(name):
        waits = Waiting(pid=1, tid=1, call="futex", semaphore="/s")
        return reduce_all([waits, Call(pid=1, tid=1, name=name, ret=0)]).threads[1].semaphore

    assert came_back("futex") == "/s"
    assert came_back("read") == ""
