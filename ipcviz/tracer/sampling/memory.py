"""Looks at shared memory: which pages of each mapping are there, and which bytes changed since the
last look.

Reading a page of another process by process_vm_readv(2) would bring it into that process's memory
as if it had touched it. So only pages that pagemap shows as present are read, each from a process
that has it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from ipcviz.events import MemorySample, PagesSample
from ipcviz.events.kinds import KEPT, MEMORY
from ipcviz.kernel import memory, pagemap, queues
from ipcviz.kernel.memory import PAGE_SIZE
from ipcviz.model.query import Mapper, list_mappers
from ipcviz.model.state import State
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.mappings import size_of

MOST_PAGES: Final = 256
"""Pages of one mapping whose states are looked at."""
SCANNED_PAGES: Final = 16
"""Pages of one object whose bytes are compared with those of the last look."""
MOST_ROWS: Final = 64
"""Mappings of one object that are looked at in one round; of more, others in the next."""
MOST_UNMAPPED: Final = 32
"""Objects without a mapping whose bytes are remembered, in case that somebody maps them again."""
WINDOW: Final = 256
"""Bytes of an object that are shown; more of the one that the viewer looks at."""
WINDOW_MOST: Final = 4096
MOST_RANGES: Final = 32
BLOCK: Final = 64
SECONDS: Final = 0.002
"""How long one round of looks may take; what it did not come to has its turn in the next."""
USE_SECONDS: Final = 1.0
STALE_SECONDS: Final = 0.2
"""How often a process's smaps is read, and how soon after its pages changed: the kernel walks all
of them for it.
"""
WALK_SHARE: Final = 5
"""In step mode a process is walked at each look, unless that takes more than a fifth of the time.
"""

SEGMENT: Final = "shm:"
"""What the key of a System V segment begins with; its number follows."""

ZEROES: Final = bytes(PAGE_SIZE)
BORN_ZERO: Final = MEMORY

replace = msgspec.structs.replace
Where = tuple[str, int]


class MemoryLooks:
    """Remembers what the last looks found.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages: dict[tuple[int, int], PagesSample] = {}
        self._images: dict[Where, dict[int, bytes]] = {}
        self._shown: dict[Where, MemorySample] = {}
        self._segments: dict[str, MemorySample] = {}
        self._use: dict[int, tuple[float, float, dict[int, pagemap.MappingUse]]] = {}
        self._stale: set[int] = set()
        self._round = 0
        self._may_walk = True
        self._turn = 0

    def read_changed(
        self, state: State, peek: tuple[str, int] = ("", 0), only: int = 0
    ) -> tuple[tuple[PagesSample, ...], tuple[MemorySample, ...]]:
        """Look at what is mapped.

        Args:
            state: The state, for who maps what.
            peek: Key of the object that the viewer looks at, and how many of its bytes.
            only: Look at this process's mappings alone, at all of them that somebody may write to.

        Returns:
            What changed since the last look.
        """
        found = list_written(state, only) if only else list_mappers(state)
        keys = sorted(
            key for key, rows in found.items() if rows[0].entry.object.kind != "character device"
        )
        if not only:
            keys = [*keys[self._turn :], *keys[: self._turn]]
            self._forget_gone(found)
        detached = [] if only else [key for key in self._segments if key not in found]
        if not keys and not detached:
            return (), ()
        self._round += 1
        self._may_walk = True
        has_segments = detached or any(key.startswith(SEGMENT) for key in keys)
        segments = queues.list_segments() if has_segments else {}
        deadline = time.monotonic() + SECONDS
        pages: list[PagesSample] = []
        contents = list(self._follow_detached(detached, segments))
        done = 0
        for key in keys:
            done += 1
            rows = self._choose_due(
                [
                    row
                    for row in found[key]
                    if row.pid in self._context.processes and only in (0, row.pid)
                ]
            )
            states = {row: states for row in rows if (states := self._read_states(row)) is not None}
            pages.extend(self._changed_pages(states, held=state.stepping))
            first = rows[0] if rows else None
            if first is not None:
                segment = segments.get(first.entry.object.ino) if key.startswith(SEGMENT) else None
                facts = MemorySample(
                    object=key,
                    size=segment.size if segment else size_of(state, first.pid, first.entry),
                    attached=segment.nattch if segment else -1,
                    removed=segment is not None and segment.removed,
                )
                want = min(max(WINDOW, peek[1]), WINDOW_MOST) if peek[0] == key else WINDOW
                contents.extend(self._read_contents(facts, states, want))
            if time.monotonic() > deadline and not only:
                break
        if not only and keys:
            self._turn = (self._turn + done) % len(keys)
        for sample in contents:
            if sample.object.startswith(SEGMENT) and not sample.pid and not _is_gone(sample):
                self._segments[sample.object] = sample
        return tuple(pages), tuple(contents)

    def _follow_detached(
        self, keys: Iterable[str], segments: dict[int, queues.SharedSegment]
    ) -> Iterator[MemorySample]:
        """What became of System V segments that no watched process has attached any more: they stay
        until they are removed.
        """
        for key in keys:
            known = self._segments[key]
            segment = segments.get(int(key.removeprefix(SEGMENT)))
            sample = replace(
                known,
                changed=(),
                more=False,
                attached=segment.nattch if segment is not None else 0,
                removed=segment is None or segment.removed,
            )
            if sample != replace(known, changed=(), more=False):
                self._shown[key, 0] = sample
                yield sample
            if segment is None:
                del self._segments[key]
                self._shown.pop((key, 0), None)
                self._images.pop((key, 0), None)

    def _choose_due(self, rows: list[Mapper]) -> list[Mapper]:
        """The mappings whose turn it is."""
        if len(rows) <= MOST_ROWS:
            return rows
        begin = self._round * MOST_ROWS % len(rows)
        return (rows + rows)[begin : begin + MOST_ROWS]

    def _forget_gone(self, found: dict[str, tuple[Mapper, ...]]) -> None:
        """Drop what was known of mappings that are no more: one that comes to the same place is
        another.
        """
        there = {(row.pid, row.entry.start) for rows in found.values() for row in rows}
        for place in [place for place in self._pages if place not in there]:
            del self._pages[place]
        pids = {pid for pid, _ in there}
        for pid in [pid for pid in self._use if pid not in pids]:
            del self._use[pid]
        unmapped = [where for where in self._images if where[0] not in found]
        kept = [where for where in unmapped if not where[1] and self._has_name(where[0])]
        gone = set(unmapped).difference(kept[-MOST_UNMAPPED:])
        gone.update(where for where in self._images if where[1] and where[1] not in pids)
        for where in gone:
            del self._images[where]
            self._shown.pop(where, None)

    def _has_name(self, key: str) -> bool:
        """Whether an object's bytes stay when nobody has it mapped, so that it can be again."""
        thing = self._context.state.objects.get(key)
        return thing is not None and thing.info.kind in KEPT

    # Pages.

    @staticmethod
    def _read_states(row: Mapper) -> str | None:
        return pagemap.read_pages(
            row.pid, row.entry.start, min(row.entry.length // PAGE_SIZE, MOST_PAGES)
        )

    def _changed_pages(self, states: dict[Mapper, str], held: bool) -> Iterable[PagesSample]:
        for row, letters in states.items():
            place = (row.pid, row.entry.start)
            known = self._pages.get(place)
            if known is not None and known.pages != letters:
                self._stale.add(row.pid)
            sample = PagesSample(
                pid=row.pid,
                start=row.entry.start,
                pages=letters,
                total=row.entry.length // PAGE_SIZE,
            )
            use = self._read_use(row.pid, held).get(row.entry.start)
            if use is not None:
                sample = replace(
                    sample,
                    rss=use.rss,
                    pss=use.pss,
                    shared_dirty=use.shared_dirty,
                    private_dirty=use.private_dirty,
                    huge=use.huge,
                )
            if sample != known:
                self._pages[place] = sample
                yield sample

    def _read_use(self, pid: int, held: bool) -> dict[int, pagemap.MappingUse]:
        at, took, known = self._use.get(pid, (0.0, 0.0, {}))
        now = time.monotonic()
        if held:
            is_due = now - at >= took * WALK_SHARE
        else:
            rest = STALE_SECONDS if pid in self._stale else USE_SECONDS
            is_due = self._may_walk and now - at >= rest
        if is_due:
            # One process's a round: where many are due, each has its turn.
            self._may_walk = False
            self._stale.discard(pid)
            starts = frozenset(entry.start for entry in self._context.state.mappings.get(pid, ()))
            known = pagemap.read_use(pid, starts) or {}
            self._use[pid] = (now, time.monotonic() - now, known)
        return known

    # Bytes.

    def _read_contents(
        self, facts: MemorySample, states: dict[Mapper, str], want: int
    ) -> Iterable[MemorySample]:
        """The object's own bytes, then those of each process's private copies of its pages."""
        own: dict[int, tuple[int, int]] = {}
        copies: dict[int, dict[int, tuple[int, int]]] = {}
        zero = False
        for row, letters in states.items():
            zero = zero or row.entry.object.kind in BORN_ZERO
            if "r" not in row.entry.prot:
                continue
            first = row.entry.offset // PAGE_SIZE
            for index, letter in enumerate(letters):
                place = (row.pid, row.entry.start + index * PAGE_SIZE)
                if letter in (pagemap.OWN_PAGE, pagemap.COMMON_PAGE):
                    own.setdefault(first + index, place)
                elif letter in (pagemap.COPY, pagemap.COMMON_COPY):
                    copies.setdefault(row.pid, {}).setdefault(first + index, place)
        found = self._changed_bytes(facts, _read_pages(own), want, zero)
        if found is not None:
            yield found
        for pid, places in copies.items():
            private = MemorySample(object=facts.object, pid=pid, size=facts.size)
            found = self._changed_bytes(private, _read_pages(places), want, False)
            if found is not None:
                yield found

    def _changed_bytes(
        self, facts: MemorySample, now: dict[int, bytes], want: int, zero: bool
    ) -> MemorySample | None:
        """What is to be said of an object's bytes; None if nothing changed."""
        where = (facts.object, facts.pid)
        before = self._images.get(where)
        shown = self._shown.get(where)
        if not now and shown is not None:
            # Nobody has its pages now: what was read of them last is still the best that is known.
            now = before or {}
        changed: list[tuple[int, int]] = []
        more = False
        if before is not None:
            for page, data in now.items():
                old = before.get(page, ZEROES if zero else data)
                if old != data and not more:
                    ranges, more = list_differences(old, data, MOST_RANGES - len(changed))
                    changed.extend((page * PAGE_SIZE + at, length) for at, length in ranges)
        # A page that is in no page table now keeps its bytes in the object, or in the swap.
        kept = {**(before or {}), **now}
        self._images[where] = {page: kept[page] for page in sorted(kept)[:SCANNED_PAGES]}
        offset = self._choose_window(shown, now, changed, want)
        sample = replace(
            facts,
            offset=offset,
            data=_window_bytes(now, offset, want),
            changed=tuple(changed),
            more=more,
        )
        if (
            not changed
            and shown is not None
            and replace(sample, changed=shown.changed, more=shown.more) == shown
        ):
            return None
        self._shown[where] = sample
        return sample

    @staticmethod
    def _choose_window(
        shown: MemorySample | None, now: dict[int, bytes], changed: list[tuple[int, int]], want: int
    ) -> int:
        """Where the shown bytes begin: as before, unless all that changed lies elsewhere."""
        offset = shown.offset if shown is not None else -1
        if offset // PAGE_SIZE not in now:
            offset = min(now, default=0) * PAGE_SIZE
        if changed and not any(
            at < offset + want and offset < at + length for at, length in changed
        ):
            at = changed[0][0]
            offset = max(at // PAGE_SIZE * PAGE_SIZE, at // 16 * 16 - 32)
        return offset


def _read_pages(places: dict[int, tuple[int, int]]) -> dict[int, bytes]:
    """The bytes of some pages, by their number in the object; the lowest ones if there are many."""
    found: dict[int, bytes] = {}
    pages = sorted(places)[:SCANNED_PAGES]
    at = 0
    while at < len(pages):
        pid, address = places[pages[at]]
        run = 1
        while (
            at + run < len(pages)
            and pages[at + run] == pages[at] + run
            and places[pages[at + run]] == (pid, address + run * PAGE_SIZE)
        ):
            run += 1
        data = memory.read_bytes(pid, address, run * PAGE_SIZE) or b""
        for index in range(len(data) // PAGE_SIZE):
            found[pages[at] + index] = data[index * PAGE_SIZE : (index + 1) * PAGE_SIZE]
        at += run
    return found


def _window_bytes(pages: dict[int, bytes], offset: int, want: int) -> bytes:
    """Up to `want` bytes from an offset on, as far as pages were read without a gap."""
    found = bytearray()
    while len(found) < want:
        page, begin = divmod(offset + len(found), PAGE_SIZE)
        if page not in pages:
            break
        found += pages[page][begin : begin + want - len(found)]
    return bytes(found)


def list_differences(old: bytes, new: bytes, most: int) -> tuple[list[tuple[int, int]], bool]:
    """Where two byte strings of one length differ: (offset, length) of at most `most` ranges, and
    if there are more.

    Blocks that are the same are passed over whole.
    """
    ranges: list[tuple[int, int]] = []
    begin = -1
    for block in range(0, len(new), BLOCK):
        if old[block : block + BLOCK] == new[block : block + BLOCK]:
            if begin >= 0:
                ranges.append((begin, block - begin))
                begin = -1
            continue
        for at in range(block, min(block + BLOCK, len(new))):
            if old[at] != new[at]:
                if begin < 0:
                    if len(ranges) >= most:
                        return ranges, True
                    begin = at
            elif begin >= 0:
                ranges.append((begin, at - begin))
                begin = -1
    if begin >= 0:
        ranges.append((begin, len(new) - begin))
    return ranges, False


def _is_gone(sample: MemorySample) -> bool:
    """Whether a System V segment is no more: one that is removed goes with its last attachment."""
    return sample.removed and sample.attached == 0


def list_written(state: State, pid: int) -> dict[str, tuple[Mapper, ...]]:
    """A living process's own mappings of what somebody may write to, by object key.

    Those of all others are gone through only for what it can itself only read: this is asked at
    the end of each of many processes.
    """
    process = state.processes.get(pid)
    if process is None or process.fate != "alive":
        return {}
    found: dict[str, list[Mapper]] = defaultdict(list)
    for entry in state.mappings.get(pid, ()):
        found[entry.object.key].append(Mapper(pid=pid, entry=entry))
    return {key: tuple(rows) for key, rows in found.items() if _is_written(state, key, rows)}


def _is_written(state: State, key: str, rows: list[Mapper]) -> bool:
    """Whether some process may write to what one of them has mapped by `rows`: libraries' tables,
    for example, are only read.
    """
    if rows[0].entry.object.kind != "file" or any("w" in row.entry.prot for row in rows):
        return True
    for pid, entries in state.mappings.items():
        if any(entry.object.key == key and "w" in entry.prot for entry in entries):
            process = state.processes.get(pid)
            if process is not None and process.fate == "alive":
                return True
    return False
