"""Schedules: reading and writing them, what they want next, and where a run departs from one."""

from __future__ import annotations

import pytest

from ipcviz.events import Breakpoint, Call, Exited, Let, Poised, RunUntil, SendSignal
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps.breakpoints import find_reached
from ipcviz.model.steps.schedule import (
    GivenNames,
    Recorder,
    ScheduleError,
    format_breakpoint,
    parse_schedule,
)
from ipcviz.model.steps.scheduler import LEFT_BY_HAND, Scheduler, _is_operation
from ipcviz.narrate.steps import describe_awaited
from tests import stepped


class Run_:
    """A scripted session, its state, a scheduler and a recorder."""

    def __init__(self, session, text, names=None):
        self.session, self.state, self.names = session, State(), names or GivenNames()
        self.scheduler, self.recorder = Scheduler(parse_schedule(text)), Recorder()
        self.drain()

    def drain(self):
        for event in self.session.drain():
            self.recorder.record_event(event, self.state, self.names)
            self.scheduler.apply_event(event)
            self.state = reduce(self.state, event)

    def go(self, most=50):
        """Do what the schedule wants until it only waits, is done or has been departed from."""
        for _ in range(most):
            assert not self.scheduler.is_busy(self.state)
            move = self.scheduler.pop_move(self.state, self.names)
            if move.command is None:
                return move
            self.session.send(move.command)
            self.drain()
        raise AssertionError("it goes on and on")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("consumer read\nconsumer\n", 2, "'consumer' is no step"),
        ("until SIGFOO pending on sleeper", 1, "'SIGFOO' is not a signal"),
        ("# first\n\nsignal KILL to sleeper", 3, "'KILL' is not a signal"),
        ("run\nconsumer read", 2, "nothing can follow 'run'"),
        ("turns\nrun", 2, "nothing can follow 'turns'"),
        ("run until full", 1, "'full' is no breakpoint"),
        ("run until is=half", 1, "'half' is not a condition"),
        ('run until on="the pipe', 1, "not closed"),
        ("consumer to read on", 1, "is no step"),
    ],
)
def test_what_is_no_schedule_is_said_with_its_line(text, line, words):
    with pytest.raises(ScheduleError, match=words) as caught:
        parse_schedule(text)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"line {line}: ")
    assert not caught.value.message.endswith(".")


def test_lines_and_goals_are_read():
    lines = parse_schedule(
        "# comment\nconsumer read on the pipe  # why\n1.2/3 SIGRTMIN+3\nsleeper to pause\nprint"
        " server until blocked\nsleeper to end\nuntil SIGALRM pending on sleeper\nsignal SIGUSR1 to"
        " 1.2\nrun until call=write on=P1 or is=full\n"
    ).lines
    assert [line.kind for line in lines] == [
        "step",
        "step",
        "to",
        "until blocked",
        "to end",
        "pending",
        "signal",
        "run",
    ]
    assert (lines[0].who, lines[0].operation, lines[0].on, lines[0].number) == (
        "consumer",
        "read",
        "the pipe",
        2,
    )
    assert (lines[1].who, lines[1].operation) == ("1.2/3", "SIGRTMIN+3")
    assert lines[3].who == "print server"
    assert lines[7].until == ({"call": "write", "on": "P1"}, {"is": "full"})


def test_steps_are_made_in_the_order_of_the_schedule():
    run = Run_(
        stepped.pair(),
        "1 pipe2\n1 fork\n1.1 start\n1.1 read\n1 write\n1.1 return\n1.1 exit_group\n1 exit_group",
    )
    assert run.go().done
    assert [c.tid for c in run.session.commands] == [60, 60, 61, 61, 60, 61, 61, 60]
    assert run.state.finished


def test_what_was_recorded_can_be_repeated():
    first = Run_(stepped.pair(), "turns")
    assert first.go().done
    text = first.recorder.format_schedule("a pair")
    assert "1.1 read" in text
    assert "# P1" in text
    again = Run_(stepped.pair(), text)
    assert again.go().done
    assert again.session.commands == first.session.commands


def test_goals_go_on_until_they_are_reached():
    text = "writer to write\nreader until blocked\nwriter write on P1\nreader to end\nwriter to end"
    run = Run_(stepped.pair(), text, GivenNames(roles={60: "writer", 61: "reader"}))
    assert run.go().done
    assert run.state.finished


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 write", "line 1 wants 1 to write, but it stands before pipe2"),
        ("1 pipe2\n1.2 read", "line 2 is about 1.2, but there is only 1"),
        ("1 to write\n1.1 return", "line 2 wants 1.1 to return, but it has just begun"),
        ("1 to write\n1.1 to write", "line 2 wants 1.1 to come to write, but 1.1 has ended"),
        ("1 to write on P2", "line 1 wants 1 to come to write on P2, but 1 has ended"),
    ],
)
def test_where_a_run_departs_is_said(text, words):
    run = Run_(stepped.pair(), text)
    if "P2" in text or "1.1 to write" in text:
        run.session.programs[61][0] = stepped.Op("read", "", "returns")
        run.session.programs[60][2] = stepped.Op("write", run.session.programs[60][2].on)
    move = run.go()
    assert move.departed == words
    assert run.scheduler.left == words


