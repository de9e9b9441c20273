"""The byte ledger on a simulated pipe whose bytes know where they came from: never wrong, whatever
overlaps.

Threads that the tracer stops at each call, and the tracer's rules (`ipcviz.tracer.moving`).
"""

from __future__ import annotations

import dataclasses

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipcviz.events import Call, Coverage, Exited, Forked, Level, Sample
from ipcviz.model.ledger.provenance import (
    list_interleavings,
    sources_of,
    waiting_bytes,
    waiting_ranges,
)
from ipcviz.model.reduce import reduce
from ipcviz.tracer.moving import Moving, MovingCall
from tests.pure.test_ledger import KEY, Story

CAPACITY = 20_000
SIZES = (1, 2, 3, 3, 100, 4096, 5000, 9000, 30_000)


@dataclasses.dataclass(eq=False)
class Op:
    """A call of a simulated thread."""

    tid: int
    writes: bool
    count: int
    began: float
    number: int
    seen: bool = True
    done: int = 0
    finished: bool = False
    asleep: bool = False
    took: list = dataclasses.field(default_factory=list)

    @property
    def head(self) -> bytes:
        return bytes([65 + self.number % 26]) * min(self.count, 64) if self.writes else b""


class Simulation:
    """Some writers and readers of one pipe, and what the ledger makes of their calls."""

    def __init__(self, writers: int, readers: int) -> None:
        self.queue: list[tuple[int, int]] = []
        self.put: list[int] = []  # of which operation each byte was that ever went in
        self.split = 0
        self.ops: dict[int, Op] = {}
        self.numbers: dict[int, int] = {}
        self.made = 0
        self.writers = list(range(20, 20 + writers))
        self.readers = list(range(60, 60 + readers))
        self.full = dict.fromkeys((*self.writers, *self.readers), True)
        self.stops = dict.fromkeys(self.full, True)
        self.next_tid = 100
        self.story = Story(*self.writers, *self.readers)
        self.clock = self.story.t
        self.moving = Moving(lambda: self.story.state, self.now, self.sleeps, self.emit)
        self.cuts: dict[float, int] = {}
        self.sure = self.unsure = self.unknown = 0

    def now(self) -> float:
        self.clock += 0.001
        return self.clock

    def sleeps(self, pid: int, tid: int) -> bool:
        return tid in self.ops and self.ops[tid].asleep and not self.ops[tid].finished

    def emit(self, event) -> int:
        n = self.story.state.n + 1
        self.story.state = reduce(self.story.state, msgspec.structs.replace(event, n=n))
        return n

    # What threads do.

    def enter(self, tid: int, count: int) -> None:
        writes = tid in self.writers
        if not self.full[tid]:
            self.made += 1
            self.ops[tid] = Op(tid, writes, count, self.clock, self.made, seen=False)
            return
        self.stops[tid] = True  # it stands at a stop: from here on it is traced
        name, fd = ("write", 4) if writes else ("read", 3)
        args = {"fd": fd, "count": count}
        ends = self.moving.find_ends(tid, name, args, KEY)
        for other in self.moving.list_siblings(ends):
            if self.ops[other].finished:
                self.give_back(other)
        self.made += 1
        op = self.ops[tid] = Op(tid, writes, count, self.now(), self.made)
        self.moving.begin_call(MovingCall(tid, tid, name, args, KEY, op.head, op.began, ends))

    def work(self, op: Op) -> None:
        if op.writes:
            room = CAPACITY - len(self.queue)
            part = op.count - op.done
            if (op.count <= 4096 and room < part) or room <= 0:
                op.asleep = True
                return
            part = min(part, room, 4096)
            self.queue += [(op.number, op.done + i) for i in range(part)]
            self.put += [op.number] * part
            op.done += part
            op.finished, op.asleep = op.done == op.count, False
        elif self.queue:
            op.took, self.queue = self.queue[: op.count], self.queue[op.count :]
            op.done = len(op.took)
            op.finished, op.asleep = True, False
        else:
            op.asleep = True
        if op.finished and not op.seen:
            del self.ops[op.tid]

    def give_back(self, tid: int) -> None:
        op = self.ops.pop(tid)
        t = self.now()
        slept = self.moving.end_call(tid, op.done, t)
        name, fd = ("write", 4) if op.writes else ("read", 3)
        data = op.head if op.writes else bytes(65 + number % 26 for number, _ in op.took[:64])
        args = {"fd": fd, "count": op.count}
        call = Call(
            t=t,
            pid=tid,
            tid=tid,
            name=name,
            began=op.began,
            args=args,
            ret=op.done,
            object=KEY,
            data=data,
            slept=slept,
        )
        n = self.emit(call)
        if op.writes:
            self.numbers[op.number] = n
            self.check_interleavings(n)
        else:
            self.check_read(n, op)

    def kill(self, tid: int) -> None:
        op = self.ops.pop(tid, None)
        if op is not None and op.writes:
            self.cuts[op.began] = op.number
        if self.moving.end_thread(tid):
            self.level()
        self.emit(Exited(t=self.now(), pid=tid, signo=9))
        kind = self.writers if tid in self.writers else self.readers
        kind.remove(tid)
        del self.full[tid], self.stops[tid]
        new, self.next_tid = self.next_tid, self.next_tid + 1
        kind.append(new)
        self.full[new] = self.stops[new] = True
        self.emit(Forked(t=self.now(), pid=new, parent=10, by=10))

    def level(self) -> None:
        queued = len(self.queue)
        quiet = self.moving.is_quiet(KEY) and all(self.full.values()) and all(self.stops.values())
        t = self.now()
        level = Level(object=KEY, queued=queued, quiet=quiet)
        self.emit(Sample(t=t, levels=(level,)))
        self.moving.note_levels((level,), t)
        if quiet:
            self.check_waiting()

    def cover(self, tid: int) -> None:
        if self.full[tid] and tid in self.ops:
            return  # it is sampled from a call's entry on: not in the middle of one
        self.full[tid] = not self.full[tid]
        if not self.full[tid]:
            self.stops[tid] = False
        self.emit(Coverage(t=self.now(), pid=tid, full=self.full[tid]))

    # What must hold.

    def truth_of(self, n: int, began: float) -> int:
        """The number of the operation that a source or a waiting range names."""
        if n:
            return next(number for number, event in self.numbers.items() if event == n)
        return next(
            (op.number for op in self.ops.values() if op.writes and op.began == began),
            self.cuts.get(began, -1),
        )

    def check_read(self, n: int, op: Op) -> None:
        if not op.took:
            return
        read = sources_of(self.story.state, n)
        assert read is not None
        if not read.sources:
            self.unknown += 1
            return
        assert sum(s.length for s in read.sources) == len(op.took)
        at = 0
        for source in read.sources:
            if source.sure:
                number = self.truth_of(source.n, source.began)
                truth = op.took[at : at + source.length]
                assert truth == [(number, source.offset + i) for i in range(source.length)]
            self.sure += source.sure
            self.unsure += not source.sure
            at += source.length

    def check_interleavings(self, n: int) -> None:
        for found in list_interleavings(self.story.state, KEY):
            if found.n == n:
                mine, other = (self.truth_of(one, 0.0) for one in (found.n, found.other))
                first = self.put.index(mine)
                last = len(self.put) - 1 - self.put[::-1].index(mine)
                assert other in self.put[first:last]
                self.split += 1

    def check_waiting(self) -> None:
        if not self.story.channel.known:
            return
        assert waiting_bytes(self.story.state, KEY) == len(self.queue)
        at = 0
        for waits in waiting_ranges(self.story.state, KEY):
            if waits.length < 0:
                continue  # a write that sleeps before it has put anything there
            if waits.sure:
                number = self.truth_of(waits.write.n, waits.write.began)
                assert self.queue[at : at + waits.length] == [
                    (number, waits.offset + i) for i in range(waits.length)
                ]
            at += waits.length


