"""The bars: one row each, of items that can be clicked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.message import Message

from ipcviz.app.panels.panel import Panel, Row, Span, Target, fit_value
from ipcviz.app.panels.registry import PANELS, PanelEntry
from ipcviz.app.text import clip_text, make_visible
from ipcviz.events.signals import signal_name

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.events import Outsider
    from ipcviz.model.state import State
    from ipcviz.model.waits.circles import Circle

Item = tuple[tuple[Span, ...], Target | None]


class Bar(Panel, can_focus=False):
    """One row of items, from left to right, as many as there is room for."""

    DEFAULT_CSS = """
    Bar {
        height: 1;
        border: none;
        background: $panel;
        scrollbar-size-vertical: 0;
        overflow: hidden hidden;
        scrollbar-gutter: auto;
    }
    """

    def list_items(self, view: View, width: int) -> list[Item]:
        """What the bar shows."""
        raise NotImplementedError

    def build_rows(self, view: View, width: int) -> list[Row]:
        """The items in one row, and where each one ends."""
        spans: list[Span] = []
        self._ends: list[tuple[int, Target | None]] = []
        used = 0
        for item, target in self.list_items(view, width):
            length = sum(len(text) for text, _ in item)
            if used + length > width:
                break
            spans.extend(item)
            used += length
            self._ends.append((used, target))
        return [Row(tuple(spans))]

    def on_click(self, event: events.Click) -> None:
        """A click on an item selects it."""
        event.prevent_default()
        offset = event.get_content_offset(self)
        if offset is None or not self.rows:
            return
        for end, target in self._ends:
            if offset.x < end:
                if target is not None:
                    self.post_message(self.Chosen(target))
                return


class ProcessBar(Bar):
    """The processes, with the digit that selects each."""

    def list_items(self, view: View, width: int) -> list[Item]:
        """Digit, state and name of each process that has a digit, and how many more there are."""
        found: list[Item] = []
        for pid, digit in sorted(view.slots.items(), key=lambda item: item[1]):
            process = view.state.processes[pid]
            letter, chip = view.choose_process_chip(pid)
            name = clip_text(make_visible(process.called), 20)
            if not process.full and process.fate == "alive":
                name += "~"
            if process.fate != "alive":
                end = (
                    signal_name(process.exit_signal)
                    if process.exit_signal
                    else str(process.exit_code)
                )
                name += f" {end}" if process.exit_known else " ?"
            chosen, faded = pid == view.pid, "dim" if process.fate == "gone" else ""
            spans: tuple[Span, ...] = (
                (f"{digit}", "dim"),
                (f" {letter} ", "gone-chip" if chip == "gone" else chip),
                (f">{name}<", "chosen") if chosen else (f" {name} ", faded),
                (" ", ""),
            )
            found.append((spans, ("slot", pid)))
        more = sum(
            1 for p in view.state.processes.values() if p.fate != "gone" and p.pid not in view.slots
        )
        if more:
            found.append((((f"+{more} more in /proc", "dim"),), ("panel", "proc")))
        return found or [((("no process yet", "dim"),), None)]


_AROUND_KEY: Final = 3
"""Cells of a panel's key, and of what is around it and its name."""


