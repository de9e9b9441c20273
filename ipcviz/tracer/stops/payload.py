"""The first bytes that calls move out of a process, or into it: read from its memory while its
thread is stopped.
"""

from __future__ import annotations

from ipcviz.kernel import memory
from ipcviz.model.mechanisms.queues import SENDS
from ipcviz.tracer.calls.messages import WITH_HEADERS
from ipcviz.tracer.calls.plans import INCOMING, INCOMING_VECTORS, OUTGOING, OUTGOING_VECTORS
from ipcviz.tracer.tasks import Entered

TYPE_SIZE = 8
"""Bytes of a struct msgbuf's type, which comes before its text (msgop(2))."""
HEADER_SIZE = 32
"""Bytes of a struct msghdr up to the number of its vector's parts (recvmsg(2))."""
MOST_PARTS = 64
"""Parts of an I/O vector that are looked at."""


def read_outgoing(tid: int, name: str, raw: tuple[int, ...], most: int) -> bytes:
    """The first bytes, at most so many, that a call is about to move out of its process.

    Args:
        tid: The thread at its entry.
        name: The call.
        raw: Its argument registers.
        most: How many bytes are wanted.
    """
    if name in OUTGOING:
        return memory.read_bytes(tid, raw[1], min(raw[2], most)) or b""
    if name == "msgsnd":
        return memory.read_bytes(tid, raw[1] + TYPE_SIZE, min(raw[2], most)) or b""
    if name in OUTGOING_VECTORS:
        return _read_vector(tid, name, raw, most)
    return b""


def read_moved(tid: int, entered: Entered, result: int, most: int) -> bytes:
    """The first bytes, at most so many, that a call has moved which has returned `result` without
    an error.
    """
    if entered.name in SENDS:
        return entered.data  # they return 0
    if result <= 0:
        return b""
    if entered.name == "msgrcv":
        return memory.read_bytes(tid, entered.raw[1] + TYPE_SIZE, min(result, most)) or b""
    if entered.name in INCOMING:
        return memory.read_bytes(tid, entered.raw[1], min(result, entered.raw[2], most)) or b""
    if entered.name in INCOMING_VECTORS:
        return _read_vector(tid, entered.name, entered.raw, min(result, most))
    return entered.data[:result]


def _read_vector(tid: int, name: str, raw: tuple[int, ...], most: int) -> bytes:
    """The first bytes of an I/O vector, or of a message's."""
    if name in WITH_HEADERS:
        header = memory.read_bytes(tid, raw[1], HEADER_SIZE)
        if header is None or len(header) < HEADER_SIZE:
            return b""
        vector, count = (int.from_bytes(header[i : i + 8], "little") for i in (16, 24))
    else:
        vector, count = raw[1], raw[2]
    return memory.read_iovec(tid, vector, min(count, MOST_PARTS), most) or b""
