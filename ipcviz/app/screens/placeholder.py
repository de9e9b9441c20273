"""Placeholder until the picture comes."""

from __future__ import annotations

from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from ipcviz.model.state import State


class Picture(Widget, can_focus=True):
    """A list of the processes, in place of the picture."""

    state: reactive[State] = reactive(State())

    class Selected(Message):
        """Something was selected."""

        def __init__(self, kind: str, key: str | int) -> None:
            super().__init__()
            self.kind = kind
            self.key = key

    def render(self) -> str:
        """Names."""
        return " ".join(p.name for p in self.state.processes.values())
