"""A schedule: in which order a run's processes go on, as text that people write and read. Pure.

One line is one step or one goal:

    consumer read                    one operation of the consumer, which must be a read
    consumer read on P1              the same, and of this object or semaphore
    sleeper to pause                 operations of the sleeper, until it stands before pause
    producer to store counter        ... until it has stored that variable (or to `load` it)
    sleeper until blocked            ... until it is blocked in a call
    sleeper to end                   ... until it has ended
    until SIGALRM pending on sleeper real time passes until the signal is pending
    signal SIGUSR1 to sleeper        it is sent by ipcviz
    turns                            from here on all take turns, one operation each
    run                              from here on everything runs by itself
    run until call=write on=P1       ... until a breakpoint is reached

Who is meant is a role of the scenario or a place in the family (`1.2`, the command's second child;
`1.2/3`, its third thread). Operations are calls, signals that are about to act (`SIGALRM`),
`sem_wait` and the like, `start`, `return`, `run`. What follows a `#` is for the reader.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from ipcviz.events import Breakpoint, Call, Event, Held, Poised, Released, Settled, Stepped
from ipcviz.events.signals import signal_name, signal_number
from ipcviz.model.state import State
from ipcviz.model.steps import stepping
from ipcviz.model.steps.moments import has_begun

Kind = Literal["step", "to", "until blocked", "to end", "pending", "signal", "turns", "run"]


class Line(msgspec.Struct, frozen=True):
    """One line of a schedule.

    Attributes:
        number: Where it stands in the text, from 1.
        kind: What it is.
        who: Whom it lets go, or is about.
        operation: The operation wanted (`step`, `to`).
        on: Name of the object or semaphore wanted; empty if any will do.
        signo: The signal (`pending`, `signal`).
        until: The breakpoints of `run`, by their keys: `call`, `on`, `of`, `event`, `signal`, `is`.
        text: The line as it was written, without its comment.
    """

    number: int
    kind: Kind
    who: str = ""
    operation: str = ""
    on: str = ""
    signo: int = 0
    until: tuple[dict[str, str], ...] = ()
    text: str = ""


class Schedule(msgspec.Struct, frozen=True):
    """A schedule that was read."""

    lines: tuple[Line, ...] = ()


class ScheduleError(ValueError):
    """A text is no schedule.

    Attributes:
        line: Where, from 1.
        message: One sentence: what is wrong and what is allowed.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


_COMMENT: Final = re.compile(r"(^|\s)#.*$")
_PENDING: Final = re.compile(r"until (?P<signal>\S+) pending on (?P<who>.+)$")
_SIGNAL: Final = re.compile(r"signal (?P<signal>\S+) to (?P<who>.+)$")
_END: Final = re.compile(r"(?P<who>.+) to end$")
_BLOCKED: Final = re.compile(r"(?P<who>.+) until blocked$")
ACCESSES: Final = ("load", "store", "update")
"""What a thread does to a watched variable. It is held behind that, not before."""
_ACCESS: Final = re.compile(
    rf"(?P<who>.+?) to (?P<operation>{'|'.join(ACCESSES)})(?: (?:on )?(?P<on>.+))?$"
)
_STEP: Final = re.compile(r"(?P<who>.+?) (?P<to>to )?(?P<operation>[\w+]+)(?: on (?P<on>.+))?$")
_FORMS: Final = (
    "'WHO OPERATION', 'WHO to OPERATION', 'WHO until blocked', 'WHO to end', 'until SIGNAL pending"
    " on WHO', 'signal SIGNAL to WHO', 'turns' or 'run'"
)
_KEYS: Final = ("call", "on", "of", "event", "signal", "is")
_CONDITIONS: Final = ("full", "empty", "end", "blocked", "zero")


