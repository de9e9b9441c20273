"""Signals in their order, and output that waits for nobody."""

from __future__ import annotations

import fcntl
import os
import select
import signal

import pytest

from ipcviz import terminals
from ipcviz.terminals import Came, SignalPipe, TerminalOutput

TERM, INT, TSTP, CONT, WINCH = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
)


@pytest.mark.parametrize(
    ("sent", "came"),
    [
        ((), Came(0, False, False, False)),
        ((TSTP,), Came(0, True, False, False)),
        ((TSTP, CONT), Came(0, False, True, False)),
        ((CONT, TSTP), Came(0, True, True, False)),
        ((TSTP, CONT, TSTP, CONT), Came(0, False, True, False)),
        ((WINCH, TERM, INT), Came(int(TERM), False, False, True)),
    ],
)
def test_signals_are_told_in_their_order(sent, came):
    before = [signal.getsignal(signo) for signo in (TERM, INT, TSTP, CONT)]
    with SignalPipe() as signals:
        for signo in sent:
            signal.raise_signal(signo)
        assert bool(select.select([signals.fileno()], [], [], 0)[0]) == bool(sent)
        assert signals.read() == came
        assert signals.read() == Came(0, False, False, False)
    assert [signal.getsignal(signo) for signo in (TERM, INT, TSTP, CONT)] == before


def test_what_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with SignalPipe() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert signals.read().ending == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_who_was_continued_does_not_stop():
    """SIGCONT is there before the process comes to stop itself: it goes on, and the terminal stays
    as it is.
    """
    with SignalPipe() as signals:
        signal.raise_signal(TSTP)
        assert signals.read().stop
        signal.raise_signal(CONT)
        signals.stop_process(lambda: pytest.fail("the terminal was given back"))
        assert select.select([signals.fileno()], [], [], 0)[0], "it is not forgotten"
        assert signals.read() == Came(0, False, True, False)


@pytest.fixture
def pty():
    master, slave = os.openpty()
    yield master, slave
    for fd in (master, slave):
        try:
            os.close(fd)
        except OSError:
            continue


def test_output_waits_for_nobody(pty):
    master, slave = pty
    output = TerminalOutput(slave)
    output.write("x" * 1_000_000)
    assert output.pending
    assert not fcntl.fcntl(slave, fcntl.F_GETFL) & os.O_NONBLOCK, (
        "the terminal that others share waits as before"
    )
    output.write("lost")
    assert output.drop_pending()
    assert not output.drop_pending(), "what has begun is written to its end"
    output.write("\x1b[0mend")
    got = b""
    while not got.endswith(b"end"):
        got += os.read(master, 65536)
        output.flush()
    assert got == b"x" * 1_000_000 + b"\x1b[0mend"
    assert not output.pending
    output.close()


def test_too_much_output_is_dropped_and_that_is_told(pty, monkeypatch):
    monkeypatch.setattr(terminals, "MOST_PENDING", 100_000)
    output = TerminalOutput(pty[1])
    output.write("x" * 200_000)
    assert not output.lost, "a part that is larger than all is written all the same"
    output.write("y" * 50_000)
    output.write("z" * 60_000)
    assert output.lost
    output.drop_pending()
    monkeypatch.setattr(terminals, "_DRAIN_SECONDS", 0.01)
    output.close()


def test_a_terminal_that_is_gone_takes_anything(pty):
    master, slave = pty
    output = TerminalOutput(slave)
    os.close(master)
    output.write("x")
    assert output.gone
    output.write("y")
    assert not output.pending
    output.close()
