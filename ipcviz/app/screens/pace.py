"""How often the picture is drawn, and how much room it gets: decided from figures alone."""

from __future__ import annotations

from typing import Final

_DEAR: Final = 0.015
"""Seconds from which on drawing the picture is dear ..."""
_REST: Final = 4
"""... and how many times as long it then rests."""
_CROWDED: Final = 5
_CALM: Final = 3
"""From so many living processes on, the picture takes rows of the panel below it; at so many it
gives them back.
"""
_CROWDED_SECONDS: Final = 4.0
"""Not before there have been fewer for so long: each change lays out and styles the whole screen
anew.
"""


class Pace:
    """When a picture that costs much may be drawn again, so that the keys go on working.

    Attributes:
        patient: Whether everything is drawn every time, whatever it costs: for pictures that are
            kept.
    """

    def __init__(self) -> None:
        self.patient = False
        self._rests_until = 0.0

    def may_draw(self, now: float, *, must: bool) -> bool:
        """Whether the picture may be drawn at `now`; `must` says that nothing comes after it."""
        return must or self.patient or now >= self._rests_until

    def add_cost(self, began: float, ended: float) -> None:
        """Note that the picture was drawn from one time to the other."""
        cost = ended - began
        self._rests_until = began + cost * _REST if cost > _DEAR else 0.0


class Crowding:
    """Whether there are so many processes that the picture needs more room.

    Attributes:
        crowded: Whether there are.
    """

    def __init__(self) -> None:
        self.crowded = False
        self._since = float("-inf")

    def update(self, living: int, now: float, *, past: bool) -> bool:
        """Decide anew for a number of living processes, at a time in session seconds.

        A moment of the past is decided by itself: one moves about in it by leaps.
        """
        if living >= _CROWDED:
            self._since = now
            self.crowded = True
        elif living <= _CALM and (past or now - self._since >= _CROWDED_SECONDS):
            self.crowded = False
        return self.crowded
