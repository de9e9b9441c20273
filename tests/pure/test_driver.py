"""Stepping without a screen, with a scripted session."""

from __future__ import annotations

import pytest

from ipcviz.cli.driver import Driver
from ipcviz.events import Finished, Opened
from ipcviz.model.steps.schedule import parse_schedule
from tests import fakes, stepped
from tests.stepped import Op


def test_all_take_turns_until_the_end():
    session = stepped.pair()
    driver = Driver(session)
    events = list(driver.iterate_events())
    assert driver.over
    assert driver.departed == ""
    assert driver.state.finished
    assert [event.n for event in events] == list(range(1, len(events) + 1))
    assert driver.recorder.lines[-1] == "1.1 exit_group"


def test_a_schedule_ends_where_it_ends():
    driver = Driver(stepped.pair(), parse_schedule("1 to write\n1.1 until blocked"))
    list(driver.iterate_events())
    assert driver.departed == ""
    assert not driver.state.finished
    assert driver.state.threads[61].waiting is not None


def test_a_departure_is_a_sentence():
    driver = Driver(stepped.pair(), parse_schedule("1 pipe2\n1 write"))
    list(driver.iterate_events())
    assert driver.departed == "Line 2 wants 1 to write, but it stands before fork."


def test_what_does_not_come_is_given_up_with_what_was_waited_for():
    clock = fakes.FrozenClock()
    session = stepped.pair()
    driver = Driver(
        session,
        parse_schedule("1 to write\n1.1 until blocked\n1.1 exit_group"),
        patience=5,
        clock=clock,
    )
    session.wait = lambda timeout: setattr(clock, "now", clock.now + 1)
    list(driver.iterate_events())
    assert (
        driver.departed
        == "Line 3 waited 5 seconds in vain for 1.1 to exit_group, but it is blocked in read:"
        " empty."
    )
    assert clock.now < 110


def test_time_that_will_come_is_waited_for():
    clock = fakes.FrozenClock()
    session = stepped.sleeper()
    driver = Driver(
        session, parse_schedule("1 alarm\n1 until blocked\n1 SIGALRM"), patience=5, clock=clock
    )

    def wait(timeout):
        clock.now += 1
        if clock.now > 160:
            session.blocked.discard(70)
            session.stands[70] = stepped.Poised(
                t=0, pid=70, tid=70, at="signal", signo=14, action="handler"
            )
            session._say(session.stands[70])

    session.wait = wait
    list(driver.iterate_events())
    assert driver.departed == ""
    assert clock.now > 150


def waiting_for_ever(second: Op):
    """A driver of a parent that waits for its child, which waits in `second`, by a clock that goes
    on by itself.
    """
    clock = fakes.FrozenClock()
    clock.now = 0
    made = (
        Opened(fd=3, ofd=10, object=fakes.PIPE, mode="r"),
        Opened(fd=4, ofd=11, object=fakes.PIPE, mode="w"),
    )
    parent = [
        Op("pipe2", effects=made),
        Op("fork", becomes="forks 61"),
        Op("wait4", becomes="blocks", args={"pid": 61}),
    ]
    session = stepped.SteppedSession({60: parent, 61: [second]}, {60: "parent", 61: "child"})

    def wait(timeout):
        clock.now += 1
        assert clock.now < 100, "it waits for ever"
        if clock.now > 50:
            session.feed(Finished(t=1, n=session.n + 1, code=0))

    session.wait = wait
    return Driver(session, patience=None, clock=clock), clock


def test_those_who_wait_for_each_other_are_told_and_it_ends():
    driver, clock = waiting_for_ever(
        Op("read", fakes.PIPE.key, "blocks", args={"fd": 3, "count": 1})
    )
    list(driver.iterate_events())
    assert clock.now < 10
    assert (
        driver.departed
        == "All wait, and none of them can wake another: parent[60] and child[61] wait for each"
        " other; parent[60] in wait4, for a child: child[61]; child[61] in read(3) on P1, empty."
    )
    assert not driver.notice


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (Op("read", "fifo", "blocks", args={"fd": 0}), "child[61] in read(0), empty."),
        (Op("flock", "file", "blocks", args={"fd": 5}), "child[61] in flock(5), the lock is held."),
        (Op("clock_nanosleep", becomes="blocks"), ""),
        (Op("futex", becomes="blocks", args={"timeout": "0x7ffe1000"}), ""),
    ],
)
def test_what_others_or_time_may_end_is_waited_for(second, told):
    driver, clock = waiting_for_ever(second)
    list(driver.iterate_events())
    assert clock.now > 50
    assert driver.departed == ""
    assert driver.notice.endswith(told) if told else not driver.notice
