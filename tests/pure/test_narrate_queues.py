"""Message queues in words."""

from __future__ import annotations

import pytest

from ipcviz.events import NameRemoved, ObjectInfo, Uses
from ipcviz.narrate import DETAIL, TURN
from tests import picture_states as systems
from tests.told import Row, check, did

JOBS = ObjectInfo(key="18:7", kind="message queue", path="/jobs", ino=7)
MSG = ObjectInfo(key="msg:3", kind="message queue", path="msg 3", ino=3, detail="System V")
POSIX = {"object": JOBS.key, "fd": 3}
SYSTEM_V = {"object": MSG.key, "id": 3}


def system():
    """A process with a POSIX queue behind descriptor 3, and a System V queue that it has used."""
    m = systems.Maker()
    m.launch(12, "lpd")
    m.open(12, 3, JOBS, "rw")
    m.events.append(did("msgget", Uses(object=MSG), ret=3, key=0x5E5E))
    return m.state


MESSAGES = [
    Row(
        did("read", **POSIX, ret=60, count=100, data=b"QSIZE:13"),
        "lpd[12] read about jobs (fd 3), and took no message",
    ),
    Row(
        did("mq_timedsend", **POSIX, count=3, priority=5, data=b"job"),
        'lpd[12] put a message of 3 bytes, priority 5 into jobs: "job"',
    ),
    Row(
        did("mq_timedreceive", **POSIX, ret=3, taken=5, count=64, data=b"job"),
        'lpd[12] took a message of 3 bytes, priority 5 from jobs: "job"',
    ),
    Row(
        did("mq_timedreceive", **POSIX, ret=30, data=b"x" * 30),
        'lpd[12] took a message of 30 bytes from jobs: "xxxxxxxxxxxxxxxxxxxxxxxx"...',
    ),
    Row(
        did("msgsnd", **SYSTEM_V, count=1, msg="type 7", data=b"x"),
        'lpd[12] put a message of 1 byte, type 7 into msg 3: "x"',
    ),
    Row(
        did("msgrcv", **SYSTEM_V, ret=4, taken=7, count=8),
        "lpd[12] took a message of 4 bytes, type 7 from msg 3",
    ),
    Row(
        did("msgrcv", **SYSTEM_V, ret=4, count=4, flags="MSG_NOERROR", data=b"four"),
        'lpd[12] took a message of 4 bytes from msg 3: "four"; it fills the buffer, and'
        " what did not fit, if anything, is lost (MSG_NOERROR)",
    ),
    Row(
        did("msgrcv", **SYSTEM_V, ret=4, count=8, flags="MSG_NOERROR", data=b"four"),
        'lpd[12] took a message of 4 bytes from msg 3: "four"',
    ),
    Row(
        did("msgsnd", id=9, count=2, msg="type 1"),
        "lpd[12] put a message of 2 bytes, type 1 into System V queue 9",
    ),
]

FAILED = [
    Row(
        did("mq_timedreceive", **POSIX, error="EAGAIN"),
        "lpd[12] got EAGAIN from mq_timedreceive on jobs: the queue is empty, and the"
        " call does not wait",
    ),
    Row(
        did("mq_timedsend", **POSIX, error="EAGAIN"),
        "lpd[12] got EAGAIN from mq_timedsend on jobs: the queue is full, and the call"
        " does not wait",
    ),
    Row(
        did("msgsnd", **SYSTEM_V, error="EAGAIN"),
        "lpd[12] got EAGAIN from msgsnd on msg 3: the queue has no room, and the call"
        " does not wait",
    ),
    Row(
        did("msgrcv", **SYSTEM_V, error="ENOMSG"),
        "lpd[12] got ENOMSG from msgrcv on msg 3: no such message is in it, and the call"
        " does not wait",
    ),
    Row(
        did("msgrcv", **SYSTEM_V, error="EIDRM"),
        "lpd[12] got EIDRM from msgrcv on msg 3: the queue was removed",
        TURN,
    ),
    Row(
        did("msgrcv", **SYSTEM_V, error="E2BIG"),
        "lpd[12] got E2BIG from msgrcv on msg 3: the message is larger than the buffer for it",
    ),
    Row(
        did("mq_timedsend", **POSIX, error="EMSGSIZE"),
        "lpd[12] got EMSGSIZE from mq_timedsend on jobs: the message is larger than the"
        " queue takes (mq_msgsize)",
    ),
    Row(
        did("mq_timedreceive", **POSIX, error="EMSGSIZE"),
        "lpd[12] got EMSGSIZE from mq_timedreceive on jobs: the buffer is smaller than"
        " the largest message that the queue takes (mq_msgsize)",
    ),
    Row(
        did("mq_timedreceive", **POSIX, error="ETIMEDOUT"),
        "lpd[12] got ETIMEDOUT from mq_timedreceive on jobs: its time was up",
    ),
    Row(
        did("mq_timedreceive", **POSIX, error="EINTR"),
        "lpd[12] got EINTR from mq_timedreceive on jobs: a signal's handler ran first",
    ),
    Row(did("msgsnd", **SYSTEM_V, error="EFAULT"), "lpd[12] got EFAULT from msgsnd on msg 3"),
]

