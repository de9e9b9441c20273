"""What is about to happen, before it happens: a row for each held thread, and what became of the
last step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events

from ipcviz.app.panels.cells import wrap
from ipcviz.app.panels.panel import Late, Panel, Row, Span, Target
from ipcviz.app.picture.words import place_words, shorten, wait_words
from ipcviz.app.questions import Questions
from ipcviz.app.steps import Steps
from ipcviz.app.text import fit, visible
from ipcviz.app.view import View
from ipcviz.events.signals import signal_name
from ipcviz.model.state import State, Thread
from ipcviz.model.steps import stepping
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate import intention

_LONGEST_NAME: Final = 16
_MOST: Final = 6
"""Rows that it takes at most, on a screen of less than `_TALL` rows; twice as many on others."""
_TALL: Final = 30
_HINT: Final = "n lets the next one go (>), a digit or a click that one; c runs on"


class StepStrip(Panel, can_focus=False):
    """In step mode: who is held before what, who is blocked in what, who is next, and what became
    of the last step.

    A click on a row lets that one go.
    """

    DEFAULT_CSS = """
    StepStrip {
        display: none;
        height: 1;
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
        "In step mode nothing runs by itself. Each thread has a row: H, held, with what it does"
        " when it is let go; B or S, blocked or asleep in a call, with on what. `>` is who is next:"
        " by the schedule if there is one, else by turns. The first row says what became of the"
        " last step. Real time goes on: what it makes pending, and whom it wakes, is shown as it"
        " comes."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.steps: Steps | None = None
        self.questions: Questions | None = None

    def show_view(self, view: View) -> None:
        """Take a new view; there is only something to see in step mode."""
        self.view = view
        self.set_class(view.state.stepping, "-on")
        if self.has_class("-on"):
            self.rebuild()

    def rebuild(self) -> None:
        """Make the rows anew, and take as many as there are."""
        super().rebuild()
        height = max(1, len(self.rows))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def build(self, view: View, width: int) -> Sequence[Late]:
        """The last step, the schedule, and a row for each thread."""
        width = width or self.app.size.width
        now = self.steps if not view.past else None
        rows = _make_head_rows(view, now, width)
        threads = find_living(view.state)
        following = view.follows
        if now is not None and not view.state.moving:
            following = now.next_tid(view.state)
        if now is not None and self.questions is not None and self.questions.verdict:
            lines = wrap(visible(self.questions.verdict), width - 2)
            rows.extend(Row(((f" {line}", "lit"),)) for line in lines[:2])
        height = self.app.size.height
        most = min(_MOST, height // 4) if height < _TALL else 2 * _MOST
        room = max(most, len(rows) + 2) - len(rows)
        shown = choose_threads(threads, following, room if len(threads) <= room else room - 1)
        names = {thread.tid: name_of(view, thread) for thread in shown}
        longest = min(max((len(name) for name in names.values()), default=0), _LONGEST_NAME)
        for thread in shown:
            rows.append(
                _make_thread_row(
                    view, thread, names[thread.tid], longest, thread.tid == following, width
                )
            )
        if len(shown) < len(threads):
            held = sum(1 for thread in threads if thread.poised is not None and thread not in shown)
            rows.append(
                Row(
                    ((f"  +{len(threads) - len(shown)} more, {held} of them held", "dim"),),
                    ("panel", "proc"),
                )
            )
        return rows

    def on_click(self, event: events.Click) -> None:
        """A click on a row lets that thread go."""
        event.prevent_default()
        offset = event.get_content_offset(self)
        found = self.row_at(offset.y) if offset is not None else None
        if found is not None and found.target is not None:
            self.post_message(self.Chosen(found.target))


def find_living(state: State) -> list[Thread]:
    """The threads to show, elders first."""
    threads = [
        t
        for t in state.threads.values()
        if t.poised is not None or t.waiting is not None or t.tid == state.moving
    ]
    return sorted(threads, key=lambda thread: stepping.birth_order(state, thread))


def choose_threads(threads: list[Thread], following: int, room: int) -> list[Thread]:
    """Those that there is room for: who is next and who is held go before who is blocked."""
    if len(threads) <= room:
        return threads
    ranked = sorted(threads, key=lambda t: (t.tid != following, t.poised is None))
    kept = {thread.tid for thread in ranked[: max(0, room)]}
    return [thread for thread in threads if thread.tid in kept]


def name_of(view: View, thread: Thread) -> str:
    """A thread's role or its process's name, with its number if it is not the first one."""
    process = view.state.processes.get(thread.pid)
    name = (
        view.roles.get(thread.pid)
        or (process.name if process is not None else "")
        or str(thread.pid)
    )
    return visible(name if thread.number == 1 else f"{name}/{thread.number}")


def _make_head_rows(view: View, steps: Steps | None, width: int) -> list[Row]:
    """What became of the last step, and how the schedule stands."""
    state, outcome = view.state, visible(view.outcome)
    if not outcome and (state.moving or (steps is not None and steps.busy)):
        outcome = "... until all is at rest"
    if not outcome and steps is None:
        return []
    if not outcome and steps is not None and steps.reason:
        outcome = f"held: {visible(steps.reason)}"
    chip: Span = (f" step {state.step:,} ", "lit-chip")
    first, *more = wrap(outcome or _HINT, width - len(chip[0]) - 1) or [""]
    rows = [Row((chip, (" ", ""), (first, "chosen" if outcome else "dim")))]
    if more:
        rest = fit(" ".join(more), width - len(chip[0]) - 1)
        rows.append(Row(((" " * (len(chip[0]) + 1), ""), (rest, "chosen"))))
    if steps is None:
        return rows
    slow = f" slow motion, {steps.rate:g} a second (S ends it)" if steps.rate else ""
    if steps.following:
        place, count, text = steps.schedule_line(state)
        name = f"{steps.title}, " if steps.title else "schedule, line "
        words = f" {name}{place} of {count}{f': {text}' if text else ''}{slow}"
        rows.append(Row(((fit(visible(words), width), "object"),)))
    elif steps.said or slow:
        rows.append(
            Row(((fit(visible(f" {steps.said}{slow}"), width), "bad" if steps.said else "object"),))
        )
    return rows


def _make_thread_row(
    view: View, thread: Thread, name: str, longest: int, following: bool, width: int
) -> Row:
    state = view.state
    digit = str(view.slots.get(thread.pid, "")) or " "
    wait = wait_of(state, thread.tid)
    if thread.poised is not None:
        letter, style, words = "H", "held", visible(intention(state, thread.poised))
        signo = stepping.comes_first(state, thread)
        if signo:
            words = f"{signal_name(signo)}, pending, comes first; then {words}"
    elif wait is not None:
        letter, style = ("B", "blocked") if wait.blocked else ("S", "asleep")
        words = wait_words(state, wait)
        words = words if shorten(state, wait).is_verb else f"in {words}"
    else:
        letter, style, words = "R", "running", "moves"
    lead = f"{'>' if following else ' '}{digit} "
    rest = f" {fit(name, longest)} {words}"
    faded = "" if thread.poised is not None else "dim"
    room = max(0, width - len(lead) - 3)
    place = f" {place_words(thread.source)}" if thread.source is not None else ""
    if cell_len(rest) + cell_len(place) + 1 > room:
        place = ""
    spans: tuple[Span, ...] = (
        (lead, "chosen" if following else "dim"),
        (f" {letter} ", style),
        (fit(rest, room - cell_len(place)), "chosen" if following else faded),
        (place, "dim"),
    )
    target: Target = ("step", thread.tid) if thread.poised is not None else ("process", thread.pid)
    return Row(spans, target)
