"""Levels of buffers against FIONREAD read by the test itself, and against what is then read from
them.
"""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import termios
import threading

import msgspec
import posix_ipc
import pytest

from ipcviz.kernel import buffers, descriptors, procfs, sockets
from ipcviz.kernel.arch import call_numbers, find_native_arch
from tests.integration import readers
from tests.integration.puppet import Puppet, until

pytestmark = pytest.mark.kernel

PAGE = os.sysconf("SC_PAGE_SIZE")
SPLICE = call_numbers(find_native_arch().table)["splice"]


@pytest.fixture
def pipe():
    r, w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    yield r, w
    os.close(r)
    os.close(w)


def fionread(fd):
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def level_of(r, w, peek=0):
    return buffers.read_pipe_level("key", (os.getpid(), r), (os.getpid(), w), peek)


def fill(w, piece):
    written = 0
    while True:
        try:
            written += os.write(w, piece)
        except BlockingIOError:
            return written


def fill_socket(one):
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while one.send(b"y" * 4096):
            pass
    one.setblocking(True)


def identified(fd):
    return descriptors.identify_descriptor(os.getpid(), fd)


def level_behind(fd, peek=0):
    return buffers.read_level(os.getpid(), fd, identified(fd), peek=peek)


def test_an_empty_pipe(pipe):
    level = level_of(*pipe, peek=10)
    assert (level.queued, level.slots, level.writable, level.head) == (0, 0, True, b"")
    assert level.capacity == fcntl.fcntl(pipe[0], 1032)
    assert level.slots_total == level.capacity // PAGE


def test_bytes_and_slots_agree_with_fionread(pipe):
    r, w = pipe
    for sizes in ([1], [PAGE], [PAGE, 1], [10, 10, 10], [3 * PAGE + 5, 7]):
        for size in sizes:
            os.write(w, b"x" * size)
        level = level_of(r, w)
        assert level.queued == fionread(r) == sum(sizes)
        os.read(r, 1 << 16)
    # Appended bytes go into the page that the last write left unfilled; a write of a whole page
    # begins a new one.
    os.write(w, b"x" * 10)
    os.write(w, b"y" * 10)
    assert level_of(r, w).slots == 1
    os.write(w, b"z" * PAGE)
    assert level_of(r, w).slots == 2


def test_full_though_short_of_its_capacity(pipe):
    """Ten-byte lines in slots of 4,096 bytes: six bytes of each slot stay empty, and nothing more
    fits.
    """
    r, w = pipe
    written = fill(w, b"123456789\n")
    level = level_of(r, w, peek=25)
    assert written < level.capacity
    assert (level.queued, level.writable, level.slots) == (written, False, level.slots_total)
    assert level.head == b"123456789\n" * 2 + b"12345"
    only_writer = buffers.read_pipe_level("key", None, (os.getpid(), w))
    assert (only_writer.queued, only_writer.writable, only_writer.slots) == (
        written,
        False,
        level.slots_total,
    )
    only_reader = buffers.read_pipe_level("key", (os.getpid(), r))
    assert (only_reader.queued, only_reader.writable, only_reader.slots) == (
        written,
        None,
        level.slots_total,
    )


def test_a_slot_read_in_part_stays_in_use(pipe):
    r, w = pipe
    fill(w, b"x" * PAGE)
    os.read(r, PAGE - 1)
    level = level_of(r, w)
    assert (level.writable, level.slots) == (False, level.slots_total)
    os.read(r, 1)
    level = level_of(r, w)
    assert (level.writable, level.slots) == (True, level.slots_total - 1)


def test_a_writer_that_is_really_blocked():
    puppet = Puppet()
    try:
        puppet.do("r, w = os.pipe(); import time")
        tid = puppet.start("[os.write(w, b'123456789' + bytes([10])) for _ in range(10000)]")
        r, w = puppet.do("(r, w)")

        def blocked():
            call = procfs.read_syscall(puppet.pid, tid)
            return not call.running and call.args[:1] == (w,) and call.args[2] == 10

        # poll(2) says no as soon as the last slot is begun, though small writes still go into it:
        # the writer says when.
        until(blocked)
        level = buffers.read_pipe_level("key", (puppet.pid, r), (puppet.pid, w), peek=10)
        assert (level.writable, level.slots) == (False, level.slots_total)
        assert level.queued < level.capacity
        assert level.queued == puppet.do("struct.unpack('i', fcntl.ioctl(r, 0x541B, bytes(4)))[0]")
        assert level.head == b"123456789\n"
    finally:
        puppet.close()


