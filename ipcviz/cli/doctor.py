"""`ipcviz doctor`: what is wrong with a command or in a trace; `ipcviz explain`: what it means."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from ipcviz.cli.completing import complete_files
from ipcviz.cli.numbers import Seconds
from ipcviz.cli.sarif import make_sarif
from ipcviz.cli.words import AFTER_DASHES, AfterDashes, RemembersWords, check_outputs
from ipcviz.diagnose import BETWEEN, Diagnosis, Finding
from ipcviz.diagnose.doctor import Doctor
from ipcviz.diagnose.pages import BY_NAME, PAGES
from ipcviz.events import EndForced, Event, Finished, Inspect, Trouble
from ipcviz.events.undecoded import escape_json
from ipcviz.messages import exit_with_error, wrap_text, write_error, write_json, write_lines
from ipcviz.model.reduce import reduce
from ipcviz.outputs import write_file

if TYPE_CHECKING:
    from ipcviz.session.live import LiveSession

FOUND: Final = 1
"""Exit status where something was found."""
LINES: Final = 1.0
"""Seconds that the source lines of one process are waited for."""
ANY: Final = ""
"""The value of --pid where it has none."""
ATTACHED: Final = 4.0
"""Seconds that running processes are looked at, if nothing else is said."""


@click.command(cls=AfterDashes)
@click.option(
    "--timeout",
    type=Seconds(0.1, 1e6),
    metavar="SECONDS",
    help="End the command after so many seconds.",
)
@click.option(
    "--until-hang", is_flag=True, help="End the command as soon as a finding is sure: for CI."
)
@click.option(
    "--ignore", multiple=True, metavar="RULE", help="Say nothing of this rule; may be repeated."
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    shell_complete=complete_files,
    help="Write the findings there, too, as JSON.",
)
@click.option(
    "--sarif",
    "sarif_file",
    metavar="FILE",
    shell_complete=complete_files,
    help="Write the findings there, too, as SARIF 2.1.0.",
)
@click.option(
    "--pid",
    "processes",
    metavar="[PID|NAME]",
    is_flag=False,
    flag_value=ANY,
    multiple=True,
    help="Look at this running process and its descendants, by samples; may be repeated. Without"
    " a PID, choose from a table.",
)
@click.argument("what", metavar="TRACE|-- CMD...", nargs=-1)
@click.pass_context
def doctor(
    context: click.Context,
    *,
    timeout: float | None,
    until_hang: bool,
    ignore: tuple[str, ...],
    json_file: str | None,
    sarif_file: str | None,
    processes: tuple[str, ...],
    what: tuple[str, ...],
) -> None:
    """Say why a command hangs: who waits for whom, at which descriptor, and how it is mended.

    After -- any command is run, with this terminal as its own; or a trace of 'ipcviz trace' is
    examined, or processes that run are looked at (--pid; without a PID one chooses from a table of
    them). What is found is said on standard error, at the moment at which it is found. Exit status:
    0 nothing was found, 1 something was, 2 it could not be run.
    """
    for rule in ignore:
        _find_page(rule)
    check_outputs(json_file, sarif_file)
    if bool(processes) == bool(what):
        raise click.UsageError("Name one of: a TRACE, -- and a command, or --pid PID.")
    found = Doctor(ignore)
    if processes:
        if until_hang:
            raise click.UsageError("--until-hang is for a command: what runs already is not ended.")
        pids = _choose_processes(processes)
        if not pids:
            sys.exit(0)
        code = _watch_running(pids, found, timeout or ATTACHED)
    elif context.meta[AFTER_DASHES]:
        code = _watch_command(what, found, timeout, until_hang=until_hang)
    elif len(what) == 1 and _is_file(what[0]):
        if timeout or until_hang:
            raise click.UsageError(
                "--timeout and --until-hang are for a command: put -- before it."
            )
        _examine_trace(what[0], found)
        code = 0
    else:
        raise click.UsageError(
            f"{what[0]} is no trace; put -- before a command: ipcviz doctor -- {shlex.join(what)}"
        )
    if code != 2 or found.findings:
        # What could not be run leaves the files of the last time as they are.
        _write_findings(json_file, found.findings)
        _write_findings(sarif_file, make_sarif(found.findings))
    if not found.findings and code != 2:
        write_error("Nothing wrong was found.")
    sys.exit(code or (FOUND if found.findings else 0))


def _write_findings(path: str | None, value: Any) -> None:
    """Write findings into a file, if one was asked for."""
    if path:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2)
        write_file(path, escape_json(text) + b"\n")


@click.command(cls=RemembersWords)
@click.argument("rule", required=False)
@click.option("--json", "as_json", is_flag=True, help="All rules, as JSON.")
def explain(*, rule: str | None, as_json: bool) -> None:
    """Explain a finding of the doctor: what it looks like, why it happens, how it is mended.

    Without a name it lists all rules.
    """
    if as_json:
        write_json([page._asdict() for page in PAGES])
        return
    if rule is None:
        width = max(len(page.name) for page in PAGES)
        write_lines(f"{page.name:<{width}}  {page.title}" for page in PAGES)
        return
    page = _find_page(rule)
    rows = [f"{page.name}: {page.title} ({page.certainty})", ""]
    for head, text in page.parts:
        rows += [head, *wrap_text(text, "  "), ""]
    if page.shown_by:
        rows.append(page.shown_by)
    write_lines(rows)


def _find_page(rule: str) -> Any:
    """The page of a rule. Ends with a sentence if there is none."""
    page = BY_NAME.get(rule)
    if page is None:
        exit_with_error(f"There is no rule {rule!r}: 'ipcviz explain' lists them.")
    return page


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _examine_trace(path: str, found: Doctor) -> None:
    """Go through a trace, examine it often enough and at its end, and say what is found."""
    from ipcviz.trace import TraceReader

    diagnosis = Diagnosis(found)
    said: set[tuple[str, tuple[int, ...], str]] = set()
    with TraceReader(path) as reader:
        for event in reader.read_events():
            before = found.state
            diagnosis.follow_event(event, before, reduce(before, event))
            _report_new(found, said)
            if isinstance(event, EndForced):
                break
        diagnosis.examine(found.state.t + BETWEEN)
        _report_new(found, said)


def _watch_command(
    argv: tuple[str, ...], found: Doctor, timeout: float | None, *, until_hang: bool
) -> int:
    """Run a command and examine it. Returns 2 if it could not be run, else 0."""
    from ipcviz.cli.trace import ENDING, sort_signals
    from ipcviz.session.live import LiveSession, start_thread
    from ipcviz.tracer.config import LaunchConfig

    session = LiveSession(LaunchConfig(argv=argv, terminal=False, keep_output=0), passing=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    watch = _Watch(session, found)
    began = time.monotonic()
    try:
        session.start()
        start_thread(partial(sort_signals, session), "ipcviz signals")
        for events in _drain_events(session):
            new = watch.follow_events(events)
            if watch.finished:
                break
            if until_hang and any(one.sure and BY_NAME[one.rule].hangs for one in new):
                write_error("The command is ended here.")
                return 0
            if timeout and time.monotonic() - began > timeout and not watch.reading:
                write_error(f"The command is ended after {timeout:g} seconds.")
                return 0
    finally:
        session.close()
        watch.report_rest()
    if session.killed_by:
        return 128 + session.killed_by
    if watch.failed:
        return 2
    write_error(f"The command ended with status {watch.status}.")
    return 0


def _choose_processes(words: tuple[str, ...]) -> tuple[int, ...]:
    """The processes that are meant, chosen from a table where the words do not say it; none if the
    viewer left that without a choice.
    """
    from ipcviz.cli.choosing import find_processes, is_on_terminal, let_choose

    meant = find_processes(() if ANY in words else words)
    if not meant.ask:
        return meant.pids
    if not is_on_terminal():
        raise click.UsageError(meant.why_not_alone)
    picked = let_choose(meant.search, tree=True, examining=True)
    return picked.pids if picked is not None else ()


def _watch_running(pids: tuple[int, ...], found: Doctor, seconds: float) -> int:
    """Look at running processes for so long. Returns 2 if that can't be, else 0."""
    from ipcviz.session.live import LiveSession
    from ipcviz.tracer.attached.attach import check_processes
    from ipcviz.tracer.config import AttachConfig

    config = AttachConfig(pids=pids, tree=True, spare=(os.getpid(),))
    names = check_processes(pids, trace=False, spare=config.spare)
    session = LiveSession(config)
    watch = _Watch(session, found)
    began = time.monotonic()
    try:
        session.start()
        for events in _drain_events(session):
            watch.follow_events(events)
            if watch.finished or (time.monotonic() - began > seconds and not watch.reading):
                break
    finally:
        session.close()
        watch.report_rest()
    write_error(
        f"Looked at {', '.join(names)} for {seconds:g} seconds, by samples: what was before is not"
        " known."
    )
    return 2 if watch.failed else 0


