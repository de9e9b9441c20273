"""The app behind `ipcviz notes`: the notes of what another screen of this user shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ipcviz.app.base import BaseApp
from ipcviz.app.footer import KeyFooter
from ipcviz.app.notes.client import read_pages
from ipcviz.app.notes.folder import NotesError, Offer
from ipcviz.app.notes.words import describe_page, describe_time, list_lines, wrap_line
from ipcviz.app.text import make_visible
from ipcviz.app.themes import register_themes, toggle_light

if TYPE_CHECKING:
    from ipcviz.app.notes.page import NotesPage

_STYLES: Final = {
    "head": "bold $primary",
    "now": "bold",
    "dim": "$text-muted",
    "answer": "bold underline",
    "": "",
}
_TICK: Final = 1.0
"""Seconds from one showing of the time to the next."""


class NotesApp(BaseApp[str]):
    """Shows the notes of one screen until that ends. Its result is a sentence: why it ended.

    Args:
        offer: The socket that they come from.
        page: What the screen shows at the beginning.
        hint: What else there is, in a sentence; empty for nothing.
        clock: Seconds; tests give one that stands still.
    """

    TITLE = "ipcviz notes"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll(1)", "Down", id="notes.down", tooltip="A line down"),
        Binding("k,up", "scroll(-1)", "Up", id="notes.up", tooltip="A line up"),
        Binding("T", "light", "Dark or light", id="notes.light", tooltip="Dark or light"),
        Binding("q,ctrl+q", "quit", "Quit", id="notes.quit", tooltip="Leave; the screen stays"),
    ]
    CSS = """
    #what { height: 1; background: $panel; padding: 0 1; text-style: bold; }
    #time { height: 1; background: $panel; padding: 0 1; }
    #notes { height: 1fr; padding: 0 1; background: $surface; }
    #notes Static { height: auto; }
    """

    def __init__(
        self,
        offer: Offer,
        page: NotesPage,
        hint: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        register_themes(self)
        self.offer = offer
        self.page = page
        self.hint = hint
        self._clock = clock
        self._page_at = clock()

    def compose(self) -> ComposeResult:
        """Where the other screen is, the time, and the notes."""
        yield Static(id="what")
        yield Static(id="time")
        with VerticalScroll(id="notes", can_focus=False):
            yield Static(id="text")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show what is known, and follow."""
        self._show_page()
        self.set_interval(_TICK, self._show_time)
        self.run_worker(self._follow(), name="follow")

    async def _follow(self) -> None:
        try:
            async for page in read_pages(self.offer.path):
                self.page, self._page_at = page, self._clock()
                self._show_page()
        except NotesError as error:
            self.exit(error.message, return_code=2)
            return
        self.exit(f"{self.page.scenario}: its screen has ended.")

    def _show_page(self) -> None:
        if not self.query("#text"):
            return  # it is being left
        self.query_one("#what", Static).update(Content(make_visible(describe_page(self.page))))
        self._show_time()
        width = max(20, self.size.width - 4)
        parts: list[tuple[str, str]] = []
        for line in list_lines(self.page):
            shown = line._replace(text=make_visible(line.text))
            parts += [(f"{row}\n", _STYLES[line.style]) for row in wrap_line(shown, width)]
        self.query_one("#text", Static).update(Content.assemble(*parts))

    def _show_time(self) -> None:
        if not self.query("#time"):
            return
        used = self.page.used + self._clock() - self._page_at
        words = describe_time(self.page, used)
        hint = f"   {make_visible(self.hint)}" if self.hint else ""
        over = used > 60 * self.page.minutes > 0
        self.query_one("#time", Static).update(
            Content.assemble((words, "bold reverse" if over else ""), (hint, "$text-muted"))
        )

    def on_resize(self) -> None:
        """Another width has other lines."""
        self._show_page()

    def action_scroll(self, by: int) -> None:
        """Move in the notes."""
        self.query_one("#notes").scroll_relative(y=by, animate=False)

    def action_light(self) -> None:
        """Change between dark and light."""
        toggle_light(self)
