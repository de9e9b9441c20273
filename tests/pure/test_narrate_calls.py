"""System calls in words, where no mechanism has a module of its own for them."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Call,
    Capacity,
    Closed,
    CloseOnExec,
    Duplicated,
    Identified,
    NameCreated,
    NameRemoved,
    ObjectInfo,
    Opened,
    StatusFlags,
    WorkingDirectory,
)
from ipcviz.narrate import DETAIL, NOISE, TURN
from tests import picture_states as systems
from tests.told import Row, check, did, tell

P, Q = systems.pipe(1), systems.pipe(2)
FILE = ObjectInfo(key="8:9", kind="file", path="/tmp/words", dev=8, ino=9)
LIBRARY = ObjectInfo(key="8:10", kind="file", path="/usr/lib/libc.so.6", dev=8, ino=10)
MEMFD = ObjectInfo(key="1:7", kind="memfd", path="/memfd:buf", dev=1, ino=7)
FIFO = ObjectInfo(key="8:11", kind="fifo", path="/tmp/fifo", dev=8, ino=11)


def system():
    """sh[12] has a pipe behind 3 and 4, a file behind 5, a memfd behind 6; so has cat[13]."""
    m = systems.Maker()
    m.launch(12, "sh")
    m.pipe(12, 3, 4, P)
    m.open(12, 5, FILE, "rw")
    m.open(12, 6, MEMFD, "rw")
    m.fork(12, 13, "cat")
    return m.state


PIPE = {"object": P.key}

DATA = [
    Row(did("write", **PIPE, fd=4, ret=5, count=5), "sh[12] wrote 5 bytes to P1 (fd 4)"),
    Row(
        did("write", **PIPE, fd=4, ret=5, count=9),
        "sh[12] wrote 5 bytes to P1 (fd 4), of 9 that it had",
    ),
    Row(did("writev", **PIPE, fd=4, ret=5), "sh[12] wrote 5 bytes to P1 (fd 4)"),
    Row(did("read", **PIPE, fd=3, ret=1, count=9), "sh[12] read 1 byte from P1 (fd 3)"),
    Row(
        did("read", **PIPE, fd=3, ret=0, count=0),
        "sh[12] read 0 bytes from P1 (fd 3): it asked for no more",
        DETAIL,
    ),
    Row(
        did("read", object=FILE.key, fd=5, ret=9, count=9),
        "sh[12] read 9 bytes from words (fd 5)",
        DETAIL,
    ),
    Row(
        did("read", object=FILE.key, fd=5, ret=0, count=9),
        "sh[12] read end of file from words (fd 5)",
        DETAIL,
    ),
    Row(
        did("read", **PIPE, fd=3, error="EAGAIN"),
        "sh[12] got EAGAIN from read (fd 3) on P1: it is empty, and its open file"
        " description does not block",
    ),
    Row(
        did("write", **PIPE, fd=4, error="EAGAIN"),
        "sh[12] got EAGAIN from write (fd 4) on P1: it is full, and its open file"
        " description does not block",
    ),
    Row(
        did("read", **PIPE, fd=3, error="EINTR"),
        "sh[12] got EINTR from read (fd 3) on P1: a signal's handler ran first",
    ),
    Row(
        did("write", **PIPE, fd=4, error="EINTR"),
        "sh[12] got EINTR from write (fd 4) on P1: a signal's handler ran first",
    ),
    Row(
        did("write", **PIPE, fd=3, error="EBADF"),
        "sh[12] got EBADF from write (fd 3) on P1: that descriptor is not open for it",
    ),
    Row(
        did("read", object=FILE.key, fd=5, error="EIO"),
        "sh[12] got EIO from read (fd 5) on words",
        DETAIL,
    ),
    Row(
        did("write", object=MEMFD.key, fd=6, error="EPERM"),
        "sh[12] got EPERM from write (fd 6) on MF1: its seals forbid it",
    ),
    Row(
        did("write", object=FILE.key, fd=5, error="EPERM"),
        "sh[12] got EPERM from write (fd 5) on words",
        DETAIL,
    ),
    Row(
        did("read", fd=9, error="EBADF"),
        "sh[12] got EBADF from read (fd 9) on an object that is not known: that"
        " descriptor is not open for it",
    ),
]

MOVED = [
    Row(
        did("splice", fd_in=5, fd_out=4, ret=100, count=100),
        "sh[12] moved 100 bytes from words (fd 5) to P1 (fd 4) by splice",
    ),
    Row(
        did("splice", fd_in=3, fd_out=5, ret=0, count=100),
        "sh[12] found the end of P1 (fd 3) in splice",
    ),
    Row(
        did("splice", fd_in=3, fd_out=5, ret=0, count=0),
        "sh[12] moved 0 bytes from P1 (fd 3) to words (fd 5) by splice: it asked for no more",
        DETAIL,
    ),
    Row(
        did("sendfile", fd_in=5, fd_out=99, ret=7, count=9),
        "sh[12] moved 7 bytes from words (fd 5) to ? (fd 99) by sendfile",
    ),
    Row(
        did("tee", fd_in=3, fd_out="?", ret=7, count=9),
        "sh[12] copied 7 bytes from P1 (fd 3) to ? by tee: they still wait in the former",
    ),
    Row(
        did("splice", fd_in=3, fd_out=5, error="EAGAIN"),
        "sh[12] got EAGAIN from splice from P1 (fd 3) to words (fd 5)",
    ),
    Row(
        did("copy_file_range", fd_in=5, fd_out=5, ret=1),
        "sh[12] moved 1 byte from words (fd 5) to words (fd 5) by copy_file_range",
        DETAIL,
    ),
]


def opened(info: ObjectInfo, mode: str = "r", fd: int = 7, flags: tuple = ()) -> Opened:
    return Opened(fd=fd, ofd=900 + fd, object=info, mode=mode, flags=flags)


TIMER = ObjectInfo(key="anon:1", kind="timerfd")
RING = ObjectInfo(key="anon:2", kind="anonymous inode", detail="io_uring")
TCP = ObjectInfo(key="socket:[1]", kind="tcp socket", ino=1)

OPENED = [
    Row(
        did("openat", opened(FILE), ret=7),
        "sh[12] opened /tmp/words for reading: descriptor 7",
        DETAIL,
    ),
    Row(
        did("openat", opened(FILE, "w", flags=("append", "nonblock")), ret=7),
        "sh[12] opened /tmp/words for writing, append, nonblock: descriptor 7",
    ),
    Row(
        did("openat", opened(FILE, "path"), ret=7),
        "sh[12] opened /tmp/words as a path only: descriptor 7",
    ),
    Row(
        did("openat", opened(LIBRARY), ret=7),
        "sh[12] opened /usr/lib/libc.so.6 for reading: descriptor 7",
        NOISE,
    ),
    Row(
        did("openat", opened(LIBRARY, "w"), ret=7, flags="O_EXCL"),
        "sh[12] opened /usr/lib/libc.so.6 for writing: descriptor 7",
        NOISE,
    ),
    Row(
        did("openat", opened(FIFO, "rw"), ret=7),
        "sh[12] opened the FIFO fifo for reading and writing: descriptor 7",
    ),
    Row(
        did("mq_open", opened(ObjectInfo("18:1", "message queue", "/jobs"), "rw"), ret=7),
        "sh[12] opened the message queue jobs for reading and writing: descriptor 7",
    ),
    Row(
        did("memfd_create", opened(ObjectInfo("1:8", "memfd", "/memfd:new"), "rw"), ret=7),
        "sh[12] made the memfd MF2 for reading and writing: descriptor 7",
    ),
    Row(
        did("timerfd_create", opened(TIMER, "rw"), ret=7),
        "sh[12] made the timer descriptor T1 for reading and writing: descriptor 7",
        DETAIL,
    ),
    Row(
        did("io_uring_setup", opened(RING, "rw"), ret=7),
        "sh[12] made the anonymous inode io_uring X1: descriptor 7; what it reads and"
        " writes through it makes no system calls, and is not shown",
        TURN,
    ),
    Row(did("recvmsg", opened(P), ret=7), "sh[12] read 7 bytes from an object that is not known"),
    Row(did("socket", opened(TCP, "rw"), ret=7), "sh[12] made the TCP socket S1: descriptor 7"),
    Row(
        did("pipe2", opened(Q, "r", 7), opened(Q, "w", 8)),
        "sh[12] made the pipe P2: read end 7, write end 8",
        TURN,
    ),
    Row(
        did(
            "pipe2",
            opened(Q, "r", 7, ("direct", "nonblock")),
            opened(Q, "w", 8, ("direct", "nonblock")),
        ),
        "sh[12] made the pipe P2: read end 7, write end 8; each write is a packet of its"
        " own (O_DIRECT); its ends do not block",
        TURN,
    ),
    Row(
        did("pipe", opened(Q, "r", 7), opened(Q, "w", 8)),
        "sh[12] made the pipe P2: read end 7, write end 8",
        TURN,
    ),
    Row(did("pipe", error="EMFILE"), ""),
]

DESCRIPTORS = [
    Row(
        did("dup2", Duplicated(fd=1, source=4), ret=1),
        "sh[12] made descriptor 1 a duplicate of 4 (P1, write end), and no longer pts/3",
    ),
    Row(
        did("dup", Duplicated(fd=7, source=5), ret=7),
        "sh[12] made descriptor 7 a duplicate of 5 (words)",
        DETAIL,
    ),
    Row(
        did("dup", Duplicated(fd=7, source=99), ret=7), "sh[12] made descriptor 7 a duplicate of 99"
    ),
    Row(
        (did("openat", opened(LIBRARY), ret=7), did("dup", Duplicated(8, 7), ret=8)),
        "sh[12] made descriptor 8 a duplicate of 7 (libc.so.6)",
        DETAIL,
    ),
    Row(
        did("dup2", Duplicated(fd=3, source=3), ret=3),
        "sh[12] made descriptor 3 a duplicate of 3 (P1, read end)",
    ),
    Row(
        did("fcntl", CloseOnExec(fd=3, cloexec=True), fd=3),
        "sh[12] set descriptor 3 to be closed at exec",
        DETAIL,
    ),
    Row(
        did("fcntl", CloseOnExec(fd=3, cloexec=False), fd=3),
        "sh[12] set descriptor 3 to stay open at exec",
        DETAIL,
    ),
    Row(
        did("fcntl", StatusFlags(fd=3, flags=("nonblock", "append")), fd=3),
        "sh[12] set the status flags behind descriptor 3 (P1, read end): nonblock, append",
    ),
    Row(
        did("fcntl", StatusFlags(fd=99, flags=()), fd=99),
        "sh[12] set the status flags behind descriptor 99 (not known): none",
    ),
    Row(
        did("fcntl", Capacity(object=P.key, capacity=4096), fd=3),
        "sh[12] set the capacity of P1 to 4,096 bytes",
    ),
    Row(
        did("fcntl", **PIPE, fd=3, cmd="F_SETPIPE_SZ", arg=1, error="EPERM"),
        "sh[12] could not set the capacity of P1 to 1 byte: EPERM: an ordinary user may"
        " have no more (pipe-max-size, pipe-user-pages-soft)",
    ),
    Row(
        did("fcntl", cmd="F_SETPIPE_SZ", arg="?", error="EINVAL"),
        "sh[12] could not set the capacity of  to another size: EINVAL",
    ),
    Row(did("close", Closed(fd=99)), "sh[12] closed descriptor 99", DETAIL),
    Row(did("close", Closed(fd=5)), "sh[12] closed descriptor 5 (words)", NOISE),
    Row(did("close", Closed(fd=6)), "sh[12] closed descriptor 6 (MF1)"),
    Row(did("close", Closed(fd=3)), "sh[12] closed descriptor 3 (P1, read end)"),
    Row(
        (did("close", Closed(fd=3)), did("close", Closed(fd=3), by=13)),
        "cat[13] closed descriptor 3 (P1, read end): no reader is left: a write to it"
        " fails now, with SIGPIPE or EPIPE",
        TURN,
    ),
    Row(
        (did("close", Closed(fd=4)), did("close", Closed(fd=4), by=13)),
        "cat[13] closed descriptor 4 (P1, write end): no writer is left: after what waits"
        " in it comes the end of file",
        TURN,
    ),
    Row(
        did("chdir", WorkingDirectory(path="/tmp"), path="/tmp"),
        "sh[12] changed its directory to /tmp",
        DETAIL,
    ),
    Row(did("connect", Identified(object=TCP), error=""), "sh[12] connected a socket"),
]

NAMES = [
    Row(
        did("mknodat", NameCreated(path="/tmp/fifo", object=FIFO.key)),
        "sh[12] made the FIFO /tmp/fifo",
        TURN,
    ),
    Row(
        did("bind", NameCreated(path="/run/door")),
        "sh[12] bound a socket to  (chosen by the kernel)",
    ),
    Row(did("symlink", NameCreated(path="/tmp/x")), "sh[12] made the name /tmp/x"),
    Row(
        did("unlink", NameRemoved(path="/tmp/fifo", object=FIFO.key)),
        "sh[12] removed the name /tmp/fifo",
    ),
    Row(
        did("openat", path="/etc/ld.so.preload", error="ENOENT"),
        "sh[12] got ENOENT from openat of /etc/ld.so.preload",
        NOISE,
    ),
    Row(
        did("openat", path="/tmp/none", error="ENOENT"),
        "sh[12] got ENOENT from openat of /tmp/none",
        DETAIL,
    ),
    Row(
        did("openat", path="/tmp/none", error="EMFILE"),
        "sh[12] got EMFILE from openat of /tmp/none",
        DETAIL,
    ),
    Row(
        did("openat", object=FIFO.key, path="/tmp/fifo", error="ENXIO"),
        "sh[12] could not open the FIFO /tmp/fifo for writing: ENXIO, no reader has it"
        " open, and with O_NONBLOCK it does not wait for one",
    ),
    Row(
        did("openat", path="/tmp/sock", error="ENXIO"),
        "sh[12] got ENXIO from openat of /tmp/sock",
        DETAIL,
    ),
    Row(
        did("execve", filename="/usr/bin/none", error="ENOENT"),
        "sh[12] got ENOENT from execve of /usr/bin/none",
        NOISE,
    ),
    Row(
        did("execve", filename="/tmp/x", error="E2BIG"),
        "sh[12] got E2BIG from execve of /tmp/x",
        DETAIL,
    ),
    Row(did("fork", error="EAGAIN"), "sh[12] got EAGAIN from fork", DETAIL),
    Row(did("dup2", fd=99, newfd=1, error="EBADF"), "sh[12] got EBADF from dup2 of 99", DETAIL),
    Row(
        did("mknod", path="/tmp/fifo", error="EEXIST"),
        "sh[12] got EEXIST from mknod of /tmp/fifo",
        DETAIL,
    ),
    Row(did("wait4", pid=-1, error="ECHILD"), "sh[12] got ECHILD from wait4", DETAIL),
    Row(did("getpid", ret=12), ""),
    Row(did("chmod", path="/tmp/x", error="EPERM"), ""),
]

TABLES = [(table, system) for table in (DATA, MOVED, OPENED, DESCRIPTORS, NAMES)]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)


def group(event: Call) -> tuple[str, int]:
    sentence = tell(system(), event)
    assert sentence is not None
    return sentence.group, sentence.amount


def test_what_may_be_one_row_with_others_like_it():
    first = group(did("write", **PIPE, fd=4, ret=5, count=5))
    assert first == ("12 write pipe:[1] ", 5)
    assert group(did("write", **PIPE, fd=4, error="EAGAIN")) == ("12 write pipe:[1] EAGAIN", 0)
    assert group(did("read", **PIPE, fd=3, ret=0, count=9)) == ("12 read pipe:[1] end", 0)
    assert group(did("close", Closed(fd=3))) == ("", 0), "no data: it stands by itself"
    assert group(did("sendmsg", fd=3, ret=5, credentials="pid 1"))[0] == "", "each may differ"
    read = did("recvmsg", opened(P), **PIPE, fd=3, ret=5)
    assert group(read)[0] == "", "a descriptor came with it"