class _Watch:
    """A live session that is examined; a finding is said when its source lines were asked for.

    Args:
        session: The session.
        found: The doctor.

    Attributes:
        status: The command's exit status, once it has ended.
        finished: Nothing more will come.
        failed: It could not be watched.
    """

    def __init__(self, session: LiveSession, found: Doctor) -> None:
        self._session = session
        self._found = found
        self._heard = time.monotonic()
        self._said: set[tuple[str, tuple[int, ...], str]] = set()
        self._asked: set[int] = set()
        self._to_ask: list[int] = []
        self._until = 0.0
        self.status = 0
        self.finished = False
        self.failed = False

    @property
    def reading(self) -> bool:
        """Whether source lines are still waited for."""
        return bool(self._to_ask) or time.monotonic() < self._until

    def follow_events(self, events: list[Event]) -> tuple[Finding, ...]:
        """Take events in, examine the moment, and say what is new. Returns that."""
        self._found.follow_events(events)
        self._heard = time.monotonic() if events else self._heard
        for event in events:
            if isinstance(event, Trouble):
                write_error(event.message)
                self.failed |= event.fatal
            if isinstance(event, Finished):
                self.status = event.code
        self.finished = bool(events) and isinstance(events[-1], Finished)
        if self.finished:
            return ()
        now = time.monotonic()
        found = self._found.examine(self._found.state.t + now - self._heard)
        for one in found:
            pids = [party.pid for party in one.processes if party.pid not in self._asked]
            self._asked.update(pids)
            self._to_ask += pids
        if self._to_ask and now >= self._until:
            self._session.send(Inspect(pid=self._to_ask.pop(0), lines=True))
            self._until = now + LINES
        return () if self.reading else self.report_rest()

    def report_rest(self) -> tuple[Finding, ...]:
        """Say what was found and not said yet. Returns that."""
        return _report_new(self._found, self._said)


def _drain_events(session: LiveSession) -> Iterator[list[Event]]:
    """What has happened since the last time, some times a second, until the session has ended."""
    while not session.finished:
        session.wait(BETWEEN)
        yield session.drain()


def _report_new(found: Doctor, said: set[tuple[str, tuple[int, ...], str]]) -> tuple[Finding, ...]:
    """Say what was found and is not among what was said, add it to that, and return it."""
    new = tuple(one for one in found.findings if one.key not in said)
    said.update(one.key for one in new)
    for one in new:
        _write_finding(one)
    return new


def _write_finding(one: Finding) -> None:
    first, *more = _format_finding(one)
    write_error(first, "\n".join(more))


def _format_finding(one: Finding) -> list[str]:
    """A finding as lines: the sentence, the mend, and what proves it."""
    grade = "" if one.sure else "probably: "
    lines = [f"{grade}{one.sentence} {one.mend}"]
    if one.why_probable:
        lines.append(f"  Not sure: {one.why_probable}.")
    lines += [f"  {fact.text}" for fact in one.evidence]
    lines += [f"  {origin.words}" for origin in one.origins if origin.words]
    lines.append(f"  [{one.rule}] 'ipcviz explain {one.rule}' tells more.")
    return lines