def parse_schedule(text: str) -> Schedule:
    """Read a schedule.

    Raises:
        ScheduleError: A line is none of a schedule's.
    """
    lines = []
    last: Line | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        words = " ".join(_COMMENT.sub("", raw).split())
        if not words:
            continue
        if last is not None and (last.kind == "turns" or (last.kind == "run" and not last.until)):
            raise ScheduleError(
                number, f"nothing can follow {last.kind!r}, which goes on to the end"
            )
        last = msgspec.structs.replace(_parse_line(number, words), text=words)
        lines.append(last)
    return Schedule(tuple(lines))


def _parse_line(number: int, words: str) -> Line:
    if words == "turns":
        return Line(number, "turns")
    if words == "run" or words.startswith("run until "):
        return Line(number, "run", until=_parse_breakpoints(number, words[len("run until ") :]))
    if found := _PENDING.match(words):
        return Line(
            number, "pending", who=found["who"], signo=_parse_signal(number, found["signal"])
        )
    if found := _SIGNAL.match(words):
        return Line(
            number, "signal", who=found["who"], signo=_parse_signal(number, found["signal"])
        )
    if found := _END.match(words):
        return Line(number, "to end", who=found["who"])
    if found := _BLOCKED.match(words):
        return Line(number, "until blocked", who=found["who"])
    if found := _ACCESS.match(words):
        return Line(
            number, "to", who=found["who"], operation=found["operation"], on=found["on"] or ""
        )
    found = _STEP.match(words)
    if found is None or {found["operation"], found["who"].split()[-1]} & {"to", "until", "on"}:
        raise ScheduleError(number, f"{words!r} is no step; write {_FORMS}")
    kind: Kind = "to" if found["to"] else "step"
    if found["operation"] in ACCESSES:
        raise ScheduleError(
            number,
            f"a thread is held behind its loads and stores: write '{found['who']} to"
            f" {found['operation']}{' ' + found['on'] if found['on'] else ''}'",
        )
    return Line(number, kind, who=found["who"], operation=found["operation"], on=found["on"] or "")


def _parse_signal(number: int, name: str) -> int:
    signo = signal_number(name)
    if signo is None or not name.startswith("SIG"):
        raise ScheduleError(
            number, f"{name!r} is not a signal; write a name as in signal(7), e.g. SIGALRM"
        )
    return signo


def _parse_breakpoints(number: int, words: str) -> tuple[dict[str, str], ...]:
    try:
        parts = shlex.split(words)
    except ValueError:
        raise ScheduleError(number, f"a quotation mark in {words!r} is not closed") from None
    found: list[dict[str, str]] = []
    wanted: dict[str, str] = {}
    for part in [*parts, "or"] if parts else []:
        key, equals, value = part.partition("=")
        if part == "or" and wanted:
            found.append(wanted)
            wanted = {}
        elif not equals or key not in _KEYS or not value:
            raise ScheduleError(
                number, f"{part!r} is no breakpoint; write KEY=VALUE with {', '.join(_KEYS)}"
            )
        elif key == "is" and value not in _CONDITIONS:
            raise ScheduleError(
                number, f"{value!r} is not a condition; write one of {', '.join(_CONDITIONS)}"
            )
        else:
            wanted[key] = value
            if key == "signal":
                _parse_signal(number, value)
    return tuple(found)


class GivenNames(msgspec.Struct, frozen=True):
    """The scenario's names: roles by pid, names of objects and semaphores by key."""

    roles: Mapping[int, str] = {}
    labels: Mapping[str, str] = {}


NO_NAMES: Final = GivenNames()
"""For runs of no scenario."""


def name_target(poised: Poised) -> str:
    """Key of the object or semaphore that a held thread's operation is about; empty if there is
    none.
    """
    return poised.semaphore.key if poised.semaphore is not None else poised.object


def name_object(state: State, key: str, names: GivenNames = NO_NAMES) -> str:
    """The name of an object or a semaphore; empty if there is none."""
    found = state.objects.get(key) or state.semaphores.get(key) or state.variables.get(key)
    return names.labels.get(key, "") or (found.label if found else "")