class PanelBar(Bar):
    """The panels, with the key that shows each."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.shown = "log"

    def list_items(self, view: View, width: int) -> list[Item]:
        """Key and name of each panel."""
        panels = {
            name: panel
            for name, panel in PANELS.items()
            if (name != "story" or view.story is not None)
            and (name == self.shown or panel.appears(view))
        }
        titles = self._choose_titles(view, panels, width)
        found: list[Item] = []
        for name, panel in panels.items():
            is_shown, is_pointed = name == self.shown, name in view.pointed_at
            style = "cursor" if is_shown else ""
            marks = "[]" if is_shown else "  "
            look = "lit" if is_pointed else "dim"
            spans: tuple[Span, ...] = (
                ("*" if is_pointed and not is_shown else marks[0], style or look),
                (panel.key, "chosen"),
                (titles.get(name, ""), style or look),
                (marks[1], style),
            )
            found.append((spans, ("panel", name)))
        return found

    def _choose_titles(
        self, view: View, panels: Mapping[str, PanelEntry], width: int
    ) -> dict[str, str]:
        """The names behind the keys, by panel: all, shorter ones, or those that there is room for.
        First that of the panel that is shown, then those that the story points at, then those that
        have anything to say now; the keys stay.
        """
        room = width - _AROUND_KEY * len(panels)
        titles = {name: f" {panel.title}" for name, panel in panels.items()}
        if sum(map(len, titles.values())) <= room:
            return titles
        titles = {name: f" {panel.short}" for name, panel in panels.items()}
        found: dict[str, str] = {}
        rank = {self.shown: 0, **{n: 1 for n in view.pointed_at if n != self.shown}}
        for name in sorted(
            titles,
            key=lambda n: rank.get(n, 2 if panels[n].kind.has_content(view) else 3),
        ):
            if len(titles[name]) <= room:
                found[name] = titles[name]
                room -= len(titles[name])
        return found


@dataclass(frozen=True)
class Where:
    """Where in time a view is.

    Attributes:
        place: Its moment, from 1; 0 before the first.
        count: How many moments there are.
        past: Whether the present is another one.
        shown: Whether the scrubber is shown.
        preparing: Whether a schedule lets all run until the story begins.
        marks: Places at which the story went on.
        reading: Which share of a trace was read; None if all that is to be read was.
        forced: What ended all after this moment; empty at others.
    """

    place: int = 0
    count: int = 0
    past: bool = False
    shown: bool = False
    preparing: bool = False
    marks: tuple[int, ...] = ()
    reading: float | None = None
    forced: str = ""


_CIRCLE_WIDTH: Final = 20
_STOPPED_WIDTH: Final = 12
_TRACK: Final = 16
"""Cells that a scrubber takes at least; a title takes what it needs of the rest."""
_CELLS: Final = {
    (True, False): "\N{BOX DRAWINGS DOUBLE HORIZONTAL}",
    (True, True): "\N{BOX DRAWINGS VERTICAL SINGLE AND HORIZONTAL DOUBLE}",
    (False, False): "\N{BOX DRAWINGS LIGHT HORIZONTAL}",
    (False, True): "\N{BOX DRAWINGS LIGHT VERTICAL AND HORIZONTAL}",
}
"""The track, by whether it is behind or ahead, and whether the story goes on there."""
LAG_TOLD: Final = 0.5
"""From how many seconds on it is said how old what is shown is."""


class StatusLine(Bar):
    """What is observed, which moment is shown, and how it stands; in the past with a scrubber."""

    TITLE: ClassVar[str] = "Status"

    class Sought(Message):
        """Another moment is wanted.

        Attributes:
            what: `first`, `back`, `next`, `now`, or `place`.
            place: The moment's place, from 1, for `place`.
        """

        def __init__(self, what: str, place: int = 0) -> None:
            super().__init__()
            self.what = what
            self.place = place

    def __init__(self, title: str, *, kept: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.kept = kept
        self.command = title
        self.where = Where()
        self._track = (0, 0)
        self._dragged_on = (0, 0)
        self._dragging = self._dragged = False

    def list_items(self, view: View, width: int) -> list[Item]:
        """The command at the left; the moment, the state, the marks and the time at the right."""
        where = self.where
        spans = [
            *self._describe_place(view),
            *_list_warnings(view),
            *self._describe_progress(view),
            self._format_time(view),
        ]
        right: list[Item] = [((span,), None) for span in spans]
        room = max(0, width - sum(len(text) for text, _ in spans))
        if not where.shown:
            back: list[Item] = (
                [((("<", "dim"),), ("time", "back"))] if where.count > 1 and room > 2 else []
            )
            return [
                (((fit_value(f" {self.command}", room - len(back)), "chosen"),), None),
                *back,
                *right,
            ]
        title = min(len(self.command) + 2, max(0, room - _TRACK - 8)) if room >= 2 * _TRACK else 0
        return [
            (((fit_value(f" {self.command}", title), "chosen"),), None),
            *self._build_scrubber(title, room - title),
            *right,
        ]

    def _describe_place(self, view: View) -> Iterator[Span]:
        """How old what is shown is, what is missing, and which moment it is."""
        where = self.where
        if view.lag >= LAG_TOLD:
            yield f" {view.lag:.1f} s behind ", "bad"
        if view.state.dropped:
            yield f" {view.state.dropped:,} dropped ", "bad"
        if where.forced:
            yield f" before {where.forced} ", "lit-chip"
        if where.past:
            yield " PAST ", "lit-chip"
        elif self.kept:
            yield " TRACE ", "asleep"
        if where.shown:
            yield f" {where.place:,} of {where.count:,} ", "chosen"
        if where.reading is not None:
            yield f" reading {where.reading:.0%} ", "blocked"

    def _describe_progress(self, view: View) -> Iterator[Span]:
        """Whether it runs, is held, or how it ended."""
        state = view.state
        if state.command_code is not None:
            good = not state.command_code and not state.command_signal
            yield f" {_describe_end(state)} ", "running" if good else "bad"
            if not state.finished:
                alive = sum(1 for p in state.processes.values() if p.fate == "alive")
                yield f" {alive} left ", "blocked"
        elif state.started is None:
            yield " starting ", "asleep"
        elif state.stepping and not self.where.past:
            yield " step mode ", "held"
        elif self.where.preparing and not self.where.past:
            yield " getting ready... ", "running"
        elif not self.kept and not self.where.past:
            yield " live ", "running"

    def _format_time(self, view: View) -> Span:
        minutes, seconds = divmod(max(0.0, view.now), 60)
        exact = f"{seconds:06.3f}" if self.where.shown else f"{seconds:04.1f}"
        return f" {int(minutes)}:{exact} ", ""

    def _build_scrubber(self, at: int, width: int) -> list[Item]:
        """Buttons for the ends and for one moment, and between them the moments from the first to
        the last.
        """
        length = width - 8
        if length < 1:
            self._track = (0, 0)
            return [(((" " * width, ""),), None)]
        self._track = (at + 4, length)
        where = self.where
        here = self._compute_column(where.place)
        marks = {self._compute_column(place) for place in where.marks}
        line = "".join(_CELLS[column < here, column in marks] for column in range(length))
        return [
            ((("|<", "chosen"),), ("time", "first")),
            (((" <", "chosen"),), ("time", "back")),
            (((line[:here], ""), ("\N{FULL BLOCK}", "chosen"), (line[here + 1 :], "dim")), None),
            ((("> ", "chosen"),), ("time", "next")),
            (((">|", "chosen"),), ("time", "now")),
        ]

    def _compute_column(self, place: int) -> int:
        """Where on the track a moment is."""
        length, count = self._track[1], self.where.count
        return (max(place, 1) - 1) * (length - 1) // (count - 1) if count > 1 else length - 1

    def _seek_column(self, x: int) -> None:
        # The scrubber can move, or go, while it is dragged: its end is now.
        start, length = self._dragged_on
        column = max(0, min(x - start, length - 1))
        count = self.where.count
        self.post_message(
            self.Sought("place", 1 + round(column * (count - 1) / max(1, length - 1)))
        )

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """On the scrubber: go there, and follow the mouse."""
        start, length = self._track
        self._dragged = self.where.shown and start <= event.x < start + length
        if self._dragged:
            self._dragging = True
            self._dragged_on = self._track
            self.capture_mouse()
            self._seek_column(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Follow the mouse as long as its button is held."""
        if self._dragging:
            self._seek_column(event.x)

    def on_mouse_up(self) -> None:
        """The button was let go."""
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """A click on a button of the scrubber."""
        event.prevent_default()
        if self._dragged:
            # The end of a drag is no click on what is there by now.
            self._dragged = False
            return
        offset = event.get_content_offset(self)
        for end, target in self._ends if offset is not None else ():
            if offset is not None and offset.x < end:
                if target is not None:
                    self.post_message(self.Sought(str(target[1])))
                return


