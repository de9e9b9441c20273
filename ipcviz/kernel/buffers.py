"""How full pipes, sockets and queues are, and the bytes that wait in them, without consuming any.

Descriptors are borrowed for this; `ipcviz.kernel.borrow` says when that is safe. Of a pipe the
write end is enough for everything but the waiting bytes and the exact number of slots, so a caller
that lets the observed processes run unwatched passes no reader. UNIX sockets' figures come from
sock_diag, and only their bytes need a borrowed end.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
import termios
import threading
from collections.abc import Iterable
from functools import cache, partial
from typing import Final, NamedTuple

import msgspec

from ipcviz.events import Level, Mode, ObjectInfo
from ipcviz.events.kinds import (
    BY_PATH,
    CONNECTIONLESS,
    COUNTERS,
    MESSAGES,
    PIPES,
    WITH_STATES,
    where,
)
from ipcviz.kernel import procfs, queues, sockets
from ipcviz.kernel.arch import call_numbers, find_native_arch
from ipcviz.kernel.aside import Aside, check_wanted
from ipcviz.kernel.borrow import borrow
from ipcviz.kernel.memory import PAGE_SIZE

F_SETPIPE_SZ: Final = 1031  # linux/fcntl.h
F_GETPIPE_SZ: Final = 1032
SPLICE_F_NONBLOCK: Final = 2
SO_PEEK_OFF: Final = 42  # asm-generic/socket.h
SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
"""SK_MEMINFO_* of linux/sock_diag.h: what has come in, its limit, ..., and how much was dropped,
the last of nine.
"""
_ALL: Final = 1 << 30
_MOST_SLOTS: Final = 4096
"""Of larger rings the slots are not counted: both pipes are locked meanwhile, for some 25 ns a
slot.
"""
_INTERNET: Final = where(lambda kind: kind.protocol in ("tcp", "udp"))
_INT: Final = bytes(4)
_MQ_ATTR: Final = struct.Struct("=8q")

replace = msgspec.structs.replace

_libc = ctypes.CDLL(None, use_errno=True)
_tee = _libc.tee
_tee.restype = ctypes.c_ssize_t
_tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def _count_waiting(fd: int) -> int:
    """FIONREAD; raises OSError where it has no meaning (a listening socket)."""
    (count,) = struct.unpack("=i", fcntl.ioctl(fd, termios.FIONREAD, _INT))
    check_wanted()
    return int(count)


def _read_capacity(fd: int) -> int:
    capacity = fcntl.fcntl(fd, F_GETPIPE_SZ)
    check_wanted()
    return capacity


def _takes_a_write(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in poll.poll(0))


class _Copied(NamedTuple):
    """What tee(2) says of a pipe at one moment.

    Attributes:
        length: How many bytes it copied.
        slots: How many slots they were in.
        whole: Whether that was all that the pipe held.
        head: The first of them.
    """

    length: int
    slots: int
    whole: bool
    head: bytes


def _slots_of(fd: int) -> int:
    return fcntl.fcntl(fd, F_GETPIPE_SZ) // PAGE_SIZE


class _Scratch:
    """A pipe of our own that waiting bytes are copied into, and emptied at once.

    tee(2) makes the copy share the pages of the original and takes one slot for each of its slots,
    in one step under both pipes' locks. Topping the scratch pipe up with one-byte slots then says
    how many were free. It has the default size, and more only for the moment in which more than
    that is copied: its pages count against the user's pipe-user-pages-soft as the observed pipes'
    do.
    """

    def __init__(self) -> None:
        flags = os.O_CLOEXEC | os.O_NONBLOCK
        self.out, self.into = os.pipe2(flags)
        self.slots = _slots_of(self.out)
        self._null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        # Copies by tee are never merged into one slot, as written bytes would be.
        seed_out, seed_into = os.pipe2(flags)
        self._filler_out, self._filler_into = os.pipe2(flags)
        self._fillers = 0
        os.write(seed_into, b"\0")
        while _tee(seed_out, self._filler_into, 1, SPLICE_F_NONBLOCK) == 1:
            self._fillers += 1
        os.close(seed_out)
        os.close(seed_into)

    def copy_waiting(self, fd: int, peek: int, total: int) -> _Copied | None:
        """Copy the waiting bytes of a pipe of `total` slots and forget them again; None if it is
        empty, or unreadable.

        What does not fit is left out.
        """
        copied = self._copy_once(fd, peek)
        if (
            copied is not None
            and not copied.whole
            and self.slots < total <= _MOST_SLOTS
            and self._widen_pipes(total)
        ):
            try:
                copied = self._copy_once(fd, peek)
            finally:
                self._narrow_pipes()
        return copied

    def _copy_once(self, fd: int, peek: int) -> _Copied | None:
        copied = _tee(fd, self.into, _ALL, SPLICE_F_NONBLOCK)
        if copied <= 0:
            check_wanted()
            return None
        try:
            check_wanted()
            free = 0
            while (more := _tee(self._filler_out, self.into, self._fillers, SPLICE_F_NONBLOCK)) > 0:
                free += more
            head = b""
            limit = min(peek, copied)
            while len(head) < limit:
                # A pipe in packet mode (O_DIRECT) gives one packet at a time.
                head += os.read(self.out, limit - len(head))
            return _Copied(copied, _slots_of(self.out) - free, free > 0, head)
        finally:
            self._empty_pipe()

    def _widen_pipes(self, total: int) -> bool:
        """Have so many slots for a moment, unless the user's limits are near: as many again must be
        left for others.
        """
        try:
            fcntl.fcntl(self._filler_into, F_SETPIPE_SZ, total * PAGE_SIZE)
            fcntl.fcntl(self.into, F_SETPIPE_SZ, total * PAGE_SIZE)
        except OSError:
            self._narrow_pipes()
            return False
        fcntl.fcntl(self._filler_into, F_SETPIPE_SZ, self._fillers * PAGE_SIZE)
        return True

    def _narrow_pipes(self) -> None:
        fcntl.fcntl(self._filler_into, F_SETPIPE_SZ, self._fillers * PAGE_SIZE)
        fcntl.fcntl(self.into, F_SETPIPE_SZ, self.slots * PAGE_SIZE)

    def _empty_pipe(self) -> None:
        try:
            while os.splice(self.out, self._null, _ALL, flags=SPLICE_F_NONBLOCK):
                pass
        except BlockingIOError:
            pass


class _Scratches(threading.local):
    """The scratch pipe of each thread: one that is left behind in a tee(2) may have it locked.

    Kept by our own pid, too: after a fork, parent and child must not share one.
    """

    owner = 0
    scratch: _Scratch


_scratches = _Scratches()


def _ensure_scratch() -> _Scratch:
    if _scratches.owner != os.getpid():
        _scratches.scratch, _scratches.owner = _Scratch(), os.getpid()
    return _scratches.scratch


_aside = Aside()


def is_in_use(key: str) -> bool:
    """Whether an object did not answer when its level was asked for: a call that sleeps has it
    locked.
    """
    return _aside.is_in_use(key)


def read_pipe_level(
    key: str,
    reader: tuple[int, int] | None = None,
    writer: tuple[int, int] | None = None,
    peek: int = 0,
) -> Level | None:
    """How full a pipe or FIFO is.

    It waits for no call that has it locked: see `ipcviz.kernel.aside`.

    Args:
        key: The object's key.
        reader: A process and descriptor that is a read end, if one may be borrowed: for `head`, and
            for `slots` while it is not full.
        writer: A process and descriptor that is a write end: for `writable`.
        peek: Bytes wanted in `head`; those of the first 16 slots at least.

    Returns:
        The level; None if neither end could be borrowed, or while it is locked (`is_in_use`).
        `slots` is -1 if there is no reader, or more than 16 are in use and the user is near the
        limits of pipe(7), unless the ring is empty, full, or so small that only one number is left.
        `writable` is None without a writer; it is what poll(2) says: false when all slots are in
        use, which can be far short of the capacity, since a slot is a page and one that was read
        from in part, or not filled, takes no other bytes. Only the last slot may still take a small
        write: whether a writer is really blocked, its own state tells.
    """
    return read_pipe_levels((PipeQuestion(key, reader, writer, peek),)).get(key)


class PipeQuestion(NamedTuple):
    """A pipe or FIFO whose level is wanted, by `read_pipe_level`'s arguments."""

    key: str
    reader: tuple[int, int] | None = None
    writer: tuple[int, int] | None = None
    peek: int = 0


