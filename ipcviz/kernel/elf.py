"""What a program or library file says of itself: class, machine, functions' addresses, segments
(elf(5)).

pyelftools decodes the headers; symbols are then looked up in the raw tables, because making an
object of each of libc's three thousand costs a hundred times as much. Results are kept by the
file's identity, size and time.

A file may say anything: that it has 2**40 sections, that a table is longer than the file, that a
name is everywhere. The kernel runs it all the same, since it looks at the program headers alone. So
what a file says is never believed beyond the limits below: they bound what is read, kept and looped
over, and what is beyond them counts as not known.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import IO, Any, BinaryIO, Final, Generic, NamedTuple, TypeVar

from elftools.common.exceptions import DWARFError, ELFError
from elftools.common.utils import struct_parse
from elftools.elf.elffile import ELFFile

PF_X: Final = 1
STT_FUNC: Final = 2
SHN_UNDEF: Final = 0
LOOKUPS: Final = ("dlsym", "dlvsym")
VERSYM_HIDDEN: Final = 0x8000
"""A symbol's version that is not the default one: `name@VERSION` and not `name@@VERSION`."""
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_NOTE: Final = struct.Struct("=III")


MAX_SEGMENTS: Final = 65536 // 32
"""Program headers that are read: the kernel executes no file with more than 64 KiB of them
(load_elf_phdrs).
"""
MAX_SECTIONS: Final = 1024
"""Section headers that a file may have for its symbol tables to be looked for: programs have some
forty.
"""
MAX_TABLE: Final = 16 << 20
"""Bytes that a symbol table, its names or its versions may have to be looked into."""
MAX_PLACES: Final = 4096
"""Places in a table of names where one of them is found at most."""
MAX_INTERPRETER: Final = 4096
"""Bytes of the interpreter's path that are read: PATH_MAX, as in the kernel (load_elf_binary)."""
MAX_NOTES: Final = 65536
"""Bytes of notes that are read of each segment of them, and at most this many such segments
(`MAX_NOTE_SEGMENTS`).
"""
MAX_NOTE_SEGMENTS: Final = 8


class ElfClass(NamedTuple):
    """A program's kind.

    Attributes:
        bits: 32 or 64. (x32 is 32 bits of EM_X86_64.)
        machine: `EM_X86_64`, `EM_AARCH64`, ...
        kind: `ET_EXEC`, `ET_DYN`, ...
        static: It names no interpreter, so no dynamic linker loads libraries for it.
        interpreter: Path of its dynamic linker; empty if static.
    """

    bits: int
    machine: str
    kind: str
    static: bool
    interpreter: str


class Segment(NamedTuple):
    """A loadable segment.

    A byte at `vaddr + n` of the program is at `start - offset_of_line + offset + n` in a process,
    where `start` and `offset_of_line` are those of the line of /proc/PID/maps that holds file
    offset `offset`.
    """

    offset: int
    vaddr: int
    filesz: int
    memsz: int


class _Program(NamedTuple):
    """What is kept of a file."""

    kind: ElfClass
    executable: tuple[Segment, ...]
    tables: tuple[_Table, ...]
    notes: tuple[tuple[int, int], ...] = ()


class _Table(NamedTuple):
    """Places in the file of a symbol table, its names and its versions (empty for .symtab):
    (offset, size) each.
    """

    symbols: tuple[int, int]
    names: tuple[int, int]
    versions: tuple[int, int]


Identity = tuple[int, int, int, int]
"""Of a file: st_dev, st_ino, st_mtime in nanoseconds, st_size."""


