"""The lanes: the same story in time, one lane a process, time down the screen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.message import Message

from ipcviz.app.panels.panel import Late, Panel, Row, make_row
from ipcviz.app.text import clip_text, fit_text, make_visible
from ipcviz.model.lanes import Arrow, Deed, Lane, LaneRows, find_row, fold_lanes

if TYPE_CHECKING:
    from ipcviz.app.view import View

_EVERY: Final = 0.25
"""Seconds from one making of the rows to the next, while everything runs."""
_NARROWEST: Final = 12
"""Cells of a lane at least."""
_WIDEST: Final = 30
_STEP_GUTTER: Final = 7
_TIME_GUTTER: Final = 9
_SHORTEST: Final = 3
"""Cells of an arrow at least, where it stands beside words."""
_AHEAD: Final = 0.3
"""The share of the rows that are given to what comes after a moment of the past."""


class LanesPanel(Panel):
    """One lane a process, the rows around the moment that is shown, and a cross-hair at it."""

    TITLE = "Lanes"
    HELP_TEXT: ClassVar[str] = (
        "The same story in time, from top to bottom: one lane a process, one row an operation, with"
        " its step or time at the left. Where a process is blocked until another one acts, its lane"
        " is a bar; dots say that it sleeps. Arrows lead from a write to the read that took its"
        " bytes, from a signal's sender to its delivery, from a post to the waiter that it woke,"
        " from a fork to the child, and from an end to who waited for it; a row says in which step"
        " its bytes were written. `>` marks the moment that the picture shows; `*` marks where the"
        " arrow there comes from, or leads to. A click on a row shows that moment and selects the"
        " process. Many processes of one name share a lane; the selected one has its own."
    )

    class RowChosen(Message):
        """A row was clicked.

        Attributes:
            n: Number of its event.
            pid: The process of the lane; 0 if there is none at that place.
        """

        def __init__(self, n: int, pid: int) -> None:
            super().__init__()
            self.n = n
            self.pid = pid

    class CrossHairMoved(Message):
        """The cross-hair is to move by a moment.

        Attributes:
            by: -1 for back, 1 for forward.
        """

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._built_at = 0.0
        self._deeds: tuple[Deed, ...] = ()
        self._lanes: tuple[Lane, ...] = ()
        self._starts: tuple[int, ...] = ()

    def show_view(self, view: View) -> None:
        """Take a new view. While everything runs rows fly past, and a few looks a second do."""
        now = time.monotonic()
        runs = not (view.past or view.state.stepping or view.state.finished)
        if runs and self.view is not None and now - self._built_at < _EVERY:
            self.view = view
            return
        self._built_at = now
        super().show_view(view)

    def title_of(self, view: View) -> str:
        """How much of the time is shown."""
        if not self._deeds:
            return self.TITLE
        return f"Lanes: {self._deeds[0].t:.1f} to {self._deeds[-1].t:.1f} s"

    def build_rows(self, view: View, width: int) -> Sequence[Late]:
        """A head with the names, and as many rows around the moment as there is room for."""
        room = max(1, self.size.height - 1)
        n = view.state.n
        ahead = int(room * _AHEAD) if view.past else 0
        found = view.moment.read_lanes(room, room if ahead else 0)
        at = find_row(found.deeds, n)
        first = max(0, min(at + 1 + ahead, len(found.deeds)) - room)
        deeds = found.deeds[first : first + room]
        gutter = _STEP_GUTTER if view.state.stepping else _TIME_GUTTER
        names = _list_names(found, deeds)
        count = max(1, (width - gutter) // _NARROWEST)
        self._lanes = fold_lanes(names, count, view.pid)
        self._starts = place_lanes(len(self._lanes), gutter, width)
        self._deeds = deeds
        if not deeds:
            words = "Nothing has happened yet that another process could notice."
            return [make_row((clip_text(words, width), "dim"))]
        drawing = Drawing(self._lanes, self._starts, width, names)
        return drawing.draw_all(deeds, at - first, view.pid)

    def on_click(self, event: events.Click) -> None:
        """A click shows the moment of a row, and selects the process of the lane."""
        event.prevent_default()
        offset = event.get_content_offset(self)
        if offset is None:
            return
        at = offset.y + self.scroll_offset.y - 1
        lane = sum(start <= offset.x for start in self._starts) - 1
        pids = self._lanes[lane].pids if 0 <= lane < len(self._lanes) else frozenset()
        deed = self._deeds[at] if 0 <= at < len(self._deeds) else None
        pid = next(iter(pids)) if len(pids) == 1 else 0
        if deed is not None and deed.pid in pids:
            pid = deed.pid
        self.post_message(self.RowChosen(deed.n if deed is not None else 0, pid))

    def action_cursor(self, by: int) -> None:
        """The cross-hair moves by a moment; there is no other cursor here."""
        self.post_message(self.CrossHairMoved(by))


def _list_names(found: LaneRows, deeds: Sequence[Deed]) -> dict[int, str]:
    """The names of those who live in the rows that are shown."""
    pids: set[int] = set()
    for deed in deeds:
        pids |= deed.alive
        pids.add(deed.pid)
        # Who has ended in the meantime, too, as long as something comes from there.
        pids.update(arrow.source for arrow in deed.arrows)
    return {pid: name for pid, name in found.names.items() if pid in pids}


def place_lanes(count: int, gutter: int, width: int) -> tuple[int, ...]:
    """Where lanes begin: side by side, as wide as there is room for, up to a width that is still
    read as one.
    """
    each = max(1, min(_WIDEST, (width - gutter) // max(1, count)))
    return tuple(gutter + number * each for number in range(count))


class _Band:
    """A row of cells, each with a style."""

    def __init__(self, width: int) -> None:
        self.cells = [" "] * width
        self.styles = [""] * width

    def draw_text(self, x: int, text: str, style: str, room: int) -> int:
        """Put a displayable text into at most `room` cells. Returns the cell after it."""
        for character in clip_text(text, max(0, min(room, len(self.cells) - x))):
            size = cell_len(character)
            if x + size > len(self.cells):
                break
            self.cells[x : x + size] = [character, *[""] * (size - 1)]
            self.styles[x : x + size] = [style] * size
            x += size
        return x

    def make_spans(self, *, marked: bool = False) -> tuple[tuple[str, str], ...]:
        """The row as spans; a marked one is a bar from edge to edge, but for its chips."""
        spans: list[tuple[str, str]] = []
        for cell, own in zip(self.cells, self.styles, strict=True):
            style = "cursor" if marked and own not in _CHIPS else own
            if spans and spans[-1][1] == style:
                spans[-1] = (spans[-1][0] + cell, style)
            else:
                spans.append((cell, style))
        return tuple(spans)


_CHIPS: Final = frozenset({"blocked", "asleep", "lit-chip"})


class Drawing:
    """Draws rows into lanes.

    Args:
        lanes: The lanes.
        starts: Where each begins.
        width: Cells of a row.
        names: The processes' names, not escaped yet.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        starts: Sequence[int],
        width: int,
        names: Mapping[int, str],
    ) -> None:
        self._lanes = lanes
        self._starts = starts
        self._ends = (*starts[1:], width) if starts else ()
        if len(starts) > 1:
            self._ends = (*starts[1:], min(width, 2 * starts[-1] - starts[-2] + _WIDEST))
        self._width = width
        self._names = names
        self._lane_of = {pid: number for number, lane in enumerate(lanes) for pid in lane.pids}

    def draw_all(self, deeds: Sequence[Deed], at: int, chosen: int) -> list[Row]:
        """The head, and a row for each deed; that of the moment, `at`, is marked."""
        rows = [self._draw_head(chosen)]
        marks = {**dict.fromkeys(_find_ends(deeds, at), "*"), at: ">"}
        label = ""
        for number, deed in enumerate(deeds):
            found = f"{deed.step:,}" if deed.step else f"{deed.t:.3f}"
            rows.append(
                self._draw_deed(
                    deed,
                    found if found != label else "",
                    mark=marks.get(number, " "),
                    chosen=chosen,
                )
            )
            label = found
        return rows

    def _draw_head(self, chosen: int) -> Row:
        band = _Band(self._width)
        for lane, start, end in zip(self._lanes, self._starts, self._ends, strict=True):
            style = "lit-chip" if chosen in lane.pids else "process"
            band.draw_text(start, make_visible(lane.name), style, end - start - 1)
        return Row(band.make_spans())

    def _draw_deed(self, deed: Deed, label: str, *, mark: str, chosen: int) -> Row:
        band = _Band(self._width)
        gutter = self._starts[0] if self._starts else 0
        band.draw_text(0, mark, "lit-chip" if mark.strip() else "", 1)
        band.draw_text(1, fit_text(label, max(0, gutter - 2), "right"), "dim", gutter)
        for number in range(len(self._lanes)):
            self._draw_life(band, number, deed, chosen)
        self._draw_words(band, deed)
        here = mark == ">"
        target = ("process", deed.pid)
        return Row(band.make_spans(marked=here), target)

    def _draw_life(self, band: _Band, number: int, deed: Deed, chosen: int) -> None:
        """A lane at a moment: a line while it lives, a bar while it is blocked, dots while it
        sleeps.
        """
        pids = self._lanes[number].pids
        alive = pids & deed.alive
        if not alive:
            return
        start, end = self._starts[number], self._ends[number]
        letters = {deed.asleep.get(pid, "") for pid in alive}
        if letters == {"B"}:
            band.draw_text(start, "\u2592" * (end - start - 2), "gauge", end - start)
        else:
            awake = "" in letters
            band.draw_text(
                start, "\u2502" if awake else ":", "chosen" if chosen in pids else "dim", 1
            )

    def _draw_words(self, band: _Band, deed: Deed) -> None:
        """What was done, and the arrows that lead there."""
        number = self._lane_of.get(deed.pid)
        if number is None:
            return
        start, end = self._starts[number], self._ends[number]
        born = next((a for a in deed.arrows if a.leads == "birth"), None)
        words = self._describe(deed, number)
        aside = [a for a in deed.arrows if self._lane_of.get(a.source) not in (None, number)]
        right = [a for a in aside if self._lane_of[a.source] > number]
        left = [a for a in aside if self._lane_of[a.source] < number]
        child = self._lane_of.get(born.target) if born is not None else None
        room = end - start - 1
        if born is None and not right:
            # What lies to the right of the last lane, or of a lane that rests, is free.
            room = self._find_room(number, deed)
        elif right and self._find_room(number, deed) > room:
            room = max(room, self._starts[self._lane_of[right[0].source]] - start - 2 - _SHORTEST)
        if deed.letter:
            band.draw_text(start, deed.letter, "blocked" if deed.letter == "B" else "asleep", 1)
            stop = band.draw_text(start + 1, f" {words} ", "chosen", room - 1)
        else:
            band.draw_text(start, " " * room, "", room)
            stop = band.draw_text(start, f"{words} ", "chosen", room)
        for arrow in left:
            self._draw_line(band, self._starts[self._lane_of[arrow.source]], start - 2, arrow)
            band.draw_text(start - 2, "\u2192", _style_of(arrow), 1)
        for arrow in right:
            self._draw_line(band, stop, self._starts[self._lane_of[arrow.source]], arrow)
            band.draw_text(stop, "\u2190", _style_of(arrow), 1)
        if born is not None and child is not None and child != number:
            self._draw_birth(band, stop, start, child, born)

    def _draw_birth(self, band: _Band, stop: int, start: int, child: int, born: Arrow) -> None:
        place = self._starts[child]
        if place > stop:
            self._draw_line(band, stop, place - 2, born)
            band.draw_text(place - 1, "\u2192", "object", 1)
        else:
            self._draw_line(band, place + 2, start - 2, born)
            band.draw_text(place + 1, "\u2190", "object", 1)
        band.draw_text(place, "\u25cf", "object", 1)

    def _draw_line(self, band: _Band, left: int, right: int, arrow: Arrow) -> None:
        style = _style_of(arrow)
        for x in range(max(0, left), min(right + 1, len(band.cells))):
            crossed = band.cells[x] in "\u2502:\u253c" and x not in (left, right)
            band.draw_text(x, "\u253c" if crossed else "\u2500", style, 1)

    def _find_room(self, number: int, deed: Deed) -> int:
        """How far words may go: over lanes in which nobody lives or somebody only runs on."""
        last = number
        while last + 1 < len(self._lanes):
            pids = self._lanes[last + 1].pids
            if pids & deed.alive:
                break
            last += 1
        return self._ends[last] - self._starts[number] - 1

    def _describe(self, deed: Deed, number: int) -> str:
        """The words of a row: with the name where several share the lane, how often, and where it
        came from.
        """
        words = make_visible(deed.words)
        lane = self._lanes[number]
        if len(lane.pids) > 1:
            # Of `worker 7` in the lane `worker x50` the number is enough.
            name = self._names.get(deed.pid, str(deed.pid))
            kind = f"{lane.name.rpartition(' x')[0]} "
            words = f"{make_visible(name.removeprefix(kind))}: {words}"
        if deed.times > 1:
            words = f"{deed.times} x {words}"
        steps = sorted({arrow.step for arrow in deed.arrows if arrow.step})
        if steps:
            words += f" of {', '.join(map(str, steps[:3]))}"
        return words


def _style_of(arrow: Arrow) -> str:
    if arrow.leads == "bytes":
        return "object" if arrow.sure else "dim"
    return "bad" if arrow.leads == "signal" else "object"


def _find_ends(deeds: Sequence[Deed], at: int) -> set[int]:
    """The rows at the other ends of the arrows of the row `at`."""
    if not 0 <= at < len(deeds):
        return set()
    here = deeds[at]
    wanted = {arrow.n for arrow in here.arrows if arrow.n}
    found = {number for number, deed in enumerate(deeds) if deed.n in wanted}
    for number, deed in enumerate(deeds):
        if any(arrow.n == here.n for arrow in deed.arrows):
            found.add(number)
    return found - {at}