def read_pipe_levels(questions: Iterable[PipeQuestion]) -> dict[str, Level | None]:
    """How full many pipes and FIFOs are, by key, as `read_pipe_level` says it of one; those that
    are locked are left out.
    """
    return _aside.ask_all((one.key, partial(_ask_pipe, *one)) for one in questions)


def _ask_pipe(
    key: str, reader: tuple[int, int] | None, writer: tuple[int, int] | None, peek: int
) -> Level | None:
    queued = capacity = -1
    writable: bool | None = None
    slots = -1
    head = b""
    if writer is not None:
        with borrow(*writer) as number:
            if number is not None:
                try:
                    capacity = _read_capacity(number)
                    writable = _takes_a_write(number)
                    queued = _count_waiting(number)
                except OSError:
                    writable = None
    if reader is not None and (queued != 0 or capacity < 0):
        with borrow(*reader) as number:
            if number is not None:
                try:
                    capacity = _read_capacity(number)
                    copied = _ensure_scratch().copy_waiting(number, peek, capacity // PAGE_SIZE)
                    queued = (
                        _count_waiting(number)
                        if copied is None or not copied.whole
                        else copied.length
                    )
                    if copied is not None:
                        head = copied.head
                        slots = copied.slots if copied.whole or copied.length == queued else -1
                except OSError:
                    pass
    if capacity < 0 or queued < 0:
        return None
    total = capacity // PAGE_SIZE
    if queued == 0:
        slots = 0
    elif writable is False and slots < 0:
        slots = total
    elif slots < 0 and (total == 1 or (total == 2 and writable)):
        slots = 1  # one at least, since bytes wait, and not both, since more are taken
    if writable is not None and slots >= 0:
        writable = slots < total  # of one moment, as the slots are
    return Level(
        object=key,
        queued=queued,
        capacity=capacity,
        slots=slots,
        slots_total=total,
        writable=writable,
        head=head,
    )


def read_level(
    pid: int, fd: int, info: ObjectInfo, mode: Mode = "rw", peek: int = 0
) -> Level | None:
    """How full what stands behind a descriptor is.

    Args:
        pid: The process.
        fd: Its descriptor.
        info: What stands behind it.
        mode: How it may be used; of a pipe, which end it is.
        peek: Bytes wanted in `head`; 0 borrows no more than the figures need.

    Returns:
        The level; None if there is none to speak of, or it can't be read. By kind:

        * pipe, FIFO: see `read_pipe_level`, which takes both ends.
        * UNIX socket: bytes waiting to be read from this end; of a datagram socket only those of
          the next datagram. Where some may wait, its fdinfo is asked for descriptors (`passed`).
          `capacity` is the peer's SO_SNDBUF, against which they count with their bookkeeping: a
          write is taken (`writable`) while less than that is used, so the bytes at that moment vary
          with how they were written.
        * TCP socket: bytes received and not read; `capacity` is SO_RCVBUF; `unsent` and `state`,
          too. UDP: those of the next datagram; `memory` of all of them.
        * POSIX queue: messages of at most mq_maxmsg.
        * eventfd: its counter.
    """
    kind = info.kind
    if kind in PIPES:
        end = (pid, fd)
        reads, writes = mode in ("r", "rw"), mode in ("w", "rw")
        return read_pipe_level(info.key, end if reads else None, end if writes else None, peek)
    if kind in BY_PATH:
        return _unix_level(pid, fd, info, peek)
    if kind in _INTERNET:
        return _inet_level(pid, fd, info, peek)
    if kind in MESSAGES:
        return _queue_level(pid, fd, info)
    if kind in COUNTERS:
        facts = procfs.read_fdinfo(pid, fd)
        count = facts.extra.get("eventfd-count") if facts is not None else None
        return Level(object=info.key, queued=int(count[0], 16)) if count else None
    return None


def read_listed_level(info: ObjectInfo, listing: sockets.Listing) -> Level | None:
    """How full a socket is, from a listing of all: nothing is borrowed, and no waiting bytes are
    copied.

    For processes that run on meanwhile. The figures are those of `read_level`, but a UDP socket's
    are of its memory, bookkeeping included: the kernel lists no others.
    """
    if info.kind in BY_PATH:
        one = listing.find_unix(info.ino)
        if one is None or one.receive_queue < 0:
            return None
        if one.state == sockets.LISTENING:
            return _make_backlog_level(info, one.receive_queue, one.send_queue, one.connecting)
        other = listing.find_unix(one.peer) if one.peer else None
        level = Level(object=info.key, queued=one.receive_queue, state=_unix_state(one))
        if other is None or other.memory is None:
            return level
        limit = other.memory.send_limit
        return replace(level, capacity=limit, writable=other.memory.sent < limit)
    inet = listing.find_inet(info.ino)
    if inet is None:
        return None
    if inet.state == sockets.LISTENING:
        return _make_backlog_level(info, inet.receive_queue, inet.send_queue)
    tcp = inet.protocol == socket.IPPROTO_TCP
    level = Level(object=info.key, queued=inet.receive_queue)
    memory = inet.memory
    if not tcp:
        limit = memory.receive_limit if memory is not None else 0
        return replace(level, capacity=limit, memory=inet.receive_queue)
    return replace(
        level,
        capacity=memory.receive_limit if memory is not None else 0,
        state=sockets.STATES.get(inet.state, ""),
        unsent=inet.send_queue,
        unsent_limit=memory.send_limit if memory is not None else 0,
    )


def _unix_level(pid: int, fd: int, info: ObjectInfo, peek: int) -> Level | None:
    one = sockets.unix_socket(info.ino, pid)
    if one is None:
        # Another network namespace, or no sock_diag: only the descriptor itself can say.
        return _borrowed_level(pid, fd, info, peek, limit=False)
    if one.receive_queue < 0:
        return None
    if one.state == sockets.LISTENING:
        return _make_backlog_level(info, one.receive_queue, one.send_queue, one.connecting)
    writable: bool | None = None
    capacity = 0
    other = sockets.unix_socket(one.peer, pid) if one.peer else None
    if other is not None and other.memory is not None:
        # sock_alloc_send_pskb(): the sender sleeps while this does not hold. poll(2) asks for more
        # room.
        writable = other.memory.sent < other.memory.send_limit
        capacity = other.memory.send_limit
    head = b""
    if peek and one.receive_queue > 0 and one.type == socket.SOCK_STREAM:
        head = _aside.ask(info.key, lambda: _borrowed_head(pid, fd, peek)) or b""
    return Level(
        object=info.key,
        queued=one.receive_queue,
        capacity=capacity,
        writable=writable,
        head=head,
        state=_unix_state(one),
        passed=(
            descriptors_waiting(pid, fd)
            if one.receive_queue or one.type != socket.SOCK_STREAM
            else 0
        ),
    )


def _borrowed_head(pid: int, fd: int, peek: int) -> bytes:
    with borrow(pid, fd) as number:
        return _peek_stream(number, peek) if number is not None else b""


def _unix_state(one: sockets.UnixSocket) -> str:
    if one.type == socket.SOCK_DGRAM and not one.shut:
        return ""
    return ("", "shut for receiving", "shut for sending", "shut down")[one.shut & 3]


def descriptors_waiting(pid: int, fd: int) -> int:
    """Descriptors that wait to be received from a UNIX socket (`scm_fds` of its fdinfo); -1 if the
    kernel is silent.
    """
    info = procfs.read_fdinfo(pid, fd)
    words = info.extra.get("scm_fds") if info is not None else None
    return int(words[0]) if words else -1


def _inet_level(pid: int, fd: int, info: ObjectInfo, peek: int) -> Level | None:
    return _borrowed_level(pid, fd, info, peek, limit=info.kind in WITH_STATES)


def _borrowed_level(pid: int, fd: int, info: ObjectInfo, peek: int, limit: bool) -> Level | None:
    return _aside.ask(info.key, lambda: _ask_socket(pid, fd, info, peek, limit))


def _ask_socket(pid: int, fd: int, info: ObjectInfo, peek: int, limit: bool) -> Level | None:
    with borrow(pid, fd) as number:
        if number is None:
            return None
        try:
            queued = _count_waiting(number)
            one = socket.socket(fileno=number)
        except OSError:
            # EINVAL: it listens. ENOTSOCK: the descriptor is another one by now.
            return _listening_level(number, info)
        capacity, unsent, room, state, memory, lost = 0, -1, 0, "", -1, 0
        try:
            if limit:
                capacity = one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
                state = sockets.STATES.get(
                    one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0], ""
                )
                if state != "closed":
                    (unsent,) = struct.unpack("=i", fcntl.ioctl(number, termios.TIOCOUTQ, _INT))
                    room = one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            elif info.kind in CONNECTIONLESS:
                found = one.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
                memory, capacity, lost = (_MEMINFO.unpack(found)[i] for i in (0, 1, 8))
        except (OSError, struct.error):
            pass
        finally:
            one.detach()
        head = _peek_stream(number, peek) if peek and queued else b""
    return Level(
        object=info.key,
        queued=queued,
        capacity=capacity,
        head=head,
        state=state,
        unsent=unsent,
        unsent_limit=room,
        memory=memory,
        lost=lost,
    )


