"""Which mappings processes can communicate by, and what fault addresses mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ipcviz.events import Fault, MapEntry
from ipcviz.kernel import maps, ptrace, queues
from ipcviz.model.query import mapping_at
from ipcviz.model.state import State
from ipcviz.tracer.calls.plans import meets_mark as meets_mark
from ipcviz.tracer.calls.table import ADDRESSED, MAP_ANONYMOUS, MAP_DENYWRITE, MAP_FIXED
from ipcviz.tracer.context import Context

_FRAME: Final = 1 << 20
"""How far above the stack pointer an access is still one to a function's variables."""
_NEAR: Final = 1 << 16
"""How much of the stack may be left for it to be the one that has run over."""


class Mappings:
    """Knows the private mappings that matter: those of files that others map or write.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._private: dict[str, set[int]] = {}

    def list_entries(self, pid: int, lines: Iterable[maps.MapLine]) -> tuple[MapEntry, ...]:
        """A process's mappings that matter, from its /proc/PID/maps."""
        lines = tuple(lines)
        private = tuple(maps.private_entries(lines))
        self.forget_process(pid)
        for entry in private:
            if "w" in entry.prot:
                self._private.setdefault(entry.object.key, set()).add(pid)
        wanted = [entry for entry in private if self.is_shared(entry.object.key)]
        return tuple(sorted((*maps.shared_entries(lines), *wanted), key=lambda entry: entry.start))

    def is_shared(self, key: str) -> bool:
        """Whether others can see a file's bytes change: it is mapped shared, open for writing, or
        mapped by several.
        """
        state = self._context.state
        return (
            len(self._private.get(key, ())) > 1
            or any(
                entry.shared and entry.object.key == key
                for rows in state.mappings.values()
                for entry in rows
            )
            or any(
                file.object == key and file.mode in ("w", "rw")
                for file in state.open_files.values()
            )
        )

    def forget_process(self, pid: int) -> None:
        """A process's mappings are gone, or are about to be read anew."""
        for key, pids in list(self._private.items()):
            pids.discard(pid)
            if not pids:
                del self._private[key]

    def is_mapped(self, pid: int, raw: tuple[int, ...]) -> bool:
        """Whether a call about a range of memory (its first two arguments) concerns a mapping that
        is known.
        """
        return mapping_at(self._context.state, pid, raw[0], max(raw[1], 1)) is not None

    def is_wanted(self, pid: int, name: str, raw: tuple[int, ...]) -> bool:
        """Whether a known call, some uses of which matter, is one of those that are looked at."""
        if name in ADDRESSED:
            return self.is_mapped(pid, raw)
        if meets_mark(name, raw) or (
            name == "mmap" and raw[3] & MAP_FIXED and self.is_mapped(pid, raw)
        ):
            return True
        # A private mapping of a file that others see: looked at where its process is stopped
        # anyway.
        return (
            name == "mmap"
            and not raw[3] & (MAP_ANONYMOUS | MAP_DENYWRITE)
            and self.is_shared(self._context.object_of(pid, raw[4] & 0xFFFFFFFF))
        )

    def object_at(self, pid: int, address: int) -> str:
        """Key of the object mapped at an address; empty if that mapping is none of the known."""
        entry = mapping_at(self._context.state, pid, address)
        return entry.object.key if entry is not None else ""

    def length_at(self, pid: int, start: int) -> int:
        """Bytes of the known mapping that begins at an address; 0 if none does."""
        return next(
            (m.length for m in self._context.state.mappings.get(pid, ()) if m.start == start), 0
        )


def descriptors_of(state: State, key: str) -> list[tuple[int, int]]:
    """Processes and numbers of some descriptors that refer to an object."""
    ofds = {ofd for ofd, file in state.open_files.items() if file.object == key}
    found = []
    for process in state.processes.values():
        if process.fate == "alive" and ofds:
            for fd, descriptor in state.descriptors_of(process.pid).items():
                if descriptor.ofd in ofds:
                    found.append((process.pid, fd))
                    break
    return found[:4]


def size_of(state: State, pid: int, entry: MapEntry) -> int:
    """Bytes of a mapped object; -1 if they can't be found out."""
    key = entry.object.key
    if key.startswith("shm:"):
        segment = queues.list_segments().get(entry.object.ino)
        return segment.size if segment is not None else -1
    if entry.object.kind == "character device" or not entry.object.ino:
        return -1
    return maps.object_size(pid, entry, descriptors_of(state, key))


def examine_fault(context: Context, pid: int, tid: int, address: int) -> Fault | None:
    """What lies at a fault address; None if the process's mappings can't be read."""
    lines = maps.read_maps(pid)
    if not lines:
        return None
    line = maps.line_at(lines, address)
    registers = ptrace.get_registers(tid, context.arch)
    stack = (
        _find_overflow(lines, address, registers[context.arch.sp]) if registers is not None else 0
    )
    if line is None:
        return Fault(stack=stack)
    entry = maps.entry_of(line)
    execution = registers is not None and registers[context.arch.pc] == address
    return Fault(
        mapping=entry, size=size_of(context.state, pid, entry), execution=execution, stack=stack
    )


def _find_overflow(lines: Iterable[maps.MapLine], address: int, pointer: int) -> int:
    """Size of the stack that a thread has run over: 0 if an access was not such a thing.

    The first thread's has nothing below it, where it could not grow any more; those of others have
    a page that nobody may touch. A function with large variables may be far below the end at once.
    """
    below = [line for line in lines if line.start <= address < line.end]
    above = next((line for line in lines if line.start > address), None)
    if (
        above is None
        or not above.perms.startswith("rw")
        or not address - _FRAME < pointer < above.start + _NEAR
    ):
        return 0
    if below and below[0].perms[:3] != "---":
        return 0
    if not below and above.path != "[stack]":
        return 0
    return (
        above.end - above.start
        if not above.start <= pointer < above.end - 1 or pointer - above.start < _FRAME
        else 0
    )
