"""Whether a session's end was forced: by ctrl+c, by a signal from outside, or by leaving ipcviz;
and from where on.

A program that hangs is mostly ended so, and then all that was to be seen is gone at the end: what
counts is the last moment before. Pure.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import EndForced, Event, Exited, Forked, SignalDelivered
from ipcviz.events.signals import signal_name
from ipcviz.model.state import Value

TOGETHER: Final = 5.0
"""Seconds between the first of the signals and the end that they led to, at most."""
_SIGINT: Final = 2
_SIGQUIT: Final = 3
_SIGKILL: Final = 9
_ENDING: Final = frozenset({1, _SIGINT, _SIGQUIT, 15})
"""SIGHUP, SIGINT, SIGQUIT, SIGTERM: those by which one ends a program (signal(7))."""
_KEYS: Final = {_SIGINT: "ctrl+c", _SIGQUIT: "ctrl+\\"}
TOLD: Final = (EndForced, Exited, Forked, SignalDelivered)
"""The types of events that decide it; all others may be left out."""


class ForcedEnd(Value, frozen=True):
    """Where an end was forced.

    Attributes:
        n: Number of the last event before that.
        t: When that was, in session seconds.
        by: What did it: `ctrl+c`, `SIGTERM`, `leaving ipcviz`.
    """

    n: int
    t: float
    by: str


class EndWatch:
    """Finds out, from a session's events in their order, whether its end was forced.

    Attributes:
        found: Where; None as long as it was not.
    """

    def __init__(self, root: int = 0) -> None:
        self.found: ForcedEnd | None = None
        self._root = root
        self._first: ForcedEnd | None = None

    def note_event(self, event: Event) -> None:
        """One event more. What comes after the end was forced changes nothing."""
        if self.found is not None:
            return
        if isinstance(event, Forked):
            if event.how in ("launched", "attached") and not self._root:
                self._root = event.pid
        elif isinstance(event, EndForced):
            self.found = self._find_recent(event.t) or ForcedEnd(
                event.n - 1, event.t, "leaving ipcviz"
            )
        elif isinstance(event, SignalDelivered):
            by = _who_forces(event)
            if by and self._find_recent(event.t) is None:
                self._first = ForcedEnd(event.n - 1, event.t, by)
        elif isinstance(event, Exited) and event.pid == self._root:
            killed = event.signo == _SIGKILL and not event.sender
            self.found = self._find_recent(event.t) or (
                ForcedEnd(event.n - 1, event.t, "SIGKILL") if killed else None
            )

    def _find_recent(self, t: float) -> ForcedEnd | None:
        """The first of the signals that came just before."""
        return self._first if self._first is not None and t - self._first.t <= TOGETHER else None


def _who_forces(event: SignalDelivered) -> str:
    """What ends a program by a signal: a key of its terminal, or somebody who is not watched; empty
    if nobody does.
    """
    if event.signo not in _ENDING or event.action not in ("terminate", "core", "handler"):
        return ""
    if event.code == "SI_KERNEL":
        return _KEYS.get(event.signo, "")
    return signal_name(event.signo) if event.sender_name else ""
