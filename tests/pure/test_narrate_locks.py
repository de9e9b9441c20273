"""File locks in words: taken, refused, released, lost by a close, kept by a relative."""

from __future__ import annotations

import pytest

from ipcviz.events import Call, Closed, Exited, FileLock, Locks, ObjectInfo, Opened, Waiting
from ipcviz.narrate import DETAIL, TURN
from tests import picture_states as systems
from tests.told import Row, check, did

FILE = ObjectInfo(key="8:9", kind="file", path="/var/lock/queue", dev=8, ino=9)
AT = {"object": FILE.key, "fd": 3}
OFD = 101
"""What 12 has behind descriptor 3, and 13, its child, too; 14 has opened the file itself."""
OTHER = 102


def lock(kind: str, mode: str = "w", pid: int = 12, **more) -> FileLock:
    return FileLock(kind=kind, mode=mode, pid=pid, **more)


def locked(*locks: FileLock) -> Call:
    return did("flock", Locks(object=FILE.key, locks=locks), by=14)


def system():
    m = systems.Maker()
    m.launch(12, "lpd")
    assert m.open(12, 3, FILE, "rw") == OFD
    m.fork(12, 13, "lpr")
    m.fork(12, 14, "lpq")
    assert m.open(14, 3, FILE, "rw") == OTHER
    return m.state


FLOCK = lock("flock", ofd=OFD)
SHARED = lock("flock", "r", ofd=OTHER, pid=14)
BYTES = {"whence": "SEEK_SET", "start": 0, "length": 10}


def flock(operation: str, **more) -> Call:
    return did("flock", **AT, operation=operation, **more)


def fcntl(kind: str, cmd: str = "F_SETLK", **more) -> Call:
    return did("fcntl", **AT, **BYTES, cmd=cmd, lock=kind, **more)


TAKEN = [
    Row(flock("LOCK_EX"), "lpd[12] took the exclusive flock lock on queue", TURN),
    Row(flock("LOCK_SH|LOCK_NB"), "lpd[12] took the shared flock lock on queue", TURN),
    Row(fcntl("F_WRLCK"), "lpd[12] took the exclusive fcntl lock on queue, bytes 0-9", TURN),
    Row(
        did("fcntl", **AT, whence="SEEK_SET", start=7, length=1, cmd="F_OFD_SETLK", lock="F_RDLCK"),
        "lpd[12] took the shared open file description lock on queue, byte 7",
        TURN,
    ),
    Row(
        did("fcntl", **AT, whence="SEEK_SET", start=7, length=0, cmd="F_SETLK", lock="F_RDLCK"),
        "lpd[12] took the shared fcntl lock on queue, from byte 7",
        TURN,
    ),
    Row(
        (Waiting(t=8.0, pid=12, tid=12, call="flock", args={"fd": 3}), flock("LOCK_EX")),
        "lpd[12] got the exclusive flock lock on queue after its wait",
        TURN,
    ),
    Row(flock("LOCK_UN"), "lpd[12] released its lock on queue (fd 3)"),
    Row(
        (locked(FLOCK, lock("flock", pid=14, waits=True)), flock("LOCK_UN")),
        "lpd[12] released its lock on queue (fd 3)",
        TURN,
    ),
    Row(fcntl("F_UNLCK"), "lpd[12] released its lock on queue, bytes 0-9 (fd 3)"),
    Row(
        did("fcntl", fd=7, cmd="F_SETLK", lock="F_WRLCK"),
        "lpd[12] took the exclusive fcntl lock on a file",
        TURN,
    ),
]

REFUSED = [
    Row(
        (locked(SHARED), flock("LOCK_EX|LOCK_NB", error="EAGAIN")),
        "lpd[12] did not get the exclusive flock lock on queue: lpq[14] has it, and the"
        " call does not wait",
        TURN,
    ),
    Row(
        (locked(lock("flock", pid=14)), flock("LOCK_EX|LOCK_NB", error="EAGAIN")),
        "lpd[12] did not get the exclusive flock lock on queue: lpq[14] has it, and the"
        " call does not wait",
        TURN,
    ),
    Row(
        (
            locked(lock("posix", pid=13), lock("posix", pid=14, start=4, end=4)),
            fcntl("F_WRLCK", error="EACCES"),
        ),
        "lpd[12] did not get the exclusive fcntl lock on queue, bytes 0-9: lpr[13],"
        " lpq[14] have it, and the call does not wait",
        TURN,
    ),
    Row(
        (locked(lock("posix", pid=13, start=10)), fcntl("F_WRLCK", error="EAGAIN")),
        "lpd[12] did not get the exclusive fcntl lock on queue, bytes 0-9: somebody else"
        " has it, and the call does not wait",
        TURN,
    ),
    Row(
        (
            did("openat", Opened(fd=4, ofd=OTHER + 1, object=FILE, mode="rw"), ret=4),
            locked(lock("ofd", ofd=OTHER + 1)),
            fcntl("F_WRLCK", "F_OFD_SETLK", error="EAGAIN"),
        ),
        "lpd[12] did not get the exclusive open file description lock on queue, bytes"
        " 0-9: it has one itself, by another open file description, and the call does not"
        " wait",
        TURN,
    ),
    Row(
        fcntl("F_WRLCK", "F_SETLKW", error="EDEADLK"),
        "lpd[12] was refused the exclusive fcntl lock on queue, bytes 0-9: to wait for it"
        " would be a deadlock (EDEADLK)",
        TURN,
    ),
    Row(
        fcntl("F_WRLCK", error="EBADF"),
        "lpd[12] got EBADF from fcntl for the exclusive fcntl lock on queue, bytes 0-9",
    ),
    Row(flock("LOCK_UN", error="EBADF"), "lpd[12] got EBADF from flock on queue (fd 3)", DETAIL),
    Row(
        flock("LOCK_EX", error="EINTR"),
        "lpd[12] got EINTR from flock for the exclusive flock lock on queue",
    ),
]

