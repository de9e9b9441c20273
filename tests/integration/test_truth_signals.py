"""Masks, dispositions and pending signals, against /proc/PID/task/TID/status."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate import narrate
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
    with Watched(
        bench, [programs["truth_signals"]], ("signals",), *([option] if option else [])
    ) as run:
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
    """Twenty blocked SIGUSR1 become one delivery; twelve queued real-time signals stay twelve, in
    order.
    """
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


def test_ways_of_a_signal(bench: Bench, programs: Programs) -> None:
    """Taken by sigwait and by a signalfd, a handler left by a jump, EINTR or not, SA_RESETHAND, a
    forced fault.
    """
    with Watched(bench, [programs["signal_ways"]], ()) as run:
        assert run.finish() == 0
        first = next(e.pid for e in run.events if isinstance(e, ev.Forked))
        taken = [e for call in calls(run, first) for e in call.effects if isinstance(e, ev.Taken)]
        assert [(e.signo, e.code, e.sender == first) for e in taken] == [
            *[(10, "SI_USER", False)] * 3,
            (10, "SI_USER", True),
            (12, "SI_USER", True),
        ]
        assert not any(s.coalesced for s in run.state.sent)
        assert all(s.delivered for s in run.state.sent if s.target == first)
        left = [
            e.jumped for e in run.events if isinstance(e, ev.HandlerReturned) and e.pid == first
        ]
        assert left == [True, False, False]
        arrived = [e for e in run.events if isinstance(e, ev.SignalDelivered)]
        reads = [e.outcome for e in arrived if e.pid == first and e.interrupted == "read"]
        assert reads == ["EINTR", "again"]
        once = next(e.pid for e in arrived if e.signo == 10 and e.pid != first)
        assert [e.action for e in arrived if e.pid == once] == ["handler", "terminate"]
        fault = next(e.pid for e in arrived if e.signo == 11)
        assert [e.action for e in arrived if e.pid == fault] == ["handler", "core"]
        story = "\n".join(told(run))
        assert "(PR_SET_PDEATHSIG), reached" in story
        assert "was left by a jump (siglongjmp)" in story


def test_jumps_out_of_handlers_on_other_stacks(bench: Bench, programs: Programs) -> None:
    """On an alternate stack, in whatever place that is, or on none: a return is no jump, and a jump
    is seen as one.
    """
    with Watched(bench, [programs["jumps"]], ()) as run:
        assert run.finish() == 0
        left = [e.jumped for e in run.events if isinstance(e, ev.HandlerReturned)]
        assert left == [False, True, True, True] * 5


def calls(run: Watched, pid: int) -> list[ev.Call]:
    return [e for e in run.events if isinstance(e, ev.Call) and e.pid == pid]


def told(run: Watched) -> list[str]:
    """The log of the whole run."""
    state, sentences = State(), []
    for event in run.events:
        before, state = state, reduce(state, event)
        sentence = narrate(event, before, state)
        sentences.append(sentence.text if sentence is not None else "")
    return sentences


INSIDE = """
import os, signal, sys
pid = os.fork()
if pid == 0:
    signal.pause()
os.kill(pid, signal.SIGUSR1)
os.waitpid(pid, 0)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.kill(0, signal.SIGKILL)
os.waitpid(pid, 0)
os.kill(os.getpid(), 0)
"""


def test_numbers_of_another_pid_namespace(bench: Bench) -> None:
    """Senders, targets and children are told by our numbers, not by those that the programs use
    among themselves.
    """
    if bench.actor.uid:
        pytest.skip("an ordinary user may not make a PID namespace everywhere")
    with Watched(
        bench, ["unshare", "-pf", "--mount-proc", sys.executable, "-S", "-c", INSIDE], ()
    ) as run:
        assert run.finish() == 0
        outer, one, *others = (e.pid for e in run.events if isinstance(e, ev.Forked))
        assert [(e.pid, e.by) for e in run.events if isinstance(e, ev.Reaped)][:3] == [
            *((pid, one) for pid in others),
            (one, outer),
        ]
        sent = [
            e for call in (c for c in run.events if isinstance(c, ev.Call)) for e in call.effects
        ]
        assert next((e.target, e.signo) for e in sent if isinstance(e, ev.Sent)) == (others[0], 10)
        arrived = [
            (e.pid, e.signo, e.sender) for e in run.events if isinstance(e, ev.SignalDelivered)
        ]
        assert (others[0], 10, one) in arrived
        assert {(one, 17, pid) for pid in others} <= set(arrived)
