"""A private folder for one run that is removed afterwards, even if ipcviz is killed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ipcviz.scenario.errors import ScenarioError

_REMOVER: Final = Path(__file__).with_name("remover.py")
"""Waits for the end of its input, then removes a folder and what its programs left elsewhere."""

_SECONDS: Final = 10.0


@contextlib.contextmanager
def make_workplace() -> Iterator[Path]:
    """A new folder that only this user can enter.

    A small program waits beside us for the end of a pipe that we have open: it removes the folder
    when we are done, and when we are gone without having been able to. With the folder go the names
    outside of it that begin with the folder's name (POSIX semaphores, shared memory, a message
    queue), and System V objects whose keys are made of files in it.

    Raises:
        ScenarioError: No folder can be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="ipcviz-"))
        since = folder.stat().st_ctime
    except OSError as error:
        raise ScenarioError(
            f"No temporary folder can be made ({error.strerror}): set TMPDIR to a folder that you"
            " can write."
        ) from None
    remover: subprocess.Popen[bytes] | None = None
    try:
        with contextlib.suppress(OSError):
            remover = subprocess.Popen(
                # When the run began is told: on a busy machine its programs can have made
                # something before the remover itself could look at a clock.
                [sys.executable, "-I", "-S", str(_REMOVER), str(folder), folder.name, str(since)],
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
