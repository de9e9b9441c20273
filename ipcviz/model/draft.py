"""A draft of the next state: what the reducers change while one event is taken in."""

from __future__ import annotations

from typing import Final

import immutables
import msgspec

from ipcviz.events import ObjectInfo, SemaphoreInfo
from ipcviz.events.kinds import SOCKETS
from ipcviz.model.addresses import name_of, plain, takes_datagrams
from ipcviz.model.ends import MODES, NOT_OPEN
from ipcviz.model.labels import object_label_letter, path_label
from ipcviz.model.state import (
    Descriptor,
    Object,
    OpenFile,
    Process,
    Semaphore,
    State,
    Thread,
)

replace = msgspec.structs.replace

NO_ROWS: Final[immutables.Map[int, Descriptor]] = immutables.Map()


class Draft:
    """The fields of a `State`, one by one, to be set anew; `done` makes the state.

    It lives for one event only. Its maps are immutable: a change puts a new map into the field.
    """

    __slots__ = (
        "base",
        "bound",
        "changed",
        "channels",
        "command_code",
        "command_signal",
        "datagrams",
        "delivered",
        "dropped",
        "ends",
        "finished",
        "flights",
        "folders",
        "freed",
        "keep_ledger",
        "labels",
        "locks",
        "mappings",
        "memory",
        "moving",
        "objects",
        "open_files",
        "outsiders",
        "pages",
        "processes",
        "reads",
        "root",
        "semaphores",
        "sent",
        "started",
        "step",
        "stepping",
        "t",
        "tables",
        "threads",
        "timers",
        "uses",
    )

    def __init__(self, state: State, t: float) -> None:
        self.base = state
        self.t = t
        self.started = state.started
        self.root = state.root
        self.processes = state.processes
        self.threads = state.threads
        self.tables = state.tables
        self.open_files = state.open_files
        self.ends = state.ends
        self.objects = state.objects
        self.semaphores = state.semaphores
        self.mappings = state.mappings
        self.bound = state.bound
        self.flights = state.flights
        self.datagrams = state.datagrams
        self.locks = state.locks
        self.outsiders = state.outsiders
        self.uses = state.uses
        self.pages = state.pages
        self.memory = state.memory
        self.folders = state.folders
        self.channels = state.channels
        self.reads = state.reads
        self.keep_ledger = state.keep_ledger
        self.freed: list[OpenFile] = []
        self.sent = state.sent
        self.delivered = state.delivered
        self.timers = state.timers
        self.labels = state.labels
        self.command_code = state.command_code
        self.command_signal = state.command_signal
        self.finished = state.finished
        self.dropped = state.dropped
        self.stepping = state.stepping
        self.step = state.step
        self.moving = state.moving
        self.changed: dict[tuple[str | int, ...], None] = {}

    def done(self, n: int) -> State:
        """The state after the event numbered `n`."""
        return State(
            t=self.t,
            n=n,
            started=self.started,
            root=self.root,
            processes=self.processes,
            threads=self.threads,
            tables=self.tables,
            open_files=self.open_files,
            ends=self.ends,
            objects=self.objects,
            semaphores=self.semaphores,
            mappings=self.mappings,
            bound=self.bound,
            flights=self.flights,
            datagrams=self.datagrams,
            locks=self.locks,
            outsiders=self.outsiders,
            uses=self.uses,
            pages=self.pages,
            memory=self.memory,
            folders=self.folders,
            channels=self.channels,
            reads=self.reads,
            keep_ledger=self.keep_ledger,
            sent=self.sent,
            delivered=self.delivered,
            timers=self.timers,
            labels=self.labels,
            command_code=self.command_code,
            command_signal=self.command_signal,
            finished=self.finished,
            dropped=self.dropped,
            stepping=self.stepping,
            step=self.step,
            moving=self.moving,
            changed=tuple(self.changed),
        )

    # Processes and threads.

    def process(self, pid: int) -> Process:
        """The process, made up with what little is known if no event told of it before."""
        found = self.processes.get(pid)
        if found is None:
            found = Process(pid=pid, table=pid, threads=(pid,), born=self.t)
            self.processes = self.processes.set(pid, found)
        return found

    def thread(self, tid: int, pid: int) -> Thread:
        """The thread, made up if no event told of it before."""
        found = self.threads.get(tid)
        if found is None:
            found = Thread(tid=tid, pid=pid)
            self.threads = self.threads.set(tid, found)
            process = self.process(pid)
            if process.fate == "alive" and tid not in process.threads:
                self.put_process(replace(process, threads=(*process.threads, tid)))
        return found

    def put_process(self, process: Process) -> None:
        """Store a process, and note that it changed."""
        self.processes = self.processes.set(process.pid, process)
        self.note("process", process.pid)

    def put_thread(self, thread: Thread) -> None:
        """Store a thread, and note that it changed."""
        self.threads = self.threads.set(thread.tid, thread)
        self.note("thread", thread.tid)

    def drop_threads(self, tids: tuple[int, ...]) -> None:
        """Forget threads that ended."""
        for tid in tids:
            if tid in self.threads:
                self.threads = self.threads.delete(tid)

    def note(self, *what: str | int) -> None:
        """Remember that the event changed this."""
        self.changed[what] = None

    # Objects and semaphores.

    def label(self, letter: str) -> str:
        """The next free label of a letter: P1, P2, ..."""
        number = self.labels.get(letter, 0) + 1
        self.labels = self.labels.set(letter, number)
        return f"{letter}{number}"

    def object(self, info: ObjectInfo, pid: int = 0) -> Object:
        """The object of that key, known from now on if it was not; newer facts replace older
        ones.
        """
        found = self.objects.get(info.key)
        before = found.info if found is not None else None
        if found is None:
            letter = object_label_letter(info.kind)
            label = self.label(letter) if letter else path_label(info)
            found = Object(info=info, label=label, opened_at=self.t, first_seen_by=pid)
            self.put_object(found)
        elif found.info != info:
            if not info.peer and found.info.peer:
                # A peer that has hung up is no peer for the kernel any more; for the viewer it is
                # who it was.
                info = replace(info, peer=found.info.peer)
            found = replace(found, info=info)
            self.put_object(found)
        if info.kind in SOCKETS:
            if found.shut == "closed":
                # It came back from somebody who is not watched.
                found = replace(found, shut="")
                self.put_object(found)
            self._take_socket(info, before)
        return found

    def _take_socket(self, info: ObjectInfo, before: ObjectInfo | None) -> None:
        """Remember where a socket is bound, and tell its peer of it."""
        name = name_of(info)
        old = name_of(before) if before is not None else ""
        if old and old != name and self.bound.get(old) == info.key:
            self.bound = self.bound.delete(old)
        if name and self.bound.get(name) != info.key:
            self.bound = self.bound.set(name, info.key)
        other = self.objects.get(info.peer) if info.peer else None
        if other is None or other.info.peer == info.key or other.info.kind != info.kind:
            return
        if takes_datagrams(info) and (
            not info.local or plain(other.info.remote) != plain(info.local)
        ):
            # What is sent here goes there; where that one sends to is another matter.
            return
        # A connection has two ends: the one that connected learns of its peer when that is
        # accepted.
        self.put_object(replace(other, info=replace(other.info, peer=info.key)))

    def put_object(self, value: Object) -> None:
        """Store an object, and note that it changed."""
        self.objects = self.objects.set(value.info.key, value)
        self.note("object", value.info.key)

    def semaphore(self, info: SemaphoreInfo) -> Semaphore:
        """The semaphore of that key, known from now on if it was not."""
        found = self.semaphores.get(info.key)
        if found is None:
            found = Semaphore(
                info=info, label=info.name or self.label("m" if info.heap else "M"), at=self.t
            )
            self.semaphores = self.semaphores.set(info.key, found)
        elif info.name and found.info.name != info.name:
            found = replace(found, info=info, label=info.name)
            self.semaphores = self.semaphores.set(info.key, found)
        return found

    def put_semaphore(self, value: Semaphore) -> None:
        """Store a semaphore, and note that it changed."""
        self.semaphores = self.semaphores.set(value.info.key, value)
        self.note("semaphore", value.info.key)

    # Descriptor tables and the open file descriptions behind them.

    def refer(self, ofd: int, by: int) -> None:
        """One descriptor more (+1) or fewer (-1) refers to an open file description; at none it is
        gone.
        """
        found = self.open_files.get(ofd)
        if found is None:
            return
        references = found.references + by
        if references <= 0:
            self.open_files = self.open_files.delete(ofd)
            self._count(found, -1)
            self.freed.append(found)
        else:
            self.open_files = self.open_files.set(ofd, replace(found, references=references))

    def place(self, table: int, descriptor: Descriptor) -> None:
        """Put a descriptor into a table; one that was there under that number is closed."""
        rows = self.tables.get(table, NO_ROWS)
        old = rows.get(descriptor.fd)
        self.refer(descriptor.ofd, +1)
        if old is not None:
            self.refer(old.ofd, -1)
        self.tables = self.tables.set(table, rows.set(descriptor.fd, descriptor))
        self.note("fd", table, descriptor.fd)

    def remove(self, table: int, fd: int) -> None:
        """Close a descriptor."""
        rows = self.tables.get(table)
        if rows is None or fd not in rows:
            return
        self.refer(rows[fd].ofd, -1)
        self.tables = self.tables.set(table, rows.delete(fd))
        self.note("fd", table, fd)

    def copy_table(self, source: int, target: int, how: str) -> None:
        """Fork's copy: every descriptor of `source` refers to the same description from `target`
        too.
        """
        rows = self.tables.get(source)
        if rows is None:
            return
        with rows.mutate() as copy:
            for fd, descriptor in rows.items():
                copy[fd] = replace(
                    descriptor, how=how, since=self.t, used=False, took=False, put=False
                )
                self.refer(descriptor.ofd, +1)
            self.tables = self.tables.set(target, copy.finish())

    def drop_table(self, table: int) -> None:
        """Close all of a table: its last process is gone."""
        rows = self.tables.get(table)
        if rows is None:
            return
        for descriptor in rows.values():
            self.refer(descriptor.ofd, -1)
        self.tables = self.tables.delete(table)

    def put_open_file(self, ofd: OpenFile) -> None:
        """Store an open file description."""
        before = self.open_files.get(ofd.ofd)
        if before is None or before.object != ofd.object or before.mode != ofd.mode:
            if before is not None:
                self._count(before, -1)
            self._count(ofd, +1)
        self.open_files = self.open_files.set(ofd.ofd, ofd)

    def _count(self, file: OpenFile, by: int) -> None:
        """One way more (+1) or fewer (-1) in which an object is open."""
        counts = list(self.ends.get(file.object, NOT_OPEN))
        counts[MODES.index(file.mode)] += by
        if any(counts):
            self.ends = self.ends.set(file.object, (counts[0], counts[1], counts[2], counts[3]))
        else:
            self.ends = self.ends.delete(file.object)
