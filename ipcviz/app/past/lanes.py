"""The rows of the lanes around any moment, made a page at a time and kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from ipcviz.app.past.pages import PAGE, Pages
from ipcviz.app.past.tape import EventTape, NotKept
from ipcviz.model.lanes import NO_ROWS, Deed, LaneRows, Sleepers, fold_deeds
from ipcviz.model.state import State
from ipcviz.narrate.lanes import narrate_deed
from ipcviz.narrate.words import name_process
from ipcviz.trace import TraceError

_KEPT: Final = 256
"""Pages whose rows are kept."""
_MOST_PAGES: Final = 12
"""Pages that are looked through for one screen, on either side of the moment."""
_UNKEPT: Final = 3
"""Of those, pages that are made for it: the rest is made with the next look."""


class _PageRows:
    """The rows of one page, as far as they are made."""

    def __init__(self, state: State) -> None:
        self.end = state
        self.sleepers = Sleepers(state)
        self.deeds: list[Deed] = []


class LaneTape:
    """The rows of a session.

    Args:
        pages: Its events.
        tape: Where they are kept.
    """

    def __init__(self, pages: Pages, tape: EventTape) -> None:
        self._pages = pages
        self._tape = tape
        self._rows: OrderedDict[int, _PageRows] = OrderedDict()

    def read_rows(self, n: int, before: int, after: int) -> LaneRows:
        """The rows around the moment after event `n`.

        What can't be read any more is left out, and so is what would take long: it is there with
        the next look.

        Args:
            n: The event's number.
            before: How many rows up to that moment are wanted at most.
            after: How many of those that follow it.
        """
        if n <= 0:
            return NO_ROWS
        here = (n - 1) // PAGE
        past: list[Deed] = []
        following: list[Deed] = []
        whole = True
        made = 0
        for index in range(here, max(-1, here - _MOST_PAGES), -1):
            made += index not in self._rows
            found = self._find_rows(index) if made <= _UNKEPT else None
            if found is None:
                whole = False
                break
            past = fold_deeds([*(deed for deed in found if deed.n <= n), *past])
            if index == here:
                following = [deed for deed in found if deed.n > n]
            if len(past) > before:
                break
            whole = index == 0
        last = (self._pages.last - 1) // PAGE
        for index in range(here + 1, min(last, here + _MOST_PAGES) + 1):
            if len(following) > after:
                break
            made += index not in self._rows
            found = self._find_rows(index) if made <= 2 * _UNKEPT else None
            if found is None:
                break
            following = fold_deeds([*following, *found])
        deeds = (*past[max(0, len(past) - before) :], *following[:after])
        return LaneRows(deeds, self._name_all(deeds, n), whole and len(past) <= before)

    def _find_rows(self, index: int) -> list[Deed] | None:
        """The rows of a page; None if its events can't be read."""
        last = min((index + 1) * PAGE, self._pages.last)
        try:
            known = self._rows.get(index)
            if known is None:
                known = _PageRows(self._pages.state_at(index * PAGE))
                self._rows[index] = known
                if len(self._rows) > _KEPT:
                    self._rows.popitem(last=False)
            self._rows.move_to_end(index)
            if known.end.n < last:
                for event, before, after in self._pages.walk_events(
                    max(known.end.n, index * PAGE), last
                ):
                    deed = narrate_deed(event, before, after, known.sleepers)
                    known.end = after
                    if deed is not None:
                        known.deeds.append(deed)
        except (NotKept, TraceError):
            return None
        return known.deeds

    def _name_all(self, deeds: tuple[Deed, ...], n: int) -> dict[int, str]:
        """The names of all who live in some rows or do something in them, as they are called at
        the last one, in the order of their births.
        """
        pids: set[int] = set()
        seen: frozenset[int] = frozenset()
        for deed in deeds:
            if deed.alive is not seen:
                seen = deed.alive
                pids |= seen
            pids.add(deed.pid)
            for arrow in deed.arrows:
                pids |= {arrow.source, arrow.target}
        try:
            state = self._pages.state_at(max(n, deeds[-1].n) if deeds else n)
        except (NotKept, TraceError):
            state = State()
        ages = {pid: process.born for pid, process in state.processes.items()}
        order = sorted(pids, key=lambda pid: (ages.get(pid, 0.0), pid))
        return {pid: name_process(state, pid) for pid in order}
