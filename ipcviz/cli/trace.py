"""`ipcviz trace`: watch a command without a screen and write the stream."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import click
import msgspec

from ipcviz.events import Event, Finished, Input, Output, Quit, Resize, Trouble
from ipcviz.session.errors import SessionError
from ipcviz.session.live import LiveSession
from ipcviz.trace import TraceError, TraceWriter
from ipcviz.tracer.config import LaunchConfig

ENDING: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
SI_KERNEL: Final = 0x80
NEWS_SECONDS: Final = 0.2
"""How long the news that a process was made may be under way, while the tracer gathers events and others run."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--jsonl", is_flag=True, help="Write the stream as JSON lines (default: a trace for 'ipcviz replay').")
@click.option("-o", "--output", metavar="FILE", required=True, help="Where to; with --jsonl, - is standard output.")
@click.option("--pty/--no-pty", default=False, help="Give the command a terminal of its own (default: yours).")
@click.option("--full", is_flag=True, help="Stop at every data call, whatever it costs.")
@click.option("--no-seccomp", is_flag=True, help="Put no seccomp filter on the command: every call is stopped at.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def trace(*, jsonl: bool, output: str, pty: bool, full: bool, no_seccomp: bool, command: tuple[str, ...]) -> None:
    """Run COMMAND, watch it, and write what was seen to FILE.

    The command's own input and output are untouched, and its exit status is ours (128 + n for a signal).
    """
    size = shutil.get_terminal_size()
    config = LaunchConfig(
        argv=command,
        terminal=pty,
        full=full,
        seccomp=not no_seccomp,
        rows=size.lines,
        columns=size.columns,
        keep_output=0,
    )
    if output == "-" and not jsonl:
        raise click.UsageError("A trace is a database and can't go to standard output: add --jsonl, or name a file.")
    sys.exit(run_trace(output, config, jsonl=jsonl))


class Sink(Protocol):
    """Where events are written to.

    Attributes:
        trouble: Why nothing more is written; empty as long as all is well.
    """

    trouble: str

    def add(self, events: Sequence[Event]) -> None:
        """Take events."""

    def close(self) -> None:
        """Write what is not written yet."""


class LinesSink:
    """A file of JSON lines."""

    def __init__(self, output: str) -> None:
        self.trouble = ""
        self._file = open(os.dup(1) if output == "-" else output, "wb")  # noqa: SIM115 - closed by close
        self._encoder = msgspec.json.Encoder()

    def add(self, events: Sequence[Event]) -> None:
        """Write events and flush."""
        if self.trouble:
            return
        try:
            self._file.write(b"".join(self._encoder.encode(event) + b"\n" for event in events))
            self._file.flush()
        except OSError as error:
            self.trouble = f"the trace ends here, it can't be written: {error.strerror}"

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()


def run_trace(output: str, config: LaunchConfig, *, jsonl: bool) -> int:
    """Trace a command into a file. Returns the exit status."""
    pty = config.terminal
    told: set[str] = set()
    sink: Sink
    try:
        sink = LinesSink(output) if jsonl else TraceWriter(output, meta={"argv": json.dumps(config.argv)})
    except OSError as error:
        click.echo(f"ipcviz: {output} can't be written: {error.strerror}.", err=True)
        return 2
    except TraceError as error:
        click.echo(f"ipcviz: {error.message}", err=True)
        return 2
    session = LiveSession(config, passing=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        session.start()
        threading.Thread(target=_sort_signals, args=(session,), daemon=True).start()
        with _relay_terminal(session, pty):
            return _copy(session, sink, told, pty=pty)
    except SessionError as error:
        click.echo(f"ipcviz: {error.message}", err=True)
        return 2
    finally:
        session.close()
        sink.close()
        _complain(sink, told)


def _complain(sink: Sink, told: set[str]) -> None:
    """Say once why the trace ends before the command: that one is not at fault, and goes on."""
    if sink.trouble and sink.trouble not in told:
        told.add(sink.trouble)
        click.echo(f"ipcviz: {sink.trouble}; the command runs on.", err=True)


def _sort_signals(session: LiveSession) -> None:
    """In a thread of its own: which of the signals that would end us are meant for us.

    Those of the terminal are for the command, which has them too; so are those that an observed process sends to its
    process group, which is ours. Any other one ends the session, and with it the command.
    """
    while True:
        info = signal.sigwaitinfo(ENDING)
        from_terminal = info.si_signo in (signal.SIGINT, signal.SIGQUIT) and info.si_code == SI_KERNEL
        if not from_terminal and not _observed(session, info.si_pid):
            session.killed_by = info.si_signo
            session.send(Quit())
            return


def _observed(session: LiveSession, pid: int) -> bool:
    """Whether a process is one of those observed: one that has just begun may be quicker than the news of it."""
    deadline = time.monotonic() + NEWS_SECONDS
    while not session.observes(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.005)
    return True


@contextmanager
def _relay_terminal(session: LiveSession, pty: bool) -> Iterator[None]:
    """Our own terminal raw, while the command has one of its own that we pass bytes to and from."""
    if not pty or not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(0)
    _watch_size(session)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _copy(session: LiveSession, sink: Sink, told: set[str], *, pty: bool) -> int:
    """Write every event until the stream ends; relay the terminal's bytes."""
    status = 2
    stdin_open = pty
    while not session.finished:
        if stdin_open:
            stdin_open = _type(session)
        session.wait(0.02 if stdin_open else 0.5)
        events = session.drain()
        sink.add(events)
        _complain(sink, told)
        for event in events:
            if isinstance(event, Output) and pty:
                _show(session, event.data)
            elif isinstance(event, Trouble):
                click.echo(f"ipcviz: {event.message}", err=True)
            if isinstance(event, Finished):
                status = event.code
    return 128 + session.killed_by if session.killed_by else status


def _show(session: LiveSession, data: bytes) -> None:
    """What the command wrote to its terminal, to our standard output; if nobody reads there, the session ends."""
    try:
        while data:
            data = data[os.write(1, data) :]
    except BrokenPipeError:
        session.killed_by = signal.SIGPIPE
        session.send(Quit())


def _type(session: LiveSession) -> bool:
    """Pass what was typed; False once our standard input has ended."""
    if not select.select((0,), (), (), 0)[0]:
        return True
    data = os.read(0, 65536)
    session.send(Input(data=data or b"\x04"))
    return bool(data)


def _watch_size(session: LiveSession) -> None:
    """Pass our terminal's size on when it changes."""

    def changed(*_: object) -> None:
        rows, columns = termios.tcgetwinsize(1)
        session.send(Resize(rows=rows, columns=columns))

    signal.signal(signal.SIGWINCH, changed)
