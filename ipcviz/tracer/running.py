"""Running processes for somebody to choose from: whose they are, since when they run, and what they
are blocked in.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from ipcviz.events.calls import CALLS, Waits
from ipcviz.kernel import procfs, running
from ipcviz.kernel.arch import call_names, find_native_arch
from ipcviz.tracer.calls.table import KNOWN

_THINGS: Final = {
    "pipe:": "a pipe",
    "socket:": "a socket",
    "anon_inode:": "",
    "/dev/pts/": "a terminal",
    "/dev/tty": "a terminal",
}
"""What a descriptor refers to, by the beginning of its link in /proc/PID/fd (proc(5))."""

_PHRASES: Final[dict[Waits, str]] = {
    "child": "for a child",
    "word": "for a thread or a process",
    "time": "for time to pass",
    "signal": "for a signal",
    "ready": "for descriptors",
    "semaphore": "for a semaphore",
    "room": "for room in a queue",
    "message": "for a message",
}
"""What for, in words."""
_FOR: Final = {
    name: _PHRASES[call.waits]
    for name, call in CALLS.items()
    if call.waits in _PHRASES and (call.waits == "ready" or not call.has_argument("fd"))
}
"""What calls wait for that have no descriptor to say so."""


class RunningProcess(NamedTuple):
    """A process that can be chosen.

    Attributes:
        pid: Its id.
        user: The name of its user.
        name: The name of its program.
        command: Its command line.
        started: When it was started, in seconds since 1970.
        threads: How many threads it has.
        blocked_in: What its first thread sleeps in: `read(0) on a pipe`, `wait4 for a child`;
            `runs`, `stopped`; `?` where these rights do not allow to know.
    """

    pid: int
    user: str
    name: str
    command: tuple[str, ...]
    started: float
    threads: int
    blocked_in: str

    def has_words(self, words: Iterable[str]) -> bool:
        """Whether each of the words, in lower case, occurs in what is listed of it."""
        text = " ".join(
            (str(self.pid), self.user, self.name, *self.command, self.blocked_in)
        ).lower()
        return all(word in text for word in words)

    def is_called(self, name: str) -> bool:
        """Whether that is its program's name, or the file name of the program in its command
        line.
        """
        first = self.command[0] if self.command else ""
        return name in (self.name, first.rpartition("/")[2], first)


def list_running(spare: Collection[int] = ()) -> tuple[RunningProcess, ...]:
    """The processes that the user may watch, the youngest first: one's own; root's are all.

    Threads of the kernel and zombies are left out, which have no descriptors.

    Args:
        spare: ipcviz's own.
    """
    arch = find_native_arch()
    names = call_names(arch.table) if arch is not None else {}
    me = os.geteuid()
    found = []
    for process in running.list_processes():
        if process.pid in spare or (me and process.uid != me):
            continue
        stat = procfs.read_stat(process.pid)
        if stat is None or stat.flags & procfs.PF_KTHREAD or stat.state in "ZX":
            continue
        found.append(
            RunningProcess(
                pid=process.pid,
                user=process.user,
                name=process.name,
                command=process.command,
                started=process.started,
                threads=process.threads,
                blocked_in=_describe_sleep(stat, names),
            )
        )
    return tuple(sorted(found, key=lambda p: (-p.started, -p.pid)))


def _describe_sleep(stat: procfs.Stat, names: dict[int, str]) -> str:
    """What a process's first thread does, in a few words."""
    if stat.state in "Tt":
        return "stopped" if stat.state == "T" else "held by a debugger"
    call = procfs.read_syscall(stat.pid)
    if call is None:
        return "?"
    if call.running or call.number < 0:
        return "runs"
    name = names.get(call.number, f"call {call.number}")
    signature = KNOWN.get(name)
    if (
        signature is not None
        and call.args
        and signature.arguments[:1]
        and signature.arguments[0][1] == "fd"
    ):
        return _describe_use(stat.pid, name, call.args[0] & 0xFFFFFFFF)
    return f"{name} {_FOR[name]}" if name in _FOR else name


def _describe_use(pid: int, name: str, fd: int) -> str:
    """A call that sleeps on a descriptor: `read(0) on a pipe`."""
    link = procfs.read_link(pid, fd) or ""
    thing = next(
        (words for start, words in _THINGS.items() if link.startswith(start)),
        link.rpartition("/")[2],
    )
    if name in _FOR:
        return f"{name}({fd}) {_FOR[name]}"
    return f"{name}({fd}) on {thing}" if thing else f"{name}({fd})"
