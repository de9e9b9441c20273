"""Programs that run already, and `ipcviz attach` on them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

import msgspec

from ipcviz import events as ev
from ipcviz.model.state import State
from tests.integration.harness import Bench, tagged
from tests.integration.watched import PATIENCE, Watched

FELT = (
    "State",
    "TracerPid",
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "NoNewPrivs",
    "Seccomp",
    "Threads",
)
"""What a process could find out of itself in /proc/self/status."""


class Target(Watched):
    """A program of ours that runs by itself."""

    def __init__(self, bench: Bench, argv: list[str], barriers: tuple[str, ...] = ()) -> None:
        bench.clear()
        for name in barriers:
            os.mkfifo(bench.work / f"{name}.go")
            os.chown(bench.work / f"{name}.go", bench.actor.uid, -1)
        self.bench = bench
        self.tag = uuid.uuid4().hex
        self.process = bench.start(
            argv,
            tag=self.tag,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            # Its children, too: they hold the other ends of our pipes.
            for pid, _ in tagged(self.tag):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        super().__exit__(kind, error, trace)

    @property
    def pid(self) -> int:
        """Of the command itself: what makes an ordinary user's executes it."""
        return self.process.pid

    def read(self) -> State:
        raise AssertionError("it is not watched")


class Attached(Watched):
    """`ipcviz attach` on running processes, and the state that its stream tells."""

    def __init__(self, bench: Bench, pids: Iterable[int], *options: str) -> None:
        self.bench = bench
        self.state = State()
        self.events: list[ev.Event] = []
        self._decoder = msgspec.json.Decoder(ev.Event)
        self._offset = 0
        bench.stream.unlink(missing_ok=True)
        argv = [
            sys.executable,
            "-m",
            "ipcviz",
            "attach",
            "--jsonl",
            "-o",
            str(bench.stream),
            *options,
        ]
        self.process = bench.start(
            [*argv, *map(str, pids)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def __enter__(self) -> Attached:
        """From when it has looked for the first time: on a busy machine its start alone may take
        long.
        """
        for _ in self._patiently():
            if self.read().threads or self.process.poll() is not None:
                break
        return self

    def leave(self, signo: int = signal.SIGTERM) -> None:
        """Detach, and wait until that is so."""
        self.until(lambda state: state.started is not None)
        self.process.send_signal(signo)
        assert self.process.wait(PATIENCE) == (128 + signo if signo != signal.SIGKILL else -signo)
        self.read()

    def full(self, pid: int) -> bool:
        """Whether all calls of a process come to be traced."""
        return (
            self.until(lambda state: pid in state.processes and state.processes[pid].full)
            .processes[pid]
            .full
        )


def felt(pid: int) -> dict[str, str]:
    """What a process and its threads could find out of themselves, and what they sleep in."""
    found = {}
    for tid in sorted(os.listdir(f"/proc/{pid}/task")):
        with contextlib.suppress(OSError):
            folder = Path("/proc", str(pid), "task", tid)
            lines = (line.partition(":") for line in (folder / "status").read_text().splitlines())
            found |= {f"{tid} {key}": value.strip() for key, _, value in lines if key in FELT}
            found[f"{tid} call"] = (folder / "syscall").read_text()
    return found


def felt_at_rest(pid: int) -> dict[str, str]:
    """What a process and its threads can find out of themselves once none of them runs: one that
    has just answered may not sleep again yet.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        found = felt(pid)
        states = [value[:1] for key, value in found.items() if key.endswith(" State")]
        if not {"R", "D"} & set(states) or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def settled(pid: int, wanted: dict[str, str]) -> dict[str, str]:
    """What a process can find out of itself, once that is as wanted, or after a while."""
    deadline = time.monotonic() + 5
    while (found := felt(pid)) != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def holders_in_proc(pids: Iterable[int], prefix: str) -> dict[str, set[tuple[int, int]]]:
    """Who has which descriptor of the objects whose links begin so, read from /proc alone."""
    found: dict[str, set[tuple[int, int]]] = {}
    for pid in pids:
        for fd in Path("/proc", str(pid), "fd").iterdir():
            with contextlib.suppress(OSError):
                link = os.readlink(fd)
                if link.startswith(prefix):
                    found.setdefault(link, set()).add((pid, int(fd.name)))
    return found
