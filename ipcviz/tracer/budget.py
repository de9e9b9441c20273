"""A budget of stops: so many a second in the long run, with room for a burst."""

from __future__ import annotations

import time

BURST_SECONDS = 1.0
"""How many seconds' worth may be spent at once: a second's, by which a rate is told, is also what a start-up needs."""


class Budget:
    """A token bucket.

    Args:
        rate: Stops a second that it pays for in the long run.
    """

    __slots__ = ("_at", "_left", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.fill()

    def fill(self) -> None:
        """Begin anew, with all of a burst to spend."""
        self._left = self.rate * BURST_SECONDS
        self._at = time.monotonic()

    def spend(self) -> bool:
        """Pay for one stop; False if there is nothing left to pay with."""
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * self.rate, self.rate * BURST_SECONDS)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
