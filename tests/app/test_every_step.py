"""Every scenario's run, at every size: what the screen has to tell can be read, and at the moment
that answers the scenario's question it looks as it did.

`pytest tests/app/test_every_step.py --snapshot-update` keeps how it looks now.
"""

from __future__ import annotations

import os

import pytest

from ipcviz.app.themes import DARK, LIGHT
from ipcviz.scenario import find_scenario, load_all
from tests import looks
from tests.app.shown import choose_moments, find_answer, find_told, show_run
from tests.kept_runs import FOLDER, read_run

SIZES = ((80, 24), (100, 30), (120, 36))
LOOKED_AT = ((80, 24), (120, 36))
"""The sizes at which it is kept what the answer looks like."""
EVERY = "IPCVIZ_EVERY_STEP" in os.environ
"""Whether each operation of a run is looked at, and not only where the story goes on."""
SHIPPED = sorted(one.name for one in load_all())


def name_size(size):
    return "x".join(map(str, size))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_kept_run_still_tells_what_it_told(name):
    assert (FOLDER / f"{name}.jsonl.xz").exists(), f"make it: python -m tests.make_traces {name}"
    run, _ = read_run(name)
    known = {step.id for step in find_scenario(name).story}
    missing = (set(run.told) & known) - set(find_told(name))
    assert not missing, f"make it anew: python -m tests.make_traces {name}"


def list_cases():
    """Every scenario at the sizes at which its look is kept, and every third of them between, which
    keeps the suite quick; all at all sizes where each operation is looked at.
    """
    for number, name in enumerate(SHIPPED):
        for size in SIZES:
            if EVERY or size in LOOKED_AT or number % 3 == 0:
                yield pytest.param(name, size, id=f"{name}-{name_size(size)}")


async def look_at_run(name, size):
    """What can't be read at a run's moments, and what it looks like at its answer."""
    unreadable, seen = [], {}
    async with show_run(name, size) as shown:
        for n in choose_moments(name, every=EVERY):
            await shown.go_to(n)
            unreadable += [f"event {n}: {line}" for line in shown.list_unreadable()]
            if n == find_answer(name) and size in LOOKED_AT:
                for theme in (LIGHT, DARK):
                    await shown.set_theme(theme.name)
                    seen[f"{name_size(size)} {theme.name}"] = looks.take_look(shown.app)
        if size == SIZES[0]:
            unreadable += await shown.list_untellable()
    return unreadable, seen


def list_all_differences(kept, seen):
    """How the looks of a run differ from those that are kept."""
    return [
        line
        for what, look in seen.items()
        for line in (what, *looks.list_differences(kept.get(what), look))
        if line != what or list(looks.list_differences(kept.get(what), look))
    ]


@pytest.mark.parametrize(("name", "size"), list_cases())
async def test_story_step_line_and_processes_can_be_read(name, size, request):
    unreadable, seen = await look_at_run(name, size)
    assert not unreadable, "\n".join(unreadable)
    if EVERY:
        return  # Where boxes stand depends on what was drawn before: these are other looks.
    path = looks.FOLDER / f"{name}.txt"
    kept = looks.read_looks(path)
    if request.config.getoption("--snapshot-update"):
        looks.write_looks(path, dict(sorted((kept | seen).items())))
        return
    differences = list_all_differences(kept, seen)
    assert not differences, "\n".join([name, *differences])
