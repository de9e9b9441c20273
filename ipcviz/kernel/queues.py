"""System V message queues and shared memory, and the POSIX queues that can be seen (sysvipc(7),
mq_overview(7)).

What is listed is what our own IPC namespace has.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Final, NamedTuple

from ipcviz.events import Level, Message, ObjectInfo
from ipcviz.kernel import procfs

IPC_STAT: Final = 2  # linux/ipc.h

_libc = ctypes.CDLL(None, use_errno=True)
_msgctl = _libc.msgctl
_msgrcv = _libc.msgrcv
_msgrcv.restype = ctypes.c_ssize_t
_msgrcv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int)

# linux/ipc.h, linux/msg.h
IPC_NOWAIT: Final = 0o4000
MSG_NOERROR: Final = 0o10000
MSG_COPY: Final = 0o40000
_LARGEST_COPY: Final = 65536

# struct msqid64_ds of 64-bit machines (asm-generic/msgbuf.h): ipc64_perm of 48 bytes, three times,
# then msg_cbytes, msg_qnum, msg_qbytes, msg_lspid, msg_lrpid.
_MSQID: Final = struct.Struct("=72xQQQii")
_MSQID_ROOM: Final = 256


class MessageQueue(NamedTuple):
    """A System V message queue (/proc/sysvipc/msg).

    Attributes:
        key: What msgget was given; 0 is IPC_PRIVATE.
        msqid: Its id.
        mode: Permission bits.
        cbytes: Bytes in it.
        qnum: Messages in it.
        lspid: Process of the last msgsnd, 0 if there was none.
        lrpid: Process of the last msgrcv, 0 if there was none.
        uid: Owner.
    """

    key: int
    msqid: int
    mode: int
    cbytes: int
    qnum: int
    lspid: int
    lrpid: int
    uid: int


class SharedSegment(NamedTuple):
    """A System V shared memory segment (/proc/sysvipc/shm). Its mappings have the key `shm:SHMID`.

    Attributes:
        key: What shmget was given; 0 is IPC_PRIVATE.
        shmid: Its id.
        mode: Permission bits, with SHM_DEST (01000) once it was removed and only waits for the last
            detach.
        size: Bytes.
        cpid: Its creator.
        lpid: Process of the last shmat or shmdt, 0 if there was none.
        nattch: How often it is attached now.
        uid: Owner.
    """

    key: int
    shmid: int
    mode: int
    size: int
    cpid: int
    lpid: int
    nattch: int
    uid: int

    @property
    def removed(self) -> bool:
        """Whether it goes with its last attachment."""
        return bool(self.mode & 0o1000)


def parse_message_queues(raw: bytes) -> dict[int, MessageQueue]:
    """Parse /proc/sysvipc/msg."""
    found = {}
    for line in raw.splitlines()[1:]:
        w = line.split()
        if len(w) >= 14:
            one = MessageQueue(
                int(w[0]) & 0xFFFFFFFF, int(w[1]), int(w[2], 8), *(int(word) for word in w[3:8])
            )
            found[one.msqid] = one
    return found


def message_queues() -> dict[int, MessageQueue]:
    """All System V message queues by id."""
    return parse_message_queues(procfs.read_bytes("/proc/sysvipc/msg", whole=True) or b"")


def parse_segments(raw: bytes) -> dict[int, SharedSegment]:
    """Parse /proc/sysvipc/shm."""
    found = {}
    for line in raw.splitlines()[1:]:
        w = line.split()
        if len(w) >= 14:
            one = SharedSegment(
                int(w[0]) & 0xFFFFFFFF, int(w[1]), int(w[2], 8), *(int(word) for word in w[3:8])
            )
            found[one.shmid] = one
    return found


def list_segments() -> dict[int, SharedSegment]:
    """All System V shared memory segments by id."""
    return parse_segments(procfs.read_bytes("/proc/sysvipc/shm", whole=True) or b"")


def identify_queue(msqid: int, key: int) -> ObjectInfo:
    """A System V message queue as an object: `key` as msgget had it, 0 for IPC_PRIVATE."""
    path = f"{key:#x}" if key else f"msg {msqid}"
    return ObjectInfo(
        key=f"msg:{msqid}", kind="message queue", path=path, ino=msqid, detail="System V"
    )


def copy_messages(msqid: int, count: int, limit: int) -> tuple[Message, ...]:
    """Copy the first messages of a System V queue, which stay in it (msgrcv(2), MSG_COPY, since
    Linux 3.8).

    Args:
        msqid: The queue.
        count: Messages at most.
        limit: Bytes of each at most.

    Returns:
        What could be copied; nothing if the kernel can't (CONFIG_CHECKPOINT_RESTORE), or its
        permissions forbid it.
    """
    found = []
    room = ctypes.create_string_buffer(8 + _LARGEST_COPY)
    for index in range(count):
        size = _msgrcv(msqid, room, _LARGEST_COPY, index, IPC_NOWAIT | MSG_COPY | MSG_NOERROR)
        if size < 0:
            break
        raw = ctypes.string_at(room, 8 + min(size, limit))
        found.append(
            Message(type=int.from_bytes(raw[:8], "little", signed=True), size=size, head=raw[8:])
        )
    return tuple(found)


def message_queue_level(msqid: int, count: int = 0, limit: int = 0) -> Level | None:
    """How full a System V message queue is, in bytes; key `msg:MSQID`.

    Args:
        msqid: The queue.
        count: Messages to copy at most.
        limit: Bytes of each at most.

    Returns:
        `queued` bytes of `capacity` msg_qbytes (msgctl(2), IPC_STAT). msgsnd also waits when there
        are as many messages as the capacity has bytes. None if it is gone or its permissions forbid
        us to ask.
    """
    room = ctypes.create_string_buffer(_MSQID_ROOM)
    if _msgctl(msqid, IPC_STAT, room) < 0:
        return None
    cbytes, qnum, qbytes, _, _ = _MSQID.unpack_from(room.raw)
    return Level(
        object=f"msg:{msqid}",
        queued=cbytes,
        capacity=qbytes,
        writable=cbytes < qbytes and qnum < qbytes,
        messages=qnum,
        waiting=copy_messages(msqid, min(count, qnum), limit) if count else (),
    )


def queue_file(pid: int, fd: int) -> tuple[int, int]:
    """Bytes of all messages of a POSIX queue (-1 if not known), and the process to be told of the
    next (0 if none).

    Its file is opened anew for reading, which changes nothing but its times.
    """
    raw = procfs.read_bytes(f"/proc/{pid}/fd/{fd}")
    fields = _queue_fields(raw or b"")
    return fields.get("QSIZE", -1), fields.get("NOTIFY_PID", 0)


def _queue_fields(raw: bytes) -> dict[str, int]:
    """`QSIZE:129 NOTIFY:2 SIGNO:0 NOTIFY_PID:8260` of a file of that file system."""
    fields = {}
    for word in raw.split():
        name, _, value = word.partition(b":")
        if value.lstrip(b"-").isdigit():
            fields[procfs.decode_text(name)] = int(value)
    return fields
