"""Semaphores in words: POSIX operations, System V sets, and who holds what."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Entered,
    Exited,
    Mapped,
    NameRemoved,
    ObjectInfo,
    Opened,
    Sample,
    SemaphoreInfo,
    SemaphoreLevel,
    SemaphoreOp,
    Waiting,
)
from ipcviz.narrate import DETAIL, NOISE, TURN, describe_holding
from tests import picture_states as systems
from tests.told import Row, check, did

LOCK = SemaphoreInfo(key="sem:8:300:0", kind="named", name="/lock", object="8:300")
DOOR = SemaphoreInfo(key="sem:8:301:0", kind="unnamed", object="8:301")
OWN = SemaphoreInfo(key="sem:vm:12:4096", kind="unnamed", offset=4096)
FILE = ObjectInfo(key="8:300", kind="file", path="/dev/shm/sem.lock", dev=8, ino=300)
SET = [
    SemaphoreInfo(key=f"sysv:5:{index}", kind="system v", name=f"0x5e5e[{index}]")
    for index in range(2)
]
ID = {"id": 5}


def op(name: str, value: int | None = None, info: SemaphoreInfo = LOCK, by: int = 12, **more):
    return SemaphoreOp(t=9.0, pid=by, tid=by, op=name, semaphore=info, value=value, **more)


def maker() -> systems.Maker:
    """Two processes, a named semaphore that nobody has, and a System V set."""
    m = systems.Maker()
    m.launch(12, "ps")
    m.fork(12, 13, "lpr")
    mapped = Mapped(start=0x7000, length=4096, object=FILE, prot="rw-", size=32)
    m.events.append(did("mmap", mapped, by=13))
    m.events.append(op("open", None, initial=1))
    levels = tuple(SemaphoreLevel(info=info, value=1) for info in SET)
    m.events.append(Sample(t=0.5, semaphores=levels))
    return m


def system():
    return maker().state


OPERATIONS = [
    Row(
        op("init", initial=4),
        "ps[12] initialised the semaphore /lock to 4 (shared between processes)",
    ),
    Row(
        op("init", info=OWN, initial=1, shared=False),
        "ps[12] initialised the semaphore M1 to 1 (for its own threads only)",
        NOISE,
    ),
    Row(op("post", 0), "ps[12] posted /lock: 0 to 1"),
    Row(op("post"), "ps[12] posted /lock"),
    Row(op("trywait", 0), "ps[12] finds /lock at 0 and goes on without it"),
    Row(
        (op("wait", 1, by=13), op("trywait", 0)),
        "ps[12] finds /lock at 0 and goes on without it: lpr[13] took it",
    ),
    Row(op("wait", 0), "ps[12] finds /lock at 0 and must wait", TURN),
    Row(
        (op("wait", 1, by=13), op("wait", 0)),
        "ps[12] finds /lock at 0 and must wait: lpr[13] took it",
        TURN,
    ),
    Row(
        (op("wait", 1, by=13), Exited(t=9.0, pid=13), op("wait", 0)),
        "ps[12] finds /lock at 0 and must wait: lpr[13], which has ended, took it",
        TURN,
    ),
    Row(
        (
            op("init", initial=3),
            op("wait", 3, by=13),
            op("wait", 2, by=13),
            op("wait", 1),
            op("wait", 0),
        ),
        "ps[12] finds /lock at 0 and must wait: lpr[13] took it 2 times, ps[12] took it",
        TURN,
    ),
    Row((op("post", 1), op("wait", 0)), "ps[12] finds /lock at 0 and must wait", TURN),
    Row(op("timedwait", 3), "ps[12] took /lock: 3 to 2"),
    Row(op("clockwait"), "ps[12] took /lock"),
    Row(op("acquired", 0), "ps[12] got /lock after its wait", TURN),
    Row(
        op("gave-up", 0, error="ETIMEDOUT"),
        "ps[12] did not get /lock: ETIMEDOUT, its time was up",
        TURN,
    ),
    Row(
        op("gave-up", 0, error="EINTR"),
        "ps[12] did not get /lock: EINTR, a signal's handler ran first",
        TURN,
    ),
    Row(op("gave-up", 0, error="EINVAL"), "ps[12] did not get /lock: EINVAL", TURN),
    Row(
        op("overtaken", 0),
        "ps[12] was overtaken at /lock: another thread took it first, and it must wait",
        TURN,
    ),
    Row(
        op("missed", 0),
        "ps[12] was overtaken at /lock: another thread took it first, and it did not get it",
        TURN,
    ),
    Row(op("gained", 0), "ps[12] got /lock after all: another thread gave it in that moment"),
    Row(op("getvalue", 2), "ps[12] read the value of /lock: 2", DETAIL),
    Row(op("getvalue"), "ps[12] read the value of /lock", DETAIL),
    Row(op("open", 1, initial=1), "ps[12] made the semaphore /lock (value 1)"),
    Row(op("open", 2), "ps[12] opened the semaphore /lock (value 2)"),
    Row(op("open"), "ps[12] opened the semaphore /lock"),
    Row(op("close"), "ps[12] closed the semaphore /lock", DETAIL),
    Row(op("destroy", info=DOOR), "ps[12] destroyed the semaphore sem:8:301:0"),
    Row(
        (op("init", info=DOOR, initial=1), op("destroy", info=DOOR)),
        "ps[12] destroyed the semaphore M1",
    ),
    Row(op("wait", 1, info=OWN), "ps[12] took M1: 1 to 0", NOISE),
    Row(op("other"), "ps[12] called sem_other on /lock"),
]

GOT = [
    Row(
        did("semget", key=0x5E5E, count=2, flags="IPC_CREAT", ret=5),
        "ps[12] got the System V set 5 of 2 semaphores for the key 0x5e5e (IPC_CREAT)",
    ),
    Row(
        did("semget", key=0x5E5E, count=1, flags="IPC_CREAT", ret=5),
        "ps[12] got the System V set 5 of 1 semaphore for the key 0x5e5e (IPC_CREAT)",
    ),
    Row(
        did("semget", key=0, count=0, flags="0600", ret=6),
        "ps[12] got the System V set 6 for no key (IPC_PRIVATE) (0600)",
    ),
    Row(
        did("semget", key=-1, count=1, flags="IPC_CREAT", ret=6),
        "ps[12] got the System V set 6 of 1 semaphore for the key 0xffffffff (IPC_CREAT);"
        " key -1: had ftok failed? Every program whose ftok fails shares this one",
        TURN,
    ),
    Row(
        did("semget", key=7, flags="0", error="ENOENT"),
        "ps[12] got ENOENT from semget for the key 0x7 (0): there is none for that key",
    ),
    Row(
        did("semget", key=7, flags="0", error="ENOSPC"),
        "ps[12] got ENOSPC from semget for the key 0x7 (0)",
    ),
]

CHANGED = [
    Row(did("semop", **ID, ops="[0] -1"), "ps[12] did [0] -1 on the set 0x5e5e (id 5)"),
    Row(
        did("semop", **ID, ops="[0] -1 SEM_UNDO"),
        "ps[12] did [0] -1 SEM_UNDO on the set 0x5e5e (id 5), to be undone when it ends",
    ),
    Row(
        (
            Waiting(t=8.0, pid=12, tid=12, call="semop", args={**ID, "ops": "[0] -1"}),
            did("semop", **ID, ops="[0] -1"),
        ),
        "ps[12] did [0] -1 on the set 0x5e5e (id 5) after its wait",
        TURN,
    ),
    Row(did("semop", id=9, ops="[0] +1"), "ps[12] did [0] +1 on the set 9"),
    Row(
        did("semop", **ID, ops="[0] -1 IPC_NOWAIT", error="EAGAIN"),
        "ps[12] got EAGAIN from semop on the set 0x5e5e (id 5): [0] -1 IPC_NOWAIT (it"
        " would have had to wait)",
    ),
    Row(
        did("semtimedop", **ID, ops="[0] -1", error="EAGAIN"),
        "ps[12] got EAGAIN from semop on the set 0x5e5e (id 5): [0] -1 (its time was up)",
    ),
    Row(
        did("semop", **ID, ops="[0] -1", error="EIDRM"),
        "ps[12] got EIDRM from semop on the set 0x5e5e (id 5): [0] -1 (the set was removed)",
        TURN,
    ),
    Row(
        did("semop", **ID, ops="[7] -1", error="EFBIG"),
        "ps[12] got EFBIG from semop on the set 0x5e5e (id 5): [7] -1 (the set has no"
        " such semaphore)",
    ),
    Row(
        did("semop", **ID, ops="[0] +9", error="ERANGE"),
        "ps[12] got ERANGE from semop on the set 0x5e5e (id 5): [0] +9 (its value would"
        " become too large)",
    ),
    Row(
        did("semop", **ID, ops="[0] -1", error="EFAULT"),
        "ps[12] got EFAULT from semop on the set 0x5e5e (id 5): [0] -1",
    ),
    Row(
        Entered(t=9.0, pid=12, tid=12, call="semop", args={**ID, "ops": "[0] +1"}, object=""),
        "ps[12] is changing the set 0x5e5e (id 5): [0] +1; its semop has not returned yet",
    ),
]

CONTROLLED = [
    Row(
        did("semctl", **ID, cmd="SETVAL", index=1, value=4),
        "ps[12] set [1] of the set 0x5e5e (id 5) to 4 (SETVAL)",
    ),
    Row(
        did("semctl", **ID, cmd="SETALL", values="1, 2"),
        "ps[12] set the semaphores of the set 0x5e5e (id 5) to 1, 2 (SETALL)",
    ),
    Row(
        did("semctl", **ID, cmd="IPC_SET"),
        "ps[12] changed the owner or the permissions of the set 0x5e5e (id 5) (IPC_SET)",
    ),
    Row(
        did("semctl", **ID, cmd="IPC_RMID"),
        "ps[12] removed the System V set 0x5e5e (id 5) (IPC_RMID)",
        TURN,
    ),
    Row(
        (
            Waiting(
                t=8.0,
                pid=13,
                tid=13,
                call="semop",
                args={**ID, "ops": "[0] -2"},
                semaphore="sysv:5:0",
            ),
            did("semctl", **ID, cmd="IPC_RMID"),
        ),
        "ps[12] removed the System V set 0x5e5e (id 5) (IPC_RMID), which ends the wait of"
        " lpr[13] (EIDRM)",
        TURN,
    ),
    Row(
        did("semctl", **ID, cmd="SETVAL", error="EACCES"),
        "ps[12] got EACCES from semctl of the set 0x5e5e (id 5) (SETVAL): its permissions"
        " forbid it",
    ),
    Row(did("semctl", **ID, cmd="GETVAL"), ""),
]

NAMES = [
    Row(
        did("unlink", NameRemoved(path=FILE.path, object=FILE.key)),
        "ps[12] removed the semaphore's name /lock: lpr[13] can go on using it",
    ),
    Row(
        (Exited(t=9.0, pid=13), did("unlink", NameRemoved(path=FILE.path, object=FILE.key))),
        "ps[12] removed the semaphore's name /lock",
    ),
    Row(
        did("unlink", NameRemoved(path="/dev/shm/sem.old", object=FILE.key)),
        "ps[12] removed the name /dev/shm/sem.old",
        NOISE,
    ),
    Row(
        did("openat", Opened(fd=3, ofd=9, object=FILE, mode="rw"), ret=3, path=FILE.path),
        "ps[12] opened /dev/shm/sem.lock for reading and writing: descriptor 3",
        NOISE,
    ),
]

TABLES = [(table, system) for table in (OPERATIONS, GOT, CHANGED, CONTROLLED, NAMES)]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), "-"),
        ((op("wait", 1),), "ps[12]"),
        ((op("init", initial=2), op("wait", 2), op("wait", 1)), "ps[12] (2)"),
        ((op("wait", 1), Exited(t=9.0, pid=12)), "ps[12] (has ended)"),
        ((op("post", 1),), ""),
    ],
)
def test_who_holds_a_semaphore_in_a_table(events, words):
    m = maker()
    m.events.extend(events)
    state = m.state
    assert describe_holding(state, state.semaphores[LOCK.key]) == words


def test_a_holder_of_a_semaphore_that_was_there_before_may_not_be_the_only_one():
    m = maker()
    m.events.append(op("wait", 2, info=DOOR))
    state = m.state
    assert describe_holding(state, state.semaphores[DOOR.key]) == "ps[12], ?"
