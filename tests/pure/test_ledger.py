"""The byte ledger on plain events."""

from __future__ import annotations

import msgspec
import pytest

from ipcviz.events import (
    Call,
    Closed,
    Coverage,
    Dropped,
    Entered,
    Exited,
    Forked,
    Held,
    Level,
    ObjectInfo,
    Opened,
    OpenedOutside,
    Released,
    Sample,
    Settled,
    Started,
    StatusFlags,
    Stepped,
    Table,
    TableEntry,
    Waiting,
)
from ipcviz.model.channels import Part, Write
from ipcviz.model.ledger.ledger import _count_room
from ipcviz.model.ledger.provenance import (
    list_interleavings,
    sources_of,
    waiting_bytes,
    waiting_ranges,
)
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State

PIPE = ObjectInfo(key="pipe:[1]", kind="pipe", ino=1)
KEY = PIPE.key
ENDS = (Opened(fd=3, ofd=1, object=PIPE, mode="r"), Opened(fd=4, ofd=2, object=PIPE, mode="w"))


class Story:
    """Events one after the other, each with its number."""

    def __init__(self, *pids: int, effects=ENDS, name="pipe") -> None:
        self.state = State()
        self.t = 0.0
        self.say(Started, argv=("sh",))
        self.say(Forked, pid=10, parent=1, how="launched", name="sh")
        self.call(10, name, effects=effects)
        for pid in pids:
            self.say(Forked, pid=pid, parent=10, by=10, name=f"p{pid}")

    def say(self, kind, t: float = 0.0, **fields) -> int:
        self.t = t or self.t + 1.0
        n = self.state.n + 1
        self.state = reduce(self.state, kind(t=self.t, n=n, **fields))
        return n

    def call(self, pid: int, name: str, *, began: float = 0.0, fd: int = -1, **fields) -> int:
        args = {"fd": fd} if fd >= 0 else {}
        args |= fields.pop("args", {})
        return self.say(
            Call, pid=pid, tid=pid, name=name, began=began or self.t + 0.5, args=args, **fields
        )

    def write(self, pid: int, count: int, data: bytes = b"", *, key: str = KEY, **fields) -> int:
        return self.call(
            pid, "write", fd=4, ret=count, object=key, data=data, args={"count": count}, **fields
        )

    def read(self, pid: int, count: int, data: bytes = b"", *, key: str = KEY, **fields) -> int:
        return self.call(
            pid, "read", fd=3, ret=count, object=key, data=data, args={"count": 65536}, **fields
        )

    def level(self, queued: int, quiet: bool = True, key: str = KEY) -> None:
        self.say(Sample, levels=(Level(object=key, queued=queued, quiet=quiet),))

    def sources(self, n: int):
        read = sources_of(self.state, n)
        return read and [(s.n, s.offset, s.length, s.sure) for s in read.sources]

    @property
    def channel(self):
        return self.state.channels[KEY]


def test_reads_name_the_writes_that_they_drew_from():
    story = Story(11, 12)
    first = story.write(10, 10)
    second = story.write(11, 20)
    assert [(w.write.n, w.offset, w.length, w.sure) for w in waiting_ranges(story.state, KEY)] == [
        (first, 0, 10, True),
        (second, 0, 20, True),
    ]
    n = story.read(12, 15)
    assert story.sources(n) == [(first, 0, 10, True), (second, 0, 5, True)]
    assert [(w.write.pid, w.offset, w.length) for w in waiting_ranges(story.state, KEY)] == [
        (11, 5, 15)
    ]
    assert story.sources(story.read(12, 15)) == [(second, 5, 15, True)]
    assert waiting_ranges(story.state, KEY) == ()
    read = sources_of(story.state, n)
    assert read is not None
    assert [(s.pid, s.tid, s.fd) for s in read.sources] == [(10, 10, 4), (11, 11, 4)]


def test_a_read_draws_on_a_write_that_has_not_returned():
    story = Story(11, 12)
    story.say(
        Entered,
        pid=11,
        tid=11,
        call="write",
        began=4.5,
        args={"fd": 4, "count": 100000},
        object=KEY,
    )
    early = story.read(12, 65536)
    assert story.sources(early) == [(0, 0, 65536, True)]
    (waits,) = waiting_ranges(story.state, KEY)
    assert (waits.write.pid, waits.offset, waits.length) == (11, 65536, -1)
    n = story.write(11, 100000, began=4.5)
    assert story.sources(early) == [(n, 0, 65536, True)]
    late = story.read(12, 34464)
    assert story.sources(late) == [(n, 65536, 34464, True)]


