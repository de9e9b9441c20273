"""The size of the terminal, whatever it or the environment claims."""

from __future__ import annotations

import os
import shutil
from typing import Final

MOST_COLUMNS: Final = 1_000
MOST_ROWS: Final = 500
"""No screen has more; a picture of that size still fits in memory and is drawn in a second."""


def terminal_size() -> os.terminal_size:
    """Columns and rows: those of COLUMNS and LINES if they are set, else the terminal's, within
    bounds.
    """
    return clamp_size(*shutil.get_terminal_size())


def clamp_size(columns: int, rows: int) -> os.terminal_size:
    """A size within bounds."""
    return os.terminal_size((min(max(columns, 1), MOST_COLUMNS), min(max(rows, 1), MOST_ROWS)))
