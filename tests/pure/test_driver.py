"""Stepping without a screen, with a scripted session."""

from __future__ import annotations

from ipcviz.model.schedule import parse
from ipcviz.session.driver import Driver
from tests import fakes, stepped


def test_all_take_turns_until_the_end():
    session = stepped.pair()
    driver = Driver(session)
    events = list(driver.events())
    assert driver.over
    assert driver.departed == ""
    assert driver.state.finished
    assert [event.n for event in events] == list(range(1, len(events) + 1))
    assert driver.recorder.lines[-1] == "1.1 exit_group"


def test_a_schedule_ends_where_it_ends():
    driver = Driver(stepped.pair(), parse("1 to write\n1.1 until blocked"))
    list(driver.events())
    assert driver.departed == ""
    assert not driver.state.finished
    assert driver.state.threads[61].waiting is not None


def test_a_departure_is_a_sentence():
    driver = Driver(stepped.pair(), parse("1 pipe2\n1 write"))
    list(driver.events())
    assert driver.departed == "Line 2 wants 1 to write, but it stands before fork."


def test_what_does_not_come_is_given_up_with_what_was_waited_for():
    clock = fakes.FrozenClock()
    session = stepped.pair()
    driver = Driver(session, parse("1 to write\n1.1 until blocked\n1.1 exit_group"), patience=5, clock=clock)
    session.wait = lambda timeout: setattr(clock, "now", clock.now + 1)
    list(driver.events())
    assert driver.departed == (
        "Line 3 waited 5 seconds in vain for 1.1 to exit_group, but it is blocked in read: empty."
    )
    assert clock.now < 110


def test_time_that_will_come_is_waited_for():
    clock = fakes.FrozenClock()
    session = stepped.sleeper()
    driver = Driver(session, parse("1 alarm\n1 until blocked\n1 SIGALRM"), patience=5, clock=clock)

    def wait(timeout):
        clock.now += 1
        if clock.now > 160:
            session.blocked.discard(70)
            session.stands[70] = stepped.Poised(t=0, pid=70, tid=70, at="signal", signo=14, action="handler")
            session._say(session.stands[70])

    session.wait = wait
    list(driver.events())
    assert driver.departed == ""
    assert clock.now > 150
