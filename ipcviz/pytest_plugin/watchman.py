"""The watchman: a process beside pytest that examines it when a test has run too long."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from ipcviz.outputs import write_file

LOOKS_FOR: Final = 4.0
"""Seconds that the processes are looked at."""
PATIENCE: Final = 60.0
"""Seconds after which no verdict is waited for any more."""


def keep_watch(pid: int, verdict: Path) -> None:
    """Be the watchman: standard input says for how long the next test may run; 0 says that it has
    ended. When the time is up, the verdict is written, and the process is sent SIGALRM.
    """
    waits: float | None = None
    while True:
        if select.select([0], [], [], waits)[0]:
            said = os.read(0, 4096)
            if not said:
                shutil.rmtree(verdict.parent, ignore_errors=True)  # pytest may have been killed
                return
            waits = float(said.split()[-1]) or None
            continue
        waits = None
        write_file(str(verdict), _examine(pid).encode())
        if not select.select([0], [], [], 0)[0]:
            os.kill(pid, signal.SIGALRM)


def _examine(pid: int) -> str:
    """What the doctor says of a process and its descendants."""
    command = [sys.executable, "-m", "ipcviz", "doctor", "--timeout", str(LOOKS_FOR)]
    try:
        done = subprocess.run(
            [*command, "--pid", str(pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"ipcviz could not look at it: {error}."
    return done.stderr.strip()


if __name__ == "__main__":
    if not os.fork():
        keep_watch(int(sys.argv[1]), Path(sys.argv[2]))
    os._exit(0)