def test_writes_at_the_same_time_are_marked_and_told_apart_by_their_bytes():
    story = Story(11, 12)
    first = story.write(10, 4, b"aaaa", began=10.0, t=13.0)
    second = story.write(11, 4, b"bbbb", began=11.0, t=14.0)
    assert [w.sure for w in waiting_ranges(story.state, KEY)] == [False, False]
    assert story.sources(story.read(12, 4, b"bbbb")) == [(second, 0, 4, False)]
    assert story.sources(story.read(12, 4, b"aaaa")) == [(first, 0, 4, False)]
    third = story.write(11, 4)
    assert story.sources(story.read(12, 4)) == [(third, 0, 4, True)]


def test_reads_at_the_same_time_are_marked():
    story = Story(11, 12)
    story.write(10, 4)
    story.write(10, 4)
    story.say(
        Entered, pid=11, tid=11, call="read", began=6.0, args={"fd": 3, "count": 4}, object=KEY
    )
    assert [s[3] for s in story.sources(story.read(12, 4))] == [False]
    assert [s[3] for s in story.sources(story.read(11, 4, began=6.0))] == [False]
    third = story.write(10, 4)
    assert story.sources(story.read(11, 4)) == [(third, 0, 4, True)]


def test_a_reader_that_slept_took_nothing_before():
    story = Story(11, 12)
    first = story.write(10, 4)
    story.say(
        Entered, pid=11, tid=11, call="read", began=5.5, args={"fd": 3, "count": 4}, object=KEY
    )
    story.say(
        Entered,
        pid=11,
        tid=11,
        call="read",
        began=5.5,
        args={"fd": 3, "count": 4},
        object=KEY,
        slept=9.0,
    )
    assert story.sources(story.read(12, 4, t=8.5)) == [(first, 0, 4, True)]
    second = story.write(10, 4)
    assert story.sources(story.read(11, 4, began=5.5, slept=9.0)) == [(second, 0, 4, True)]


def test_a_sampled_holder_makes_it_unknown_until_it_was_seen_empty():
    story = Story(11, 12)
    story.write(10, 10)
    story.say(Coverage, pid=11, full=False, reason="busy")
    assert (story.channel.known, story.channel.reason) == (False, "p11[11] is only sampled")
    assert story.sources(story.read(12, 4)) == []
    story.level(5)
    story.level(0, quiet=False)
    assert not story.channel.known
    story.say(Coverage, pid=11, full=True)
    story.level(0)
    assert story.channel.known
    assert story.channel.since == story.t
    n = story.write(10, 3)
    assert story.sources(story.read(12, 3)) == [(n, 0, 3, True)]


def test_a_level_that_is_not_what_was_expected_is_said():
    story = Story(11)
    story.write(10, 10)
    story.level(10)
    assert story.channel.known
    story.level(12)
    assert not story.channel.known
    assert story.channel.reason.startswith("12 bytes wait in it, and 10 were expected")


def test_more_read_than_written_is_said():
    story = Story(11)
    story.write(10, 10)
    assert story.sources(story.read(11, 11)) == []
    assert story.channel.reason == "more was read from it than was seen to be written"


def test_events_that_were_left_out():
    story = Story(11)
    story.say(Dropped, events=3)
    assert story.channel.reason == "3 events were left out of the stream"


def test_packets_and_peeks():
    story = Story(11)
    n = story.write(10, 10)
    story.call(11, "recvfrom", fd=3, ret=4, object=KEY, args={"flags": "MSG_PEEK"})
    assert waiting_bytes(story.state, KEY) == 10
    assert story.sources(story.read(11, 10)) == [(n, 0, 10, True)]
    story.call(10, "fcntl", fd=4, effects=(StatusFlags(fd=4, flags=("direct",)),))
    story.level(0)
    assert not story.channel.known


def test_what_was_there_before_the_watch_is_never_known():
    table = Table(
        t=1.0, pid=10, reason="launched", entries=(TableEntry(fd=3, ofd=1, object=PIPE, mode="r"),)
    )
    state = reduce_all([Forked(t=0.0, pid=10, parent=1, how="launched"), table])
    assert (state.channels[KEY].known, state.channels[KEY].outside) == (False, True)
    state = reduce(state, Sample(t=2.0, levels=(Level(object=KEY, queued=0, quiet=True),)))
    assert not state.channels[KEY].known


