"""Shared memory in words: mappings, protections, sizes, and why an access failed."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Exited,
    Fault,
    MapEntry,
    Mapped,
    ObjectInfo,
    Protected,
    SignalDelivered,
    Unmapped,
)
from ipcviz.narrate import DETAIL, NOISE, TURN
from tests import picture_states as systems
from tests.told import Row, check, did

QUEUE = ObjectInfo(key="8:300", kind="file", path="/tmp/queue.dat", dev=8, ino=300)
MEMFD = ObjectInfo(key="1:7", kind="memfd", path="/memfd:buf (deleted)", dev=1, ino=7)
SEGMENT = ObjectInfo(key="shm:5", kind="shared memory", path="/SYSV00005e5e", ino=5)
LIBRARY = ObjectInfo(key="8:9", kind="file", path="/usr/lib/libc.so.6", dev=8, ino=9)
START = 0x7F0000000000
PAGE = 4096
AT = {"object": QUEUE.key, "fd": 3}


def mapped(info: ObjectInfo = QUEUE, length: int = 4 * PAGE, start: int = START, **more) -> Mapped:
    return Mapped(start=start, length=length, object=info, **{"prot": "rw-", **more})


def system():
    """Two processes have four pages of a file mapped; 13 has a System V segment as well."""
    m = systems.Maker()
    m.launch(12, "queue")
    m.open(12, 3, QUEUE, "rw")
    m.open(12, 4, MEMFD, "rw")
    m.events.append(did("mmap", mapped()))
    m.fork(12, 13, "reader")
    m.events.append(did("shmat", mapped(SEGMENT, start=0x1000), by=13))
    return m.state


MAPPED = [
    Row(
        did("mmap", mapped()),
        "queue[12] mapped 16,384 bytes of queue.dat shared, rw-, at 0x7f0000000000",
    ),
    Row(
        did("mmap", mapped(size=4 * PAGE - 5)),
        "queue[12] mapped 16,384 bytes of queue.dat shared, rw-, at 0x7f0000000000",
    ),
    Row(
        did("mmap", mapped(size=100)),
        "queue[12] mapped 16,384 bytes of queue.dat shared, rw-, at 0x7f0000000000; it"
        " has only 100 bytes: touching a page beyond its end raises SIGBUS",
        TURN,
    ),
    Row(
        did("mmap", mapped(size=4 * PAGE, offset=PAGE)),
        "queue[12] mapped 16,384 bytes of queue.dat shared, rw-, at 0x7f0000000000; it"
        " has only 16,384 bytes: touching a page beyond its end raises SIGBUS",
        TURN,
    ),
    Row(
        did("mmap", mapped(shared=False)),
        "queue[12] mapped 16,384 bytes of queue.dat private, rw-, at 0x7f0000000000: what"
        " it writes there stays its own",
    ),
    Row(
        did("mmap", mapped(shared=False, prot="r--")),
        "queue[12] mapped 16,384 bytes of queue.dat private, r--, at 0x7f0000000000",
        DETAIL,
    ),
    Row(
        did("mmap", mapped(LIBRARY)),
        "queue[12] mapped 16,384 bytes of libc.so.6 shared, rw-, at 0x7f0000000000",
        NOISE,
    ),
    Row(
        did("shmat", mapped(SEGMENT, start=0x1000, size=4 * PAGE)),
        "queue[12] attached 16,384 bytes of 0x5e5e, rw-, at 0x1000",
    ),
    Row(
        did("mmap", **AT, length=PAGE, prot="rw-", flags="MAP_SHARED", error="EACCES"),
        "queue[12] could not map 4,096 bytes of queue.dat (rw-, MAP_SHARED): EACCES: its"
        " descriptor is not open for that",
    ),
    Row(
        did(
            "mmap",
            object=MEMFD.key,
            fd=4,
            length=PAGE,
            prot="rw-",
            flags="MAP_SHARED",
            error="EPERM",
        ),
        "queue[12] could not map 4,096 bytes of MF1 (rw-, MAP_SHARED): EPERM: its seals forbid it",
    ),
    Row(
        did("mmap", length="0x1000", prot="rw-", flags="MAP_ANONYMOUS", error="ENOMEM"),
        "queue[12] could not map 4,096 bytes of anonymous memory (rw-, MAP_ANONYMOUS): ENOMEM",
        DETAIL,
    ),
    Row(
        did("mmap", length="many", prot="rw-", flags="MAP_ANONYMOUS", error="EINVAL"),
        "queue[12] could not map 0 bytes of anonymous memory (rw-, MAP_ANONYMOUS): EINVAL",
        DETAIL,
    ),
    Row(did("mmap", length=PAGE), ""),
]

UNMAPPED = [
    Row(
        did("munmap", Unmapped(start=START, length=4 * PAGE)),
        "queue[12] unmapped 16,384 bytes of queue.dat at 0x7f0000000000",
    ),
    Row(
        did("munmap", Unmapped(start=START + PAGE, length=PAGE)),
        "queue[12] unmapped 4,096 bytes of the 16,384 bytes of queue.dat at 0x7f0000001000",
    ),
    Row(
        did("munmap", Unmapped(start=START - PAGE, length=2 * PAGE)),
        "queue[12] unmapped 4,096 bytes of the 16,384 bytes of queue.dat at 0x7f0000000000",
    ),
    Row(
        did("munmap", Unmapped(start=START + 3 * PAGE, length=9 * PAGE)),
        "queue[12] unmapped 4,096 bytes of the 16,384 bytes of queue.dat at 0x7f0000003000",
    ),
    Row(
        did("mmap", Unmapped(start=START, length=4 * PAGE)),
        "queue[12] unmapped 16,384 bytes of queue.dat at 0x7f0000000000: private memory"
        " is mapped over it (MAP_FIXED)",
    ),
    Row(
        (did("mmap", mapped(LIBRARY, start=0x5000)), did("munmap", Unmapped(0x5000, PAGE))),
        "queue[12] unmapped 4,096 bytes of the 16,384 bytes of libc.so.6 at 0x5000",
        NOISE,
    ),
    Row(did("munmap", Unmapped(start=0x10, length=PAGE)), ""),
    Row(
        did("mprotect", Protected(start=START, length=PAGE, prot="---")),
        "queue[12] set the protection of 4,096 bytes of queue.dat at 0x7f0000000000 to"
        " ---: nothing may touch it",
    ),
    Row(
        did("mprotect", Protected(start=START, length=PAGE, prot="r--")),
        "queue[12] set the protection of 4,096 bytes of queue.dat at 0x7f0000000000 to"
        " r--: it may only be read",
    ),
    Row(
        did("mprotect", Protected(start=START, length=PAGE, prot="rw-")),
        "queue[12] set the protection of 4,096 bytes of queue.dat at 0x7f0000000000 to rw-",
    ),
    Row(did("mprotect", Protected(start=0x10, length=PAGE, prot="r--")), ""),
]


def mremap(*effects: object, length: int = 4 * PAGE, **more):
    return did("mremap", *effects, address=START, length=length, **more)


REMAPPED = [
    Row(
        mremap(newlength=4 * PAGE, ret=0x9000),
        "queue[12] moved its mapping of queue.dat from 0x7f0000000000 to 0x9000 (mremap)",
    ),
    Row(
        mremap(newlength=8 * PAGE, ret=START),
        "queue[12] made its mapping of queue.dat at 0x7f0000000000 32,768 bytes long (it"
        " had 16,384 bytes) (mremap)",
    ),
    Row(
        mremap(newlength=8 * PAGE, ret=0x9000),
        "queue[12] moved its mapping of queue.dat from 0x7f0000000000 to 0x9000 and made"
        " it 32,768 bytes long (it had 16,384 bytes) (mremap)",
    ),
    Row(
        mremap(newlength=4 * PAGE, ret=START),
        "queue[12] made its mapping of queue.dat at 0x7f0000000000 no longer and no"
        " shorter (mremap)",
    ),
    Row(
        mremap(newlength=2 * PAGE, ret=0x9000, length=0),
        "queue[12] mapped 8,192 bytes of queue.dat once more, at 0x9000 (mremap)",
    ),
    Row(
        mremap(mapped(length=8 * PAGE, size=4 * PAGE), newlength=8 * PAGE, ret=START),
        "queue[12] made its mapping of queue.dat at 0x7f0000000000 32,768 bytes long (it"
        " had 16,384 bytes) (mremap); it has only 16,384 bytes: touching a page beyond"
        " its end raises SIGBUS",
        TURN,
    ),
    Row(
        mremap(newlength=8 * PAGE, flags="MREMAP_FIXED", error="EINVAL"),
        "queue[12] got EINVAL from mremap of queue.dat at 0x7f0000000000 (MREMAP_FIXED)",
    ),
    Row(did("mremap", address=0x10, length=PAGE, newlength=PAGE, ret=0x10), ""),
]

ADVISED = [
    Row(
        did("madvise", address=START, length=PAGE - 1, advice="MADV_DONTNEED"),
        "queue[12] gave back 4,096 bytes of its mapping of queue.dat (MADV_DONTNEED):"
        " queue.dat keeps what is in it",
    ),
    Row(
        (
            did("mmap", mapped(shared=False, start=0x5000)),
            did("madvise", address=0x5000, length=PAGE, advice="MADV_DONTNEED"),
        ),
        "queue[12] gave back 4,096 bytes of its mapping of queue.dat (MADV_DONTNEED): its"
        " own copies of pages there are gone",
    ),
    Row(
        did("madvise", address=START, length=PAGE, advice="MADV_REMOVE"),
        "queue[12] freed 4,096 bytes of queue.dat (MADV_REMOVE): all who have it mapped"
        " read zeros there now",
    ),
    Row(did("madvise", address=START, length=PAGE, advice="MADV_WILLNEED"), ""),
    Row(did("madvise", address=START, length=PAGE, advice="MADV_REMOVE", error="EINVAL"), ""),
    Row(did("madvise", address=0x10, length=PAGE, advice="MADV_REMOVE"), ""),
]

SIZES = [
    Row(
        did("ftruncate", **AT, length=5 * PAGE),
        "queue[12] set the size of queue.dat to 20,480 bytes",
    ),
    Row(
        did("ftruncate", **AT, length=4 * PAGE - 1),
        "queue[12] set the size of queue.dat to 16,383 bytes",
    ),
    Row(
        did("ftruncate", **AT, length=PAGE),
        "queue[12] set the size of queue.dat to 4,096 bytes; queue[12], reader[13] have"
        " more than that mapped: touching a page beyond the end raises SIGBUS",
        TURN,
    ),
    Row(
        (Exited(t=8.0, pid=13), did("ftruncate", **AT, length=PAGE)),
        "queue[12] set the size of queue.dat to 4,096 bytes; queue[12] has more than that"
        " mapped: touching a page beyond the end raises SIGBUS",
        TURN,
    ),
    Row(
        did("truncate", object="8:77", path="/tmp/other", length=1),
        "queue[12] set the size of /tmp/other to 1 byte",
    ),
    Row(
        did("ftruncate", object=MEMFD.key, fd=4, length=1, error="EPERM"),
        "queue[12] could not set the size of MF1 to 1 byte: EPERM: its seals forbid it",
    ),
    Row(did("ftruncate", length=1), ""),
    Row(
        did("fallocate", **AT, mode="0", offset=0, length=PAGE),
        "queue[12] allocated 4,096 bytes of queue.dat from byte 0 on (fallocate)",
    ),
    Row(
        did("fallocate", **AT, mode="FALLOC_FL_KEEP_SIZE", offset=PAGE, length=1),
        "queue[12] allocated 1 byte of queue.dat from byte 4,096 on (fallocate,"
        " FALLOC_FL_KEEP_SIZE)",
    ),
    Row(
        did("fallocate", **AT, mode="FALLOC_FL_PUNCH_HOLE", offset=PAGE, length=PAGE),
        "queue[12] zeroed 4,096 bytes of queue.dat from byte 4,096 on (fallocate,"
        " FALLOC_FL_PUNCH_HOLE)",
    ),
    Row(
        did("fallocate", **AT, mode="FALLOC_FL_ZERO_RANGE", offset=0, length=PAGE),
        "queue[12] zeroed 4,096 bytes of queue.dat from byte 0 on (fallocate,"
        " FALLOC_FL_ZERO_RANGE)",
    ),
    Row(
        did("fallocate", object=MEMFD.key, fd=4, mode="0", offset=0, length=PAGE),
        "queue[12] allocated 4,096 bytes of MF1 from byte 0 on (fallocate)",
        DETAIL,
    ),
    Row(
        did("fallocate", object=MEMFD.key, fd=4, error="EPERM"),
        "queue[12] got EPERM from fallocate of MF1: its seals forbid it",
    ),
    Row(did("fallocate", **AT, error="ENOSPC"), "queue[12] got ENOSPC from fallocate of queue.dat"),
    Row(did("fallocate"), ""),
    Row(
        did("msync", **AT, length=PAGE, flags="MS_SYNC"),
        "queue[12] had 4,096 bytes of queue.dat written to the file, and waited until it"
        " was (msync)",
    ),
    Row(
        did(
            "msync",
            **AT,
            length="?",
            flags="MS_ASYNC",
        ),
        "queue[12] had some bytes of queue.dat written to the file, without waiting for it (msync)",
    ),
    Row(did("msync", **AT, error="EIO"), "queue[12] got EIO from msync of queue.dat"),
    Row(did("msync"), ""),
]

SEALS = [
    Row(
        did("fcntl", object=MEMFD.key, fd=4, cmd="F_ADD_SEALS", seals="F_SEAL_WRITE|F_SEAL_GROW"),
        "queue[12] sealed MF1 (F_SEAL_WRITE|F_SEAL_GROW): nobody can write it or grow it any more",
        TURN,
    ),
    Row(
        did("fcntl", object=MEMFD.key, fd=4, cmd="F_ADD_SEALS", seals="0"),
        "queue[12] sealed MF1 (0)",
        TURN,
    ),
    Row(
        did(
            "fcntl", object=MEMFD.key, fd=4, cmd="F_ADD_SEALS", seals="F_SEAL_WRITE", error="EBUSY"
        ),
        "queue[12] could not seal MF1 (F_SEAL_WRITE): EBUSY",
    ),
    Row(did("fcntl", object=MEMFD.key, fd=4, cmd="F_GETFL"), ""),
]

SEGMENTS = [
    Row(
        did("shmget", key=0x5E5E, size=PAGE, flags="IPC_CREAT", ret=5),
        "queue[12] got the System V segment 5 of 4,096 bytes for the key 0x5e5e (IPC_CREAT)",
    ),
    Row(
        did("shmget", key=0, size=0, flags="0600", ret=6),
        "queue[12] got the System V segment 6 for no key (IPC_PRIVATE) (0600)",
    ),
    Row(
        did("shmget", key=-1, size=1, flags="IPC_CREAT", ret=6),
        "queue[12] got the System V segment 6 of 1 byte for the key 0xffffffff"
        " (IPC_CREAT); key -1: had ftok failed? Every program whose ftok fails shares"
        " this one",
        TURN,
    ),
    Row(
        did("shmget", key=7, flags="0", error="ENOENT"),
        "queue[12] got ENOENT from shmget for the key 0x7 (0)",
    ),
    Row(
        did("shmctl", id=5, cmd="IPC_RMID"),
        "queue[12] removed the System V segment 5 (IPC_RMID): it stays as long as"
        " reader[13] has it attached",
    ),
    Row(did("shmctl", id=6, cmd="IPC_RMID"), "queue[12] removed the System V segment 6 (IPC_RMID)"),
    Row(
        did("shmctl", id=5, cmd="IPC_RMID", error="EPERM"),
        "queue[12] could not remove the System V segment 5: EPERM",
    ),
    Row(did("shmctl", id=5, cmd="IPC_STAT"), ""),
]


def fault(
    address: int, code: str = "SEGV_MAPERR", entry: MapEntry | None = None, signo: int = 11, **more
) -> SignalDelivered:
    return SignalDelivered(
        t=9.0,
        pid=12,
        tid=12,
        signo=signo,
        code=code,
        action="core",
        address=address,
        fault=Fault(mapping=entry, **more),
    )


def entry(info: ObjectInfo = QUEUE, prot: str = "r--", shared: bool = True) -> MapEntry:
    return MapEntry(START, 4 * PAGE, info, offset=PAGE, prot=prot, shared=shared)


HEAP = ObjectInfo(key="vm", kind="anonymous memory", path="[heap]")
PRIVATE = ObjectInfo(key="vm", kind="anonymous memory")
GONE = ObjectInfo(key="8:555", kind="file", path="/tmp/old (deleted)")
NAMELESS = ObjectInfo(key="8:556", kind="file")

FAULTS = [
    Row(
        fault(0x10),
        "SIGSEGV (address 0x10: nothing is mapped there, it is next to a null pointer)"
        " reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(PAGE),
        "SIGSEGV (address 0x1000: nothing is mapped there) reached queue[12]: it ends and"
        " dumps core",
        TURN,
    ),
    Row(
        fault(0x7FFF0000, stack=8 << 20),
        "SIGSEGV (address 0x7fff0000: below the end of its stack of 8,388,608 bytes,"
        " which has overflowed) reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_ACCERR", entry()),
        "SIGSEGV (address 0x7f0000000005, byte 4,101 of queue.dat (shared): the write was"
        " refused, that page may only be read (r--)) reached queue[12]: it ends and dumps"
        " core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_ACCERR", entry(prot="---")),
        "SIGSEGV (address 0x7f0000000005, byte 4,101 of queue.dat (shared): that access"
        " is not permitted (---)) reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_ACCERR", entry(prot="rw-"), execution=True),
        "SIGSEGV (address 0x7f0000000005, byte 4,101 of queue.dat (shared): that page may"
        " not be executed (rw-)) reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_ACCERR", entry(HEAP, shared=False)),
        "SIGSEGV (address 0x7f0000000005, in [heap]: the write was refused, that page may"
        " only be read (r--)) reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_ACCERR", entry(PRIVATE, shared=False)),
        "SIGSEGV (address 0x7f0000000005, in private memory: the write was refused, that"
        " page may only be read (r--)) reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_ACCERR", entry(GONE, shared=False)),
        "SIGSEGV (address 0x7f0000000005, byte 4,101 of old (private): the write was"
        " refused, that page may only be read (r--)) reached queue[12]: it ends and dumps"
        " core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_ACCERR", entry(NAMELESS)),
        "SIGSEGV (address 0x7f0000000005, byte 4,101 of memory without a name (shared):"
        " the write was refused, that page may only be read (r--)) reached queue[12]: it"
        " ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_MAPERR", entry()),
        "SIGSEGV (address 0x7f0000000005: nothing was mapped there) reached queue[12]: it"
        " ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "SEGV_PKUERR", entry()),
        "SIGSEGV (address 0x7f0000000005, byte 4,101 of queue.dat (shared): SEGV_PKUERR)"
        " reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "BUS_ADRERR", entry(), signo=7, size=100),
        "SIGBUS (address 0x7f0000000005 is byte 4,101 of queue.dat, past its end: it has"
        " 100 bytes) reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "BUS_ADRERR", entry(), signo=7, size=PAGE + 5),
        "SIGBUS (address 0x7f0000000005 is byte 4,101 of queue.dat, past its end: it has"
        " 4,101 bytes) reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "BUS_ADRERR", entry(), signo=7, size=PAGE + 6),
        "SIGBUS (address 0x7f0000000005, byte 4,101 of queue.dat (shared): the page could"
        " not be had (no space, or an error of the file system)) reached queue[12]: it"
        " ends and dumps core",
        TURN,
    ),
    Row(
        fault(START + 5, "BUS_ADRALN", entry(), signo=7),
        "SIGBUS (address 0x7f0000000005, byte 4,101 of queue.dat (shared): it is not"
        " aligned for that access) reached queue[12]: it ends and dumps core",
        TURN,
    ),
    Row(
        (fault(0x10), Exited(t=9.1, pid=12, signo=11, core=True)),
        "queue[12] was killed by SIGSEGV (core dumped): address 0x10: nothing is mapped"
        " there, it is next to a null pointer",
        TURN,
    ),
    Row((fault(0x10), Exited(t=9.1, pid=12, signo=6)), "queue[12] was killed by SIGABRT", TURN),
]

TABLES = [
    (table, system)
    for table in (MAPPED, UNMAPPED, REMAPPED, ADVISED, SIZES, SEALS, SEGMENTS, FAULTS)
]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)
