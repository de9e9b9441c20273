"""Frames on the socketpair between the tracer and its session: a length, then a MessagePack
list.
"""

from __future__ import annotations

import struct
from typing import Final

LENGTH: Final = struct.Struct("=I")


def frame_body(body: bytes) -> bytes:
    """A body with its length before it."""
    return LENGTH.pack(len(body)) + body


class Unframer:
    """Takes bytes as they come, gives whole bodies."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; the bodies that are whole now, in order."""
        buffer = self._buffer
        buffer += data
        bodies = []
        while len(buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer)
            if len(buffer) < LENGTH.size + length:
                break
            bodies.append(bytes(buffer[LENGTH.size : LENGTH.size + length]))
            del buffer[: LENGTH.size + length]
        return bodies
