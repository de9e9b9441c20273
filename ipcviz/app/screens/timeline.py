"""Moving through time: which moment is shown, the present or one of the past."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.timer import Timer

from ipcviz.app.bars import Where
from ipcviz.app.changes import LIT_FOR
from ipcviz.app.past import Moments, NotKept
from ipcviz.app.screens.controller import Controller, Stage
from ipcviz.trace import TraceError

if TYPE_CHECKING:
    from ipcviz.app.source import MomentSource
    from ipcviz.app.view import Moment, View

_SLICE: Final = 0.01
"""Seconds that the log of a moment is made longer in one go, while nothing else is to be done."""
_SOON: Final = 0.05
_NEXT_SLICE: Final = 0.02
"""Seconds until that begins, and from one go to the next."""


class Timeline(Controller):
    """Which moment is shown. What runs is not affected: its events are taken in all the time.

    Args:
        stage: The screen.
        select: Adds to a view what is selected.
        step: Makes the next step, in the present.
        show_place: Shows where in time the screen is.
        ask_place: Asks for a moment, with a hint of what can be typed; the answer comes to
            `go_to_text`.
    """

    BINDINGS: ClassVar[list[Binding]] = [
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

    def __init__(
        self,
        stage: Stage,
        *,
        select: Callable[[View], View],
        step: Callable[[], None],
        show_place: Callable[[Where], None],
        ask_place: Callable[[str], None],
    ) -> None:
        super().__init__(stage)
        self._select = select
        self._step = step
        self._show_place = show_place
        self._ask_place = ask_place
        self._extending: Timer | None = None
        self._steered = (False, False)
        self._shorter: Moment | None = None
        self._longer: Moment
        """A moment that is shown, and what became of it meanwhile."""

    @property
    def source(self) -> MomentSource:
        """Where moments come from."""
        return self.stage.source

    @property
    def moments(self) -> Moments:
        """The moments until now."""
        return self.source.past.moments

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Going back to now is for the past; a step for a run that is held."""
        if action == "now":
            return bool(self.stage.at)
        if action == "next":
            return bool(self.stage.at) or (self.source.state.stepping and not self.stage.kept)
        return True

    # What is shown.

    def show_present(self, view: View) -> None:
        """Show the present, unless the past is shown."""
        if not self.stage.at:
            self._update_place(view)
            self.stage.view = self._select(view)

    def update(self) -> None:
        """Show that time goes on: in the present everything, in the past only how far it went."""
        if not self.stage.at:
            self.show_present(self.source.make_view())
        elif self.stage.view is not None:
            self._update_place(self.stage.view)

    def show_moment(self, n: int, now: float | None = None, since: int | None = None) -> bool:
        """Show the moment after event `n`. Returns whether that can be.

        Args:
            n: The event's number.
            now: The moment in session seconds; when the event was, if None.
            since: Number of the event since which changes are marked; that of the moment before, if
                None.
        """
        try:
            view = self.source.past.make_view(n, now=now, since=since)
        except (NotKept, TraceError) as error:
            self._show_warning(error)
            return False
        self.stage.at = n
        self._update_place(view)
        self.stage.view = self._select(view)
        self._extend_soon()
        return True

    def _show_warning(self, error: NotKept | TraceError) -> None:
        self.stage.notify(error.message, severity="warning", markup=False, timeout=4)

    def _update_place(self, view: View) -> None:
        """Have the screen show where in time it is, and the footer what can be done."""
        state = self.source.state
        steered = (state.stepping, state.finished)
        if steered != self._steered:
            self._steered = steered
            self.stage.refresh_bindings()
        moments, turns = self.moments, self.source.past.turns
        marks = turns.marks if turns is not None else ()
        self._show_place(
            Where(
                place=moments.count_until(self.stage.at or view.state.n),
                count=len(moments),
                past=bool(self.stage.at) and not self.stage.kept,
                shown=bool(self.stage.at) or self.source.is_whole,
                preparing=self.source.steps.preparing,
                marks=tuple(moments.count_until(mark) for mark in marks),
                reading=self.source.reading,
                forced=self._find_end(),
            )
        )

    def _find_end(self) -> str:
        """What is about to end all that is shown; empty at any other moment than the last one
        before that.
        """
        forced, at = self.source.forced, self.stage.at
        if forced is None or not self.stage.kept or not at or at > forced.n:
            return ""
        return (
            forced.by if self.moments.count_until(at) == self.moments.count_until(forced.n) else ""
        )

    # A moment's log and output, which become longer while there is time.

    def _extend_soon(self) -> None:
        if self._extending is not None:
            self._extending.stop()
            self._extending = None
        view = self.stage.view
        if view is not None and view.moment.can_extend:
            self._extending = self.stage.set_timer(_SOON, self._extend_moment)

    def _extend_moment(self) -> None:
        """Make the shown moment's log and output longer for a while; it is shown when it is
        complete.
        """
        view, until = self.stage.view, time.perf_counter() + _SLICE
        if view is None:
            return
        if self._shorter is not view.moment:
            self._shorter = self._longer = view.moment
        try:
            while self._longer.can_extend:
                if time.perf_counter() > until:
                    self._extending = self.stage.set_timer(_NEXT_SLICE, self._extend_moment)
                    return
                self._longer = self._longer.extend()
        except (NotKept, TraceError):
            # What can't be read is left out: the log and the output begin after it.
            pass
        self.stage.view = self._select(view.with_moment(self._longer))

    # Moving.

    def action_next(self) -> None:
        """In the past one moment forward, up to now; in the present a step, in step mode."""
        if not self.stage.at:
            self._step()
            return
        n = self.moments.find_after(self.stage.at)
        if not n or self.moments.count_until(n) == len(self.moments):
            self.action_now()
        else:
            self.show_moment(n)

    def action_back(self) -> None:
        """One moment back."""
        moments = self.moments
        n = moments.find_before(self.stage.at or moments.find_before(self.source.state.n + 1))
        if n > self.source.past.tape.forgotten:
            self.show_moment(n)
        else:
            what = (
                "the first moment"
                if moments.count_until(n) == 0
                else "the first moment that is kept"
            )
            self.stage.notify(f"This is {what}", timeout=2)

    def action_first(self) -> None:
        """The first moment."""
        n = self.moments.find_after(self.source.past.tape.forgotten)
        if n:
            self.show_moment(n)

    def action_now(self) -> None:
        """The present, or the end of a trace."""
        if not self.stage.at:
            return
        self.stage.at = 0
        try:
            self.show_present(self.source.make_view())
        except (NotKept, TraceError) as error:
            self._show_warning(error)
        self._extend_soon()

    def show_last_before_end(self) -> None:
        """Of a session whose end was forced, show the last moment before that: at the end all are
        dead.
        """
        forced = self.source.forced
        if forced is None or self.stage.at or not self.moments.count_until(forced.n):
            return
        # Not the last step: how long they have waited since counts, too.
        if forced.n > self.source.past.tape.forgotten and self.show_moment(forced.n, now=forced.t):
            self.stage.notify(
                f"The last moment before {forced.by} ended it: End goes to its real end", timeout=8
            )

    def action_freeze(self) -> None:
        """Freeze what is shown, as a moment of the past, or go back to now."""
        source = self.source
        if self.stage.at:
            self.action_now()
        elif not self.stage.kept and source.state.n:
            since = source.past.tape.find_before(source.now - LIT_FOR)
            self.show_moment(source.state.n, now=source.now, since=since)

    def go_to_place(self, place: int) -> None:
        """Show a moment by its place, from 1."""
        moments = self.moments
        if not len(moments):
            return
        place = max(1, min(place, len(moments)))
        if place == len(moments):
            self.action_now()
        elif moments[place - 1] != self.stage.at:
            self.show_moment(moments[place - 1])

    def go_to_event(self, n: int) -> None:
        """Show the moment of an event: the first one that comes with it or after it."""
        moments = self.moments
        found = moments.find_after(n - 1)
        self.go_to_place(moments.count_until(found) if found else len(moments))

    def action_goto(self) -> None:
        """Ask for a moment."""
        count = len(self.moments)
        self._ask_place(
            f"a moment from 1 to {count:,}, or a time: 12.5s; Enter goes there, Escape leaves"
        )

    def go_to_text(self, text: str) -> None:
        """Go where the viewer typed: a moment's number, or seconds with an s."""
        text = text.strip().replace(",", "").lower()
        try:
            if text.endswith("s"):
                n = self.source.past.tape.find_before(float(text[:-1]))
                self.go_to_place(self.moments.count_until(n) if n else 1)
            elif text:
                self.go_to_place(int(text))
        except (ValueError, OverflowError):
            self.stage.notify(
                "A moment is a number, a time is seconds with an s: 12.5s", markup=False, timeout=4
            )
        except (NotKept, TraceError) as error:
            self._show_warning(error)

    def seek_moment(self, what: str, place: int) -> None:
        """Go where the scrubber points, or where its end is that was clicked.

        Args:
            what: `place`, `first`, `back`, `next` or `now`.
            place: The moment's place, from 1, for `place`.
        """
        if what == "place":
            self.go_to_place(place)
            return
        ends = {
            "first": self.action_first,
            "back": self.action_back,
            "next": self.action_next,
            "now": self.action_now,
        }
        ends[what]()
