"""Who woke whom, of calls that do not say it: a shared futex, and a System V semaphore."""

from __future__ import annotations

import pytest

from ipcviz import events as ev
from ipcviz.model.lanes import find_arrows
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from tests.integration.harness import Bench, Programs, read_stream

pytestmark = pytest.mark.kernel


def test_each_that_slept_was_woken_by_the_other_one(bench: Bench, programs: Programs) -> None:
    bench.clear()
    bench.run(bench.observed([programs["wakes"]]))
    state, found, wakers = State(), [], {}
    parent = 0
    for event in read_stream(bench.stream):
        before, state = state, reduce(state, event)
        if isinstance(event, ev.Forked) and event.how == "launched":
            parent = event.pid
        if isinstance(event, ev.Call):
            wakers[event.n] = (event.pid, event.name.removesuffix("timedop").removesuffix("op"))
        for arrow in find_arrows(event, before, state):
            if arrow.leads == "wake":
                found.append((arrow.target != parent, *wakers[arrow.n]))
    assert found == [(True, parent, "futex"), (True, parent, "sem")]
