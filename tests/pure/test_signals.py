"""Names of signals and codes against this machine's own headers and `signal` module."""

import pathlib
import re
import signal

import pytest

from ipcviz import events as ev
from ipcviz.events import signals
from ipcviz.model.reduce import reduce_all


@pytest.mark.parametrize("one", list(signal.Signals))
def test_names_are_those_of_this_machine(one):
    assert signals.signal_number(one.name) == one.value
    if one.name != "SIGRTMAX":
        assert signals.signal_name(one.value) == one.name


def test_real_time_signals():
    assert signals.signal_name(34) == "SIGRTMIN"
    assert signals.signal_name(37) == "SIGRTMIN+3"
    assert signals.signal_name(64) == "SIGRTMIN+30"
    assert signals.signal_name(33) == "signal 33"
    assert signals.signal_name(0) == "signal 0"
    assert signals.is_real_time(34)
    assert not signals.is_real_time(31)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("term", 15),
        (" SIGTERM ", 15),
        ("15", 15),
        ("RTMIN+3", 37),
        ("sigrtmax-1", 63),
        ("SIGRTMAX", 64),
        ("poll", 29),
    ],
)
def test_what_a_person_may_type(text, number):
    assert signals.signal_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "65",
        "SIG",
        "SIGRTMIN+31",
        "RTMAX-31",
        "RTMINx",
        "RTMIN+",
        "-9",
        "ten",
        "1" * 5000,
        "SIGRTMIN+" + "1" * 5000,
    ],
)
def test_what_is_no_signal(text):
    assert signals.signal_number(text) is None


def test_every_name_can_be_typed():
    for number in (*range(1, 32), *range(34, 65)):
        assert signals.signal_number(signals.signal_name(number)) == number
        if number < 32:
            assert signals.MEANINGS[number]


def test_codes():
    assert signals.code_name(signal.SIGSEGV, 1) == "SEGV_MAPERR"
    assert signals.code_name(signal.SIGCHLD, 1) == "CLD_EXITED"
    assert signals.code_name(signal.SIGUSR1, 0) == "SI_USER"
    assert signals.code_name(signal.SIGCHLD, 0) == "SI_USER"
    assert signals.code_name(signal.SIGALRM, 0x80) == "SI_KERNEL"
    assert signals.code_name(signal.SIGUSR1, -1) == "SI_QUEUE"
    assert signals.code_name(signal.SIGUSR1, 5) == "5"
    assert signals.code_name(35, 1) == "POLL_IN"
    assert signals.code_name(signal.SIGCHLD, 99) == "99"
    assert signals.code_name(signal.SIGFPE, 9) == "9"


def test_codes_are_those_of_the_header():
    header = pathlib.Path("/usr/include/asm-generic/siginfo.h")
    if not header.exists():
        pytest.skip("no kernel headers")
    prefixes = {
        "ILL": 4,
        "FPE": 8,
        "SEGV": 11,
        "BUS": 7,
        "TRAP": 5,
        "CLD": 17,
        "POLL": 29,
        "SYS": 31,
        "SI": 10,
    }
    checked = 0
    for prefix, name, value in re.findall(
        r"#\s*define ([A-Z]+)_([A-Z]\w*)\s+(-?\d+|0x80)\b", header.read_text()
    ):
        if prefix in prefixes and name != "MAX_SIZE":
            assert signals.code_name(prefixes[prefix], int(value, 0)) == f"{prefix}_{name}"
            checked += 1
    assert checked > 50


def test_default_actions():
    """signal(7), the table of standard signals."""
    assert signals.default_action(signal.SIGTERM) == "terminate"
    assert signals.default_action(signal.SIGSEGV) == "core"
    assert signals.default_action(signal.SIGCHLD) == "ignore"
    assert signals.default_action(signal.SIGTSTP) == "stop"
    assert signals.default_action(signal.SIGCONT) == "continue"
    assert signals.default_action(40) == "terminate"


def test_sets():
    assert signals.signals_in(0) == ()
    assert signals.signals_in(1 << 63 | 0b101) == (1, 3, 64)
    assert signals.names_of(1 << 8 | 1 << 12) == ("SIGKILL", "SIGPIPE")


def test_a_call_that_brings_its_mask_along_gives_it_back():
    """ppoll, pselect and epoll_pwait as sigsuspend; a handler that cuts one short begins under that
    mask.
    """
    born = ev.Forked(t=0.0, pid=9, parent=1)
    sleeps = ev.Waiting(
        t=1.0, pid=9, tid=9, call="ppoll", args={"mask": 0b100 | 1 << 8, "own_mask": 0b11}
    )
    state = reduce_all([born, sleeps])
    assert (state.threads[9].blocked, state.threads[9].own_mask) == (
        0b100,
        0b11,
    )  # SIGKILL can't be blocked
    after = reduce_all([ev.Call(t=2.0, pid=9, tid=9, name="ppoll")], state)
    assert (after.threads[9].blocked, after.threads[9].own_mask) == (0b11, None)
    caught = ev.SignalDelivered(t=2.0, pid=9, tid=9, signo=1)
    after = reduce_all(
        [caught, ev.Call(t=2.0, pid=9, tid=9, name="ppoll", ret=-1, error="EINTR")], state
    )
    assert (after.threads[9].blocked, after.threads[9].own_mask) == (0b100, None)
    none = ev.Waiting(t=1.0, pid=9, tid=9, call="ppoll", args={"mask": "NULL"})
    assert reduce_all([born, none]).threads[9].own_mask is None


def test_what_is_no_signal_has_no_bit():
    """A timer that sends none (SIGEV_NONE of timer_create(2)) has number 0."""
    assert [signals.bit_of(signo) for signo in (-1, 0, 1, 64, 65)] == [0, 0, 1, 1 << 63, 0]


def test_each_signal_that_proc_shows_as_ignored_or_caught_is_known():
    """/proc/PID/status has a bit for each of 64 signals, the last one, too."""
    seen = ev.ProcessSample(
        pid=10, state="S", ignored=1 << 12 | 1 << 63, caught=1 << 1 | 1 << 33 | 1 << 12
    )
    state = reduce_all(
        [
            ev.Forked(pid=10, parent=1, how="launched", name="a"),
            ev.Sample(processes=(seen,)),
        ]
    )
    actions = {signo: how.action for signo, how in state.processes[10].handling.items()}
    assert actions == {2: "catch", 13: "ignore", 34: "catch", 64: "ignore"}
