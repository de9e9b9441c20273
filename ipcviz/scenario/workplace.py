"""A private folder for one run that is removed afterwards, even if ipcviz is killed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ipcviz.scenario.errors import ScenarioError

_REMOVER: Final = (
    "trap '' HUP INT QUIT TERM; read -r line; cd /; n=0; while [ -e \"$1\" ] && [ $n -lt 50 ]; do"
    ' rm -rf -- "$1" 2>/dev/null; n=$((n + 1)); [ -e "$1" ] && sleep 0.1; done'
)
"""Waits for the end of its input, then removes a folder; again if a process that is still dying
puts something in.
"""

_SECONDS: Final = 10.0


@contextlib.contextmanager
def make_workplace() -> Iterator[Path]:
    """A new folder that only this user can enter.

    A small shell waits beside us for the end of a pipe that we hold: it removes the folder when we
    are done, and when we are gone without having been able to.

    Raises:
        ScenarioError: No folder can be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="ipcviz-"))
    except OSError as error:
        raise ScenarioError(
            f"No temporary folder can be made ({error.strerror}): set TMPDIR to a folder that you"
            " can write."
        ) from None
    remover: subprocess.Popen[bytes] | None = None
    try:
        with contextlib.suppress(OSError):
            remover = subprocess.Popen(
                ["sh", "-c", _REMOVER, "sh", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        yield folder
    finally:
        if remover is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                remover.communicate(timeout=_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)
