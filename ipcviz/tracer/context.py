"""What the parts of the tracer share while one session runs."""

from __future__ import annotations

import time
from typing import Final

from ipcviz.events import Coverage, Event
from ipcviz.kernel.arch import Arch, call_names
from ipcviz.model.query import object_behind
from ipcviz.model.state import State
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.tasks import Task, TracedProcess

WINDOW_SECONDS: Final = 0.1
"""How long a budget's window is."""


class Context:
    """One session's traced processes, its stream, and its numbers.

    Args:
        arch: This machine's.
        config: Modes and budgets.
        emitter: Where events go.
    """

    def __init__(self, arch: Arch, config: LaunchConfig, emitter: Emitter) -> None:
        self.arch = arch
        self.config = config
        self.emitter = emitter
        self.names = call_names(arch.table)
        self.processes: dict[int, TracedProcess] = {}
        self.tasks: dict[int, Task] = {}
        self._ofd = 0

    @property
    def state(self) -> State:
        """The state after the last event."""
        return self.emitter.state

    def stamp(self) -> tuple[float, int]:
        """Time and number for the next event."""
        return self.emitter.now(), self.emitter.next_number

    def emit(self, event: Event) -> None:
        """Take an event into the state and the stream."""
        self.emitter.emit(event)

    def next_ofd(self) -> int:
        """A new number for an open file description."""
        self._ofd += 1
        return self._ofd

    def object_of(self, pid: int, fd: int) -> str:
        """Key of the object behind a process's descriptor; empty if there is none."""
        found = object_behind(self.state, pid, fd)
        return found.info.key if found is not None else ""

    def over_budget(self, process: TracedProcess, *, breakpoints: bool = False) -> bool:
        """Count a data call or a breakpoint of a process; True if it makes too many of them to stop at each."""
        if self.config.full:
            return False
        now = time.monotonic()
        if now - process.window_start > WINDOW_SECONDS:
            process.window_start = now
            process.window_calls = 0
            process.breakpoint_hits = 0
        if breakpoints:
            process.breakpoint_hits += 1
            return process.breakpoint_hits > self.config.budget * WINDOW_SECONDS
        process.window_calls += 1
        return process.window_calls > self.config.budget * WINDOW_SECONDS

    def say_coverage(self, process: TracedProcess, *, full: bool, reason: str) -> None:
        """From here on a process's data calls are all traced, or not."""
        process.full = full
        process.quiet_since = 0.0
        t, n = self.stamp()
        self.emit(Coverage(t=t, n=n, pid=process.pid, full=full, reason=reason))
