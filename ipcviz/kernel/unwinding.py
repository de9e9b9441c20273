"""A thread's chain of calls: from its registers and its stack, by the tables that compilers write
beside the code (.eh_frame, Linux Standard Base 10.6).

Each row of such a table says for a range of addresses where the caller's registers are to be found
from there. The table of a file has an index by address (.eh_frame_hdr), so one entry is decoded for
each frame, by pyelftools. Programs without these tables (Go before its own, hand-written machine
code) end the chain.

Nothing is asked of the thread but its registers and its memory, and nothing is changed.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, Final, NamedTuple

from elftools.dwarf.callframe import FDE, CallFrameInfo
from elftools.dwarf.structs import DWARFStructs
from elftools.elf.elffile import ELFFile

from ipcviz.kernel import elf
from ipcviz.kernel.arch import Arch
from ipcviz.kernel.maps import MapLine

MAX_FRAMES: Final = 64
"""Frames of one chain that are followed: what made a call is near its beginning."""
MAX_ENTRY: Final = 1 << 16
"""Bytes of one entry of .eh_frame: those of functions are some hundred."""
MAX_INDEX: Final = 1 << 20
"""Entries of one file's index: a browser's has some 500,000."""
MAX_PIECES: Final = 64
"""Operations of one expression that are carried out."""
KEPT: Final = 128
"""Files whose index is kept, and entries that are."""
_MASK: Final = (1 << 64) - 1
_WORD: Final = 8

_PC_RELATIVE_4: Final = 0x1B
_UNSIGNED_4: Final = 0x03
_TABLE_RELATIVE_4: Final = 0x3B
"""DW_EH_PE_pcrel|sdata4, udata4, datarel|sdata4: as all linkers write the index."""


class _Numbers(NamedTuple):
    """How DWARF numbers an architecture's registers.

    Attributes:
        indices: For DWARF's register N, its index in NT_PRSTATUS.
        sp: DWARF's number of the stack pointer.
    """

    indices: tuple[int, ...]
    sp: int


_NUMBERS: Final = {
    # System V ABI for AMD64, figure 3.36: rax rdx rcx rbx rsi rdi rbp rsp r8 .. r15, and the
    # return address.
    "x86_64": _Numbers((10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16), 7),
    # DWARF for the Arm 64-bit Architecture, 4.1: x0 to x30, and sp.
    "aarch64": _Numbers((*range(31), 31), 31),
}


class Frame(NamedTuple):
    """One function that a thread is in.

    Attributes:
        path: The file that its code is mapped from, as /proc/PID/maps has it.
        address: In that file, of the instruction that it executes, or, of one that has called
            another, of the last byte of that call.
    """

    path: str
    address: int


class _Index(NamedTuple):
    """The index of a file's call frame entries.

    Attributes:
        starts: First addresses of what each entry is about, ascending.
        entries: Addresses of the entries.
        segments: (address, offset in the file, size) of what is loaded.
    """

    starts: tuple[int, ...]
    entries: tuple[int, ...]
    segments: tuple[tuple[int, int, int], ...]


Read = Callable[[int, int], bytes | None]
"""Reads so many bytes at an address of the thread's memory; None if they can't be read."""
FindMapping = Callable[[int], MapLine | None]
"""Finds the mapping that an address of the thread's memory lies in."""

_entries: dict[tuple[elf.Identity, int], tuple[Any, ...] | None] = {}


def walk_stack(
    arch: Arch,
    registers: Sequence[int | None],
    read: Read,
    find_mapping: FindMapping,
    root: str = "",
    *,
    behind: bool = False,
) -> Iterator[Frame]:
    """The functions that a stopped thread is in, innermost first, each found when it is asked for.

    Args:
        arch: Its architecture.
        registers: Its general registers, as `ptrace.get_registers` gives them; None for those that
            are not known, which the program counter and the stack pointer must be.
        read: Reads its memory.
        find_mapping: Finds a line of its /proc/PID/maps.
        root: Where its root folder is for us (`/proc/PID/root`); empty if it is ours.
        behind: The instruction that is asked about is the one before the program counter.

    Yields:
        At least one frame if its program counter lies in a mapped file. The chain ends where a
        file has no table for an address, or the stack can't be read.
    """
    numbers = _NUMBERS.get(arch.machine)
    if numbers is None:
        return
    values: dict[int, int] = {}
    for number, place in enumerate(numbers.indices):
        value = registers[place]
        if value is not None:
            values[number] = value
    pc = registers[arch.pc]
    if pc is None or numbers.sp not in values:
        return
    called = behind
    for _ in range(MAX_FRAMES):
        # A return address may be that of the next function, if the call was the last instruction.
        at = pc - called
        line = find_mapping(at)
        if line is None or not line.path.startswith("/"):
            return
        index = _indices.get(root + line.path)
        address = None if index is None else _address_in_file(index, line, at)
        if index is None or address is None:
            return
        yield Frame(line.path, address)
        rules = _find_rules(root + line.path, index, address)
        if rules is None:
            return
        caller = _step_out(rules, values, numbers, read)
        if caller is None or (caller[1][numbers.sp] <= values[numbers.sp] and not rules.signal):
            return  # A stack that does not unwind would go on for ever.
        pc, values = caller
        called = not rules.signal
        if not pc:
            return


