"""What is selected: one process, one object and one finding, which every panel follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from ipcviz.app.screens.controller import Controller, Stage
from ipcviz.events.kinds import BUFFERED

if TYPE_CHECKING:
    from ipcviz.app.view import View


class Selection(Controller):
    """Which process, object and finding are selected, and the keys for processes.

    Args:
        stage: The screen.
        is_scheduling: Whether a digit lets a process make a step, instead of selecting it.
        advance: Lets a process make a step, by its pid.

    Attributes:
        pid: The process that the viewer chose; 0 if none was.
        key: Key of the object that the viewer chose; empty if none was.
        finding: Name of the finding that the viewer chose; empty if none was.
    """

    BINDINGS: ClassVar[list[Binding]] = [
        Binding(
            "right_square_bracket",
            "process(1)",
            "Next process",
            show=False,
            id="live.next",
            tooltip="Next process",
        ),
        Binding(
            "left_square_bracket",
            "process(-1)",
            "Process before",
            show=False,
            id="live.back",
            tooltip="Process before",
        ),
        *(
            Binding(
                str(n),
                f"slot({n})",
                f"Process {n}",
                show=False,
                id=f"live.slot-{n}",
                tooltip=f"Select process {n}",
            )
            for n in range(1, 10)
        ),
    ]

    def __init__(
        self,
        stage: Stage,
        *,
        is_scheduling: Callable[[], bool],
        advance: Callable[[int], None],
    ) -> None:
        super().__init__(stage)
        self.pid = 0
        self.key = ""
        self.finding = ""
        self._is_scheduling = is_scheduling
        self._advance = advance

    def apply(self, view: View) -> View:
        """A view with what is selected in it: what the viewer chose, else the command's first
        process and the first buffer that is in use.
        """
        state = view.state
        pid = self.pid if self.pid in state.processes else state.root
        if self.key in state.objects:
            return view.select(pid, self.key, self.finding)
        in_use = [
            thing
            for thing in state.objects.values()
            if thing.info.kind in BUFFERED and thing.info.key in view.holders
        ]
        first = min(in_use, key=lambda thing: thing.sort_key, default=None)
        return view.select(pid, first.info.key if first is not None else "", self.finding)

    def select_finding(self, name: str) -> None:
        """Select a finding, and with it the first of its processes and objects that there are."""
        view = self.stage.view
        finding = view.select(0, "", name).selected_finding if view is not None else None
        if view is None or finding is None:
            return
        pids = [one.pid for one in finding.processes if one.pid in view.state.processes]
        keys = [key for key in finding.objects if key in view.state.objects]
        self.pid, self.key = next(iter(pids), self.pid), next(iter(keys), self.key)
        self.finding = name
        self.stage.view = self.apply(view)

    def select(self, pid: int = 0, key: str = "") -> None:
        """Select a process or an object instead of a finding; every panel follows."""
        self.finding = ""
        if pid:
            self.pid = pid
        if key:
            self.key = key
        if self.stage.view is not None:
            self.stage.view = self.apply(self.stage.view)

    def choose_slot(self, pid: int) -> None:
        """What a process's digit does: select it; in step mode, let it go on by one operation."""
        if self._is_scheduling():
            self._advance(pid)
        else:
            self.select(pid=pid)

    def action_slot(self, digit: int) -> None:
        """Select a process by its digit; in step mode, let it go on by one operation."""
        view = self.stage.view
        if view is None:
            return
        pid = next((pid for pid, slot in view.slots.items() if slot == digit), 0)
        if pid:
            self.choose_slot(pid)
        else:
            self.stage.notify(f"No process has the digit {digit}", timeout=2)

    def action_process(self, by: int) -> None:
        """Select the next process, or the one before."""
        view = self.stage.view
        if view is None or not view.processes:
            return
        pids = [process.pid for process in view.processes]
        here = pids.index(view.pid) if view.pid in pids else 0
        self.select(pid=pids[(here + by) % len(pids)])
