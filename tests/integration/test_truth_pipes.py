"""What the stream tells of pipes, against what the program and the kernel say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.model.query import blocked_writers, list_holders, went_in
from ipcviz.model.state import Object, State
from ipcviz.model.waits.rules import wait_of
from tests.integration.harness import Bench, Programs
from tests.integration.test_truth_locks import sentences
from tests.integration.watched import Watched


def pipe_key(pid: int, fd: int) -> str:
    """The pipe's name as the kernel has it."""
    return os.readlink(f"/proc/{pid}/fd/{fd}")


def level(state: State, key: str) -> ev.Level:
    found = state.objects.get(key)
    return (
        found.level
        if isinstance(found, Object) and found.level
        else ev.Level(object=key, queued=-1)
    )


@pytest.mark.parametrize("option", ["", "--full"])
@pytest.mark.parametrize(
    ("size", "taken", "capacity"), [(1, 0, 0), (5000, 4096, 0), (65536, 1, 0), (8192, 100, 8192)]
)
def test_occupancy_and_contents(
    bench: Bench, programs: Programs, size: int, taken: int, capacity: int, option: str
) -> None:
    argv = [programs["truth_pipe"], str(size), str(taken), str(capacity)]
    with Watched(bench, argv, ("full", "part", "empty"), *([option] if option else [])) as run:
        heads = {}
        for name in ("full", "part", "empty"):
            facts = run.at(name)
            key = pipe_key(facts["pid"], facts["read"])
            state = run.until(lambda state: level(state, key).queued == facts["queued"])  # noqa: B023
            seen = level(state, key)
            assert (
                seen.queued
                == facts["queued"]
                == {"full": size, "part": size - taken, "empty": 0}[name]
            )
            assert seen.capacity == facts["capacity"]
            heads[name] = seen.head
            rows = [(h.pid, h.fd, h.mode) for h in list_holders(state)[key]]
            assert rows == [(facts["pid"], facts["read"], "r"), (facts["pid"], facts["write"], "w")]
            run.release(name)
        assert run.finish() == 0
        read = (bench.work / "taken").read_bytes()
        assert len(read) == size
        assert heads["full"]
        assert read.startswith(heads["full"])
        if size > taken:
            assert heads["part"]
            assert read[taken:].startswith(heads["part"])
        assert heads["empty"] == b""
        if option:
            thing = run.state.objects[key]
            assert (thing.bytes_in, thing.bytes_out, thing.exact) == (size, size, True)


def test_a_writer_blocked_short_of_the_capacity(bench: Bench, programs: Programs) -> None:
    with Watched(bench, [programs["truth_blocked"]], ("blocked",)) as run:
        facts = run.at("blocked")
        key = pipe_key(facts["pid"], facts["read"])
        state = run.until(
            lambda s: level(s, key).queued == facts["queued"] and bool(blocked_writers(s, key))
        )
        seen = level(state, key)
        assert seen.queued == facts["queued"] < facts["capacity"] == seen.capacity
        assert seen.writable is False
        assert [thread.tid for thread in blocked_writers(state, key)] == [facts["writer"]]
        wait = wait_of(state, facts["writer"], list_holders(state))
        assert wait is not None
        assert (wait.call, wait.fd, wait.object, wait.blocked) == (
            "write",
            facts["write"],
            key,
            True,
        )
        assert wait.waker_pids == (facts["pid"],)
        run.release("blocked")
        assert run.finish() == 0
        ends = [
            event
            for event in run.events
            if isinstance(event, ev.Exited) and event.pid == facts["writer"]
        ]
        assert [event.signo for event in ends] == [13]


def test_both_ends_of_a_pipeline(bench: Bench) -> None:
    """The holders of every pipe of a shell's pipeline are those that /proc has."""
    script = "mkfifo x.go hold; cat hold | tr a b | (sort; cat x.go) >out; rm hold"
    with Watched(bench, ["sh", "-c", f"{script}; cat end.go"], ("end",)) as run:
        state = run.until(
            lambda s: sum(p.name in ("cat", "tr", "sort") for p in s.processes.values()) == 3
        )
        pids = [p.pid for p in state.processes.values() if p.fate == "alive"]
        told: dict[str, set[tuple[int, int]]] = {}
        seen: dict[str, set[tuple[int, int]]] = {}

        def look(state: State) -> bool:
            told.clear()
            seen.clear()
            for key, rows in list_holders(state).items():
                if key.startswith("pipe:"):
                    told[key] = {(h.pid, h.fd) for h in rows if h.pid in pids}
            for pid in pids:
                for fd in Path("/proc", str(pid), "fd").iterdir():
                    link = os.readlink(fd)
                    if link.startswith("pipe:"):
                        seen.setdefault(link, set()).add((pid, int(fd.name)))
            return told == seen

        run.until(look)
        assert told == seen
        assert len(seen) >= 2
        (bench.work / "hold").write_bytes(b"a\n")
        (bench.work / "x.go").write_bytes(b"")
        run.release("end")
        assert run.finish() == 0
        assert (bench.work / "out").read_bytes() == b"b\n"


def test_an_io_uring_moves_bytes_unseen(bench: Bench, programs: Programs) -> None:
    """Levels are right all the same; counts are lower bounds, and nobody is said to have written or
    read.
    """
    with Watched(bench, [programs["uring"], "stop"], ("asleep",)) as run:
        try:
            run.at("asleep")
        except AssertionError:
            pytest.skip("this kernel has no io_uring for us")
        keys = [pipe_key(run.read().root, fd) for fd in (3, 6)]
        state = run.until(lambda s: [level(s, key).queued for key in keys] == [0, 5])
        assert [level(state, key).queued for key in keys] == [0, 5]
        assert [went_in(state, state.objects[key]) for key in keys] == [(11, False), (9, False)]
        assert all("uses io_uring" in state.channels[key].reason for key in keys)
        run.release("asleep")
        assert run.finish() == 0
    log = "\n".join(sentences(run.events))
    assert (
        "made the io_uring X1: descriptor 5; what it reads and writes through it makes no system"
        " calls, and is not shown" in log
    )
