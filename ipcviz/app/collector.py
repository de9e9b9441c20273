"""When Python looks for cycles of objects that nobody refers to any more."""

from __future__ import annotations

import gc
from typing import Final

# Of objects made and not freed, collections of the young ones, and of the middle ones
# (gc.set_threshold).
_YOUNG: Final = 5_000
_MIDDLE: Final = 10
_OLD: Final = 60
_STARTING: Final = 1_000_000
"""Objects that imports and the first screen make: none of them is garbage, and a look through them
takes as long as a twentieth of the start.
"""


def postpone_collector() -> None:
    """Have Python look for no cycles while the screen is imported and shown for the first time;
    `calm_collector` is to be called then.
    """
    gc.set_threshold(_STARTING, _MIDDLE, _OLD)


def is_postponed() -> bool:
    """Whether `postpone_collector` was called, and `calm_collector` was not."""
    return gc.get_threshold()[0] == _STARTING


def calm_collector() -> None:
    """Have Python look through all of its objects for cycles rarely: that takes longer than several
    frames.

    What is there already is left alone. So many count as young that most of what a frame makes is
    gone again before it is old: old cycles lie about until the next look through everything.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


def leave_screen_alone() -> None:
    """Have the collector pass over what the screen is made of, too, once that is there; if it was
    calmed before.
    """
    if gc.get_freeze_count():
        gc.freeze()