def _make_backlog_level(
    info: ObjectInfo, waiting: int, most: int, connecting: tuple[int, ...] = ()
) -> Level:
    keys = tuple(f"socket:[{ino}]" for ino in connecting if ino)
    full = waiting > most
    return Level(
        object=info.key,
        queued=waiting,
        capacity=most,
        writable=not full,
        unit="connections",
        connecting=keys,
    )


def _listening_level(number: int, info: ObjectInfo) -> Level | None:
    """A listening TCP socket's backlog: tcp_get_info() puts it into tcpi_unacked and its limit into
    tcpi_sacked.
    """
    try:
        one = socket.socket(fileno=number)
    except OSError:
        return None
    try:
        facts = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    except OSError:
        return None
    finally:
        one.detach()
    if len(facts) < 32 or facts[0] != sockets.LISTENING:
        return None
    return _make_backlog_level(info, *struct.unpack_from("=II", facts, 24))


def _peek_stream(number: int, limit: int) -> bytes:
    """The first waiting bytes of a borrowed stream socket that has some.

    Called only where some wait: with none, recv(2) would take a pending error away from the owner.
    No room is given for ancillary data, so no descriptors that are under way are received.
    """
    try:
        one = socket.socket(fileno=number)
    except OSError:
        return b""
    try:
        if one.type != socket.SOCK_STREAM or one.getsockopt(socket.SOL_SOCKET, SO_PEEK_OFF) >= 0:
            # With an offset set (socket(7)), a peek of ours would move it.
            return b""
        return one.recv(limit, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return b""
    finally:
        one.detach()


class QueueAttributes(NamedTuple):
    """struct mq_attr: flags, most messages, largest message in bytes, messages now
    (mq_getattr(3)).
    """

    flags: int
    maxmsg: int
    msgsize: int
    curmsgs: int


def queue_attributes(pid: int, fd: int) -> QueueAttributes | None:
    """A POSIX queue's attributes through a descriptor of it, opened for whatever; None if they
    can't be read.
    """
    number_of_call = _mq_getsetattr()
    if number_of_call < 0:
        return None
    room = ctypes.create_string_buffer(_MQ_ATTR.size)
    with borrow(pid, fd) as number:
        if number is None or _syscall(number_of_call, number, None, room) != 0:
            return None
    return QueueAttributes(*_MQ_ATTR.unpack(room.raw)[:4])


@cache
def _mq_getsetattr() -> int:
    arch = find_native_arch()
    return call_numbers(arch.table).get("mq_getsetattr", -1) if arch is not None else -1


def _queue_level(pid: int, fd: int, info: ObjectInfo) -> Level | None:
    found = queue_attributes(pid, fd)
    if found is None:
        return None
    size, notify = queues.queue_file(pid, fd)
    return Level(
        object=info.key,
        largest=found.msgsize,
        payload=size,
        notify=notify,
        queued=found.curmsgs,
        capacity=found.maxmsg,
        writable=found.curmsgs < found.maxmsg,
        unit="messages",
    )
