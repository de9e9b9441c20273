"""Looks at what of processes is read rarely, and at who has the children of one that ended."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from ipcviz.events import Orphan, Reaped, Sample, Surroundings
from ipcviz.events.calls import where
from ipcviz.kernel import memory, procfs
from ipcviz.kernel.surroundings import read_surroundings, shorten_words
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Entered, Task

AFTER: Final = where(lambda call: call.after == "process")
"""Calls after whose return the caller is read at once."""
NEW: Final = 20
"""New processes that one sample reads at most."""


class FamilyLooks:
    """Reads namespaces and POSIX timers: once of each process, after calls that change them, and in
    turn.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._turn = 0

    def read_changed(self) -> tuple[Surroundings, ...]:
        """What differs from the state's, of new processes and of one of the others."""
        processes = self._context.state.processes
        pids = [pid for pid in self._context.processes if pid in processes]
        if not pids:
            return ()
        self._turn += 1
        wanted = [pid for pid in pids if processes[pid].surroundings is None][:NEW]
        return self._read_processes(dict.fromkeys((*wanted, pids[self._turn % len(pids)])))

    def emit_process(self, pid: int) -> None:
        """Say the same of one process at once."""
        found = self._read_processes({pid: None})
        if found:
            self._context.emit(Sample(surroundings=found))

    def _read_processes(self, pids: dict[int, None]) -> tuple[Surroundings, ...]:
        found = []
        for pid in pids:
            known = self._context.state.processes.get(pid)
            now = read_surroundings(pid) if known is not None and known.fate == "alive" else None
            if now is None or known is None:
                continue
            if shorten_words(known.argv) == now.title:
                # Those that it was given: the state has them, whole.
                now = replace(now, title=())
            if now != known.surroundings:
                found.append(now)
        return tuple(found)


def emit_reaped(context: Context, task: Task, entered: Entered, result: int) -> None:
    """A call that waits for children has returned: say so if a process is gone by it."""
    pid = result
    if entered.name == "waitid":
        raw = memory.read_bytes(task.tid, entered.raw[2], 16) if entered.raw[2] else None
        pid = int.from_bytes(raw[12:16], "little") if raw is not None and len(raw) == 16 else 0
    pid = context.numbers.translate_number(task.process.pid, pid)
    dead = context.state.processes.get(pid)
    if dead is not None and dead.fate == "zombie" and procfs.read_stat(pid) is None:
        context.emit(Reaped(pid=pid, by=task.process.pid))


def orphans_of(context: Context, pid: int) -> tuple[Orphan, ...]:
    """The living children of a process that has just ended, with those that the kernel has given
    them to.
    """
    if pid not in context.parents:
        return ()
    context.parents.discard(pid)
    found, known = [], context.state.processes
    # Of all that ever were, only those that live: a build has had thousands.
    for number in context.processes:
        child = known.get(number)
        if child is None or child.parent != pid or child.fate != "alive":
            continue
        look = procfs.read_stat(child.pid)
        if look is not None and look.ppid not in (0, pid):
            found.append(
                Orphan(pid=child.pid, reaper=look.ppid, name=procfs.read_comm(look.ppid) or "")
            )
    return tuple(found)