def test_what_was_peeked_is_what_is_then_read(pipe):
    r, w = pipe
    text = bytes(range(256)) * 30
    os.write(w, text[:5000])
    os.write(w, text[5000:])
    for peek in (1, 100, PAGE, PAGE + 1, 1 << 16):
        level = level_of(r, w, peek)
        assert level.head == text[:peek]
        assert level.queued == len(text)
    assert os.read(r, 1 << 16) == text
    with pytest.raises(BlockingIOError):
        os.read(r, 1)


def test_peeking_does_not_change_where_the_next_bytes_go(pipe):
    r, w = pipe
    os.write(w, b"abc")
    assert level_of(r, w, 10).head == b"abc"
    os.write(w, b"def")
    level = level_of(r, w, 10)
    assert (level.head, level.slots) == (b"abcdef", 1)
    assert os.read(r, 10) == b"abcdef"


def test_packets_are_kept_apart_for_their_reader():
    r, w = os.pipe2(os.O_DIRECT)
    try:
        os.write(w, b"ab")
        os.write(w, b"cd")
        level = level_of(r, w, 10)
        assert (level.head, level.queued, level.slots) == (b"abcd", 4, 2)
        assert (os.read(r, 10), os.read(r, 10)) == (b"ab", b"cd")
    finally:
        os.close(r)
        os.close(w)


def test_a_pipe_that_was_made_larger(pipe):
    r, w = pipe
    fcntl.fcntl(w, 1031, 1 << 18)
    os.write(w, b"x" * 20 * PAGE)
    level = level_of(r, w, 8)
    assert (level.capacity, level.slots_total, level.queued) == (
        1 << 18,
        (1 << 18) // PAGE,
        20 * PAGE,
    )
    assert (level.slots, level.head) == (20, b"x" * 8)
    os.write(w, b"abc")
    os.read(r, 3 * PAGE + 1)
    assert level_of(r, w).slots == 18
    # The scratch pipe is as it was: what it takes counts against the user's limit, and the next one
    # is copied too.
    assert fcntl.fcntl(buffers._ensure_scratch().out, 1032) == 16 * PAGE
    fill(w, b"x" * PAGE)
    level = level_of(r, w)
    assert (level.writable, level.slots) == (False, level.slots_total)
    os.read(r, 1 << 18)
    assert level_of(r, w).slots == 0


def test_a_pipe_that_a_sleeping_call_has_locked(pipe):
    """Nobody waits for that call, and the pipe is asked again when it is over."""
    r, w = pipe
    ours, theirs = socket.socketpair()
    os.write(w, b"x" * 4096)
    fill_socket(theirs)
    child = os.fork()
    if child == 0:
        os.splice(r, theirs.fileno(), 4096)
        os._exit(0)
    ending = threading.Timer(5, os.kill, (child, signal.SIGKILL))
    ending.start()
    try:
        until(
            lambda: (
                procfs.read_stat(child).state == "S" and procfs.read_syscall(child).number == SPLICE
            )
        )
        assert level_of(r, w, 8) is None
        assert level_of(r, w, 8) is None
        assert buffers.is_in_use("key")
        assert ending.is_alive(), "it waited until the call was over"
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while ours.recv(1 << 16):
                pass
        assert os.waitpid(child, 0)[1] == 0
        found = []
        until(lambda: found.append(level_of(r, w, 8)) or found[-1] is not None)
        assert found[-1].queued == 0
        assert not buffers.is_in_use("key")
    finally:
        ending.cancel()
        ours.close()
        theirs.close()


