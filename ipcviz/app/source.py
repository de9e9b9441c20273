"""Where the moments come from that the screens show: a session that runs, or a kept trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ipcviz.app.past import Past
    from ipcviz.app.steps import Steps
    from ipcviz.app.view import View
    from ipcviz.events import Trouble
    from ipcviz.model.forced import ForcedEnd
    from ipcviz.model.state import State
    from ipcviz.scenario import Story
    from ipcviz.session.base import Session
    from ipcviz.trace import TraceWriter


class MomentSource(Protocol):
    """A session's events as the app needs them. `Feed` is one for what runs, `Replay` for a trace.

    The app calls `pump` some 30 times a second, and shows `make_view()`, or a view of `past`, if
    that returned True.
    """

    session: Session
    state: State
    """The system's state after the last event that was taken in."""
    past: Past
    """All moments until now."""
    steps: Steps
    """Who lets threads go in step mode."""
    troubles: list[Trouble]
    """What the tracer could not do, or what is wrong with the trace, in sentences."""

    @property
    def now(self) -> float:
        """The moment in session seconds."""

    @property
    def recorder(self) -> TraceWriter | None:
        """What writes the events to a file; None if nothing does."""

    @property
    def story(self) -> Story | None:
        """The scenario's story, as far as it has come; None if it is none."""

    @property
    def forced(self) -> ForcedEnd | None:
        """Where the end was forced; None if it was not, or has not come."""

    @property
    def settled(self) -> bool:
        """Whether the last event has been taken in: nothing will change any more."""

    @property
    def over(self) -> bool:
        """Whether no further event will come, and the last one has been taken in."""

    @property
    def is_whole(self) -> bool:
        """Whether all that will come is there already: this is a kept trace."""

    @property
    def reading(self) -> float | None:
        """Which share of a trace was read, from 0 to 1; None where all that is to be read was."""

    @property
    def late(self) -> bool:
        """Whether what was taken in last was old: then there is more, and that comes before the
        screen.
        """

    @property
    def behind(self) -> int:
        """Events that wait to be taken in because a frame's time was up."""

    def pump(self, budget: float = ...) -> bool:
        """Take in what has come, for about `budget` seconds. Returns whether anything changed."""

    def read_sources(self) -> Mapping[str, str]:
        """The texts of a scenario's files, by their paths in its folder."""

    def make_view(self) -> View:
        """What there is to see now, with nothing selected."""