NOTICES = [
    Row(
        did("mq_notify", **POSIX, how="SIGUSR1"),
        "lpd[12] asks to be notified by SIGUSR1 when a message comes into jobs while it is empty",
    ),
    Row(
        did("mq_notify", **POSIX, how="thread"),
        "lpd[12] asks to be notified by a thread of its own when a message comes into"
        " jobs while it is empty",
    ),
    Row(
        did("mq_notify", **POSIX, how="nothing"),
        "lpd[12] registers for messages in jobs without a notification (SIGEV_NONE)",
    ),
    Row(
        did("mq_notify", **POSIX),
        "lpd[12] asks to be notified when a message comes into jobs while it is empty",
    ),
    Row(
        did("mq_notify", **POSIX, event=0),
        "lpd[12] no longer wants to be notified of messages in jobs",
    ),
    Row(
        did("mq_notify", **POSIX, error="EBUSY"),
        "lpd[12] can't be notified of messages in jobs: another process has asked for that",
    ),
    Row(did("mq_notify", **POSIX, error="EINVAL"), "lpd[12] got EINVAL from mq_notify on jobs"),
]

SETS = [
    Row(
        did("msgget", Uses(object=MSG), ret=3, key=0x5E5E),
        "lpd[12] got the System V queue msg 3 (id 3) again for the key 0x5e5e",
    ),
    Row(
        did(
            "msgget",
            Uses(object=ObjectInfo(key="msg:4", kind="message queue", path="msg 4", ino=4)),
            ret=4,
            key=0,
        ),
        "lpd[12] got the System V queue msg 4 (id 4) for no key (IPC_PRIVATE)",
    ),
    Row(
        did("msgget", Uses(object=MSG), ret=3, key=-1),
        "lpd[12] got the System V queue msg 3 (id 3) again for the key 0xffffffff; key"
        " -1: had ftok failed? Every program whose ftok fails shares this one",
        TURN,
    ),
    Row(did("msgget", key=0x5E5E, error="ENOENT"), "lpd[12] got ENOENT from msgget", DETAIL),
    Row(
        did("msgctl", **SYSTEM_V, cmd="IPC_RMID"), "lpd[12] removed the System V queue msg 3", TURN
    ),
    Row(
        did("msgctl", **SYSTEM_V, cmd="IPC_SET", limit=4096),
        "lpd[12] changed the owner, the permissions or the limit of msg 3 (IPC_SET): it"
        " takes 4,096 bytes now",
    ),
    Row(
        did("msgctl", **SYSTEM_V, cmd="IPC_SET"),
        "lpd[12] changed the owner, the permissions or the limit of msg 3 (IPC_SET)",
    ),
    Row(
        did("msgctl", **SYSTEM_V, cmd="IPC_RMID", error="EPERM"),
        "lpd[12] got EPERM from msgctl of msg 3 (IPC_RMID)",
    ),
    Row(
        did("msgctl", id=9, cmd="IPC_RMID", error="EINVAL"),
        "lpd[12] got EINVAL from msgctl of System V queue 9 (IPC_RMID)",
    ),
    Row(did("msgctl", **SYSTEM_V, cmd="IPC_STAT"), ""),
    Row(
        did("mq_unlink", NameRemoved(path="/jobs", object=JOBS.key), path="/jobs"),
        "lpd[12] removed the name /jobs",
    ),
]

TABLES = [(table, system) for table in (MESSAGES, FAILED, NOTICES, SETS)]


@pytest.mark.parametrize("row", [*MESSAGES, *FAILED, *NOTICES, *SETS], ids=lambda row: row.text)
def test_sentences(row):
    check(system(), row)
