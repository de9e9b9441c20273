"""Descriptor tables and mappings of processes whose calls are not all traced: read again when they
changed.

Every look lists the descriptors of each process that has run, and what they refer to (readlink(2));
a table that differs is read whole, and so is one table now and then whatever its links say, for
what they don't show: flags, and a description opened anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from ipcviz.events import Forked, How, Maps, Table, TableEntry, ThreadCreated
from ipcviz.kernel import descriptors, identity, maps, procfs, semaphores
from ipcviz.model.state import State
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.tasks import TracedProcess

EVERY = 3
"""Of so many looks, one sees how sockets have changed, and one reads a table whatever its links
say.
"""

IDLE_TURNS = 5
"""A process that has not run is looked at once in so many looks all the same: another may share its
table.
"""

OFTEN = 300
"""Descriptors that are read as often as that; of so many times as many each is read so many times
less often.
"""

SYSTEM_V_TURNS = 10
"""Looks after which it is asked again which System V semaphore sets the processes have used."""


class Tables:
    """Keeps the state's tables true to /proc.

    Args:
        context: The session's.
        sampler: Has the listing of sockets, and is told of semaphores.
    """

    def __init__(self, context: Context, sampler: Sampler) -> None:
        self._context = context
        self._sampler = sampler
        self._links: dict[int, dict[int, str]] = {}
        self._run_counts: dict[int, bytes] = {}
        """As they were before the last look at a process's links."""
        self._whole: dict[int, tuple[int, bytes]] = {}
        """At which look a table was read whole, and how much its process had run by then."""
        self._turn = 0

    def list_links(self, pid: int, at: int) -> dict[int, str] | None:
        """What the descriptors of a process refer to that is about to be introduced; None if that
        can't be read.
        """
        self._run_counts[pid] = procfs.read_run_count(pid)
        links = procfs.read_links(at)
        if links is None:
            del self._run_counts[pid]
        return links

    def introduce_process(
        self,
        pid: int,
        how: How,
        parent: int,
        name: str = "",
        at: int = 0,
        links: dict[int, str] | None = None,
    ) -> None:
        """Say that a process is watched from now on, and what can be read of its descriptors and
        mappings.

        Args:
            pid: The process.
            how: How it came to be watched.
            parent: Its parent.
            name: Its command name, if it was just read.
            at: By which id its tables can be read, if that is known.
            links: What `list_links` has just found.
        """
        self._context.emit(
            Forked(
                pid=pid,
                parent=parent,
                how=how,
                name=name or procfs.read_comm(pid) or "",
                argv=tuple(procfs.read_cmdline(pid) or ()),
            )
        )
        process = self._context.processes[pid]
        for tid in sorted(process.tasks):
            if tid != pid:
                self._context.emit(
                    ThreadCreated(pid=pid, tid=tid, name=procfs.read_comm(pid, tid) or "")
                )
        if process.full != self._context.state.processes[pid].full:
            self._context.set_coverage(process, full=process.full, reason=process.why_sampled)
        if links is None:
            self._run_counts[pid] = procfs.read_run_count(pid)
        self.read_table(pid, at, links)
        self.read_maps(pid)

    def forget_process(self, pid: int) -> None:
        """A process is gone, or runs another program."""
        self._links.pop(pid, None)
        self._run_counts.pop(pid, None)
        self._whole.pop(pid, None)

    def trace_in_full(self, process: TracedProcess, reason: str) -> None:
        """Emit that every call of a process is told from here on, after what was not told until
        here.
        """
        self._sampler.process_now(process.pid)
        if process.counting:
            self._context.emit_counted(process)
            self.read_table(process.pid)
            self.read_maps(process.pid)
        self._context.set_coverage(process, full=True, reason=reason)

    def update_tables(self, pids: Iterable[int]) -> None:
        """Read again what changed of these processes."""
        pids = tuple(pids)
        if not pids:
            return
        self._turn += 1
        count = sum(len(links) for links in self._links.values())
        stale = self._stale_sockets() if self._turn % (EVERY * (1 + count // OFTEN)) == 0 else set()
        due = pids[self._turn // EVERY % len(pids)] if self._turn % EVERY == 2 else 0
        for pid in pids:
            turn = pid == due
            if turn:
                self.read_maps(pid)
            idle = self._is_idle(pid)
            if idle and pid not in stale and (self._turn + pid) % IDLE_TURNS:
                continue
            at, links = _read_links(pid)
            # Of one whose first thread has ended it can't be seen which descriptions are the same
            # as before.
            again = turn and at == pid and self._is_due(pid)
            if links is not None and (again or links != self._links.get(pid) or pid in stale):
                self.read_table(pid, at, links)
        if self._turn % SYSTEM_V_TURNS == 1:
            self._find_sets()

    def _is_idle(self, pid: int) -> bool:
        """Whether a process has not run since the last look: nothing that it does itself has
        changed its table.

        Its count is read before its links are: if it runs in between, it is looked at next time
        again.
        """
        before, several = self._run_counts.get(pid), len(self._context.processes[pid].tasks) > 1
        count = self._run_counts[pid] = b"" if several else self._sampler.read_run_count(pid)
        return bool(count) and count == before

    def _is_due(self, pid: int) -> bool:
        """Whether a table is to be read whole although its links are the same: not if its process
        has not run since.
        """
        at, count = self._whole.get(pid, (0, b""))
        if count and count == self._run_counts.get(pid):
            return False
        return self._turn - at >= EVERY * (len(self._links.get(pid, ())) // OFTEN)

    def _stale_sockets(self) -> set[int]:
        """Processes that hold a socket which was connected, bound or left by its peer since its
        table was read.
        """
        found: set[int] = set()
        state = self._context.state
        for pid, links in self._links.items():
            for link in links.values():
                if link.startswith("socket:[") and link in state.objects:
                    known = state.objects[link].info
                    now = identity.identify_listed(link, self._sampler.listing)
                    if now is not None and now != known:
                        found.add(pid)
                        break
        return found

    def read_table(self, pid: int, at: int = 0, links: dict[int, str] | None = None) -> None:
        """Read a descriptor table whole, and say so if it is not what the state has; `at`, `links`:
        as just found.
        """
        state = self._context.state
        if links is None:
            at, links = _read_links(pid)
        if links is None:
            return
        descriptions = self._sampler.tables.descriptions
        entries = descriptors.read_table(
            at, self._context.next_ofd, descriptions.list_known(), self._sampler.listing, links
        )
        if entries is None:
            return
        self._links[pid] = links
        self._whole[pid] = (self._turn, self._run_counts.get(pid, b""))
        if not _matches_state(state, pid, entries):
            reason = "sample" if self._context.policy.from_start else "attached"
            self._context.emit(Table(pid=pid, entries=entries, reason=reason))
            descriptions.note_table(pid)

    def read_maps(self, pid: int) -> None:
        """Read the shared mappings, and know the named semaphores among them."""
        lines = maps.read_maps(pid, shared_only=True) or maps.read_maps(
            procfs.find_living_thread(pid), shared_only=True
        )
        if lines is None:
            return
        for info, address in semaphores.find_named(lines):
            self._sampler.semaphores.add_semaphore(info, pid, address)
        entries = tuple(maps.shared_entries(lines))
        if entries != self._context.state.mappings.get(pid, ()):
            self._context.emit(Maps(pid=pid, entries=entries))

    def _find_sets(self) -> None:
        """Sets whose last operation, as GETPID says, was a watched process's: the kernel lists no
        users of them.
        """
        sets = semaphores.sysv_sets()
        for semid in sets.keys() - self._sampler.semaphores.system_v:
            levels = semaphores.sysv_levels(semid, sets) or ()
            if any(level.last_pid in self._context.processes for level in levels):
                self._sampler.semaphores.system_v.add(semid)


def _read_links(pid: int) -> tuple[int, dict[int, str] | None]:
    """The links of a process's descriptors, and by whose id they can be read: its first thread may
    have ended.
    """
    links = procfs.read_links(pid)
    at = pid if links else procfs.find_living_thread(pid)
    return at, links if at == pid else procfs.read_links(at)


def _matches_state(state: State, pid: int, entries: tuple[TableEntry, ...]) -> bool:
    rows = state.descriptors_of(pid)
    if len(rows) != len(entries):
        return False
    for entry in entries:
        row, file = rows.get(entry.fd), state.open_files.get(entry.ofd)
        if row is None or file is None or row.ofd != entry.ofd or row.cloexec != entry.cloexec:
            return False
        thing = state.objects.get(entry.object.key)
        if (file.flags, file.offset, file.mode) != (entry.flags, entry.offset, entry.mode):
            return False
        if thing is None or thing.info != entry.object:
            return False
    return True
