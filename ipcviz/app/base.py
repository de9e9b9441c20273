"""What all apps have in common: no message, size or mistake does harm."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from rich.console import ConsoleDimensions
from textual.driver import Driver

from ipcviz.app.textual_internals import AppWithoutTraceback, bound_size
from ipcviz.events.undecoded import escape_text
from ipcviz.messages import keep_report, write_error
from ipcviz.sizes import clamp_size

Result = TypeVar("Result")


class BaseApp(AppWithoutTraceback[Result], Generic[Result]):
    """An app whose notes can't give the terminal commands, whose size is bounded, and that shows no
    traceback.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for console in (self.console, self.error_console):
            size = clamp_size(console.width, console.height)
            if (console.width, console.height) != (size.columns, size.lines):
                console.size = ConsoleDimensions(size.columns, size.lines)

    def get_driver_class(self) -> type[Driver]:
        """The driver for this system, but it believes only in sizes that a terminal can have."""
        return bound_size(super().get_driver_class())

    def notify(self, message: str, **options: Any) -> None:
        """Show a note; what in it is no text is made visible."""
        text = "\n".join(escape_text(line) for line in message.split("\n"))
        super().notify(text, **{"markup": False, **options})

    def report_failure(self, error: BaseException) -> None:
        """After the screen, for an exception that nobody foresaw: a sentence, and a report for who
        can mend it.
        """
        write_error(keep_report(error))
