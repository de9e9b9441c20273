"""What the debug information of a program file tells (DWARF, as `cc -g` writes it): which source
line an address belongs to, and where a variable lies and what it is.

pyelftools decodes it. Only what is asked for is parsed: the table of one compilation unit's lines,
the entries of one unit. Results are kept by the file's identity, size and time, for as many files
as `KEPT`. A program without debug information costs a look at its section headers, once.

As in `ipcviz.kernel.elf`, a file may say anything: how much of it is read and looped over is
bounded, and what is beyond the bounds counts as not known. Addresses here are those of the file
(st_value, p_vaddr), before it is moved to where it is loaded.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, NamedTuple

from elftools.elf.elffile import ELFFile

from ipcviz.kernel import elf

MAX_DEBUG_BYTES: Final = 96 << 20
"""Bytes of debug information that a file may have for it to be looked into: pyelftools reads its
sections whole.
"""
MAX_UNITS: Final = 20_000
"""Compilation units of a file that are looked through."""
MAX_LINE_BYTES: Final = 512 << 10
"""Bytes that one unit's line table may have: each can become a row, and pyelftools makes all
rows at once.
"""
MAX_ENTRIES: Final = 200_000
"""Entries of one unit that are looked at for a variable or a function."""
MAX_DEPTH: Final = 16
"""How many typedefs, consts, members and the like one type may lead through."""
KEPT: Final = 64
"""Files whose debug information is kept in memory."""

_ENCODINGS: Final = {
    2: "bool",
    4: "float",
    5: "int",
    6: "int",
    7: "uint",
    8: "uint",
    16: "uint",
}
"""DW_AT_encoding (DWARF 5, table 7.11) of what one value can be shown as."""
_NAMES: Final = (
    "DW_TAG_typedef",
    "DW_TAG_const_type",
    "DW_TAG_volatile_type",
    "DW_TAG_atomic_type",
)
_RECORDS: Final = ("DW_TAG_structure_type", "DW_TAG_union_type", "DW_TAG_class_type")
_OP_ADDR: Final = 0x03
_OP_ADDRX: Final = 0xA1
"""DWARF 5, table 7.9."""
_STEP: Final = re.compile(r"(\.|->)([A-Za-z_]\w*)|\[(\d+)\]")
_FIRST: Final = re.compile(r"\s*([A-Za-z_]\w*)")


class SourceLine(NamedTuple):
    """A line of a program's source.

    Attributes:
        file: The source file's path as the compiler was given it, made absolute by the folder in
            which it ran. Nothing says that it is there, or that it is still what was compiled.
        line: From 1.
        function: The function that the address is in; empty if none is known.
    """

    file: str
    line: int
    function: str


class Variable(NamedTuple):
    """Where a variable lies, or what is reached from it, and what it is.

    Attributes:
        address: Of the variable that the expression begins with.
        hops: For each pointer on the way (`->`), how far behind the address that the pointer holds
            the next one, or the variable itself, lies. Empty if no pointer is followed.
        size: In bytes.
        type: As a programmer would write it: `int`, `struct queue *`.
        encoding: `int`, `uint`, `float`, `bool`, `pointer`; empty for what is not one value.
    """

    address: int
    hops: tuple[int, ...]
    size: int
    type: str
    encoding: str


class _Type(NamedTuple):
    die: Any
    size: int
    words: str
    encoding: str


class _LineTable:
    """One unit's line table: rows by address, and the names of its files."""

    def __init__(self, dwarf: Any, unit: Any) -> None:
        self.addresses: list[int] = []
        self._rows: list[tuple[int, int]] = []
        self._names: list[str] = []
        start = unit.get_top_DIE().attributes.get("DW_AT_stmt_list")
        if start is None or dwarf.debug_line_sec is None:
            return
        _check_line_table(dwarf.debug_line_sec.stream, start.value)
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            return
        self._names = list(_file_names(program, unit))
        found: list[tuple[int, int, int]] = []
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            found.append((state.address, -1 if state.end_sequence else state.file, state.line))
        # Where one sequence ends another may begin at the same address: the end comes first.
        found.sort(key=lambda row: (row[0], row[1] >= 0))
        self.addresses = [row[0] for row in found]
        self._rows = [row[1:] for row in found]

    def find_line(self, address: int) -> tuple[str, int] | None:
        """File and line of an address; None if no row covers it."""
        at = bisect_right(self.addresses, address) - 1
        if at < 0:
            return None
        file, line = self._rows[at]
        # Line 0: the compiler made this code up (DWARF 5, 6.2.2). The line before it still stands.
        while line == 0 and at > 0 and file >= 0:
            at -= 1
            file, line = self._rows[at]
        if not 0 <= file < len(self._names) or line <= 0:
            return None
        return self._names[file], line


