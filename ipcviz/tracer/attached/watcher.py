"""Watching running processes by looking at them alone: nothing of them is stopped, traced or
changed.
"""

from __future__ import annotations

import os
from typing import Final

from ipcviz.events import (
    Executed,
    Exited,
    Finished,
    How,
    Reaped,
    ThreadCreated,
    ThreadExited,
    Trouble,
)
from ipcviz.kernel import elf, procfs
from ipcviz.kernel.arch import Arch
from ipcviz.tracer.attached import attach
from ipcviz.tracer.attached.attach import AttachError
from ipcviz.tracer.config import AttachConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.sampling.families import orphans_of
from ipcviz.tracer.sampling.outsiders import OutsiderLooks
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.sampling.untraced_tables import Tables
from ipcviz.tracer.tasks import Task, TracedProcess

RESCAN: Final = 40
"""Looks after which every process of the machine is asked for its parent again, since ids are given
anew.
"""

WHY: Final = "only looked at"


class Watcher:
    """Looks at processes several times a second, and says what changed.

    Args:
        arch: This machine's.
        config: Which processes.
        emitter: Where events go.
    """

    def __init__(self, arch: Arch, config: AttachConfig, emitter: Emitter) -> None:
        self._context = Context(arch, config, emitter)
        self._config = config
        self._spare = frozenset((*config.spare, os.getpid()))
        self._programs: dict[int, tuple[int, str | None]] = {}
        """By pid: when it started, in ticks after boot, and its program's path."""
        self._others: set[int] = set()
        self._turn = 0
        self.sampler = Sampler(self._context)
        self._tables = Tables(self._context, self.sampler)
        self._outsiders = OutsiderLooks(self._context)

    @property
    def processes(self) -> dict[int, TracedProcess]:
        """The watched processes by pid."""
        return self._context.processes

    def begin(self) -> None:
        """Know the processes that are to be watched.

        Raises AttachError if the last one went away.
        """
        pids = (
            attach.list_family(self._config.pids, self._spare)
            if self._config.tree
            else self._config.pids
        )
        self._others = set(procfs.list_processes()) - set(pids)
        for pid in pids:
            self._add_process(pid, first=True)
        if not self._context.processes:
            names = ", ".join(map(str, self._config.pids))
            raise AttachError(f"The process {names} ended before it could be watched.")

    def _add_process(self, pid: int, *, first: bool = False) -> None:
        stat = procfs.read_stat(pid)
        tids = procfs.find_threads(pid, stat)
        if stat is None or not tids:
            return
        living = procfs.find_living_thread(pid) if stat.state in "ZX" else pid
        if stat.state in "ZX" and living == pid:
            return
        links = self._tables.list_links(pid, living)
        if links is None:
            if not procfs.is_ending(living):
                self._cannot_see(pid, stat)
            return
        process = self._context.new_process(pid)
        process.full, process.why_sampled, process.foreign = False, WHY, self._is_foreign(pid)
        process.tasks = {tid: Task(tid, process) for tid in tids}
        self._context.processes[pid] = process
        self._programs[pid] = (stat.starttime, procfs.read_exe(pid))
        how: How = "attached" if first or stat.ppid not in self._context.processes else "fork"
        self._tables.introduce_process(pid, how, stat.ppid, stat.name, living, links)

    def _cannot_see(self, pid: int, stat: procfs.Stat) -> None:
        """A descendant of another user, or one that hides itself: that it is there can be said, and
        no more.
        """
        message = (
            f"{stat.name}[{pid}] can't be looked at (another user's, or it hides itself): run"
            " ipcviz as root."
        )
        self._context.emit(Trouble(pid=pid, message=message))

    def watch(self, pid: int) -> None:
        """Watch one more process, and with `--tree` its descendants.

        Raises AttachError if that can't be.
        """
        attach.check_processes((pid,), spare=self._spare)
        for one in attach.list_family((pid,), self._spare) if self._config.tree else (pid,):
            if one not in self._context.processes:
                self._others.discard(one)
                self._add_process(one, first=one == pid)

    def _is_foreign(self, pid: int) -> bool:
        return not elf.is_native(f"/proc/{pid}/exe", self._context.arch.elf_machine)

    def is_watching(self) -> bool:
        """Whether anything is still watched."""
        return bool(self._context.processes)

    # Nothing stops, so nothing of an engine's stops happens here.

    def pending_waits(self) -> bool:
        """Whether a call's entry was seen that is to be looked at soon: never, samples see all
        waits.
        """
        return False

    def announce_waits(self) -> None:
        """See `pending_waits`."""

    def sample(self) -> None:
        """Look at everything once."""
        self.sampler.new_listing()
        self._check_processes()
        if self._config.tree:
            self._add_children()
        if self._context.processes:
            self._tables.update_tables(self._context.processes)
            self.sampler.sample()
            self._outsiders.continue_search()

    def _check_processes(self) -> None:
        for pid, process in list(self._context.processes.items()):
            stat = procfs.read_stat(pid)
            started, program = self._programs[pid]
            if stat is None or stat.starttime != started:
                self._end_process(pid, None)
                continue
            tids = procfs.find_threads(pid, stat)
            if stat.state in "ZX" and len(tids) <= 1:
                self._end_process(pid, stat)
                continue
            self._update_threads(process, tids)
            now = procfs.read_exe(pid)
            if now is not None and now != program:
                self._programs[pid] = (started, now)
                self._handle_execve(process, now)

    def _update_threads(self, process: TracedProcess, tids: tuple[int, ...]) -> None:
        pid = process.pid
        for tid in process.tasks.keys() - set(tids):
            if tid != pid:
                del process.tasks[tid]
                self._context.emit(ThreadExited(pid=pid, tid=tid))
        for tid in tids:
            if tid not in process.tasks:
                process.tasks[tid] = Task(tid, process)
                name = procfs.read_comm(pid, tid) or ""
                self._context.emit(ThreadCreated(pid=pid, tid=tid, name=name))

    def _handle_execve(self, process: TracedProcess, path: str) -> None:
        pid = process.pid
        process.foreign = self._is_foreign(pid)
        for task in process.tasks.values():
            task.sampled_call = ()
        self.sampler.forget_memory(pid)
        self._tables.forget_process(pid)
        argv = tuple(procfs.read_cmdline(pid) or ())
        self._context.emit(
            Executed(pid=pid, path=path, argv=argv, name=procfs.read_comm(pid) or "")
        )
        self._tables.read_table(pid)
        self._tables.read_maps(pid)

    def _end_process(self, pid: int, zombie: procfs.Stat | None) -> None:
        del self._context.processes[pid], self._programs[pid]
        self._tables.forget_process(pid)
        self.sampler.end_process(pid)
        if zombie is None:
            orphans = orphans_of(self._context, pid)
            self._context.emit(Exited(pid=pid, unknown=True, orphans=orphans))
            self._context.emit(Reaped(pid=pid))
            return
        status = zombie.exit_code
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
        signo = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        core = bool(signo) and os.WCOREDUMP(status)
        orphans = orphans_of(self._context, pid)
        self._context.emit(Exited(pid=pid, code=code, signo=signo, core=core, orphans=orphans))

    def _add_children(self) -> None:
        """New processes whose parent is watched; of those known already only now and then, since
        ids are given anew.
        """
        self._turn += 1
        there = set(procfs.list_processes())
        known = self._others if self._turn % RESCAN else set()
        new = {pid: stat for pid in there - known if (stat := procfs.read_stat(pid)) is not None}
        watched = self._context.processes
        found = True
        while found:
            found = False
            for pid, stat in sorted(new.items()):
                if pid not in watched and stat.ppid in watched and pid not in self._spare:
                    del new[pid]
                    self._add_process(pid)
                    found |= pid in watched
        self._others = there - watched.keys()

    def emit_finished(self) -> None:
        """The last event: nothing is watched any more."""
        self.sampler.notice_reaped()
        self._context.emit(Finished(code=0, detached=len(self._context.processes)))
