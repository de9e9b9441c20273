"""The output panel: what the command wrote to its terminal, and a line to type to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from ipcviz.app.panels.cells import chop_text
from ipcviz.app.panels.panel import Panel, Row, make_row

if TYPE_CHECKING:
    from ipcviz.app.terminal import Terminal
    from ipcviz.app.view import View


class OutputRows(Panel):
    """The command's output as rows of text."""

    TITLE = "Output"
    DEFAULT_CSS = "OutputRows { height: 1fr; }"

    def title_of(self, view: View) -> str:
        """How much came."""
        return f"Output: {view.terminal.bytes:,} bytes" if view.terminal.bytes else self.TITLE

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._seen: tuple[Terminal | None, int, int] = (None, -1, 0)

    def rebuild_rows(self) -> None:
        """Make the rows anew only if something was written."""
        view = self.view
        if view is None:
            return
        now = (view.terminal, view.terminal_version, self.scrollable_content_region.width)
        if now[0] is self._seen[0] and now[1:] == self._seen[1:]:
            return
        self._seen = now
        follow = self.scroll_offset.y >= self.max_scroll_y - 1
        super().rebuild_rows()
        if follow:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    def build_rows(self, view: View, width: int) -> list[Row]:
        """The lines that are kept, broken where the panel ends."""
        terminal = view.terminal
        if not terminal.bytes:
            return [make_row(("The command has written nothing to its terminal.", "dim"))]
        rows = []
        if terminal.forgotten:
            rows.append(make_row((f"[{terminal.forgotten:,} earlier lines are not kept]", "dim")))
        for line in terminal.list_last_lines(1_000):
            rows.extend(Row(((piece, ""),)) for piece in chop_text(line, max(width, 10)))
        return rows


class TypingLine(Input):
    """The line that is sent to the command's terminal."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+c",
            "send('\x03')",
            "^C",
            id="type.interrupt",
            tooltip="Interrupt: the terminal sends SIGINT",
        ),
        Binding("ctrl+d", "send('\x04')", "^D", id="type.eof", tooltip="End of input"),
        Binding(
            "ctrl+z",
            "send('\x1a')",
            "^Z",
            id="type.stop",
            tooltip="Suspend: the terminal sends SIGTSTP",
        ),
        Binding(
            "ctrl+backslash",
            "send('\x1c')",
            "^\\",
            show=False,
            id="type.quit",
            tooltip="The terminal sends SIGQUIT",
        ),
        Binding("escape", "leave", "Back", id="type.leave", tooltip="Leave the input line"),
    ]

    def action_send(self, control: str) -> None:
        """Send a control character to the command's terminal, after what stands in the line."""
        self.post_message(OutputPanel.Typed(self.value.encode() + control.encode()))
        self.clear()

    def action_leave(self) -> None:
        """Give the focus back to the output."""
        self.screen.query_one(OutputRows).focus()


class OutputPanel(Vertical):
    """Output and input line."""

    DEFAULT_CSS = """
    OutputPanel {
        & TypingLine { height: 1; border: none; padding: 0 1; background: $boost; }
        & TypingLine:focus { background: $row-cursor; }
    }
    """
    ALLOW_MAXIMIZE = True
    TITLE = "Output"
    HELP_TEXT: ClassVar[str] = (
        "What the command wrote to its terminal. Colours and other escape sequences are left out,"
        " control characters are shown as ^X, and only the last lines are kept. i starts typing to"
        " the command: Enter sends the line, ctrl+c, ctrl+d and ctrl+z go to its terminal, Escape"
        " leaves the input line. What the terminal echoes appears in the output."
    )

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether the command has written anything to its terminal."""
        return bool(view.terminal.bytes)

    class Typed(Message):
        """Something was typed to the command.

        Attributes:
            data: The bytes for its terminal.
        """

        def __init__(self, data: bytes) -> None:
            super().__init__()
            self.data = data

    def compose(self) -> ComposeResult:
        """The rows above, the input line below."""
        yield OutputRows()
        yield TypingLine(placeholder="i: type to the command", id="typing", compact=True)

    @property
    def panel(self) -> OutputRows:
        """The rows."""
        return self.query_one(OutputRows)

    def show_view(self, view: View) -> None:
        """Pass a view on."""
        self.panel.show_view(view)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: send the line."""
        event.stop()
        self.post_message(self.Typed(event.value.encode() + b"\n"))
        event.input.clear()
