"""Lines to type in at the lower edge of the screen, and the filter, which is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Input

from ipcviz.app.panels import LogPanel
from ipcviz.app.screens.controller import Controller, Stage

_FILTER: Final = "words that must occur, -word for those that must not; Enter keeps"


class InputLine(Input):
    """A line to type in, which is not there until it is opened."""

    DEFAULT_CSS = """
    InputLine.-textual-compact {
        display: none; height: 1; background: $row-cursor; padding: 0 1;
        &.-on { display: block; }
    }
    """

    def __init__(self, *, id: str, placeholder: str = "", restrict: str | None = None) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True, restrict=restrict)

    @property
    def is_open(self) -> bool:
        """Whether it is there."""
        return self.has_class("-on")

    def open_line(self) -> None:
        """Show it, and give it the keys."""
        self.add_class("-on")
        self.screen.set_focus(self)

    def close_line(self) -> None:
        """Hide it; what stands in it stays."""
        self.remove_class("-on")


class Filter(Controller):
    """The words that filter the log, and the line that they are typed in.

    Args:
        stage: The screen, for what has the focus.
        screen: The screen that the log is on.
        show_log: Shows the log, unless it can be seen.
    """

    BINDINGS: ClassVar[list[Binding]] = [
        Binding(
            "slash",
            "filter",
            "Filter",
            show=False,
            id="live.filter",
            tooltip="Filter the log by words",
            priority=True,
        ),
    ]

    def __init__(self, stage: Stage, screen: Screen[None], *, show_log: Callable[[], None]) -> None:
        super().__init__(stage)
        self._screen = screen
        self._show_log = show_log

    def make_line(self) -> InputLine:
        """The line for the words. It is mounted with the panels that can't be seen at first."""
        return InputLine(id="filter", placeholder=_FILTER)

    @property
    def _line(self) -> InputLine:
        return self._screen.query_one("#filter", InputLine)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """It opens at once, so that the next key belongs to it, but not within a line."""
        return not isinstance(self.stage.focused, Input)

    def action_filter(self) -> None:
        """Filter the log."""
        self._show_log()
        if not self._screen.query("#filter"):
            # The screen has only just appeared.
            self._screen.call_after_refresh(self.action_filter)
            return
        self._line.open_line()

    def apply_words(self, words: str) -> None:
        """Filter by these words."""
        self._screen.query_one(LogPanel).filter_entries(words)

    def keep_words(self) -> None:
        """Close the line; the words stay."""
        self._line.close_line()
        self._screen.query_one(LogPanel).focus()

    def drop_words(self) -> bool:
        """Drop the words, and close the line. Returns whether there was anything to be left."""
        line = next(iter(self._screen.query("#filter").results(InputLine)), None)
        if line is None or not (line.is_open or line.value):
            return False
        line.clear()
        self.keep_words()
        return True
