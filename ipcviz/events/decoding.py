"""Decoding bytes that come from elsewhere: files, pipes, other machines.

Nothing in them is believed.

msgspec's releases do not agree on what they raise for bytes that are no UTF-8 (`UnicodeDecodeError`
up to 0.22, its own `DecodeError` from 0.23 on), and input that is nested deeply ends in a
`RecursionError`. Here each of these is a `DecodingError`, so that no reader has to know.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


class DecodingError(ValueError):
    """What was to be decoded is not what was expected; the message says why, in the decoder's
    words.
    """


class NotUtf8Error(DecodingError):
    """It should be text, and is not UTF-8."""


def decode_text(data: bytes) -> str:
    """Bytes as text.

    Raises:
        NotUtf8Error: They are not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise NotUtf8Error(str(error)) from None


def decode_json(decoder: msgspec.json.Decoder[T], data: bytes | str) -> T:
    """A JSON text as what the decoder makes of it.

    Raises:
        NotUtf8Error: The bytes are not UTF-8, wherever in them.
        DecodingError: It is not JSON, is nested too deeply, or is of another shape than the decoder
            wants.
    """
    text = decode_text(data) if isinstance(data, bytes) else data
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        # ValueError: an integer of more digits than Python converts, and text with a lone
        # surrogate.
        raise DecodingError(str(error)) from None


def decode_messagepack(decoder: msgspec.msgpack.Decoder[T], data: bytes | msgspec.Raw) -> T:
    """MessagePack as what the decoder makes of it.

    Raises:
        DecodingError: It is not MessagePack, has text that is not UTF-8, is nested too deeply, or
            is of another shape than the decoder wants.
    """
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise DecodingError(str(error)) from None
