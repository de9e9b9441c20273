"""Markers: a program says where it is by looking for a file below /.ipcviz/step/, which is there
nowhere.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from ipcviz.kernel import memory

PREFIX: Final = "/.ipcviz/step/"
LIMIT: Final = 200
"""Bytes of a marker's text that are read."""
_FIRST_WORD: Final = int.from_bytes(PREFIX.encode()[:8], sys.byteorder)


def text_of(path: str) -> str:
    """The text of a marker; empty if the path is none."""
    return path[len(PREFIX) :] if path.startswith(PREFIX) else ""


def text_at(tid: int, address: int) -> str:
    """The same of a path in a thread's memory.

    Of most paths the first word tells that they are no markers.
    """
    if memory.read_u64(tid, address) != _FIRST_WORD:
        return ""
    return text_of(os.fsdecode(memory.read_string(tid, address, len(PREFIX) + LIMIT) or b""))
