"""What instructions of aarch64 do to memory, as GNU as encodes them."""

from __future__ import annotations

import pytest

from ipcviz.kernel.instructions import (
    WORD,
    decode_word,
    find_exclusive_ends,
    find_status_register,
    is_exclusive,
)

LOADS = {
    "ldr x0, [x1]": 0xF9400020,
    "ldrb w0, [x1], #1": 0x38401420,
    "ldp x0, x1, [sp]": 0xA94007E0,
    "ldr x0, 6c": 0x580002A0,
    "ldrsw x0, [x1]": 0xB9800020,
    "ldr q0, [x1]": 0x3DC00020,
    "ld1 {v0.16b}, [x0]": 0x4C407000,
    "ldar x0, [x1]": 0xC8DFFC20,
    "ldaxr x0, [x1]": 0xC85FFC20,
    "ldxp x0, x2, [x1]": 0xC87F0820,
    "ldapr x0, [x1]": 0xF8BFC020,
}
STORES = {
    "str w0, [x1, #4]": 0xB9000420,
    "strh w0, [x1, x2]": 0x78226820,
    "stp x29, x30, [sp, #-16]!": 0xA9BF7BFD,
    "str d0, [x1]": 0xFD000020,
    "st1 {v0.16b}, [x0]": 0x4C007000,
    "stlr x0, [x1]": 0xC89FFC20,
    "stlxr w3, x0, [x1]": 0xC803FC20,
    "stxp w3, x0, x2, [x1]": 0xC8230820,
}
BOTH = {
    "cas x0, x1, [x2]": 0xC8A07C41,
    "casp x0, x1, x2, x3, [x4]": 0x48207C82,
    "ldadd x0, x1, [x2]": 0xF8200041,
    "swp x0, x1, [x2]": 0xF8208041,
}
NEITHER = {
    "prfm pldl1keep, [x0]": 0xF9800000,
    "add x0, x1, x2": 0x8B020020,
    "ret": 0xD65F03C0,
    "svc #0": 0xD4000001,
    "nop": 0xD503201F,
}
EXCLUSIVE = {
    "ldaxr x0, [x1]",
    "ldxp x0, x2, [x1]",
    "stlxr w3, x0, [x1]",
    "stxp w3, x0, x2, [x1]",
}
ALL = {
    text: (word, does)
    for words, does in (
        (LOADS, (True, False)),
        (STORES, (False, True)),
        (BOTH, (True, True)),
        (NEITHER, (False, False)),
    )
    for text, word in words.items()
}


def encode(*words: int) -> bytes:
    return b"".join(word.to_bytes(WORD, "little") for word in words)


@pytest.mark.parametrize("text", ALL)
def test_what_an_instruction_does_to_memory(text):
    word, does = ALL[text]
    found = decode_word(encode(word), 0x1000)
    assert (found.loads, found.stores) == does
    assert is_exclusive(word) == (text in EXCLUSIVE)


def test_words_are_an_assemblers():
    pytest.importorskip("capstone")
    assert decode_word(encode(0xF9400020), 0).words == "ldr x0, [x1]"


def test_code_that_could_not_be_read_does_nothing():
    assert decode_word(b"\x20\x00", 0) == decode_word(b"", 0)
    assert not decode_word(b"", 0).loads


LDAXR, STLXR = 0xC85FFC20, 0xC803FC20
ADD, SUBS = 0x8B020020, 0xEB02001F


def branch(words: int) -> int:
    """B.NE, by so many instructions."""
    return 0x54000001 | (words & 0x7FFFF) << 5


def test_a_sequence_ends_behind_its_store_exclusive():
    code = encode(LDAXR, ADD, STLXR, 0x35FFFFA3)
    assert find_exclusive_ends(code, 0x1000) == (0x100C,)
    assert find_status_register(encode(STLXR)) == 3


def test_a_compare_may_leave_a_sequence_before_it_stores():
    code = encode(LDAXR, SUBS, branch(3), STLXR, ADD, ADD)
    assert find_exclusive_ends(code, 0x1000) == (0x1010, 0x1014)


def test_a_branch_within_a_sequence_is_no_end():
    code = encode(LDAXR, branch(1), ADD, STLXR)
    assert find_exclusive_ends(code, 0x1000) == (0x1010,)


@pytest.mark.parametrize(
    "code",
    [encode(0xF9400020, STLXR), encode(STLXR), encode(LDAXR, *[ADD] * 20, STLXR), b""],
    ids=["a plain load", "a store alone", "too far away", "nothing"],
)
def test_what_is_no_sequence_has_no_ends(code):
    assert find_exclusive_ends(code, 0x1000) == ()