def format_breakpoint(point: Breakpoint, state: State, names: GivenNames = NO_NAMES) -> str:
    """A breakpoint as a schedule has it: `call=write on=P1`."""
    who = stepping.name_thread(state, point.pid, names.roles) if point.pid else ""
    found = {
        "event": point.event,
        "call": point.call,
        "on": name_object(state, point.object, names) if point.object else "",
        "of": who,
        "signal": signal_name(point.signo) if point.signo else "",
        "is": point.condition,
    }
    return " ".join(f"{key}={shlex.quote(value)}" for key, value in found.items() if value)


class Recorder:
    """Writes down the steps that are made, as the lines of a schedule.

    What can't be repeated on a fresh run, because the run had gone on by itself before, becomes a
    comment.

    Attributes:
        lines: The lines so far.
        begun: Whether there was anything to step through: the command could be executed.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.begun = False
        self._made: tuple[int, str] | None = None
        self._running: tuple[int, str] = (0, "")
        self._ran = False
        """Whether it has run by itself for a time that a schedule can't say."""

    def record_event(self, event: Event, before: State, names: GivenNames = NO_NAMES) -> None:
        """Take an event, with the state before it."""
        self.begun = self.begun or has_begun(event)
        if isinstance(event, Stepped):
            self._record_step(event.tid, before, names)
        elif isinstance(event, Poised):
            self._record_early_signal(event)
            self._record_access(event, before, names)
        elif isinstance(event, Settled):
            self._made = None
        elif isinstance(event, Call) and not before.stepping and not self.lines:
            self._ran = True
        elif isinstance(event, Released) and not (self.lines and self.lines[-1].startswith("run")):
            self._add_line("run")
        elif isinstance(event, Held):
            self._record_held(event)

    def record_signal(
        self, state: State, pid: int, signo: int, names: GivenNames = NO_NAMES
    ) -> None:
        """The viewer sent a signal."""
        who = stepping.name_thread(state, pid, names.roles)
        if who:
            self._add_line(f"signal {signal_name(signo)} to {who}")

    def record_run(self, until: str = "") -> None:
        """The viewer let everything run, until a breakpoint that is given as `KEY=VALUE` words."""
        self._add_line(f"run until {until}" if until else "run")

    def format_schedule(self, title: str = "") -> str:
        """The schedule so far, as a file."""
        head = [f"# {title}", ""] if title else []
        return "\n".join([*head, *self.lines, ""])

    def _add_line(self, line: str) -> None:
        self.lines.append(f"# {line}" if self._ran else line)

    def _record_held(self, event: Held) -> None:
        by_hand = not event.reason and bool(self.lines) and self.lines[-1].startswith("run")
        if by_hand or (self._ran and not self.lines):
            self._ran = True
            self._add_line("It was held by hand here, and what follows depends on that moment:")

    def _record_step(self, tid: int, before: State, names: GivenNames) -> None:
        thread = before.threads.get(tid)
        who = stepping.name_thread(before, tid, names.roles)
        if thread is None or thread.poised is None or not who:
            return
        line = f"{who} {stepping.name_operation(thread.poised)}"
        label = name_object(before, name_target(thread.poised), names)
        self._add_line(f"{line:<28} # {label}" if label else line)
        self._made = (tid, who) if thread.poised.at == "entry" else None
        own_code = stepping.name_operation(thread.poised) in ("run", "start", "return")
        self._running = (tid, who) if own_code else (0, "")

    def _record_access(self, poised: Poised, before: State, names: GivenNames) -> None:
        """A step from the thread's own code led to a load or a store: the line says to which."""
        tid, who = self._running
        if poised.at == "access" and poised.tid == tid and self.lines and not self._ran:
            label = name_object(before, poised.object, names)
            self.lines[-1] = f"{who} to {poised.op} {label}".rstrip()
        if poised.tid == tid:
            self._running = (0, "")

    def _record_early_signal(self, poised: Poised) -> None:
        """A signal came before the call: it has to be pending at this step the next time, too."""
        made, self._made = self._made, None
        if made is not None and poised.tid == made[0] and poised.at == "signal" and not self._ran:
            self.lines.insert(-1, f"until {signal_name(poised.signo)} pending on {made[1]}")
