"""Rules about what was done, rather than about who waits: each is told events, one by one.

A hang is seen in a state (`ipcviz.diagnose.rules.pipes`, `.locks`). Other faults are seen only when
they happen: a write that was cut off, a signal that merged with another one. A rule of this kind
remembers what it needs of earlier events, and yields a finding at the event that proves it.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

from ipcviz.diagnose.findings import Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.events import Call, Counted, Coverage, Dropped, Effect, Event, Exited
from ipcviz.events.calls import READS_ANY
from ipcviz.model.state import State

K = TypeVar("K")
V = TypeVar("V")


class Return(enum.IntFlag):
    """How a call came out: one of the first four, and what else is true of it."""

    FAILED = 1
    NOTHING = 2
    """It returned 0."""
    PART = 4
    """It moved fewer bytes than it was asked for."""
    WHOLE = 8
    """None of these."""
    SLEPT = 16
    """It was seen asleep (`Call.slept`)."""
    OTHER_TAKER = 32
    """It took bytes of an object, and whoever took some before was another process, or nobody."""


RETURNED: Final = Return.PART | Return.WHOLE
ANY_RETURN: Final = RETURNED | Return.FAILED | Return.NOTHING


def returns_of(calls: Iterable[str], outcomes: Return = ANY_RETURN) -> dict[str, Return]:
    """The returns of these calls that came out in one of these ways."""
    return dict.fromkeys(calls, outcomes)


class EventRule(ABC):
    """What certain events prove.

    Most events are reads and writes that came out as wanted, and prove nothing. So a rule names
    what it is told of, as narrowly as it can: nothing of it runs at any other event.

    Attributes:
        calls: It is told the returns of these calls, if they came out so: made by `returns_of`.
        effects: It is told the returns of all calls that had effects of these types.
        errors: It is told the returns of all calls that failed so.
        kinds: It is told all events of these types, but no calls.
    """

    calls: ClassVar[Mapping[str, Return]] = {}
    effects: ClassVar[tuple[type[Effect], ...]] = ()
    errors: ClassVar[frozenset[str]] = frozenset()
    kinds: ClassVar[tuple[type[Event], ...]] = ()

    @abstractmethod
    def follow_event(self, moment: CaseMoment, event: Any) -> Iterable[Finding]:
        """Take in one event, of which `moment.state` knows already; what it proves."""

    def forget_objects(self, state: State) -> None:  # noqa: B027
        """Drop what is remembered of objects that a state has no more, if it is much."""


class SequenceRule(EventRule):
    """What several events prove together: none may be missing among them.

    What it has begun with a process (`begin`), the next calls of that process go on with or end. So
    of those it is told more, until it has ended that.

    Attributes:
        follows: It is told the returns of these calls, however they came out, and of all that had
            effects, of processes with which it has begun something.
        begun: By process, the rules that have begun something with it; of all rules of a session.
    """

    follows: ClassVar[frozenset[str]] = frozenset()
    begun: dict[int, tuple[SequenceRule, ...]]

    def begin(self, pid: int) -> None:
        """Be told what it `follows` of a process from now on."""
        rules = self.begun.get(pid, ())
        if self not in rules:
            self.begun[pid] = (*rules, self)

    def end(self, pid: int) -> None:
        """Be told only those that the rule names, as before `begin`."""
        rest = tuple(rule for rule in self.begun.get(pid, ()) if rule is not self)
        if rest:
            self.begun[pid] = rest
        else:
            self.begun.pop(pid, None)

    @abstractmethod
    def forget_process(self, pid: int | None) -> None:
        """Drop what a process has begun, or all have if it is None: from now on not all that it
        does is told, so what it does not do is not known.
        """


class EventRules:
    """Several rules, and which of them is told what.

    Args:
        rules: The rules, each for this one session.
    """

    def __init__(self, rules: tuple[EventRule, ...]) -> None:
        self._rules = rules
        self._sequences = [rule for rule in rules if isinstance(rule, SequenceRule)]
        self._by_call: dict[str, list[list[EventRule]]] = {}
        """By call, and by outcome as a number."""
        self._by_effect: dict[type[Effect], list[EventRule]] = {}
        self._by_error: dict[str, list[EventRule]] = {}
        self._by_kind: dict[type[Event], list[EventRule]] = {}
        self._begun: dict[int, tuple[SequenceRule, ...]] = {}
        self._joined: dict[tuple[str, int, tuple[SequenceRule, ...]], list[EventRule]] = {}
        """The rules that are told a plain call of a process with which some have begun something,
        by the call, its outcome and those.
        """
        self._takers: dict[str, int] = {}
        """By object, the process that has taken bytes of it last."""
        for call in {call for rule in rules for call in rule.calls}:
            some = [rule for rule in rules if call in rule.calls]
            self._by_call[call] = [
                [rule for rule in some if rule.calls[call] & outcome]
                for outcome in range(2 * max(Return))
            ]
        for rule in rules:
            for effect in rule.effects:
                self._by_effect.setdefault(effect, []).append(rule)
            for error in rule.errors:
                self._by_error.setdefault(error, []).append(rule)
            for kind in rule.kinds:
                self._by_kind.setdefault(kind, []).append(rule)
        for sequence in self._sequences:
            sequence.begun = self._begun

    def list_rules(self, event: Event) -> list[EventRule]:
        """The rules that are told an event. What is not told any more they forget before that."""
        if type(event) is not Call:
            self._forget_untold(event)
            return self._by_kind.get(type(event), _NONE)
        by_outcome = self._by_call.get(event.name)
        outcome = self._find_outcome(event) if by_outcome is not None else 0
        found = by_outcome[outcome] if by_outcome is not None else _NONE
        begun = self._begun.get(event.pid, ())
        if not event.error and not event.effects:
            return self._join_begun(event.name, outcome, found, begun) if begun else found
        if event.error and event.error in self._by_error:
            found = _add(found, self._by_error[event.error])
        for effect in event.effects:
            if type(effect) in self._by_effect:
                found = _add(found, self._by_effect[type(effect)])
        name, effects = event.name, event.effects
        return _add(found, [rule for rule in begun if effects or name in rule.follows])

    def _join_begun(
        self,
        name: str,
        outcome: int,
        found: list[EventRule],
        begun: tuple[SequenceRule, ...],
    ) -> list[EventRule]:
        """The rules for a call by its outcome, with those that have begun something."""
        key = name, outcome, begun
        joined = self._joined.get(key)
        if joined is None:
            joined = _add(found, [rule for rule in begun if name in rule.follows])
            self._joined[key] = joined
        return joined

    def _find_outcome(self, event: Call) -> int:
        """How a call came out, as a number: an `IntFlag` would be made anew at each."""
        ret = event.ret
        outcome = _SLEPT if event.slept else 0
        if event.error:
            return outcome | _FAILED
        if not ret:
            return outcome | _NOTHING
        if event.name in READS_ANY and self._takers.get(event.object) != event.pid:
            self._takers[event.object] = event.pid
            outcome |= _OTHER_TAKER
        count = event.args.get("count")
        return outcome | (_PART if type(count) is int and ret < count else _WHOLE)

    def _forget_untold(self, event: Event) -> None:
        match event:
            case Coverage(full=False) | Counted():
                self._forget_process(event.pid)
            case Dropped():
                self._forget_process(None)
            case Exited():
                self._begun.pop(event.pid, None)

    def _forget_process(self, pid: int | None) -> None:
        self._takers.clear()
        if pid is None:
            self._begun.clear()
        else:
            self._begun.pop(pid, None)
        for rule in self._sequences:
            rule.forget_process(pid)

    def forget_objects(self, state: State) -> None:
        """Drop what is about objects that no state has any more."""
        self._takers = {key: pid for key, pid in self._takers.items() if key in state.objects}
        for rule in self._rules:
            rule.forget_objects(state)


_FAILED: Final = int(Return.FAILED)
_NOTHING: Final = int(Return.NOTHING)
_PART: Final = int(Return.PART)
_WHOLE: Final = int(Return.WHOLE)
_SLEPT: Final = int(Return.SLEPT)
_OTHER_TAKER: Final = int(Return.OTHER_TAKER)
_NONE: list[EventRule] = []


def keep_others(kept: dict[K, V], pid: int | None, whose: Callable[[K, V], int]) -> dict[K, V]:
    """What is kept of other processes than one; nothing if it is None.

    Args:
        kept: What a rule remembers.
        pid: The process.
        whose: Which process an entry is of.
    """
    if pid is None:
        return {}
    return {key: value for key, value in kept.items() if whose(key, value) != pid}


def _add(found: list[EventRule], more: Sequence[EventRule]) -> list[EventRule]:
    return found + [rule for rule in more if rule not in found]