def test_a_closed_pipe_is_forgotten():
    story = Story()
    story.write(10, 10)
    story.call(10, "close", fd=3, effects=(Closed(fd=3),))
    assert KEY in story.state.channels
    story.call(10, "close", fd=4, effects=(Closed(fd=4),))
    assert KEY not in story.state.channels


def test_a_fifo_that_only_watched_processes_have_open():
    fifo = ObjectInfo(key="8:1", kind="fifo", path="/tmp/fifo")
    ends = (
        Opened(fd=3, ofd=1, object=fifo, mode="r", alone=True),
        Opened(fd=4, ofd=2, object=fifo, mode="w"),
    )
    story = Story(11, effects=ends, name="openat")
    n = story.write(10, 5, key=fifo.key)
    assert story.sources(story.read(11, 3, key=fifo.key)) == [(n, 0, 3, True)], (
        "known before a level is read"
    )
    story.say(OpenedOutside, object=fifo.key, pid=77, name="nc")
    assert story.sources(story.read(11, 2, key=fifo.key)) == [(n, 3, 2, False)]


def test_a_fifo_that_anybody_can_open():
    fifo = ObjectInfo(key="8:1", kind="fifo", path="/tmp/fifo")
    ends = (Opened(fd=3, ofd=1, object=fifo, mode="r"), Opened(fd=4, ofd=2, object=fifo, mode="w"))
    story = Story(11, effects=ends, name="openat")
    assert not story.state.channels[fifo.key].known
    story.level(0, key=fifo.key)
    n = story.write(10, 5, key=fifo.key)
    assert [(w.write.n, w.sure) for w in waiting_ranges(story.state, fifo.key)] == [(n, False)]
    assert story.sources(story.read(11, 5, key=fifo.key)) == [(n, 0, 5, False)]
    story.level(3, key=fifo.key)
    assert story.state.channels[fifo.key].reason.startswith(
        "3 bytes wait in it, and 0 were expected"
    )
    story.level(0, key=fifo.key)
    n = story.write(10, 5, key=fifo.key)
    assert story.sources(story.read(11, 5, key=fifo.key)) == [(n, 0, 5, False)]


def test_both_directions_of_a_socket_pair():
    a = ObjectInfo(
        key="socket:[1]", kind="unix socket", detail="stream connected", peer="socket:[2]"
    )
    b = ObjectInfo(
        key="socket:[2]", kind="unix socket", detail="stream connected", peer="socket:[1]"
    )
    ends = (Opened(fd=3, ofd=1, object=a, mode="rw"), Opened(fd=4, ofd=2, object=b, mode="rw"))
    story = Story(11, effects=ends, name="socketpair")
    there = story.write(10, 5, key=a.key)
    back = story.write(11, 7, key=b.key)
    assert [w.write.n for w in waiting_ranges(story.state, b.key)] == [there]
    assert [w.write.n for w in waiting_ranges(story.state, a.key)] == [back]
    assert story.sources(story.read(11, 5, key=b.key)) == [(there, 0, 5, True)]
    assert story.sources(story.read(10, 7, key=a.key)) == [(back, 0, 7, True)]


def test_a_writer_killed_in_the_middle():
    story = Story(11, 12)
    args = {"fd": 4, "count": 9000}
    story.say(Entered, pid=11, tid=11, call="write", began=5.5, args=args, object=KEY, cut=True)
    story.level(6000)
    story.say(Exited, pid=11, signo=9)
    assert story.channel.known
    n = story.write(10, 3)
    last = story.read(12, 6003)
    read = sources_of(story.state, last)
    assert read is not None
    assert [(s.n, s.pid, s.length, s.sure) for s in read.sources] == [
        (0, 11, 6000, True),
        (n, 10, 3, True),
    ]


def test_splice_and_tee():
    other = ObjectInfo(key="pipe:[2]", kind="pipe", ino=2)
    story = Story(11)
    ends = (
        Opened(fd=5, ofd=3, object=other, mode="r"),
        Opened(fd=6, ofd=4, object=other, mode="w"),
    )
    story.call(10, "pipe2", effects=ends)
    n = story.write(10, 10)
    copied = story.call(10, "tee", ret=4, args={"fd_in": 3, "fd_out": 6, "count": 4})
    moved = story.call(10, "splice", ret=10, args={"fd_in": 3, "fd_out": 6, "count": 10})
    assert story.sources(moved) == [(n, 0, 10, True)]
    assert [(w.write.n, w.length) for w in waiting_ranges(story.state, other.key)] == [
        (copied, 4),
        (moved, 10),
    ]
    assert waiting_bytes(story.state, KEY) == 0


