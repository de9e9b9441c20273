"""Random programs on pipes and FIFOs: after each step the model is what the kernel has.

They make, resize, dup and close them, fork, execute, kill, write, read, splice and tee.

IPCVIZ_EXAMPLES=N tries N programs, others each time, instead of a few that are always the same.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipcviz import events as ev
from ipcviz.model.ledger.provenance import sources_of, waiting_bytes, waiting_ranges
from tests.integration import ordered
from tests.integration.harness import Programs
from tests.integration.ordered import OURS, Done, Ordered, Worker, queued, waiting_in, written
from tests.integration.test_truth_tables import from_proc, from_state, same_description

EXAMPLES = int(os.environ.get("IPCVIZ_EXAMPLES", "0"))
WORKERS = 5
BUDGET = 6.0
"""Data calls a second of one process before it is only sampled, where that is tried."""
OPS = (
    *("write",) * 8,
    *("read",) * 7,
    *("pipe", "dup", "dup2", "close", "close") * 2,
    *("fork", "fork", "exec", "kill", "cloexec", "dup cloexec"),
    *("resize", "resize", "splice", "tee", "fifo"),
)
SIZES = (1, 3, 100, 4096, 5000, 20_000, 70_000)
RINGS = (4096, 8192, 65536, 1 << 18)
FLAGS = (0, 0, 0, os.O_CLOEXEC, os.O_NONBLOCK)

steps = st.lists(
    st.tuples(
        st.sampled_from(OPS),
        st.integers(0, 11),
        st.integers(0, 11),
        st.integers(0, 11),
        st.sampled_from(SIZES),
        st.booleans(),
    ),
    min_size=4,
    max_size=14,
)
PROFILE = settings(
    max_examples=EXAMPLES or 20,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Play:
    """One random program.

    Args:
        family: Who carries it out.
        sampled: They may exceed their budgets: less is known then, and all that is must still be
            so.
    """

    def __init__(self, family: Ordered, *, sampled: bool = False) -> None:
        self.family = family
        self.sampled = sampled
        self.first = family.fork(family.root)
        family.settle()
        self.log: list[str] = []
        self.killed = False
        self.checked: dict[int, int] = {}
        self.sure = self.unsure = self.unknown = 0

    # Orders.

    def prepare(self) -> None:
        """A pipe that three share: without that most random programs would do nothing."""
        self.family.order(self.first, ordered.PIPE)
        self.family.settle()
        for _ in range(2):
            self.family.fork(self.first)
            self.family.settle()

    def ends(self, worker: Worker, mode: str = "") -> list[int]:
        rows = from_proc(worker.pid)
        return sorted(fd for fd, _, how, *_ in rows if fd not in OURS and mode in ("", how))

    def do(self, what: str, whom: int, a: int, b: int, size: int) -> None:
        """Give one order that makes sense; nothing if none does."""
        family = self.family
        idle = [w for w in family.living if w.idle]
        if not idle:
            return
        worker = idle[whom % len(idle)]
        mode = {"write": "w", "read": "r", "splice": "r", "tee": "r"}.get(what, "")
        ends = self.ends(worker, mode)
        fd = ends[a % len(ends)] if ends else -1
        self.log.append(f"{worker.id}: {what} fd {fd} ({a}, {b}, {size})")
        if what == "pipe":
            family.order(worker, ordered.PIPE, FLAGS[a % len(FLAGS)])
        elif what == "fifo":
            family.order(worker, ordered.NAMED)
        elif what == "fork":
            if len(family.living) < WORKERS:
                family.fork(worker)
        elif what == "exec":
            family.order(worker, ordered.EXEC)
        elif what == "kill":
            others = [w for w in family.living if w is not worker and not w.dying]
            if others:
                self.killed = True
                family.order(worker, ordered.KILL, others[a % len(others)].pid)
        elif fd < 0:
            return
        elif what == "write":
            family.order(worker, ordered.WRITE, fd, 0, size)
        elif what in ("splice", "tee"):
            into = self.ends(worker, "w")
            if into:
                op = ordered.SPLICE if what == "splice" else ordered.TEE
                family.order(worker, op, fd, into[b % len(into)], size)
        elif what == "resize":
            family.order(worker, ordered.RESIZE, fd, RINGS[b % len(RINGS)])
        elif what == "read":
            family.order(worker, ordered.READ, fd, 0, size)
        elif what == "dup":
            family.order(worker, ordered.DUP, fd)
        elif what == "dup2":
            family.order(worker, ordered.DUP2, fd, ends[b % len(ends)] if b % 3 else 20 + b)
        elif what == "close":
            family.order(worker, ordered.CLOSE, fd)
        elif what == "cloexec":
            family.order(worker, ordered.CLOEXEC, fd, b % 2)
        elif what == "dup cloexec":
            family.order(worker, ordered.DUP_CLOEXEC, fd, 30 + b)

    # What must hold.

    def catch_up(self) -> None:
        """Wait until the stream tells of all that was answered, of every end, and of every sleep in
        a call.
        """
        deadline = time.monotonic() + 10.0
        while True:
            self.family.read()
            late = [(w.id, why) for w in self.family.workers.values() if (why := self._late(w))]
            if not late:
                return
            assert time.monotonic() < deadline, late
            self.family.wait(0.05)

    def _late(self, worker: Worker) -> str:
        state = self.family.state
        process = state.processes.get(worker.pid)
        if not worker.born:
            return ""
        if process is None:
            return "unknown"
        if worker.dead:
            return "alive" if process.fate == "alive" else ""
        if self.sampled:
            return "" if from_state(state, worker.pid) == from_proc(worker.pid) else "another table"
        if self.family.heard[worker.pid] != worker.answers:
            return "answers are not told"
        thread = state.threads.get(worker.pid)
        if thread is None or thread.waiting is None:
            return "not waiting"
        name, fd = ("read", ordered.CONTROL)
        if worker.busy is not None:
            name, fd = ("write" if worker.busy[1] == ordered.WRITE else "read"), worker.busy[2][0]
        waits = thread.waiting
        return (
            ""
            if (waits.name, waits.args.get("fd")) == (name, fd)
            else f"waits in {waits.name} {waits.args}"
        )

    def check(self) -> None:
        """The tables, the descriptions behind them, the levels and the bytes."""
        self.catch_up()
        state = self.family.state
        living = [w.pid for w in self.family.living]
        for pid in living:
            assert from_state(state, pid) == from_proc(pid), f"table of {pid}"
        rows = [
            (pid, fd, d.ofd)
            for pid in living
            for fd, d in state.descriptors_of(pid).items()
            if fd not in OURS
        ]
        for i, (pid, fd, ofd) in enumerate(rows):
            for other, other_fd, other_ofd in rows[i + 1 :]:
                assert (ofd == other_ofd) == same_description(pid, fd, other, other_fd), (
                    pid,
                    fd,
                    other,
                    other_fd,
                )
        ends = {state.open_files[ofd].object: (pid, fd) for pid, fd, ofd in rows}
        everybody = [*living, self.family.root.pid]
        tables = [state.descriptors_of(pid) for pid in everybody]
        controls = {
            state.open_files[d.ofd].object
            for table in tables
            for fd, d in table.items()
            if fd in OURS
        }
        assert set(state.channels) - controls == set(ends)
        if self.sampled:
            self.check_traced_reads()
            return
        self.check_reads()
        for key, (pid, fd) in ends.items():
            self.check_bytes(key, pid, fd)

    def number_of(self, n: int, pid: int) -> int:
        """The order behind a write, by the number of the event of its return, or the last one of a
        process.
        """
        worker = next(w for w in self.family.workers.values() if w.pid == pid)
        return self.returns(worker).get(n, worker.writes[-1])

    def returns(self, worker: Worker) -> dict[int, int]:
        """Orders to write by the numbers of the events of their returns."""
        made = [d.number for d in worker.done if d.op == ordered.WRITE]
        return dict(zip((e.n for e in self.calls(worker, "write")), made, strict=False))

    def calls(self, worker: Worker, name: str) -> list[ev.Call]:
        return [
            e
            for e in self.family.events
            if isinstance(e, ev.Call) and e.pid == worker.pid and e.name == name and self.is_pipe(e)
        ]

    def is_pipe(self, call: ev.Call) -> bool:
        """Whether a call is about a pipe or FIFO of the random program's."""
        thing = self.family.state.objects.get(call.object)
        return (
            thing is not None
            and thing.info.kind in ("pipe", "fifo")
            and call.args.get("fd") not in OURS
        )

    @property
    def copies(self) -> set[int]:
        """Numbers of the events that put in what others had written."""
        return {
            e.n
            for e in self.family.events
            if isinstance(e, ev.Call) and e.name in ("splice", "tee")
        }

    def check_reads(self) -> None:
        """Where reads are sure of it, they drew on the writes that they name: the bytes say so."""
        for worker in self.family.workers.values():
            reads: list[Done] = [d for d in worker.done if d.op == ordered.READ]
            seen = self.checked.get(worker.id, 0)
            if len(reads) == seen:
                continue
            self.checked[worker.id] = len(reads)
            calls = self.calls(worker, "read")
            assert len(calls) == len(reads)
            for call, done in list(zip(calls, reads, strict=True))[seen:]:
                assert call.ret == done.result
                if done.result <= 0:
                    continue
                read = sources_of(self.family.state, call.n)
                assert read is not None
                if not read.sources:
                    self.unknown += 1
                    assert self.killed, "nothing is known of a read"
                    continue
                assert sum(s.length for s in read.sources) == done.result
                at = 0
                for source in read.sources:
                    self.sure += source.sure
                    self.unsure += not source.sure
                    got = done.data[at : at + source.length]
                    at += source.length
                    if (
                        source.sure
                        and len(done.data) == done.result
                        and source.n not in self.copies
                    ):
                        number = self.number_of(source.n, source.pid)
                        assert (
                            got == written(number, source.offset + source.length)[source.offset :]
                        ), source

    def check_traced_reads(self) -> None:
        """Where some calls are not seen: what a traced read is sure of is some write of the process
        that it names.
        """
        for call in self.family.events:
            read = (
                sources_of(self.family.state, call.n)
                if isinstance(call, ev.Call) and call.ret > 0
                else None
            )
            at = 0
            for source in read.sources if read is not None else ():
                got = call.data[at : at + source.length]
                at += source.length
                self.sure += source.sure
                if source.sure and source.pid in self.pids and source.n not in self.copies:
                    numbers = next(
                        w.writes for w in self.family.workers.values() if w.pid == source.pid
                    )
                    start = source.offset
                    assert any(got == written(k, start + len(got))[start:] for k in numbers), (
                        source,
                        call,
                    )

    @property
    def pids(self) -> set[int]:
        return {w.pid for w in self.family.workers.values()}

    def check_bytes(self, key: str, pid: int, fd: int) -> None:
        state = self.family.state
        channel = state.channels[key]
        thing = state.objects[key]
        level, ranges = queued(pid, fd), waiting_ranges(state, key)
        writing = any(w.busy and w.busy[1] == ordered.WRITE for w in self.family.living)
        if not writing and not self.killed:
            assert thing.exact
            assert thing.bytes_in - thing.bytes_out == level
        if not channel.known:
            assert self.killed, channel.reason
            return
        if any(r.length < 0 for r in ranges):
            assert waiting_bytes(state, key) <= level
            return
        assert waiting_bytes(state, key) == level
        content, at = waiting_in(pid, fd), 0
        assert len(content) == level
        for r in ranges:
            if r.sure and r.write.name == "write":
                number = self.number_of(r.write.n, r.write.pid)
                assert (
                    content[at : at + r.length] == written(number, r.offset + r.length)[r.offset :]
                ), r
            at += r.length

    def levels_told(self) -> None:
        """In a moment the samples, too, tell what FIONREAD says."""
        deadline = time.monotonic() + 5.0
        while True:
            state = self.family.state
            rows = {
                state.open_files[d.ofd].object: (w.pid, fd)
                for w in self.family.living
                for fd, d in state.descriptors_of(w.pid).items()
                if fd not in OURS
            }
            levels = {key: level for key in rows if (level := state.objects[key].level)}
            told = {
                key: (level.queued, level.capacity, level.slots) for key, level in levels.items()
            }
            seen = {
                key: (queued(pid, fd), *ordered.ring(pid, fd)) for key, (pid, fd) in rows.items()
            }
            for key, level in levels.items():
                if level.slots < 0 and not any(
                    f.object == key and f.mode == "r" for f in state.open_files.values()
                ):
                    told[key] = seen[key]  # only a read end tells
            if told == seen:
                return
            assert time.monotonic() < deadline, (told, seen)
            self.family.wait(0.05)

    def end(self) -> None:
        self.family.clear()


