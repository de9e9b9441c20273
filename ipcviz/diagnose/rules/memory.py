"""Faults with mapped memory and with locks on files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ipcviz.diagnose.deeds import EventRule
from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.events import Call, Closed, Mapped, MemorySample, Sample, SignalDelivered
from ipcviz.events.signals import NUMBERS
from ipcviz.narrate.words import label_of

SIGBUS: Final = NUMBERS["SIGBUS"]
SIGSEGV: Final = NUMBERS["SIGSEGV"]
_LOWEST: Final = 1 << 16
"""Below it nothing is mapped (vm.mmap_min_addr): a number that is smaller is no pointer."""


class BeyondTheFile(EventRule):
    """A process that SIGBUS has ended: it used a page of a mapping that its file does not have."""

    kinds = (SignalDelivered,)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        fault = event.fault
        if event.signo != SIGBUS or event.code != "BUS_ADRERR" or fault is None:
            return
        if event.action not in ("core", "terminate") or fault.mapping is None:
            return
        if fault.size < 0:
            return
        offset = event.address - fault.mapping.start + fault.mapping.offset
        name = moment.name_parties(event.pid).name_at(event.pid, event.tid)
        label = label_of(moment.state, fault.mapping.object.key)
        yield moment.make_finding(
            "beyond-the-file",
            [event.pid],
            f"{name} was ended by SIGBUS: it used byte {offset:,} of {label} through a mapping, and"
            f" the file has {fault.size:,} bytes.",
            "Size the file (ftruncate) before it is mapped, and do not cut it while it is.",
            evidence=[
                Evidence(
                    f"SIGBUS, BUS_ADRERR, at address {event.address:#x}; the mapping begins at"
                    f" {fault.mapping.start:#x}",
                    event.n,
                )
            ],
            objects=[fault.mapping.object.key],
        )


class MappingFaults(EventRule):
    """Mappings of a file that is empty yet, and private ones of what others share."""

    effects = (Mapped,)

    def __init__(self) -> None:
        self._private: dict[str, dict[int, Call]] = {}
        self._writers: dict[str, set[int]] = {}

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        for effect in event.effects:
            if isinstance(effect, Mapped) and effect.object.path:
                if effect.shared and not effect.size:
                    yield from self._tell_empty(moment, event, effect)
                if "w" in effect.prot and _is_open_for_both(moment, event):
                    yield from self._follow_writable(moment, event, effect)

    def _tell_empty(self, moment: CaseMoment, event: Call, effect: Mapped) -> Iterator[Finding]:
        openers = {
            made.pid
            for made in moment.history.made.values()
            if made.object == effect.object.key and made.pid != event.pid
        }
        names = moment.name_parties(event.pid, *openers)
        label = label_of(moment.state, effect.object.key)
        yield moment.make_finding(
            "mapped-empty",
            [event.pid, *sorted(openers)],
            f"{names.name_at(event.pid, event.tid)} maps {label} while it is empty: until it has"
            " its size, each use of the mapping ends in SIGBUS, and then it is full of zeros.",
            "Size and fill it before others can find it: under another name, and rename it; or let"
            " who opens it wait for a mark in it.",
            evidence=[Evidence(f"mmap of {effect.length:,} bytes; the file had 0", event.n)],
            objects=[effect.object.key],
            probable="" if openers else "it may size it before it uses the mapping",
        )

    def _follow_writable(
        self, moment: CaseMoment, event: Call, effect: Mapped
    ) -> Iterator[Finding]:
        key = effect.object.key
        private = self._private.setdefault(key, {})
        if not effect.shared:
            private[event.pid] = event
        writers = self._writers.setdefault(key, set())
        writers.add(event.pid)
        for pid, call in list(private.items()):
            others = sorted(writers - {pid})
            if not others:
                continue
            del private[pid]
            names = moment.name_parties(pid, *others)
            label = label_of(moment.state, key)
            yield moment.make_finding(
                "private-mapping",
                [pid, *others],
                f"{names.name_at(pid)} has mapped {label} with MAP_PRIVATE:"
                f" {names.join(others)}, which {'maps' if len(others) == 1 else 'map'} it as well,"
                f" does not see what {names.name_process(pid)} stores there.",
                "Use MAP_SHARED.",
                evidence=[Evidence("mmap with MAP_PRIVATE and PROT_WRITE", call.n)],
                objects=[key],
                probable="a private copy may be what is wanted",
            )


class MappedAt(NamedTuple):
    """Where a process has had an object mapped, shared; it may have ended since.

    Attributes:
        pid: The process.
        start: The first address.
        length: The bytes.
        offset: Where in the object they begin.
    """

    pid: int
    start: int
    length: int
    offset: int

    @property
    def base_address(self) -> int:
        """The address that the object's first byte has, or would have."""
        return self.start - self.offset

    def has_address(self, address: int) -> bool:
        """Whether an address lies in it."""
        return self.start <= address < self.start + self.length


