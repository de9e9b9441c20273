"""Which scenarios somebody has gone through on this machine: their names, in the user's folder for
such state.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Final

from ipcviz.inputs import read_input
from ipcviz.outputs import OutputError, OutputFile

_MOST: Final = 1000
"""Names that are kept, and read, at most."""
_LARGEST: Final = 1 << 16
"""Bytes that are read at most."""


def read_finished() -> frozenset[str]:
    """The names of the scenarios that were run here; none where nothing was kept."""
    try:
        names = json.loads(read_input(_find_file(), _LARGEST))
    except (OSError, ValueError, RuntimeError):
        return frozenset()
    if not isinstance(names, list):
        return frozenset()
    return frozenset(name for name in names[:_MOST] if isinstance(name, str))


def add_finished(name: str) -> None:
    """Keep that a scenario was run here. Where that can't be kept, it is not: nothing depends on
    it.
    """
    names = read_finished()
    if name in names or len(names) >= _MOST:
        return
    with contextlib.suppress(OSError, OutputError, RuntimeError):
        path = _find_file()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with OutputFile(path) as output:
            output.file.write(json.dumps(sorted({*names, name})).encode())


def _find_file() -> Path:
    # Imported here: most commands never ask.
    import platformdirs

    return platformdirs.user_state_path("ipcviz", appauthor=False) / "scenarios.json"
