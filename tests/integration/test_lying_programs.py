"""Programs whose headers lie, or whose files are odd: they run alone, and so they do when they are
observed.
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.harness import Bench, Programs, by_turns, ordinary

MUCH = 1 << 40
SYMTAB, STRTAB, DYNSYM, VERSYM = 2, 3, 11, 0x6FFFFFFF
TYPE, FLAGS, OFFSET, SIZE, LINK = (4, "<I"), (8, "<Q"), (24, "<Q"), (32, "<Q"), (40, "<I")

Change = Callable[[bytearray], object]


def header(at: int, how: str, value: int) -> Change:
    return lambda raw: struct.pack_into(how, raw, at, value)


def sections(field: tuple[int, str], value: int, *kinds: int) -> Change:
    """Set a field of all section headers of some kinds; of all kinds if none is named."""

    def change(raw: bytearray) -> None:
        (begin,) = struct.unpack_from("<Q", raw, 40)
        size, count = struct.unpack_from("<HH", raw, 58)
        for at in range(begin, begin + size * count, size):
            if not kinds or struct.unpack_from("<I", raw, at + 4)[0] in kinds:
                struct.pack_into(field[1], raw, at + field[0], value)

    return change


def no_count(raw: bytearray) -> None:
    """The number of sections stands in the first section's size."""
    (begin,) = struct.unpack_from("<Q", raw, 40)
    struct.pack_into("<H", raw, 60, 0)
    struct.pack_into("<Q", raw, begin + 32, MUCH)


def everywhere(raw: bytearray) -> None:
    """All names are the same one, again and again; each symbol of it lies somewhere in the data."""
    names = b"sem_wait\0sem_post\0" * 700_000
    symbols = b"".join(
        struct.pack("<IBBHQQ", 9 * n, 0x12, 0, 1, 0x4000 + n % 0x1000, 8) for n in range(20_000)
    )
    at = len(raw)
    raw += names + symbols
    sections(OFFSET, at, STRTAB)(raw)
    sections(SIZE, len(names), STRTAB)(raw)
    sections(OFFSET, at + len(names), SYMTAB)(raw)
    sections(SIZE, len(symbols), SYMTAB)(raw)


LIES: dict[str, Change] = {
    "2**40 symbols": sections(SIZE, MUCH, SYMTAB, DYNSYM, STRTAB, VERSYM),
    "2**40 sections": no_count,
    "names before the file": sections(OFFSET, (1 << 64) - 16, STRTAB),
    "names in no section": sections(LINK, 1 << 31, SYMTAB, DYNSYM),
    "all symbol tables": sections(TYPE, SYMTAB),
    "all compressed": sections(FLAGS, 0x800),
    "headers past the end": header(40, "<Q", MUCH),
    "headers of no size": header(58, "<H", 0),
    "names of sections nowhere": header(62, "<H", 0xFFFF),
    "the same name everywhere": everywhere,
}
CASES = [(lie, n // 2 % 2 == 0) for n, lie in enumerate(LIES)]


@pytest.mark.parametrize(("bench", "lie", "static"), by_turns(CASES), indirect=["bench"])
def test_lies(bench: Bench, programs: Programs, lie: str, static: bool) -> None:
    raw = bytearray(Path(programs["sem_static" if static else "sem_own"]).read_bytes())
    LIES[lie](raw)
    liar = bench.keep / "liar"
    liar.write_bytes(raw)
    if "2**40" in lie:
        os.truncate(liar, 4 << 30)
    liar.chmod(0o755)
    alone = bench.run([str(liar)])
    assert alone.status == 0
    assert bench.run(bench.observed([str(liar)])) == alone


MEMFD = """
import os, sys
fd = os.memfd_create("odd", 0)
os.write(fd, open(sys.argv[1], "rb").read())
os.execve(fd, [sys.argv[1]], os.environ)
"""
DELETED = 'cp "$0" gone; chmod 755 gone; exec 9<gone; rm gone; exec /proc/self/fd/9'


WAYS = ["memfd", "deleted", "odd name", "script", "script of a script"]


@pytest.mark.parametrize(("bench", "way"), by_turns([(way,) for way in WAYS]), indirect=["bench"])
def test_odd_files(bench: Bench, programs: Programs, way: str) -> None:
    own = programs["sem_own"]
    odd = os.fsdecode(os.fsencode(bench.keep) + b"/\xff\xfe odd\n")
    shutil.copy(own, odd)
    script, second = bench.keep / "script", bench.keep / "second"
    script.write_text(f"#!/bin/sh\n{own}\n")
    second.write_text(f"#!{script}\n")
    for path in (script, second):
        path.chmod(0o755)
    argv = {
        "memfd": [sys.executable, "-c", MEMFD, own],
        "deleted": ["sh", "-c", DELETED, own],
        "odd name": [odd],
        "script": [str(script)],
        "script of a script": [str(second)],
    }[way]
    alone = bench.run(argv)
    assert alone.status == 0
    assert bench.run(bench.observed(argv)) == alone


MAPPED = """
import mmap
held = [mmap.mmap(-1, 4096, mmap.MAP_PRIVATE, (1, 3)[n % 2]) for n in range(10_000)]
held += [mmap.mmap(-1, 4096, mmap.MAP_SHARED, (1, 3)[n % 2]) for n in range(200)]
print(len(held))
"""


@pytest.mark.parametrize("bench", ordinary(), indirect=True, ids=lambda actor: actor.name)
def test_many_mappings(bench: Bench) -> None:
    argv = [sys.executable, "-c", MAPPED]
    alone = bench.run(argv)
    assert alone.stdout == b"10200\n"
    assert bench.run(bench.observed(argv)) == alone
