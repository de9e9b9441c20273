"""Values and waiters of semaphores, against sem_getvalue and semctl."""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest

from ipcviz import events as ev
from ipcviz.kernel import libc
from ipcviz.model.state import Semaphore, State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.waits import describe_wait
from ipcviz.narrate.words import name_process
from tests.integration.harness import Bench, Programs
from tests.integration.test_truth_locks import sentences
from tests.integration.watched import Watched


def by_name(state: State, name: str) -> Semaphore | None:
    return next((s for s in state.semaphores.values() if s.info.name == name), None)


def unnamed(state: State, offset: int) -> Semaphore | None:
    return next(
        (
            s
            for s in state.semaphores.values()
            if s.info.kind == "unnamed" and s.info.offset == offset
        ),
        None,
    )


def test_values_and_waiters(bench: Bench, programs: Programs) -> None:
    name = f"/ipcviz-truth-{os.getpid()}-{bench.actor.name}"
    with Watched(bench, [programs["truth_semaphores"], name], ("semaphores",)) as run:
        facts = run.at("semaphores")

        def told(state: State) -> dict[str, tuple[int | None, int]]:
            found = {
                "named": by_name(state, name),
                "empty": by_name(state, f"{name}-0"),
                "a": unnamed(state, facts["a_offset"]),
                "b": unnamed(state, facts["b_offset"]),
                "private": unnamed(state, facts["private_address"]),
                **{f"sysv{i}": state.semaphores.get(f"sysv:{facts['sysv']}:{i}") for i in range(3)},
            }
            return {
                key: (s.value, max(s.waiters, 0)) if s else (None, -1) for key, s in found.items()
            }

        waiters = {"empty": 1, "b": 1, "sysv1": facts["sysv1_waiters"]}
        truth = {
            key: (facts[key], waiters.get(key, 0))
            for key in ("named", "empty", "a", "b", "private", "sysv0", "sysv1", "sysv2")
        }
        state = run.until(lambda s: told(s) == truth)
        assert told(state) == truth
        assert facts["named"] == 4
        assert facts["sysv2"] == 6
        key = {s.info.name: k for k, s in state.semaphores.items() if s.info.name}[f"{name}-0"]
        assert state.threads[facts["waiter0"]].semaphore == key
        pid, third = facts["pid"], f"sysv:{facts['sysv']}:2"
        holds = {
            s.info.key: tuple((h.pid, h.count) for h in s.holds) for s in state.semaphores.values()
        }
        assert holds[third] == ((pid, 3),)
        assert holds[f"sysv:{facts['sysv']}:0"] == holds[key] == ()
        assert [found for k, found in holds.items() if found and k != third] == [((pid, 1),)] * 3
        wait = wait_of(state, facts["waiter2"])
        assert wait is not None
        assert (
            describe_wait(state, wait)
            == f"{wait.call} on sem {facts['sysv']}[1], 0, and it wants -1, last changed by"
            f" {name_process(state, pid)}"
        )
        run.release("semaphores")
        assert run.finish() == 0
        assert third not in run.state.semaphores
        ended = [
            (e.op, e.pid, e.error)
            for e in run.events
            if isinstance(e, ev.SemaphoreOp) and "-" in e.op
        ]
        assert ended == [("gave-up", pid, "ETIMEDOUT")]
        got = [e.pid for e in run.events if isinstance(e, ev.SemaphoreOp) and e.op == "acquired"]
        assert got == [facts["waiter0"]], "a thread that was killed in its sleep has got nothing"
    log = "\n".join(sentences(run.events))
    for words in (
        f"made the semaphore {name} (value 5)",
        f"opened the semaphore {name} (value 4)",
        f"removed the semaphore's name {name}: ",
        f"did not get {name}-0: ETIMEDOUT, its time was up",
        f"read the value of {name}: 4",
        f"closed the semaphore {name}",
        "of 3 semaphores for no key (IPC_PRIVATE) (0600)",
        f"set the semaphores of the set {facts['sysv']} to 2, 0, 9 (SETALL)",
        f"did [2] -3 on the set {facts['sysv']}",
        f"did [1] -1 on the set {facts['sysv']} after its wait",
        f"removed the System V set {facts['sysv']} (IPC_RMID)",
    ):
        assert words in log, words


def test_each_operation_is_told_once(bench: Bench, programs: Programs) -> None:
    """A hundred rounds of ping-pong are a hundred waits and a hundred posts on each side."""
    with Watched(bench, [programs["sem_shared"]], (), "--full") as run:
        assert run.finish() == 0
        ops = [(e.op, e.pid) for e in run.events if isinstance(e, ev.SemaphoreOp)]
        parent = next(e.pid for e in run.events if isinstance(e, ev.Forked) and e.how == "launched")
        child = next(e.pid for e in run.events if isinstance(e, ev.Forked) and e.parent == parent)
        assert (
            ops.count(("post", parent))
            == ops.count(("post", child))
            == ops.count(("wait", child))
            == 100
        )
        assert ops.count(("wait", parent)) == 101
        assert ops.count(("init", parent)) == 2