@pytest.fixture(scope="module", params=["full", "live", "sampled"])
def family(programs: Programs, request: pytest.FixtureRequest) -> Iterator[Ordered]:
    with (
        tempfile.TemporaryDirectory(prefix="ipcviz-orders-") as folder,
        Ordered(
            programs["orders"],
            Path(folder),
            full=request.param == "full",
            budget=BUDGET if request.param == "sampled" else 1000.0,
        ) as family,
    ):
        yield family


def play(
    family: Ordered, program: list[tuple[str, int, int, int, int, bool]], *, sampled: bool = False
) -> Play:
    run = Play(family, sampled=sampled)
    try:
        run.prepare()
        run.check()
        for what, whom, a, b, size, alone in program:
            run.do(what, whom, a, b, size)
            if alone:
                family.settle()
                run.check()
        family.settle()
        run.check()
        run.levels_told()
    except AssertionError as error:
        error.add_note("\n".join(run.log))
        raise
    finally:
        run.end()
    return run


@PROFILE
@given(steps)
def test_the_model_is_what_the_kernel_has(
    request: pytest.FixtureRequest,
    family: Ordered,
    program: list[tuple[str, int, int, int, int, bool]],
) -> None:
    play(family, program, sampled=request.node.callspec.params["family"] == "sampled")
