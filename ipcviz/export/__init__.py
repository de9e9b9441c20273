"""What is shown, as files that others can open: casts.

Pure: text in, text out; drawing is the app's part.
"""

from ipcviz.export.cast import Cast, CastError, CastEvent, CastWriter, Chapter, Look
from ipcviz.export.reading import CastReader, check_cast, read_cast

__all__ = [
    "Cast",
    "CastError",
    "CastEvent",
    "CastReader",
    "CastWriter",
    "Chapter",
    "Look",
    "check_cast",
    "read_cast",
]
