"""A plugin for pytest: says why a test hangs, and then fails it.

    pytest -p ipcviz.pytest_plugin --ipcviz-hang 30

A test that still runs after so many seconds is looked at from outside, by samples, with all that
it has started (`ipcviz doctor --pid`). What is found stands in the report of the test, which fails
at the line that it hangs at. Without the option nothing is done.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from argparse import ArgumentTypeError
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Final

import pytest

from ipcviz.outputs import write_file

LOOKS_FOR: Final = 4.0
"""Seconds that the processes are looked at."""
MOST: Final = 1e6
"""Seconds that a test may be given."""
PATIENCE: Final = 60.0
"""Seconds after which no verdict is waited for any more."""
_WATCH = pytest.StashKey["HangWatch"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --ipcviz-hang."""
    parser.getgroup("ipcviz").addoption(
        "--ipcviz-hang",
        type=_read_seconds,
        default=0.0,
        metavar="SECONDS",
        help="Fail a test that still runs after so many seconds, and say why it hangs.",
    )


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MOST:
        raise ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {MOST:g}")
    return seconds


def pytest_configure(config: pytest.Config) -> None:
    """Have a watch, if it is asked for."""
    seconds = config.getoption("--ipcviz-hang")
    if seconds > 0:
        config.stash[_WATCH] = HangWatch(seconds)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the watch."""
    watch = config.stash.get(_WATCH, None)
    if watch is not None:
        watch.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch over one test."""
    watch = item.config.stash.get(_WATCH, None)
    if watch is None or threading.current_thread() is not threading.main_thread():
        return (yield)
    watch.begin_test(item.nodeid)
    try:
        return (yield)
    finally:
        watch.end_test()


class HangWatch:
    """Fails what the main thread does if it lasts too long, with the doctor's verdict.

    The watchman is a process of its own, and no child of this one: a thread of this process would
    have its descriptors, and could so end what the others wait for; no verdict would be sure of
    that.

    Args:
        seconds: How long each test may last.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._name = ""
        self._folder = tempfile.TemporaryDirectory(prefix="ipcviz-hang-")
        self._verdict = Path(self._folder.name, "verdict")
        command = [sys.executable, "-m", __name__, str(os.getpid()), str(self._verdict)]
        self._watchman = subprocess.Popen(command, stdin=subprocess.PIPE)
        self._watchman.wait()
        self._before = signal.getsignal(signal.SIGALRM)

    def begin_test(self, name: str) -> None:
        """A test begins."""
        self._name = name
        self._before = signal.signal(signal.SIGALRM, self._fail)
        self._tell(f"{self._seconds}\n")

    def end_test(self) -> None:
        """It has ended."""
        self._name = ""
        self._tell("0\n")
        signal.signal(signal.SIGALRM, self._before)

    def close(self) -> None:
        """Send the watchman home."""
        if self._watchman.stdin is not None:
            self._watchman.stdin.close()
        self._folder.cleanup()

    def _tell(self, words: str) -> None:
        if self._watchman.stdin is not None:
            try:
                os.write(self._watchman.stdin.fileno(), words.encode())
            except BrokenPipeError:
                return  # Somebody has killed it: nothing is watched over any more.

    def _fail(self, signo: int, frame: FrameType | None) -> None:
        if self._name:
            verdict = self._verdict.read_text(errors="replace") if self._verdict.exists() else ""
            pytest.fail(f"{self._name} still ran after {self._seconds:g} s.\n{verdict}")


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
