"""A draft of the next state: what the reducers change while one event is taken in."""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import ObjectInfo, SemaphoreInfo
from ipcviz.events.kinds import SOCKETS
from ipcviz.model.addresses import name_of, takes_datagrams, unmap_address
from ipcviz.model.ends import MODES, NOT_OPEN
from ipcviz.model.labels import object_label_letter, path_label
from ipcviz.model.parts import (
    DescriptorPart,
    ObjectPart,
    Part,
    ProcessPart,
    SemaphorePart,
    ThreadPart,
)
from ipcviz.model.state import (
    NO_DESCRIPTORS,
    Descriptor,
    Object,
    OpenFile,
    Process,
    Semaphore,
    State,
    StateFields,
    Thread,
)

replace = msgspec.structs.replace
astuple = msgspec.structs.astuple

_FIELDS: Final = len(StateFields.__struct_fields__)
"""A draft has the fields of a state first, in the same order, and then its own."""

_OF_PROCESS: Final = "process "
"""What stands before a process's name among the labels, which else are letters."""
_MOST_NAMES: Final = 4096


class Draft(StateFields, eq=False, kw_only=True):
    """The next state while one event is applied: the fields of a state, to be set anew.

    It lives for one event only. Its maps are immutable: a change puts a new map into the field.

    Attributes:
        base: The state before the event.
        freed: Open file descriptions to which the event took the last reference.
        grown: Whether a process or an object came to be that was not there before.
        noted: What the event changed, in the order in which it did; a dictionary as an ordered set.
    """

    base: State
    freed: list[OpenFile] = []
    noted: dict[Part, None] = {}
    grown: bool = False

    @classmethod
    def begin(cls, state: State, t: float) -> Draft:
        """A draft of what follows a state at the moment `t`."""
        draft = cls(*astuple(state), base=state)
        draft.t = t
        return draft

    def finish(self, n: int) -> State:
        """The state after the event numbered `n`."""
        self.n = n
        self.changed = tuple(self.noted)
        return State(*astuple(self)[:_FIELDS])

    # Processes and threads.

    def ensure_process(self, pid: int) -> Process:
        """The process, made up with what little is known if no event told of it before."""
        found = self.processes.get(pid)
        if found is None:
            found = Process(pid=pid, table=pid, threads=(pid,), born=self.t)
            self.processes = self.processes.set(pid, found)
            self.grown = True
        return found

    def ensure_thread(self, tid: int, pid: int) -> Thread:
        """The thread, made up if no event told of it before."""
        found = self.threads.get(tid)
        if found is None:
            found = Thread(tid=tid, pid=pid)
            self.threads = self.threads.set(tid, found)
            process = self.ensure_process(pid)
            if process.fate == "alive" and tid not in process.threads:
                self.store_process(replace(process, threads=(*process.threads, tid)))
        return found

    def store_process(self, process: Process) -> None:
        """Store a process, and note that it changed."""
        self.processes = self.processes.set(process.pid, process)
        self.noted[ProcessPart(process.pid)] = None

    def add_process(self, process: Process) -> None:
        """Store a process that has just come to be."""
        self.store_process(process)
        self.grown = True

    def number_name(self, name: str) -> int:
        """Which one of those that have had a name the next one is; 0 if there were too many names
        to count.
        """
        key = f"{_OF_PROCESS}{name}"
        if key not in self.labels and len(self.labels) >= _MOST_NAMES:
            return 0
        number = self.labels.get(key, 0) + 1
        self.labels = self.labels.set(key, number)
        return number

    def store_thread(self, thread: Thread) -> None:
        """Store a thread, and note that it changed."""
        self.threads = self.threads.set(thread.tid, thread)
        self.noted[ThreadPart(thread.tid)] = None

    def drop_threads(self, tids: tuple[int, ...]) -> None:
        """Forget threads that ended."""
        for tid in tids:
            if tid in self.threads:
                self.threads = self.threads.delete(tid)

    def note_change(self, part: Part) -> None:
        """Remember that the event changed this."""
        self.noted[part] = None

    # Objects and semaphores.

    def number_label(self, letter: str) -> str:
        """The next free label of a letter: P1, P2, ..."""
        number = self.labels.get(letter, 0) + 1
        self.labels = self.labels.set(letter, number)
        return f"{letter}{number}"

    def ensure_object(self, info: ObjectInfo, pid: int = 0) -> Object:
        """The object of that key, known from now on if it was not; newer facts replace older
        ones.
        """
        found = self.objects.get(info.key)
        before = found.info if found is not None else None
        if found is None:
            letter = object_label_letter(info.kind)
            label = self.number_label(letter) if letter else path_label(info)
            found = Object(info=info, label=label, opened_at=self.t, first_seen_by=pid)
            self.store_object(found)
            self.grown = True
        elif found.info != info:
            if not info.peer and found.info.peer:
                # A peer that has hung up is no peer for the kernel any more; for the viewer it is
                # who it was.
                info = replace(info, peer=found.info.peer)
            found = replace(found, info=info)
            self.store_object(found)
        if info.kind in SOCKETS:
            if found.shut == "closed":
                # It came back from somebody who is not watched.
                found = replace(found, shut="")
                self.store_object(found)
            self._bind_socket(info, before)
        return found

    def _bind_socket(self, info: ObjectInfo, before: ObjectInfo | None) -> None:
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
            not info.local or unmap_address(other.info.remote) != unmap_address(info.local)
        ):
            # What is sent here goes there; where that one sends to is another matter.
            return
        # A connection has two ends: the one that connected learns of its peer when that is
        # accepted.
        self.store_object(replace(other, info=replace(other.info, peer=info.key)))

    def store_object(self, value: Object) -> None:
        """Store an object, and note that it changed."""
        self.objects = self.objects.set(value.info.key, value)
        self.noted[ObjectPart(value.info.key)] = None

    def ensure_semaphore(self, info: SemaphoreInfo) -> Semaphore:
        """The semaphore of that key, known from now on if it was not."""
        found = self.semaphores.get(info.key)
        if found is None:
            found = Semaphore(
                info=info,
                label=info.name or self.number_label("m" if info.heap else "M"),
                at=self.t,
            )
            self.semaphores = self.semaphores.set(info.key, found)
        elif info.name and found.info.name != info.name:
            found = replace(found, info=info, label=info.name)
            self.semaphores = self.semaphores.set(info.key, found)
        return found

    def store_semaphore(self, value: Semaphore) -> None:
        """Store a semaphore, and note that it changed."""
        self.semaphores = self.semaphores.set(value.info.key, value)
        self.note_change(SemaphorePart(value.info.key))

    # Descriptor tables and the open file descriptions behind them.

    def count_reference(self, ofd: int, by: int) -> None:
        """One descriptor more (+1) or fewer (-1) refers to an open file description; at none it is
        gone.
        """
        found = self.open_files.get(ofd)
        if found is None:
            return
        references = found.references + by
        if references <= 0:
            self.open_files = self.open_files.delete(ofd)
            self._count_way(found, -1)
            self.freed.append(found)
        else:
            self.open_files = self.open_files.set(ofd, replace(found, references=references))

    def place_descriptor(self, table: int, descriptor: Descriptor) -> None:
        """Put a descriptor into a table; one that was there under that number is closed."""
        rows = self.tables.get(table, NO_DESCRIPTORS)
        old = rows.get(descriptor.fd)
        self.count_reference(descriptor.ofd, +1)
        if old is not None:
            self.count_reference(old.ofd, -1)
        self.tables = self.tables.set(table, rows.set(descriptor.fd, descriptor))
        self.note_change(DescriptorPart(table, descriptor.fd))

    def store_descriptor(self, table: int, descriptor: Descriptor) -> None:
        """Store a row of a table, which refers to the same description as before."""
        rows = self.tables.get(table, NO_DESCRIPTORS)
        self.tables = self.tables.set(table, rows.set(descriptor.fd, descriptor))

    def close_descriptor(self, table: int, fd: int) -> None:
        """Close a descriptor."""
        rows = self.tables.get(table)
        if rows is None or fd not in rows:
            return
        self.count_reference(rows[fd].ofd, -1)
        self.tables = self.tables.set(table, rows.delete(fd))
        self.note_change(DescriptorPart(table, fd))

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
                    descriptor, how=how, sender=0, since=self.t, used=False, took=False, put=False
                )
                self.count_reference(descriptor.ofd, +1)
            self.tables = self.tables.set(target, copy.finish())

    def drop_table(self, table: int) -> None:
        """Close all of a table: its last process is gone."""
        rows = self.tables.get(table)
        if rows is None:
            return
        for descriptor in rows.values():
            self.count_reference(descriptor.ofd, -1)
        self.tables = self.tables.delete(table)

    def store_description(self, ofd: OpenFile) -> None:
        """Store an open file description."""
        before = self.open_files.get(ofd.ofd)
        if before is None or before.object != ofd.object or before.mode != ofd.mode:
            if before is not None:
                self._count_way(before, -1)
            self._count_way(ofd, +1)
        self.open_files = self.open_files.set(ofd.ofd, ofd)

    def _count_way(self, file: OpenFile, by: int) -> None:
        """One way more (+1) or fewer (-1) in which an object is open."""
        counts = list(self.ends.get(file.object, NOT_OPEN))
        counts[MODES.index(file.mode)] += by
        if any(counts):
            self.ends = self.ends.set(file.object, (counts[0], counts[1], counts[2], counts[3]))
        else:
            self.ends = self.ends.delete(file.object)
