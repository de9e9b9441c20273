"""What of the past a verdict needs and the state has no more: which event made what."""

from __future__ import annotations

from typing import NamedTuple

from ipcviz.events import Call, Event, Executed, Forked, Opened
from ipcviz.model.state import State


class MadeBy(NamedTuple):
    """The call that made an open file description: its event's number, its moment, its process."""

    n: int
    t: float
    pid: int
    call: str
    object: str


class History:
    """Follows the events.

    Attributes:
        made: By the number of the open file description.
        born: By process, the event that told of its birth.
        executed: By process, the last event that told of its program.
    """

    def __init__(self) -> None:
        self.made: dict[int, MadeBy] = {}
        self.born: dict[int, Forked] = {}
        self.executed: dict[int, Executed] = {}

    def add_event(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case Call():
                for effect in event.effects:
                    if isinstance(effect, Opened):
                        self.made[effect.ofd] = MadeBy(
                            event.n, event.t, event.pid, event.name, effect.object.key
                        )
            case Forked():
                self.born[event.pid] = event
            case Executed():
                self.executed[event.pid] = event

    def has_started(self, above: int, pid: int) -> bool:
        """Whether a process has started another one, or one that has started that."""
        seen: set[int] = set()
        while pid in self.born and pid not in seen:
            seen.add(pid)
            pid = self.born[pid].parent
            if pid == above:
                return True
        return False

    def forget(self, state: State) -> None:
        """Drop what no state refers to any more."""
        self.made = {ofd: made for ofd, made in self.made.items() if ofd in state.open_files}
        self.born = {pid: event for pid, event in self.born.items() if pid in state.processes}
        self.executed = {
            pid: event for pid, event in self.executed.items() if pid in state.processes
        }
