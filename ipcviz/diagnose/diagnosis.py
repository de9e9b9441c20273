"""The doctor through a session: examined often enough, with what was found up to each moment."""

from __future__ import annotations

from typing import Final

from ipcviz.diagnose.doctor import Doctor
from ipcviz.diagnose.findings import Finding
from ipcviz.events import EndForced, Event
from ipcviz.model.state import State

BETWEEN: Final = 0.25
"""Session seconds between two looks for hangs, at least."""


class Diagnosis:
    """Gathers findings from events and the states around them, in their order.

    Args:
        doctor: Finds them; one that ignores no rule if it is not given.

    Attributes:
        skipped: Nobody has gone through the events: it is a long trace.
    """

    def __init__(self, doctor: Doctor | None = None) -> None:
        self._doctor = doctor or Doctor()
        self._examined = -BETWEEN
        self._forced = False
        self.skipped = False

    def follow_event(self, event: Event, before: State, after: State) -> None:
        """Take one event in. What follows a forced end is not the program's doing."""
        if self._forced:
            return
        if before.n:
            # Who hung until now may go on with this event.
            self.examine(event.t)
        if isinstance(event, EndForced):
            self.examine(self._examined + BETWEEN)
            self._forced = True
            return
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
