"""Who has used what for communication: noted at the first use, and kept after a process's end."""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.model.draft import Draft
from ipcviz.model.state import Traffic

replace = msgspec.structs.replace

_FDS_KEPT: Final = 4
_NONE: Final = Traffic()


def note_moved(draft: Draft, pid: int, key: str, fd: int = -1, *, took: bool, put: bool) -> None:
    """A process has taken data out of an object, or put data in: by a descriptor, if `fd` is one.

    It is called when that is new of the descriptor, and not at every call.
    """
    if not key or not draft.keep_ledger:
        return
    known = draft.traffic.get((pid, key), _NONE)
    fds = known.fds
    if fd >= 0 and fd not in fds:
        fds = (*fds, fd)[:_FDS_KEPT]
    _store(draft, pid, key, replace(known, fds=fds, took=known.took or took, put=known.put or put))


def note_mapped(draft: Draft, pid: int, key: str) -> None:
    """A process has an object mapped, shared with whoever else has."""
    if draft.keep_ledger:
        _store(draft, pid, key, replace(draft.traffic.get((pid, key), _NONE), mapped=True))


def note_end(draft: Draft, pid: int) -> None:
    """A process ends: what it has mapped by then, its parent's doing or its own, is noted."""
    for entry in draft.mappings.get(pid, ()):
        if entry.shared and ("w" in entry.prot or entry.object.kind != "file"):
            note_mapped(draft, pid, entry.object.key)


def forget_gone(draft: Draft) -> None:
    """Drop what is known of processes and objects that the state has let go of."""
    gone = [
        place
        for place in draft.traffic
        if place[0] not in draft.processes or place[1] not in draft.objects
    ]
    if gone:
        with draft.traffic.mutate() as kept:
            for place in gone:
                del kept[place]
            draft.traffic = kept.finish()


def _store(draft: Draft, pid: int, key: str, now: Traffic) -> None:
    if draft.traffic.get((pid, key)) != now:
        draft.traffic = draft.traffic.set((pid, key), now)
