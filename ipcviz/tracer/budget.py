"""A budget of stops: so many a second in the long run, with room for a burst."""

from __future__ import annotations

import time

BURST_SECONDS = 1.0
"""How many seconds' worth may be spent at once: a second's, by which a rate is told, is also what a
start-up needs.
"""


STOP_SECONDS = 1e-4
"""CPU time that a stop may take the tracer which costs one unit of a budget."""
MOST_UNITS = 10.0
"""What one stop counts for at most: to execute a program takes long, and is rare."""
WEIGHT = 1 / 32
"""How much one stop changes the price."""


class Price:
    """What a stop that is told costs, in units of budgets: 1 where it takes the tracer no more than
    `STOP_SECONDS`, and more on a slow machine, or where much follows from each stop.
    """

    __slots__ = ("_mean", "units")

    def __init__(self) -> None:
        self._mean = 0.0
        self.units = 1.0
        """The price now."""

    def note(self, seconds: float) -> None:
        """A stop has taken so many seconds of the tracer's CPU time."""
        self._mean += (min(seconds / STOP_SECONDS, MOST_UNITS) - self._mean) * WEIGHT
        self.units = max(self._mean, 1.0)


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
        self.spent = 0.0
        """What was paid for since somebody set this back."""
        self.fill()

    def fill(self) -> None:
        """Begin anew, with all of a burst to spend."""
        self._left = self.burst
        self._at = time.monotonic()

    def spend(self, price: float = 1.0) -> bool:
        """Pay for one stop; False if there is nothing left to pay with.

        Args:
            price: What it costs: with the last of a burst a dear one is paid for, too, and what is
                owed is earned before the next one.
        """
        self._earn_stops()
        if self._left < 1.0:
            return False
        self._left -= price
        self.spent += price
        return True

    def _earn_stops(self) -> None:
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * self.rate, self.burst)
        self._at = now