def test_an_interleaving_that_times_prove():
    story = Story(11, 12)
    story.say(
        Entered, pid=11, tid=11, call="write", began=5.5, args={"fd": 4, "count": 90000}, object=KEY
    )
    story.read(12, 100)
    between = story.write(10, 5000)
    long = story.call(
        11,
        "write",
        fd=4,
        ret=90000,
        object=KEY,
        args={"count": 90000},
        began=5.5,
        slept=story.t + 0.1,
    )
    found = list_interleavings(story.state, KEY)
    assert [(i.n, i.pid, i.other, i.other_pid) for i in found] == [(long, 11, between, 10)]


PACKETS = tuple(msgspec.structs.replace(end, flags=("direct",)) for end in ENDS)


def test_a_read_throws_away_what_it_has_no_room_for_of_its_packet():
    story = Story(11, effects=PACKETS, name="pipe2")
    long, short = story.write(10, 4096 + 100), story.write(11, 7)

    def read(count: int, room: int):
        n = story.call(11, "read", fd=3, ret=count, object=KEY, args={"count": room})
        return story.sources(n), sources_of(story.state, n).dropped

    assert read(10, 10) == ([(long, 0, 10, True)], 4086)
    assert waiting_bytes(story.state, KEY) == 107
    assert read(100, 500) == ([(long, 4096, 100, True)], 0)
    assert read(3, 3) == ([(short, 0, 3, True)], 4)
    story.level(0)
    assert story.channel.known


def test_the_rest_of_a_packet_that_is_in_doubt():
    story = Story(11, 12, effects=PACKETS, name="pipe2")
    story.write(10, 10, b"a" * 10, t=10.0, began=8.0)
    story.write(11, 20, b"a" * 20, t=11.0, began=9.0)
    story.call(12, "read", fd=3, ret=5, object=KEY, args={"count": 5})
    assert not story.channel.known, "5 or 15 bytes are gone"
    story.level(0)
    assert story.channel.known
    n = story.write(10, 9)
    assert story.sources(story.call(12, "read", fd=3, ret=2, object=KEY, args={"count": 2})) == [
        (n, 0, 2, True)
    ]
    assert waiting_bytes(story.state, KEY) == 0, "it is in packet mode still"


def test_packets_that_are_mixed_with_other_bytes():
    story = Story(11, effects=PACKETS, name="pipe2")
    story.call(10, "vmsplice", fd=4, ret=5, object=KEY)
    assert story.channel.reason == "vmsplice mixed packets with other bytes"
    story = Story(11, effects=PACKETS, name="pipe2")
    story.call(10, "fcntl", fd=4, effects=(StatusFlags(fd=4, flags=()),))
    assert story.channel.reason == "not all who write to it write packets (O_DIRECT)"


def test_from_a_write_under_way_may_come_what_it_has_not_put_in_yet():
    write = Write(
        n=0, pid=1, tid=1, fd=1, name="write", began=0.0, t=0.0, length=-1, most=10, head=b""
    )
    assert _count_room(Part(write=write, taken=4)) == 6
    assert _count_room(Part(write=msgspec.structs.replace(write, most=-1), taken=4)) > 1 << 60
    done = msgspec.structs.replace(write, n=5, length=9)
    assert _count_room(Part(write=done, taken=4)) == 5


def test_what_is_laid_to_one_of_several_for_no_reason_is_marked():
    story = Story(11, 12)
    story.write(10, 4, b"aaaa", began=10.0, t=13.0)
    story.write(11, 4, b"bbbb", began=11.0, t=14.0)
    n = story.read(12, 2)
    read = sources_of(story.state, n)
    assert read is not None
    assert [(s.pid, s.rivals) for s in read.sources] == [(10, (11,))]
    assert [(w.length, w.guessed) for w in waiting_ranges(story.state, KEY)] == [
        (2, True),
        (4, True),
    ]
    story.read(12, 6)
    story.write(11, 4)
    assert [w.guessed for w in waiting_ranges(story.state, KEY)] == [False]


