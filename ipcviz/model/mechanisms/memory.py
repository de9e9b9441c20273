"""How mappings, their pages and the bytes in them change the state."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from ipcviz.events import MapEntry, Sample
from ipcviz.model.draft import Draft
from ipcviz.model.parts import MemoryPart, PagesPart
from ipcviz.model.state import Memory

replace = msgspec.structs.replace


def apply_memory(draft: Draft, event: Sample) -> None:
    """Pages and bytes of mapped objects as they were at one moment."""
    for pages in event.pages:
        draft.pages = draft.pages.set((pages.pid, pages.start), pages)
        draft.note_change(PagesPart(pages.pid, pages.start))
    for sample in event.memory:
        key = (sample.object, sample.pid)
        old = draft.memory.get(key)
        changed_at = event.t if sample.changed or old is None else old.changed_at
        draft.memory = draft.memory.set(
            key, Memory(sample=sample, at=event.t, changed_at=changed_at)
        )
        if sample.changed:
            draft.note_change(MemoryPart(sample.object))


def forget_pages(draft: Draft, pid: int) -> None:
    """A process's mappings are gone: an exec, or its end.

    What its private copies held goes with them.
    """
    for key in draft.pages:
        if key[0] == pid:
            draft.pages = draft.pages.delete(key)
    for where in draft.memory:
        if where[1] == pid:
            draft.memory = draft.memory.delete(where)


def forget_range(draft: Draft, pid: int, start: int, length: int) -> None:
    """What was known of the pages of mappings that begin in a range no longer holds: to be said
    before they change.
    """
    entries = draft.mappings.get(pid, ())
    for index in range(
        bisect_left(entries, start, key=_get_start),
        bisect_left(entries, start + length, key=_get_start),
    ):
        key = (pid, entries[index].start)
        if key in draft.pages:
            draft.pages = draft.pages.delete(key)


def cut_range(entries: tuple[MapEntry, ...], start: int, length: int) -> tuple[MapEntry, ...]:
    """The mappings when a range is unmapped: one that it cuts leaves its ends."""
    return tuple(
        part
        for entry in entries
        for part, inside in _cut_mapping(entry, start, start + length)
        if not inside
    )


def replace_mappings(
    entries: tuple[MapEntry, ...], start: int, length: int, entry: MapEntry | None = None
) -> tuple[MapEntry, ...]:
    """The mappings when something else lies in a range: `entry`, or nothing.

    Args:
        entries: By address, none over another. A process may have thousands: only those at the
            range are looked at.
        start: Where the range begins.
        length: Its bytes.
        entry: What lies there now.
    """
    low = bisect_left(entries, start, key=_get_start)
    if low and entries[low - 1].start + entries[low - 1].length > start:
        low -= 1
    high = bisect_left(entries, start + length, key=_get_start)
    kept = cut_range(entries[low:high], start, length)
    if entry is None:
        return (*entries[:low], *kept, *entries[high:])
    before, after = max(0, low - 1), high + 1
    return (
        *entries[:before],
        *join_mappings((*entries[before:low], *kept, entry, *entries[high:after])),
        *entries[after:],
    )


def _get_start(entry: MapEntry) -> int:
    return entry.start


def join_mappings(entries: tuple[MapEntry, ...]) -> tuple[MapEntry, ...]:
    """Mappings by address, where those that continue each other are one, as in /proc/PID/maps."""
    found: list[MapEntry] = []
    for entry in sorted(entries, key=lambda m: m.start):
        last = found[-1] if found else None
        if last is not None and _is_continued(last, entry):
            found[-1] = replace(last, length=last.length + entry.length)
        else:
            found.append(entry)
    return tuple(found)


def _is_continued(entry: MapEntry, following: MapEntry) -> bool:
    return (
        entry.start + entry.length == following.start
        and entry.offset + entry.length == following.offset
        and (entry.object.key, entry.prot, entry.shared)
        == (following.object.key, following.prot, following.shared)
    )


def protect_range(
    entries: tuple[MapEntry, ...], start: int, length: int, prot: str
) -> tuple[MapEntry, ...]:
    """The mappings when a range has another protection: one that it cuts becomes several, as in the
    kernel.
    """
    return tuple(
        replace(part, prot=prot) if inside else part
        for entry in entries
        for part, inside in _cut_mapping(entry, start, start + length)
    )


def _cut_mapping(entry: MapEntry, start: int, end: int) -> Iterator[tuple[MapEntry, bool]]:
    """A mapping cut at a range's ends, and of each part whether it lies inside."""
    last = entry.start + entry.length
    cuts = sorted({entry.start, last, *(cut for cut in (start, end) if entry.start < cut < last)})
    for low, high in pairwise(cuts):
        part = entry
        if high - low != entry.length:
            part = replace(
                entry, start=low, length=high - low, offset=entry.offset + low - entry.start
            )
        yield part, start <= low < end
