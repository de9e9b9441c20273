"""Every scenario's run, at every size: what the screen has to tell can be read."""

from __future__ import annotations

import os

import pytest

from ipcviz.scenario import find_scenario, load_all
from tests.app.shown import choose_moments, find_told, show_run
from tests.kept_runs import FOLDER, read_run

SIZES = ((80, 24), (100, 30), (120, 36))
EVERY = "IPCVIZ_EVERY_STEP" in os.environ
"""Whether each operation of a run is looked at, and not only where the story goes on, and turns."""
SHIPPED = sorted(one.name for one in load_all())
FOLDED = {"hierarchy"}
"""Scenarios of which not all processes have room for a box of their own at any of these sizes."""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_kept_run_still_tells_what_it_told(name):
    assert (FOLDER / f"{name}.jsonl.xz").exists(), f"make it: python -m tests.make_traces {name}"
    run, _ = read_run(name)
    known = {step.id for step in find_scenario(name).story}
    missing = (set(run.told) & known) - set(find_told(name))
    assert not missing, f"make it anew: python -m tests.make_traces {name}"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", SHIPPED)
async def test_story_step_line_and_processes_can_be_read(name, size):
    found = []
    async with show_run(name, size) as shown:
        for n in choose_moments(name, every=EVERY):
            await shown.go_to(n)
            found += [f"event {n}: {line}" for line in shown.list_unreadable()]
    if name in FOLDED:
        found = [line for line in found if "picture:" not in line]
    assert not found, "\n".join(found)
