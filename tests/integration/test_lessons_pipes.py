"""The scenarios of pipes, stepped from first to last by each schedule: what each story tells is so
at the moment at which it is told, and the kernel says the same.
"""

from __future__ import annotations

import os

import pytest

from ipcviz.cli.driver import Driver
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.scenario import Story, explain_missing, find_scenario, prepare_launch, read_schedule
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig

pytestmark = pytest.mark.kernel


def descriptors_of_pipe(pid):
    """The numbers of a process's descriptors that are a pipe, read from /proc here."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{number}")
        if target.startswith("pipe:"):
            found[int(number)] = target
    return found


def step(name, variant, plan):
    """Step a scenario by a schedule. Returns the ids of the steps told, in order, with the state of
    each and what /proc said of its processes then.
    """
    scenario = find_scenario(name)
    if reason := explain_missing(scenario, variant):
        pytest.skip(reason)
    schedule, found = read_schedule(plan, scenario)
    story, state, told = Story(scenario), State(), {}
    with prepare_launch(scenario, variant, found.settings) as launch:
        config = LaunchConfig(argv=launch.argv, cwd=launch.cwd, terminal=True, hold=True)
        session = LiveSession(config)
        session.start()
        try:
            driver = Driver(session, schedule, Story(scenario), patience=20)
            pending = []
            for event in driver.iterate_events():
                before, state = state, reduce(state, event)
                move = story.feed(event, before, state)
                if move is not None and move.step is not None:
                    pending.append(scenario.story[move.step].id)
                pids = {role: pid for pid, role in story.roles.items()}
                if type(event).__name__ == "Settled" and pending:
                    living = {
                        role: descriptors_of_pipe(pid)
                        for role, pid in pids.items()
                        if state.processes[pid].fate == "alive"
                    }
                    told |= dict.fromkeys(pending, (state, living))
                    pending = []
            told |= dict.fromkeys(pending, (state, {}))
            assert not driver.departed
        finally:
            session.close()
    return told


@pytest.mark.parametrize("variant", ["py", "c"])
@pytest.mark.parametrize("plan", ["child-first", "parent-first"])
def test_pipe_fork(variant, plan):
    told = step("pipe-fork", variant, plan)
    assert {"pipe", "fork", "child-out", "child-read", "parent-in", "read", "end"} <= told.keys()
    assert ("sleeps" in told) == (plan == "parent-first")
    _, tables = told["fork"]
    (pipe,) = set(tables["parent"].values())
    assert tables["parent"] == tables["child"], "four descriptors of one pipe"
    assert list(tables["parent"].values()) == [pipe, pipe]
    _, tables = told["child-out"]
    assert tables["child"][1] == pipe
    _, tables = told["parent-in"]
    assert tables["parent"][0] == pipe
    _, tables = told["child-read"]
    if plan == "parent-first":
        assert 0 in tables["parent"], "the parent's end is as it was"


@pytest.mark.parametrize(
    ("variant", "plan"),
    [("py", "forgotten"), ("c", "forgotten"), ("py-closed", "closed"), ("c-closed", "closed")],
)
def test_pipe_eof(variant, plan):
    told = step("pipe-eof", variant, plan)
    assert {"pipe", "writer", "reader", "written", "executed", "got", "gone"} <= told.keys()
    _, tables = told["executed"]
    forgotten = plan == "forgotten"
    assert len(tables["cat"]) == (2 if forgotten else 1)
    assert ("waits" in told) == forgotten
    assert ("eof" in told) == (not forgotten)
    if forgotten:
        _, tables = told["waits"]
        assert len(tables["cat"]) == 2, "cat itself has the write end"
        assert "writer" not in tables
        assert not tables["parent"]
    else:
        assert "end" in told
