"""What one machine instruction does to memory, and in words, by capstone where that is installed
(`ipcviz[instructions]`).

On x86-64 a debug register stops a thread behind the instruction that loaded or stored. Where that
began can't be read backwards from there: instructions have 1 to 15 bytes. It is found forwards,
from the beginning of the function.

Instructions of aarch64 have 4 bytes, and whether one loads or stores is told by a few of its bits
("Loads and Stores" in Arm's Architecture Reference Manual, C4.1): there is no need for capstone. An
update of memory may be several instructions there, from a load-exclusive to a store-exclusive. A
stop in between would let every store fail (see `find_exclusive_ends`).
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Any, Final, NamedTuple

MAX_FUNCTION: Final = 1 << 16
"""Bytes from the beginning of a function that are decoded at most."""


class Instruction(NamedTuple):
    """An instruction that has been executed.

    Attributes:
        words: As an assembler writes it, in Intel's notation.
        loads: It reads memory.
        stores: It writes memory.
    """

    words: str
    loads: bool
    stores: bool


WORD: Final = 4
"""Bytes of an instruction of aarch64."""
LONGEST_SEQUENCE: Final = 16 * WORD
"""Bytes from a load-exclusive to behind its store-exclusive, at most."""
_NO_STOP: Final = Instruction("", loads=False, stores=False)


@cache
def _make_disassembler(machine: str) -> Any:
    """capstone's, for x86_64 or aarch64; None where it is not installed."""
    try:
        import capstone
    except ImportError:
        return None
    if machine == "aarch64":
        return capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = True
    return decoder


def can_decode() -> bool:
    """Whether instructions of x86-64 can be decoded here."""
    return _make_disassembler("x86_64") is not None


def decode_word(code: bytes, address: int) -> Instruction:
    """What an instruction of aarch64 does to memory; without words where capstone is missing.

    Args:
        code: Its 4 bytes.
        address: Where it lies.
    """
    if len(code) != WORD:
        return _NO_STOP
    loads, stores = _find_accesses(int.from_bytes(code, "little"))
    decoder = _make_disassembler("aarch64")
    found = next(decoder.disasm(code, address), None) if decoder is not None else None
    return Instruction(
        f"{found.mnemonic} {found.op_str}".strip() if found is not None else "", loads, stores
    )


def _find_accesses(word: int) -> tuple[bool, bool]:
    """Whether an instruction of aarch64 loads, and whether it stores."""
    group, is_load, vector = word >> 24 & 0x3F, bool(word >> 22 & 1), bool(word >> 26 & 1)
    load_or_store = (is_load, not is_load)
    if group == 0b001000:  # exclusive, ordered; compare and swap
        swaps = bool(word >> 21 & 1) and (bool(word >> 23 & 1) or not word >> 31)
        return (True, True) if swaps else load_or_store
    if group in (0b001100, 0b001101):  # structures of vectors
        return load_or_store if not word >> 31 else (False, False)
    if group >> 3 == 0b101:  # pairs
        return load_or_store
    if group >> 3 == 0b011 and not group & 1:  # near the program counter
        return word >> 30 != 0b11 or vector, False
    if group >> 3 != 0b111:
        return False, False
    if not group & 1 and word >> 21 & 1:
        form = word >> 10 & 0b11
        if form == 0b00 and not vector:  # atomic operations, but for LDAPR
            return (True, word >> 12 & 0b1111 != 0b1100)
        if form != 0b10:  # with an authenticated pointer
            return True, False
    size, kind = word >> 30, word >> 22 & 0b11
    if vector:
        return load_or_store
    if size == 0b11 and kind == 0b10:  # PRFM asks for a line of the cache
        return False, False
    return kind != 0, kind == 0


def is_exclusive(word: int) -> bool:
    """Whether an instruction of aarch64 is a load-exclusive or a store-exclusive."""
    pair_or_one = not word >> 21 & 1 or bool(word >> 31)
    return word >> 24 & 0x3F == 0b001000 and not word >> 23 & 1 and pair_or_one


def find_exclusive_ends(code: bytes, address: int) -> tuple[int, ...]:
    """Where a sequence of aarch64 that begins with a load-exclusive is left.

    Between it and its store-exclusive nothing may stop the thread: an exception clears the
    processor's monitor, the store fails, and a program that tries again does so for ever.

    Args:
        code: From its first instruction on.
        address: Where that lies.

    Returns:
        Addresses behind its store-exclusive, and to which it branches before; none if it is no such
        sequence.
    """
    words = [
        int.from_bytes(code[at : at + WORD], "little")
        for at in range(0, min(len(code), LONGEST_SEQUENCE) // WORD * WORD, WORD)
    ]
    if not words or not is_exclusive(words[0]) or _find_accesses(words[0])[1]:
        return ()
    branches: list[int] = []
    for place, word in enumerate(words[1:], 1):
        if is_exclusive(word) and _find_accesses(word)[1]:
            behind = address + (place + 1) * WORD
            outside = [to for to in branches if not address <= to < behind]
            return tuple(dict.fromkeys([behind, *outside]))
        to = _find_branch(word, address + place * WORD)
        if to is not None:
            branches.append(to)
    return ()


def find_status_register(code: bytes) -> int:
    """Which register of aarch64 a store-exclusive puts 0 into if it has stored, and else 1."""
    return int.from_bytes(code[:WORD], "little") >> 16 & 0x1F


def _find_branch(word: int, address: int) -> int | None:
    """Where a conditional branch of aarch64 may go; None if an instruction is none."""
    if word >> 24 & 0xFE == 0x54 or word >> 24 & 0x7E == 0x34:  # B.cond; CBZ, CBNZ
        bits, shift = 19, 5
    elif word >> 24 & 0x7E == 0x36:  # TBZ, TBNZ
        bits, shift = 14, 5
    elif word >> 24 & 0xFC == 0x14:  # B
        bits, shift = 26, 0
    else:
        return None
    distance = word >> shift & (1 << bits) - 1
    return address + WORD * (distance - (distance >> bits - 1 << bits))


def decode_last(code: bytes, start: int) -> Instruction | None:
    """The last instruction of some machine code of x86-64; None if it can't be told.

    Args:
        code: From the beginning of a function up to the end of the instruction.
        start: The address of the beginning.
    """
    decoder = _make_disassembler("x86_64")
    if decoder is None or not code or len(code) > MAX_FUNCTION:
        return None
    import capstone

    decoded = deque(decoder.disasm(code, start), maxlen=1)
    # A decoder that has lost its way ends before the end.
    if not decoded or decoded[0].address + decoded[0].size != start + len(code):
        return None
    last = decoded[0]
    access = 0
    for operand in last.operands:
        if operand.type == capstone.x86.X86_OP_MEM:
            access |= operand.access
    words = f"{last.mnemonic} {last.op_str}".strip()
    return Instruction(
        words, bool(access & capstone.CS_AC_READ), bool(access & capstone.CS_AC_WRITE)
    )