class DebugInfo:
    """The debug information of one file, parsed as far as it is asked for."""

    def __init__(self, dwarf: Any) -> None:
        self._dwarf = dwarf
        self._lines: dict[int, _LineTable] = {}
        self._functions: dict[int, list[tuple[int, int, str]]] = {}
        self._variables: dict[str, Variable | None] = {}

    @cached_property
    def _units(self) -> list[Any]:
        units = []
        for unit in self._dwarf.iter_CUs():
            units.append(unit)
            if len(units) >= MAX_UNITS:
                break
        return units

    @cached_property
    def _ranges(self) -> list[tuple[int, int, int]]:
        """(start, end, number of the unit) of all code, by start."""
        found = []
        for number, unit in enumerate(self._units):
            for start, end in _ranges_of(self._dwarf, unit, unit.get_top_DIE()):
                if start < end:
                    found.append((start, end, number))
        found.sort()
        return found

    def _unit_at(self, address: int) -> int | None:
        at = bisect_right(self._ranges, (address, 1 << 64, 0)) - 1
        if at >= 0 and self._ranges[at][0] <= address < self._ranges[at][1]:
            return self._ranges[at][2]
        return None

    def find_line(self, address: int) -> SourceLine | None:
        """The source line that the instruction at an address was made of; None if it is not known.

        What called a function stands before its return address: ask for that less one.
        """
        number = self._unit_at(address)
        if number is None:
            return None
        if number not in self._lines:
            self._lines[number] = _LineTable(self._dwarf, self._units[number])
        found = self._lines[number].find_line(address)
        if found is None:
            return None
        return SourceLine(*found, self._function_at(number, address))

    def _function_at(self, number: int, address: int) -> str:
        if number not in self._functions:
            rows = []
            for die in _list_entries(self._units[number]):
                if die.tag != "DW_TAG_subprogram":
                    continue
                name = _name_of(die)
                for start, end in _ranges_of(self._dwarf, self._units[number], die):
                    rows.append((start, end, name))
            self._functions[number] = sorted(rows)
        rows = self._functions[number]
        at = bisect_right(rows, (address, 1 << 64, "")) - 1
        return rows[at][2] if at >= 0 and rows[at][0] <= address < rows[at][1] else ""

    def find_variable(self, expression: str) -> Variable | None:
        """A variable that has one place while the program runs (global, or static), or what is
        reached from it: `counter`, `queue.in`, `queue->slot[2]`.

        None if there is no such variable, or the expression is none.
        """
        if expression not in self._variables:
            if len(self._variables) >= KEPT:
                self._variables.clear()
            self._variables[expression] = self._locate_expression(expression)
        return self._variables[expression]

    def _locate_expression(self, expression: str) -> Variable | None:
        pointed = expression.startswith("*")
        expression = expression.removeprefix("*")
        first = _FIRST.match(expression)
        if first is None:
            return None
        for unit in self._units:
            for die in _list_entries(unit):
                if die.tag != "DW_TAG_variable" or _name_of(die) != first[1]:
                    continue
                address = _address_of(die, unit)
                if address is not None:
                    rest = expression[first.end() :].strip()
                    return _follow_members(die, address, rest, pointed=pointed)
        return None


def read_debug_info(path: str) -> DebugInfo | None:
    """The debug information of a program or library; None if it has none, or can't be read."""
    return _infos.get(path)


