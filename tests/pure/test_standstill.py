"""Why nobody can be let go on, in words. Who goes on when time has passed is told apart."""

from __future__ import annotations

import pytest

from ipcviz import events as ev
from ipcviz.model.reduce import reduce_all
from ipcviz.narrate.standstill import describe_standstill
from tests.pure.test_circles import BOTH_READ, asleep, born

REST = tuple(ev.Exited(t=1.0, pid=pid, code=0) for pid in (11, 12))
ALARM = ev.Call(
    t=1.0, pid=10, tid=10, name="alarm", effects=(ev.Timer(change="set", signo=14, seconds=9.0),)
)


def describe(*events):
    return describe_standstill(reduce_all([*born(), *events]), (), 3.0)


@pytest.mark.parametrize(
    ("events", "begin"),
    [
        (
            (asleep(10, "pause"), *REST),
            "nobody can go on: a[10] waits for a signal (pause); no timer",
        ),
        (
            (asleep(10, "clock_nanosleep"), *REST),
            "all wait until time has passed: a[10] is in clock",
        ),
        (
            (asleep(10, "poll", timeout=500), *REST),
            "all wait until time has passed: a[10] is in poll",
        ),
        ((ALARM, asleep(10, "pause"), *REST), "all wait until time has passed: a[10] waits for"),
        ((*BOTH_READ, asleep(12, "pause")), "nobody can go on: a[10] is in read(3)"),
        (
            (*BOTH_READ, asleep(12, "nanosleep")),
            "all wait until time has passed: c[12] is in nanosl",
        ),
    ],
)
def test_time_is_told_apart(events, begin):
    assert describe(*events).startswith(begin)


def test_an_armed_timer_is_named():
    said = describe(ALARM, asleep(10, "pause"), *REST)
    assert said.endswith("the timer of a[10] for SIGALRM is armed")


def test_nobody_is_left():
    assert describe_standstill(reduce_all([]), ()) == "nobody is left who could go on"
