"""`ipcviz trace`: watch a command without a screen and write the stream."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple, Protocol

import click
import msgspec

from ipcviz import streams
from ipcviz.cli.completing import (
    complete_files,
    complete_scenarios,
)
from ipcviz.cli.driver import PATIENCE, TURNS, Driver
from ipcviz.cli.lines import LinesSink
from ipcviz.cli.options import (
    full_option,
    no_seccomp_option,
    save_schedule_option,
    schedule_option,
    settings_option,
    variant_option,
    watch_option,
)
from ipcviz.cli.scenarios import choose_settings, scenario_named
from ipcviz.cli.words import AFTER_DASHES, CommandOrScenario, check_outputs
from ipcviz.events import (
    Event,
    Executed,
    Exited,
    Finished,
    Forked,
    Input,
    Output,
    Quit,
    Resize,
    Trouble,
)
from ipcviz.events.accesses import MOST_VARIABLES, VariableSpec
from ipcviz.messages import write_error
from ipcviz.model.query import list_living
from ipcviz.model.steps.schedule import Schedule
from ipcviz.outputs import write_file
from ipcviz.scenario import Story, prepare_launch, read_schedule, read_settings
from ipcviz.scenario.kept import meta_of, sources_of
from ipcviz.scenario.launch import UNSET
from ipcviz.session.live import LiveSession, start_thread
from ipcviz.sizes import terminal_size
from ipcviz.trace import TraceWriter
from ipcviz.tracer.config import LaunchConfig

ENDING: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
SI_KERNEL: Final = 0x80
MOMENT: Final = 1.0
"""Seconds after the command's end before it is said for whom we wait."""
NAMED: Final = 3
"""How many of them are named."""
NEWS_SECONDS: Final = 0.2
"""How long the news that a process was made may be under way, while the tracer gathers events and
others run.
"""


@click.command(cls=CommandOrScenario, context_settings={"allow_interspersed_args": False})
@click.option(
    "--jsonl",
    is_flag=True,
    help="Write the stream as JSON lines (default: a trace for 'ipcviz replay').",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    required=True,
    help="Where to; with --jsonl, - is standard output.",
)
@click.option(
    "--pty/--no-pty", default=False, help="Give the command a terminal of its own (default: yours)."
)
@full_option
@no_seccomp_option
@click.option(
    "--step", is_flag=True, help="Hold every thread, and let them take turns, one operation each."
)
@schedule_option
@click.option(
    "--until",
    type=click.Choice(["all", "exit"]),
    default="all",
    show_default=True,
    help=(
        "Return when all that the command started has ended, too, or when the command itself has:"
        " the rest runs on."
    ),
)
@save_schedule_option
@variant_option
@settings_option
@watch_option
@click.argument(
    "command", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=complete_scenarios
)
@click.pass_context
def trace(
    context: click.Context,
    *,
    jsonl: bool,
    output: str,
    pty: bool,
    full: bool,
    no_seccomp: bool,
    step: bool,
    until: str,
    schedule: str | None,
    save_schedule: str,
    variant: str | None,
    settings: tuple[str, ...],
    watched: tuple[VariableSpec, ...],
    command: tuple[str, ...],
) -> None:
    """Run COMMAND, or a scenario by its name, watch it, and write what was seen to FILE.

    Options behind a scenario's name are those of ipcviz; behind a command they are its own.

    The command's own input and output are untouched, and its exit status is ours (128 + n for a
    signal). It returns when the command and all that it started have ended; with --until exit when
    the command has. A schedule that ends before the command ends that, too; where the run departs
    from it, that is said, with exit status 2.
    """
    size = terminal_size()
    config = LaunchConfig(
        argv=command,
        terminal=pty,
        full=full,
        seccomp=not no_seccomp,
        rows=size.lines,
        columns=size.columns,
        keep_output=0,
        hold=bool(step or schedule or save_schedule),
        leave=until == "exit",
        variables=watched,
    )
    if watched and not (full or config.hold):
        raise click.UsageError(
            "--watch stops at each load and store, so it goes with --full, --step or a schedule."
        )
    if config.leave and config.hold:
        raise click.UsageError(
            "--until exit is for a command that runs by itself, and not for stepping."
        )
    if output == "-" and not jsonl:
        raise click.UsageError(
            "A trace is a database and can't go to standard output: add --jsonl, or name a file."
        )
    check_outputs(output, save_schedule, streams=jsonl)
    named = not context.meta[AFTER_DASHES]
    scenario = (
        scenario_named(command, sure=bool(schedule or variant or settings)) if named else None
    )
    if scenario is None and (variant or settings):
        raise click.UsageError("--variant and --set are for scenarios, not for a command.")
    order, plan = read_schedule(schedule, scenario) if schedule else (TURNS, None)
    if scenario is None:
        steps = StepOptions(config.hold, order, save_schedule, shlex.join(command))
        sys.exit(run_trace(output, config, jsonl=jsonl, steps=steps))
    variant, values = choose_settings(scenario, variant, read_settings(settings), plan)
    with prepare_launch(scenario, variant, values) as launch:
        config = msgspec.structs.replace(
            config,
            argv=launch.argv,
            cwd=launch.cwd,
            variables=(*launch.variables, *watched)[:MOST_VARIABLES],
            unset=UNSET,
        )
        title = f"{scenario.name} ({launch.variant})"
        steps = StepOptions(config.hold, order, save_schedule, title, Story(scenario))
        meta = {"title": title, **meta_of(scenario)}
        status = run_trace(
            output, config, jsonl=jsonl, steps=steps, meta=meta, sources=sources_of(scenario)
        )
    sys.exit(status)