def _open_info(path: str) -> DebugInfo | None:
    stream = elf.open_file(path)
    if stream is None:
        return None
    with stream:
        try:
            file = ELFFile(stream)
            if file.num_sections() > elf.MAX_SECTIONS:
                return None
            # What a compressed section says of its size is believed, too, when it is unpacked.
            sizes = [
                max(section["sh_size"], section.data_size)
                for section in file.iter_sections()
                if section.name.startswith(".debug_")
            ]
            if any(section.name.startswith(".zdebug_") for section in file.iter_sections()):
                # Of this older way to pack them nothing says beforehand how long they become.
                return None
            if not sizes or sum(sizes) > MAX_DEBUG_BYTES or not file.has_dwarf_info(strict=True):
                return None
            return DebugInfo(file.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False))
        except elf.BROKEN:
            return None


_infos: Final = elf.FileFacts(_open_info, KEPT)


def find_line(path: str, address: int) -> SourceLine | None:
    """The source line of an address in a program or library file; None if it is not known."""
    info = read_debug_info(path)
    if info is None:
        return None
    try:
        return info.find_line(address)
    except elf.BROKEN:
        return None


def find_variable(path: str, expression: str) -> Variable | None:
    """Where a variable of a program or library lies; None if its debug information has none such.

    Args:
        path: Of the file.
        expression: The name of a global or static variable, then any of `.member`, `->member` and
            `[number]`; with a `*` before all that, what the pointer there points to.
    """
    info = read_debug_info(path)
    if info is None:
        return None
    try:
        return info.find_variable(expression)
    except elf.BROKEN:
        return None


def _list_entries(unit: Any) -> Iterator[Any]:
    """A unit's entries, those in namespaces and functions as well: static variables lie there."""
    yield from _walk_entries(unit, unit.get_top_DIE())


def _list_children(die: Any) -> Iterator[Any]:
    """The entries directly below one."""
    depth = 0
    if not die.has_children:
        return
    for child in _walk_entries(die.cu, die):
        if child.is_null():
            if not depth:
                return
            depth -= 1
            continue
        if not depth:
            yield child
        depth += child.has_children


def _walk_entries(unit: Any, before: Any) -> Iterator[Any]:
    """A unit's entries behind one, as they stand in the file; those that end a list (null) too.

    pyelftools' own ways go where an entry says that its sibling is (DW_AT_sibling): for ever, if
    that is the entry itself.
    """
    at = before.offset + before.size
    end = unit.cu_offset + unit.size
    for _ in range(MAX_ENTRIES):
        if at >= end:
            return
        die = unit.get_DIE_from_refaddr(at)
        yield die
        at += die.size


def _name_of(die: Any) -> str:
    for _ in range(MAX_DEPTH):
        attribute = die.attributes.get("DW_AT_name")
        if attribute is not None:
            return os.fsdecode(attribute.value)
        for link in ("DW_AT_specification", "DW_AT_abstract_origin"):
            if link in die.attributes:
                die = die.get_DIE_from_attribute(link)
                break
        else:
            return ""
    return ""


def _ranges_of(dwarf: Any, unit: Any, die: Any) -> list[tuple[int, int]]:
    attributes = die.attributes
    low = attributes.get("DW_AT_low_pc")
    high = attributes.get("DW_AT_high_pc")
    if low is not None and high is not None:
        # A number is a length, an address is the end (DWARF 4, 2.17.2).
        end = high.value if high.form == "DW_FORM_addr" else low.value + high.value
        return [(low.value, end)]
    if "DW_AT_ranges" not in attributes:
        return []
    ranges = dwarf.range_lists()
    if ranges is None:
        return []
    base = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
    start = base.value if base is not None else 0
    found = []
    for entry in ranges.get_range_list_at_offset(attributes["DW_AT_ranges"].value, cu=unit):
        if hasattr(entry, "base_address"):
            start = entry.base_address
        elif getattr(entry, "is_absolute", False):
            found.append((entry.begin_offset, entry.end_offset))
        else:
            found.append((start + entry.begin_offset, start + entry.end_offset))
    return found


