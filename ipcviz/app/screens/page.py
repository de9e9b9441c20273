"""A page of text over what is shown: it scrolls, and Escape closes it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class PageScreen(ModalScreen[None]):
    """A page of text.

    Args:
        title: What stands in its border.
        parts: Its parts, one below the other.
    """

    DEFAULT_CSS = """
    PageScreen {
        align: center middle;
        & > VerticalScroll {
            width: 78; max-width: 100%; height: auto; max-height: 100%;
            border: double $accent; background: $panel; padding: 0 1;
        }
        & Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close", id="page.close", tooltip="Close this page"),
        Binding("j", "scroll(1)", "Down", show=False, id="page.down", tooltip="Down"),
        Binding("k", "scroll(-1)", "Up", show=False, id="page.up", tooltip="Up"),
    ]
    AUTO_FOCUS = "VerticalScroll"
    """The arrow keys scroll at once."""

    def __init__(self, title: str, *parts: Content) -> None:
        super().__init__()
        self._title, self._parts = title, parts

    def compose(self) -> ComposeResult:
        """The parts of the page, one below the other."""
        with VerticalScroll() as box:
            box.border_title = self._title
            box.border_subtitle = "Escape closes"
            for part in self._parts:
                yield Static(part)

    def action_scroll(self, by: int) -> None:
        """Scroll by a row."""
        for box in self.query(VerticalScroll):
            box.scroll_relative(y=by, animate=False)


def format_part(heading: str, text: str) -> Content:
    """A heading, and below it a paragraph."""
    return Content.assemble((f"{heading}\n", "bold underline"), text, "\n")
