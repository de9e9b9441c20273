"""Levels that are read without a descriptor of one's own: of processes that run meanwhile, and of
many sockets.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from ipcviz.events import Level, ObjectInfo
from ipcviz.events.kinds import PASSES, having
from ipcviz.kernel import buffers, sockets
from ipcviz.kernel.buffers import PipeQuestion
from ipcviz.model.query import Holder
from ipcviz.model.state import State

MANY: Final = 100
"""From so many sockets on they are listed all together: for each that costs a tenth of a look at
its descriptor.
"""
LISTED: Final = having("listed")
"""Of which a listing tells all that a look tells, but for the waiting bytes."""


HEADS: Final = 16
"""Of so many listed sockets one sample copies the waiting bytes, too: some 60 µs each."""


class Heads:
    """Whose turn it is, of the sockets that were listed with bytes that nobody has looked at.

    Each of them comes into a row when its level changes, and is looked at when it has come to the
    front of that.
    """

    def __init__(self) -> None:
        self._row: dict[str, None] = {}
        self.turn: frozenset[str] = frozenset()
        """Keys of the sockets that are to be looked at in this sample."""

    def begin_sample(self) -> None:
        """A new sample begins."""
        self.turn = frozenset(islice(self._row, HEADS))
        for key in self.turn:
            del self._row[key]

    def is_unchanged(self, old: Level | None, level: Level) -> bool:
        """Whether a listed level tells nothing new; otherwise its bytes are to be looked at, if it
        has some.

        What waits may be other bytes by now, if as many came as went: of those that were copied it
        is said when.
        """
        if old is not None and msgspec.structs.replace(old, head=b"", quiet=False) == level:
            return True
        if level.queued and level.unit == "bytes":
            self._row[level.object] = None
        return False


def listed_together(
    state: State, due: Iterable[str], before: sockets.Listing | None
) -> sockets.Listing | None:
    """A listing of all sockets, if so many of them are due that it is cheaper; `before` is the last
    one.
    """
    things = (state.objects.get(key) for key in due if key.startswith("socket:["))
    count = sum(1 for thing in things if thing is not None and thing.info.kind in LISTED)
    return sockets.Listing(before) if count > MANY else None


def ask_of_pipe(
    key: str, rows: Iterable[Holder], peek: int, *, running: bool
) -> PipeQuestion | None:
    """By which descriptors the level of a pipe is read; None if none of them will do.

    Args:
        key: The pipe's.
        rows: Who of the watched processes has it open.
        peek: Bytes wanted of those that wait in it.
        running: Whether its holders may close it at any moment. A read end that we held then would
            let a write succeed that alone gives SIGPIPE, so none is ever borrowed. The write end
            is, for three calls: a reader learns of the end of file when it is given back.
    """
    reader = writer = None
    for row in rows:
        if running:
            if row.mode == "w":
                return PipeQuestion(key, writer=(row.pid, row.fd))
            continue
        if reader is None and row.reads:
            reader = (row.pid, row.fd)
        if writer is None and row.writes:
            writer = (row.pid, row.fd)
    return PipeQuestion(key, reader, writer, peek) if reader or writer else None


def level_of_running(
    info: ObjectInfo, rows: tuple[Holder, ...], listing: sockets.Listing
) -> Level | None:
    """A level whose holders may close it at any moment.

    Pipes are read by `ask_of_pipe`.
    """
    if info.kind.endswith(" socket"):
        return listed_level(info, rows, listing)
    return next(
        (level for row in rows if (level := buffers.read_level(row.pid, row.fd, info))), None
    )


def listed_level(
    info: ObjectInfo, rows: tuple[Holder, ...], listing: sockets.Listing
) -> Level | None:
    """A socket's level as it was listed, with the descriptors that wait in it."""
    level = buffers.read_listed_level(info, listing)
    if level is None or info.kind not in PASSES or level.unit != "bytes" or not level.queued:
        return level
    passed = max((buffers.descriptors_waiting(row.pid, row.fd) for row in rows[:1]), default=-1)
    return msgspec.structs.replace(level, passed=passed)
