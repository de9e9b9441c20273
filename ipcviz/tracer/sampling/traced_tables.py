"""Looks at descriptor tables and mappings of traced processes: what the state computed from calls
may have missed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

from ipcviz.events import Maps, Table
from ipcviz.kernel import descriptors, maps, procfs
from ipcviz.kernel.known import Known, group_of
from ipcviz.model.state import NO_DESCRIPTORS, Descriptor, State
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.mappings import Mappings

LOADING_SECONDS: Final = 1.0
"""How long after a call of the dynamic linker a process may have what that has opened."""


class TableLooks:
    """Compares what was computed with /proc, and puts the kernel's in its place where they differ.

    Args:
        context: The session's.
        mappings: Knows which mappings matter.
    """

    def __init__(self, context: Context, mappings: Mappings) -> None:
        self._context = context
        self._mappings = mappings
        self.descriptions = Descriptions(context)
        self._executing: set[int] = set()

    def check_one(self, turn: int) -> None:
        """Look at one process, a different one each turn: descriptors can come by calls that were
        not seen.
        """
        pids = sorted(self._context.processes)
        if not pids:
            return
        pid = pids[turn % len(pids)]
        self.check_table(pid)
        self.check_maps(pid)

    def check_maps(self, pid: int) -> None:
        """Read a process's mappings: munmap is no call that a sampled process is stopped at."""
        lines = maps.read_maps(pid)
        if lines is None:
            return
        entries = self._mappings.list_entries(pid, lines)
        if entries != self._context.state.mappings.get(pid, ()):
            self._context.emit(Maps(pid=pid, entries=entries))

    def check_table(self, pid: int, reason: str = "sample") -> None:
        """Where the computed table differs from /proc, say so and put the kernel's in its place."""
        process = self._context.processes.get(pid)
        numbers = procfs.read_fd_numbers(pid)
        if process is None or numbers is None or process.ending:
            return
        tasks = process.tasks.values()
        if (
            reason == "sample"
            and time.monotonic() - max(process.loading, process.closing) < LOADING_SECONDS
        ):
            # What the dynamic linker has open for a moment is not told, and a close perhaps a
            # moment early.
            return
        # In the middle of a call the kernel may have done what the stream does not say yet.
        if any(task.entered or (task.steps.moving and reason == "sample") for task in tasks):
            return
        state = self._context.state
        computed = state.descriptors_of(pid)
        if set(numbers) == set(computed) and reason != "launched":
            self._executing.discard(pid)
            return
        if reason == "sample" and pid not in self._executing and is_executing(computed, numbers):
            self._executing.add(pid)
            return
        self._executing.discard(pid)
        links = procfs.read_links(pid, numbers)
        entries = descriptors.read_table(
            pid, self._context.next_ofd, self.descriptions.list_known(), links=links
        )
        if entries is None:
            return
        differed = (
            tuple(sorted(set(numbers) ^ set(computed)))
            if reason not in ("launched", "attached")
            else ()
        )
        self._context.emit(Table(pid=pid, entries=entries, reason=reason, differed=differed))
        self.descriptions.note_table(pid)


def is_executing(computed: Mapping[int, Descriptor], numbers: Iterable[int]) -> bool:
    """Whether a table lacks just what an execve closes: the kernel does that a moment before it
    tells of the execve.
    """
    left = {fd for fd, row in computed.items() if not row.cloexec}
    return left == set(numbers) and len(left) < len(computed)


class Descriptions:
    """The open file descriptions of the state, as `descriptors.read_table` wants to have them:
    kept, not made anew.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known = Known()
        self._tables: object = None
        self._rows: dict[int, Mapping[int, Descriptor]] = {}
        self._pids: dict[int, tuple[int, ...]] = {}

    def list_known(self) -> Known:
        """Those of the state as it is."""
        state = self._context.state
        if state.tables is not self._tables:
            self._tables = state.tables
            self._update_tables(state)
        return self._known

    def note_table(self, pid: int) -> None:
        """A process's table that was just read was also said, and nothing else since
        `list_known`.
        """
        state = self._context.state
        table = state.processes[pid].table
        self._tables = state.tables
        self._rows[table] = state.tables.get(table, NO_DESCRIPTORS)
        self._pids[table] = tuple({*self._pids.get(table, ()), pid})

    def _update_tables(self, state: State) -> None:
        """Take in the tables that have changed."""
        for table in [table for table in self._rows if table not in state.tables]:
            for pid in self._pids.pop(table):
                self._known.drop_process(pid)
            del self._rows[table]
        changed = {
            table for table, rows in state.tables.items() if rows is not self._rows.get(table)
        }
        holders: dict[int, list[int]] = {table: [] for table in changed}
        for process in state.processes.values():
            if process.table in changed and process.fate == "alive":
                holders[process.table].append(process.pid)
        for table in changed:
            rows = state.tables[table]
            for pid in holders[table]:
                for fd in self._known.list_descriptions(pid).keys() - rows.keys():
                    self._known.drop_descriptor((pid, fd))
                for fd, row in rows.items():
                    file = state.description_of(row)
                    thing = state.object_of(file)
                    if file is not None and thing is not None:
                        self._known.note_descriptor(
                            row.ofd, group_of(thing.info, file.mode), (pid, fd)
                        )
            self._rows[table], self._pids[table] = rows, tuple(holders[table])
