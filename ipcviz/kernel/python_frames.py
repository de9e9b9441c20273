"""Where a Python program is: the frames of its interpreter, read from its memory by pystack.

pystack knows how each release of CPython keeps them. It is asked to stop nothing: who asks has the
process at rest, or finds out afterwards that it was not. It reads the memory as a debugger does, so
it needs the same rights.
"""

from __future__ import annotations

import logging
import os
import re
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from ipcviz.kernel import procfs
from ipcviz.kernel.maps import MapLine

MOST_FRAMES: Final = 1_000
"""Frames of one thread that are gone through, the innermost ones."""
MOST_TEXT: Final = 4_096
"""Characters of a path or a name that are kept: as many as a path can have (PATH_MAX)."""

_PROGRAM: Final = re.compile(r"python(3(\.\d+)?t?)?$")
_LIBRARY: Final = re.compile(r"libpython3(\.\d+)?t?\.so")
_INSTALLED: Final = re.compile(r"/(lib(64)?/python3(\.\d+)?t?|site-packages)/")
"""Paths of the standard library and of installed packages."""
_FROZEN: Final = "<frozen "
"""So begin the names of modules that are part of the interpreter: they have no file to be shown."""


class PythonLine(NamedTuple):
    """The line that a Python function is on: the file as the interpreter has it, made absolute; the
    line from 1; the function's name.
    """

    file: str
    line: int
    function: str


@cache
def can_read_frames() -> bool:
    """Whether pystack is installed, and can be loaded."""
    try:
        _load_engine()
    except ImportError:
        return False
    return True


def runs_python(pid: int, lines: Sequence[MapLine]) -> bool:
    """Whether a process is a Python interpreter, or has one in it.

    Args:
        pid: The process.
        lines: Its mappings.
    """
    program = os.path.basename(procfs.read_exe(pid) or "")
    return bool(_PROGRAM.match(program)) or any(
        _LIBRARY.match(os.path.basename(line.path)) for line in lines
    )


@cache
def _load_engine() -> Any:
    # libdw, which pystack reads symbols with, would ask the network for those that are missing.
    os.environ.pop("DEBUGINFOD_URLS", None)
    # It takes some 50 ms, and few sessions watch a Python at rest.
    import pystack.engine

    # What it has to say of a process that it can't read would stand in the command's output.
    logger = logging.getLogger("pystack")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return pystack.engine


def read_lines(pid: int) -> dict[int, PythonLine] | None:
    """The line that each thread of a Python process is on, by thread.

    It is the innermost one that is neither of the standard library nor of an installed package; of
    a thread that has none such, the innermost that has a file.

    Returns:
        None if there are no frames to be read: the interpreter is still starting, is of a release
        that pystack does not know, or the process is gone.
    """
    engine = _load_engine()
    from pystack.errors import PystackError

    methods = engine.StackMethod
    try:
        # Without searching the whole heap for what looks like an interpreter, which takes seconds.
        threads = list(engine.get_process_threads(pid, stop_process=False, method=methods.AUTO))
        found = {}
        for thread in threads:
            line = _choose_line(thread)
            if line is not None:
                found[thread.tid] = line
    except (PystackError, RuntimeError, ValueError, TypeError, OSError):
        return None
    if not found:
        return None
    return {tid: _make_absolute(pid, line) for tid, line in found.items()}


def _choose_line(thread: Any) -> PythonLine | None:
    chosen, own = None, False
    # Outermost first.
    for frame in deque(thread.frames, maxlen=MOST_FRAMES):
        line = frame.code.location.lineno
        file = str(frame.code.filename)[:MOST_TEXT]
        if file.startswith(_FROZEN):
            continue
        installed = _INSTALLED.search(file) is not None
        if line > 0 and (not installed or not own):
            chosen = PythonLine(file, line, str(frame.code.scope)[:MOST_TEXT])
            own = not installed
    return chosen


def _make_absolute(pid: int, line: PythonLine) -> PythonLine:
    """Some code has a path as it was given: what was compiled from a relative one."""
    if line.file.startswith(("/", "<")) or not line.file:
        return line
    try:
        folder = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return line
    return line._replace(file=os.path.normpath(os.path.join(folder, line.file)))
