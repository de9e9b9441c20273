"""Looks at descriptor tables and mappings of traced processes: what the state computed from calls may have missed."""

from __future__ import annotations

from ipcviz.events import Maps, Table
from ipcviz.kernel import descriptors, maps, procfs
from ipcviz.model.query import table_of
from ipcviz.model.state import State
from ipcviz.tracer.context import Context
from ipcviz.tracer.mappings import Mappings


class TableLooks:
    """Compares what was computed with /proc, and puts the kernel's in its place where they differ.

    Args:
        context: The session's.
        mappings: Knows which mappings matter.
    """

    def __init__(self, context: Context, mappings: Mappings) -> None:
        self._context = context
        self._mappings = mappings

    def check_one(self, turn: int) -> None:
        """Look at one process, a different one each turn: descriptors can come by calls that were not seen."""
        pids = sorted(self._context.processes)
        if not pids:
            return
        pid = pids[turn % len(pids)]
        self.check(pid)
        self.check_maps(pid)

    def check_maps(self, pid: int) -> None:
        """Read a process's mappings: munmap is no call that a sampled process is stopped at."""
        lines = maps.read_maps(pid)
        if lines is None:
            return
        entries = self._mappings.entries(pid, lines)
        if entries != self._context.state.mappings.get(pid, ()):
            t, n = self._context.stamp()
            self._context.emit(Maps(t=t, n=n, pid=pid, entries=entries))

    def check(self, pid: int, reason: str = "sample") -> None:
        """Where the computed table differs from /proc, say so and put the kernel's in its place."""
        process = self._context.processes.get(pid)
        numbers = procfs.read_fd_numbers(pid)
        if process is None or numbers is None or process.ending:
            return
        tasks = process.tasks.values()
        # In the middle of a call the kernel may have done what the stream does not say yet.
        if any(task.entered or (task.moving and reason == "sample") for task in tasks):
            return
        state = self._context.state
        computed = table_of(state, pid)
        if set(numbers) == set(computed) and reason != "launched":
            return
        objects = {ofd: file.object for ofd, file in state.open_files.items()}
        entries = descriptors.read_table(pid, self._context.next_ofd, known_descriptors(state), objects)
        if entries is None:
            return
        differed = tuple(sorted(set(numbers) ^ set(computed))) if reason not in ("launched", "attached") else ()
        t, n = self._context.stamp()
        self._context.emit(Table(t=t, n=n, pid=pid, entries=entries, reason=reason, differed=differed))


def known_descriptors(state: State) -> dict[int, tuple[int, int]]:
    """A living holder (pid, fd) of every open file description, for kcmp to compare with."""
    found: dict[int, tuple[int, int]] = {}
    for process in state.processes.values():
        if process.fate == "alive":
            for fd, descriptor in table_of(state, process.pid).items():
                found.setdefault(descriptor.ofd, (process.pid, fd))
    return found
