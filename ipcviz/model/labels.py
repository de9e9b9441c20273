"""Short names for objects: stable within a session and readable in class."""

from __future__ import annotations

from ipcviz.events import ObjectInfo
from ipcviz.events.kinds import KINDS, TYPED


def object_label_letter(kind: str) -> str:
    """The letter that numbers objects without a name of their own; empty for those that have
    one.
    """
    row = KINDS.get(kind)
    return row.letter if row is not None else ""


def path_label(info: ObjectInfo) -> str:
    """The last part of an object's path, or its kind."""
    if info.key.startswith("shm:"):
        key = info.path[5:13].lstrip("0")  # /SYSVkkkkkkkk
        return f"0x{key}" if key else f"shm {info.ino}"
    path = info.path.removesuffix(" (deleted)")
    if info.kind in TYPED:
        return path.removeprefix("/dev/") or "terminal"
    return path.rstrip("/").rpartition("/")[2] or path or info.kind