class StepOptions(NamedTuple):
    """How a session is stepped.

    Attributes:
        hold: Whether it is.
        order: The schedule.
        save: A file for the steps that were made; None for none.
        title: What was run, for that file.
        story: The scenario's, which knows its names.
    """

    hold: bool = False
    order: Schedule = TURNS
    save: str | None = None
    title: str = ""
    story: Story | None = None


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


_LIVE: Final = StepOptions()


def run_trace(
    output: str,
    config: LaunchConfig,
    *,
    jsonl: bool,
    steps: StepOptions = _LIVE,
    meta: Mapping[str, str] | None = None,
    sources: Mapping[str, str] | None = None,
) -> int:
    """Trace a command into a file, stepped or not. Returns the exit status."""
    pty = config.terminal
    told: set[str] = set()
    facts = {"argv": json.dumps(config.argv), **(meta or {})}
    sink: Sink
    sink = (
        LinesSink(output)
        if jsonl
        else TraceWriter(output, meta=facts, sources=sources or {}, at_once=False)
    )
    session = LiveSession(config, passing=True)
    driver = Driver(
        session, steps.order, steps.story, patience=None if steps.order is TURNS else PATIENCE
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        session.start()
        start_thread(partial(sort_signals, session), "ipcviz signals")
        with _relay_terminal(session, pty):
            status = _copy_events(session, sink, told, driver if steps.hold else None, pty=pty)
        return _report_schedule(driver, steps, status) if steps.hold else status
    finally:
        session.close()
        sink.close()
        _report_trouble(sink, told)


def _report_schedule(driver: Driver, steps: StepOptions, status: int) -> int:
    """Say how the schedule went, and write down the steps. Returns the exit status."""
    if driver.departed:
        write_error(driver.departed)
        status = 2
    elif not driver.state.finished and driver.over:
        write_error("The schedule ends here; what still ran was ended with it.")
        status = 0
    if steps.save and driver.recorder.begun:
        write_file(
            steps.save,
            driver.recorder.format_schedule(steps.title).encode(errors="surrogateescape"),
        )
    return status


def _report_trouble(sink: Sink, told: set[str]) -> None:
    """Say once why the trace ends before the command: that one is not at fault, and goes on."""
    if sink.trouble and sink.trouble not in told:
        told.add(sink.trouble)
        write_error(f"{sink.trouble}; the command runs on.")


def sort_signals(session: LiveSession) -> None:
    """In a thread of its own: which of the signals that would end us are meant for us.

    Those of the terminal are for the command, which has them too; so are those that an observed
    process sends to its process group, which is ours. Any other one ends the session, and with it
    the command.
    """
    while True:
        info = signal.sigwaitinfo(ENDING)
        from_terminal = (
            info.si_signo in (signal.SIGINT, signal.SIGQUIT) and info.si_code == SI_KERNEL
        )
        if not from_terminal and not _is_observed(session, info.si_pid):
            session.killed_by = info.si_signo
            session.send(Quit())
            return


def _is_observed(session: LiveSession, pid: int) -> bool:
    """Whether a process is one of those observed: one that has just begun may be quicker than the
    news of it.
    """
    deadline = time.monotonic() + NEWS_SECONDS
    while not session.is_observed(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.005)
    return True


@contextmanager
def _relay_terminal(session: LiveSession, pty: bool) -> Iterator[None]:
    """Our own terminal raw, while the command has one of its own that we pass bytes to and from."""
    if not pty or not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    _watch_size(session)
    tty.setraw(0)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            # If it was closed meanwhile, there is nothing to give back.
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def _copy_events(
    session: LiveSession, sink: Sink, told: set[str], driver: Driver | None, *, pty: bool
) -> int:
    """Write every event until the stream or the schedule ends; relay the terminal's bytes."""
    status = 2
    failed = False
    stdin_open = pty
    screen = Screen(session)
    rest = LeftRunning()
    while not session.finished:
        if stdin_open:
            stdin_open = _send_typed(session)
        session.wait(0.02 if stdin_open else 0.5)
        events = session.drain()
        sink.add(events)
        _report_trouble(sink, told)
        rest.follow_events(events)
        if rest.is_due():
            write_error(rest.describe())
        if driver is not None:
            driver.apply_events(events)
            if driver.notice and driver.notice not in told:
                told.add(driver.notice)
                write_error(driver.notice)
            if driver.over and list_living(driver.state):
                break
        for event in events:
            if isinstance(event, Output) and pty:
                screen.show_output(event.data)
            elif isinstance(event, Trouble):
                write_error(event.message)
                failed |= event.fatal
            if isinstance(event, Finished):
                status = event.code
    if session.killed_by:
        return 128 + session.killed_by
    return 2 if failed else status


class Screen:
    """Our standard output, as the screen of the command's terminal."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._gone = False

    def show_output(self, data: bytes) -> None:
        """Show what the command wrote to its terminal.

        If nobody reads there, the session ends. A terminal never refuses what is written to it:
        where our output is full, the command is spared that, and it is said once.
        """
        if self._gone:
            return
        try:
            streams.write_all(1, data)
        except BrokenPipeError:
            self._gone = True
            self._session.killed_by = signal.SIGPIPE
            self._session.send(Quit())
        except OSError as error:
            self._gone = True
            write_error(f"Standard output can't be written: {error.strerror}; the command runs on.")


class LeftRunning:
    """Those that the command has left running, while we wait for their end."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._since: float | None = None

    def follow_events(self, events: Sequence[Event]) -> None:
        """Follow who lives."""
        names = self._names
        for event in events:
            kind = type(event)
            if kind is Forked:
                names[event.pid] = event.name or names.get(event.parent, "process")  # type: ignore[union-attr]
            elif kind is Executed:
                names[event.pid] = event.name  # type: ignore[union-attr]
            elif kind is Exited:
                names.pop(event.pid, None)  # type: ignore[union-attr]
            elif kind is Finished and event.left:  # type: ignore[union-attr]
                self._since = time.monotonic()

    def is_due(self) -> bool:
        """Whether to say now, once and to a person, for whom we wait."""
        if self._since is None or time.monotonic() - self._since < MOMENT:
            return False
        self._since = None
        return bool(self._names) and sys.stderr is not None and sys.stderr.isatty()

    def describe(self) -> str:
        """For whom we wait, in a sentence."""
        names = [f"{name}[{pid}]" for pid, name in self._names.items()]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return (
            f"The command has ended; waiting for {', '.join(names[:NAMED])}{more}, which it left"
            " running. '--until exit' does not wait for them."
        )


def _send_typed(session: LiveSession) -> bool:
    """Pass what was typed; False once our standard input has ended."""
    if not select.select((0,), (), (), 0)[0]:
        return True
    try:
        data = os.read(0, 65536)
    except OSError:
        # The terminal is gone: nothing more will be typed.
        return False
    session.send(Input(data=data or b"\x04"))
    return bool(data)


def _watch_size(session: LiveSession) -> None:
    """Pass our terminal's size on when it changes."""

    def changed(*_: object) -> None:
        with contextlib.suppress(termios.error):
            # Of standard input, which is a terminal; output may go elsewhere.
            rows, columns = termios.tcgetwinsize(0)
            session.send(Resize(rows=rows, columns=columns))

    signal.signal(signal.SIGWINCH, changed)
