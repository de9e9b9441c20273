"""Watches over the tests of one pytest, and fails those that hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path
from types import FrameType

import pytest


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
        self._watchman: Watchman | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch over one test."""
        if threading.current_thread() is not threading.main_thread():
            return (yield)
        # With the first test: who only hands tests out to other processes needs none.
        self._watchman = self._watchman or Watchman()
        self._name = item.nodeid
        before = signal.signal(signal.SIGALRM, self._fail)
        self._watchman.set_limit(self._seconds)
        try:
            return (yield)
        finally:
            self._name = ""
            self._watchman.set_limit(0)
            signal.signal(signal.SIGALRM, before)

    def pytest_unconfigure(self) -> None:
        """All tests have run."""
        if self._watchman is not None:
            self._watchman.close()

    def _fail(self, signo: int, frame: FrameType | None) -> None:
        if self._name and self._watchman is not None:
            verdict = self._watchman.read_verdict()
            pytest.fail(f"{self._name} still ran after {self._seconds:g} s.\n{verdict}")


class Watchman:
    """The process that watches over this one."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ipcviz-hang-")
        self._verdict = Path(self._folder.name, "verdict")
        module = "ipcviz.pytest_plugin.watchman"
        command = [sys.executable, "-m", module, str(os.getpid()), str(self._verdict)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)
        self._process.wait()  # It has a child that does the work.

    def set_limit(self, seconds: float) -> None:
        """Tell it for how many seconds the next test may run; 0 if it has ended."""
        if self._process.stdin is not None:
            try:
                os.write(self._process.stdin.fileno(), f"{seconds}\n".encode())
            except BrokenPipeError:
                return  # Somebody has killed it: nothing is watched over any more.

    def read_verdict(self) -> str:
        """What it has found; empty if that is nothing."""
        return self._verdict.read_text(errors="replace") if self._verdict.exists() else ""

    def close(self) -> None:
        """Send it home."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._folder.cleanup()