class Steps(Story):
    """Two writers, 11 and 12, and a reader, 13, of whom one at a time is let go."""

    def __init__(self) -> None:
        super().__init__(11, 12, 13)
        self.step = 0
        self.say(Held)

    def let(self, pid: int) -> None:
        self.step += 1
        self.say(Stepped, step=self.step, pid=pid, tid=pid)

    def sleep_in_write(self, pid: int, count: int) -> None:
        """It is let go, and sleeps with what has no room."""
        self.let(pid)
        args = {"fd": 4, "count": count}
        self.say(Waiting, pid=pid, tid=pid, call="write", args=args, object=KEY, began=self.t + 0.5)

    def rest(self, queued: int) -> None:
        self.say(Sample, levels=(Level(object=KEY, queued=queued, capacity=8192, unit="bytes"),))
        self.say(Settled, step=self.step)

    @property
    def ranges(self) -> list[tuple[int, int, int, bool]]:
        found = waiting_ranges(self.state, KEY)
        return [(one.write.pid, one.offset, one.length, one.sure) for one in found]


def fill_in_steps() -> Steps:
    """11 has written 5,000 bytes, 12 has put in 904 of 5,000, and 11 as many of its next ones."""
    steps = Steps()
    steps.let(11)
    steps.write(11, 5000)
    steps.rest(5000)
    steps.sleep_in_write(12, 5000)
    steps.rest(5904)
    steps.sleep_in_write(11, 5000)
    steps.rest(6808)
    return steps


def test_at_rest_it_is_certain_what_a_write_that_sleeps_has_put_in():
    steps = fill_in_steps()
    assert steps.ranges == [(11, 0, 5000, True), (12, 0, 904, True), (11, 0, 904, True)]
    steps.let(13)
    steps.write(12, 5000)
    steps.write(11, 5000)
    n = steps.read(13, 6808)
    sources = sources_of(steps.state, n).sources
    assert [(one.pid, one.offset, one.length, one.sure) for one in sources] == [
        (11, 0, 5000, True),
        (12, 0, 904, True),
        (11, 0, 904, True),
    ]
    steps.rest(8192)
    assert steps.ranges == [(12, 904, 4096, False), (11, 904, 4096, False)], "who was first?"


def test_what_two_have_put_in_at_once_is_not_known():
    steps = fill_in_steps()
    steps.let(13)
    steps.read(13, 5904)
    steps.rest(8192)
    assert steps.ranges == [(11, 0, 904, True), (12, 904, -1, False), (11, 904, -1, False)]


def test_a_write_that_has_no_room_for_anything_has_put_in_nothing():
    steps = Steps()
    steps.let(11)
    steps.write(11, 8192)
    steps.rest(8192)
    steps.sleep_in_write(12, 5000)
    steps.rest(8192)
    assert steps.ranges == [(11, 0, 8192, True)]


def test_where_all_run_a_write_that_sleeps_may_have_gone_on():
    steps = fill_in_steps()
    steps.say(Released)
    assert [(pid, length) for pid, _, length, _ in steps.ranges] == [
        (11, 5000),
        (12, 904),
        (11, 904),
        (12, -1),
        (11, -1),
    ]


@pytest.mark.parametrize(
    ("queued", "asleep", "mixed"),
    [
        # 100,000 bytes or more of both went in while both slept: some were of the other one.
        (40000, 9.6, True),
        # So many went in when the other one was not seen asleep any more: it may have ended.
        (40000, 9.4, False),
        # Fewer went in: they may all be of the other one.
        (33000, 9.6, False),
    ],
)
def test_long_writes_are_mixed_if_more_bytes_went_in_than_one_of_them_has(queued, asleep, mixed):
    story = Story(11, 12, 13)
    args = {"fd": 4, "count": 100000}
    for pid, began in ((11, 6.0), (12, 7.0)):
        story.say(Waiting, pid=pid, tid=pid, call="write", t=began + 0.5, began=began, args=args,
                  object=KEY, state="S")  # fmt: skip
    story.read(13, 66000, b"", t=8.5, began=8.4)
    story.say(Sample, t=9.5, levels=(Level(object=KEY, queued=queued),))
    other = story.call(11, "write", fd=4, ret=100000, object=KEY, args=args, began=6.0, t=10.0,
                       slept=asleep)  # fmt: skip
    mine = story.call(12, "write", fd=4, ret=100000, object=KEY, args=args, began=7.0, t=12.0,
                      slept=11.0)  # fmt: skip
    found = list_interleavings(story.state, KEY)
    assert [(i.n, i.other) for i in found] == ([(mine, other)] if mixed else [])
