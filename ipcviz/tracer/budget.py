"""A budget of stops: so many a second in the long run, with room for a burst."""

from __future__ import annotations

import time

BURST_SECONDS = 1.0
"""How many seconds' worth may be spent at once: a second's, by which a rate is told, is also what a
start-up needs.
"""


class Budget:
    """A token bucket.

    Args:
        rate: Stops a second that it pays for in the long run.
        burst: How many it pays for at once; None for a second's worth.
    """

    __slots__ = ("_at", "_left", "burst", "rate", "spent")

    def __init__(self, rate: float, burst: float | None = None) -> None:
        self.rate = rate
        self.burst = rate * BURST_SECONDS if burst is None else burst
        self.spent = 0
        """What was paid for since somebody set this back."""
        self.fill()

    def fill(self) -> None:
        """Begin anew, with all of a burst to spend."""
        self._left = self.burst
        self._at = time.monotonic()

    def spend(self) -> bool:
        """Pay for one stop; False if there is nothing left to pay with."""
        self._earn()
        if self._left < 1.0:
            return False
        self._left -= 1.0
        self.spent += 1
        return True

    def _earn(self) -> None:
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * self.rate, self.burst)
        self._at = now
