"""The past in pages of a few hundred events, with their sentences, kept while one moves about near
them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ipcviz.app.naming import name_objects
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate import Sentence, narrate
from ipcviz.trace import TraceError

if TYPE_CHECKING:
    from ipcviz.app.past.moments import Turns
    from ipcviz.app.past.tape import EventTape
    from ipcviz.events import Event

PAGE: Final = 128
"""Events of a page."""
_PAGES: Final = 192
"""Pages that are kept."""
_STRIDE: Final = 32
"""Events between two states that a page keeps; states share what did not change."""


class Page:
    """Consecutive events, and what follows from them."""

    def __init__(self, before: State) -> None:
        self.numbers: list[int] = []
        self.events: list[Event] = []
        self.states = [before]
        self.end = before
        self.sentences: list[Sentence] = []


class Pages:
    """The events of a session by number, with the states between them and the sentences about them.

    Args:
        tape: Where they are.
        turns: The story, whose names are used; None if there is none.

    Attributes:
        last: Number of the last event that was taken in; what the tape has beyond it is left alone.
    """

    def __init__(self, tape: EventTape, turns: Turns | None) -> None:
        self._tape = tape
        self._turns = turns
        self.last = 0
        self._pages: OrderedDict[int, Page] = OrderedDict()

    def has_page(self, index: int) -> bool:
        """Whether a page is here already."""
        return index in self._pages

    def load_page(self, index: int, until: int) -> Page:
        """A page, with its events up to number `until` at least; a page at the end grows."""
        first, last = index * PAGE + 1, min(until, (index + 1) * PAGE)
        page = self._pages.get(index)
        if page is None:
            self._tape.ensure_events(first, last)
            before = self._pages.get(index - 1)
            if before is not None and before.numbers and before.end.n == first - 1:
                page = Page(before.end)
            else:
                page = Page(self._name(self._tape.state_at(first - 1), first - 1, whole=True))
            self._pages[index] = page
            if len(self._pages) > _PAGES:
                self._pages.popitem(last=False)
        self._pages.move_to_end(index)
        have = page.numbers[-1] if page.numbers else first - 1
        if have < last:
            self._tape.ensure_events(first, last)
            for event in self._tape.read_events(
                have + 1, min(max(last, self.last), (index + 1) * PAGE)
            ):
                self._grow_page(page, event)
        return page

    def _grow_page(self, page: Page, event: Event) -> None:
        before = page.end
        page.end = self.next_state(before, event)
        page.numbers.append(page.end.n)
        page.events.append(event)
        if len(page.events) % _STRIDE == 0:
            page.states.append(page.end)
        sentence = _narrate_safely(event, before, page.end)
        if sentence is not None:
            page.sentences.append(sentence)

    def next_state(self, state: State, event: Event) -> State:
        """The state after an event, with the scenario's names.

        Raises:
            TraceError: The event makes no sense.
        """
        try:
            after = reduce(state, event)
        except Exception:  # noqa: BLE001 - an event that makes no sense can break anything, and is not ours
            raise TraceError(f"The trace is damaged: event {event.n} makes no sense.") from None
        return self._name(after, after.n)

    def _name(self, state: State, n: int, *, whole: bool = False) -> State:
        turns = self._turns
        if turns is None:
            return name_objects(state, {}, whole=whole)
        roles = turns.find_progress(n).cast.roles
        return name_objects(state, turns.find_labels(n), roles, turns.layouts, whole=whole)

    def state_at(self, n: int) -> State:
        """The state after event `n`, with the scenario's names."""
        if n <= 0:
            return State()
        page = self.load_page((n - 1) // PAGE, n)
        count = bisect_right(page.numbers, n)
        state = page.states[count // _STRIDE]
        for event in page.events[count // _STRIDE * _STRIDE : count]:
            state = self.next_state(state, event)
        return state

    def walk_events(self, after: int, last: int) -> Iterator[tuple[Event, State, State]]:
        """The events after number `after` up to `last`, with the states before and after each."""
        state = self.state_at(after)
        for index in range(after // PAGE, (last - 1) // PAGE + 1):
            page = self.load_page(index, last)
            for at in range(bisect_right(page.numbers, after), bisect_right(page.numbers, last)):
                before, state = state, self.next_state(state, page.events[at])
                yield page.events[at], before, state


def _narrate_safely(event: Event, before: State, after: State) -> Sentence | None:
    try:
        return narrate(event, before, after)
    except Exception:  # noqa: BLE001 - as above: what a damaged event would have said is left out
        return None
