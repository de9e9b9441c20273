"""What is marked as changed: by the last second's events now, by those since the moment before in
the past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipcviz.app.history import Ghost
from ipcviz.events import Event, Sample
from ipcviz.model.parts import DescriptorPart, ObjectPart, Part, ProcessPart, ThreadPart

if TYPE_CHECKING:
    from ipcviz.model.state import State

LIT_FOR: Final = 1.0
"""Seconds that a change stays lit while everything runs."""
GHOST_FOR: Final = 3.0
"""Seconds that a closed descriptor stays on the screen."""


class RecentChanges:
    """What events changed.

    Attributes:
        lit: When each part was changed last, by its name in `State.changed`.
        ghosts: Descriptors that were closed, by table and number.
    """

    def __init__(self) -> None:
        self.lit: dict[Part, float] = {}
        self.ghosts: dict[tuple[int, int], Ghost] = {}

    def add(self, event: Event, before: State, after: State) -> None:
        """Add what an event changed; the states before and after it say more than it does."""
        same = _list_same(event, before) if isinstance(event, Sample) else ()
        for change in after.changed:
            if isinstance(change, DescriptorPart):
                self._note_closed(before, after, change.table, change.fd, event.t)
            if not isinstance(change, ProcessPart | ThreadPart) and change not in same:
                self.lit[change] = event.t

    def _note_closed(self, before: State, after: State, table: int, fd: int, t: float) -> None:
        rows = before.tables.get(table)
        old = rows.get(fd) if rows is not None else None
        now_rows = after.tables.get(table)
        if old is None or (now_rows is not None and fd in now_rows):
            self.ghosts.pop((table, fd), None)
            return
        behind = before.description_of(old)
        if behind is not None:
            self.ghosts[table, fd] = Ghost(old, behind.object, behind.mode, t)

    def clear(self) -> None:
        """Nothing is marked any more: what comes now is a step of its own."""
        self.lit.clear()
        self.ghosts.clear()

    def expire(self, now: float) -> bool:
        """Put out what was marked long enough. Returns whether there was any."""
        old = [change for change, t in self.lit.items() if now - t > LIT_FOR]
        for change in old:
            del self.lit[change]
        gone = [key for key, ghost in self.ghosts.items() if now - ghost.at > GHOST_FOR]
        for key in gone:
            del self.ghosts[key]
        return bool(old or gone)


def _list_same(event: Sample, before: State) -> frozenset[Part]:
    """The objects of which a sample says what was known: it changes nothing of them, whatever a
    call has moved through them in the same step.
    """
    found = set()
    for level in event.levels:
        old = before.objects.get(level.object)
        if old is not None and old.level == level:
            found.add(ObjectPart(level.object))
    return frozenset(found)