def find_function(path: str, address: int) -> int | None:
    """Where the function begins that has an address of a file, by its call frame entries; None if
    there is none.
    """
    index = _indices.get(path)
    at = -1 if index is None else bisect_right(index.starts, address) - 1
    return None if index is None or at < 0 else index.starts[at]


class _Rules(NamedTuple):
    """Where the caller's registers are, for one address.

    Attributes:
        cfa: pyelftools' rule for the canonical frame address, the caller's stack pointer.
        registers: Rules by DWARF's number.
        back: The register that stands for the return address.
        signal: The frame is one that the kernel made to run a handler of a signal.
    """

    cfa: Any
    registers: dict[int, Any]
    back: int
    signal: bool


def _parse_index(path: str) -> _Index | None:
    stream = elf.open_file(path)
    if stream is None:
        return None
    with stream:
        try:
            file = ELFFile(stream)
            if file.elfclass != 64 or not file.little_endian:
                return None
            header, segments = None, []
            for _, segment in zip(range(elf.MAX_SEGMENTS), file.iter_segments(), strict=False):
                place = segment["p_vaddr"], segment["p_offset"], segment["p_filesz"]
                if segment["p_type"] == "PT_LOAD":
                    segments.append(place)
                elif segment["p_type"] == "PT_GNU_EH_FRAME":
                    header = place
            if header is None:
                return _Index((), (), tuple(segments))
            return _parse_header(stream.fileno(), header, segments)
        except elf.BROKEN:
            return None


_indices: Final = elf.FileFacts(_parse_index, KEPT)


