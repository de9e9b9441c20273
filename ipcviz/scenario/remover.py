"""A program of its own: waits for the end of its input, then removes a run's folder and what its
programs have left outside it.

It imports nothing of ipcviz and is run by its path, so that it is there within some milliseconds:

    python -I -S remover.py FOLDER NAME SINCE
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROUNDS = 50
"""How often it is tried, if a process that is still dying puts something in again."""
PAUSE = 0.1
IPC_RMID = 0
REMOVERS = {"sem": "semctl", "msg": "msgctl", "shm": "shmctl"}
"""The call that removes a System V object, by the name of its list in /proc/sysvipc."""
SYSTEM_V = Path("/proc/sysvipc")
SHARED_MEMORY = Path("/dev/shm")


def remove_run(folder: Path, name: str, since: float) -> None:
    """Remove a run's folder and what its programs have made outside it.

    Args:
        folder: The folder that was made for the run.
        name: What names outside of it begin with.
        since: When the run began, in seconds since 1970, by the clock that stamps files: the
            kernel's, which lags behind the time of day by up to one of its ticks.
    """
    for _ in range(ROUNDS):
        remove_objects(folder, since)
        remove_names(name)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists() and not any(list_names(name)):
            return
        time.sleep(PAUSE)


def list_names(name: str) -> Iterator[Path]:
    """POSIX semaphores and shared memory whose names begin with this one (sem_overview(7))."""
    for start in (f"sem.{name}", name):
        yield from SHARED_MEMORY.glob(f"{start}*")


def remove_names(name: str) -> None:
    """Remove POSIX semaphores and shared memory whose names begin with this one, and the message
    queue of that very name: queues can't be listed where nobody has mounted their file system.
    """
    for path in list_names(name):
        path.unlink(missing_ok=True)
    ctypes.CDLL(None).mq_unlink(f"/{name}".encode())


def remove_objects(folder: Path, since: float) -> None:
    """Remove the user's System V objects whose keys ftok(3) has made of a file in the folder.

    Of such a key 24 bits are the file's: so it has to be young, too.
    """
    files = {word for path in folder.rglob("*") if (word := read_key(path)) is not None}
    libc = ctypes.CDLL(None)
    for kind, remove in REMOVERS.items():
        for key, number, user, changed in list_objects(kind):
            if key & 0xFFFFFF in files and user == os.getuid() and changed >= int(since):
                getattr(libc, remove)(number, 0 if kind == "sem" else IPC_RMID, IPC_RMID)


def read_key(path: Path) -> int | None:
    """The bits of ftok's key that are the file's own; None if it is gone."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_dev & 0xFF) << 16 | (found.st_ino & 0xFFFF)


def list_objects(kind: str) -> Iterator[tuple[int, int, int, int]]:
    """(key, number, user, when it was made or changed) of each System V object of a kind
    (proc_sysvipc in sysvipc(7)).
    """
    try:
        lines = (SYSTEM_V / kind).read_text().splitlines()
    except OSError:
        return
    names = lines[0].split()
    for line in lines[1:]:
        row = dict(zip(names, map(int, line.split()), strict=False))
        yield row["key"] & 0xFFFFFFFF, row[names[1]], row["uid"], row["ctime"]


if __name__ == "__main__":
    for signo in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(signo, signal.SIG_IGN)
    os.chdir("/")
    sys.stdin.buffer.read()
    remove_run(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
