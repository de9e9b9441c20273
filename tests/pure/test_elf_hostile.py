"""Program files that lie about themselves: what is read of them is bounded, and nothing is
raised.
"""

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcviz.kernel import elf, libc

NAMES = ("sem_wait", "sem_post")
CODE = 0x1000
SYMBOLS = b"".join(
    struct.pack("<IBBHQQ", *row)
    for row in (
        (0, 0, 0, 0, 0, 0),
        (1, 0x12, 0, 1, CODE, 16),
        (10, 0x12, 0, 0, 0, 0),
    )
)
STRINGS = b"\0sem_wait\0sem_post\0.symtab\0"
INTERPRETER = b"/lib64/ld-linux-x86-64.so.2\0"
NOTE = struct.pack("=III", 4, 16, 1) + b"GNU\0" + bytes(16)
VERSIONS = struct.pack("<3H", 0, 2, 2)
HEADER, SEGMENT, SECTION = 64, 56, 64


def program(static=False):
    """A small file for x86-64: three segments, a symbol table of each kind, a table of versions."""
    pieces, at = [], 0x400
    for piece in (SYMBOLS, STRINGS, INTERPRETER, NOTE, VERSIONS):
        pieces.append((at, piece))
        at += (len(piece) + 15) & ~15
    symbols, strings, interpreter, note, versions = (place for place, _ in pieces)
    segments = [
        (6 if static else 3, 4, interpreter, 0, 0, len(INTERPRETER), len(INTERPRETER), 1),
        (1, 5, 0, CODE, CODE, 0x800, 0x800, 4096),
        (4, 4, note, 0, 0, len(NOTE), len(NOTE), 4),
    ]
    sections = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 11, 0, 0, symbols, len(SYMBOLS), 2, 0, 8, 24),
        (0, 3, 0, 0, strings, len(STRINGS), 0, 0, 1, 0),
        (0, 0x6FFFFFFF, 0, 0, versions, len(VERSIONS), 1, 0, 2, 2),
        (0, 2, 0, 0, symbols, len(SYMBOLS), 2, 0, 8, 24),
    ]
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, CODE, 64, 0x800, 0, 64, 56, len(segments), 64, len(sections), 2
    )
    raw = bytearray(0x800)
    raw[: len(head)] = head
    for n, row in enumerate(segments):
        struct.pack_into("<IIQQQQQQ", raw, HEADER + n * SEGMENT, *row)
    for place, piece in pieces:
        raw[place : place + len(piece)] = piece
    for row in sections:
        raw += struct.pack("<IIQQQQIIQQ", *row)
    return raw


class Counted:
    """A file that counts what is read of it."""

    taken = calls = 0

    def __init__(self, stream):
        self._stream = stream

    def read(self, size=-1):
        data = self._stream.read(size)
        Counted.taken += len(data)
        Counted.calls += 1
        return data

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()


@pytest.fixture
def look(tmp_path, monkeypatch):
    """Asks all there is to ask of a file with these bytes; what of it was read, and the answers."""
    path = tmp_path / "program"
    opened = elf.open_file
    monkeypatch.setattr(
        elf, "open_file", lambda path: Counted(stream) if (stream := opened(path)) else None
    )

    def ask(raw, size=0):
        path.write_bytes(raw)
        if size:
            with path.open("r+b") as file:
                file.truncate(size)
        for cache in (elf._programs, elf._functions, elf._callers, libc._known):
            cache.clear()
        Counted.taken = Counted.calls = 0
        name = str(path)
        return (
            elf.machine_class(name),
            elf.executable_segments(name),
            elf.function_addresses(name, NAMES),
            elf.may_call(name, NAMES),
            elf.read_notes(name),
            libc.of_program(name),
        )

    return ask


def test_an_honest_file(look):
    kind, segments, functions, calls, notes, library = look(program())
    assert kind == elf.ElfClass(64, "EM_X86_64", "ET_DYN", False, "/lib64/ld-linux-x86-64.so.2")
    assert segments == (elf.Segment(0, CODE, 0x800, 0x800),)
    assert functions == {"sem_wait": 0x1000}
    assert calls, "it asks for sem_post"
    assert notes == {("GNU", 1)}
    assert library == "glibc"
    assert look(program(static=True))[5] == "glibc", "by its note"


def section(raw, n, field):
    """Where a field of a section's header is: its offset in the file, and its struct format."""
    (begin,) = struct.unpack_from("<Q", raw, 40)
    where, how = {
        "type": (4, "<I"),
        "flags": (8, "<Q"),
        "offset": (24, "<Q"),
        "size": (32, "<Q"),
        "link": (40, "<I"),
    }[field]
    return begin + n * SECTION + where, how


