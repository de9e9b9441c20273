"""Events of source lines: where in its program a thread at rest is."""

from __future__ import annotations

from typing import Literal

from ipcviz.events.base import Base

Language = Literal["compiled", "python"]
"""Where a line was read from: the debug information of a compiled program (C, C++, Rust, ...), or
the frames of a Python interpreter."""

Missing = Literal["", "debug information", "pystack", "frames", "time"]
"""Why no line of a program is known: it has no debug information; it is a Python, and pystack is
not installed, or can't read it; or to read lines took too long."""


class Located(Base, tag="located", frozen=True):
    """A thread is held, or blocked in a call, and this is the source line that it is on.

    It holds until the thread runs again.

    Attributes:
        file: The source file's path as the compiler or the interpreter has it. Nothing says that it
            is there, or that it is still what was compiled. Empty if no line of this program is
            known.
        line: From 1; 0 if none is known.
        function: The function that the line is in; empty if that is not known.
        language: Where that was read from.
        missing: Why no line is known of this process, until it executes another program.
    """

    pid: int
    tid: int
    file: str = ""
    line: int = 0
    function: str = ""
    language: Language = "compiled"
    missing: Missing = ""
