"""One machine instruction in words, by capstone where that is installed (`ipcviz[instructions]`).

A debug register stops a thread behind the instruction that loaded or stored. Where that began can't
be read backwards from there: instructions of x86-64 have 1 to 15 bytes. It is found forwards, from
the beginning of the function.
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


@cache
def _make_disassembler() -> Any:
    """capstone's, for x86-64; None where it is not installed."""
    try:
        import capstone
    except ImportError:
        return None
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = True
    return decoder


def can_decode() -> bool:
    """Whether instructions can be decoded here."""
    return _make_disassembler() is not None


def decode_last(code: bytes, start: int) -> Instruction | None:
    """The last instruction of some machine code of x86-64; None if it can't be told.

    Args:
        code: From the beginning of a function up to the end of the instruction.
        start: The address of the beginning.
    """
    decoder = _make_disassembler()
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
