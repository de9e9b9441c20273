"""What all apps have in common: no message, size or mistake does harm."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from rich.console import ConsoleDimensions
from textual.app import App
from textual.driver import Driver

from ipcviz.events.undecoded import escaped
from ipcviz.messages import keep_report, write_error
from ipcviz.sizes import bounded

Result = TypeVar("Result")


class BaseApp(App[Result], Generic[Result]):
    """An app whose notes can't give the terminal commands, whose size is bounded, and that shows no
    traceback.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for console in (self.console, self.error_console):
            size = bounded(console.width, console.height)
            if (console.width, console.height) != (size.columns, size.lines):
                console.size = ConsoleDimensions(size.columns, size.lines)

    def get_driver_class(self) -> type[Driver]:
        """The driver for this system, but it believes only in sizes that a terminal can have."""
        found = super().get_driver_class()
        if not hasattr(found, "_get_terminal_size"):
            return found

        class BoundedDriver(found):  # type: ignore[valid-type,misc]
            def _get_terminal_size(self) -> tuple[int, int]:
                """Columns and rows, whatever COLUMNS and LINES say."""
                size = bounded(*super()._get_terminal_size())
                return size.columns, size.lines

        return BoundedDriver

    def notify(self, message: str, **options: Any) -> None:
        """Show a note; what in it is no text is made visible."""
        text = "\n".join(escaped(line) for line in message.split("\n"))
        super().notify(text, **{"markup": False, **options})

    def _print_error_renderables(self) -> None:
        """After the screen, for an exception that nobody foresaw: a sentence, and a report for who
        can mend it.
        """
        self._exit_renderables.clear()
        if self._exception is not None:
            write_error(keep_report(self._exception))
