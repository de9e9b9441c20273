"""In which ways objects are open: counted, since to go through all open file descriptions takes
long where many are.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import Mode
from ipcviz.model.maps import Map

MODES: Final[tuple[Mode, ...]] = ("r", "w", "rw", "path")
"""Ways to have an object open, in the order of `State.ends`."""
Ends = Map[str, tuple[int, int, int, int]]
NOT_OPEN: Final = (0, 0, 0, 0)


def open_modes(ends: Ends, key: str) -> frozenset[Mode]:
    """In which ways an object is open, by `State.ends`."""
    return frozenset(
        mode for mode, count in zip(MODES, ends.get(key, NOT_OPEN), strict=True) if count
    )
