"""Levels that are read without a descriptor of one's own: of processes that run meanwhile, and of many sockets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from ipcviz.events import Level, ObjectInfo
from ipcviz.kernel import buffers, sockets
from ipcviz.model.query import Holder
from ipcviz.model.state import State

MANY: Final = 100
"""From so many sockets on they are listed all together: for each that costs a tenth of a look at its descriptor."""
LISTED: Final = frozenset({"unix socket", "tcp socket"})
"""Of which a listing tells all that a look tells, but for the waiting bytes."""


def listed_together(state: State, due: Iterable[str], before: sockets.Listing | None) -> sockets.Listing | None:
    """A listing of all sockets, if so many of them are due that it is cheaper; `before` is the last one."""
    things = (state.objects.get(key) for key in due if key.startswith("socket:["))
    count = sum(1 for thing in things if thing is not None and thing.info.kind in LISTED)
    return sockets.Listing(before) if count > MANY else None


def level_of_running(info: ObjectInfo, rows: tuple[Holder, ...], listing: sockets.Listing) -> Level | None:
    """A level whose holders may close it at any moment.

    A read end that we held then would let a write succeed that alone gives SIGPIPE, so none is ever borrowed.
    The write end is, for three calls: a reader learns of the end of file when it is given back.
    """
    if info.kind in ("pipe", "fifo"):
        for row in rows:
            if row.mode == "w":
                return buffers.read_pipe_level(info.key, writer=(row.pid, row.fd))
        return None
    if info.kind.endswith(" socket"):
        return listed_level(info, rows, listing)
    return next((level for row in rows if (level := buffers.read_level(row.pid, row.fd, info))), None)


def listed_level(info: ObjectInfo, rows: tuple[Holder, ...], listing: sockets.Listing) -> Level | None:
    """A socket's level as it was listed, with the descriptors that wait in it."""
    level = buffers.read_listed_level(info, listing)
    if level is None or info.kind != "unix socket" or level.unit != "bytes" or not level.queued:
        return level
    passed = max((buffers.descriptors_waiting(row.pid, row.fd) for row in rows[:1]), default=-1)
    return msgspec.structs.replace(level, passed=passed)
