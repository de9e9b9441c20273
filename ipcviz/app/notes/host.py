"""The notes of an app: which page is shown at this moment, and when it is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipcviz.app.notes.folder import NotesError
from ipcviz.app.notes.page import NotesPage, OnScreen, Way, build_page
from ipcviz.app.notes.server import NotesServer
from ipcviz.app.panels.story import describe_place
from ipcviz.app.strip import describe_following, find_following

if TYPE_CHECKING:
    from textual.timer import Timer

    from ipcviz.app.app import IpcvizApp
    from ipcviz.app.view import View

_EVERY: Final = 0.2
"""Seconds from one look at what is shown to the next, while somebody reads the notes."""


class NotesHost:
    """Offers the notes of an app's scenario while it runs; nothing is done while nobody reads them.

    Args:
        app: The app.
        clock: Seconds, for the time used.
        folder: Where the socket is to be; this user's runtime folder if None.
    """

    def __init__(
        self,
        app: IpcvizApp,
        clock: Callable[[], float] = time.monotonic,
        folder: Path | None = None,
    ) -> None:
        self._app = app
        self._clock = clock
        self._began = clock()
        self._server = NotesServer(self.make_page, self._pause, folder)
        self._timer: Timer | None = None

    async def start(self) -> None:
        """Offer the notes; where that can't be, the viewer is told."""
        if os.name != "posix":
            return
        try:
            await self._server.start()
        except NotesError as error:
            self._app.notify(error.message, severity="warning", markup=False, timeout=6)

    def stop(self) -> None:
        """Offer them no more."""
        self._server.stop()

    def _pause(self, anybody: bool) -> None:
        if self._timer is None:
            self._timer = self._app.set_interval(_EVERY, self._server.tell_page, pause=True)
        if anybody:
            self._timer.resume()
        else:
            self._timer.pause()

    def make_page(self) -> NotesPage | None:
        """The page of what is shown now; None before there is anything."""
        view = self._app.live.view
        if view is None or view.story is None:
            return None
        scenario, progress = view.story
        state = view.state
        steps = self._app.feed.steps if not view.past else None
        following = ""
        if state.stepping:
            following = describe_following(view, steps, find_following(view, steps))
        asking = self._app.live.questions.asking
        shown = OnScreen(
            pid=os.getpid(),
            way=self._find_way(view),
            place=describe_place(scenario, progress),
            used=self._clock() - self._began,
            past=view.past,
            step=state.step if state.stepping else 0,
            following=following,
            counts=asking[1].counts if asking is not None else (),
            asking=asking is not None,
            finished=state.finished,
        )
        return build_page(scenario, progress, shown)

    def _find_way(self, view: View) -> Way:
        if self._app.kept:
            return "trace"
        return "step by step" if view.state.stepping else "live"
