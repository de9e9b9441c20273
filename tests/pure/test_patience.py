"""How the tracer waits for the next stop: awake, or on a crowded machine asleep."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from ipcviz.kernel import ptrace
from ipcviz.tracer import patience as module
from ipcviz.tracer.patience import IMPATIENCE, PATIENCE, Patience

STOP = (7, ptrace.AT_CALL)
NONE = (0, 0)


@pytest.fixture
def machine(monkeypatch):
    """A clock, what an offer of the CPU costs, the stops that come, and what the tracer did."""
    found = SimpleNamespace(now=100.0, price=1e-6, stops=[], done=[], timer=[])

    def offer():
        found.done.append("offered")
        found.now += found.price

    def sleep():
        found.done.append("slept")
        return STOP

    monkeypatch.setattr(time, "monotonic", lambda: found.now)
    monkeypatch.setattr(os, "sched_yield", offer)
    monkeypatch.setattr(ptrace, "wait_asleep", sleep)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(signal, "setitimer", lambda *args: found.timer.append(args[1]))
    found.wait = lambda: found.stops.pop(0) if found.stops else NONE
    return found


def test_a_stop_that_is_there_is_taken(machine):
    machine.stops = [STOP]
    assert Patience(machine.wait, sleeps=True).wait_after_stop() == STOP
    assert not machine.done


def test_with_a_free_cpu_the_tracer_stays_awake_and_each_time_for_less(machine):
    patience = Patience(machine.wait, sleeps=True)
    offers = []
    for _ in range(6):
        machine.done.clear()
        assert patience.wait_after_stop() == NONE
        offers.append(len(machine.done))
    assert abs(offers[0] - PATIENCE / 1e-6) <= 1
    assert abs(offers[1] - offers[0] / 2) <= 1
    assert abs(offers[-1] - IMPATIENCE / 1e-6) <= 1
    machine.stops = [NONE, NONE, STOP]
    assert patience.wait_after_stop() == STOP
    assert not machine.timer


def test_on_a_crowded_machine_it_sleeps(machine):
    patience = Patience(machine.wait, sleeps=True)
    machine.price = 4 * module.LONG_YIELD
    machine.stops = [NONE, STOP]
    assert patience.wait_after_stop() == STOP
    assert machine.done == ["offered"]
    assert [patience.wait_after_stop() for _ in range(3)] == [STOP] * 3
    assert machine.done == ["offered", *["slept"] * 3]
    assert machine.timer == [module.ASLEEP_SECONDS], "one timer for all of them"
    patience.stop_ticking()
    assert machine.timer[1:] == [0.0]
    machine.now += module.CROWDED_SECONDS
    patience.wait_after_stop()
    assert machine.done[-1] == "offered", "it may be crowded no more"


@pytest.mark.parametrize(("sleeps", "quick"), [(True, True), (False, False)])
def test_it_never_sleeps_where_that_would_be_felt(machine, sleeps, quick):
    patience = Patience(machine.wait, sleeps=sleeps)
    machine.price = 4 * module.LONG_YIELD
    for _ in range(3):
        patience.wait_after_stop(quick=quick)
    assert "slept" not in machine.done
