"""A screen that names processes which are not watched and have what watched ones use: to watch one
of them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ipcviz.app.text import make_visible
from ipcviz.model.query import list_living
from ipcviz.model.waits.outsiders import outsiders_of

if TYPE_CHECKING:
    from ipcviz.events import Outsider
    from ipcviz.model.state import State

_HAS = {"end": "has the other end of", "listens": "has yet to accept", "lock": "has a lock on"}


def all_outsiders(state: State) -> list[tuple[Outsider, str]]:
    """Each process that is not watched and has an object of the watched ones, and what it has, in
    words; by pid.
    """
    found: dict[int, tuple[Outsider, list[str]]] = {}
    for key in state.outsiders:
        thing = state.objects.get(key)
        for one in (*outsiders_of(state, key), *outsiders_of(state, key, "lock")):
            if thing is not None:
                found.setdefault(one.pid, (one, []))[1].append(f"{_HAS[one.how]} {thing.label}")
    return [(one, ", ".join(words[:3])) for _, (one, words) in sorted(found.items())]


def attach_command(state: State, pid: int) -> str:
    """The command line that watches a process together with those that are watched now."""
    pids = [process.pid for process in list_living(state)]
    return f"ipcviz attach {' '.join(map(str, (pid, *pids)))}"


class WatchScreen(ModalScreen[int | None]):
    """Choose a process that is not watched. Its result is the process, or None.

    Args:
        state: The moment.
        can: Whether it can be watched from here; if not, the command line is said that does it.
    """

    DEFAULT_CSS = """
    WatchScreen {
        align: center middle;
        & > Vertical {
            width: 70; max-width: 95%; height: auto; max-height: 95%;
            border: solid $primary; background: $panel;
        }
        & OptionList { height: auto; max-height: 12; border: none; background: $panel; }
        & OptionList:focus { border: none; }
        & .hint { color: $text-muted; padding: 0 1; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "dismiss(None)", "Leave", id="watch.cancel", tooltip="Watch no other process"
        ),
        Binding("j", "move(1)", "Down", show=False, id="watch.down", tooltip="The next one"),
        Binding("k", "move(-1)", "Up", show=False, id="watch.up", tooltip="The one before"),
    ]

    def __init__(self, state: State, *, can: bool) -> None:
        super().__init__()
        self.can = can
        self.state = state
        self.found: Sequence[tuple[Outsider, str]] = all_outsiders(state)

    def compose(self) -> ComposeResult:
        """The processes, and what Enter does."""
        with Vertical() as box:
            box.border_title = "Not watched"
            box.border_subtitle = (
                "Enter watches it too, Escape leaves" if self.can else "Enter copies, Escape leaves"
            )
            yield OptionList(
                *(
                    Option(
                        Content(
                            f"{make_visible(one.name) or 'process'}[{one.pid}]"
                            f" {make_visible(words)}"
                        ),
                        id=str(one.pid),
                    )
                    for one, words in self.found
                )
            )
            if not self.can:
                yield Static("", classes="hint")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Where nothing more can be watched here, say how to."""
        if not self.can:
            command = attach_command(self.state, int(event.option_id or 0))
            self.query_one(Static).update(
                Content(f"It can't be watched from here. In another terminal:\n{command}")
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a process."""
        pid = int(event.option_id or 0)
        if not self.can:
            self.app.copy_to_clipboard(attach_command(self.state, pid))
            self.notify("Copied", timeout=2)
        self.dismiss(pid if self.can else None)

    def action_move(self, by: int) -> None:
        """Another line."""
        options = self.query_one(OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()
