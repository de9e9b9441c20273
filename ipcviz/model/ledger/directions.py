"""From and into which channels a call moves bytes."""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.events import ObjectInfo
from ipcviz.events.arguments import Arguments, number_in
from ipcviz.events.calls import COUNTS_MESSAGES, READS, READS_ANY, WRITES, where
from ipcviz.events.kinds import PEERED, PIPES
from ipcviz.model.state import StateFields

CHANNEL_READS: Final = where(lambda call: call.name in READS and call.on != "queue")
CHANNEL_WRITES: Final = where(lambda call: call.name in WRITES and call.on != "queue")
"""Calls that move bytes out of a channel or into it: not those that move messages of queues."""

BETWEEN: Final = where(lambda call: call.flow == "transfers" and call.on != "file")
"""Calls that move bytes from one channel, or file, into another: copy_file_range(2) knows files
alone.
"""

EITHER_WAY: Final = where(
    lambda call: bool(call.flow) and call.on == "pipe" and call.has_argument("fd")
)
"""Calls that put bytes into a pipe, or take them out, by which end they are given."""
UNPACKED: Final = BETWEEN | where(lambda call: bool(call.flow) and call.on == "pipe")
"""Calls that don't know of packets (O_DIRECT)."""
CHANNEL_CALLS: Final = CHANNEL_READS | CHANNEL_WRITES | BETWEEN | COUNTS_MESSAGES
"""Calls that put bytes into channels or take them out."""

_HAS_COUNT: Final = where(
    lambda call: call.name in CHANNEL_CALLS and ("count", "long") in call.arguments
)
"""Calls whose `count` is in bytes."""
_WHOLE: Final = where(
    lambda call: call.flow == "puts" and call.on == "any" and call.find_argument("buf") >= 0
)
PIPE_BUF: Final = 4096
"""Bytes that a write puts into a pipe in one piece (pipe(7), linux/limits.h)."""


class Directions(NamedTuple):
    """Keys of the channels that a call takes bytes from and puts them into; empty for none."""

    source: str
    target: str


NOWHERE: Final = Directions("", "")


def is_channel(info: ObjectInfo) -> bool:
    """Whether the ledger is kept of an object: bytes in it have an order and no bounds between
    messages.
    """
    return info.kind in PIPES or (info.kind in PEERED and info.detail.startswith("stream"))


def find_directions(
    state: StateFields, pid: int, name: str, args: Arguments, key: str
) -> Directions:
    """From and into which channels a call moves bytes.

    Args:
        state: The moment.
        pid: The process.
        name: The call.
        args: Its arguments by name.
        key: Key of the object behind its descriptor argument, if it has one.

    Returns:
        The keys; `NOWHERE` itself if there are none.
    """
    source = target = ""
    if name in BETWEEN:
        source, target = (find_key_behind(state, pid, args, end) for end in ("fd_in", "fd_out"))
        source, target = (
            "" if name == "tee" else _find_channel(state, source, out=True),
            _find_channel(state, target, out=False),
        )
    elif (
        name in CHANNEL_READS
        or name == "recvmmsg"
        or (name in EITHER_WAY and takes_out(state, pid, name, args))
    ):
        source = _find_channel(state, key, out=True)
    elif name in CHANNEL_CALLS:
        target = _find_channel(state, key, out=False)
    return Directions(source, target) if source or target else NOWHERE


def find_key_behind(state: StateFields, pid: int, args: Arguments, name: str) -> str:
    """Key of the object behind an argument that is a descriptor; empty if that is not known."""
    fd = number_in(args, name)
    return state.object_key_at(pid, fd) if fd is not None else ""


def takes_out(state: StateFields, pid: int, name: str, args: Arguments) -> bool:
    """Whether a call takes bytes out of what its `fd` refers to: vmsplice(2) does at a read end."""
    if name not in EITHER_WAY:
        return name in READS
    fd = number_in(args, "fd")
    file = state.find_description(pid, fd) if fd is not None else None
    return file is not None and file.mode == "r"


def _find_channel(state: StateFields, key: str, *, out: bool) -> str:
    """The channel that is read from at an object, or written to: of a socket, what its peer has to
    read.
    """
    thing = state.objects.get(key)
    if thing is None or not is_channel(thing.info):
        return ""
    return key if out or thing.info.kind not in PEERED else thing.info.peer


def most_bytes(name: str, args: Arguments) -> int:
    """How many bytes a call would move at most; -1 if its arguments don't say."""
    count = number_in(args, "count")
    return count if name in _HAS_COUNT and count is not None else -1


def untouched_asleep(name: str, args: Arguments) -> bool:
    """Whether a thread that sleeps in this call on a pipe or FIFO has moved nothing yet.

    A read sleeps only while there is nothing to take; a write of at most PIPE_BUF bytes only while
    there is no room for all of them (pipe(7); pipe_read and pipe_write in fs/pipe.c).
    """
    return name in READS_ANY or (name in _WHOLE and 0 <= most_bytes(name, args) <= PIPE_BUF)