def _check_line_table(stream: Any, start: int) -> None:
    """Raise ValueError for a line table that would be long in parsing: its length, and in DWARF 5
    (6.2.4) as many folders and files as it likes of which each takes no byte.
    """
    stream.seek(start)
    head = stream.read(12)
    wide = head[:4] == b"\xff" * 4
    length = int.from_bytes(head[4:12] if wide else head[:4], "little")
    if length > MAX_LINE_BYTES:
        raise ValueError("a line table of a length that units do not have")
    stream.seek(start + (12 if wide else 4))
    table = stream.read(length)
    if int.from_bytes(table[:2], "little") < 5:
        return
    # Version, sizes of addresses and of selectors, length of the header, six bytes, and one for
    # each standard opcode but the first.
    fixed = 4 + (8 if wide else 4) + 6
    at = fixed + table[fixed - 1] - 1
    for _ in ("folders", "files"):
        forms = []
        for field in range(2 * table[at]):
            number, size = _read_leb128(table[at + 1 : at + 11])
            if field % 2:
                forms.append(number)
            at += size
        at += 1
        count, size = _read_leb128(table[at : at + 10])
        at += size
        if count > length or not (set(forms) <= set(_FORMS) and (forms or not count)):
            raise ValueError("names of files in a form that none has")
        for _ in range(count):
            for form in forms:
                at = _skip_value(table, at, form, 8 if wide else 4)
            if at > length:
                raise ValueError("names of files beyond the table")


_DATA16: Final = 0x1E
_UDATA: Final = 0x0F
_STRING: Final = 0x08
_BLOCK: Final = 0x09
_FORMS: Final = {
    0x0B: 1,
    0x05: 2,
    0x06: 4,
    0x07: 8,
    _DATA16: 16,
    0x0E: 0,
    0x1F: 0,
    _STRING: 0,
    _UDATA: 0,
    _BLOCK: 0,
}
"""DW_FORM_* that a line table's names and numbers of folders have (DWARF 5, 6.2.4.1): their bytes,
0 where that is the size of an offset or must be read.
"""


def _skip_value(table: bytes, at: int, form: int, offset_size: int) -> int:
    """Where what follows a value of some form begins."""
    if form == _STRING:
        return table.index(b"\0", at) + 1
    if form in (_UDATA, _BLOCK):
        number, size = _read_leb128(table[at : at + 10])
        return at + max(size, 1) + (number if form == _BLOCK else 0)
    return at + (_FORMS[form] or offset_size)


def _file_names(program: Any, unit: Any) -> Iterator[str]:
    """The paths that a line table's numbers of files mean."""
    header = program.header
    compiled_in = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    folder = os.fsdecode(compiled_in.value) if compiled_in is not None else ""
    folders = [os.fsdecode(one) for one in header["include_directory"]]
    modern = header["version"] >= 5
    if not modern:
        # Before DWARF 5 numbers begin at 1, and folder 0 is that of the compilation.
        folders = [folder, *folders]
        yield ""
    for entry in header["file_entry"]:
        name = os.fsdecode(entry.name)
        index = entry.dir_index
        inside = folders[index] if 0 <= index < len(folders) else ""
        yield os.path.normpath(os.path.join(folder, inside, name))


def _address_of(die: Any, unit: Any) -> int | None:
    """Where a variable lies; None for one on the stack, in a thread's own memory, or optimised
    away.
    """
    location = die.attributes.get("DW_AT_location")
    if location is None or location.form != "DW_FORM_exprloc":
        return None
    expression = bytes(location.value)
    size = unit["address_size"]
    # DW_OP_addr and an address, or DW_OP_addrx and its number in the table, and nothing else.
    if len(expression) == 1 + size and expression[0] == _OP_ADDR:
        return int.from_bytes(expression[1:], "little")
    if expression[:1] == bytes([_OP_ADDRX]):
        index, length = _read_leb128(expression[1:])
        if length == len(expression) - 1:
            return int(unit.dwarfinfo.get_addr(unit, index))
    return None


def _read_leb128(raw: bytes) -> tuple[int, int]:
    """An unsigned number (DWARF 5, 7.6), and how many bytes it takes; (0, 0) if it does not end."""
    number = 0
    for at, byte in enumerate(raw[:10]):
        number |= (byte & 0x7F) << 7 * at
        if byte < 0x80:
            return number, at + 1
    return 0, 0


def _type_of(die: Any) -> Any:
    if "DW_AT_type" in die.attributes:
        return die.get_DIE_from_attribute("DW_AT_type")
    if "DW_AT_specification" in die.attributes:
        return _type_of(die.get_DIE_from_attribute("DW_AT_specification"))
    return None


