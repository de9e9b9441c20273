"""Directories that more than one process uses: a part of the semaphores panel, below the file
locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipcviz.app.panels.panel import Row, fit_value, make_row
from ipcviz.model.mechanisms.folders import meeting_places
from ipcviz.model.parts import FolderPart
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.model.state import Did, Folder

HELP: Final = (
    "DIRECTORIES: those that more than one process has used by traced calls, the last used first:"
    " who watches one (inotify), lists it, reads its files, takes names out, puts files or names"
    " in; and what was done to it last."
)
_SHOWN: Final = 20
_SHORT: Final[dict[Did, str]] = {
    "watches": "watch",
    "lists": "list",
    "reads": "read",
    "takes": "take",
    "puts": "put",
}
_DONE: Final[dict[Did, str]] = {
    "watches": "began to watch it",
    "lists": "listed it",
    "reads": "read",
    "takes": "took out",
    "puts": "put in",
}


def folder_rows(view: View, width: int) -> list[Row]:
    """A row for each directory that processes meet in."""
    found = meeting_places(view.state)
    if not found:
        return []
    name = 24 if width >= 90 else 14
    last = max(20, (width - name - 5) // 2)
    rest = max(0, width - name - last - 4)
    head = f"  {fit_value('DIRECTORIES', name)} {fit_value('LAST', last)} USED BY"
    rows = [make_row((fit_value(head, width), "head"))]
    rows.extend(_build_row(view, folder, name, last, rest) for folder in found[:_SHOWN])
    if len(found) > _SHOWN:
        rows.append(make_row((f"  and {len(found) - _SHOWN} more", "dim")))
    return rows


def _build_row(view: View, folder: Folder, name: int, last: int, rest: int) -> Row:
    lit = FolderPart(folder.path) in view.lit
    # The end of a path tells directories apart.
    path = folder.path if len(folder.path) <= name else "…" + folder.path[-name + 1 :]
    actor = name_process(view.state, folder.last_pid)
    done = f"{actor} {_DONE[folder.last]} {folder.last_name}".rstrip()
    living = [
        u
        for u in folder.uses
        if (p := view.state.processes.get(u.pid)) is not None and p.fate == "alive"
    ]
    users = [
        f"{name_process(view.state, use.pid)}: {'+'.join(_SHORT[did] for did in use.did)}"
        for use in living
    ]
    ended = len(folder.uses) - len(users)
    if ended:
        users.append(f"{ended} that {'has' if ended == 1 else 'have'} ended")
    return make_row(
        ("*" if lit else " ", "lit-chip" if lit else ""),
        " ",
        (fit_value(path, name), "lit" if lit else "object"),
        " ",
        (fit_value(done, last), ""),
        " ",
        (fit_value(", ".join(users), rest), "dim"),
        target=("process", folder.last_pid),
    )
