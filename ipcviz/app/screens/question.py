"""A question before the step that answers it: the class predicts, and then it happens."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ipcviz.scenario import Question


class QuestionScreen(ModalScreen[int | None]):
    """Shows a question and its choices over the lower part of the screen; what is next can be seen
    above it.

    Its result is the choice, counted from 0, or None if nobody wanted to guess. Either way the step
    follows.
    """

    DEFAULT_CSS = """
    QuestionScreen {
        align: center bottom;
        background: $background 0%;
        & > Vertical {
            width: 76; max-width: 100%; height: auto; max-height: 60%;
            border: double $accent; padding: 0 1;
            background: $panel;
        }
        & OptionList { height: auto; max-height: 8; border: none; background: $panel; padding: 0; }
        & OptionList:focus { border: none; }
        & Static { height: auto; }
        & #question { text-style: bold; }
        & .hint { color: $text-muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,n,right,space,pagedown,s",
            "dismiss(None)",
            "Skip",
            id="question.skip",
            tooltip="Don't guess: see what happens",
            priority=True,
        ),
        Binding("j", "move(1)", "Down", show=False, id="question.down", tooltip="The next choice"),
        Binding("k", "move(-1)", "Up", show=False, id="question.up", tooltip="The choice before"),
    ]

    AUTO_FOCUS = "OptionList"

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """The question and its choices."""
        with Vertical() as box:
            box.border_title = "What will happen?"
            box.border_subtitle = "a digit guesses, n skips"
            yield Static(Content(self.question.text), id="question")
            yield OptionList(
                *(
                    Option(Content(f"{i}  {text}"))
                    for i, text in enumerate(self.question.choices, 1)
                )
            )

    def on_key(self, event: events.Key) -> None:
        """A digit or a letter takes that choice."""
        character = event.character or ""
        number = "123456789".find(character) if character.isdigit() else "abcdefghi".find(character)
        if character and 0 <= number < len(self.question.choices):
            event.stop()
            event.prevent_default()
            self.dismiss(number)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or a click."""
        self.dismiss(event.option_index)

    def action_move(self, by: int) -> None:
        """Another choice."""
        for options in self.query(OptionList):
            (options.action_cursor_down if by > 0 else options.action_cursor_up)()