LOST = [
    Row(
        (locked(lock("posix")), did("close", Locks(FILE.key), Closed(fd=3))),
        "lpd[12] closed descriptor 3 (queue): its fcntl locks on queue are lost",
        TURN,
    ),
    Row(
        (
            did("openat", Opened(fd=4, ofd=OTHER + 1, object=FILE, mode="rw"), ret=4),
            locked(lock("posix")),
            did("close", Closed(fd=4), Locks(FILE.key)),
        ),
        "lpd[12] closed descriptor 4 (queue): its fcntl locks on queue are lost, although"
        " descriptor 3 is still open",
        TURN,
    ),
    Row(
        (locked(SHARED), did("close", Closed(fd=3), Locks(FILE.key), by=14)),
        "lpq[14] closed descriptor 3 (queue): its lock on queue is released",
        TURN,
    ),
    Row(
        (locked(FLOCK), did("close", Closed(fd=3), Locks(FILE.key, (FLOCK,)))),
        "lpd[12] closed descriptor 3 (queue): the lock on queue stays: lpr[13] has the"
        " same open file description",
        TURN,
    ),
    Row(
        (
            locked(lock("posix"), FLOCK),
            did("close", Closed(fd=3), Locks(FILE.key, (FLOCK,))),
        ),
        "lpd[12] closed descriptor 3 (queue): its fcntl locks on queue are lost, and the"
        " lock on queue stays: lpr[13] has the same open file description",
        TURN,
    ),
    Row(
        (locked(SHARED), Exited(t=9.0, pid=14)),
        "lpq[14] exited with status 0: its lock on queue is released",
        TURN,
    ),
    Row(
        (locked(FLOCK), Exited(t=9.0, pid=12)),
        "lpd[12] exited with status 0: its lock on queue stays: lpr[13] has the same open"
        " file description",
        TURN,
    ),
    Row(
        (locked(lock("posix", waits=True)), Exited(t=9.0, pid=12)),
        "lpd[12] exited with status 0",
        TURN,
    ),
]

OWNERS = [
    Row(
        did("futex", died=13),
        "lpd[12] was woken because lpr[13] has ended while it held the robust mutex: who"
        " takes it next gets EOWNERDEAD",
        TURN,
    ),
    Row(
        did("futex", died=99),
        "lpd[12] was woken because thread 99 has ended while it held the robust mutex:"
        " who takes it next gets EOWNERDEAD",
        TURN,
    ),
    Row(did("futex"), ""),
]

LOCK_FILES = [
    Row(
        did("openat", path="/var/lock/queue", flags="O_CREAT|O_EXCL", error="EEXIST"),
        "lpd[12] could not make the lock file /var/lock/queue: it exists, and O_EXCL lets"
        " only one make it; lpd[12], lpr[13], lpq[14] have it open",
    ),
    Row(
        (
            Exited(t=8.0, pid=13),
            Exited(t=8.0, pid=14),
            did("openat", path="./queue", flags="O_CREAT|O_EXCL", error="EEXIST"),
        ),
        "lpd[12] could not make the lock file ./queue: it exists, and O_EXCL lets only"
        " one make it; lpd[12] has it open",
    ),
    Row(
        (
            *(Exited(t=8.0, pid=pid) for pid in (13, 14)),
            did("close", Closed(fd=3)),
            did("openat", path="queue", flags="O_CREAT|O_EXCL", error="EEXIST"),
        ),
        "lpd[12] could not make the lock file queue: it exists, and O_EXCL lets only one"
        " make it; no watched process has it open",
    ),
    Row(
        did("openat", path="LCK", flags="O_CREAT|O_EXCL", error="EEXIST"),
        "lpd[12] could not make the lock file LCK: it exists, and O_EXCL lets only one"
        " make it; no watched process was seen to make it: it may be left over",
    ),
]

TABLES = [(table, system) for table in (TAKEN, REFUSED, LOST, OWNERS, LOCK_FILES)]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)
