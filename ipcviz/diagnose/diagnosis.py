"""The doctor through a session: examined often enough, with what was found up to each moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipcviz.diagnose.findings import Finding
from ipcviz.events import EndForced, Event
from ipcviz.model.state import State

if TYPE_CHECKING:
    from ipcviz.diagnose.doctor import Doctor

BETWEEN: Final = 0.25
"""Session seconds between two looks for hangs, at least."""


class Diagnosis:
    """Gathers findings from events and the states around them, in their order.

    What comes before the first look waits for it: its rules take as long to import as a screen to
    be drawn.

    Args:
        doctor: Finds them; one that ignores no rule if it is not given.

    Attributes:
        skipped: Nobody has gone through the events: it is a long trace.
    """

    def __init__(self, doctor: Doctor | None = None) -> None:
        self._doctor = doctor
        self._waiting: list[tuple[Event, State, State]] = []
        self._examined = -BETWEEN if doctor is not None else 0.0
        self._forced = False
        self.skipped = False

    def follow_event(self, event: Event, before: State, after: State) -> None:
        """Take one event in. What follows a forced end is not the program's doing."""
        if self._forced:
            return
        if self._doctor is None and event.t < BETWEEN:
            self._waiting.append((event, before, after))
            return
        doctor = self._call_doctor()
        if before.n:
            # Who hung until now may go on with this event.
            self.examine(event.t)
        if isinstance(event, EndForced):
            self.examine(self._examined + BETWEEN)
            self._forced = True
            return
        doctor.follow_event(event, before, after)

    def _call_doctor(self) -> Doctor:
        """Have the doctor, who has seen all that waited."""
        if self._doctor is None:
            from ipcviz.diagnose.doctor import Doctor

            self._doctor = Doctor()
            waiting, self._waiting = self._waiting, []
            for seen in waiting:
                self.follow_event(*seen)
        return self._doctor

    def examine(self, now: float, *, last: bool = False) -> bool:
        """Look for hangs at a moment, in session seconds. Returns whether anything new was found.

        It is not looked again within `BETWEEN`, unless it is the `last` moment and something waits
        to be seen.
        """
        if self._forced or (now - self._examined < BETWEEN and not (last and self._waiting)):
            return False
        known = len(self._doctor.findings) if self._doctor is not None else 0
        doctor = self._call_doctor()
        self._examined = now
        doctor.examine(now)
        return len(doctor.findings) > known

    def find_until(self, n: int) -> tuple[Finding, ...]:
        """What was found up to the event with a number, in the order in which it was."""
        if self._doctor is None:
            return ()
        return tuple(one for one in self._doctor.findings if one.n <= n)
