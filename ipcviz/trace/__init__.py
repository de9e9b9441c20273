"""The trace: a session kept in one SQLite file, written as it happens and read at any moment of it.

`docs/trace.md` describes the file. Nothing here needs Linux: a trace is read wherever Python and
SQLite are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcviz.late import import_late

if TYPE_CHECKING:
    from ipcviz.trace.errors import TraceError
    from ipcviz.trace.reader import SampledLevel, SampledUse, TraceReader
    from ipcviz.trace.store import TraceWriter
else:
    __getattr__ = import_late(
        __name__,
        {
            "SampledLevel": "reader",
            "SampledUse": "reader",
            "TraceError": "errors",
            "TraceReader": "reader",
            "TraceWriter": "store",
        },
    )

__all__ = ["SampledLevel", "SampledUse", "TraceError", "TraceReader", "TraceWriter"]
