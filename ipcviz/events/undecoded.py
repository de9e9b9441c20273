"""Bytes that are not UTF-8, in paths, names and arguments: Linux allows any, but text in the stream
is UTF-8.

Python keeps such a byte as a lone surrogate (PEP 383), which can't be encoded. In the stream it is
a character for private use instead, U+10FF80 to U+10FFFF, the last two digits of which are the
byte.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

FIRST: Final = 0x10FF80
LAST: Final = 0x10FFFF
_LONE: Final = 0xDC80
_LAST_LONE: Final = 0xDCFF
_KEPT: Final = {_LONE + i: FIRST + i for i in range(_LAST_LONE - _LONE + 1)}
_RESTORED: Final = {kept: lone for lone, kept in _KEPT.items()}


def byte_of(character: str) -> int:
    """The byte that a character stands for which is none, before or after it was encoded; -1 if it
    is one.
    """
    number = ord(character)
    if _LONE <= number <= _LAST_LONE:
        return number - _LONE + 0x80
    return number - FIRST + 0x80 if FIRST <= number <= LAST else -1


def encode_value(encoder: msgspec.msgpack.Encoder, value: Any) -> bytes:
    """Encode a value whose texts may contain such bytes."""
    try:
        return encoder.encode(value)
    except UnicodeEncodeError:
        return encoder.encode(
            _translate_texts(msgspec.to_builtins(value, builtin_types=(bytes,)), _KEPT)
        )


def restore_text(text: str) -> str:
    """The text as the system takes it, from one that was encoded so."""
    return text.translate(_RESTORED)


def escape_text(text: str) -> str:
    r"""The same for a message on a terminal, which must take none of it for a command: `\xff`,
    `\x1b`.
    """
    return "".join(c if c.isprintable() else _escape_character(c) for c in text)


def escape_json(data: bytes) -> bytes:
    r"""The same for JSON, which stays the same value: `\u009b`.

    Args:
        data: JSON in UTF-8. Characters below U+0020 are escaped in its texts already (RFC 8259,
            section 7); those between its texts stay.
    """
    if data.isascii() and b"\x7f" not in data:
        return data
    text = data.decode()
    return "".join(c if c <= "~" or c.isprintable() else json.dumps(c)[1:-1] for c in text).encode()


def _escape_character(character: str) -> str:
    byte = byte_of(character)
    return f"\\x{byte:02x}" if byte >= 0 else character.encode("unicode_escape").decode()


def _translate_texts(value: Any, table: dict[int, int]) -> Any:
    if isinstance(value, str):
        return value.translate(table)
    if isinstance(value, dict):
        return {
            _translate_texts(key, table): _translate_texts(one, table) for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_translate_texts(one, table) for one in value]
    return value
