"""Decoders of arguments that are sets of flags, or one of several constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Word = int | str


def make_flag_decoder(table: tuple[tuple[int, str], ...], none: str = "0") -> Callable[[int], Word]:
    """Names of the bits that are set, joined by `|`; of several names for the same bits the first
    one counts.

    Args:
        table: Bits and their name; what has several bits comes before those that have one of them.
        none: What 0 is called.
    """

    def decode(value: int) -> Word:
        names = []
        rest = value
        for bits, name in table:
            if bits and rest & bits == bits:
                names.append(name)
                rest &= ~bits
        if rest:
            names.append(hex(rest))
        return "|".join(names) or none

    return decode


def make_choice_decoder(table: Mapping[int, str]) -> Callable[[int], Word]:
    """The constant's name; a value without one stays a number."""

    def decode(value: int) -> Word:
        return table.get(value, value)

    return decode


def with_mode(table: tuple[tuple[int, str], ...]) -> Callable[[int], Word]:
    """Flags above the nine permission bits, which are told in octal: `IPC_CREAT|0600`
    (sysvipc(7)).
    """
    decode = make_flag_decoder(table)

    def with_permissions(value: int) -> Word:
        value &= 0xFFFFFFFF
        rest = str(decode(value & ~0o777))
        if not value & 0o777:
            return rest
        mode = f"{value & 0o777:04o}"
        return mode if rest == "0" else f"{rest}|{mode}"

    return with_permissions
