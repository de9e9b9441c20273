"""Step mode of threads that wait in small slices: time that is due at once is no turn, and the
others get theirs.
"""

from __future__ import annotations

from collections import Counter

import ipcviz.events as ev
from ipcviz.model.steps.visible import MOST_SHORT_WAITS
from tests.integration.harness import Bench, Programs, read_stream

OPERATIONS = 20 + 6 + 6 + 2
"""What it does besides waiting: it writes and reads, makes six threads and waits for them, and
prepares that.
"""


def test_it_ends_in_a_number_of_steps(bench: Bench, programs: Programs) -> None:
    outcome = bench.run(bench.observed([programs["tiny_waits"]], "--step"))
    assert (outcome.status, outcome.stdout) == (0, b"done\n")
    events = read_stream(bench.stream)
    steps = sum(isinstance(event, ev.Stepped) for event in events)
    # All seven take turns; a few more go into births, deaths, and whoever blocks behind a lock.
    assert OPERATIONS < steps < 7 * 2 * OPERATIONS
    waits: Counter[int] = Counter()
    for event in events:
        if isinstance(event, ev.Stepped):
            waits.clear()
        elif isinstance(event, ev.Call) and event.name in (
            "clock_nanosleep",
            "ppoll",
            "pselect6",
            "epoll_wait",
        ):
            waits[event.tid] += 1
            assert waits[event.tid] <= MOST_SHORT_WAITS + 1
    poised = [event for event in events if isinstance(event, ev.Poised) and event.repeated]
    assert {event.call for event in poised} & {"futex", "clock_nanosleep", "ppoll"}
    assert {event.repeated for event in poised} == {MOST_SHORT_WAITS + 1}
