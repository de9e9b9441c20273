"""Shared memory as values: pagemap's words, differences, mappings that are cut, and what is said of
them.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcviz.events import (
    Call,
    Exited,
    Fault,
    Forked,
    MapEntry,
    Mapped,
    Maps,
    ObjectInfo,
    Protected,
    SignalDelivered,
    Unmapped,
)
from ipcviz.kernel import pagemap
from ipcviz.model.mechanisms.memory import cut_range, join_mappings, protect_range, replace_mappings
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.narrate import narrate
from ipcviz.narrate.memory import explain_fault
from ipcviz.tracer.sampling.memory import list_differences, list_written

FILE = ObjectInfo(key="8:7", kind="file", path="/tmp/data")
MAPPED = Mapped(start=0x10000, length=0x4000, object=FILE, offset=0x1000, prot="rw-", size=0x5000)


def entry(start: int, length: int, prot: str = "rw-", offset: int = 0) -> MapEntry:
    return MapEntry(start=start, length=length, object=FILE, offset=offset, prot=prot)


def test_what_is_looked_at_of_a_process_that_ends_is_what_somebody_may_write_to() -> None:
    queue = ObjectInfo(key="anon:1", kind="anonymous memory")
    cache, shared = ObjectInfo(key="8:1", kind="file"), ObjectInfo(key="8:2", kind="file")
    read = [
        MapEntry(start=0x1000 * at, length=0x1000, object=thing, offset=0, prot=prot)
        for at, thing, prot in ((1, cache, "r--"), (2, shared, "r--"), (3, FILE, "rw-"))
    ]
    own = (*read, MapEntry(start=0x9000, length=0x1000, object=queue, offset=0, prot="r--"))
    others = (
        MapEntry(start=0x1000, length=0x1000, object=cache, offset=0, prot="r--"),
        MapEntry(start=0x2000, length=0x1000, object=shared, offset=0, prot="rw-"),
    )
    state = reduce_all(
        [
            Forked(pid=10, parent=1, how="launched", name="a"),
            Forked(pid=11, parent=10, how="fork"),
            Maps(pid=10, entries=own),
            Maps(pid=11, entries=others),
        ]
    )
    found = list_written(state, 10)
    assert set(found) == {"8:2", FILE.key, "anon:1"}
    assert all(row.pid == 10 for rows in found.values() for row in rows)
    assert set(list_written(state, 11)) == {"8:2"}
    gone = reduce(state, Exited(pid=11))
    assert set(list_written(gone, 10)) == {FILE.key, "anon:1"}
    assert list_written(gone, 11) == {}


def test_words_of_pagemap() -> None:
    present, swapped, shared, alone = 1 << 63, 1 << 62, 1 << 61, 1 << 56
    dirty, frame = 1 << 55, 0x1234
    words = (
        0,
        present | shared,
        present | shared | alone | frame,
        present | alone,
        present | dirty,
        swapped | 5,
        dirty,
    )
    assert (
        pagemap.parse_pages(b"".join(w.to_bytes(8, "little") for w in words) + b"\0\0") == ".OocCz."
    )


def test_smaps_of_some_mappings() -> None:
    text = (
        b"00400000-00401000 r--p 00000000 fe:00 1 /bin/x\nSize: 4 kB\nRss:  4 kB\nPss: 2"
        b" kB\nVmFlags: rd\n7f0000000000-7f0000002000 rw-s 00000000 fe:00 2 /a: b\nRss: 8 kB\nPss:"
        b" 4 kB\nShared_Dirty: 4 kB\nPrivate_Dirty: 0 kB\nSwap: 12 kB\nVmFlags: rd wr sh\n"
    )
    found = pagemap.parse_smaps(text, frozenset({0x7F0000000000, 5}))
    assert found == {0x7F0000000000: pagemap.MappingUse(8192, 4096, 4096, 0, 12288)}
    huge = (
        b"5000-7000 rw-s 0 00:11 9 /anon_hugepage\nRss: 0 kB\nShared_Hugetlb: 2048"
        b" kB\nPrivate_Hugetlb: 4096 kB\n"
    )
    assert pagemap.parse_smaps(huge, frozenset({0x5000})) == {
        0x5000: pagemap.MappingUse(0, 0, 0, 0, 0, huge=6291456)
    }


@given(
    st.binary(max_size=300),
    st.lists(st.tuples(st.integers(0, 299), st.integers(0, 255)), max_size=20),
)
def test_differences_are_exactly_the_bytes_that_differ(
    old: bytes, writes: list[tuple[int, int]]
) -> None:
    new = bytearray(old)
    for at, value in writes:
        if at < len(new):
            new[at] = value
    ranges, more = list_differences(old, bytes(new), 1000)
    assert not more
    assert {at for begin, length in ranges for at in range(begin, begin + length)} == {
        at for at in range(len(old)) if old[at] != new[at]
    }
    assert all(a + n < b for (a, n), (b, _) in pairwise(ranges)), "no two ranges touch"


def test_more_differences_than_are_kept() -> None:
    assert list_differences(bytes(10), b"\1\0" * 5, 3) == ([(0, 1), (2, 1), (4, 1)], True)
    assert list_differences(bytes(10), b"\1\0" * 5, 5) == (
        [(0, 1), (2, 1), (4, 1), (6, 1), (8, 1)],
        False,
    )


@pytest.mark.parametrize(
    ("start", "length", "left"),
    [
        (0x10000, 0x4000, []),
        (0x8000, 0x20000, []),
        (0x10000, 0x1000, [(0x11000, 0x3000, 0x1000)]),
        (0x11000, 0x1000, [(0x10000, 0x1000, 0), (0x12000, 0x2000, 0x2000)]),
        (0x13000, 0x9000, [(0x10000, 0x3000, 0)]),
        (0x14000, 0x1000, [(0x10000, 0x4000, 0)]),
        (0x8000, 0x8000, [(0x10000, 0x4000, 0)]),
    ],
)
def test_what_is_left_of_a_mapping(
    start: int, length: int, left: list[tuple[int, int, int]]
) -> None:
    kept = cut_range((entry(0x10000, 0x4000),), start, length)
    assert [(m.start, m.length, m.offset) for m in kept] == left


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.integers(1, 8),
            st.integers(0, 2),
            st.booleans(),
            st.sampled_from(["r--", "rw-"]),
        )
    )
)
def test_mappings_are_as_if_each_page_were_told(
    steps: list[tuple[int, int, int, bool, str]],
) -> None:
    """Mapping over others and unmapping, page by page: the same pages, in as few rows as the kernel
    has.
    """
    entries: tuple[MapEntry, ...] = ()
    pages: dict[int, tuple[int, str]] = {}
    for first, count, shift, unmap, prot in steps:
        begin, length = first * 0x1000, count * 0x1000
        for page in range(first, first + count):
            pages.pop(page, None)
            if not unmap:
                pages[page] = (page * 0x1000 + shift * 0x100000, prot)
        new = None if unmap else entry(begin, length, prot, begin + shift * 0x100000)
        entries = replace_mappings(entries, begin, length, new)
    assert {
        at // 0x1000: (m.offset + at - m.start, m.prot)
        for m in entries
        for at in range(m.start, m.start + m.length, 0x1000)
    } == pages
    assert all(a.start + a.length <= b.start for a, b in pairwise(entries))
    assert entries == join_mappings(entries)


def test_a_protection_cuts_a_mapping() -> None:
    parts = protect_range((entry(0x10000, 0x4000),), 0x11000, 0x1000, "r--")
    assert [(m.start, m.length, m.prot) for m in parts] == [
        (0x10000, 0x1000, "rw-"),
        (0x11000, 0x1000, "r--"),
        (0x12000, 0x2000, "rw-"),
    ]


def start() -> State:
    call = Call(t=1, n=2, pid=5, tid=5, name="mmap", ret=0x10000, effects=(MAPPED,))
    return reduce_all([Forked(t=0, n=1, pid=5, parent=1, how="launched", name="prog"), call])


def test_calls_change_the_mappings() -> None:
    state = start()
    effects = (
        Protected(start=0x12000, length=0x1000, prot="r--"),
        Unmapped(start=0x10000, length=0x1000),
    )
    state = reduce(state, Call(t=2, n=3, pid=5, tid=5, name="mprotect", effects=effects))
    assert [(m.start, m.offset, m.prot) for m in state.mappings[5]] == [
        (0x11000, 0x2000, "rw-"),
        (0x12000, 0x3000, "r--"),
        (0x13000, 0x4000, "rw-"),
    ]
    state = reduce(state, Call(t=3, n=4, pid=5, tid=5, name="mmap", effects=(MAPPED,)))
    assert [(m.start, m.length) for m in state.mappings[5]] == [(0x10000, 0x4000)], (
        "mapped anew over what was there"
    )


def test_a_mapping_longer_than_its_file_is_warned_of() -> None:
    def text(effect: Mapped) -> str:
        event = Call(t=1, n=2, pid=5, tid=5, name="mmap", effects=(effect,))
        before = State()
        sentence = narrate(event, before, reduce(before, event))
        assert sentence is not None
        return sentence.text

    def of(size: int, offset: int) -> Mapped:
        return Mapped(start=0x10000, length=8192, object=FILE, prot="rw-", size=size, offset=offset)

    assert "SIGBUS" not in text(of(8192, 0))
    assert "SIGBUS" not in text(of(4097, 0)), "its last page is there whole"
    assert "SIGBUS" not in text(of(-1, 0)), "nobody knows its size"
    assert "it has only 4,096 bytes: touching a page beyond its end raises SIGBUS" in text(
        of(4096, 0)
    )
    assert "SIGBUS" in text(of(8192, 4096))
    assert "SIGBUS" in text(of(0, 0))


@pytest.mark.parametrize(
    ("signo", "code", "address", "fault", "words"),
    [
        (
            11,
            "SEGV_MAPERR",
            8,
            Fault(),
            "address 0x8: nothing is mapped there, it is next to a null pointer",
        ),
        (11, "SEGV_MAPERR", 0x999000, Fault(), "address 0x999000: nothing is mapped there"),
        (
            11,
            "SEGV_ACCERR",
            0x10010,
            Fault(mapping=entry(0x10000, 4096, "r--")),
            "the write was refused",
        ),
        (
            11,
            "SEGV_ACCERR",
            0x10010,
            Fault(mapping=entry(0x10000, 4096, "---")),
            "that access is not permitted (---)",
        ),
        (
            11,
            "SEGV_ACCERR",
            0x10010,
            Fault(mapping=entry(0x10000, 4096), execution=True),
            "may not be executed (rw-)",
        ),
        (
            7,
            "BUS_ADRERR",
            0x11000,
            Fault(mapping=entry(0x10000, 8192), size=10),
            "byte 4,096 of data, past its end",
        ),
        (
            7,
            "BUS_ADRERR",
            0x10000,
            Fault(mapping=entry(0x10000, 8192), size=10),
            "the page could not be had",
        ),
    ],
)
def test_why_an_access_failed(
    signo: int, code: str, address: int, fault: Fault, words: str
) -> None:
    event = SignalDelivered(t=1, pid=5, tid=5, signo=signo, code=code, address=address, fault=fault)
    assert words in explain_fault(start(), event)
