"""Keys of System V objects (ftok(3), semget(2), shmget(2), msgget(2)) in words. Pure."""

from __future__ import annotations

from typing import Final

FAILED_WORDS: Final = "key -1: had ftok failed? Every program whose ftok fails shares this one"
_FAILED: Final = 0xFFFFFFFF


def number_of(key: int | str) -> int:
    """A key as a number without sign, as a call was given it or a name has it: `0x5e5e`,
    `/SYSV00005e5e`; 0 if none.
    """
    if isinstance(key, str):
        text = key.removeprefix("/SYSV").partition(" ")[0].partition("[")[0]
        try:
            key = int(text, 16)
        except ValueError:
            return 0
    return key & _FAILED


def describe_key(key: int | str) -> str:
    """`the key 0x5e5e`; `no key (IPC_PRIVATE)`, of which each call makes another object."""
    number = number_of(key)
    return f"the key {number:#x}" if number else "no key (IPC_PRIVATE)"


def warning_of(key: int | str) -> str:
    """What to say of the key that ftok(3) returns where it fails; empty for others."""
    return FAILED_WORDS if number_of(key) == _FAILED else ""