class SharedPointers(EventRule):
    """An address of one process in memory that another process has elsewhere."""

    effects = (Mapped,)
    kinds = (Sample, SignalDelivered)

    def __init__(self) -> None:
        self._places: dict[str, list[MappedAt]] = {}

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if isinstance(event, SignalDelivered):
            yield from self._follow_fault(moment, event)
        elif isinstance(event, Sample):
            for sample in event.memory:
                if not sample.pid:
                    yield from self._scan(moment, sample)
        else:
            for effect in event.effects:
                if isinstance(effect, Mapped) and effect.shared:
                    key = effect.object.key
                    place = MappedAt(event.pid, effect.start, effect.length, effect.offset)
                    places = self._places.setdefault(key, [])
                    if place not in places:
                        places.append(place)
                        del places[:-_PLACES]
                    memory = moment.state.memory.get((key, 0))
                    if memory is not None:
                        yield from self._scan(moment, memory.sample)

    def _find_others(self, key: str, address: int) -> tuple[MappedAt, MappedAt] | None:
        """Whose address this is, and somebody else who has the object at other ones."""
        places = self._places.get(key, ())
        for one in places:
            if one.has_address(address):
                for other in places:
                    if other.pid != one.pid and other.base_address != one.base_address:
                        inside = any(p.has_address(address) for p in places if p.pid == other.pid)
                        if not inside:
                            return one, other
        return None

    def _scan(self, moment: CaseMoment, sample: MemorySample) -> Iterator[Finding]:
        if len({place.base_address for place in self._places.get(sample.object, ())}) < 2:
            return
        skipped = -sample.offset % 8
        words = (len(sample.data) - skipped) // 8
        for number in range(max(words, 0)):
            at = skipped + number * 8
            (value,) = struct.unpack_from("=Q", sample.data, at)
            found = self._find_others(sample.object, value) if value >= _LOWEST else None
            if found is not None:
                yield self._tell(moment, sample.object, value, sample.offset + at, *found)
                return

    def _tell(
        self, moment: CaseMoment, key: str, value: int, at: int, one: MappedAt, other: MappedAt
    ) -> Finding:
        names = moment.name_parties(one.pid, other.pid)
        label = label_of(moment.state, key)
        first, second = names.name_process(one.pid), names.name_process(other.pid)
        return moment.make_finding(
            "shared-pointer",
            [one.pid, other.pid],
            f"At byte {at:,} of {label} lies {value:#x}, an address of {first}: {second} has the"
            " memory mapped elsewhere, and finds something else there, or nothing.",
            _NO_POINTERS,
            evidence=[
                Evidence(f"{first} has it mapped at {one.start:#x}, {second} at {other.start:#x}"),
            ],
            objects=[key],
            probable=f"whether {second} follows it can't be seen",
            about=key,
        )

    def _follow_fault(self, moment: CaseMoment, event: SignalDelivered) -> Iterator[Finding]:
        fault = event.fault
        if event.signo != SIGSEGV or fault is None or fault.mapping is not None:
            return
        if event.action not in ("core", "terminate"):
            return
        for key in self._places:
            found = self._find_others(key, event.address)
            if found is None or event.pid not in {place.pid for place in self._places[key]}:
                continue
            names = moment.name_parties(event.pid, found[0].pid)
            label = label_of(moment.state, key)
            name, other = names.name_at(event.pid, event.tid), names.name_process(found[0].pid)
            yield moment.make_finding(
                "shared-pointer",
                [found[0].pid, event.pid],
                f"{name} was ended by SIGSEGV at {event.address:#x}: that is an address of {label}"
                f" in {other}, and {names.name_process(event.pid)} has it mapped elsewhere.",
                _NO_POINTERS,
                evidence=[
                    Evidence(f"SIGSEGV at {event.address:#x}, where nothing is mapped", event.n),
                    Evidence(f"{other} has {label} mapped at {found[0].start:#x}"),
                ],
                objects=[key],
                about=key,
            )
            return


_PLACES: Final = 64
"""Mappings of one object that are remembered, the latest."""
_NO_POINTERS: Final = (
    "Store offsets from the beginning of the memory, not addresses; or map it at one address in"
    " all (MAP_FIXED_NOREPLACE)."
)


class DroppedLocks(EventRule):
    """A lock by fcntl that a process has lost by closing another descriptor of the same file."""

    effects = (Closed,)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        key, pid = event.object, event.pid
        if not _has_record_lock(moment.before.locks.get(key, ()), pid):
            return
        if _has_record_lock(moment.state.locks.get(key, ()), pid):
            return
        fd = event.get_number("fd")
        rows = [row.fd for row, file in moment.state.descriptions_of(pid) if file.object == key]
        if not rows:
            return
        name = moment.name_parties(pid).name_at(pid, event.tid)
        label = label_of(moment.state, key)
        yield moment.make_finding(
            "dropped-lock",
            [pid],
            f"{name} closed descriptor {fd} of {label}, and with it lost its fcntl lock on that"
            f" file, which it still has open as descriptor {rows[0]}.",
            "Open the file once in a process that locks it, or use F_OFD_SETLK or flock.",
            evidence=[Evidence(f"close({fd}) released the lock", event.n)],
            objects=[key],
            ends=[(pid, rows[0])],
        )


def _has_record_lock(locks: tuple[Any, ...], pid: int) -> bool:
    return any(one.kind == "posix" and one.pid == pid and not one.waits for one in locks)


def _is_open_for_both(moment: CaseMoment, call: Call) -> bool:
    """Whether the descriptor that is mapped is open for reading and writing: then it is data, and
    no program or library.
    """
    fd = call.get_number("fd")
    file = moment.state.find_description(call.pid, fd) if fd is not None else None
    return file is not None and file.mode == "rw"
