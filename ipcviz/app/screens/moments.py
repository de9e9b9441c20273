"""Moving through the past: what of the main screen knows which moment is shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.binding import Binding, BindingType
from textual.reactive import var
from textual.timer import Timer
from textual.widgets import Input

from ipcviz.app.bars import StatusLine, Where
from ipcviz.app.changes import LIT_FOR
from ipcviz.app.host import Host
from ipcviz.app.past import NotKept, PastMoment
from ipcviz.app.screens.stepping import SteppingScreen
from ipcviz.app.view import View
from ipcviz.trace import TraceError

if TYPE_CHECKING:
    from ipcviz.app.feed import Feed
    from ipcviz.app.replay import Replay

_SLICE: Final = 0.01
"""Seconds that the log of a moment is made longer in one go, while nothing else is to be done."""


class MomentsScreen(SteppingScreen):
    """A screen that shows one moment of its app's session: the present, or one of the past.

    What runs is not affected: its events are taken in all the time.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left,p,pageup",
            "back",
            "Back",
            key_display="\N{LEFTWARDS ARROW}",
            id="time.back",
            tooltip="The moment before this one",
        ),
        Binding(
            "right,n,pagedown",
            "next",
            "Next",
            key_display="\N{RIGHTWARDS ARROW}",
            id="time.next",
            tooltip="The next moment, up to now; there the next step",
        ),
        Binding(
            "home", "first", "First moment", show=False, id="time.first", tooltip="The first moment"
        ),
        Binding(
            "end",
            "now",
            "Now",
            id="time.now",
            key_display="End",
            tooltip="Back to now, or to a trace's end",
        ),
        Binding(
            "g",
            "goto",
            "Go to",
            show=False,
            id="time.goto",
            tooltip="Go to a moment by its number or time",
        ),
        Binding(
            "f",
            "freeze",
            "Freeze",
            show=False,
            id="time.freeze",
            tooltip="Freeze what is shown; what runs goes on",
        ),
    ]

    at: var[int] = var(0)
    """Number of the event after which everything is shown; 0 for now."""
    view: var[View | None] = var(None, always_update=True)
    """What is shown; taken by every panel that can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self._making: Timer | None = None
        self._steered = (False, False)

    @property
    def feed(self) -> Feed | Replay:
        """Where moments come from."""
        return cast(Host, self.app).feed

    def watch_at(self) -> None:
        """What the keys do depends on it."""
        self.refresh_bindings()

    # What is shown.

    def selected(self, view: View) -> View:
        """A view with what is selected in it."""
        return view

    def take(self, view: View) -> None:
        """Show the present, unless the past is shown."""
        if not self.at:
            self._tell(view)
            self.view = self.selected(view)

    def pass_by(self) -> None:
        """Show that time goes on: in the present everything, in the past only how far it went."""
        if not self.at:
            self.take(self.feed.view())
        elif self.view is not None:
            self._tell(self.view)

    def go(self, n: int) -> bool:
        """Show the moment after event `n`. Returns whether that can be."""
        return self._show(n)

    def _show(self, n: int, now: float | None = None, since: int | None = None) -> bool:
        try:
            view = self.feed.past.view(n, now=now, since=since)
        except (NotKept, TraceError) as error:
            self.notify(error.message, severity="warning", markup=False, timeout=4)
            return False
        self.at = n
        self._tell(view)
        self.view = self.selected(view)
        self._make_more()
        return True

    def _tell(self, view: View) -> None:
        """Have the status line say where this is, and the footer what can be done."""
        steered = (self.now.stepping, self.now.finished)
        if steered != self._steered:
            self._steered = steered
            self.refresh_bindings()
        bar = self.query_one(StatusLine)
        past, moments = self.feed.past, self.feed.past.moments
        n = self.at or view.state.n
        where = Where(
            place=moments.until(n),
            count=len(moments),
            past=bool(self.at) and not self.kept,
            shown=bool(self.at) or self.feed.whole,
            stepping=view.state.stepping,
            marks=(
                tuple(moments.until(mark) for mark in past.turns.marks)
                if past.turns is not None
                else ()
            ),
            reading=self.feed.reading,
            forced=self._ended_by(),
        )
        if where != bar.where:
            bar.where = where
            bar.rebuild()

    def _ended_by(self) -> str:
        """What is about to end all that is shown; empty at any other moment than the last one
        before that.
        """
        forced = self.feed.forced if self.kept and self.at else None
        if forced is None or self.at > forced.n:
            return ""
        moments = self.feed.past.moments
        return forced.by if moments.until(self.at) == moments.until(forced.n) else ""

    def _make_more(self) -> None:
        """Make the log longer when there is time."""
        if self._making is not None:
            self._making.stop()
            self._making = None
        if isinstance(self._moment, PastMoment) and self._moment.wants_more:
            self._making = self.set_timer(0.05, self._make)

    @property
    def _moment(self) -> object:
        return self.view.moment if self.view is not None else None

    def _make(self) -> None:
        moment, until = self._moment, time.perf_counter() + _SLICE
        if not isinstance(moment, PastMoment):
            return
        try:
            while moment.wants_more:
                if time.perf_counter() > until:
                    self._making = self.set_timer(0.02, self._make)
                    return
                moment.more()
        except (NotKept, TraceError):
            pass
        if self.view is not None:
            self.view = self.selected(self.view)

    # Moving.

    def action_next(self) -> None:
        """In the past one moment forward, up to now; in the present a step, in step mode."""
        if not self.at:
            self.step_next()
            return
        moments = self.feed.past.moments
        n = moments.after(self.at)
        if not n or moments.until(n) == len(moments):
            self.action_now()
        else:
            self.go(n)

    def action_hold_or_next(self) -> None:
        """In the past one moment forward; in the present hold everything that runs, or step."""
        if self.at:
            self.action_next()
        else:
            super().action_hold_or_next()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Going back to now is for the past, what steers a run for the present; the footer has what
        works.
        """
        if action == "now":
            return bool(self.at)
        if action == "next":
            return bool(self.at) or (self.now.stepping and not self.kept)
        if action in ("hold", "run_on") and self.at:
            return False
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """One moment back."""
        moments = self.feed.past.moments
        n = moments.before(self.at or moments.before(self.feed.state.n + 1))
        if n > self.feed.past.tape.forgotten:
            self.go(n)
        else:
            what = "the first moment" if moments.until(n) == 0 else "the first moment that is kept"
            self.notify(f"This is {what}", timeout=2)

    def action_first(self) -> None:
        """The first moment."""
        n = self.feed.past.moments.after(self.feed.past.tape.forgotten)
        if n:
            self.go(n)

    def action_now(self) -> None:
        """The present, or the end of a trace."""
        if not self.at:
            return
        self.at = 0
        try:
            self.take(self.feed.view())
        except (NotKept, TraceError) as error:
            self.notify(error.message, severity="warning", markup=False, timeout=4)
        self._make_more()

    def show_last_before_end(self) -> None:
        """Of a session whose end was forced, show the last moment before that: at the end all are
        dead.
        """
        forced = self.feed.forced
        if forced is None or self.at or not self.feed.past.moments.until(forced.n):
            return
        # Not the last step: how long they have waited since counts, too.
        if forced.n > self.feed.past.tape.forgotten and self._show(forced.n, now=forced.t):
            self.notify(
                f"The last moment before {forced.by} ended it: End goes to its real end", timeout=8
            )

    def action_freeze(self) -> None:
        """Freeze what is shown, as a moment of the past, or go back to now."""
        if self.at:
            self.action_now()
        elif not self.kept and self.feed.state.n:
            feed = self.feed
            since = feed.past.tape.before(feed.now - LIT_FOR)
            self._show(feed.state.n, now=feed.now, since=since)

    def go_to_place(self, place: int) -> None:
        """Show a moment by its place, from 1."""
        moments = self.feed.past.moments
        if not len(moments):
            return
        place = max(1, min(place, len(moments)))
        if place == len(moments):
            self.action_now()
        elif moments[place - 1] != self.at:
            self.go(moments[place - 1])

    def action_goto(self) -> None:
        """Ask for a moment."""
        line = self.query_one("#goto", Input)
        count = len(self.feed.past.moments)
        line.placeholder = (
            f"a moment from 1 to {count:,}, or a time: 12.5s; Enter goes there, Escape leaves"
        )
        line.clear()
        line.add_class("-on")
        # It takes the place of the keys: what is shown stays where it is.
        self.add_class("-asking")
        self.set_focus(line)

    def asked_for(self, text: str) -> None:
        """Go where the viewer typed: a moment's number, or seconds with an s."""
        text = text.strip().replace(",", "").lower()
        try:
            if text.endswith("s"):
                n = self.feed.past.tape.before(float(text[:-1]))
                self.go_to_place(self.feed.past.moments.until(n) if n else 1)
            elif text:
                self.go_to_place(int(text))
        except (ValueError, OverflowError):
            self.notify(
                "A moment is a number, a time is seconds with an s: 12.5s", markup=False, timeout=4
            )
        except (NotKept, TraceError) as error:
            self.notify(error.message, severity="warning", markup=False, timeout=4)

    def on_status_line_sought(self, event: StatusLine.Sought) -> None:
        """The scrubber was moved, or one of its ends clicked."""
        event.stop()
        if event.what == "place":
            self.go_to_place(event.place)
        else:
            {
                "first": self.action_first,
                "back": self.action_back,
                "next": self.action_next,
                "now": self.action_now,
            }[event.what]()
