"""`ipcviz record`: a scenario or a trace as a cast; no terminal is needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from ipcviz.cli.completing import (
    complete_files,
    complete_scenarios,
)
from ipcviz.cli.numbers import Seconds
from ipcviz.cli.options import schedule_option, settings_option, variant_option
from ipcviz.cli.progress import TaskProgress
from ipcviz.cli.recording_all import record_catalogue
from ipcviz.cli.scenarios import choose_settings
from ipcviz.cli.words import RemembersWords, check_outputs
from ipcviz.events import Event
from ipcviz.messages import write_error, write_line
from ipcviz.model.query import list_living
from ipcviz.model.steps.schedule import Schedule
from ipcviz.outputs import OutputError, OutputFile, explain_write_error, same_file
from ipcviz.scenario import (
    Scenario,
    ScenarioError,
    SchedulePlan,
    Story,
    find_scenario,
    prepare_launch,
    read_schedule,
    read_settings,
)
from ipcviz.scenario.format import Value
from ipcviz.scenario.kept import meta_of, scenario_of, sources_of
from ipcviz.scenario.launch import UNSET
from ipcviz.scenario.loader import FILE
from ipcviz.scenario.plans import BEGIN, find_begin, find_cast
from ipcviz.scenario.workplace import make_workplace
from ipcviz.trace import TraceError, TraceReader, TraceWriter

if TYPE_CHECKING:
    from ipcviz.app.casting import CastReport, Wanted

LEAST: Final = (40, 10)
MOST: Final = (400, 120)
PATIENCE: Final = 10.0
"""Seconds without any news after which a run is taken for stuck: nobody is there who could end its
waits.
"""


@click.command(cls=RemembersWords)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    required=True,
    help="Where to; by convention its name ends in .cast. With --all, a folder.",
)
@click.option(
    "--size",
    metavar="COLUMNSxROWS",
    default="80x24",
    show_default=True,
    help="The size of the screen.",
)
@click.option(
    "--hold",
    type=Seconds(0.1, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a step is shown; what has more to read is shown longer.",
)
@click.option(
    "--theme",
    type=click.Choice(["dark", "light"]),
    default="dark",
    show_default=True,
    help="Colours.",
)
@click.option(
    "--steps",
    metavar="A-B",
    default="",
    help="Only these steps, counted from 1: 10-40, 10-, -40 or 10.",
)
@click.option(
    "--every-step",
    is_flag=True,
    help="A chapter for each step, instead of those that tell the scenario's story.",
)
@click.option(
    "--all",
    "whole",
    is_flag=True,
    help="Every scenario and every schedule of it, into the folder of -o.",
)
@schedule_option
@click.option(
    "--live",
    is_flag=True,
    help="Let a scenario run by itself, and show every operation afterwards.",
)
@variant_option
@settings_option
@click.argument(
    "source", metavar="SCENARIO|TRACE", required=False, shell_complete=complete_scenarios
)
def record(
    *,
    output: str,
    size: str,
    hold: float,
    theme: str,
    steps: str,
    every_step: bool,
    whole: bool,
    schedule: str | None,
    live: bool,
    variant: str | None,
    settings: tuple[str, ...],
    source: str | None,
) -> None:
    """Write a cast: a picture for each chapter, for 'ipcviz play' and every asciicast player.

    A scenario is run for it, by name or folder, one operation at a time; a trace of 'ipcviz trace'
    or 'ipcviz run --save' is shown as it was. Chapters are the parts of a scenario's story, its
    questions and answers, its turns and what leads to them; of anything else, and with
    --every-step or --steps, they are its steps. The same trace makes the same bytes.
    """
    columns, rows = _parse_size(size)
    first, last = _parse_steps(steps)
    if whole:
        if source or schedule or live or variant or settings or steps:
            raise click.UsageError("--all takes every scenario as it is: name none, and no part.")
        flags = ("--size", size, "--hold", f"{hold:g}", "--theme", theme)
        sys.exit(record_catalogue(output, (*flags, *(("--every-step",) if every_step else ()))))
    if source is None:
        raise click.UsageError("Name a scenario or a trace, or take --all for every scenario.")
    if schedule and live:
        raise click.UsageError("--schedule is for stepping, and --live is not: choose one.")
    options = Options(variant, settings, schedule, live)
    leaving = _Leaving()
    for signo in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signo) is signal.SIG_DFL:
            signal.signal(signo, leaving)
    check_outputs(output)
    if same_file(source, output):
        raise OutputError(f"{output} is the trace itself: give the cast a file of its own.")
    with _trace_of(source, options) as trace, TraceReader(trace) as reader:
        _plain_environment()
        from ipcviz.app.casting import Wanted

        wanted = Wanted(
            width=columns,
            height=rows,
            hold=hold,
            theme=theme,
            first=first,
            last=last,
            every_step=every_step,
        )
        _report_cast(_write_cast(_Readable(reader, leaving), output, wanted, source), output)


class _Leaving:
    """What SIGTERM and SIGHUP do: exit, so that what was begun is removed on the way out.

    While an event loop makes the cast, the exit waits for the next event to be read: a task that
    was left in its midst would be told of on standard error.
    """

    def __init__(self) -> None:
        self._signo = 0

    def __call__(self, signo: int, _: object) -> None:
        """The handler."""
        self._signo = signo
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.leave_if_told()

    def leave_if_told(self) -> None:
        """Exit if such a signal came."""
        if self._signo:
            sys.exit(128 + self._signo)


def _parse_size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(
        least <= number <= most for least, number, most in zip(LEAST, size, MOST, strict=True)
    ):
        least, most = ("x".join(map(str, limit)) for limit in (LEAST, MOST))
        raise click.UsageError(f"--size takes COLUMNSxROWS from {least} to {most}, such as 80x24.")
    return size


def _parse_steps(text: str) -> tuple[int, int]:
    """First and last step, the last 0 for the end."""
    found = re.fullmatch(r"(\d{0,9})(-?)(\d{0,9})", text)
    if found is None or (text and not (found[1] or found[3])):
        raise click.UsageError("--steps takes numbers from 1: 10-40, 10-, -40 or 10.")
    first = int(found[1] or 1)
    last = int(found[3] or 0) if found[2] or not text else first
    if first < 1 or (last and last < first) or (found[3] and not last):
        raise click.UsageError("--steps takes numbers from 1, the smaller one first.")
    return first, last


class Options(NamedTuple):
    """How a scenario is to be run for its cast."""

    variant: str | None = None
    settings: tuple[str, ...] = ()
    schedule: str | None = None
    live: bool = False


class Fresh(NamedTuple):
    """A scenario that is to be run."""

    scenario: Scenario
    variant: str | None
    settings: Mapping[str, Value]
    schedule: str | None
    live: bool


@contextlib.contextmanager
def _trace_of(source: str, options: Options) -> Iterator[str]:
    """The trace to show: the one named, or that of a fresh run, which is removed afterwards."""
    if _is_file(source):
        if any(options):
            raise click.UsageError(
                "--variant, --set, --schedule and --live are for scenarios, not for a trace."
            )
        yield source
        return
    try:
        scenario = find_scenario(source)
    except ScenarioError as error:
        raise ScenarioError(f"{error.message} There is no trace of that name either.") from None
    with make_workplace() as place:
        path = str(place / "trace.ipcviz")
        settings = read_settings(options.settings)
        _run_scenario(
            Fresh(scenario, options.variant, settings, options.schedule, options.live), path
        )
        yield path


def _is_file(source: str) -> bool:
    """Whether something is there that is no folder; a reader says whether it is a trace."""
    try:
        return not stat.S_ISDIR(os.stat(source).st_mode) and os.path.basename(source) != FILE
    except (OSError, ValueError):
        return False


def _run_scenario(fresh: Fresh, path: str) -> None:
    """Run a scenario without a screen, and keep all that it does."""
    from ipcviz.cli.driver import TURNS, Driver
    from ipcviz.session.live import LiveSession
    from ipcviz.tracer.config import LaunchConfig

    scenario = fresh.scenario
    order: Schedule = TURNS
    plan: SchedulePlan | None = None
    asked = fresh.schedule or ("" if fresh.live else find_cast(scenario, fresh.variant))
    if asked:
        order, plan = read_schedule(asked, scenario)
    elif not fresh.live and find_begin(scenario, fresh.variant):
        # It leads to where the lesson begins; from there on all take turns.
        begin, plan = read_schedule(BEGIN, scenario)
        order = Schedule((*begin.lines, *TURNS.lines))
    variant, values = choose_settings(scenario, fresh.variant, fresh.settings, plan)
    with prepare_launch(scenario, variant, values) as launch:
        meta = {
            "title": f"{scenario.name} ({launch.variant})",
            "argv": json.dumps(launch.argv),
            **meta_of(scenario),
        }
        writer = TraceWriter(path, meta=meta, sources=sources_of(scenario))
        session = LiveSession(
            LaunchConfig(
                argv=launch.argv,
                cwd=launch.cwd,
                terminal=True,
                hold=not fresh.live,
                variables=launch.variables,
                unset=UNSET,
            )
        )
        driver = Driver(session, order, Story(scenario), patience=PATIENCE)
        progress = TaskProgress(f"{scenario.name} runs")
        try:
            session.start()
            while not session.finished and not (driver.over and list_living(driver.state)):
                session.wait(0.5)
                events = session.drain()
                writer.add(events)
                if not fresh.live:
                    driver.apply_events(events)
                progress.show_count(driver.state.step, "steps")
        finally:
            progress.clear()
            # What still ran is ended here, by us: that is no part of the story.
            session.close()
            writer.close()
    if writer.trouble:
        raise TraceError(f"The run can't be kept, so there is nothing to show: {writer.trouble}.")
    if driver.departed and not asked:
        write_error(f"Nobody went on any more, for {PATIENCE:g} seconds: the cast ends there.")
    elif driver.departed:
        write_error(f"{driver.departed} The cast shows what was done until then.")


def _plain_environment() -> None:
    """Before Textual is imported: nothing in the environment changes how things look."""
    for name in list(os.environ):
        if name.startswith("TEXTUAL") or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            del os.environ[name]
    os.environ.update(
        TERM="xterm-256color",
        COLORTERM="truecolor",
        TEXTUAL_COLOR_SYSTEM="truecolor",
        TEXTUAL_ANIMATIONS="none",
    )


def _write_cast(events: _Readable, output: str, wanted: Wanted, source: str) -> CastReport:
    """Write the cast beside its place, and put it there when it is complete."""
    from ipcviz.app.casting import make_cast

    reader = events.reader
    if not reader.last:
        raise TraceError(
            f"{reader.path} holds no events: its writer was ended before the first one."
        )
    title = reader.meta.get("title") or shlex.join(reader.argv) or os.path.basename(source)
    with OutputFile(output) as file:
        scenario = scenario_of(reader.meta)
        progress = TaskProgress("Drawing")
        try:
            made = make_cast(
                events,
                file.file,
                wanted,
                title=title,
                argv=reader.argv,
                scenario=scenario,
                report=progress.show_share,
            )
        except OSError as error:
            raise OutputError(explain_write_error(output, error)) from None
        finally:
            progress.clear()
        events.leaving.leave_if_told()
        if not made.shown:
            beyond = f" from {wanted.first} on" if made.steps else ""
            raise TraceError(
                f"{source} has {made.steps or 'no'} steps: there is nothing to show{beyond}."
            )
    if events.trouble:
        write_error(f"The trace can be read up to here: {events.trouble}")
    return made


class _Readable:
    """The events of a trace, up to where it is damaged if it is.

    Attributes:
        reader: What reads the trace.
        leaving: Asked before each event.
        trouble: What is wrong with the rest.
    """

    def __init__(self, reader: TraceReader, leaving: _Leaving) -> None:
        self.reader = reader
        self.leaving = leaving
        self.trouble = ""

    def __call__(self) -> Iterator[Event]:
        """The events from the first one on."""
        try:
            for event in self.reader.read_events():
                self.leaving.leave_if_told()
                yield event
        except TraceError as error:
            self.trouble = error.message


def _report_cast(made: CastReport, output: str) -> None:
    """Say what is in it, and how to get what is not."""
    count = f"{len(made.shown):,} of {made.steps:,} steps" if made.steps > 1 else "1 step"
    if made.chapters:
        minutes, seconds = divmod(round(made.seconds), 60)
        count = f"{made.chapters} chapters, {minutes}:{seconds:02}; {count}"
    write_line(f"{output}: {count}; 'ipcviz play {shlex.quote(output)}' shows it.")
    if made.left_out:
        write_error(
            f"There was no room for all: {made.left_out:,} steps that repeat others are left out; "
            "--steps A-B takes all of a part."
        )
    if made.rest:
        write_error(f"The cast is full: '--steps {made.rest}-' goes on where it ends.")
