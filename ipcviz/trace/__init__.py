"""The trace: a session kept in one SQLite file, written as it happens and read at any moment of it.

`docs/trace.md` describes the file. Nothing here needs Linux: a trace is read wherever Python and
SQLite are.
"""

from ipcviz.trace.errors import TraceError
from ipcviz.trace.reader import SampledLevel, SampledUse, TraceReader
from ipcviz.trace.store import TraceWriter

__all__ = ["SampledLevel", "SampledUse", "TraceError", "TraceReader", "TraceWriter"]
