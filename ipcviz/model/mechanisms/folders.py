"""Directories that processes use, and so may meet in: files as messages. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import Call, Filed, Opened
from ipcviz.model.draft import Draft
from ipcviz.model.labels import path_label
from ipcviz.model.maps import Map
from ipcviz.model.noise import is_noise
from ipcviz.model.parts import FolderPart
from ipcviz.model.state import Did, Folder, FolderUse, State

replace = msgspec.structs.replace

MOST: Final = 500
"""Directories that are remembered; beyond that, those that one process alone has used are
forgotten.
"""
ORDER: Final[tuple[Did, ...]] = ("watches", "lists", "reads", "takes", "puts")
_READ_BY_ALL: Final = ("/usr/", "/bin/", "/sbin/", "/lib", "/etc/", "/proc/", "/sys/", "/dev/")


def note_use(draft: Draft, path: str, pid: int, did: Did, name: str = "") -> None:
    """A process has used a directory."""
    if not path.startswith("/"):
        return
    folder = draft.folders.get(path)
    if folder is None:
        if len(draft.folders) >= MOST:
            _forget_folders(draft)
        folder = Folder(path=path)
    known = next((one for one in folder.uses if one.pid == pid), None)
    if (
        known is not None
        and did in known.did
        and (did, pid, name) == (folder.last, folder.last_pid, folder.last_name)
    ):
        return
    if known is None:
        uses = (*folder.uses, FolderUse(pid=pid, did=(did,)))
    elif did not in known.did:
        done = tuple(one for one in ORDER if one == did or one in known.did)
        uses = tuple(replace(one, did=done) if one.pid == pid else one for one in folder.uses)
    else:
        uses = folder.uses
    now = replace(folder, uses=uses, last=did, last_pid=pid, last_name=name, last_at=draft.t)
    draft.folders = draft.folders.set(path, now)
    draft.note_change(FolderPart(path))


def _forget_folders(draft: Draft) -> None:
    kept = {path: folder for path, folder in draft.folders.items() if len(folder.uses) > 1}
    if len(kept) >= MOST:
        latest = sorted(kept, key=lambda path: kept[path].last_at)[-MOST // 2 :]
        kept = {path: kept[path] for path in latest}
    draft.folders = Map(kept)


def apply_opening(draft: Draft, event: Call, effect: Opened) -> None:
    """A file was opened by its name: that uses the directory."""
    path = effect.object.path.removesuffix(" (deleted)")
    if effect.object.kind not in ("file", "fifo") or not event.name.startswith(("open", "creat")):
        return
    above, _, name = path.rpartition("/")
    if effect.mode in ("r", "path") and (path.startswith(_READ_BY_ALL) or is_noise(path)):
        return
    note_use(
        draft, above or "/", event.pid, "reads" if effect.mode in ("r", "path") else "puts", name
    )


def apply_listing(draft: Draft, event: Call) -> None:
    """getdents64(2) gave names of a directory."""
    thing = draft.objects.get(event.object)
    if thing is not None and not event.error and not is_noise(thing.info.path):
        note_use(draft, thing.info.path, event.pid, "lists")


def apply_filed(draft: Draft, event: Call, effect: Filed) -> None:
    """A name came, went or moved."""
    if effect.action == "watched":
        note_use(draft, effect.folder, event.pid, "watches")
        return
    if effect.action == "removed":
        note_use(draft, effect.folder, event.pid, "takes", effect.name)
        return
    if effect.source and effect.source != effect.folder and effect.action != "linked":
        note_use(draft, effect.source, event.pid, "takes", effect.source_name)
    note_use(draft, effect.folder, event.pid, "puts", effect.name)
    replaced = draft.objects.get(effect.replaced)
    if replaced is not None and effect.action == "moved" and effect.replaced != effect.object:
        draft.store_object(replace(replaced, unlinked=True))
    moved = draft.objects.get(effect.object)
    if moved is not None and effect.action != "linked" and moved.info.path:
        info = replace(moved.info, path=f"{effect.folder.rstrip('/')}/{effect.name}")
        label = path_label(info) if moved.label == path_label(moved.info) else moved.label
        draft.store_object(replace(moved, info=info, label=label))


def forget_reused(draft: Draft, effect: Opened) -> None:
    """A file whose name was removed, and that nobody has open, is gone: its inode may be another
    file's by now.
    """
    known = draft.objects.get(effect.object.key)
    if known is None or not known.unlinked or effect.object.kind not in ("file", "fifo"):
        return
    if effect.object.path.endswith(" (deleted)") or known.info.key in draft.ends:
        return
    draft.objects = draft.objects.delete(known.info.key)


def meeting_places(state: State) -> tuple[Folder, ...]:
    """The directories that more than one process has used, the last used first."""
    found = [folder for folder in state.folders.values() if len(folder.uses) > 1]
    return tuple(sorted(found, key=lambda folder: (-folder.last_at, folder.path)))


def list_other_users(state: State, path: str, pid: int) -> tuple[tuple[FolderUse, ...], bool]:
    """Who else uses a directory, and whether they live; those that have ended only if none of the
    others lives.
    """
    folder = state.folders.get(path)
    uses = [one for one in folder.uses if one.pid != pid] if folder is not None else []
    alive = [
        one for one in uses if (p := state.processes.get(one.pid)) is not None and p.fate == "alive"
    ]
    return tuple(alive or uses), bool(alive)
