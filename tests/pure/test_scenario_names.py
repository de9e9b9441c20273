"""The names that a scenario gives to objects: each of them is somebody's in its kept run."""

from __future__ import annotations

import pytest

from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.scenario import find_scenario
from ipcviz.scenario.recognise import Recognised, recognise_roles
from tests.kept_runs import ENDING, FOLDER, read_run

ELSEWHERE = {
    "fifo-adapter": {"the copy"},
    "sem-counter": {"lock"},
    "sigcont": {"the FIFO"},
    "unsafe-handler": {"the pipe", "the signalfd"},
}
"""Names of what only other variants than the kept one have."""


@pytest.mark.parametrize("name", sorted(p.name.removesuffix(ENDING) for p in FOLDER.glob("*")))
def test_each_named_object_is_found(name):
    """A pattern that fits nothing leaves the picture without what the story speaks of."""
    scenario, (_, events) = find_scenario(name), read_run(name)
    cast, state = Recognised(), State()
    for event in events:
        state = reduce(state, event)
        cast = recognise_roles(scenario, cast, event, state)
    named = {label.name for label in scenario.objects} - ELSEWHERE.get(name, set())
    assert named == set(cast.labels.values()) & named
