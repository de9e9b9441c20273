"""The tracer, or who uses it, dies between fork and execve: the command is not executed, least of
all untraced.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.integration.harness import CHECKOUT, TAG, settled, tagged

TRACER = """
import ctypes, os, signal, sys
from ipcviz.kernel import ptrace, seccomp
from ipcviz.tracer import launch, service

tracer, session = os.getpid(), os.getppid()


def kill(*_):
    os.kill({victim}, signal.{signo})


def before(module, name, action):
    original = getattr(module, name)

    def both(*arguments, **options):
        action()
        return original(*arguments, **options)

    setattr(module, name, both)


def after(module, name, action):
    original = getattr(module, name)

    def both(*arguments, **options):
        result = original(*arguments, **options)
        action()
        return result

    setattr(module, name, both)


{spared}
{when}
service.main(int(sys.argv[1]))
"""
"""The tracer's own program, with a fault at one place."""

SESSION = """
import sys
import ipcviz.tracer
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig

ipcviz.tracer.__file__ = sys.argv[1]
terminal, seccomp = "terminal" in sys.argv[2], "filter" in sys.argv[2]
session = LiveSession(LaunchConfig(argv=tuple(sys.argv[3:]), terminal=terminal, seccomp=seccomp))
session.start()
while not session.finished:
    session.wait()
    session.drain()
"""

PLACES = {
    "before the fork": 'before(os, "fork", kill)',
    "after the fork": 'before(ptrace, "seize", kill)',
    "once seized": 'after(ptrace, "seize", kill)',
    "before it goes": 'before(launch, "let_go", kill)',
    "when it goes": 'after(launch, "let_go", kill)',
    "in the child": 'before(launch, "_restore_signals", kill)',
    "before the filter": 'before(seccomp, "install", kill)',
    "after the filter": 'after(seccomp, "install", kill)',
}
CASES = [(place, "tracer", "SIGKILL") for place in PLACES]
CASES += [
    (place, "session", "SIGKILL")
    for place in ("before the fork", "after the fork", "once seized", "in the child")
]
ENDED = [("after the fork", "tracer", "SIGTERM"), ("once seized", "tracer", "SIGTERM")]
UNTOLD = (
    "ctypes.CDLL(None).prctl(1, 0)  # PR_SET_PDEATHSIG: the session goes, and only its socket tells"
)


def runs(
    tmp_path: Path, place: str, victim: str, signo: str, spared: str = "", terminal: str = ""
) -> bool:
    """Whether the command was executed.

    It has no filter where it can: with one, but untraced, it would do nothing.
    """
    marker = tmp_path / "marker"
    (tmp_path / "__main__.py").write_text(
        TRACER.format(victim=victim, signo=signo, when=PLACES.get(place, place), spared=spared)
    )
    tag = uuid.uuid4().hex
    environment = {**os.environ, TAG: tag, "PYTHONPATH": str(CHECKOUT)}
    module = str(tmp_path / "__init__.py")
    argv = [sys.executable, "-c", SESSION, module, f"{terminal} {place}", "touch", str(marker)]
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        process.wait(20)
        left = settled(lambda: tagged(tag), 10)
        for pid, _ in left:
            os.kill(pid, signal.SIGKILL)
    assert not left
    return marker.exists()


@pytest.mark.parametrize(("place", "victim", "signo"), CASES + ENDED)
def test_nothing_runs(tmp_path: Path, place: str, victim: str, signo: str) -> None:
    assert not runs(tmp_path, place, victim, signo)


@pytest.mark.parametrize("place", ["after the fork", "once seized"])
def test_nothing_runs_on_a_terminal_of_its_own(tmp_path: Path, place: str) -> None:
    assert not runs(tmp_path, place, "tracer", "SIGKILL", terminal="terminal")


def test_nothing_runs_for_nobody(tmp_path: Path) -> None:
    assert not runs(tmp_path, "once seized", "session", "SIGKILL", spared=UNTOLD)


def test_it_runs_if_nobody_dies(tmp_path: Path) -> None:
    assert runs(tmp_path, "", "session", "SIGKILL")
