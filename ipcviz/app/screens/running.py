"""Screens that ask how far to run, and how slowly to step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ipcviz.app.text import make_visible
from ipcviz.events import Breakpoint
from ipcviz.events.kinds import where
from ipcviz.model.steps.visible import is_visible_semaphore
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.model.state import State

Choice = tuple[str, Breakpoint]
"""A breakpoint in words, and itself."""

_BUFFERED: Final = where(
    lambda kind: (
        "level" in kind.traits and kind.shape == "tube" and "connectionless" not in kind.traits
    )
)
"""Kinds that can be full for their writers, and have an end of file or of messages."""

_CSS: Final = """
    align: center middle;
    & > Vertical {
        width: 60; max-width: 95%; height: auto; max-height: 95%; border: solid $primary;
        background: $panel;
    }
    & OptionList { height: auto; max-height: 16; border: none; background: $panel; padding: 0; }
    & OptionList:focus { border: none; }
    & .hint { color: $text-muted; padding: 0 1; height: auto; }
"""
_ANYWHERE: Final[tuple[Choice, ...]] = (
    ("somebody is blocked", Breakpoint(condition="blocked")),
    ("a pipe, FIFO, socket or queue is full", Breakpoint(condition="full")),
    ("a semaphore is 0", Breakpoint(condition="zero")),
    ("a read finds the end of file", Breakpoint(condition="end")),
    ("a process is made", Breakpoint(event="forked")),
    ("a program is executed", Breakpoint(event="executed")),
    ("a process ends", Breakpoint(event="exited")),
    ("a signal is delivered", Breakpoint(event="signal-delivered")),
    ("a program leaves a marker", Breakpoint(event="marker")),
)


def choices_of(view: View) -> list[Choice]:
    """What a run can be ended by: about the selected object, the selected process, semaphores, and
    anything.
    """
    state = view.state
    found: list[Choice] = []
    thing = state.objects.get(view.object)
    if thing is not None:
        label, key = make_visible(thing.label), thing.info.key
        buffered = thing.info.kind in _BUFFERED
        if buffered:
            found += [
                (f"{label} is full", Breakpoint(object=key, condition="full")),
                (f"{label} is empty", Breakpoint(object=key, condition="empty")),
                (
                    f"a read of {label} finds the end of file",
                    Breakpoint(object=key, condition="end"),
                ),
            ]
        found += [
            (f"somebody is blocked on {label}", Breakpoint(object=key, condition="blocked")),
            (f"any call on {label}", Breakpoint(event="call", object=key)),
        ]
    process = view.process
    if process is not None and process.fate == "alive":
        name = make_visible(name_process(state, process.pid))
        found += [
            (f"{name} is blocked", Breakpoint(event="waiting", pid=process.pid)),
            (f"{name} gets a signal", Breakpoint(event="signal-delivered", pid=process.pid)),
            (f"{name} ends", Breakpoint(event="exited", pid=process.pid)),
        ]
    found += _of_semaphores(state)
    return [*found, *_ANYWHERE]


def _of_semaphores(state: State) -> list[Choice]:
    found: list[Choice] = []
    for key, semaphore in sorted(state.semaphores.items()):
        if is_visible_semaphore(semaphore.info) and len(found) < 12:
            label = make_visible(semaphore.label)
            found += [
                (f"{label} is 0", Breakpoint(object=key, condition="zero")),
                (f"somebody is blocked on {label}", Breakpoint(object=key, condition="blocked")),
            ]
    return found


class RunScreen(ModalScreen[tuple[Breakpoint, ...] | None]):
    """Asks what is to end the run: space chooses, Enter runs; with nothing chosen it runs
    freely.
    """

    DEFAULT_CSS = f"RunScreen {{{_CSS}}}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Stay", id="run.cancel", tooltip="Hold on: run nothing"),
        Binding(
            "space", "choose", "Choose", id="run.choose", tooltip="Choose or not", priority=True
        ),
        Binding("c", "free", "Run freely", id="run.free", tooltip="Run without an end"),
        Binding("j", "move(1)", "Down", show=False, id="run.down", tooltip="The next one"),
        Binding("k", "move(-1)", "Up", show=False, id="run.up", tooltip="The one before"),
    ]

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self.choices = tuple(choices)
        self.chosen: set[int] = set()

    def compose(self) -> ComposeResult:
        """What can end the run."""
        with Vertical() as box:
            box.border_title = "Run until"
            box.border_subtitle = "Escape stays"
            yield OptionList(
                "  nothing: run on freely",
                *(Option(self._format_line(i)) for i in range(len(self.choices))),
            )
            yield Static(
                Content("Enter runs until this; space chooses several; space in the run holds all"),
                classes="hint",
            )

    def _format_line(self, number: int) -> Content:
        return Content(f"{'*' if number in self.chosen else ' '} {self.choices[number][0]}")

    def action_choose(self) -> None:
        """Choose what the cursor is at, or not any more."""
        options = self.query_one(OptionList)
        number = (options.highlighted or 0) - 1
        if number >= 0:
            self.chosen ^= {number}
            options.replace_option_prompt_at_index(number + 1, self._format_line(number))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter: run until what was chosen, else until what the cursor is at."""
        numbers = sorted(self.chosen) or ([event.option_index - 1] if event.option_index else [])
        self.dismiss(tuple(self.choices[number][1] for number in numbers))

    def action_free(self) -> None:
        """Run without an end."""
        self.dismiss(())

    def action_move(self, by: int) -> None:
        """Another line."""
        options = self.query_one(OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()


_RATES: Final = (0.5, 1.0, 2.0, 5.0, 10.0)


class SlowScreen(ModalScreen[float | None]):
    """Asks how many steps a second are to be made."""

    DEFAULT_CSS = f"SlowScreen {{{_CSS} & > Vertical {{ width: 40; }} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Stay", id="slow.cancel", tooltip="No slow motion"),
    ]

    def compose(self) -> ComposeResult:
        """The rates."""
        with Vertical() as box:
            box.border_title = "Slow motion"
            box.border_subtitle = "Enter begins, Escape leaves"
            rates = OptionList(*(f"{_describe_rate(rate)}" for rate in _RATES))
            # One a second is what is wanted as a rule.
            rates.highlighted = 1
            yield rates

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a rate."""
        self.dismiss(_RATES[event.option_index])


def _describe_rate(rate: float) -> str:
    if rate < 1:
        return f"a step every {1 / rate:g} seconds"
    return f"{rate:g} step{'s' if rate > 1 else ''} a second"