def test_functions_that_go_on_as_others(bench: Bench, programs: Programs) -> None:
    """A library whose functions call each other, and begin with jumps: what the program did is
    told, once.
    """
    with Watched(bench, [programs["sem_own"], "stop"], ("asleep",), "--full") as run:
        facts = run.at("asleep")

        def levels(state: State) -> dict[int, tuple[int | None, int]]:
            return {s.info.offset: (s.value, s.waiters) for s in state.semaphores.values()}

        state = run.until(lambda s: levels(s) == {0: (0, 1), 32: (0, 0)})
        assert state.threads[facts["waiter"]].semaphore
        run.release("asleep")
        assert run.finish() == 0
        ops = Counter(e.op for e in run.events if isinstance(e, ev.SemaphoreOp))
        assert ops.pop("acquired") <= 62
        assert ops == {"init": 2, "wait": 62, "post": 62, "trywait": 1, "destroy": 1}


def test_whose_library_a_program_uses(programs: Programs) -> None:
    assert {libc.of_program(programs[name]) for name in ("sem_shared", "sem_static")} == {"glibc"}
    assert libc.of_program(__file__) == libc.of_program("/nowhere") == ""
    assert {libc.of_program(programs.musl(name)) for name in ("sem_shared", "sem_static")} == {
        "musl"
    }


@pytest.mark.parametrize("name", ["sem_shared", "sem_static"])
def test_musl(bench: Bench, programs: Programs, name: str) -> None:
    """The same program with musl's libc, dynamic and static, does the same and is told the same."""
    told = []
    for path in (programs.musl(name), programs[name]):
        with Watched(bench, [path], (), "--full") as run:
            assert run.finish() == 0
            found = [
                e
                for e in run.events
                if isinstance(e, ev.SemaphoreOp) and e.op not in ("acquired", "overtaken")
            ]
            told.append(Counter((e.op, e.error) for e in found))
            assert {e.value for e in found} <= {None, 0, 1, 2}
    assert told[0] == told[1]


def test_what_became_of_each_wait(bench: Bench, programs: Programs) -> None:
    """However threads overtake each other, what was taken is what was given back; other waits end
    as they did.
    """
    with Watched(bench, [programs["sem_waits"]], (), "--full") as run:
        assert run.finish() == 0
        ops = [e for e in run.events if isinstance(e, ev.SemaphoreOp)]
        lock, told = (e.semaphore.key for e in ops if e.op == "init")
        counts = Counter(
            e.op if e.op != "wait" or e.value else "must wait"
            for e in ops
            if e.semaphore.key == lock
        )
        assert counts["post"] == counts["wait"] + counts["acquired"] - counts["overtaken"] == 100
        assert counts["acquired"] == counts["must wait"] + counts["overtaken"]
        assert run.state.semaphores[lock].holds == ()
        waits = [
            (e.op, e.error)
            for e in ops
            if e.semaphore.key == told and e.op not in ("init", "wait", "timedwait")
        ]
        assert waits == [
            ("gave-up", "EINTR"),
            ("post", ""),
            ("acquired", ""),
            ("gave-up", "ETIMEDOUT"),
        ]


def test_what_became_of_sem_trywait_where_another_one_was_quicker(
    bench: Bench, programs: Programs
) -> None:
    """Two processes count how often they got it: what they say is what the stream says."""
    with Watched(bench, [programs["sem_tries"], "300"], (), "--full") as run:
        assert run.process.stdout is not None
        lines = run.process.stdout.read().decode().splitlines()
        assert run.finish() == 0
        truth = {int(pid): int(count) for pid, _, count in map(str.split, lines)}
        got: Counter[int] = Counter()
        for event in run.events:
            if isinstance(event, ev.SemaphoreOp):
                got[event.pid] += (
                    event.op == "trywait" and bool(event.value)
                ) or event.op == "gained"
                got[event.pid] -= event.op == "missed"
        assert dict(got) == truth
        found = next(iter(run.state.semaphores.values()))
        assert not found.holds
        assert not found.signals


LOCKS = """
import threading, time
for _ in range(40):
    kept = [threading.Lock() for _ in range(100)]
    for lock in kept: lock.acquire(); lock.release()
    del kept
    time.sleep(0.01)
time.sleep(0.2)
"""


def test_no_value_is_read_where_a_semaphore_was(bench: Bench) -> None:
    """Above the budget they are destroyed unseen, and their memory holds an allocator's pointers
    soon.
    """
    with Watched(bench, [sys.executable, "-S", "-c", LOCKS], ()) as run:
        assert run.finish() == 0
    levels = [
        level for event in run.events if isinstance(event, ev.Sample) for level in event.semaphores
    ]
    assert {level.value for level in levels} <= {-1, 0, 1}
    assert all(level.waiters <= 1 for level in levels)