def identify_file(path: str) -> Identity | None:
    """What tells a regular file's present content from others; None if it can't be looked at."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def open_file(path: str) -> BinaryIO | None:
    """A regular file opened to be read; None for anything else. No FIFO is waited for."""
    try:
        # Not to wait for the writer of a FIFO, which is not a program.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return open(fd, "rb")
    os.close(fd)
    return None


T = TypeVar("T")


class FileFacts(Generic[T]):
    """What was read of files, kept as long as a file is what it was (its identity, size, time).

    Args:
        read: Reads it from a path; None if the file has nothing of the kind.
        most: Of how many files it is kept: beyond that all is forgotten, and read anew.
    """

    def __init__(self, read: Callable[[str], T | None], most: int) -> None:
        self._read = read
        self._most = most
        self._known: dict[Identity, T | None] = {}

    def get(self, path: str) -> T | None:
        """What is known of a file; None if that is nothing, or it can't be read."""
        found = self.get_identified(path)
        return None if found is None else found[1]

    def get_identified(self, path: str) -> tuple[Identity, T] | None:
        """The same with what identifies the file's present content."""
        identity = identify_file(path)
        if identity is None:
            return None
        if identity not in self._known:
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[identity] = self._read(path)
        found = self._known[identity]
        return None if found is None else (identity, found)

    def clear(self) -> None:
        """Forget all files."""
        self._known.clear()


_functions: dict[tuple[Identity, frozenset[str]], dict[str, int]] = {}
_callers: dict[tuple[Identity, frozenset[str]], bool] = {}
KEPT: Final = 256
"""Files whose facts are kept."""


def _read_program(path: str) -> _Program | None:
    stream = open_file(path)
    if stream is None:
        return None
    with stream:
        return _parse_stream(stream)