def test_slots_where_the_user_may_have_no_more_pages(pipe, monkeypatch):
    """Over pipe-user-pages-soft the scratch pipe can't grow: only what poll(2) leaves no doubt of
    is told.
    """

    def refused(fd, command, *rest):
        if command == 1031 and rest[0] > 16 * PAGE:
            raise PermissionError
        return real(fd, command, *rest)

    r, w = pipe
    real = fcntl.fcntl
    real(w, 1031, 1 << 18)
    os.write(w, b"x" * 20 * PAGE)
    monkeypatch.setattr(fcntl, "fcntl", refused)
    assert (level_of(r, w).slots, level_of(r, w).queued) == (-1, 20 * PAGE)


@pytest.mark.parametrize("slots", [1, 2])
def test_rings_of_one_slot_and_of_two(pipe, slots):
    """As they are made for a user over pipe-user-pages-soft; a write end is enough to count
    them.
    """
    r, w = pipe
    real = fcntl.fcntl(w, 1031, slots * PAGE) // PAGE
    assert real == slots
    writer = (os.getpid(), w)
    assert buffers.read_pipe_level("key", None, writer).slots == level_of(r, w).slots == 0
    os.write(w, b"x" * PAGE)
    assert buffers.read_pipe_level("key", None, writer).slots == level_of(r, w).slots == 1
    assert level_of(r, w).writable is (slots == 2)
    fill(w, b"x" * PAGE)
    level = level_of(r, w)
    assert (level.slots, level.writable, level.queued) == (slots, False, slots * PAGE)


def test_a_fifo_open_for_both(tmp_path):
    os.mkfifo(tmp_path / "f")
    fd = os.open(tmp_path / "f", os.O_RDWR)
    try:
        os.write(fd, b"hello")
        level = buffers.read_level(os.getpid(), fd, identified(fd), "rw", peek=3)
        assert (level.object, level.queued, level.writable, level.head) == (
            identified(fd).key,
            5,
            True,
            b"hel",
        )
    finally:
        os.close(fd)


def test_after_a_look_the_reader_still_sees_the_end():
    r, theirs = os.pipe()
    os.set_blocking(r, False)
    writer = Puppet(pass_fds=(theirs,))
    os.close(theirs)
    try:
        writer.do(f"os.write({theirs}, b'x')")
        level = buffers.read_pipe_level("key", (os.getpid(), r), (writer.pid, theirs), peek=10)
        assert (level.queued, level.head, level.writable) == (1, b"x", True)
        writer.do(f"os.close({theirs})")
        assert (os.read(r, 10), os.read(r, 10)) == (b"x", b"")
    finally:
        writer.close()
        os.close(r)


def test_after_a_look_the_writer_still_gets_sigpipe():
    r, w = os.pipe()
    os.write(w, b"x")
    assert level_of(r, w, 1).head == b"x"
    os.close(r)
    with pytest.raises(BrokenPipeError):
        os.write(w, b"y")
    os.close(w)


def test_a_stream_socket_pair():
    a, b = socket.socketpair()
    with a, b:
        a.send(b"hello")
        level = level_behind(b.fileno(), peek=3)
        assert (level.queued, level.head) == (fionread(b.fileno()), b"hel") == (5, b"hel")
        assert level.capacity == a.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert level_behind(a.fileno(), peek=3).head == b""
        assert b.recv(10) == b"hello"


def test_a_full_socket_takes_no_more():
    a, b = socket.socketpair()
    with a, b:
        a.setblocking(False)
        sent = 0
        while level_behind(b.fileno()).writable:
            sent += a.send(b"x" * 1000)
        with pytest.raises(BlockingIOError):
            a.send(b"x")
        level = level_behind(b.fileno())
        assert (level.queued, level.writable) == (sent, False)
        assert sent < level.capacity


def test_descriptors_under_way_in_a_socket_are_left_to_its_reader(pipe):
    a, b = socket.socketpair()
    with a, b:
        socket.send_fds(a, [b"data"], [pipe[0]])
        before = os.listdir("/proc/self/fd")
        assert level_behind(b.fileno(), peek=10).head == b"data"
        assert os.listdir("/proc/self/fd") == before
        data, fds, _, _ = socket.recv_fds(b, 10, 4)
        assert data == b"data"
        assert os.fstat(fds[0]).st_ino == os.fstat(pipe[0]).st_ino
        os.close(fds[0])


