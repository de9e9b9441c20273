"""Values and waiters of semaphores, against sem_getvalue and semctl."""

from __future__ import annotations

import os

from ipcviz import events as ev
from ipcviz.model.state import Semaphore, State
from tests.integration.harness import Bench, Programs
from tests.integration.watched import Watched


def by_name(state: State, name: str) -> Semaphore | None:
    return next((s for s in state.semaphores.values() if s.info.name == name), None)


def unnamed(state: State, offset: int) -> Semaphore | None:
    return next((s for s in state.semaphores.values() if s.info.kind == "unnamed" and s.info.offset == offset), None)


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
            return {key: (s.value, max(s.waiters, 0)) if s else (None, -1) for key, s in found.items()}

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
        run.release("semaphores")
        assert run.finish() == 0


def test_each_operation_is_told_once(bench: Bench, programs: Programs) -> None:
    """A hundred rounds of ping-pong are a hundred waits and a hundred posts on each side."""
    with Watched(bench, [programs["sem_shared"]], (), "--full") as run:
        assert run.finish() == 0
        ops = [(e.op, e.pid) for e in run.events if isinstance(e, ev.SemaphoreOp)]
        parent = next(e.pid for e in run.events if isinstance(e, ev.Forked) and e.how == "launched")
        child = next(e.pid for e in run.events if isinstance(e, ev.Forked) and e.parent == parent)
        assert ops.count(("post", parent)) == ops.count(("post", child)) == ops.count(("wait", child)) == 100
        assert ops.count(("wait", parent)) == 101
        assert ops.count(("init", parent)) == 2
