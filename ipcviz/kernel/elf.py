"""What a program or library file says of itself: class, machine, functions' addresses, segments (elf(5)).

Few fields of few tables are read (header, program headers, section headers, symbols), so they are read here: a
library that knows all of ELF and DWARF took a third of the tracer's start to import, and objects for each of libc's
three thousand symbols. Results are kept by the file's identity, size and time.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from typing import BinaryIO, Final, NamedTuple

# elf.h
PT_LOAD: Final = 1
PT_INTERP: Final = 3
PF_X: Final = 1
SHT_SYMTAB: Final = 2
SHT_DYNSYM: Final = 11
SHT_GNU_VERSYM: Final = 0x6FFFFFFF
MACHINES: Final = {3: "EM_386", 40: "EM_ARM", 62: "EM_X86_64", 183: "EM_AARCH64"}
KINDS: Final = {1: "ET_REL", 2: "ET_EXEC", 3: "ET_DYN", 4: "ET_CORE"}
MOST_HEADERS: Final = 4096
"""Program or section headers of a file that are looked at; a program has some thirty."""

STT_FUNC: Final = 2
SHN_UNDEF: Final = 0
VERSYM_HIDDEN: Final = 0x8000
"""A symbol's version that is not the default one: `name@VERSION` and not `name@@VERSION`."""
_SYMBOL: Final = struct.Struct("<IBBHQQ")


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

    A byte at `vaddr + n` of the program is at `start - offset_of_line + offset + n` in a process, where `start` and
    `offset_of_line` are those of the line of /proc/PID/maps that holds file offset `offset`.
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


class _Table(NamedTuple):
    """Places in the file of a symbol table, its names and its versions (empty for .symtab): (offset, size) each."""

    symbols: tuple[int, int]
    names: tuple[int, int]
    versions: tuple[int, int]


_Identity = tuple[int, int, int, int]


def _identity(path: str) -> _Identity | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _open(path: str) -> BinaryIO | None:
    try:
        # Not to wait for the writer of a FIFO, which is not a program.
        return open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
    except (OSError, ValueError):
        return None


_programs: dict[_Identity, _Program | None] = {}
_functions: dict[tuple[_Identity, frozenset[str]], dict[str, int]] = {}
KEPT: Final = 256
"""Files whose facts are kept."""


def _program(path: str) -> _Program | None:
    identity = _identity(path)
    if identity is None:
        return None
    if identity not in _programs:
        if len(_programs) >= KEPT:
            _programs.clear()
        _programs[identity] = _read_program(path)
    return _programs[identity]


def _read_program(path: str) -> _Program | None:
    stream = _open(path)
    if stream is None:
        return None
    with stream:
        try:
            return _parse_program(stream)
        except (OSError, ValueError, struct.error):
            # Not an ELF file, or a broken one.
            return None


class _Layout(NamedTuple):
    """Where a class's structures have their fields (Elf32_*, Elf64_*)."""

    header: str
    program: str
    """p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz; in 32 bits p_flags comes last."""
    section: str


_LAYOUTS: Final = {1: _Layout("HHIIIIIHHHHH", "IIIIIII", "IIIIIIII"), 2: _Layout("HHIQQQIHHHHH", "IIQQQQQ", "IIQQQQII")}


def _parse_program(stream: BinaryIO) -> _Program:
    """Raises ValueError or struct.error if it is no ELF file, or ends too early."""
    ident = stream.read(16)
    layout = _LAYOUTS.get(ident[4]) if ident.startswith(b"\x7fELF") and len(ident) == 16 else None
    if layout is None or ident[5] not in (1, 2):
        raise ValueError("not an ELF file")
    order = "<" if ident[5] == 1 else ">"
    shape = struct.Struct(order + layout.header)
    kind, machine, _, _, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum = shape.unpack(stream.read(shape.size))
    interpreter = ""
    executable = []
    for header in _headers(stream, order + layout.program, phoff, phentsize, phnum):
        if ident[4] == 2:
            what, flags, offset, vaddr, _, filesz, memsz = header
        else:
            what, offset, vaddr, _, filesz, memsz, flags = header
        if what == PT_INTERP:
            interpreter = os.fsdecode(_bytes(stream, (offset, min(filesz, 4096))).rstrip(b"\0"))
        elif what == PT_LOAD and flags & PF_X:
            executable.append(Segment(offset, vaddr, filesz, memsz))
    bits = 64 if ident[4] == 2 else 32
    machine_name, kind_name = MACHINES.get(machine, str(machine)), KINDS.get(kind, str(kind))
    tables: tuple[_Table, ...] = ()
    if bits == 64 and order == "<":
        tables = _tables(_headers(stream, order + layout.section, shoff, shentsize, shnum))
    return _Program(ElfClass(bits, machine_name, kind_name, not interpreter, interpreter), tuple(executable), tables)


