"""How the screen's room is split between the picture, the story and the panels: by what each needs,
decided from figures alone.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LEAST_SIDE: Final = 40
"""Columns that the panels beside the picture have at least."""
LEAST_BELOW: Final = 8
"""Rows of a panel below the picture that is no story."""
_OTHERS_BESIDE: Final = 9
"""Rows of other panels beside the picture, below a story that stands there."""
_POINTING: Final = 1.2 / 2.2
"""The picture's share of the columns where the story points at a panel: that one tells less than
the tables of all that there is.
"""


class Need(NamedTuple):
    """The room that a picture needs for boxes that can be read."""

    columns: int = 0
    rows: int = 0

    def grow(self, other: Need) -> Need:
        """What covers both: room that was given is not taken back while a story goes on."""
        return Need(max(self.columns, other.columns), max(self.rows, other.rows))


class Split(NamedTuple):
    """Who has which room.

    Attributes:
        left: Columns of the picture, and of what is below it.
        below: Rows of the panel below the picture.
        beside: The story stands beside the picture, above the panels there.
    """

    left: int
    below: int
    beside: bool = False


def split_room(
    width: int, rows: int, need: Need, *, pointing: bool, story: int = 0, beside: int = 0
) -> Split:
    """Split the room of a wide and high screen.

    Args:
        width: Its columns.
        rows: Rows for the picture and the panel below it.
        need: What the picture needs.
        pointing: Whether the story points at a panel beside it.
        story: Rows that the story needs below the picture; 0 if another panel is shown there.
        beside: Rows that it would need beside it; 0 if it can't stand there.
    """
    share = round(width * _POINTING) if pointing else width // 2
    left = max(share, min(need.columns, width - LEAST_SIDE))
    least = story or LEAST_BELOW
    if story and 0 < beside <= rows - _OTHERS_BESIDE and need.rows > rows - least:
        return Split(left, 0, beside=True)
    return Split(left, max(least, min(rows // 2, rows - need.rows)))