MUCH = 1 << 40
LIES = {
    "2**40 sections": lambda raw: (struct.pack_into("<H", raw, 60, 0), put(raw, 0, "size", MUCH)),
    "sections past the end": lambda raw: struct.pack_into("<Q", raw, 40, MUCH),
    "sections of no size": lambda raw: struct.pack_into("<HH", raw, 58, 0, 0xFFFF),
    "names of sections nowhere": lambda raw: (
        struct.pack_into("<H", raw, 62, 0xFFFF),
        put(raw, 0, "link", 77),
    ),
    "a table of 2**40 symbols": lambda raw: put(raw, 1, "size", MUCH),
    "names of 2**40 bytes": lambda raw: put(raw, 2, "size", MUCH),
    "names before the beginning": lambda raw: put(raw, 2, "offset", (1 << 64) - 8),
    "names in no section": lambda raw: put(raw, 1, "link", 1 << 31),
    "versions of 2**40 bytes": lambda raw: put(raw, 3, "size", MUCH),
    "compressed names": lambda raw: put(raw, 2, "flags", 0x800),
    "65,535 segments": lambda raw: struct.pack_into("<H", raw, 56, 0xFFFF),
    "segments of no size": lambda raw: struct.pack_into("<HH", raw, 54, 0, 0xFFFF),
    "an interpreter of 2**40 bytes": lambda raw: struct.pack_into("<Q", raw, HEADER + 32, MUCH),
    "notes of 2**40 bytes": lambda raw: struct.pack_into(
        "<Q", raw, HEADER + 2 * SEGMENT + 32, MUCH
    ),
}


def put(raw, n, field, value):
    where, how = section(raw, n, field)
    struct.pack_into(how, raw, where, value)


MOST_READ = 9 * elf.MAX_TABLE
MOST_CALLS = 16 * (elf.MAX_SEGMENTS + elf.MAX_SECTIONS)


@pytest.mark.parametrize("size", [0, 4 << 30], ids=["", "sparse"])
@pytest.mark.parametrize("lie", LIES)
def test_a_lie(look, lie, size):
    raw = program()
    LIES[lie](raw)
    kind, *_ = look(raw, size)
    assert Counted.taken <= MOST_READ
    assert Counted.calls <= MOST_CALLS
    if "segments" not in lie and "interpreter" not in lie:
        assert kind.machine == "EM_X86_64", "the kernel runs it all the same"
        assert kind.interpreter


def test_a_table_that_is_longer_than_the_limit_is_not_known(look):
    raw = program()
    put(raw, 2, "size", MUCH)
    _, _, functions, calls, *_ = look(raw, 4 << 30)
    assert functions == {}
    assert calls, "it may"
    assert Counted.taken < 1 << 20


def test_a_name_that_is_everywhere_is_found_so_often_at_most():
    assert len(elf._name_offsets(b"a\0" * 100_000, ("a",))) == elf.MAX_PLACES


def test_a_function_in_data_is_none(look):
    raw = program()
    struct.pack_into("<Q", raw, 0x400 + 24 + 8, 0x9000)
    assert look(raw)[2] == {}


def test_what_is_no_file_is_not_opened(tmp_path):
    assert elf.machine_class("/dev/null") is None
    assert elf.machine_class(str(tmp_path)) is None


FIELDS = [
    *((16 + n, "<H") for n in (0, 2)),
    *((n, "<Q") for n in (24, 32, 40)),
    *((n, "<H") for n in range(52, 64, 2)),
    *((HEADER + n, "<I") for n in range(0, 3 * SEGMENT, 4)),
    *((HEADER + n, "<Q") for n in range(8, 3 * SEGMENT, 8)),
    *((0x800 + n, "<I") for n in range(0, 5 * SECTION, 4)),
    *((0x800 + n, "<Q") for n in range(0, 5 * SECTION, 8)),
    *((0x400 + n, "<Q") for n in range(0, 0x100, 4)),
]
VALUES = st.one_of(
    st.sampled_from(
        [
            0,
            1,
            2,
            0xFFFF,
            0xFFFFFFFF,
            (1 << 64) - 1,
            1 << 63,
            1 << 40,
            1 << 32,
            0x800,
            0x900,
            11,
            64,
        ]
    ),
    st.integers(0, (1 << 64) - 1),
)


@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=6),
    cut=st.one_of(st.none(), st.integers(0, 0x940)),
)
def test_any_field_may_say_anything(changes, cut):
    raw = program()
    for (where, how), value in changes:
        struct.pack_into(how, raw, where, value & ((1 << 8 * struct.calcsize(how)) - 1))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        ask = look.__wrapped__(Path(folder), patch)
        ask(raw[:cut])
    assert Counted.taken <= MOST_READ
    assert Counted.calls <= MOST_CALLS
