"""A question before the step that answers it: the class predicts, and then it happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.text import fit_text, make_visible, measure_width

if TYPE_CHECKING:
    from ipcviz.app.questions import Guess, Questions, Tally
    from ipcviz.scenario import Question


class QuestionScreen(ModalScreen[int | None]):
    """Shows a question and its choices over the lower part of the screen; what is next can be seen
    above it.

    Its result is the choice, counted from 0, or None if nobody wanted to guess, or if hands were
    counted: those are in the tally. Either way the step follows.

    Args:
        question: The question.
        tally: Takes the hands.
        questions: How it is asked.
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
        Binding(
            "Q", "by_hands", "Hands", id="question.hands", tooltip="Count the hands of a class"
        ),
        Binding("backspace", "undo", "Undo", id="question.undo", tooltip="Take the last hand back"),
        Binding("j", "move(1)", "Down", show=False, id="question.down", tooltip="The next choice"),
        Binding("k", "move(-1)", "Up", show=False, id="question.up", tooltip="The choice before"),
    ]

    AUTO_FOCUS = "OptionList"

    def __init__(self, question: Question, tally: Tally, questions: Questions) -> None:
        super().__init__()
        self.question = question
        self.tally = tally
        self.questions = questions

    def compose(self) -> ComposeResult:
        """The question and its choices."""
        with Vertical(id="box") as box:
            box.border_title = "What will happen?"
            yield Static(Content(make_visible(self.question.text)), id="question")
            yield OptionList(*(Option(line) for line in self._format_choices()))

    def on_mount(self) -> None:
        """How to answer stands at the border."""
        self._show_hands()

    def _format_choices(self) -> list[Content]:
        counts = self.tally.counts if self.questions.by_hands else ()
        texts = [make_visible(choice) for choice in self.question.choices]
        width = min(_WIDEST, max(map(measure_width, texts)))
        lines = []
        for number, text in enumerate(texts):
            if not counts:
                lines.append(Content(f"{number + 1}  {text}"))
                continue
            # The words go on below, so that all bars begin at one place.
            first, *more = wrap_text(text, width)
            rows = [f"{number + 1}  {fit_text(first, width)}  {_draw_bar(counts, number)}"]
            lines.append(Content("\n".join([*rows, *(f"   {line}" for line in more)])))
        return lines

    def _show_hands(self) -> None:
        """Show the bars anew, and which keys are of use."""
        if self.questions.by_hands:
            hint = "a digit a hand, backspace takes one back, n shows what happens"
        else:
            hint = "a digit guesses, n skips, Q counts hands"
        # There is nothing to show it in where the viewer has left already.
        for box in self.query("#box"):
            box.border_subtitle = hint
        for options in self.query(OptionList):
            for number, line in enumerate(self._format_choices()):
                options.replace_option_prompt_at_index(number, line)

    def _answer(self, number: int) -> None:
        """A choice was made: by a digit, a letter, a click."""
        if self.questions.by_hands:
            self.tally.add_hand(number)
            self._show_hands()
        else:
            self.dismiss(number)

    def on_key(self, event: events.Key) -> None:
        """A digit or a letter takes that choice."""
        character = event.character or ""
        number = "123456789".find(character) if character.isdigit() else "abcdefghi".find(character)
        if character and 0 <= number < len(self.question.choices):
            event.stop()
            event.prevent_default()
            self._answer(number)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or a click."""
        self._answer(event.option_index)

    def action_by_hands(self) -> None:
        """Count the hands of a class, or take one guess."""
        self.questions.by_hands = not self.questions.by_hands
        self._show_hands()

    def action_undo(self) -> None:
        """Take the last hand back."""
        self.tally.remove_last()
        self._show_hands()

    def action_move(self, by: int) -> None:
        """Another choice."""
        for options in self.query(OptionList):
            (options.action_cursor_down if by > 0 else options.action_cursor_up)()


_WIDEST: Final = 40
_BAR: Final = 20
"""Cells of a choice's words, and of a bar, at most."""


def _draw_bar(counts: Sequence[int], number: int) -> str:
    """How many hands one of the choices has: a bar, and the number."""
    most = max(_BAR, *counts)
    return f"{'█' * round(counts[number] * _BAR / most)} {counts[number]}"


class QuestionsScreen(ModalScreen[None]):
    """The questions in one place: what was asked, guessed and answered, and how they are asked.

    Args:
        questions: The questions.
        count: How many the story has.
    """

    DEFAULT_CSS = """
    QuestionsScreen {
        align: center middle;
        & > VerticalScroll {
            width: 76; max-width: 100%; height: auto; max-height: 90%;
            border: double $accent; padding: 0 1; background: $panel;
        }
        & Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,Q,q,enter", "dismiss(None)", "Close", id="question.close", tooltip="Close it"
        ),
        Binding(
            "h", "by_hands", "Hands", id="question.by-hands", tooltip="Count hands, or one guess"
        ),
    ]

    def __init__(self, questions: Questions, count: int) -> None:
        super().__init__()
        self.questions = questions
        self.count = count

    def compose(self) -> ComposeResult:
        """What there is to tell."""
        with VerticalScroll() as box:
            box.border_title = "Questions"
            box.border_subtitle = "h changes how they are asked, Escape closes"
            yield Static(id="told")

    def on_mount(self) -> None:
        """Tell it."""
        self._show_all()

    def _show_all(self) -> None:
        guesses = self.questions.guesses
        how = "the hands of a class are counted" if self.questions.by_hands else "one guess"
        parts: list[str | tuple[str, str]] = [
            (f"{len(guesses)} of {self.count} questions were asked. ", "bold"),
            f"How they are answered: {how}.\n",
        ]
        for guess in guesses:
            parts.append((f"\n{make_visible(guess.question.text)}\n", "bold"))
            parts += [f"  {line}\n" for line in _describe_guess(guess)]
        for told in self.query("#told").results(Static):
            told.update(Content.assemble(*parts))

    def action_by_hands(self) -> None:
        """Count hands from now on, or take one guess."""
        self.questions.by_hands = not self.questions.by_hands
        self._show_all()


def _describe_guess(guess: Guess) -> list[str]:
    """What was guessed, and what came of it."""
    choices = guess.question.choices
    if guess.counts:
        lines = [
            f"{_draw_bar(guess.counts, number)}  {make_visible(choice)}"
            for number, choice in enumerate(choices)
        ]
    elif guess.choice is None:
        lines = ["nobody guessed"]
    else:
        lines = [f"guessed: {make_visible(choices[guess.choice])}"]
    return [*lines, make_visible(guess.verdict) or "the answer has not been seen yet"]
