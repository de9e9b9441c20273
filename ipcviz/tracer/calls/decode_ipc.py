"""Arguments of the calls for System V IPC and for memory: constants, and what lies behind their
pointers.

Sources: linux/ipc.h, linux/sem.h, linux/msg.h, linux/shm.h, asm-generic/mman-common.h,
linux/mman.h, linux/memfd.h, linux/fcntl.h, linux/falloc.h.
"""

from __future__ import annotations

import signal
import struct
from collections.abc import Callable
from typing import Final

from ipcviz.events.calls import CHANGES_SEMAPHORES
from ipcviz.events.signals import signal_name
from ipcviz.kernel import memory, procfs, semaphores
from ipcviz.tracer.calls.flags import Word, make_choice_decoder, make_flag_decoder, with_mode
from ipcviz.tracer.calls.table import F_ADD_SEALS

IPC_NOWAIT: Final = 0o4000
SETALL: Final = 17

PLAIN: Final[dict[str, Callable[[int], Word]]] = {
    "ipc_flags": with_mode(
        ((0o1000, "IPC_CREAT"), (0o2000, "IPC_EXCL"), (IPC_NOWAIT, "IPC_NOWAIT"))
    ),
    "segment_flags": with_mode(
        (
            (0o1000, "IPC_CREAT"),
            (0o2000, "IPC_EXCL"),
            (0o4000, "SHM_HUGETLB"),
            (0o10000, "SHM_NORESERVE"),
        )
    ),
    "attach_flags": make_flag_decoder(
        (
            (0o10000, "SHM_RDONLY"),
            (0o20000, "SHM_RND"),
            (0o40000, "SHM_REMAP"),
            (0o100000, "SHM_EXEC"),
        )
    ),
    "queue_flags": make_flag_decoder(
        (
            (IPC_NOWAIT, "IPC_NOWAIT"),
            (0o10000, "MSG_NOERROR"),
            (0o20000, "MSG_EXCEPT"),
            (0o40000, "MSG_COPY"),
        )
    ),
    "ipc_command": make_choice_decoder(
        {
            0: "IPC_RMID",
            1: "IPC_SET",
            2: "IPC_STAT",
            3: "IPC_INFO",
            11: "GETPID",
            12: "GETVAL",
            13: "GETALL",
            14: "GETNCNT",
            15: "GETZCNT",
            16: "SETVAL",
            SETALL: "SETALL",
        }
    ),
    "protection": make_flag_decoder(
        ((1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC"), (8, "PROT_SEM")), "PROT_NONE"
    ),
    "map_flags": make_flag_decoder(
        (
            (3, "MAP_SHARED_VALIDATE"),
            (1, "MAP_SHARED"),
            (2, "MAP_PRIVATE"),
            (0x10, "MAP_FIXED"),
            (0x20, "MAP_ANONYMOUS"),
            (0x100, "MAP_GROWSDOWN"),
            (0x800, "MAP_DENYWRITE"),
            (0x2000, "MAP_LOCKED"),
            (0x4000, "MAP_NORESERVE"),
            (0x8000, "MAP_POPULATE"),
            (0x20000, "MAP_STACK"),
            (0x40000, "MAP_HUGETLB"),
            (0x80000, "MAP_SYNC"),
            (0x100000, "MAP_FIXED_NOREPLACE"),
        )
    ),
    "remap_flags": make_flag_decoder(
        ((1, "MREMAP_MAYMOVE"), (2, "MREMAP_FIXED"), (4, "MREMAP_DONTUNMAP"))
    ),
    "msync_flags": make_flag_decoder(((1, "MS_ASYNC"), (2, "MS_INVALIDATE"), (4, "MS_SYNC"))),
    "advice": make_choice_decoder(
        {
            3: "MADV_WILLNEED",
            4: "MADV_DONTNEED",
            8: "MADV_FREE",
            9: "MADV_REMOVE",
            10: "MADV_DONTFORK",
            11: "MADV_DOFORK",
            18: "MADV_WIPEONFORK",
            19: "MADV_KEEPONFORK",
            21: "MADV_PAGEOUT",
            22: "MADV_POPULATE_READ",
            23: "MADV_POPULATE_WRITE",
            24: "MADV_DONTNEED_LOCKED",
        }
    ),
    "memfd_flags": make_flag_decoder(
        (
            (1, "MFD_CLOEXEC"),
            (2, "MFD_ALLOW_SEALING"),
            (4, "MFD_HUGETLB"),
            (8, "MFD_NOEXEC_SEAL"),
            (16, "MFD_EXEC"),
        )
    ),
    "seals": make_flag_decoder(
        (
            (1, "F_SEAL_SEAL"),
            (2, "F_SEAL_SHRINK"),
            (4, "F_SEAL_GROW"),
            (8, "F_SEAL_WRITE"),
            (16, "F_SEAL_FUTURE_WRITE"),
            (32, "F_SEAL_EXEC"),
        )
    ),
    "fallocate_mode": make_flag_decoder(
        (
            (1, "FALLOC_FL_KEEP_SIZE"),
            (2, "FALLOC_FL_PUNCH_HOLE"),
            (8, "FALLOC_FL_COLLAPSE_RANGE"),
            (16, "FALLOC_FL_ZERO_RANGE"),
            (32, "FALLOC_FL_INSERT_RANGE"),
        )
    ),
    "whence": make_choice_decoder(
        {0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END", 3: "SEEK_DATA", 4: "SEEK_HOLE"}
    ),
}

_SEMBUF: Final = struct.Struct("=Hhh")
_MSG_QBYTES: Final = 88
"""Offset of msg_qbytes in struct msqid64_ds of 64-bit machines (asm-generic/msgbuf.h)."""
_MOST: Final = 16
"""Operations of one semop, and values of one SETALL, that are told."""
_OPERATION_FLAGS: Final = make_flag_decoder(((0o10000, "SEM_UNDO"), (IPC_NOWAIT, "IPC_NOWAIT")))


def decode_operations(tid: int, address: int, count: int) -> Word:
    """An array of struct sembuf (semop(2)) as text: `[0] -1 SEM_UNDO, [2] +1`, with an ellipsis if
    there are more.
    """
    raw = (
        memory.read_bytes(tid, address, _SEMBUF.size * min(count, _MOST))
        if address and count
        else None
    )
    if not raw or len(raw) < _SEMBUF.size:
        return hex(address)
    words = []
    for number, op, bits in _SEMBUF.iter_unpack(raw[: len(raw) // _SEMBUF.size * _SEMBUF.size]):
        word = f"[{number}] {op:+d}" if op else f"[{number}] 0"
        words.append(f"{word} {_OPERATION_FLAGS(bits & 0xFFFF)}" if bits else word)
    return ", ".join(words) + (", ..." if count > _MOST else "")


def _decode_values(tid: int, semid: int, address: int) -> str:
    """What SETALL sets, as far as the set's size is known: `1, 0, 4`."""
    one = semaphores.sysv_sets().get(semid) if procfs.same_namespace(tid, "ipc") else None
    raw = memory.read_bytes(tid, address, 2 * min(one.size, _MOST)) if one is not None else None
    words = [str(value) for (value,) in struct.iter_unpack("=H", raw or b"")]
    return ", ".join(words) + (", ..." if one is not None and one.size > _MOST else "")


def _decode_notification(tid: int, address: int) -> str:
    """How a struct sigevent of mq_notify(2) tells: by a signal's name, `thread` (libc's own way),
    or `nothing`.
    """
    raw = memory.read_bytes(tid, address, 16) if address else None
    if raw is None or len(raw) < 16:
        return ""
    _, signo, how = struct.unpack("=Qii", raw)
    # asm-generic/siginfo.h: SIGEV_SIGNAL 0, SIGEV_NONE 1, SIGEV_THREAD 2.
    return {
        0: signal_name(signo) if 0 < signo < signal.NSIG else "",
        1: "nothing",
        2: "thread",
    }.get(how, "")


def _operations_of(tid: int, raw: tuple[int, ...]) -> dict[str, Word]:
    return {"ops": decode_operations(tid, raw[1], raw[2])}


def _values_of(tid: int, raw: tuple[int, ...]) -> dict[str, Word]:
    """What semctl sets a semaphore to, or all of a set."""
    command = raw[2] & 0xFF
    if command == SETALL:
        return {"values": _decode_values(tid, raw[0] & 0xFFFFFFFF, raw[3])}
    return {"value": raw[3] & 0xFFFFFFFF} if PLAIN["ipc_command"](command) == "SETVAL" else {}


def _limit_of(tid: int, raw: tuple[int, ...]) -> dict[str, Word]:
    """How many bytes a queue is to hold at most (msgctl with IPC_SET)."""
    if PLAIN["ipc_command"](raw[1] & 0xFF) != "IPC_SET":
        return {}
    limit = memory.read_u64(tid, raw[2] + _MSG_QBYTES)
    return {"limit": limit} if limit is not None else {}


def _how_notified(tid: int, raw: tuple[int, ...]) -> dict[str, Word]:
    how = _decode_notification(tid, raw[1])
    return {"how": how} if how else {}


def _seals_of(tid: int, raw: tuple[int, ...]) -> dict[str, Word]:
    added = raw[1] & 0xFFFFFFFF == F_ADD_SEALS
    return {"seals": PLAIN["seals"](raw[2] & 0xFFFFFFFF)} if added else {}


FURTHER: Final[dict[str, Callable[[int, tuple[int, ...]], dict[str, Word]]]] = {
    **dict.fromkeys(CHANGES_SEMAPHORES, _operations_of),
    "semctl": _values_of,
    "msgctl": _limit_of,
    "mq_notify": _how_notified,
    "fcntl": _seals_of,
}
"""What else a call's arguments say that one argument alone does not tell: (thread, registers)."""
