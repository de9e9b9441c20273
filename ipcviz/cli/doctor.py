"""`ipcviz doctor`: watch a command, running processes or a trace, and say what is wrong."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

import click

from ipcviz.cli.completing import complete_files
from ipcviz.cli.numbers import Seconds
from ipcviz.cli.report import format_json, format_sarif, format_text
from ipcviz.cli.trace import ENDING, sort_signals
from ipcviz.cli.words import AFTER_DASHES, AfterDashes, check_outputs
from ipcviz.diagnose import Doctor, Finding
from ipcviz.diagnose.pages import BY_NAME
from ipcviz.events import EndForced, Event, Finished, Inspect, Quit, Trouble
from ipcviz.messages import write_error, write_line, write_lines, write_notes
from ipcviz.outputs import write_file
from ipcviz.session.live import LiveSession, start_thread
from ipcviz.tracer.config import AttachConfig, LaunchConfig

LOOK_SECONDS: Final = 0.25
"""How often it is looked whether somebody hangs while nothing is told."""
LINES_SECONDS: Final = 1.0
"""How long the source line of one process is waited for."""
ATTACHED_SECONDS: Final = 4.0
"""How long running processes are watched, if nothing else is said: what lasts is told by then."""


@click.command(cls=AfterDashes, context_settings={"allow_interspersed_args": False})
@click.option("--pid", "pids", type=click.IntRange(1), multiple=True, help="A process that runs.")
@click.option("--timeout", type=Seconds(0.001, 1e7), help="End the command after that long.")
@click.option("--until-hang", is_flag=True, help="End the command when it is sure that it hangs.")
@click.option(
    "--ignore", "ignored", multiple=True, metavar="RULE", help="Don't tell findings of RULE."
)
@click.option("--json", "form", flag_value="json", help="Write the report as JSON.")
@click.option("--sarif", "form", flag_value="sarif", help="Write the report as SARIF 2.1.0.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    help="Where the report goes (default: standard error; of a trace or --pid standard output).",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_files)
@click.pass_context
def doctor(
    context: click.Context,
    *,
    pids: tuple[int, ...],
    timeout: float | None,
    until_hang: bool,
    ignored: tuple[str, ...],
    form: str | None,
    output: str | None,
    command: tuple[str, ...],
) -> None:
    """Say what is wrong with how processes communicate: in a run of -- COMMAND, with --pid in
    processes that run, or in the TRACE of an earlier run.

    The command's own input and output are untouched. The exit status is 0 if nothing was found, 1
    if something was, 2 if it could not be seen. 'ipcviz explain RULE' tells more of a finding.
    """
    for name in ignored:
        if name not in BY_NAME:
            raise click.UsageError(f"There is no rule {name}: 'ipcviz explain' lists them.")
    check_outputs(output)
    if bool(pids) == bool(command):
        raise click.UsageError("Name one of: -- COMMAND, a TRACE, or --pid PID.")
    patient = Doctor(ignored)
    aside = False
    if pids:
        status = _watch_running(patient, pids, timeout or ATTACHED_SECONDS)
    elif not context.meta[AFTER_DASHES] and len(command) == 1 and os.path.isfile(command[0]):
        status = _read_trace(patient, command[0])
    else:
        status = _watch_command(patient, command, timeout, until_hang=until_hang)
        aside = output is None
    if status is not None:
        _write_report(patient, form, output, status, aside=aside)
    sys.exit(2 if status is None else bool(patient.findings))


def _write_report(
    patient: Doctor, form: str | None, output: str | None, status: str, *, aside: bool
) -> None:
    """Write the report to a file, to standard output, or `aside`: to standard error."""
    formats = {"json": format_json, "sarif": format_sarif, None: format_text}
    text = formats[form](patient.findings, status)
    if aside:
        write_notes(text.splitlines())
    elif output in (None, "-"):
        write_lines(text.splitlines())
    else:
        write_file(str(output), (text + "\n").encode(errors="backslashreplace"))


class Watch:
    """A live session, and the doctor that follows it.

    Args:
        session: The session.
        patient: The doctor.

    Attributes:
        status: The exit status that the command ended with; None before.
        failed: It could not be watched.
    """

    def __init__(self, session: LiveSession, patient: Doctor) -> None:
        self._session = session
        self._patient = patient
        self.status: int | None = None
        self.failed = False
        self._began = 0.0
        self._lines: deque[int] = deque()
        self._asked: set[int] = set()
        self._lines_until = 0.0

    @property
    def reading_lines(self) -> bool:
        """Whether source lines of processes in findings are still to be read."""
        return bool(self._lines) or time.monotonic() < self._lines_until

    def advance(self, seconds: float) -> None:
        """Take in what comes, and look what is wrong."""
        self._session.wait(seconds)
        events = self._session.drain()
        self.follow(events)
        if self._began and self.status is None:
            found = self._patient.examine(time.time() - self._began)
            self._ask_lines(found)

    def follow(self, events: Sequence[Event]) -> None:
        """Take events in, up to the end that was forced: what follows is our doing."""
        for event in events:
            if isinstance(event, Trouble):
                write_error(event.message)
                self.failed |= event.fatal
            elif isinstance(event, EndForced):
                self._began = 0.0
            elif isinstance(event, Finished) and self.status is None:
                self.status = event.code
        self._patient.follow(events)
        started = self._patient.state.started
        if started is not None and not self._began and self.status is None:
            self._began = started.began

    def _ask_lines(self, found: Sequence[Finding]) -> None:
        """Have the source lines read of the processes that something is wrong with, one by one."""
        for finding in found:
            for party in finding.processes:
                if party.pid not in self._asked:
                    self._asked.add(party.pid)
                    self._lines.append(party.pid)
        now = time.monotonic()
        if self._lines and now >= self._lines_until:
            self._session.send(Inspect(pid=self._lines.popleft(), lines=True))
            self._lines_until = now + LINES_SECONDS


def _watch_command(
    patient: Doctor, argv: tuple[str, ...], timeout: float | None, *, until_hang: bool
) -> str | None:
    """Run a command and follow it to its end. Returns how it ended in words; None if it could not
    be run.
    """
    session = LiveSession(LaunchConfig(argv=argv, keep_output=0), passing=True)
    watch = Watch(session, patient)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    words = ""
    try:
        session.start()
        start_thread(partial(sort_signals, session), "ipcviz signals")
        until = time.monotonic() + timeout if timeout is not None else None
        while not session.finished:
            watch.advance(LOOK_SECONDS)
            if watch.reading_lines:
                continue
            if until is not None and time.monotonic() >= until:
                words = f"The command was ended after {timeout:g} s."
                break
            if until_hang and any(one.sure for one in patient.findings):
                words = "The command hangs, and was ended."
                break
    finally:
        session.close()
    if watch.failed:
        return None
    if session.killed_by:
        return f"The command was ended by signal {session.killed_by}."
    return words or f"The command ended with status {watch.status}."


def _watch_running(patient: Doctor, pids: tuple[int, ...], seconds: float) -> str | None:
    """Look at running processes and their descendants for a while."""
    from ipcviz.tracer.attached.attach import check_processes

    config = AttachConfig(pids=pids, tree=True, spare=(os.getpid(),))
    names = check_processes(pids, trace=False, spare=config.spare)
    session = LiveSession(config)
    watch = Watch(session, patient)
    try:
        session.start()
        until = time.monotonic() + seconds
        while not session.finished and (time.monotonic() < until or watch.reading_lines):
            watch.advance(LOOK_SECONDS)
        session.send(Quit())
    finally:
        session.close()
    if watch.failed:
        return None
    return (
        f"Looked at {', '.join(names)} for {seconds:g} s, by samples: what they did before is not"
        " known."
    )


def _read_trace(patient: Doctor, path: str) -> str:
    """Follow a kept trace from its first event to its last one."""
    from ipcviz.cli.replay import open_session

    session, title, _ = open_session(path)
    try:
        session.start()
        at = 0.0
        while not session.finished:
            events = session.drain()
            if not events:
                time.sleep(0.01)
            at = _follow_kept(patient, events, at)
        return f"Read the trace of {title}."
    finally:
        session.close()


def _follow_kept(patient: Doctor, events: Sequence[Event], at: float) -> float:
    """Follow events of a trace, and look every so often, as one would have during the run."""
    for event in events:
        if event.t - at >= LOOK_SECONDS or isinstance(event, EndForced):
            # What holds just before an event has held since the one before it.
            patient.examine(event.t)
            at = event.t
        patient.follow((event,))
    return at


@click.command()
@click.argument("rule", required=False)
def explain(*, rule: str | None) -> None:
    """Tell of RULE what its fault looks like, why it happens and how it is mended; without RULE,
    list them all.
    """
    if rule is None:
        width = max(map(len, BY_NAME))
        for page in BY_NAME.values():
            write_line(f"{page.name:{width}}  {page.title}")
        return
    if rule not in BY_NAME:
        raise click.UsageError(f"There is no rule {rule}: 'ipcviz explain' lists them.")
    page = BY_NAME[rule]
    write_line(f"{page.name}: {page.title} ({page.certainty})")
    for title, text in (
        ("What it looks like", page.looks),
        ("Why it happens", page.why),
        ("How to mend it", page.mend),
        ("How it is told", page.evidence),
    ):
        write_line("")
        write_line(title)
        for line in click.wrap_text(text, 76, "  ", "  ").splitlines():
            write_line(line)
    if page.scenario:
        write_line("")
        write_line(f"See it: ipcviz run {page.scenario}")