def test_a_socket_with_a_peek_offset_is_not_peeked():
    a, b = socket.socketpair()
    with a, b:
        a.send(b"hello")
        b.setsockopt(socket.SOL_SOCKET, buffers.SO_PEEK_OFF, 1)
        level = level_behind(b.fileno(), peek=3)
        assert (level.queued, level.head) == (5, b"")
        assert b.recv(2, socket.MSG_PEEK) == b"el"


def test_datagrams():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with a, b:
        a.send(b"hello")
        a.send(b"abc")
        level = level_behind(b.fileno(), peek=10)
        assert (level.queued, level.head) == (5, b"")
        assert (b.recv(10), b.recv(10)) == (b"hello", b"abc")


def test_a_tcp_connection():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as a,
        server.accept()[0] as b,
    ):
        a.send(b"hello")
        until(lambda: fionread(b.fileno()) == 5)
        level = level_behind(b.fileno(), peek=2)
        assert (level.queued, level.head) == (5, b"he")
        assert level.capacity == b.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert b.recv(10) == b"hello"


def test_a_listing_of_many_says_what_looks_at_each_say():
    c, d = socket.socketpair()
    with (
        c,
        d,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as a,
        server.accept()[0] as b,
    ):
        a.send(b"hello")
        d.send(b"abc")
        until(lambda: fionread(b.fileno()) == 5)
        infos = [
            descriptors.identify_descriptor(os.getpid(), one.fileno()) for one in (server, a, b, c)
        ]
        looked = [
            buffers.read_level(os.getpid(), one.fileno(), infos[i])
            for i, one in enumerate((server, a, b, c))
        ]
        listing = sockets.Listing()
        until(lambda: readers.inet_sockets()[infos[1].ino].send_queue == 0)
        assert [buffers.read_listed_level(info, listing) for info in infos] == [
            msgspec.structs.replace(level, passed=-1) for level in looked
        ]
        later = sockets.Listing(listing)
        assert later.find_inet(infos[1].ino) is listing.find_inet(infos[1].ino), (
            "nothing has changed: not decoded again"
        )
        b.recv(2)
        last = sockets.Listing(later)
        assert buffers.read_listed_level(infos[2], last).queued == 3
        assert last.find_inet(infos[1].ino) is later.find_inet(infos[1].ino)


def test_a_reset_is_left_for_the_owner():
    with socket.create_server(("127.0.0.1", 0)) as server:
        a = socket.create_connection(server.getsockname())
        with server.accept()[0] as b:
            a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            a.close()
            level_behind(b.fileno(), peek=10)
            with pytest.raises(ConnectionResetError):
                b.recv(1)


@pytest.mark.parametrize("flags", ["read", "write"])
def test_a_posix_queue_opened_for_either(flags):
    name = f"/ipcviz-test-{os.getpid()}"
    queue = posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=3, max_message_size=16)
    other = posix_ipc.MessageQueue(name, read=flags == "read", write=flags == "write")
    try:
        queue.unlink()
        for count in range(4):
            level = level_behind(other.mqd)
            assert (level.queued, level.capacity, level.writable) == (count, 3, count < 3)
            assert count == queue.current_messages
            if count < 3:
                queue.send(b"x")
        assert buffers.queue_attributes(os.getpid(), other.mqd).msgsize == 16
    finally:
        queue.close()
        other.close()


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="Python 3.10")
def test_an_eventfd_counter():
    fd = os.eventfd(300)
    try:
        assert level_behind(fd).queued == 300
        assert os.eventfd_read(fd) == 300
    finally:
        os.close(fd)


def test_what_has_no_level(tmp_path):
    with open(tmp_path / "f", "w") as file:
        assert level_behind(file.fileno()) is None


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_connections_that_nobody_has_accepted(tmp_path, family):
    name = str(tmp_path / "meet") if family == socket.AF_UNIX else ("127.0.0.1", 0)
    with contextlib.ExitStack() as stack:
        server, *callers = (stack.enter_context(socket.socket(family)) for _ in range(4))
        server.bind(name)
        server.listen(5)
        for caller in callers:
            caller.connect(server.getsockname())
        level = level_behind(server.fileno())
        assert (level.queued, level.capacity, level.unit) == (3, 5, "connections")
        stack.enter_context(server.accept()[0])
        assert level_behind(server.fileno()).queued == 2
