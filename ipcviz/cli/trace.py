"""`ipcviz trace`: watch a command without a screen and write the stream."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

import click
import msgspec

from ipcviz.events import Finished, Input, Output, Quit, Resize, Trouble
from ipcviz.session.errors import SessionError
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig

ENDING: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
SI_KERNEL: Final = 0x80


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--jsonl", is_flag=True, help="Write the stream as JSON lines (the only format so far).")
@click.option("-o", "--output", metavar="FILE", required=True, help="Where to; - for standard output.")
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
    sys.exit(run_trace(output, config))


def run_trace(output: str, config: LaunchConfig) -> int:
    """Trace a command into a file of JSON lines. Returns the exit status."""
    pty = config.terminal
    try:
        sink = _open(output)
    except OSError as error:
        click.echo(f"ipcviz: {output} can't be written: {error.strerror}.", err=True)
        return 2
    session = LiveSession(config, passing=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        session.start()
        threading.Thread(target=_sort_signals, args=(session,), daemon=True).start()
        with _relay_terminal(session, pty):
            return _copy(session, sink, pty=pty)
    except SessionError as error:
        click.echo(f"ipcviz: {error.message}", err=True)
        return 2
    finally:
        session.close()
        with contextlib.suppress(OSError):
            sink.close()


def _sort_signals(session: LiveSession) -> None:
    """In a thread of its own: which of the signals that would end us are meant for us.

    Those of the terminal are for the command, which has them too; so are those that an observed process sends to its
    process group, which is ours. Any other one ends the session, and with it the command.
    """
    while True:
        info = signal.sigwaitinfo(ENDING)
        from_terminal = info.si_signo in (signal.SIGINT, signal.SIGQUIT) and info.si_code == SI_KERNEL
        if not from_terminal and not session.observes(info.si_pid):
            session.killed_by = info.si_signo
            session.send(Quit())
            return


def _open(output: str) -> IO[bytes]:
    if output == "-":
        return os.fdopen(os.dup(1), "wb")
    return open(output, "wb")


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


def _copy(session: LiveSession, sink: IO[bytes], *, pty: bool) -> int:
    """Write every event until the stream ends; relay the terminal's bytes."""
    encoder = msgspec.json.Encoder()
    status = 2
    stdin_open = pty
    writable = True
    while not session.finished:
        if stdin_open:
            stdin_open = _type(session)
        session.wait(0.02 if stdin_open else 0.5)
        events = session.drain()
        if writable:
            writable = _write(sink, b"".join(encoder.encode(event) + b"\n" for event in events))
        for event in events:
            if isinstance(event, Output) and pty:
                _show(session, event.data)
            elif isinstance(event, Trouble):
                click.echo(f"ipcviz: {event.message}", err=True)
            if isinstance(event, Finished):
                status = event.code
    return 128 + session.killed_by if session.killed_by else status


def _write(sink: IO[bytes], data: bytes) -> bool:
    """Write to the trace; False if it can't be any more. The command goes on: it is not its fault."""
    try:
        sink.write(data)
        sink.flush()
    except OSError as error:
        click.echo(
            f"ipcviz: the trace ends here, it can't be written: {error.strerror}; the command runs on.", err=True
        )
        return False
    return True


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
