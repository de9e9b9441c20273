"""Locks that a child has got in a copy of its parent's memory, while a thread held them that did
not come along.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.values import Wait
from ipcviz.narrate.waits import explain_wait
from tests.integration.harness import Bench, Programs, by_turns, ordinary
from tests.integration.watched import Watched

MODES = ((), ("--full",), ("--no-seccomp",))
LOCKS = ("mutex", "rwlock", "semaphore", "stdio", "malloc", "join", "own", "shared")
CASES = [(lock, MODES[n % 3]) for n, lock in enumerate(LOCKS)]


def family(state: State) -> tuple[int, int]:
    """The command's process and its child; 0 for who is not there yet."""
    child = next((p for p in state.processes.values() if p.parent in state.processes), None)
    return (child.parent, child.pid) if child is not None else (0, 0)


def waits_in(run: Watched) -> tuple[State, Wait]:
    """What the child waits for, once its wait is told."""
    state = run.until(lambda s: wait_of(s, family(s)[1]) is not None)
    wait = wait_of(state, family(state)[1])
    assert wait is not None
    return state, wait


@pytest.mark.parametrize(("bench", "lock", "options"), by_turns(CASES), indirect=["bench"])
def test_in_c(bench: Bench, programs: Programs, lock: str, options: tuple[str, ...]) -> None:
    with Watched(bench, [programs["fork_held"], lock], (), *options) as run:
        state, wait = waits_in(run)
        parent, _ = family(state)
        holder = next(tid for tid in state.processes[parent].threads if tid != parent)
        here = f"fork_held[{parent}]"
        theirs = f"fork_held[{parent}/{holder}] held; nobody here can release it"
        another = f"another thread of {here} held; no other thread is here to release it"
        words = {
            "mutex": f"a copy, made by fork, of a mutex that {theirs}",
            "rwlock": f"a copy, made by fork, of what is probably a read-write lock that {theirs}",
            "semaphore": f"0, probably a copy, made by fork, of a semaphore that {another}",
            "stdio": f"probably a copy, made by fork, of a lock that {another}",
            "malloc": f"probably a copy, made by fork, of a lock that {another}",
            "join": (
                f"until thread {holder} ends, which stayed in {here} at a fork: only there its end"
                " is told"
            ),
            "own": "probably a lock, whose owner is not known",
            "shared": f"a mutex held by fork_held[{parent}/{holder}]",
        }
        assert explain_wait(state, wait) == words[lock]


def test_of_musl(bench: Bench, programs: Programs) -> None:
    with Watched(bench, [programs.musl("fork_held"), "mutex"], ()) as run:
        state, wait = waits_in(run)
        parent, _ = family(state)
        where = f"another thread of {state.processes[parent].name}[{parent}]"
        words = (
            f"probably a copy, made by fork, of a lock that {where} held; no other thread is here"
            " to release it"
        )
        assert explain_wait(state, wait) == words


PYTHON = """
import os, threading
lock = threading.Lock()
taken = threading.Event()
def hold():
    with lock:
        taken.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
taken.wait()
if os.fork() == 0:
    lock.acquire()
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("bench", ordinary(), indirect=True, ids=lambda actor: actor.name)
@pytest.mark.parametrize("options", [(), ("--full",)], ids=["live", "full"])
def test_a_lock_of_python(bench: Bench, options: tuple[str, ...]) -> None:
    with Watched(bench, [sys.executable, "-c", PYTHON], (), *options) as run:
        state, wait = waits_in(run)
        parent, _ = family(state)
        assert "probably a copy, made by fork, of a semaphore" in explain_wait(state, wait)
        assert explain_wait(state, wait).endswith("held; no other thread is here to release it")
        assert f"another thread of {state.processes[parent].name}[{parent}]" in explain_wait(
            state, wait
        )


def test_a_deadlock_in_steps(bench: Bench, programs: Programs) -> None:
    with bench.start(
        bench.observed([programs["fork_held"], "mutex"], "--step"), stderr=subprocess.PIPE
    ) as process:
        _, said = process.communicate(timeout=30)
    assert b"a copy, made by fork, of a mutex that fork_held[" in said
