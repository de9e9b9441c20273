"""`ipcviz attach`: watch processes that run already."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial

import click

from ipcviz.cli.lines import LinesSink
from ipcviz.cli.numbers import Seconds
from ipcviz.cli.words import check_outputs
from ipcviz.events import Finished, Quit, Trouble
from ipcviz.messages import refuse, write_error
from ipcviz.session.live import LiveSession, start_thread
from ipcviz.tracer.attach import check
from ipcviz.tracer.config import AttachConfig

ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option("--tree", is_flag=True, help="Their descendants too, also those that come to be.")
@click.option("--trace", is_flag=True, help="Trace their calls (ptrace); by default they are only looked at.")
@click.option("--jsonl", is_flag=True, help="No screen: write the stream as JSON lines, with -o.")
@click.option("-o", "--output", metavar="FILE", help="Where the stream goes; - for standard output.")
@click.option("--seconds", type=Seconds(0.001, 1e7), help="With --jsonl: detach after that long.")
@click.option("--save", metavar="FILE", default="", help="Keep the session in FILE, for 'ipcviz replay'.")
@click.argument("pids", nargs=-1, required=True, type=int, metavar="PID...")
def attach(
    *,
    tree: bool,
    trace: bool,
    jsonl: bool,
    output: str | None,
    seconds: float | None,
    save: str,
    pids: tuple[int, ...],
) -> None:
    """Watch running processes, by samples alone unless --trace is given. Leaving lets them run on as they were."""
    if jsonl and not output:
        raise click.UsageError("--jsonl needs -o FILE, or -o - for standard output.")
    if (output or seconds) and not jsonl:
        raise click.UsageError("-o and --seconds are for --jsonl, without a screen.")
    if save and jsonl:
        raise click.UsageError("--save is for the screen; without one, --jsonl -o FILE writes the stream.")
    pids = tuple(dict.fromkeys(pids))
    config = AttachConfig(pids=pids, tree=tree, trace=trace, spare=(os.getpid(),))
    names = check(pids, trace=trace, spare=config.spare)
    if output:
        sys.exit(_write_stream(config, output, seconds))
    if not (os.isatty(0) and os.isatty(1)):
        refuse("The screen needs a terminal; without one use --jsonl -o FILE.")
    check_outputs(save)
    session = LiveSession(config)
    title = f"attached to {', '.join(names)}" + (" and what they fork" if tree else "")
    session.prepare()
    # Takes as long as the tracer needs to be ready.
    from ipcviz.app.app import run_app

    sys.exit(run_app(session, title, save=save))


def _write_stream(config: AttachConfig, output: str, seconds: float | None) -> int:
    """Write every event as a line of JSON until the processes are gone, the time is up, or a signal ends it."""
    sink = LinesSink(output)
    session = LiveSession(config)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        session.start()
        start_thread(partial(_end_on_signal, session), "ipcviz signals")
        return _copy(session, sink, seconds)
    finally:
        session.close()
        sink.close()


def _end_on_signal(session: LiveSession) -> None:
    """In a thread of its own: a signal that would end us ends the session first."""
    session.killed_by = signal.sigwaitinfo(ENDING).si_signo
    session.send(Quit())


def _copy(session: LiveSession, sink: LinesSink, seconds: float | None) -> int:
    """Copy the stream; `seconds` count from its first event."""
    until: float | None = None
    status = 2
    while not session.finished:
        session.wait(0.5 if until is None else min(0.5, max(0.0, until - time.monotonic())))
        if until is not None and time.monotonic() >= until:
            until = None
            session.send(Quit())
        events = session.drain()
        if events and seconds is not None:
            until, seconds = time.monotonic() + seconds, None
        sink.add(events)
        if sink.trouble:
            write_error(f"{sink.trouble}.")
            return 2
        for event in events:
            if isinstance(event, Trouble):
                write_error(event.message)
            elif isinstance(event, Finished):
                status = event.code
    return 128 + session.killed_by if session.killed_by else status
