"""The scenarios of pipes, stepped from first to last by each schedule: what each story tells is so
at the moment at which it is told, and the kernel says the same.
"""

from __future__ import annotations

import os

import pytest

from ipcviz.scenario import find_scenario
from tests.integration.lessons import run_lesson

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
    """Step a scenario by a schedule. Returns the ids of the steps told, with the descriptors that
    /proc said its living processes had of pipes, while all were held behind the step.
    """
    tables = {}

    def read_tables(told):
        def read(seen):
            tables[told] = {
                role: descriptors_of_pipe(pid)
                for role, pid in seen.pids.items()
                if seen.state.processes[pid].fate == "alive"
            }

        return read

    ids = [one.id for one in find_scenario(name).story]
    lesson = run_lesson(name, variant, plan, readers={told: read_tables(told) for told in ids})
    assert not lesson.departed
    return {told: tables.get(told, {}) for told in lesson.told}


@pytest.mark.parametrize("variant", ["py", "c"])
@pytest.mark.parametrize("plan", ["child-first", "parent-first"])
def test_pipe_fork(variant, plan):
    told = step("pipe-fork", variant, plan)
    assert {"pipe", "fork", "child-out", "child-read", "parent-in", "read", "end"} <= told.keys()
    assert ("sleeps" in told) == (plan == "parent-first")
    tables = told["fork"]
    (pipe,) = set(tables["parent"].values())
    assert tables["parent"] == tables["child"], "four descriptors of one pipe"
    assert list(tables["parent"].values()) == [pipe, pipe]
    tables = told["child-out"]
    assert tables["child"][1] == pipe
    tables = told["parent-in"]
    assert tables["parent"][0] == pipe
    tables = told["child-read"]
    if plan == "parent-first":
        assert 0 in tables["parent"], "the parent's end is as it was"


@pytest.mark.parametrize(
    ("variant", "plan"),
    [("py", "forgotten"), ("c", "forgotten"), ("py-closed", "closed"), ("c-closed", "closed")],
)
def test_pipe_eof(variant, plan):
    told = step("pipe-eof", variant, plan)
    assert {"pipe", "writer", "reader", "written", "executed", "got", "gone"} <= told.keys()
    tables = told["executed"]
    forgotten = plan == "forgotten"
    assert len(tables["cat"]) == (2 if forgotten else 1)
    assert ("waits" in told) == forgotten
    assert ("eof" in told) == (not forgotten)
    if forgotten:
        tables = told["waits"]
        assert len(tables["cat"]) == 2, "cat itself has the write end"
        assert "writer" not in tables
        assert not tables["parent"]
    else:
        assert "end" in told
