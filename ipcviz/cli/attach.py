"""`ipcviz attach`: watch processes that run already."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial

import click

from ipcviz.cli.choosing import Found, find_processes, is_on_terminal, let_choose
from ipcviz.cli.completing import complete_files
from ipcviz.cli.lines import LinesSink
from ipcviz.cli.numbers import Seconds
from ipcviz.cli.options import save_option
from ipcviz.cli.showing import RunOptions, show_live
from ipcviz.cli.words import check_outputs
from ipcviz.events import Finished, Quit, Trouble
from ipcviz.messages import exit_with_error, write_error
from ipcviz.session.live import LiveSession, start_thread
from ipcviz.tracer.attached.attach import check_processes
from ipcviz.tracer.config import AttachConfig

ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option("--tree", is_flag=True, help="Their descendants too, also those that come to be.")
@click.option(
    "--trace", is_flag=True, help="Trace their calls (ptrace); by default they are only looked at."
)
@click.option("--jsonl", is_flag=True, help="No screen: write the stream as JSON lines, with -o.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    help="Where the stream goes; - for standard output.",
)
@click.option("--seconds", type=Seconds(0.001, 1e7), help="With --jsonl: detach after that long.")
@save_option
@click.argument("processes", nargs=-1, metavar="[PID|NAME]...")
def attach(
    *,
    tree: bool,
    trace: bool,
    jsonl: bool,
    output: str | None,
    seconds: float | None,
    save: str,
    processes: tuple[str, ...],
) -> None:
    """Watch running processes, by samples alone unless --trace is given.

    Leaving lets them run on as they were.

    Without a PID, or with a name that several processes have, a table of them is shown to choose
    from.
    """
    if jsonl and not output:
        raise click.UsageError("--jsonl needs -o FILE, or -o - for standard output.")
    if (output or seconds) and not jsonl:
        raise click.UsageError("-o and --seconds are for --jsonl, without a screen.")
    if save and jsonl:
        raise click.UsageError(
            "--save is for the screen; without one, --jsonl -o FILE writes the stream."
        )
    found = find_processes(processes)
    if found.ask:
        if jsonl or not is_on_terminal():
            raise click.UsageError(found.why_not_alone)
        picked = let_choose(found.search, trace=trace, tree=tree)
        if picked is None:
            sys.exit(0)
        found, trace, tree = Found(picked.pids), picked.trace, picked.tree
    pids = found.pids
    config = AttachConfig(pids=pids, tree=tree, trace=trace, spare=(os.getpid(),))
    names = check_processes(pids, trace=trace, spare=config.spare)
    if output:
        sys.exit(_write_stream(config, output, seconds))
    if not is_on_terminal():
        exit_with_error("The screen needs a terminal; without one use --jsonl -o FILE.")
    check_outputs(save)
    session = LiveSession(config)
    title = f"attached to {', '.join(names)}" + (" and what they fork" if tree else "")
    sys.exit(show_live(session, title, how=RunOptions(save=save)))


def _write_stream(config: AttachConfig, output: str, seconds: float | None) -> int:
    """Write every event as a line of JSON until the processes are gone, the time is up, or a signal
    ends it.
    """
    sink = LinesSink(output)
    session = LiveSession(config)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        session.start()
        start_thread(partial(_end_on_signal, session), "ipcviz signals")
        return _copy_stream(session, sink, seconds)
    finally:
        session.close()
        sink.close()


def _end_on_signal(session: LiveSession) -> None:
    """In a thread of its own: a signal that would end us ends the session first."""
    session.killed_by = signal.sigwaitinfo(ENDING).si_signo
    session.send(Quit())


def _copy_stream(session: LiveSession, sink: LinesSink, seconds: float | None) -> int:
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
