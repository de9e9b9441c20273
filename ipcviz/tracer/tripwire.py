"""Breakpoints of a live run: everything is held once an event reaches one."""

from __future__ import annotations

from ipcviz.events import Breakpoint, Event
from ipcviz.model.state import State
from ipcviz.model.steps.breakpoints import find_reached


class Tripwire:
    """The breakpoints that are waited for, and the first of them that an event has reached."""

    __slots__ = ("points", "reached")

    def __init__(self) -> None:
        self.points: tuple[Breakpoint, ...] = ()
        self.reached: Breakpoint | None = None

    def arm_points(self, points: tuple[Breakpoint, ...]) -> None:
        """Wait for these, and for no others; for none if there are none."""
        self.points, self.reached = points, None

    def check_event(self, event: Event, state: State) -> None:
        """Note whether an event reaches one, in the state after it."""
        if self.reached is None:
            self.reached = find_reached(self.points, event, state)
