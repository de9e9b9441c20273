"""Looks at what hardly changes of one process: the one that a viewer looks at, once a second."""

from __future__ import annotations

import time
from typing import Final

import psutil

from ipcviz.events import ProcessFacts
from ipcviz.kernel import running
from ipcviz.tracer.context import Context

EVERY: Final = 1.0
"""Seconds between two looks."""


class FactLooks:
    """Reads the facts of the process that a viewer looks at.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._process: psutil.Process | None = None
        self._due = 0.0

    def choose_process(self, pid: int) -> None:
        """Look at this process from now on; at none with 0, or if it is gone or not watched."""
        self._process, self._due = None, 0.0
        if pid in self._context.processes:
            try:
                self._process = psutil.Process(pid)
            except running.GONE:
                return

    def read_changed(self) -> tuple[ProcessFacts, ...]:
        """What differs from the state's, if a look is due."""
        now = time.monotonic()
        if self._process is None or now < self._due:
            return ()
        self._due = now + EVERY
        facts = running.read_process_facts(self._process)
        known = self._context.state.processes.get(self._process.pid)
        if facts is None or known is None:
            self._process = None
            return ()
        return (facts,) if facts != known.facts else ()
