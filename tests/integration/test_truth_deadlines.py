"""Until when waits last at most, and the masks of those that bring their own, launched and attached
to.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ipcviz.app.panels.signals import masks_of_calls
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.waits import describe_wait
from tests.integration.attached import Attached, Target
from tests.integration.harness import Bench, Programs
from tests.integration.test_truth_signals import bits
from tests.integration.watched import Watched

WAYS = (
    "sem",
    "clock",
    "mutex",
    "condition",
    "queue",
    "sysv",
    "signal",
    "ppoll",
    "pselect",
    "epoll",
    "select",
)
SOCKETS = ("receive", "accept", "send")
MOMENTS = ("sem", "clock", "mutex", "condition", "queue", "sleep")
"""Which of the calls were given one; the others a length of time."""
USR1, USR2 = bits(10), bits(12)
MASKS = {"ppoll": 0, "pselect": USR2, "epoll": 0}
ALL = (*WAYS, *SOCKETS, "sleep", "forever")
PLUS = 1000
EACH = 100


def lasts(name: str) -> int:
    return PLUS + EACH * ALL.index(name)


def blocked(tid: int) -> int:
    text = Path(f"/proc/{tid}/status").read_text()
    return int(text.partition("SigBlk:\t")[2].split("\n")[0], 16)


def all_asleep(facts: dict[str, int], state: State) -> bool:
    return all(
        (thread := state.threads.get(facts[name])) is not None and thread.waiting for name in ALL
    )


def words(state: State, tid: int) -> str:
    wait = wait_of(state, tid)
    assert wait is not None
    return describe_wait(state, wait)


def test_launched(bench: Bench, programs: Programs) -> None:
    with Watched(bench, [programs["truth_deadlines"]], ("deadlines",)) as run:
        facts = run.at("deadlines")
        state = run.until(lambda s: all_asleep(facts, s))
        for name in (*WAYS, *SOCKETS, "sleep"):
            call = state.threads[facts[name]].waiting
            assert call is not None, name
            assert call.deadline is not None, name
            # When a call of a moment was entered is not when the program made up its mind about it.
            assert call.deadline - call.began == pytest.approx(lasts(name), abs=5), name
            assert words(state, facts[name]).endswith("min more"), words(state, facts[name])
        forever = state.threads[facts["forever"]].waiting
        assert forever is not None
        assert forever.deadline is None
        for name, mask in MASKS.items():
            thread = state.threads[facts[name]]
            assert (
                (thread.blocked, thread.own_mask)
                == (mask, USR1 | USR2)
                == (blocked(thread.tid), USR1 | USR2)
            )
            lets = "SIGUSR1, SIGUSR2" if mask == 0 else "SIGUSR1"
            assert f"(lets {lets} in)" in words(state, thread.tid)
            assert lets in masks_of_calls([thread])[0]
        run.release("deadlines")
        assert run.finish() == 0


def test_attached(bench: Bench, programs: Programs) -> None:
    """Of what was there before, moments are known; of lengths how long they are, not when they have
    begun.
    """
    with Target(bench, [programs["truth_deadlines"]], ("deadlines",)) as target:
        facts = target.at("deadlines")
        with Attached(bench, [target.pid]) as run:
            state = run.until(lambda s: all_asleep(facts, s))
            for name in (*WAYS, "sleep"):
                call = state.threads[facts[name]].waiting
                assert call is not None, name
                if name in MOMENTS:
                    assert call.deadline is not None, name
                    assert 0 < lasts(name) - (call.deadline - state.t) < 60, name
                else:
                    assert call.deadline is None, name
                    assert f"{lasts(name)} s at most" in words(state, facts[name])
            thread = state.threads[facts["ppoll"]]
            assert (thread.blocked, thread.own_mask) == (0, None)
            assert words(state, thread.tid).count("under a signal mask of its own") == 1
            run.leave()
        target.release("deadlines")
        assert target.process.wait(20) == 0
