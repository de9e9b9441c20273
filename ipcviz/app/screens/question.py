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


class Asked:
    """Which questions were asked, what was guessed, and what the answer was.

    Attributes:
        verdict: What is said once the answer was seen; empty before that.
    """

    def __init__(self) -> None:
        self.verdict = ""
        self._done: set[str] = set()
        self._open: tuple[Question, int | None] | None = None

    def wants(self, question: Question | None) -> bool:
        """Whether a question is still to be asked."""
        return question is not None and question.before not in self._done

    def guessed(self, question: Question, choice: int | None) -> None:
        """Somebody has guessed, or has not."""
        self._done.add(question.before)
        self._open = question, choice
        self.verdict = ""

    def seen(self, reached: set[str], skipped: set[str]) -> None:
        """The story has come to these steps, and can't come to those: reveal the answer if it is
        among them.
        """
        if self._open is None or self._open[0].before not in reached | skipped:
            return
        question, choice = self._open
        self._open = None
        if question.before in skipped:
            self.verdict = "It did not come to that in this run."
            return
        why = f": {question.why}" if question.why else "."
        if choice is None:
            self.verdict = f"The answer was: {question.answer}{why}"
        elif question.choices[choice] == question.answer:
            self.verdict = f"Right, {question.answer}{why}"
        else:
            self.verdict = f"Not {question.choices[choice]!r}, but {question.answer}{why}"
