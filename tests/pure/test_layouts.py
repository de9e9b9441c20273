"""Fields of shared memory: what bytes mean where a scenario has declared it."""

from __future__ import annotations

import struct

from ipcviz.events import MemorySample
from ipcviz.model.layouts import Field, read_fields

QUEUE = (
    Field("size", "int", 0),
    Field("share", "double", 8),
    Field("slot", "int", 16, 4096, "size"),
    Field("text", "char", 32, 8),
)
DATA = struct.pack("<i4xd4i8s", 3, 0.5, 7, -1, 0, 9, b"hi\0junk")


def read(sample):
    return {found.field.name: found for found in read_fields(QUEUE, sample)}


def test_bytes_are_read_as_what_was_declared():
    found = read(MemorySample("shm", data=DATA))
    assert {name: value.elements for name, value in found.items()} == {
        "size": ("3",),
        "share": ("0.5",),
        "slot": ("7", "-1", "0"),
        "text": ("hi",),
    }


def test_what_the_last_look_found_changed_is_known_by_element():
    found = read(MemorySample("shm", data=DATA, changed=((20, 1), (33, 2))))
    assert {name: value.changed for name, value in found.items() if value.changed} == {
        "slot": frozenset({1}),
        "text": frozenset({0}),
    }


def test_what_was_not_read_has_no_value():
    assert [value.elements for value in read(None).values()] == [(), (), (), ()]
    found = read(MemorySample("shm", offset=4, data=DATA[4:24]))
    assert found["size"].elements == ()
    assert found["slot"].elements == ("7", "-1")


def test_a_count_that_makes_no_sense_reads_nothing_beyond_the_bytes():
    for size in (-5, 1 << 30):
        data = struct.pack("<i", size) + DATA[4:]
        assert len(read(MemorySample("shm", data=data))["slot"].elements) in (0, 6)
