"""Who has used what for communication: noted at the first use, and kept after a process's end."""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.model.draft import Draft
from ipcviz.model.maps import Map
from ipcviz.model.state import Traffic

replace = msgspec.structs.replace

_FDS_KEPT: Final = 4
_NONE: Final = Traffic()
_NOTHING: Final[Map[str, Traffic]] = Map()


def note_moved(draft: Draft, pid: int, key: str, fd: int = -1, *, took: bool, put: bool) -> None:
    """A process has taken data out of an object, or put data in: by a descriptor, if `fd` is one.

    It is called when that is new of the descriptor, and not at every call.
    """
    if not key or not draft.keep_ledger:
        return
    known = draft.traffic.get(pid, _NOTHING).get(key, _NONE)
    fds = known.fds
    if fd >= 0 and fd not in fds:
        fds = (*fds, fd)[:_FDS_KEPT]
    _store(draft, pid, key, replace(known, fds=fds, took=known.took or took, put=known.put or put))


def note_mapped(draft: Draft, pid: int, key: str) -> None:
    """A process has an object mapped, shared with whoever else has."""
    if draft.keep_ledger:
        known = draft.traffic.get(pid, _NOTHING).get(key, _NONE)
        _store(draft, pid, key, replace(known, mapped=True))


def note_end(draft: Draft, pid: int) -> None:
    """A process ends: what it has mapped by then, its parent's doing or its own, is noted."""
    for entry in draft.mappings.get(pid, ()):
        if entry.shared and ("w" in entry.prot or entry.object.kind != "file"):
            note_mapped(draft, pid, entry.object.key)


def forget_program(draft: Draft, pid: int) -> None:
    """A process executes another program: what the one before it has used says nothing of it."""
    if pid in draft.traffic:
        draft.traffic = draft.traffic.delete(pid)


def forget_gone(draft: Draft) -> None:
    """Drop what is known of processes and objects that the state has let go of."""
    for pid, used in list(draft.traffic.items()):
        if pid not in draft.processes:
            draft.traffic = draft.traffic.delete(pid)
            continue
        kept = used
        for key in used:
            if key not in draft.objects:
                kept = kept.delete(key)
        if kept is not used:
            draft.traffic = draft.traffic.set(pid, kept)


def _store(draft: Draft, pid: int, key: str, now: Traffic) -> None:
    used = draft.traffic.get(pid, _NOTHING)
    if used.get(key) != now:
        draft.traffic = draft.traffic.set(pid, used.set(key, now))
