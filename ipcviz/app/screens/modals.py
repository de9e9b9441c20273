"""Screens that lie over another one: a trouble to read, a signal to choose, a blank wall."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ipcviz.app.text import make_visible
from ipcviz.events.signals import signal_name


class TroubleScreen(ModalScreen[None]):
    """Something went wrong: one sentence that can be copied."""

    DEFAULT_CSS = """
    TroubleScreen {
        align: center middle;
        & > Vertical {
            width: 70; max-width: 95%; height: auto; max-height: 90%;
            border: double $error; padding: 0 1; background: $panel;
        }
        & .hint { color: $text-muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,enter,space",
            "dismiss",
            "Close",
            id="trouble.close",
            tooltip="Close this message",
        ),
        Binding("y", "copy", "Copy", id="trouble.copy", tooltip="Copy this message"),
    ]

    def __init__(self, message: str, title: str = "Trouble") -> None:
        super().__init__()
        self.message = message
        self.heading = title

    def compose(self) -> ComposeResult:
        """The message."""
        with Vertical() as box:
            box.border_title = self.heading
            yield Static(Content(make_visible(self.message)), id="message")
            yield Static(Content("Enter closes, y copies"), classes="hint")

    def action_copy(self) -> None:
        """Copy the message."""
        self.app.copy_to_clipboard(self.message)
        self.notify("Copied", timeout=2)


_COMMON: Final = (2, 15, 9, 1, 3, 10, 12, 14, 13, 17, 18, 19, 20, 28, 34, 35)
"""Those that one sends by hand, the most usual first."""


class SignalScreen(ModalScreen[int | None]):
    """Choose a signal to send."""

    DEFAULT_CSS = """
    SignalScreen {
        align: center middle;
        & > Vertical {
            width: 50; max-width: 95%; height: 14; max-height: 95%;
            border: solid $primary; background: $panel;
        }
        & OptionList { height: 1fr; border: none; background: $panel; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "dismiss(None)", "Send nothing", id="signal.cancel", tooltip="Send nothing"
        ),
        Binding("j", "down", "Down", show=False, id="signal.down", tooltip="The next signal"),
        Binding("k", "up", "Up", show=False, id="signal.up", tooltip="The signal before"),
    ]

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target

    def compose(self) -> ComposeResult:
        """The signals by name."""
        with Vertical() as box:
            box.border_title = f"Send to {make_visible(self.target)}".replace("[", "\\[")
            box.border_subtitle = "Enter sends, Escape leaves"
            yield OptionList(
                *(
                    Option(f"{signal_name(number):12} {number:3}", id=str(number))
                    for number in _COMMON
                )
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a signal."""
        self.dismiss(int(event.option_id or 0))

    def action_down(self) -> None:
        """The next signal."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """The signal before."""
        self.query_one(OptionList).action_cursor_up()


class BlankScreen(ModalScreen[None]):
    """Nothing, so that the class looks at the speaker; any key or click goes back."""

    DEFAULT_CSS = "BlankScreen { background: black; }"

    def compose(self) -> ComposeResult:
        """Nothing to see."""
        yield Static()

    def on_key(self, event: events.Key) -> None:
        """Any key goes back, and does nothing else."""
        event.stop()
        event.prevent_default()
        self.dismiss()

    def on_click(self) -> None:
        """A click goes back."""
        self.dismiss()
