"""What is shown, as files that others can open: casts.

Pure: text in, text out; drawing is the app's part.
"""

from ipcviz.export.cast import Cast, CastError, CastEvent, CastTheme, CastWriter, Chapter
from ipcviz.export.reading import CastReader, check_cast, read_cast

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