BROKEN: Final = (
    ELFError,
    DWARFError,
    AssertionError,
    MemoryError,
    RecursionError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
"""What reading a file raises that is no ELF file, or a broken one: pyelftools checks little of what
it is given.
"""


_programs: Final = FileFacts(_read_program, KEPT)


def _parse_stream(stream: BinaryIO) -> _Program | None:
    try:
        elf = ELFFile(stream)
        kind, executable, notes = _read_segments(elf)
    except BROKEN:
        return None
    try:
        tables = _find_tables(elf) if elf.elfclass == 64 and elf.little_endian else ()
    except BROKEN:
        tables = ()  # The kernel does not look at sections, so the program runs whatever they are.
    return _Program(kind, executable, tables, notes)


def _read_segments(
    elf: ELFFile,
) -> tuple[ElfClass, tuple[Segment, ...], tuple[tuple[int, int], ...]]:
    # Headers alone: pyelftools' objects of segments and sections parse what they hold, which takes
    # thrice as long.
    interpreter, executable = "", []
    notes: list[tuple[int, int]] = []
    # PN_XNUM, a number of segments that stands in a section, is for core files: the kernel executes
    # no such file.
    count = min(elf["e_phnum"], MAX_SEGMENTS)
    for segment in _parse_headers(
        elf, elf.structs.Elf_Phdr, elf["e_phoff"], elf["e_phentsize"], count
    ):
        place = segment["p_offset"], segment["p_filesz"]
        if segment["p_type"] == "PT_INTERP" and not interpreter:
            interpreter = os.fsdecode(
                (_read_place(elf.stream, place, MAX_INTERPRETER) or b"").partition(b"\0")[0]
            )
        elif segment["p_type"] == "PT_LOAD" and segment["p_flags"] & PF_X:
            executable.append(Segment(place[0], segment["p_vaddr"], place[1], segment["p_memsz"]))
        elif segment["p_type"] == "PT_NOTE" and len(notes) < MAX_NOTE_SEGMENTS:
            notes.append(place)
    kind = ElfClass(elf.elfclass, elf["e_machine"], elf["e_type"], not interpreter, interpreter)
    return kind, tuple(executable), tuple(notes)


def _find_tables(elf: ELFFile) -> tuple[_Table, ...]:
    """A file's symbol tables: at most one for the dynamic linker and one besides, as elf(5) has
    it.
    """
    count = elf.num_sections()
    if count > MAX_SECTIONS:
        return ()
    sections = _parse_headers(elf, elf.structs.Elf_Shdr, elf["e_shoff"], elf["e_shentsize"], count)
    versions = {
        s["sh_link"]: _locate_section(s) for s in sections if s["sh_type"] == "SHT_GNU_versym"
    }
    tables: dict[str, _Table] = {}
    for n, section in enumerate(sections):
        kind = section["sh_type"]
        if (
            kind in ("SHT_DYNSYM", "SHT_SYMTAB")
            and kind not in tables
            and section["sh_link"] < len(sections)
        ):
            version = versions.get(n, (0, 0)) if kind == "SHT_DYNSYM" else (0, 0)
            tables[kind] = _Table(
                _locate_section(section), _locate_section(sections[section["sh_link"]]), version
            )
    return tuple(tables.values())


def _parse_headers(elf: ELFFile, structure: Any, offset: int, size: int, count: int) -> list[Any]:
    return [struct_parse(structure, elf.stream, offset + n * size) for n in range(count)]


def _locate_section(section: Any) -> tuple[int, int]:
    return section["sh_offset"], section["sh_size"]


def _read_place(stream: IO[bytes], place: tuple[int, int], most: int = MAX_TABLE) -> bytes | None:
    """The bytes at a place in a file (offset and length), as far as the file has them; None if they
    are too many.
    """
    offset, length = place
    length = min(length, max(os.fstat(stream.fileno()).st_size - offset, 0))
    if length > most:
        return None
    stream.seek(offset)
    return stream.read(length)


def machine_class(path: str) -> ElfClass | None:
    """A program's class and machine; None if it can't be read or is no ELF file (a script, for
    example).
    """
    program = _programs.get(path)
    return None if program is None else program.kind


def is_native(path: str, machine: str) -> bool:
    """Whether a file is a 64-bit program for this machine (`EM_X86_64`, ...); true if it can't be
    read.
    """
    return runs_on(machine_class(path), machine)


def runs_on(kind: ElfClass | None, machine: str) -> bool:
    """Whether a program of a kind is a 64-bit one for this machine; true if the kind is not
    known.
    """
    return kind is None or (kind.bits == 64 and kind.machine == machine)


def executable_segments(path: str) -> tuple[Segment, ...]:
    """The loadable segments with code; nothing if the file can't be read or is no ELF file."""
    program = _programs.get(path)
    return () if program is None else program.executable


def function_addresses(path: str, names: Iterable[str]) -> dict[str, int]:
    """Addresses (st_value, before relocation) of the functions that a file defines under these
    names.

    Of several versions of a dynamic symbol the default one is taken, which new programs are linked
    to. The symbol table (.symtab) gives what the dynamic one has not, as in static programs.

    Args:
        path: The program or library.
        names: The functions.

    Returns:
        Addresses by name, of those that are there; nothing if the file can't be read.
    """
    known = _programs.get_identified(path)
    if known is None:
        return {}
    identity, program = known
    wanted = frozenset(names)
    found = _functions.get((identity, wanted))
    if found is None:
        if len(_functions) >= KEPT:
            _functions.clear()
        found = _functions[identity, wanted] = _find_functions(path, program, wanted)
    return dict(found)


def may_call(path: str, names: Iterable[str]) -> bool:
    """Whether a dynamically linked file may call functions that others define under these names.

    It does if its dynamic symbol table asks for one of them, or for the means to look any name up
    (dlsym(3)).

    Args:
        path: The program or library.
        names: The functions.

    Returns:
        True also if that can't be known: no such table can be read.
    """
    known = _programs.get_identified(path)
    if known is None:
        return True
    identity, program = known
    wanted = frozenset((*names, *LOOKUPS))
    answer = _callers.get((identity, wanted))
    if answer is None:
        if len(_callers) >= KEPT:
            _callers.clear()
        answer = _callers[identity, wanted] = _asks_for(path, program, wanted)
    return answer


def read_notes(path: str) -> frozenset[tuple[str, int]]:
    """Names and types of a file's notes (elf(5), Nhdr): ("GNU", 1) is NT_GNU_ABI_TAG.

    Empty if none can be read.
    """
    program = _programs.get(path)
    if program is None or not program.notes:
        return frozenset()
    stream = open_file(path)
    if stream is None:
        return frozenset()
    found: set[tuple[str, int]] = set()
    with stream:
        for place in program.notes:
            try:
                found |= _parse_notes(_read_place(stream, place, MAX_NOTES) or b"")
            except BROKEN:
                continue
    return frozenset(found)


def _parse_notes(raw: bytes) -> set[tuple[str, int]]:
    found, at = set(), 0
    while at + _NOTE.size <= len(raw):
        name_size, value_size, kind = _NOTE.unpack_from(raw, at)
        name = raw[at + _NOTE.size : at + _NOTE.size + min(name_size, len(raw))]
        found.add((name.partition(b"\0")[0].decode("ascii", "replace"), kind))
        at += _NOTE.size + -(-name_size // 4) * 4 + -(-value_size // 4) * 4
    return found


def _asks_for(path: str, program: _Program, names: frozenset[str]) -> bool:
    tables = [table for table in program.tables if table.versions[1]]
    stream = open_file(path)
    if stream is None or not tables:
        return True
    with stream:
        for table in tables:
            try:
                symbols, strings = (
                    _read_place(stream, table.symbols),
                    _read_place(stream, table.names),
                )
            except BROKEN:
                return True
            if symbols is None or strings is None:
                return True
            offsets = _name_offsets(strings, names)
            size = len(symbols) // _SYMBOL.size * _SYMBOL.size
            if any(
                row[3] == SHN_UNDEF and row[0] in offsets
                for row in _SYMBOL.iter_unpack(symbols[:size])
            ):
                return True
    return False


def _find_functions(path: str, program: _Program, names: frozenset[str]) -> dict[str, int]:
    stream = open_file(path)
    if stream is None:
        return {}
    found: dict[str, int] = {}
    with stream:
        for table in sorted(program.tables, key=lambda table: not table.versions[1]):
            try:
                symbols, strings, versions = (_read_place(stream, place) for place in table)
            except BROKEN:
                continue
            if symbols is None or strings is None or versions is None:
                continue
            for name, value in _scan_symbols(symbols, strings, versions, names).items():
                if _is_code(program, value):
                    found.setdefault(name, value)
    return found


def _is_code(program: _Program, address: int) -> bool:
    """Whether an address of a file is in a segment with code: what is elsewhere is no function,
    whatever it says.
    """
    return any(s.vaddr <= address < s.vaddr + s.filesz for s in program.executable)


def _name_offsets(strings: bytes, names: Iterable[str]) -> dict[int, str]:
    """Where in a table of strings these names are."""
    offsets = {}
    for name in names:
        # A name may share the end of a longer one's, so each place where it ends in a NUL can be
        # meant.
        raw = name.encode() + b"\0"
        start = strings.find(raw)
        for _ in range(MAX_PLACES):
            if start < 0:
                break
            offsets[start] = name
            start = strings.find(raw, start + 1)
    return offsets


def _scan_symbols(
    symbols: bytes, strings: bytes, versions: bytes, names: Iterable[str]
) -> dict[str, int]:
    """Values of the defined functions with these names in a symbol table."""
    offsets = _name_offsets(strings, names)
    if not offsets:
        return {}
    default: dict[str, int | None] = {}
    others: dict[str, int] = {}
    size = len(symbols) // _SYMBOL.size * _SYMBOL.size
    for index, (where, info, _, section, value, _) in enumerate(
        _SYMBOL.iter_unpack(symbols[:size])
    ):
        if where not in offsets or section == SHN_UNDEF:
            continue
        name = offsets[where]
        # An indirect function (STT_GNU_IFUNC) has the address of what chooses it, not its own.
        is_function = info & 0xF == STT_FUNC
        if (
            len(versions) >= 2 * index + 2
            and struct.unpack_from("<H", versions, 2 * index)[0] & VERSYM_HIDDEN
        ):
            if is_function:
                others[name] = value
        elif is_function or name not in default:
            default[name] = value if is_function else None
    # An old version counts only where there is no default one, whatever that is.
    merged = {**others, **default}
    return {name: value for name, value in merged.items() if value is not None}
