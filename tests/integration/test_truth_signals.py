"""Masks, dispositions and pending signals, against /proc/PID/task/TID/status."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.model.state import State
from tests.integration.harness import Bench, Programs
from tests.integration.watched import Watched


def bits(*signals: int) -> int:
    return sum(1 << (signo - 1) for signo in signals)


def from_proc(pid: int, tid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/task/{tid}/status").read_text().splitlines()
    fields = dict(line.split(":\t") for line in lines if line.startswith(("Sig", "ShdPnd")))
    return {name: int(value, 16) for name, value in fields.items() if name != "SigQ"}


def from_state(state: State, pid: int, tid: int) -> dict[str, int]:
    process, thread = state.processes.get(pid), state.threads.get(tid)
    if process is None or thread is None or process.sample is None:
        return {}
    return {
        "SigPnd": thread.pending,
        "ShdPnd": process.sample.pending,
        "SigBlk": thread.blocked,
        "SigIgn": process.sample.ignored,
        "SigCgt": process.sample.caught,
    }


@pytest.mark.parametrize("option", ["", "--full"])
def test_masks_and_pending(bench: Bench, programs: Programs, option: str) -> None:
    with Watched(bench, [programs["truth_signals"]], ("signals",), *([option] if option else [])) as run:
        facts = run.at("signals")
        pid, tids = facts["pid"], (facts["pid"], facts["thread"])
        truth = [from_proc(pid, tid) for tid in tids]
        state = run.until(lambda s: [from_state(s, pid, tid) for tid in tids] == truth)
        assert [from_state(state, pid, tid) for tid in tids] == truth
        assert truth[0]["SigPnd"] == bits(15)
        assert truth[0]["ShdPnd"] == bits(12)
        handling = state.processes[pid].handling
        actions = {signo: how.action for signo, how in handling.items() if how.action != "default"}
        actions.pop(33, None)  # glibc's own, for its threads (nptl/internaltypes.h: SIGSETXID)
        assert actions == {1: "ignore", 13: "ignore", 15: "catch", 10: "catch"}
        assert handling[10].mask == bits(28)
        assert state.threads[tids[1]].handlers == (10,)
        run.release("signals")
        assert run.finish() == 0


def test_sent_and_delivered(bench: Bench, programs: Programs) -> None:
    """Twenty blocked SIGUSR1 become one delivery; twelve queued real-time signals stay twelve, in order."""
    with Watched(bench, [programs["signals_exact"]], ()) as run:
        assert run.finish() == 0
        first = next(e.pid for e in run.events if isinstance(e, ev.Forked))
        arrived = [e for e in run.events if isinstance(e, ev.SignalDelivered) and e.pid == first]
        assert sum(e.signo == 10 for e in arrived) == 4
        assert [(e.signo - 34, e.value) for e in arrived if e.signo >= 34] == [
            (k, v) for k in range(3) for v in range(2 - k, 12, 3)
        ]
        sent = [
            effect
            for e in run.events
            if isinstance(e, ev.Call) and e.pid == first
            for effect in e.effects
            if isinstance(effect, ev.Sent)
        ]
        assert sum(s.signo == 10 for s in sent) == 20
        assert sum(s.signo >= 34 for s in sent) == 12
        assert sum(s.coalesced for s in run.state.sent if s.signo == 10 and s.sender == first) == 19
