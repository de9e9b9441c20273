"""What is going on, for who waits: a line on standard error that writes over itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ipcviz.messages import can_show_progress, write_progress

SILENT: Final = 1.0
"""Seconds in which nothing is said: what is done by then needs no words."""
BETWEEN: Final = 0.25
"""Seconds between two lines."""


class TaskProgress:
    """The progress of a task that may take longer than a second. Says nothing where standard error
    is no terminal.

    Args:
        task: What is done, as the beginning of a sentence.
        clock: Seconds.
    """

    def __init__(self, task: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._task, self._clock = task, clock
        self._began = clock()
        self._next = self._began + SILENT
        self._shown = False
        self._seen = can_show_progress()

    def show_count(self, done: int, what: str) -> None:
        """Show how much is done of a task whose end is not known.

        Args:
            done: How many.
            what: Of what, in the plural.
        """
        passed = self._clock() - self._began
        self._show(f"{self._task}: {done:,} {what} in {describe_seconds(passed)}")

    def show_share(self, done: int, total: int) -> None:
        """Show how much is done of a task, and when the rest will be done at this pace."""
        passed = self._clock() - self._began
        left = ""
        if done:
            left = f", {describe_seconds(passed / done * (total - done))} left"
        self._show(f"{self._task}: {done:,} of {total:,}{left}")

    def _show(self, text: str) -> None:
        now = self._clock()
        if self._seen and now >= self._next:
            self._next, self._shown = now + BETWEEN, True
            write_progress(text)

    def clear(self) -> None:
        """Take the line away, if there is one."""
        if self._shown:
            self._shown = False
            write_progress("")


def describe_seconds(seconds: float) -> str:
    """A duration to wait for, in whole seconds or minutes: `8 s`, `2 min 10 s`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
