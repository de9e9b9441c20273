"""Rules about what was done, rather than about who waits: each is told events, one by one.

A hang is seen in a state (`ipcviz.diagnose.rules.pipes`, `.locks`). Other faults are seen only when
they happen: a write that was cut off, a signal that merged with another one. A rule of this kind
remembers what it needs of earlier events, and yields a finding at the event that proves it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

from ipcviz.diagnose.findings import Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.events import Call, Counted, Coverage, Dropped, Effect, Event

K = TypeVar("K")
V = TypeVar("V")


class EventRule(ABC):
    """What certain events prove.

    Attributes:
        calls: It is told the returns of these calls.
        effects: It is told the returns of all calls that had effects of these types.
        errors: It is told the returns of all calls that failed so.
        kinds: It is told all events of these types, but no calls.
    """

    calls: ClassVar[frozenset[str]] = frozenset()
    effects: ClassVar[tuple[type[Effect], ...]] = ()
    errors: ClassVar[frozenset[str]] = frozenset()
    kinds: ClassVar[tuple[type[Event], ...]] = ()

    @abstractmethod
    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """Take in one event, of which `moment.state` knows already; what it proves."""


class SequenceRule(EventRule):
    """What several events prove together: none may be missing among them."""

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
        self._sequences = [rule for rule in rules if isinstance(rule, SequenceRule)]
        self._by_call: dict[str, list[EventRule]] = {}
        self._by_effect: dict[type[Effect], list[EventRule]] = {}
        self._by_error: dict[str, list[EventRule]] = {}
        self._by_kind: dict[type[Event], list[EventRule]] = {}
        for rule in rules:
            for call in rule.calls:
                self._by_call.setdefault(call, []).append(rule)
            for effect in rule.effects:
                self._by_effect.setdefault(effect, []).append(rule)
            for error in rule.errors:
                self._by_error.setdefault(error, []).append(rule)
            for kind in rule.kinds:
                self._by_kind.setdefault(kind, []).append(rule)

    def list_rules(self, event: Event) -> list[EventRule]:
        """The rules that are told an event. What is not told any more they forget before that."""
        if isinstance(event, Coverage | Counted) and not getattr(event, "full", False):
            self._forget(event.pid)
        elif isinstance(event, Dropped):
            self._forget(None)
        if not isinstance(event, Call):
            return self._by_kind.get(type(event), _NONE)
        found = self._by_call.get(event.name, _NONE)
        if event.error in self._by_error:
            found = _add(found, self._by_error[event.error])
        for effect in event.effects:
            if type(effect) in self._by_effect:
                found = _add(found, self._by_effect[type(effect)])
        return found

    def _forget(self, pid: int | None) -> None:
        for rule in self._sequences:
            rule.forget_process(pid)


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


def _add(found: list[EventRule], more: list[EventRule]) -> list[EventRule]:
    return found + [rule for rule in more if rule not in found]
