"""What is shown, as files that others can open: casts.

Pure: text in, text out; drawing is the app's part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcviz.late import import_late

if TYPE_CHECKING:
    from ipcviz.export.cast import Cast, CastError, CastEvent, CastTheme, CastWriter, Chapter
    from ipcviz.export.reading import CastReader, check_cast, read_cast
else:
    __getattr__ = import_late(
        __name__,
        {
            "Cast": "cast",
            "CastError": "cast",
            "CastEvent": "cast",
            "CastReader": "reading",
            "CastTheme": "cast",
            "CastWriter": "cast",
            "Chapter": "cast",
            "check_cast": "reading",
            "read_cast": "reading",
        },
    )

__all__ = [
    "Cast",
    "CastError",
    "CastEvent",
    "CastReader",
    "CastTheme",
    "CastWriter",
    "Chapter",
    "check_cast",
    "read_cast",
]
