"""Commands to the tracer: bytes and signals for what runs, more to watch, details to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.widgets import Input

from ipcviz.app.screens.controller import Controller, Stage
from ipcviz.events import AnyCommand, Inspect, Peek, Watch
from ipcviz.events import Input as TypedInput
from ipcviz.events.signals import signal_name
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.view import View


class Commands(Controller):
    """The keys that send the tracer commands, and what it is told of what the viewer looks at.

    Args:
        stage: The screen.
        open_typing: Shows the command's output, with the line to type in.
    """

    BINDINGS: ClassVar[list[Binding]] = [
        Binding("i", "type", "Type", id="live.type", tooltip="Type to the command", priority=True),
        Binding(
            "A",
            "watch",
            "Watch too",
            show=False,
            id="live.watch",
            tooltip="Processes that are not watched: watch one of them too",
        ),
        Binding(
            "K",
            "signal",
            "Signal",
            id="live.signal",
            tooltip="Send a signal to the selected process",
        ),
    ]

    def __init__(self, stage: Stage, *, open_typing: Callable[[], None]) -> None:
        super().__init__(stage)
        self._open_typing = open_typing
        self._peeked = ""
        self._inspected = Inspect(pid=0)

    def send(self, command: AnyCommand) -> None:
        """Send the tracer a command."""
        self.stage.source.session.send(command)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A line opens at once, so that the next key belongs to it, but not within a line."""
        if action == "type" and isinstance(self.stage.focused, Input):
            return False
        return not self.stage.kept if action in ("type", "signal") else True

    def action_type(self) -> None:
        """Type to the command."""
        if self.report_unreachable():
            return
        if self.stage.view is not None and self.stage.view.state.finished:
            self.stage.notify("The command has ended: nobody reads its terminal", timeout=3)
            return
        self._open_typing()

    def send_input(self, data: bytes) -> None:
        """Send bytes to the command's terminal."""
        self.send(TypedInput(data=data))

    def action_signal(self) -> None:
        """Choose a signal and send it to the selected process."""
        if self.report_unreachable():
            return
        view = self.stage.view
        if view is None or view.process is None or view.process.fate != "alive":
            self.stage.notify("The selected process has ended: select one that lives", timeout=3)
            return
        pid, name = view.pid, name_process(view.state, view.pid)

        def send(signo: int | None) -> None:
            if signo:
                self.stage.source.steps.send_signal(pid, signo)
                self.stage.notify(f"{signal_name(signo)} to {name}", timeout=2)

        from ipcviz.app.screens.modals import SignalScreen

        self.stage.ask(SignalScreen(name), send)

    def action_watch(self, pid: int = 0) -> None:
        """Choose a process that is not watched, and watch it too; with a `pid` that one."""
        state = self.stage.source.state
        if self.stage.kept:
            self.stage.notify("This is what was seen; nothing can be watched here", timeout=3)
            return
        can = state.started is not None and state.started.mode == "attached" and not state.finished

        from ipcviz.app.screens.watching import WatchScreen, all_outsiders

        def watch(pid: int | None) -> None:
            if pid:
                self.send(Watch(pid=pid))

        if pid and can:
            watch(pid)
        elif all_outsiders(state):
            self.stage.ask(WatchScreen(state, can=can), watch)
        else:
            self.stage.notify(
                "No process was found that is not watched and has what those have that are",
                timeout=4,
            )

    def request_details(self, view: View, *, contents: bool, facts: bool, lines: bool) -> None:
        """Have the waiting bytes copied, and a process's facts and source lines read, only while
        somebody sees them.

        Args:
            view: What is shown.
            contents: Whether a panel with the selected object's bytes can be seen.
            facts: Whether a panel with the selected process's facts can be seen.
            lines: Whether one with its source can be seen.
        """
        if view.past or view.state.finished:
            return
        key = view.object if contents else ""
        if key != self._peeked:
            self._peeked = key
            self.send(Peek(object=key))
        wanted = Inspect(pid=view.pid if facts or lines else 0, lines=lines)
        if wanted != self._inspected:
            self._inspected = wanted
            self.send(wanted)
