"""Groups, sessions, terminals, reapers, namespaces, POSIX timers: against /proc and what the
program did.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ipcviz.events import PosixTimer
from ipcviz.kernel.procfs import read_stat
from ipcviz.kernel.surroundings import read_timers
from ipcviz.model.mechanisms.families import describe_reaper
from ipcviz.model.state import POSIX, State
from tests.integration.harness import Bench, Programs
from tests.integration.test_truth_locks import sentences
from tests.integration.watched import Watched

OTHERS = ("grouped", "alone", "orphan", "inner")


@pytest.mark.parametrize("options", [("--pty",), ("--full",)], ids=["terminal", "full"])
def test_families_and_timers(bench: Bench, programs: Programs, options: tuple[str, ...]) -> None:
    with Watched(bench, [programs["truth_families"]], ("armed", "ready"), *options) as run:
        facts = run.at("armed")
        pid = facts["pid"]
        pids = [pid, *(facts[name] for name in OTHERS)]

        def truth(one: int) -> tuple[int, ...] | None:
            found = read_stat(one)
            return found and (found.ppid, found.pgrp, found.session, found.tty, max(found.tpgid, 0))

        def told(state: State, one: int) -> tuple[int, ...] | None:
            found = state.processes.get(one)
            return found and (found.parent, found.pgrp, found.session, found.tty, found.foreground)

        kernel = [truth(one) for one in pids]

        def timers_of(state: State) -> tuple[PosixTimer, ...]:
            known = state.processes[pid].surroundings
            return known.timers if known is not None else ()

        state = run.until(
            lambda s: [told(s, one) for one in pids] == kernel and (pid, 27) in s.timers
        )
        assert [told(state, one) for one in pids] == kernel
        family = {name: state.processes[facts[name]] for name in OTHERS}
        assert family["grouped"].pgrp == facts["grouped"]
        assert family["alone"].session == facts["alone"]
        assert family["orphan"].parent == pid
        assert bool(facts["terminal"]) == (family["grouped"].tty != 0) == ("--pty" in options)
        if facts["terminal"]:
            assert state.processes[pid].foreground == facts["grouped"]
        assert state.processes[pid].subreaper
        assert describe_reaper(state, family["orphan"]).startswith(
            "its children would go to truth_families"
        )
        surroundings = family["inner"].surroundings
        assert surroundings is not None
        others = {
            kind for kind in ("ipc", "user", "net") if ns(facts["inner"], kind) != ns("self", kind)
        }
        assert others == set(surroundings.namespaces) & {"ipc", "user", "net"}
        if facts["apart"]:
            assert "ipc" in others

        timers = {key: timer for (owner, key), timer in state.timers.items() if owner == pid}
        assert timers_of(state) == read_timers(pid)
        assert [(timer.signo, timer.clock, timer.tid) for timer in timers_of(state)] == [
            (35, "CLOCK_MONOTONIC", 0),
            (12, "CLOCK_REALTIME", pid),
            (35, "CLOCK_BOOTTIME", 0),
        ]
        ids = [timer.id for timer in timers_of(state)]
        assert sorted(timers) == sorted([27, *(POSIX + number for number in ids)])
        first, second, third = (timers[POSIX + number] for number in ids)
        assert (first.signo, first.interval, third.armed, third.signo) == (35, 3.0, False, 35)
        assert 560 < first.due - state.t < 601
        assert 860 < second.due - state.t < 901
        assert (timers[27].clock, timers[27].due) == ("CPU time", 700.0)
        run.release("armed")
        assert run.finish() == 0
    log = sentences(run.events)
    who = {name: f"truth_families[{facts[name]}]" for name in ("pid", "parent", *OTHERS)}
    alone = facts["alone"]
    for line in (
        f"{who['grouped']} put itself into a group of its own, {facts['grouped']}",
        f"{who['alone']} began the session {alone} and the group {alone} in it, without a terminal",
        f"{who['pid']} gets the orphans among its descendants from now on (subreaper)",
        f"{who['parent']} exited with status 3; its child {who['orphan']} goes to {who['pid']}",
        f"{who['pid']} armed the timer {ids[0]}: SIGRTMIN+1 in 600 s, and again every 3 s",
        f"{who['pid']} made the timer {ids[1]}: it sends SIGUSR2 when it expires",
        f"{who['pid']} armed a timer: SIGPROF in 700 s of CPU time",
    ):
        assert line in log
    assert any(line.startswith(f"{who['pid']} removed the timer") for line in log)
    if facts["terminal"]:
        assert any(
            f"put the group {facts['grouped']} into the foreground of pts/" in line for line in log
        )
    if facts["apart"]:
        assert any(
            "left what it shared and has its own" in line and "IPC namespace" in line
            for line in log
        )


def ns(pid: int | str, kind: str) -> str:
    return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
