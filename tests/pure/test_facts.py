"""What hardly changes of a process and of the machine, in words and in the state."""

from __future__ import annotations

import time

import pytest

from ipcviz.events import Exited, Forked, Limit, MachineFacts, ProcessFacts, Sample, Started
from ipcviz.model.reduce import reduce_all
from ipcviz.narrate.facts import describe_facts, describe_machine, join_ranges

HOST = MachineFacts(cpus=8, usable=6, memory=24 << 30, load=0.5)
FACTS = ProcessFacts(
    pid=7,
    user="www-data",
    started=1_000_000_000.0,
    nice=5,
    io_class="idle",
    cpus=(0, 1, 2, 6),
    open_files=12,
    limits=(
        Limit("open files", 1024, 4096),
        Limit("stack size", 8 << 20, -1),
        Limit("address space", -1, -1),
        Limit("CPU time", 3600, 3600),
    ),
)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """Who reads it lives in another time zone."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def test_a_process_in_three_lines():
    assert describe_facts(FACTS, HOST, 1_000_000_090.0) == [
        "of user www-data, started 2001-09-09 01:46:40 UTC, 90 s before this moment",
        "nice 5, I/O class idle, may run on CPU 0-2,6",
        "limits: open files 1,024 (12 open) (at most 4,096), stack size 8M, CPU time 3,600 s",
    ]


def test_what_is_not_known_is_not_said():
    facts = ProcessFacts(pid=7, user="1000", started=1_000_000_000.0, cpus=tuple(range(8)))
    assert describe_facts(facts, HOST, 0.0) == [
        "of user 1000, started 2001-09-09 01:46:40 UTC",
        "nice 0, may run on any CPU",
    ]


@pytest.mark.parametrize("started", [-1.0, 1e300, float("inf"), float("nan")])
def test_no_time_of_a_hostile_trace_is_one(started):
    first, *_ = describe_facts(
        ProcessFacts(pid=7, user="1000", started=started, cpus=(0,)), HOST, 0.0
    )
    assert first == "of user 1000, started at an unknown time"


def test_the_machine_in_a_line():
    assert describe_machine(HOST) == "8 CPUs (6 usable), 24G of memory, load 0.50"
    assert describe_machine(MachineFacts(1, 1, 512 << 20)) == "1 CPU, 512M of memory, load 0.00"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((), ""), ((3,), "3"), ((0, 1), "0-1"), ((0, 2, 4), "0,2,4"), ((1, 2, 3, 9, 10), "1-3,9-10")],
)
def test_ranges_as_taskset_writes_them(numbers, text):
    assert join_ranges(numbers) == text


def test_the_state_keeps_the_facts_of_living_processes():
    began = [
        Started(t=0.0, n=1, host=HOST, began=1e9),
        Forked(t=0.1, n=2, pid=7, parent=1, how="launched"),
    ]
    state = reduce_all([*began, Sample(t=0.2, n=3, facts=(FACTS,))])
    assert state.processes[7].facts == FACTS
    assert state.started is not None
    assert state.started.host == HOST
    late = Sample(t=0.4, n=4, facts=(FACTS,))
    assert reduce_all([*began, Exited(t=0.3, n=3, pid=7), late]).processes[7].facts is None
