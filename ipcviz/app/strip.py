"""Step mode in three rows: what just happened, what comes next, and how the schedule stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from textual import events

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Late, Panel, Row, Span, Target, make_row
from ipcviz.app.picture.words import place_words
from ipcviz.app.text import Shown, fit_text, make_visible
from ipcviz.model.steps import stepping
from ipcviz.narrate.standstill import describe_standstill
from ipcviz.narrate.steps import describe_next

if TYPE_CHECKING:
    from ipcviz.app.questions import Questions
    from ipcviz.app.steps import Steps
    from ipcviz.app.view import View
    from ipcviz.model.state import State

ROWS: Final = 3
"""Rows that it takes, whatever there is to say: nothing below it moves."""
_ROWS_TALL: Final = 4
_TALL: Final = 30
"""On a terminal of so many rows it takes that many."""
_VERDICT: Final = 2
"""Rows of the answer to a question, which come on top of that."""
_HINT: Final = "n lets the next one go on, a digit or a click that process; c lets all run"
_LESSON: Final = "n follows the lesson's order; a digit or a click leaves it, and all take turns"
_IN_LESSON: Final = "n follows the lesson's order"
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
        " one with *next* who is next and what that one is about to do: by the schedule or the"
        " lesson's order if there is one, else by turns. The digits are those of the processes that"
        " can go on, as in the boxes of the picture. Real time goes on: what it makes pending, and"
        " whom it wakes, is shown as it comes."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.steps: Steps | None = None
        self.questions: Questions | None = None
        self._ends: list[tuple[int, Target | None]] = []
        self._offering: Row | None = None

    def show_view(self, view: View) -> None:
        """Take a new view; there is only something to see in step mode."""
        self.view = view
        self.set_class(view.state.stepping, "-on")
        if self.has_class("-on"):
            self.rebuild_rows()

    def rebuild_rows(self) -> None:
        """Make the rows anew, and take as many as there are."""
        super().rebuild_rows()
        height = max(self._count_rows(), len(self.rows))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def build_rows(self, view: View, width: int) -> Sequence[Late]:
        """What happened, how the schedule stands, and what comes next."""
        width = width or self.app.size.width
        now = self.steps if not view.past else None
        news = _find_news(view, now)
        words = news or _find_information(view, now)
        told = make_row((fit_text(f" {make_visible(words)}", width), "bad" if news else "dim"))
        if now is not None and _stands_still(view.state, now):
            reasons = _make_reason_rows(view, width)
            most = self._count_rows() - len(reasons)
            rows = [*_make_outcome_rows(view, now, width, most), *reasons, told]
        else:
            most = self._count_rows() - bool(news)
            coming = self._make_next_rows(view, now, width, 1 if news else _NEXT_ROWS)
            if not _fits(view, width, most - len(coming)):
                coming = self._make_next_rows(
                    view, now, width, 1 if news else _NEXT_ROWS, quotes=False
                )
            rows = _make_outcome_rows(view, now, width, most - len(coming))
            if news or len(rows) + len(coming) < most:
                rows.append(told)
            rows.extend(coming)
        if now is not None and self.questions is not None and self.questions.verdict:
            lines = wrap_text(make_visible(self.questions.verdict), width - 2)
            rows.extend(make_row((f" {line}", "lit")) for line in lines[:_VERDICT])
        return rows

    def _count_rows(self) -> int:
        """The rows that it takes, but for the answer to a question."""
        return _ROWS_TALL if self.app.size.height >= _TALL else ROWS

    def _make_next_rows(
        self, view: View, now: Steps | None, width: int, most: int, *, quotes: bool = True
    ) -> list[Row]:
        """Who is next and what that one is about to do, in at most so many rows, and at the right
        of the last one what lets whom go on. The place in the source, which its box tells as well,
        is left out before words are; without `quotes`, so is what it is about to write.
        """
        following = find_following(view, now)
        offers = list_offers(view, following) if now is not None else []
        room = max(1, width - cell_len(_NEXT) - 1)
        last = max(1, room - sum(cell_len(text) for (text, _), _ in offers))
        words = make_visible(describe_following(view, now, following, quotes=quotes))
        place = make_visible(describe_place(view, following))
        whole = Shown(f"{words}{place}")
        lines = [whole] if cell_len(whole) <= last else wrap_text(words, last) or [""]
        if len(lines) > most:
            lines = wrap_text(words, room)
            lines = [*lines[: most - 1], Shown(" ".join(lines[most - 1 :]))]
        target: Target | None = ("step", following) if following and now is not None else None
        heads: list[Span] = [(_NEXT, "held"), *[(" " * cell_len(_NEXT), "")] * (len(lines) - 1)]
        rows = [
            Row((head, (f" {fit_text(line, room)}", "chosen")), target)
            for head, line in zip(heads[:-1], lines[:-1], strict=True)
        ]
        final: Span = (f" {fit_text(lines[-1], last)}", "chosen")
        items = [(heads[-1], target), (final, target), *offers]
        self._ends = []
        used = 0
        for (text, _), aim in items:
            used += cell_len(text)
            self._ends.append((used, aim))
        self._offering = Row(tuple(span for span, _ in items), target)
        return [*rows, self._offering]

    def on_click(self, event: events.Click) -> None:
        """A click on who is next, or on a digit, lets that one go on."""
        event.prevent_default()
        offset = event.get_content_offset(self)
        found = self.row_at(offset.y) if offset is not None else None
        if offset is None or found is None:
            return
        target = found.target
        if found == self._offering:
            target = next((aim for end, aim in self._ends if offset.x < end), None)
        if target is not None:
            self.post_message(self.Chosen(target))


_NEXT: Final = " next "
_NEXT_ROWS: Final = 2
"""Rows in which it is said what comes next, at most."""


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
    first, *more = fit_clauses([words], width - indent, _NEXT_ROWS)
    rows = [make_row((_NEXT, "bad"), " ", (first, "chosen"))]
    rows.extend(make_row(" " * indent, (line, "chosen")) for line in more)
    return rows


def _make_outcome_rows(view: View, steps: Steps | None, width: int, most: int) -> list[Row]:
    """What became of the last step, in at most so many rows."""
    chip = _make_chip(view)
    indent = cell_len(chip[0]) + 1
    first, *more = fit_clauses(_list_clauses(view, steps), width - indent, most)
    rows = [Row((chip, (" ", ""), (first, "chosen")))]
    rows.extend(Row(((" " * indent, ""), (line, "chosen"))) for line in more)
    return rows


def _make_chip(view: View) -> Span:
    return (f" step {view.state.step:,} ", "lit-chip")


def _fits(view: View, width: int, most: int) -> bool:
    """Whether all that became of the last step can be said in so many rows."""
    room = width - cell_len(_make_chip(view)[0]) - 1
    return len(wrap_text(make_visible("; ".join(view.outcome)), room)) <= most


def fit_clauses(clauses: Sequence[str], width: int, most: int) -> list[str]:
    """Clauses as one sentence, in at most so many lines: of too many the last ones are left out,
    which `; …` says, then the folders of paths, then the end of the first one, from where it
    pauses.

    Args:
        clauses: Displayable text, the most important first.
        width: Cells of a line.
        most: How many lines there may be.
    """
    for count in range(len(clauses), 0, -1):
        more = "; …" if count < len(clauses) else ""
        text = f"{'; '.join(clauses[:count])}{more}"
        for words in (text, _FOLDERS.sub("…/", text)):
            lines = wrap_text(Shown(words), width)
            if len(lines) <= most:
                return lines
    first = _FOLDERS.sub("…/", clauses[0])
    for pause in reversed([found.end() for found in _PAUSES.finditer(first)]):
        lines = wrap_text(Shown(f"{first[:pause]}…"), width)
        if len(lines) <= most:
            return lines
    lines = wrap_text(Shown(first), width)
    return [*lines[: most - 1], fit_text(Shown(" ".join(lines[most - 1 :])), width)]


_PAUSES: Final = re.compile("[:;,] ")
_FOLDERS: Final = re.compile(r"(?<![^\s'\"(=])/(?:[^\s/]+/)+(?=[^\s/])")
"""The folders of a path, with the slash behind them."""


def _list_clauses(view: View, steps: Steps | None) -> list[str]:
    """What became of the last step, in clauses; at least one, which may be empty."""
    if view.outcome:
        return [make_visible(clause) for clause in view.outcome]
    if view.state.moving or (steps is not None and steps.busy):
        return ["... until all is at rest"]
    if steps is not None and steps.where:
        return [make_visible(steps.where)]
    return ["everything is held" if not view.state.step else ""]


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
    if steps.in_lesson and not state.step:
        return _LESSON
    if steps.in_lesson and steps.taking_turns:
        return _HINT
    if steps.following and steps.is_schedule_done(state):
        return f"{steps.called} is done: all take turns"
    if steps.in_lesson:
        return _IN_LESSON
    if steps.following:
        place, count, _ = steps.schedule_line(state)
        title = f": {steps.title}" if steps.title else ""
        return f"by the schedule{title}, line {place} of {count}"
    return _HINT


def _stands_still(state: State, steps: Steps) -> bool:
    """Whether all is at rest, and nobody is held who could be let go."""
    at_rest = not (state.moving or steps.busy or state.finished)
    return at_rest and not stepping.list_held(state)


def describe_place(view: View, following: int) -> str:
    """Where in its source who is next stands, as it stands behind the words; empty if that is not
    known. Not escaped yet.
    """
    thread = view.state.threads.get(following)
    if thread is None or thread.poised is None or thread.source is None:
        return ""
    return f" ({place_words(thread.source)})"


def describe_following(
    view: View, steps: Steps | None, following: int, *, quotes: bool = True
) -> str:
    """What comes next in step mode, in words, with what is about to be written if that is to be
    quoted; not escaped yet.
    """
    state = view.state
    if following in state.threads and state.threads[following].poised is not None:
        return describe_next(state, following, quotes=quotes)
    if state.finished:
        return "nothing: the command has ended"
    if steps is None or state.moving or steps.busy:
        return "..."
    if steps.preparing:
        return "getting ready: all run until the story begins"
    return steps.describe_wish(state) or "..."