def _parse_header(
    fd: int, header: tuple[int, int, int], segments: list[tuple[int, int, int]]
) -> _Index:
    address, offset, size = header
    nothing = _Index((), (), tuple(segments))
    head = os.pread(fd, 12, offset)
    if len(head) < 12 or tuple(head[:4]) != (1, _PC_RELATIVE_4, _UNSIGNED_4, _TABLE_RELATIVE_4):
        return nothing
    count = min(int.from_bytes(head[8:12], "little"), max(size - 12, 0) // 8)
    if count > MAX_INDEX:
        return nothing
    table = os.pread(fd, 8 * count, offset + 12)
    numbers = struct.unpack(f"<{len(table) // 4 & ~1}i", table[: len(table) // 8 * 8])
    return _Index(
        tuple(address + number for number in numbers[::2]),
        tuple(address + number for number in numbers[1::2]),
        tuple(segments),
    )


def _address_in_file(index: _Index, line: MapLine, at: int) -> int | None:
    """The address that the file itself has for an address of the thread's memory."""
    offset = at - line.start + line.offset
    for address, begin, size in index.segments:
        if begin <= offset < begin + size:
            return address + offset - begin
    return None


def _find_rules(path: str, index: _Index, address: int) -> _Rules | None:
    at = bisect_right(index.starts, address) - 1
    if at < 0:
        return None
    identity = elf.identify_file(path)
    if identity is None:
        return None
    key = identity, index.entries[at]
    if key not in _entries:
        if len(_entries) >= KEPT:
            _entries.clear()
        _entries[key] = _read_entry(path, index, index.entries[at])
    entry = _entries[key]
    if entry is None:
        return None
    start, end, rows, back, signal = entry
    if not start <= address < end:
        return None
    chosen = None
    for row in rows:
        if row["pc"] > address:
            break
        chosen = row
    if chosen is None:
        return None
    registers = {n: rule for n, rule in chosen.items() if isinstance(n, int)}
    return _Rules(chosen["cfa"], registers, back, signal)


def _read_entry(path: str, index: _Index, address: int) -> tuple[Any, ...] | None:
    """First address, last one and one more, rows, return register, and whether it is of a handler's
    frame; None if the entry can't be read.
    """
    stream = elf.open_file(path)
    if stream is None:
        return None
    with stream:
        try:
            body = _read_at(stream, index, address)
            # How far the common part lies before the place that says so.
            back = int.from_bytes(body[4:8], "little")
            common = _read_at(stream, index, address + 4 - back)
            # The two of them alone, as a section of their own: what is relative to its place in
            # the section stays so, since the section is put where the entry has its own address.
            body = body[:4] + struct.pack("<I", len(common) + 4) + body[8:]
            raw = common + body
            structures = DWARFStructs(little_endian=True, dwarf_format=32, address_size=_WORD)
            section = CallFrameInfo(
                BytesIO(raw), len(raw), address - len(common), structures, for_eh_frame=True
            )
            entry = section.get_entries()[1]
            if not isinstance(entry, FDE) or entry.cie is None:
                return None
            start = entry.header["initial_location"]
            augmentation = entry.cie.header["augmentation"]
            return (
                start,
                start + entry.header["address_range"],
                entry.get_decoded().table,
                entry.cie.header["return_address_register"],
                b"S" in augmentation,
            )
        except elf.BROKEN:
            return None


def _read_at(stream: Any, index: _Index, address: int) -> bytes:
    """An entry with its length, from the file."""
    for start, offset, size in index.segments:
        if start <= address < start + size:
            stream.seek(offset + address - start)
            head = stream.read(4)
            length = int.from_bytes(head, "little")
            if not 4 <= length <= MAX_ENTRY:
                raise ValueError("no entry of a length that functions have")
            return bytes(head + stream.read(length))
    raise ValueError("an entry outside of what is loaded")


def _step_out(
    rules: _Rules, values: dict[int, int], numbers: _Numbers, read: Read
) -> tuple[int, dict[int, int]] | None:
    """The caller's program counter and registers."""
    if rules.cfa.expr is not None:
        cfa = _evaluate_expression(rules.cfa.expr, values, read, None)
    else:
        base = values.get(rules.cfa.reg)
        cfa = None if base is None else base + rules.cfa.offset & _MASK
    if cfa is None:
        return None
    outer = dict(values)
    for number, rule in rules.registers.items():
        value = _apply_rule(rule, cfa, values, read)
        if value is None:
            outer.pop(number, None)
        else:
            outer[number] = value
    if numbers.sp not in rules.registers:
        outer[numbers.sp] = cfa
    pc = outer.get(rules.back)
    return None if pc is None else (pc, outer)


def _apply_rule(rule: Any, cfa: int, values: dict[int, int], read: Read) -> int | None:
    kind = rule.type
    if kind == "OFFSET":
        return _read_word(read, cfa + rule.arg)
    if kind == "VAL_OFFSET":
        return int(cfa + rule.arg) & _MASK
    if kind == "REGISTER":
        return values.get(rule.arg)
    if kind in ("EXPRESSION", "VAL_EXPRESSION"):
        value = _evaluate_expression(rule.arg, values, read, cfa)
        if value is None or kind == "VAL_EXPRESSION":
            return value
        return _read_word(read, value)
    return None  # UNDEFINED: the caller's is lost.


def _read_word(read: Read, address: int) -> int | None:
    raw = read(address & _MASK, _WORD)
    return None if raw is None or len(raw) < _WORD else int.from_bytes(raw, "little")


def _evaluate_expression(
    code: list[int], values: dict[int, int], read: Read, first: int | None
) -> int | None:
    """The value of a DWARF expression, of the operations that linkers and libc write; None if it
    has others.

    They are the stack pointer and words on the stack (the frame of a handler), and comparisons of
    the program counter's last bits (the procedure linkage table).
    """
    stack = [] if first is None else [first]
    at = 0
    for _ in range(MAX_PIECES):
        if at >= len(code):
            return stack[-1] & _MASK if stack else None
        operation, at = code[at], at + 1
        if 0x70 <= operation <= 0x8F:  # DW_OP_breg0 ...
            number, at = _decode_signed(code, at)
            if operation - 0x70 not in values:
                return None
            stack.append(values[operation - 0x70] + number)
        elif 0x30 <= operation <= 0x4F:  # DW_OP_lit0 ...
            stack.append(operation - 0x30)
        elif operation == 0x06 and stack:  # DW_OP_deref
            word = _read_word(read, stack.pop())
            if word is None:
                return None
            stack.append(word)
        elif operation == 0x23 and stack:  # DW_OP_plus_uconst
            number, at = _decode_unsigned(code, at)
            stack.append(stack.pop() + number)
        elif operation in _OPERATORS and len(stack) > 1:
            right, left = stack.pop(), stack.pop()
            stack.append(_OPERATORS[operation](left, right))
        else:
            return None
    return None


_OPERATORS: Final[dict[int, Callable[[int, int], int]]] = {
    0x1A: lambda left, right: left & right,
    0x1C: lambda left, right: left - right,
    0x22: lambda left, right: left + right,
    0x24: lambda left, right: left << min(right, 64),
    0x2A: lambda left, right: int(left >= right),
}
"""DW_OP_and, minus, plus, shl, ge."""


def _decode_unsigned(code: list[int], at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(code) and shift < 70:
        byte = code[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return number, at


def _decode_signed(code: list[int], at: int) -> tuple[int, int]:
    number, after = _decode_unsigned(code, at)
    bits = 7 * (after - at)
    return (number - (1 << bits) if bits and number >> bits - 1 & 1 else number), after
