"""A line that asks where to write a trace to."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ipcviz.app.text import make_visible


def default_name(command: str, suffix: str = ".ipcviz") -> str:
    """A file name from a command and the time."""
    words = command.split()
    word = re.sub(r"[^A-Za-z0-9_.+-]", "", words[0].rpartition("/")[2]) if words else ""
    return f"{word[:40] or 'session'}-{time.strftime('%Y%m%d-%H%M%S')}{suffix}"


class SaveScreen(ModalScreen[str | None]):
    """Asks for a file name; one that is there already is replaced only if Enter is pressed once
    more.
    """

    DEFAULT_CSS = """
    SaveScreen {
        align: center middle;
        & > Vertical {
            width: 64; max-width: 95%; height: auto; border: solid $primary; padding: 0 1;
            background: $panel;
        }
        & Input { height: 1; border: none; padding: 0; background: $boost; }
        & Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "dismiss(None)", "Write nothing", id="save.cancel", tooltip="Write nothing"
        ),
    ]

    def __init__(self, name: str, title: str = "Write what was seen so far to") -> None:
        super().__init__()
        self.heading = title
        self.proposed = name
        self.heading = title
        self._asked = ""

    def compose(self) -> ComposeResult:
        """The line, and what Enter does."""
        with Vertical() as box:
            box.border_title = self.heading
            yield Input(self.proposed, id="name", compact=True)
            yield Static(Content("Enter writes, Escape leaves"), id="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: write, but ask before something is replaced."""
        event.stop()
        name = event.value.strip()
        if not name:
            return
        if self._asked != name and self._has_file(name):
            self._asked = name
            hint = f"{make_visible(name)} is there already: Enter once more replaces it"
            self.query_one("#hint", Static).update(Content(hint))
            return
        self.dismiss(name)

    @staticmethod
    def _has_file(name: str) -> bool:
        try:
            return Path(name).expanduser().exists()
        except (OSError, RuntimeError, ValueError):
            return False
