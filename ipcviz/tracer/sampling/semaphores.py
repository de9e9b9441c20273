"""Looks at semaphores: where they lie in whose memory, and what their values are."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ipcviz.events import SemaphoreInfo, SemaphoreLevel
from ipcviz.events.arguments import Arguments, number_in, text_in
from ipcviz.kernel import maps, memory, procfs, semaphores
from ipcviz.model.mechanisms.semaphores import PRIVATE
from ipcviz.model.mechanisms.system_v import first_blocked, parse_operations
from ipcviz.tracer.context import Context


class SemaphoreLooks:
    """Reads the semaphores that watched processes use.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._levels: dict[str, SemaphoreLevel] = {}
        self._addresses: dict[str, tuple[SemaphoreInfo, dict[int, int]]] = {}
        self._names: dict[str, str] = {}
        self._made: set[str] = set()
        self.system_v: set[int] = set()
        """Ids of the System V sets that observed processes have used."""

    def add_semaphore(self, info: SemaphoreInfo, pid: int, address: int) -> None:
        """A semaphore lies at this address of that process.

        sem_open maps it under a temporary name and links it to its own afterwards, so a later name
        is the better one.
        """
        info = self.restore_name(info)
        known, places = self._addresses.get(info.key, (info, {}))
        places[pid] = address
        self._addresses[info.key] = (info if info.name else known, places)

    def restore_name(self, info: SemaphoreInfo) -> SemaphoreInfo:
        """The same under the name that it was given, if that was seen: it may have been removed at
        once.
        """
        name = self._names.get(info.object, "") if info.kind == "named" else ""
        return msgspec.structs.replace(info, name=name) if name and name != info.name else info

    def note_link(self, key: str, name: str) -> SemaphoreInfo | None:
        """sem_open has given the file of that key its name in /dev/shm; the semaphore, if it is
        known by now.
        """
        self._names[key] = name
        self._made.add(key)
        info, places = self._addresses.get(f"sem:{key}:0", (None, {}))
        if info is not None:
            info = self.restore_name(info)
            self._addresses[info.key] = (info, places)
        return info

    def read_opened(self, pid: int, key: str) -> tuple[SemaphoreInfo, int, bool] | None:
        """The named semaphore in a file that a process has mapped: its value, and whether it was
        just made.
        """
        info, places = self._addresses.get(f"sem:{key}:0", (None, {}))
        raw = (
            memory.read_bytes(pid, places[pid], 16) if info is not None and pid in places else None
        )
        if info is None or raw is None or len(raw) < 16:
            return None
        made = key in self._made
        self._made.discard(key)
        return info, semaphores.decode_semaphore(raw)[0], made

    def forget_semaphore(self, key: str) -> None:
        """A semaphore was destroyed."""
        self._addresses.pop(key, None)
        self._levels.pop(key, None)

    def inherit_mappings(self, parent: int, child: int) -> None:
        """A fork: the child has the parent's mappings at the same addresses."""
        for _, places in self._addresses.values():
            if parent in places:
                places[child] = places[parent]

    def forget_memory(self, pid: int) -> None:
        """An exec or exit: the process's mappings are gone, and with them its private semaphores.

        Else those of all that ever ended would be gone through at each end.
        """
        private, gone = f"sem:vm:{pid}:", []
        for key, (_, places) in self._addresses.items():
            places.pop(pid, None)
            if not places and key.startswith(private):
                gone.append(key)
        for key in gone:
            self.forget_semaphore(key)

    def add_named(self, pid: int) -> None:
        """A process mapped something under /dev/shm: know the named semaphores among its
        mappings.
        """
        for info, address in semaphores.find_named(maps.read_maps(pid, shared_only=True) or []):
            self.add_semaphore(info, pid, address)

    def add_named_at(self, pid: int, address: int) -> None:
        """A process mapped something at an address: know the named semaphore that it may be."""
        line = maps.read_line(pid, address)
        for info, start in semaphores.find_named((line,) if line is not None else ()):
            self.add_semaphore(info, pid, start)

    def use_system_v(self, pid: int, semid: int) -> None:
        """A process uses a System V set.

        Ids of another IPC namespace than ours are not ours to ask for.
        """
        if semid not in self.system_v and procfs.same_namespace(pid, "ipc"):
            self.system_v.add(semid)

    def forget_set(self, semid: int) -> None:
        """A System V set was removed: its id may be given to another one."""
        self.system_v.discard(semid)
        for key in [key for key in self._levels if key.startswith(f"sysv:{semid}:")]:
            del self._levels[key]

    def find_key(self, pid: int, address: int) -> str:
        """Key of the known semaphore whose futex that is: glibc's sem_t begins with it."""
        for key, (_, places) in self._addresses.items():
            if places.get(pid) == address:
                return key
        return ""

    def _update_names(self) -> None:
        """Names as they are now: what was mapped under a temporary name has its own since."""
        if not any(info.kind == "named" for info, _ in self._addresses.values()):
            return
        names = {f"{dev}:{ino}": name for (dev, ino), name in semaphores.named_semaphores().items()}
        for key, (info, places) in self._addresses.items():
            name = self._names.get(info.object) or names.get(info.object, info.name)
            if info.kind == "named" and name != info.name:
                self._addresses[key] = (msgspec.structs.replace(info, name=name), places)

    def read_changed(self) -> Iterable[SemaphoreLevel]:
        """The semaphores whose value or waiters are not what they were at the last look."""
        self._update_names()
        for key, (info, places) in list(self._addresses.items()):
            for pid, address in list(places.items()):
                raw = memory.read_bytes(pid, address, 16)
                if raw is None or len(raw) < 16:
                    continue
                value, waiters, _ = semaphores.decode_semaphore(raw)
                level = SemaphoreLevel(info=info, value=value, waiters=waiters)
                if key.startswith(PRIVATE) and not semaphores.is_semaphore(
                    raw, self._count_threads(pid)
                ):
                    self.forget_semaphore(key)
                    yield msgspec.structs.replace(level, value=-1, waiters=-1)
                    break
                if level != self._levels.get(key):
                    self._levels[key] = level
                    yield level
                break
        yield from self.sets_changed(sorted(self.system_v))

    def _count_threads(self, pid: int) -> int:
        process = self._context.processes.get(pid)
        return len(process.tasks) if process is not None else 1

    def sets_changed(self, ids: Iterable[int]) -> Iterable[SemaphoreLevel]:
        """The semaphores of some System V sets that are not what they were at the last look."""
        sets = semaphores.sysv_sets() if self.system_v else {}
        for semid in ids:
            for level in semaphores.sysv_levels(semid, sets) or ():
                if level != self._levels.get(level.info.key):
                    self._levels[level.info.key] = level
                    yield level

    def find_blocking(self, args: Arguments) -> str:
        """Key of the System V semaphore that an operation can't be done on now; empty if each could
        be.
        """
        semid = number_in(args, "id")
        if semid is None or semid not in self.system_v:
            return ""
        values = semaphores.sysv_values(semid)
        index = (
            first_blocked(parse_operations(text_in(args, "ops")), values)
            if values is not None
            else None
        )
        return f"sysv:{semid}:{index}" if index is not None else ""