def _resolve_type(die: Any) -> _Type:
    """A type behind its names: what it is in the end, and what it is called."""
    words = ""
    for _ in range(MAX_DEPTH):
        if die is None:
            return _Type(None, 0, words or "void", "")
        name = _name_of(die)
        if die.tag == "DW_TAG_typedef" and not words:
            words = name
        if die.tag not in _NAMES:
            break
        die = _type_of(die)
    if die is None:
        return _Type(None, 0, words or "void", "")
    size = die.attributes["DW_AT_byte_size"].value if "DW_AT_byte_size" in die.attributes else 0
    if die.tag == "DW_TAG_pointer_type":
        inner = _type_of(die)
        pointed = _resolve_type(inner).words if inner is not None else "void"
        return _Type(die, size or 8, words or f"{pointed} *", "pointer")
    if die.tag == "DW_TAG_enumeration_type":
        return _Type(die, size, words or f"enum {name}".rstrip(), "uint")
    if die.tag == "DW_TAG_base_type":
        return _Type(
            die, size, words or name, _ENCODINGS.get(_read_number(die, "DW_AT_encoding"), "")
        )
    if die.tag == "DW_TAG_array_type":
        element = _resolve_type(_type_of(die))
        count = _count_elements(die)
        return _Type(die, element.size * count, words or f"{element.words}[{count}]", "")
    if die.tag in _RECORDS:
        kind = "union" if die.tag == "DW_TAG_union_type" else "struct"
        return _Type(die, size, words or f"{kind} {name}".rstrip(), "")
    return _Type(die, size, words or name, "")


def _read_number(die: Any, attribute: str) -> int:
    value = die.attributes[attribute].value if attribute in die.attributes else 0
    return value if isinstance(value, int) else 0


def _count_elements(die: Any) -> int:
    """How many elements an array has, all its dimensions together; 0 if that is not known."""
    count = 1
    for child in _list_children(die):
        if child.tag == "DW_TAG_subrange_type":
            if "DW_AT_count" in child.attributes:
                count *= _read_number(child, "DW_AT_count")
            else:
                count *= _read_number(child, "DW_AT_upper_bound") + 1
    return count


def _find_member(die: Any, name: str) -> tuple[int, Any] | None:
    """Offset and type of a member, also of those in unions and structures without a name."""
    for child in _list_children(die):
        if child.tag != "DW_TAG_member" or "DW_AT_bit_size" in child.attributes:
            continue
        offset = _read_number(child, "DW_AT_data_member_location")
        called = _name_of(child)
        if called == name:
            return offset, _type_of(child)
        if not called:
            inner = _resolve_type(_type_of(child))
            found = _find_member(inner.die, name) if inner.die is not None else None
            if found is not None:
                return offset + found[0], found[1]
    return None


def _follow_members(die: Any, address: int, rest: str, *, pointed: bool) -> Variable | None:
    """Walk `.member`, `->member` and `[number]` from a variable, and then, if it is `pointed`, to
    what the pointer there holds.
    """
    here = _resolve_type(_type_of(die))
    hops: list[int] = []
    start, offset = address, 0
    at = 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None or here.die is None or len(hops) > MAX_DEPTH:
            return None
        at = step.end()
        if step[3] is not None:
            if here.die.tag != "DW_TAG_array_type" or int(step[3]) >= _count_elements(here.die):
                return None
            here = _resolve_type(_type_of(here.die))
            offset += int(step[3]) * here.size
            continue
        if step[1] == "->":
            if here.encoding != "pointer":
                return None
            # The address so far is that of a pointer: what follows counts from what it holds.
            if hops:
                hops[-1] = offset
            else:
                start += offset
            hops.append(0)
            here, offset = _resolve_type(_type_of(here.die)), 0
        found = _find_member(here.die, step[2]) if here.die is not None else None
        if found is None or here.die.tag not in _RECORDS:
            return None
        offset += found[0]
        here = _resolve_type(found[1])
    if hops:
        hops[-1] = offset
    else:
        start += offset
    if pointed:
        if here.encoding != "pointer":
            return None
        hops.append(0)
        here = _resolve_type(_type_of(here.die))
    return Variable(start, tuple(hops), here.size, here.words, here.encoding)
