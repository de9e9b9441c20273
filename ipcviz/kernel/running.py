"""Running processes, and the machine, as psutil reads them: for lists that people choose from, and
once a second.

What is read many times a second of each watched process has readers of its own
(`ipcviz.kernel.procfs`): a look takes them half of psutil's time.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, TypeVar

import psutil

from ipcviz.events.facts import Limit, MachineFacts, ProcessFacts

T = TypeVar("T")

GONE: Final = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError)
"""What reading a process raises that has ended or is not ours to read: normal life."""

LIMITS: Final[dict[str, int]] = {
    "open files": psutil.RLIMIT_NOFILE,
    "processes": psutil.RLIMIT_NPROC,
    "stack size": psutil.RLIMIT_STACK,
    "address space": psutil.RLIMIT_AS,
    "locked memory": psutil.RLIMIT_MEMLOCK,
    "queue bytes": psutil.RLIMIT_MSGQUEUE,
    "pending signals": psutil.RLIMIT_SIGPENDING,
    "file size": psutil.RLIMIT_FSIZE,
    "core file size": psutil.RLIMIT_CORE,
    "CPU time": psutil.RLIMIT_CPU,
}
"""The limits that programs which talk to each other run into, and their numbers."""

_IO_CLASSES: Final = {0: "none", 1: "real time", 2: "best effort", 3: "idle"}
"""IOPRIO_CLASS_* of linux/ioprio.h."""

_LISTED: Final = ("pid", "ppid", "name", "uids", "cmdline", "create_time", "num_threads")


class Listed(NamedTuple):
    """A process of a listing.

    Attributes:
        pid: Its id.
        parent: Its parent's.
        uid: Its effective user id; -1 if it can't be read.
        user: That user's name.
        name: Its program's name, as long as the kernel or its command line has it.
        command: Its command line; empty for threads of the kernel and zombies.
        started: When it was started, in seconds since 1970.
        threads: How many threads it has.
    """

    pid: int
    parent: int
    uid: int
    user: str
    name: str
    command: tuple[str, ...]
    started: float
    threads: int


def list_processes() -> Iterator[Listed]:
    """Every process that /proc shows, in the order of their numbers; what can't be read of one
    stays empty.
    """
    for process in psutil.process_iter(_LISTED):
        info: dict[str, Any] = process.info
        uids = info["uids"]
        yield Listed(
            pid=info["pid"],
            parent=info["ppid"] or 0,
            uid=uids.effective if uids is not None else -1,
            user=name_user(uids.effective) if uids is not None else "",
            name=info["name"] or "",
            command=tuple(info["cmdline"] or ()),
            started=info["create_time"] or 0.0,
            threads=info["num_threads"] or 1,
        )


@lru_cache(maxsize=256)
def name_user(uid: int) -> str:
    """A user's name, or the number where the system has none for it.

    It is asked once of each: the system's database of users may be a server that takes its time
    (nsswitch.conf(5)).
    """
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def read_process_facts(process: psutil.Process) -> ProcessFacts | None:
    """What hardly changes of a process; None if it is gone.

    Args:
        process: psutil's own handle, which tells a process from another one that has got its
            number.
    """
    try:
        with process.oneshot():
            return ProcessFacts(
                pid=process.pid,
                user=name_user(process.uids().effective),
                started=process.create_time(),
                nice=_read_fact(process.nice, 0),
                io_class=_IO_CLASSES.get(int(_read_fact(lambda: process.ionice().ioclass, -1)), ""),
                cpus=tuple(sorted(_read_fact(process.cpu_affinity, None) or ())),
                open_files=_read_fact(process.num_fds, -1),
                limits=tuple(_read_limits(process)),
            )
    except GONE:
        return None


def _read_fact(read: Callable[[], T], otherwise: T) -> T:
    """One fact, or what stands for one that these rights do not allow; a process that is gone is
    not caught here.
    """
    try:
        return read()
    except psutil.NoSuchProcess:
        raise
    except (psutil.AccessDenied, OSError):
        return otherwise


def _read_limits(process: psutil.Process) -> Iterator[Limit]:
    for name, number in LIMITS.items():
        found = _read_fact(partial(process.rlimit, number), None)
        if found is not None:
            soft, hard = (-1 if value == psutil.RLIM_INFINITY else int(value) for value in found)
            yield Limit(name, soft, hard)


def read_machine_facts() -> MachineFacts:
    """This machine, as it is now."""
    return MachineFacts(
        cpus=psutil.cpu_count() or 1,
        usable=len(os.sched_getaffinity(0)),
        memory=psutil.virtual_memory().total,
        load=round(psutil.getloadavg()[0], 2),
        booted=psutil.boot_time(),
    )
