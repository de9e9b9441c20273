"""Recording what is being shown, as it is shown: the app's own screen as a cast, in real time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textual.app import App

from ipcviz import __version__
from ipcviz.app.bars import StatusLine
from ipcviz.app.capture import frame_of, make_look
from ipcviz.app.text import make_visible
from ipcviz.export import CastWriter
from ipcviz.messages import write_error
from ipcviz.narrate import STEP
from ipcviz.outputs import OutputError, OutputFile

if TYPE_CHECKING:
    from ipcviz.app.app import IpcvizApp
    from ipcviz.app.view import View

HZ: Final = 10
"""How often a second the screen is looked at."""
SHARE: Final = 8
"""A look that took long is followed by a rest of so many times as long."""
BETWEEN: Final = 0.5
"""Seconds between two chapters, so that a run that does thousands of things a second has not as
many.
"""
RECORDS: Final = "\N{BLACK CIRCLE} REC "
MOST_BYTES: Final = 256 << 20
"""Size at which a recording ends: some hours of a screen that changes now and then."""


class RecordingError(Exception):
    """A recording can't be begun, or not go on: one sentence."""


class Recording:
    """A cast that is being written.

    Args:
        app: Whose screen it shows.
        path: Where to; what is there is replaced.
        title: What is shown.
        clock: Seconds.

    Raises:
        RecordingError: The file can't be written.
    """

    def __init__(
        self,
        app: App[Any],
        path: Path,
        title: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._app, self._clock = app, clock
        self._began = clock()
        self._size = tuple(app.screen.size)
        self._said = 0
        self._chapter_at = -BETWEEN
        self._rests_until = 0.0
        try:
            self._output: OutputFile | None = OutputFile(path)
        except OutputError as error:
            raise RecordingError(error.message) from None
        theme = app.current_theme
        self._writer = CastWriter(
            self._output.file,
            *self._size,
            title=make_visible(title),
            look=make_look(theme),
            about={"version": __version__, "theme": theme.name},
        )
        try:
            # From now on it is a cast, whatever happens to us.
            self._output.place()
        except OutputError as error:
            self._output.close()
            raise RecordingError(error.message) from None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return max(0.0, self._clock() - self._began)

    def capture_screen(self, view: View | None) -> None:
        """Write what the screen shows now, if that is new.

        Args:
            view: The moment that is shown; its latest sentence begins a chapter.

        Raises:
            RecordingError: It could not be written, or it is full; it has been ended.
        """
        now = self._clock()
        # The screen's size, for the app has a new one before its screens are laid out for it.
        size = tuple(self._app.screen.size)
        if self._output is None or now < self._rests_until or not all(size):
            return
        rows = frame_of(self._app)
        t = self.seconds
        try:
            if size != self._size:
                self._size = size
                self._writer.write_size(t, *size)
            if self._writer.is_different(rows):
                self._mark_chapter(view, t)
                self._writer.write_frame(t, rows)
                self._output.file.flush()
        except OSError as error:
            self._close_output()
            raise RecordingError(f"The recording ends here: {error.strerror}.") from None
        self._rests_until = now + SHARE * (self._clock() - now)
        if self._writer.size > MOST_BYTES:
            self.end()
            raise RecordingError(f"The recording is full, and ends here: {MOST_BYTES >> 20} MiB.")

    def _mark_chapter(self, view: View | None, t: float) -> None:
        """A chapter begins where the screen tells something that it has not told before."""
        if view is None or t - self._chapter_at < BETWEEN:
            return
        log = view.log
        for number in range(view.log_end - 1, max(log.first, view.log_end - 20) - 1, -1):
            sentence = log.entries[number - log.first].sentence
            if sentence.weight >= STEP:
                if sentence.n != self._said:
                    self._said, self._chapter_at = sentence.n, t
                    self._writer.write_marker(t, make_visible(sentence.text))
                return

    def end(self) -> None:
        """End it: the file is complete. Idempotent.

        Raises:
            RecordingError: The end could not be written.
        """
        if self._output is None:
            return
        try:
            self._writer.write_end(self.seconds)
            self._output.file.flush()
        except OSError as error:
            raise RecordingError(
                f"The recording's end could not be written: {error.strerror}."
            ) from None
        finally:
            self._close_output()

    def _close_output(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            with contextlib.suppress(OutputError):
                # Why it could not be written is being said.
                output.close()


class ScreenRecorder:
    """The key that begins and ends a recording.

    Args:
        app: The app that is recorded.
    """

    def __init__(self, app: IpcvizApp) -> None:
        self._app = app
        self.recording: Recording | None = None

    def begin(self, name: str) -> None:
        """Begin one, in a file of this name."""
        app = self._app
        try:
            self.recording = Recording(app, Path(name).expanduser(), app.command)
        except (RecordingError, RuntimeError) as error:
            self._report_message(str(error), bad=True)
            return
        self._timer = app.set_interval(1 / HZ, self._capture_screen, name="recording")
        self._show_title()

    def _capture_screen(self) -> None:
        if self.recording is not None:
            try:
                self.recording.capture_screen(self._app.live.view)
            except RecordingError as error:
                self._stop_recording()
                self._report_message(str(error), bad=True)

    def end(self) -> None:
        """End it, and say where it is. Nothing happens if there is none."""
        recording = self.recording
        if recording is None:
            return
        self._stop_recording()
        try:
            recording.end()
        except RecordingError as error:
            self._report_message(str(error), bad=True)
            return
        self._report_message(
            f"{recording.seconds:.0f} s recorded: 'ipcviz play {recording.path}' shows them"
        )

    def _stop_recording(self) -> None:
        self.recording = None
        self._timer.stop()
        self._show_title()

    def _show_title(self) -> None:
        """Say before the title that the screen is recorded, or no longer."""
        for status in self._app.live.query(StatusLine):
            status.command = f"{RECORDS if self.recording is not None else ''}{self._app.command}"
            status.rebuild_rows()

    def _report_message(self, message: str, *, bad: bool = False) -> None:
        if self._app.is_running:
            self._app.notify(
                message,
                severity="error" if bad else "information",
                markup=False,
                timeout=8 if bad else 4,
            )
        elif bad:
            write_error(message)
