"""What the app remembers beyond the state: levels over the last minute, CPU use, the log, closed
descriptors.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ipcviz.model.state import Descriptor
    from ipcviz.narrate import Sentence

MINUTE: Final = 60.0
BUCKET: Final = 0.5
"""Seconds that one remembered level stands for: the highest one seen in them."""


class Trail:
    """How full one object was over the last minute: the highest level of each half second, and the
    last one.
    """

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, int, int]] = deque(maxlen=int(MINUTE / BUCKET) + 1)

    def add_level(self, t: float, value: int, highest: int = -1) -> None:
        """A level was read; `highest` is the highest one of those shortly before it, if there were
        any.
        """
        bucket = int(t / BUCKET)
        highest = max(highest, value)
        if self._buckets and self._buckets[-1][0] == bucket:
            highest = max(self._buckets[-1][1], highest)
            self._buckets[-1] = (bucket, highest, value)
        else:
            self._buckets.append((bucket, highest, value))

    def build_columns(self, now: float, width: int) -> list[int | None]:
        """The last minute up to `now` in `width` columns, oldest first: the highest level in each.

        A level holds until the next one was read; None where nothing was read yet.
        """
        last = int(now / BUCKET)
        count = int(MINUTE / BUCKET)
        values: list[int | None] = [None] * count
        held: int | None = None
        position = 0
        buckets = self._buckets
        for index in range(count):
            bucket = last - count + 1 + index
            high: int | None = None
            while position < len(buckets) and buckets[position][0] <= bucket:
                number, highest, final = buckets[position]
                if number == bucket:
                    high = highest
                held = final
                position += 1
            values[index] = high if high is not None else held
        shown: list[int | None] = []
        for column in range(width):
            part = values[
                column * count // width : max(
                    (column + 1) * count // width, column * count // width + 1
                )
            ]
            known = [value for value in part if value is not None]
            shown.append(max(known) if known else None)
        return shown


class Meter:
    """CPU seconds of one process over the last seconds, for its use in percent."""

    __slots__ = ("_points",)

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=64)

    def add_time(self, t: float, seconds: float) -> None:
        """So many seconds of CPU time were used by `t`."""
        self._points.append((t, seconds))

    def compute_percent(self, now: float, window: float = 1.0) -> float | None:
        """CPU use over the last `window` seconds in percent of one CPU; None until there are two
        looks.

        A process of which nothing new was told after its first look has used none: samples tell
        only what changed.
        """
        if len(self._points) < 2:
            return 0.0 if self._points and self._points[0][0] <= now - window else None
        start = self._points[0]
        for point in self._points:
            if point[0] > now - window:
                break
            start = point
        span = max(now - start[0], 0.05)
        return (
            100.0
            * (self._points[-1][1] - start[1])
            / max(span, window if start[0] <= now - window else span)
        )


class Ghost(msgspec.Struct, frozen=True, gc=False):
    """A descriptor that was closed a moment ago.

    Attributes:
        descriptor: The row as it was.
        object: Key of the object that was behind it.
        mode: How it could be used.
        at: When it was closed.
    """

    descriptor: Descriptor
    object: str
    mode: str
    at: float


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A row of the log: a sentence, or several that say the same thing.

    Attributes:
        sentence: The first one.
        times: How many.
        amount: Bytes in all.
        last: When the last one was.
        fold: What all of them have in common.
    """

    sentence: Sentence
    times: int = 1
    amount: int = 0
    last: float = 0.0
    fold: str = ""


class Log:
    """The session's sentences, oldest first; repeated ones that come close together are one entry.

    An entry is never changed in place: a reader that keeps entries keeps what it showed.
    """

    KEPT: Final = 10_000
    LOOK_BACK: Final = 32
    """Only the last so many entries can still be replaced by a longer one."""
    NOTED: Final = 512
    """Of so many it is known at most which entry was their last."""
    TOGETHER: Final = 1.0
    """Seconds from an entry's first sentence within which others join it."""
    RECURS: Final = 15.0
    """Seconds from its last one within which others join that say what is done again and again."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._latest: dict[str, int] = {}
        """Number of the last entry of those that have something in common, by what that is."""
        self.first = 0
        """Number of the first entry that is kept; how many were forgotten."""

    @property
    def end(self) -> int:
        """Number of the entry after the last."""
        return self.first + len(self.entries)

    def add_sentence(self, sentence: Sentence) -> None:
        """Take in a sentence."""
        fold = sentence.fold
        if fold:
            number = self._latest.get(fold, -1)
            if number >= max(self.first, self.end - self.LOOK_BACK):
                entry = self.entries[number - self.first]
                again = sentence.recurs and sentence.t - entry.last <= self.RECURS
                if again or sentence.t - entry.sentence.t <= self.TOGETHER:
                    self.entries[number - self.first] = Entry(
                        entry.sentence,
                        entry.times + 1,
                        entry.amount + sentence.amount,
                        sentence.t,
                        fold,
                    )
                    return
            self._note_latest(fold)
        self.entries.append(Entry(sentence, 1, sentence.amount, sentence.t, fold))
        if len(self.entries) > self.KEPT + self.KEPT // 10:
            forget = len(self.entries) - self.KEPT
            del self.entries[:forget]
            self.first += forget

    def _note_latest(self, fold: str) -> None:
        """The entry that is about to be added is the last one of those that have this in common."""
        self._latest[fold] = self.end
        if len(self._latest) > self.NOTED:
            least = self.end - self.LOOK_BACK
            self._latest = {one: n for one, n in self._latest.items() if n >= least}

    def list_since(self, number: int) -> list[Entry]:
        """The entries from a number on."""
        return self.entries[max(0, number - self.first) :]
