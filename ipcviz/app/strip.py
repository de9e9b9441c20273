"""Step mode in three rows: what just happened, what comes next, and how the schedule stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Late, Panel, Row, Span, Target, make_row
from ipcviz.app.picture.words import place_words
from ipcviz.app.questions import Questions
from ipcviz.app.steps import Steps
from ipcviz.app.text import fit_text, make_visible
from ipcviz.app.view import View
from ipcviz.model.state import State
from ipcviz.model.steps import stepping
from ipcviz.narrate.standstill import describe_standstill
from ipcviz.narrate.steps import describe_next

ROWS: Final = 3
"""Rows that it takes, whatever there is to say: nothing below it moves."""
_VERDICT: Final = 2
"""Rows of the answer to a question, which come on top of that."""
_HINT: Final = "n lets the next one go on, a digit or a click that process; c lets all run"
_AT_THE_END: Final = "left goes back, Home to the first moment; ctrl+q leaves"
_STANDSTILL: Final = "K sends a signal, left goes back, Home to the first moment; ctrl+q leaves"


class StepStrip(Panel, can_focus=False):
    """In step mode: what became of the last step, and who is next to do what.

    A click on who is next lets that one go on, one on a digit the process that has it.
    """

    DEFAULT_CSS = """
    StepStrip {
        display: none;
        height: 3;
        border: none;
        background: $panel;
        scrollbar-size-vertical: 0;
        overflow: hidden hidden;
        scrollbar-gutter: auto;
    }
    StepStrip.-on { display: block; }
    """
    TITLE = "Steps"
    HELP_TEXT: ClassVar[str] = (
        "In step mode nothing runs by itself. The first row says what became of the last step, the"
        " one with *next* who is next and what that one is about to do: by the schedule if there is"
        " one, else by turns. The digits are those of the processes that can go on, as in the boxes"
        " of the picture. Real time goes on: what it makes pending, and whom it wakes, is shown as"
        " it comes."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.steps: Steps | None = None
        self.questions: Questions | None = None
        self._ends: list[tuple[int, Target | None]] = []

    def show_view(self, view: View) -> None:
        """Take a new view; there is only something to see in step mode."""
        self.view = view
        self.set_class(view.state.stepping, "-on")
        if self.has_class("-on"):
            self.rebuild_rows()

    def rebuild_rows(self) -> None:
        """Make the rows anew, and take as many as there are."""
        super().rebuild_rows()
        height = max(ROWS, len(self.rows))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def build_rows(self, view: View, width: int) -> Sequence[Late]:
        """What happened, how the schedule stands, and what comes next."""
        width = width or self.app.size.width
        now = self.steps if not view.past else None
        news = _find_news(view, now)
        rows = _make_outcome_rows(view, now, width, 1 if news else ROWS - 1)
        words = news or _find_information(view, now)
        if now is not None and _stands_still(view.state, now):
            rows = [rows[0], *_make_reason_rows(view, width)]
            rows.append(make_row((fit_text(f" {words}", width), "dim")))
        else:
            if len(rows) < ROWS - 1:
                rows.append(
                    make_row((fit_text(f" {make_visible(words)}", width), "bad" if news else "dim"))
                )
            rows.append(self._make_next_row(view, now, width))
        if now is not None and self.questions is not None and self.questions.verdict:
            lines = wrap_text(make_visible(self.questions.verdict), width - 2)
            rows.extend(make_row((f" {line}", "lit")) for line in lines[:_VERDICT])
        return rows

    def _make_next_row(self, view: View, now: Steps | None, width: int) -> Row:
        """Who is next and what that one is about to do, and at the right what lets whom go on."""
        following = find_following(view, now)
        offers = list_offers(view, following) if now is not None else []
        right = sum(cell_len(text) for (text, _), _ in offers)
        room = max(0, width - right - cell_len(_NEXT))
        words = f" {make_visible(describe_following(view, now, following))}"
        target: Target | None = ("step", following) if following and now is not None else None
        items = [((_NEXT, "held"), target), ((fit_text(words, room), "chosen"), target), *offers]
        self._ends = []
        used = 0
        for (text, _), aim in items:
            used += cell_len(text)
            self._ends.append((used, aim))
        return Row(tuple(span for span, _ in items), target)

    def on_click(self, event: events.Click) -> None:
        """A click on who is next, or on a digit, lets that one go on."""
        event.prevent_default()
        offset = event.get_content_offset(self)
        found = self.row_at(offset.y) if offset is not None else None
        if offset is None or found is None or not found.spans or found.spans[0][0] != _NEXT:
            return
        target = next((aim for end, aim in self._ends if offset.x < end), None)
        if target is not None:
            self.post_message(self.Chosen(target))


_NEXT: Final = " next "


def find_following(view: View, steps: Steps | None) -> int:
    """The thread that is next, or that went next if this is the past; 0 if there is none."""
    if steps is None or view.state.moving:
        return view.follows
    return steps.next_tid(view.state)


def list_offers(view: View, following: int) -> list[tuple[Span, Target | None]]:
    """What lets whom go on: the key for who is next, and the digits of all that are held."""
    state = view.state
    held = {thread.pid for thread in stepping.list_held(state)}
    digits = sorted((digit, pid) for pid, digit in view.slots.items() if pid in held)
    found: list[tuple[Span, Target | None]] = []
    if following:
        found.append(((" n", "chosen"), ("step", following)))
    if len(digits) > 1 or not following:
        found += [((", or", "dim"), None)] if following else []
        found += [((f" {digit}", "chosen"), ("slot", pid)) for digit, pid in digits]
    return [*found, ((" ", ""), None)]


def _make_reason_rows(view: View, width: int) -> list[Row]:
    """Why nobody can go on."""
    words = make_visible(describe_standstill(view.state, view.circles, view.now))
    indent = cell_len(_NEXT) + 1
    first, *more = wrap_text(words, width - indent)
    rows = [make_row((_NEXT, "bad"), " ", (first, "chosen"))]
    if more:
        rest = fit_text(" ".join(more), width - indent)
        rows.append(make_row(" " * indent, (rest, "chosen")))
    return rows


def _make_outcome_rows(view: View, steps: Steps | None, width: int, most: int) -> list[Row]:
    """What became of the last step, in at most so many rows."""
    words = _describe_outcome(view, steps)
    chip: Span = (f" step {view.state.step:,} ", "lit-chip")
    indent = cell_len(chip[0]) + 1
    first, *more = wrap_text(words, width - indent) or [""]
    if more and most == 1:
        first, more = fit_text(f"{first} {' '.join(more)}", width - indent), []
    rows = [Row((chip, (" ", ""), (first, "chosen")))]
    if more:
        rows.append(Row(((" " * indent, ""), (fit_text(" ".join(more), width - indent), "chosen"))))
    return rows


def _describe_outcome(view: View, steps: Steps | None) -> str:
    outcome = make_visible(view.outcome)
    if outcome:
        return outcome
    if view.state.moving or (steps is not None and steps.busy):
        return "... until all is at rest"
    if steps is not None and steps.reason:
        return f"everything is held: {make_visible(steps.reason)}"
    return "everything is held" if not view.state.step else ""


def _find_news(view: View, steps: Steps | None) -> str:
    """What the viewer is to know at once; empty if there is nothing."""
    if steps is None or not steps.said:
        return ""
    return steps.said


def _find_information(view: View, steps: Steps | None) -> str:
    """What else there is to know: how far the schedule is, which keys are of use."""
    state = view.state
    if steps is None:
        return ""
    if state.finished:
        return _AT_THE_END
    if steps.rate:
        return f"slow motion, {steps.rate:g} a second (S ends it)"
    if _stands_still(state, steps):
        return _STANDSTILL
    if steps.following:
        place, count, _ = steps.schedule_line(state)
        title = f": {steps.title}" if steps.title else ""
        return f"by the schedule{title}, line {place} of {count}"
    return _HINT


def _stands_still(state: State, steps: Steps) -> bool:
    """Whether all is at rest, and nobody is held who could be let go."""
    at_rest = not (state.moving or steps.busy or state.finished)
    return at_rest and not stepping.list_held(state)


def describe_following(view: View, steps: Steps | None, following: int) -> str:
    """What comes next in step mode, in words; not escaped yet."""
    state = view.state
    if following in state.threads and state.threads[following].poised is not None:
        source = state.threads[following].source
        place = f" ({place_words(source)})" if source is not None else ""
        return f"{describe_next(state, following)}{place}"
    if state.finished:
        return "nothing: the command has ended"
    if steps is None or state.moving or steps.busy:
        return "..."
    if steps.preparing:
        return "getting ready: all run until the story begins"
    return steps.describe_wish(state) or "..."
