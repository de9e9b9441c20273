"""Values just before and just behind a boundary, and the case that a condition is there for."""

from __future__ import annotations

import pytest

from ipcviz.events import Exited, ObjectInfo, Stopped
from ipcviz.events.calls import FOR_READY
from ipcviz.events.effects import Disposition
from ipcviz.events.signals import LIBRARY_SIGNALS, NAMES, bit_of, is_real_time
from ipcviz.export.screen import CastScreen
from ipcviz.model.addresses import name_of
from ipcviz.model.maps import Map
from ipcviz.model.mechanisms.notifiers import format_seconds
from ipcviz.model.state import Process, State, Thread
from ipcviz.narrate.signals import kept_across_exec
from ipcviz.narrate.words import bytes_text, signal_names
from ipcviz.scenario import find_scenario
from ipcviz.scenario.foresight import may_meet
from ipcviz.scenario.format import When
from ipcviz.scenario.matching import meets_condition
from tests.pure.test_foresight import CAST, entry, semaphore, signal


@pytest.mark.parametrize(("signo", "queues"), [(1, False), (31, False), (32, True), (64, True)])
def test_which_signals_queue(signo, queues):
    assert is_real_time(signo) is queues


def test_the_calls_that_wait_for_one_of_several_descriptors():
    assert {"poll", "select", "epoll_wait"} <= set(FOR_READY)
    assert not set(FOR_READY) & {"read", "accept", "futex", "pause", "wait4"}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0K"),
        (1024, "1K"),
        (62_054, "60.6K"),
        (int(99.94 * 1024), "99.9K"),
        (int(99.96 * 1024), "100K"),
        (999 * 1024, "999K"),
        (1000 * 1024, "1.0M"),
        (1 << 30, "1G"),
        (5000 << 40, "5000T"),
    ],
)
def test_an_amount_of_bytes(number, text):
    assert bytes_text(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.25 s"),
        (0.999, "1.00 s"),
        (1, "1 s"),
        (1.5, "1.5 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3 * 3600 - 1, "180 min"),
        (3 * 3600, "3 h"),
        (3 * 86400 - 1, "72 h"),
        (3 * 86400, "3 days"),
    ],
)
def test_a_length_of_time(seconds, text):
    assert format_seconds(seconds) == text


ALL = sum(map(bit_of, NAMES))


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (0, "no signal"),
        (bit_of(2), "SIGINT"),
        (ALL, "all signals"),
        (ALL - bit_of(9) - bit_of(19), "all signals"),
        (ALL - bit_of(10), "all signals but SIGUSR1"),
        (sum(map(bit_of, (1, 2, 3, 4, 5, 6))), "SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT"),
        (
            sum(map(bit_of, (1, 2, 3, 4, 5, 6, 7))),
            "SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT and 1 more",
        ),
    ],
)
def test_a_set_of_signals(mask, text):
    assert signal_names(mask) == text


def program_with(*handling, blocked=0):
    process = Process(
        pid=5, parent=1, threads=(5,), handling=Map({how.signo: how for how in handling})
    )
    threads = Map({5: Thread(tid=5, pid=5, blocked=blocked)})
    return State(processes=Map({5: process}), threads=threads)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State(), ""),
        (program_with(), ""),
        (program_with(Disposition(signo=2, action="catch")), ""),
        (program_with(Disposition(signo=2, action="ignore")), ", with SIGINT ignored from before"),
        (program_with(Disposition(signo=min(LIBRARY_SIGNALS), action="ignore")), ""),
        (
            program_with(Disposition(signo=1, action="ignore"), blocked=bit_of(2)),
            ", with SIGHUP ignored and SIGINT blocked from before",
        ),
    ],
)
def test_what_a_program_finds_at_its_exec(state, text):
    assert kept_across_exec(state, 5) == text


def unix(path, detail):
    return ObjectInfo(key="s", kind="unix socket", path=path, detail=detail)


@pytest.mark.parametrize(
    ("info", "name"),
    [
        (unix("/run/s", "stream, listening"), "unix /run/s"),
        (unix("", "stream, listening"), ""),
        (unix("/run/s", "stream, connected"), ""),
        (unix("/run/s", "stream, unconnected"), "unix /run/s"),
        (unix("", "stream, unconnected"), ""),
    ],
)
def test_under_which_name_a_socket_is_reached(info, name):
    assert name_of(info) == name


@pytest.mark.parametrize(
    ("when", "poised", "expected"),
    [
        (When(event="exited"), entry("write"), False),
        (When(event="exited"), signal(15, "handler"), False),
        (When(event="exited"), semaphore("post", 0), False),
        (When(event="forked"), entry("write"), False),
        (When(event="stopped", signal="SIGTSTP"), signal(20, "stop"), True),
        (When(event="stopped", signal="SIGTSTP"), signal(19, "stop"), False),
    ],
)
def test_what_may_not_meet_a_condition(when, poised, expected):
    assert may_meet(when, find_scenario("mmap-queue"), CAST, poised) is expected


@pytest.mark.parametrize(
    ("when", "event", "expected"),
    [
        (When(event="stopped"), Stopped(t=1.0, n=1, pid=5, signo=20), True),
        (When(event="stopped", signal="SIGTSTP"), Stopped(t=1.0, n=1, pid=5, signo=20), True),
        (When(event="stopped", signal="SIGSTOP"), Stopped(t=1.0, n=1, pid=5, signo=20), False),
        (When(event="exited", code=0), Exited(t=1.0, n=1, pid=5, code=0), True),
        (When(event="exited", code=0), Exited(t=1.0, n=1, pid=5, code=1), False),
        (When(event="exited", code=0), Exited(t=1.0, n=1, pid=5, code=0, signo=9), False),
    ],
)
def test_what_meets_a_condition(when, event, expected):
    assert meets_condition(when, find_scenario("mmap-queue"), CAST, event, State()) is expected


def screen_after(text, columns=10, lines=5):
    screen = CastScreen(columns, lines)
    screen.feed(text)
    return screen


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("\x1b[4;1H\x1b[A", 2),
        ("\x1b[4;1H\x1b[2A", 1),
        ("\x1b[4;1H\x1b[9A", 0),
        ("\x1b[3;5r\x1b[4;1H\x1b[9A", 2),
        ("\x1b[3;5r\x1b[2;1H\x1b[9A", 0),
    ],
)
def test_the_cursor_goes_up_to_the_margin_that_is_above_it(text, row):
    assert screen_after(text).cursor.y == row


@pytest.mark.parametrize(("mode", "row"), [(1049, 3), (1047, 0), (47, 0)])
def test_only_1049_keeps_the_cursor(mode, row):
    screen = screen_after(f"own\x1b[4;1H\x1b[?{mode}h")
    assert screen.display[0].rstrip() == ""
    screen.feed(f"\x1b[Hx\x1b[H\x1b[?{mode}l")
    assert screen.display[0].rstrip() == "own"
    assert screen.cursor.y == row


def test_a_sequence_that_is_too_long_may_come_in_pieces():
    screen = CastScreen(10, 2)
    for piece in ("a\x1b[", "1;" * 100_000, "1;1", ";2", "mb"):
        screen.feed(piece)
    assert screen.display[0].rstrip() == "ab"
