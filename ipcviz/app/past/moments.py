"""Which events are moments, and how the story stood at each: small enough for millions."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from ipcviz.scenario import Progress, Scenario


class Moments:
    """The numbers of the events after which a viewer stops, in order; eight bytes each."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = array("q", numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> int:
        return self._numbers[index]

    def add(self, n: int) -> None:
        """One more, later than all others."""
        if not self._numbers or n > self._numbers[-1]:
            self._numbers.append(n)

    def until(self, n: int) -> int:
        """How many there are up to event `n`, that one included: the place of its moment, counted from 1."""
        return bisect_right(self._numbers, n)

    def before(self, n: int) -> int:
        """The last one before event `n`; 0 if there is none."""
        at = bisect_left(self._numbers, n)
        return self._numbers[at - 1] if at else 0

    def after(self, n: int) -> int:
        """The first one after event `n`; 0 if there is none."""
        at = bisect_right(self._numbers, n)
        return self._numbers[at] if at < len(self._numbers) else 0


class Turns:
    """How far a scenario's story was, from which event on.

    Attributes:
        scenario: The scenario.
        marks: The numbers of the events that moved the story on.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.marks = array("q")
        self._from = array("q", [0])
        self._progress = [Progress()]
        self._labels: list[dict[str, str]] = [{}]

    def take(self, n: int, progress: Progress) -> None:
        """From event `n` on the story is so far; nothing is kept if it was so before."""
        last = self._progress[-1]
        if progress is last:
            return
        if progress.reached != last.reached or progress.skipped != last.skipped:
            self.marks.append(n)
        same = progress.cast.labels is last.cast.labels
        self._from.append(n)
        self._progress.append(progress)
        self._labels.append(self._labels[-1] if same else dict(progress.cast.labels))

    def at(self, n: int) -> Progress:
        """How far it was after event `n`."""
        return self._progress[bisect_right(self._from, n) - 1]

    def labels(self, n: int) -> dict[str, str]:
        """The scenario's names of objects and semaphores by key, as they were known after event `n`."""
        return self._labels[bisect_right(self._from, n) - 1]
