"""The doctor on the screen: follows what comes in, and knows what was found up to each moment."""

from __future__ import annotations

from typing import Final

from ipcviz.diagnose import Doctor, Finding
from ipcviz.events import EndForced, Event
from ipcviz.model.state import State

BETWEEN: Final = 0.25
"""Session seconds between two looks for hangs, at least."""


class Diagnosis:
    """Gathers findings from events and the states around them, in their order.

    Attributes:
        skipped: Nobody has gone through the events: it is a long trace.
    """

    def __init__(self) -> None:
        self._doctor = Doctor()
        self._examined = -BETWEEN
        self._forced = False
        self.skipped = False

    def follow_event(self, event: Event, before: State, after: State) -> None:
        """Take one event in. What follows a forced end is not the program's doing."""
        self._forced |= isinstance(event, EndForced)
        if self._forced:
            return
        if event.t - self._examined >= BETWEEN and before.n:
            # Nothing happened since the event before this one: that is a moment at which a hang
            # would show.
            self.examine(event.t)
        self._doctor.follow_event(event, before, after)

    def examine(self, now: float) -> bool:
        """Look for hangs at a moment, in session seconds. Returns whether anything new was found.

        It is not looked again within `BETWEEN`.
        """
        if self._forced or now - self._examined < BETWEEN:
            return False
        self._examined = now
        known = len(self._doctor.findings)
        self._doctor.examine(now)
        return len(self._doctor.findings) > known

    def find_until(self, n: int) -> tuple[Finding, ...]:
        """What was found up to the event with a number, in the order in which it was."""
        return tuple(one for one in self._doctor.findings if one.n <= n)