def steps_of(actions):
    """What happens and to which thread: mostly calls that begin, work and return, long enough to
    tangle.
    """
    step = st.tuples(st.sampled_from(actions), st.integers(0, 6), st.sampled_from(SIZES))
    return st.lists(step, min_size=40, max_size=120)


CALLS = ("call",) * 9 + ("level",)
FAULTS = ("call",) * 16 + ("level", "level", "level", "kill", "cover")


def run(writers: int, readers: int, steps) -> Simulation:
    simulation = Simulation(writers, readers)
    for what, whom, count in steps:
        tids = [*simulation.writers, *simulation.readers]
        tid = tids[whom % len(tids)]
        op = simulation.ops.get(tid)
        if what == "kill":
            simulation.kill(tid)
        elif what == "cover":
            simulation.cover(tid)
        elif what == "level":
            simulation.level()
        elif op is None:
            simulation.enter(tid, count)
        elif op.finished:
            simulation.give_back(tid)
        else:
            simulation.work(op)
    return simulation


QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


@QUICK
@given(st.integers(1, 4), st.integers(1, 3), steps_of(CALLS))
def test_never_wrong_and_always_known_where_every_call_is_traced(writers, readers, steps):
    simulation = run(writers, readers, steps)
    assert simulation.story.channel.known, simulation.story.channel.reason
    assert not simulation.unknown


@QUICK
@given(steps_of(CALLS))
def test_one_writer_and_one_reader_are_always_sure(steps):
    simulation = run(1, 1, steps)
    assert simulation.story.channel.known, simulation.story.channel.reason
    assert not simulation.unsure


@QUICK
@given(st.integers(1, 4), st.integers(1, 3), steps_of(FAULTS))
def test_never_wrong_where_some_are_killed_or_sampled(writers, readers, steps):
    run(writers, readers, steps)


def test_long_writes_that_take_turns_are_proved_to_be_mixed():
    """Two writes sleep in a full pipe; a page is read, and the one that has waited longest puts in
    another one: by turns, until the first has all of its bytes there.
    """
    simulation = Simulation(2, 1)
    one, other = simulation.writers
    (reader,) = simulation.readers
    for tid in (one, other):
        simulation.enter(tid, 30_000)
    while simulation.ops[one].done < CAPACITY:
        simulation.work(simulation.ops[one])
    simulation.work(simulation.ops[one])
    simulation.work(simulation.ops[other])
    turn = 0
    while not any(simulation.ops[tid].finished for tid in (one, other)):
        simulation.enter(reader, 4096)
        simulation.work(simulation.ops[reader])
        simulation.give_back(reader)
        op = simulation.ops[(one, other)[turn % 2]]
        simulation.work(op)
        simulation.work(op)
        simulation.level()
        turn += 1
    simulation.give_back(one)
    assert not simulation.split, "the other one is under way"
    while not simulation.ops[other].finished:
        simulation.enter(reader, 4096)
        simulation.work(simulation.ops[reader])
        simulation.give_back(reader)
        simulation.work(simulation.ops[other])
    simulation.give_back(other)
    assert simulation.split == 1