def _list_warnings(view: View) -> Iterator[Span]:
    """What a viewer should know at once: who waits for good, and which processes are sampled."""
    state = view.state
    if view.circles:
        yield f" {circle_chip(state, view.circles)} ", "bad"
    if view.halted:
        yield f" {halted_chip(state, view.halted)} ", "bad"
    if view.outsiders and not state.finished:
        yield f" {outsiders_chip(view.outsiders)} ", "bad"
    sampled = sum(1 for p in state.processes.values() if p.fate == "alive" and not p.full)
    if sampled and not state.finished:
        yield f" ~{sampled} sampled ", "blocked"


def _describe_end(state: State) -> str:
    """How the command ended."""
    if state.command_signal:
        return signal_name(state.command_signal)
    return f"exit {state.command_code}"


def outsiders_chip(found: tuple[Outsider, ...]) -> str:
    """Who is not watched though somebody waits because of him; of several, how many they are."""
    if len(found) > 1:
        return f"{len(found)} not watched"
    name = make_visible(found[0].name)
    return f"not watched: {name if len(name) <= _STOPPED_WIDTH else ''}[{found[0].pid}]"


def circle_chip(state: State, circles: tuple[Circle, ...]) -> str:
    """Who waits for whom in a circle, by name; if there are more circles, how many."""
    if len(circles) > 1:
        unsure = sum(1 for one in circles if one.doubts)
        if not unsure:
            return f"{len(circles)} circles"
        some = f"{unsure} of " if unsure < len(circles) else ""
        return f"probably {some}{len(circles)} circles"
    first = circles[0]
    names = [make_visible(state.processes[pid].called) for pid in sorted(first.pids)]
    probably = "probably " if first.doubts else ""
    if len(names) == 1:
        return f"{names[0]} {probably}waits for itself"
    text = f"{', '.join(names[:-1])} and {names[-1]}"
    if len(text) > _CIRCLE_WIDTH:
        text = f"{len(names)} processes"
    return f"{text} {probably}wait for each other"


def halted_chip(state: State, halted: dict[int, frozenset[int]]) -> str:
    """Who is stopped while others wait because of it, and how many do; of several, how many they
    are.
    """
    count = len(frozenset().union(*halted.values()))
    wait = f"{count} wait{'s' if count == 1 else ''}"
    if len(halted) > 1:
        return f"{len(halted)} stopped: {wait}"
    pid = next(iter(halted))
    name = make_visible(state.processes[pid].called)
    return f"{name if len(name) <= _STOPPED_WIDTH else pid} stopped: {wait}"