def _headers(stream: BinaryIO, shape: str, offset: int, size: int, count: int) -> list[tuple[int, ...]]:
    """Equal structures in a row, each `size` bytes long, of which `shape` tells the first ones."""
    if not count or not offset:
        return []
    if count > MOST_HEADERS or size < struct.calcsize(shape):
        raise ValueError("not an ELF file that a kernel would load")
    raw = _bytes(stream, (offset, size * count))
    return [struct.unpack_from(shape, raw, size * index) for index in range(count)]


def _tables(sections: list[tuple[int, ...]]) -> tuple[_Table, ...]:
    """The symbol tables. A header: sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size, sh_link, sh_info."""
    versions = {section[6]: (section[4], section[5]) for section in sections if section[1] == SHT_GNU_VERSYM}
    found = []
    for number, (_, what, _, _, offset, size, link, _) in enumerate(sections):
        if what in (SHT_DYNSYM, SHT_SYMTAB) and link < len(sections):
            names = sections[link][4], sections[link][5]
            of_table = versions.get(number, (0, 0)) if what == SHT_DYNSYM else (0, 0)
            found.append(_Table((offset, size), names, of_table))
    return tuple(found)


def machine_class(path: str) -> ElfClass | None:
    """A program's class and machine; None if it can't be read or is no ELF file (a script, for example)."""
    program = _program(path)
    return None if program is None else program.kind


def is_native(path: str, machine: str) -> bool:
    """Whether a file is a 64-bit program for this machine (`EM_X86_64`, ...); true if it can't be read."""
    kind = machine_class(path)
    return kind is None or (kind.bits == 64 and kind.machine == machine)


def is_static(path: str) -> bool:
    """Whether a program is loaded by the kernel alone, with no dynamic linker."""
    kind = machine_class(path)
    return kind is not None and kind.static


def executable_segments(path: str) -> tuple[Segment, ...]:
    """The loadable segments with code; nothing if the file can't be read or is no ELF file."""
    program = _program(path)
    return () if program is None else program.executable


def function_addresses(path: str, names: Iterable[str]) -> dict[str, int]:
    """Addresses (st_value, before relocation) of the functions that a file defines under these names.

    Of several versions of a dynamic symbol the default one is taken, which new programs are linked to. The symbol
    table (.symtab) gives what the dynamic one has not, as in static programs.

    Args:
        path: The program or library.
        names: The functions.

    Returns:
        Addresses by name, of those that are there; nothing if the file can't be read.
    """
    program = _program(path)
    identity = _identity(path)
    if program is None or identity is None:
        return {}
    wanted = frozenset(names)
    found = _functions.get((identity, wanted))
    if found is None:
        if len(_functions) >= KEPT:
            _functions.clear()
        found = _functions[identity, wanted] = _look_up(path, program, wanted)
    return dict(found)


def _look_up(path: str, program: _Program, names: frozenset[str]) -> dict[str, int]:
    stream = _open(path)
    if stream is None:
        return {}
    found: dict[str, int] = {}
    with stream:
        for table in sorted(program.tables, key=lambda table: not table.versions[1]):
            try:
                symbols, strings, versions = (_bytes(stream, place) for place in table)
            except OSError:
                continue
            for name, value in _scan(symbols, strings, versions, names).items():
                found.setdefault(name, value)
    return found


def _bytes(stream: BinaryIO, place: tuple[int, int]) -> bytes:
    stream.seek(place[0])
    return stream.read(place[1])


def _scan(symbols: bytes, strings: bytes, versions: bytes, names: Iterable[str]) -> dict[str, int]:
    """Values of the defined functions with these names in a symbol table."""
    offsets = {}
    for name in names:
        # A name may share the end of a longer one's, so each place where it ends in a NUL can be meant.
        raw = name.encode() + b"\0"
        start = strings.find(raw)
        while start >= 0:
            offsets[start] = name
            start = strings.find(raw, start + 1)
    if not offsets:
        return {}
    default: dict[str, int | None] = {}
    others: dict[str, int] = {}
    size = len(symbols) // _SYMBOL.size * _SYMBOL.size
    for index, (where, info, _, section, value, _) in enumerate(_SYMBOL.iter_unpack(symbols[:size])):
        if where not in offsets or section == SHN_UNDEF:
            continue
        name = offsets[where]
        # An indirect function (STT_GNU_IFUNC) has the address of what chooses it, not its own.
        is_function = info & 0xF == STT_FUNC
        if len(versions) >= 2 * index + 2 and struct.unpack_from("<H", versions, 2 * index)[0] & VERSYM_HIDDEN:
            if is_function:
                others[name] = value
        elif is_function or name not in default:
            default[name] = value if is_function else None
    # An old version counts only where there is no default one, whatever that is.
    merged = {**others, **default}
    return {name: value for name, value in merged.items() if value is not None}
