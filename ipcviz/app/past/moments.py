"""Which events are moments, and how the story stood at each: small enough for millions."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from ipcviz.scenario import Progress, Scenario, list_layouts

_BLOCK: Final = 4096
"""Events to a block, in bits."""


class Moments:
    """The numbers of the events after which a viewer stops, in order: a bit for each event, whether
    it is one.

    Events come by thousands a second, for hours, and nearly all can be moments.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._places = array("q")
        """Which blocks there are: those with a moment."""
        self._before = array("q")
        """How many moments there are before each of them."""
        self._blocks: list[bytes] = []
        """The bits of each but the last one."""
        self._growing = 0
        """The bits of the last one."""
        self._count = 0
        self._last = 0
        for n in numbers:
            self.add(n)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> int:
        if index < 0:
            index += self._count
        if not 0 <= index < self._count:
            raise IndexError(index)
        at = bisect_right(self._before, index) - 1
        bits, left, first, size = self._get_bits(at), index - self._before[at], 0, _BLOCK
        while size > 1:
            size //= 2
            low = (bits >> first & (1 << size) - 1).bit_count()
            if left >= low:
                left, first = left - low, first + size
        return self._places[at] * _BLOCK + first

    def _get_bits(self, at: int) -> int:
        return (
            int.from_bytes(self._blocks[at], "little") if at < len(self._blocks) else self._growing
        )

    def add(self, n: int) -> None:
        """One more, later than all others."""
        if self._count and n <= self._last:
            return
        block, bit = divmod(n, _BLOCK)
        if not self._places or block != self._places[-1]:
            if self._places:
                self._blocks.append(
                    self._growing.to_bytes((self._growing.bit_length() + 7) // 8, "little")
                )
            self._places.append(block)
            self._before.append(self._count)
            self._growing = 0
        self._growing |= 1 << bit
        self._count, self._last = self._count + 1, n

    def count_until(self, n: int) -> int:
        """How many there are up to event `n`, that one included: the place of its moment, counted
        from 1.
        """
        block, bit = divmod(n, _BLOCK)
        at = bisect_right(self._places, block) - 1
        if at < 0:
            return 0
        if self._places[at] < block:
            return self._before[at + 1] if at + 1 < len(self._before) else self._count
        return self._before[at] + (self._get_bits(at) & (1 << bit + 1) - 1).bit_count()

    def find_before(self, n: int) -> int:
        """The last one before event `n`; 0 if there is none."""
        at = self.count_until(n - 1)
        return self[at - 1] if at else 0

    def find_after(self, n: int) -> int:
        """The first one after event `n`; 0 if there is none."""
        at = self.count_until(n)
        return self[at] if at < self._count else 0


class Turns:
    """How far a scenario's story was, from which event on.

    Attributes:
        scenario: The scenario.
        layouts: The fields that it declares in its objects, by their names.
        marks: The numbers of the events that moved the story on.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.layouts = list_layouts(scenario)
        self.marks = array("q")
        self._from = array("q", [0])
        self._progress = [Progress()]
        self._labels: list[dict[str, str]] = [{}]

    def add(self, n: int, progress: Progress) -> None:
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

    def find_progress(self, n: int) -> Progress:
        """How far it was after event `n`."""
        return self._progress[bisect_right(self._from, n) - 1]

    def find_labels(self, n: int) -> dict[str, str]:
        """The scenario's names of objects and semaphores by key, as they were known after event
        `n`.
        """
        return self._labels[bisect_right(self._from, n) - 1]
