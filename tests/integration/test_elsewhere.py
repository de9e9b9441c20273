"""A trace of the real kernel reads the same on a system with other numbers, or without what only
Linux has.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.harness import CHECKOUT
from tests.integration.test_bad_input import ipcviz

# Signals whose numbers differ from system to system, sent, pending, caught, and deadly; a child
# that stops and goes on; sockets, locks and calls that fail; a circle of two, one of which catches
# SIGCHLD and has a child.
SUBJECT = """
import ctypes, errno, fcntl, os, signal, socket, struct, sys, time
libc = ctypes.CDLL(None)
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.signal(signal.SIGUSR1, lambda *_: None)
blocked = {signal.SIGUSR2, signal.SIGURG, signal.SIGRTMAX, signal.SIGRTMIN + 3}
signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
for signo in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGURG, signal.SIGRTMAX, signal.SIGRTMIN + 3):
    os.kill(os.getpid(), signo)
for deadly in (signal.SIGUSR1, signal.SIGBUS, signal.SIGSYS, signal.SIGIO, signal.SIGRTMIN + 5):
    child = os.fork()
    if not child:
        signal.signal(deadly, signal.SIG_DFL)
        os.kill(os.getpid(), deadly)
        os._exit(1)
    os.waitpid(child, 0)
child = os.fork()
if not child:
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(3)
os.waitpid(child, os.WUNTRACED)
os.kill(child, signal.SIGCONT)
os.waitpid(child, 0)
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
    try:
        one = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect("/tmp/nobody" if family == socket.AF_UNIX else ("localhost", 1))
    except OSError:
        pass
here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
here.send(b"hello")
there.setblocking(False)
there.recv(100)
try:
    there.recv(100)
except BlockingIOError:
    pass
with open("a", "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.open("a", os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
mask = struct.pack("Q", 1 << signal.SIGUSR2 - 1)
told = libc.signalfd(-1, mask, os.O_NONBLOCK)
os.read(told, 128)
watch = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(watch, b".", 0x100)
open("b", "w").close()
os.read(watch, 4096)
to_child, from_parent = os.pipe()
to_parent, from_child = os.pipe()
child = os.fork()
if not child:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 1.2)
    os.read(to_child, 1)
    os._exit(0)
os.close(from_child)
os.close(to_child)
os.read(to_parent, 1)
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "subject.py").write_text(SUBJECT)
    argv = ipcviz("trace", "-o", str(folder / "t"), "--", sys.executable, "-I", "subject.py")
    done = subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return folder / "t"


def test_a_trace_reads_the_same_on_any_system(trace: Path) -> None:
    systems = {}
    for system, zone in (("linux", "UTC"), ("macos", "America/Lima"), ("windows", "Asia/Tokyo")):
        argv = [sys.executable, "-m", "tests.elsewhere", system, str(trace)]
        systems[system] = subprocess.Popen(
            argv,
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONHASHSEED": "0", "TEXTUAL_ANIMATIONS": "none", "TZ": zone},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    shown = {system: process.communicate(timeout=100) for system, process in systems.items()}
    assert [words for _, words in shown.values()] == ["", "", ""]
    here = shown["linux"][0].splitlines()
    for word in (
        "killed by SIGUSR1",
        "killed by SIGBUS",
        "SIGRTMIN+30",
        "SIGSTOP",
        "SIGCHLD",
        "EAGAIN",
        "each other",
    ):
        assert word in shown["linux"][0], word
    for system in ("macos", "windows"):
        there = shown[system][0].splitlines()
        differing = [(one, other) for one, other in zip(here, there, strict=True) if one != other]
        assert not differing, system
