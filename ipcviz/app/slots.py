"""Digits for processes: what 1 to 9 select."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ipcviz.model.maps import Map
    from ipcviz.model.state import Process

_DIGITS: Final = range(1, 10)


class Slots:
    """Gives each process a digit for as long as it can be had; that of the one longest gone is
    given again.

    It depends on births and deaths alone, in their order, so it can be worked out for any moment.

    Attributes:
        given: Digits by pid.
    """

    def __init__(self) -> None:
        self.given: dict[int, int] = {}
        self._ended: deque[int] = deque()
        self._without: dict[int, None] = {}

    @classmethod
    def from_processes(cls, processes: Map[int, Process]) -> Slots:
        """The digits at a moment at which these processes have been."""
        slots = cls()
        turns = [(process.born, False, pid) for pid, process in processes.items()]
        turns += [
            (process.died, True, pid)
            for pid, process in processes.items()
            if process.died is not None
        ]
        for _, died, pid in sorted(turns):
            if died:
                slots.end_process(pid)
            else:
                slots.add_process(pid)
        return slots

    def add_process(self, pid: int) -> None:
        """A process came to be."""
        if pid in self.given:
            if pid in self._ended:
                self._ended.remove(pid)
            return
        taken = set(self.given.values())
        free = next((digit for digit in _DIGITS if digit not in taken), 0)
        if not free and self._ended:
            free = self.given.pop(self._ended.popleft())
        if free:
            self.given[pid] = free
        else:
            self._without[pid] = None

    def end_process(self, pid: int) -> None:
        """A process ended. It keeps its digit until another one needs it."""
        self._without.pop(pid, None)
        if pid not in self.given or pid in self._ended:
            return
        waiting = next(iter(self._without), 0)
        if waiting:
            del self._without[waiting]
            self.given[waiting] = self.given.pop(pid)
        else:
            self._ended.append(pid)
