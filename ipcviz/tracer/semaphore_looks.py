"""Looks at semaphores: where they lie in whose memory, and what their values are."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ipcviz.events import SemaphoreInfo, SemaphoreLevel
from ipcviz.kernel import maps, memory, procfs, semaphores
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
        self.system_v: set[int] = set()
        """Ids of the System V sets that observed processes have used."""

    def know(self, info: SemaphoreInfo, pid: int, address: int) -> None:
        """A semaphore lies at this address of that process.

        sem_open maps it under a temporary name and links it to its own afterwards, so a later name is the better one.
        """
        known, places = self._addresses.get(info.key, (info, {}))
        places[pid] = address
        self._addresses[info.key] = (info if info.name else known, places)

    def forget(self, key: str) -> None:
        """A semaphore was destroyed."""
        self._addresses.pop(key, None)
        self._levels.pop(key, None)

    def inherit(self, parent: int, child: int) -> None:
        """A fork: the child has the parent's mappings at the same addresses."""
        for _, places in self._addresses.values():
            if parent in places:
                places[child] = places[parent]

    def forget_memory(self, pid: int) -> None:
        """An exec or exit: the process's mappings are gone."""
        for _, places in self._addresses.values():
            places.pop(pid, None)

    def look_for_named(self, pid: int) -> None:
        """A process mapped something under /dev/shm: know the named semaphores among its mappings."""
        for info, address in semaphores.find_named(maps.read_maps(pid, shared_only=True) or []):
            self.know(info, pid, address)

    def use_system_v(self, pid: int, semid: int) -> None:
        """A process uses a System V set. Ids of another IPC namespace than ours are not ours to ask for."""
        if semid not in self.system_v and procfs.same_namespace(pid, "ipc"):
            self.system_v.add(semid)

    def at(self, pid: int, address: int) -> str:
        """Key of the known semaphore whose futex that is: glibc's sem_t begins with it."""
        for key, (_, places) in self._addresses.items():
            if places.get(pid) == address:
                return key
        return ""

    def _name(self) -> None:
        """Names as they are now: what was mapped under a temporary name has its own since."""
        if not any(info.kind == "named" for info, _ in self._addresses.values()):
            return
        names = {f"{dev}:{ino}": name for (dev, ino), name in semaphores.named_semaphores().items()}
        for key, (info, places) in self._addresses.items():
            name = names.get(info.object, info.name)
            if info.kind == "named" and name != info.name:
                self._addresses[key] = (msgspec.structs.replace(info, name=name), places)

    def changed(self) -> Iterable[SemaphoreLevel]:
        """The semaphores whose value or waiters are not what they were at the last look."""
        self._name()
        for key, (info, places) in list(self._addresses.items()):
            for pid, address in list(places.items()):
                raw = memory.read(pid, address, 16)
                if raw is None or len(raw) < 16:
                    continue
                value, waiters, _ = semaphores.decode(raw)
                level = SemaphoreLevel(info=info, value=value, waiters=waiters)
                if level != self._levels.get(key):
                    self._levels[key] = level
                    yield level
                break
        sets = semaphores.sysv_sets() if self.system_v else {}
        for semid in sorted(self.system_v):
            for level in semaphores.sysv_levels(semid, sets) or ():
                if level != self._levels.get(level.info.key):
                    self._levels[level.info.key] = level
                    yield level