def test_one_that_is_blocked_is_waited_for_and_that_is_said():
    run = Run_(stepped.pair(), "1 to write\n1.1 until blocked\n1.1 exit_group")
    move = run.go()
    assert move.waits == "1.1 to exit_group, but it is blocked in read"
    assert describe_awaited(run.state, move) == f"{move.waits}: empty"
    assert not move.done
    assert not move.departed


def test_the_wake_up_is_lost_by_waiting_for_the_signal():
    text = "1 alarm\nuntil SIGALRM pending on 1\n1 pause\n1 SIGALRM\n1 until blocked"
    run = Run_(stepped.sleeper(), text)
    move = run.go()
    assert move.waits == "SIGALRM to be pending on 1"
    assert run.scheduler.place == 1
    run.session.arrive(70, 14)
    run.drain()
    assert run.go().done
    assert run.state.threads[70].waiting.name == "pause"


def test_a_signal_that_came_first_is_recorded_so_that_it_does_again():
    run = Run_(stepped.sleeper(), "1 alarm")
    run.go()
    run.session.arrive(70, 14)
    run.session.send(Let(tid=70))
    run.session.send(Let(tid=70))
    run.session.send(Let(tid=70))
    run.drain()
    assert run.recorder.lines == [
        "1 alarm",
        "until SIGALRM pending on 1",
        "1 pause",
        "1 SIGALRM",
        "1 pause",
    ]


def test_signals_are_sent_and_recorded():
    run = Run_(stepped.sleeper(), "signal SIGTERM to 1\n1 alarm\n1 SIGTERM")
    run.recorder.record_signal(run.state, 70, 15)
    assert run.go().done
    assert run.session.commands[0] == SendSignal(pid=70, signo=15)
    assert run.state.finished
    assert run.recorder.lines[0] == "signal SIGTERM to 1"


def test_who_was_killed_has_ended_before_the_next_line():
    """Else who waits for it may sleep first, and the lesson is another one."""
    run = Run_(stepped.pair(), "1 pipe2\nsignal SIGKILL to 1\n1 to end")
    run.go()
    assert run.session.commands[-1] == SendSignal(pid=60, signo=9)
    assert run.scheduler.peek_move(run.state).waits == "1 to end"
    run.state = reduce(run.state, Exited(t=9.0, pid=60, signo=9))
    move = run.scheduler.peek_move(run.state)
    assert move.done
    assert not move.departed


def test_run_lets_go_until_a_breakpoint():
    run = Run_(stepped.pair(), "1 pipe2\nrun until call=write on=P1 of=1 or event=exited\n1 write")
    move = run.go()
    assert move.waits == "a breakpoint"
    key = run.session.programs[60][2].on
    points = (Breakpoint(call="write", object=key, pid=60), Breakpoint(event="exited"))
    assert run.session.commands[-1] == RunUntil(until=points)
    assert run.recorder.lines[-1] == "run"


def test_what_followed_a_time_of_running_is_only_a_comment():
    from ipcviz.events import HoldAll

    run = Run_(stepped.pair(), "1 pipe2\nrun")
    run.go()
    run.session.send(HoldAll())
    run.session.send(Let(tid=60))
    run.drain()
    assert (
        run.recorder.lines[:2] == ["1 pipe2                      # P1", "run"]
        or run.recorder.lines[0] == "1 pipe2"
    )
    assert all(line.startswith("#") for line in run.recorder.lines[2:])
    assert parse_schedule(run.recorder.format_schedule())


def test_a_step_by_hand_follows_the_schedule_or_leaves_it():
    run = Run_(stepped.pair(), "1 pipe2\n1 fork\n1 write")
    run.scheduler.step_by_hand(60, run.state)
    run.session.send(Let(tid=60))
    run.drain()
    assert run.scheduler.place == 1
    assert run.scheduler.left == ""
    run.session.send(run.scheduler.pop_move(run.state).command)
    run.drain()
    run.scheduler.step_by_hand(61, run.state)
    assert run.scheduler.left == LEFT_BY_HAND


def test_a_breakpoint_is_written_as_it_is_read():
    run = Run_(stepped.pair(), "1 pipe2\n1 fork", GivenNames(roles={60: "the writer"}))
    run.go()
    key = run.session.programs[60][2].on
    point = Breakpoint(call="write", object=key, pid=60, condition="full")
    words = format_breakpoint(point, run.state, run.names)
    assert words == "call=write on=P1 of='the writer' is=full"
    run.scheduler = Scheduler(parse_schedule(f"run until {words}"))
    assert run.scheduler.pop_move(run.state, run.names).command == RunUntil(until=(point,))


@pytest.mark.parametrize(("written", "made"), [("accept", "accept4"), ("accept4", "accept")])
def test_either_form_of_a_call_is_the_operation_that_a_schedule_names(written, made):
    held = Poised(t=1.0, n=1, pid=10, tid=10, at="entry", call=made)
    (line,) = parse_schedule(f"server {written}").lines
    assert _is_operation(line, held, State(), GivenNames())
    (line,) = parse_schedule("server connect").lines
    assert not _is_operation(line, held, State(), GivenNames())
    point = Breakpoint(call=written)
    call = Call(t=1.0, n=2, pid=10, tid=10, name=made)
    assert find_reached((point,), call, State()) is point
