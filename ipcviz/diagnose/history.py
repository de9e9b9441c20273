"""What of the past a verdict needs and the state has no more: which event made what."""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.events import Call, Event, Executed, Forked, Opened, SignalDelivered, Table
from ipcviz.events.calls import FOR_CHILD
from ipcviz.model.state import State

_ENDS: Final = frozenset({"terminate", "core"})
"""What a delivered signal does that ends its process."""


_FIRST: Final = frozenset({"launched", "attached"})
"""Reasons of the first table of a process that is watched from then on."""


class MadeBy(NamedTuple):
    """The call that made an open file description: its event's number, its moment, its process, and
    the name of the program that this ran then.
    """

    n: int
    t: float
    pid: int
    call: str
    object: str
    name: str = ""


class History:
    """Follows the events.

    Attributes:
        made: By the number of the open file description.
        found: Numbers of open file descriptions that were there when the watch of their process
            began.
        born: By process, the event that told of its birth.
        executed: By process, the last event that told of its program.
        awaited: By process that a signal ended inside a wait for children, those that lived then.
    """

    def __init__(self) -> None:
        self.made: dict[int, MadeBy] = {}
        self.found: set[int] = set()
        self.born: dict[int, Forked] = {}
        self.executed: dict[int, Executed] = {}
        self.awaited: dict[int, tuple[int, ...]] = {}

    def add_event(self, event: Event, state: State) -> None:
        """Take in one event, of which `state` knows already."""
        if type(event) is Call and not event.effects:
            return
        match event:
            case Call():
                process = state.processes.get(event.pid)
                name = process.name if process is not None else ""
                for effect in event.effects:
                    if isinstance(effect, Opened):
                        self.made[effect.ofd] = MadeBy(
                            event.n, event.t, event.pid, event.name, effect.object.key, name
                        )
            case Table() if event.reason in _FIRST:
                self.found.update(entry.ofd for entry in event.entries)
            case Forked():
                self.born[event.pid] = event
            case Executed():
                self.executed[event.pid] = event
            case SignalDelivered() if event.action in _ENDS and event.interrupted in FOR_CHILD:
                self.awaited[event.pid] = tuple(
                    process.pid
                    for process in state.processes.values()
                    if process.parent == event.pid and process.fate == "alive"
                )

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
        self.found = {ofd for ofd in self.found if ofd in state.open_files}
        self.born = {pid: event for pid, event in self.born.items() if pid in state.processes}
        self.awaited = {pid: rest for pid, rest in self.awaited.items() if pid in state.processes}
        self.executed = {
            pid: event for pid, event in self.executed.items() if pid in state.processes
        }
