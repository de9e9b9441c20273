"""What stands behind descriptors, and which of them share a description, against stat, lsof, ss and
what was done.
"""

import os
import shutil
import socket
import subprocess

import posix_ipc
import pytest

from ipcviz.kernel import descriptors, maps, sockets
from ipcviz.kernel.known import Known, group_of
from tests.integration import readers
from tests.integration.puppet import Puppet, until

pytestmark = pytest.mark.kernel


@pytest.fixture
def puppet():
    one = Puppet()
    yield one
    one.close()


@pytest.fixture
def numbers():
    count = iter(range(1, 10**6))
    return lambda: next(count)


def key_of(path):
    status = os.stat(path)
    return f"{status.st_dev}:{status.st_ino}"


def identify(puppet, code, ofd=0):
    fd = puppet.do(code)
    assert isinstance(fd, int), fd
    return descriptors.identify_descriptor(puppet.pid, fd, ofd)


def test_a_pipe_has_one_key_at_both_ends_and_in_all_processes(puppet):
    r, w = puppet.do("r, w = os.pipe()") or puppet.do("(r, w)")
    ino = puppet.do("os.fstat(r).st_ino")
    info = descriptors.identify_descriptor(puppet.pid, r)
    assert info == descriptors.identify_descriptor(puppet.pid, w)
    assert (info.key, info.kind, info.ino) == (f"pipe:[{ino}]", "pipe", ino)
    assert info.dev == puppet.do("os.fstat(r).st_dev")


def test_a_fifo_is_told_by_its_inode(puppet, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    info = identify(puppet, f"os.open({str(path)!r}, os.O_RDWR)")
    assert (info.kind, info.key, info.path) == ("fifo", key_of(path), str(path))


def test_files_and_directories(puppet, tmp_path):
    path = tmp_path / "file"
    path.touch()
    info = identify(puppet, f"os.open({str(path)!r}, os.O_RDONLY)")
    assert (info.kind, info.key, info.path) == ("file", key_of(path), str(path))
    assert identify(puppet, f"os.open({str(tmp_path)!r}, os.O_RDONLY)").kind == "directory"
    path.unlink()
    assert identify(puppet, "3").path.endswith(" (deleted)")


def test_a_file_in_the_root_directory_is_no_queue(puppet):
    root_files = [entry.path for entry in os.scandir("/") if entry.is_file(follow_symlinks=False)]
    if not root_files:
        pytest.skip("no file in /")
    assert identify(puppet, f"os.open({root_files[0]!r}, os.O_RDONLY)").kind == "file"


def test_a_posix_queue_is_told_by_its_file_system(puppet):
    name = f"/ipcviz-test-{os.getpid()}"
    queue = posix_ipc.MessageQueue(name, posix_ipc.O_CREX)
    try:
        queue.unlink()
        info = descriptors.identify_descriptor(os.getpid(), queue.mqd)
        status = os.fstat(queue.mqd)
        assert (info.kind, info.key) == ("message queue", f"{status.st_dev}:{status.st_ino}")
    finally:
        queue.close()


def test_shared_memory_and_memfd_have_the_key_of_their_mappings(puppet):
    name = f"/ipcviz-test-{os.getpid()}"
    memory = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, size=4096)
    try:
        puppet.do(f"s = os.open('/dev/shm{name}', os.O_RDWR)")
        info = identify(puppet, "s")
        assert (info.kind, info.key) == ("shared memory", key_of(f"/dev/shm{name}"))
        puppet.do("m = mmap.mmap(s, 4096)")
        entries = {e.object.key: e for e in maps.shared_entries(maps.read_maps(puppet.pid))}
        assert entries[info.key].object.kind == "shared memory"
    finally:
        memory.close_fd()
        memory.unlink()
    puppet.do("f = os.memfd_create('some name'); os.ftruncate(f, 4096); g = mmap.mmap(f, 4096)")
    info = identify(puppet, "f")
    assert (info.kind, info.detail) == ("memfd", "some name")
    entries = {e.object.key: e for e in maps.shared_entries(maps.read_maps(puppet.pid))}
    assert entries[info.key].object == descriptors.identify_descriptor(puppet.pid, puppet.do("f"))


def test_anonymous_inodes_are_told_by_their_description(puppet):
    code = "import select; e = select.epoll(); e2 = select.epoll(); p = os.pidfd_open(os.getpid())"
    puppet.do(code)
    info = identify(puppet, "e.fileno()", 7)
    assert (info.kind, info.key) == ("epoll", "anon:7")
    assert identify(puppet, "e2.fileno()", 8).key == "anon:8"
    info = identify(puppet, "p", 9)
    assert (info.kind, info.detail) == ("pidfd", f"pid {puppet.pid}")
    if hasattr(os, "eventfd"):
        assert identify(puppet, "os.eventfd(0)", 1).kind == "eventfd"


def test_terminals(puppet):
    puppet.do("m1, s1 = os.openpty(); m2, s2 = os.openpty()")
    masters = [identify(puppet, name) for name in ("m1", "m2")]
    slaves = [identify(puppet, name) for name in ("s1", "s2")]
    assert {info.kind for info in masters + slaves} == {"terminal"}
    assert len({info.key for info in masters + slaves}) == 4
    assert [info.peer for info in masters] == [info.key for info in slaves]
    assert slaves[0].path == puppet.do("os.ttyname(s1)")
    assert identify(puppet, "os.open('/dev/null', 0)").kind == "character device"


def test_a_socket_pair_names_each_other(puppet):
    puppet.do("a, b = socket.socketpair()")
    one, other = identify(puppet, "a.fileno()"), identify(puppet, "b.fileno()")
    assert (one.kind, one.peer, other.peer) == ("unix socket", other.key, one.key)
    assert one.key == f"socket:[{puppet.do('os.fstat(a.fileno()).st_ino')}]"
    assert one.detail == "stream established"


def test_the_peer_of_a_connection_by_path(puppet, tmp_path):
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        puppet.do(f"c = socket.socket(socket.AF_UNIX); c.connect({str(path)!r})")
        with server.accept()[0] as accepted:
            ours = descriptors.identify_descriptor(os.getpid(), accepted.fileno())
            theirs = identify(puppet, "c.fileno()")
            assert (ours.peer, theirs.peer, ours.path) == (theirs.key, ours.key, str(path))
            listening = descriptors.identify_descriptor(os.getpid(), server.fileno())
            assert listening.detail == "stream listening"
            if shutil.which("ss"):
                lines = subprocess.check_output(["ss", "-xnH"], text=True).splitlines()
                pairs = {(w[5], w[7]) for w in (line.split() for line in lines) if len(w) >= 8}
                assert (str(ours.ino), str(theirs.ino)) in pairs


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_the_peer_of_a_tcp_connection(puppet, family, host):
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("no such addresses here")
    with server:
        port = server.getsockname()[1]
        puppet.do(f"c = socket.create_connection(({host!r}, {port}))")
        with server.accept()[0] as accepted:
            ours = descriptors.identify_descriptor(os.getpid(), accepted.fileno())
            theirs = identify(puppet, "c.fileno()")
            assert (ours.kind, ours.peer, theirs.peer) == ("tcp socket", theirs.key, ours.key)
            assert "established" in ours.detail
            assert str(port) in ours.detail
            one = readers.inet_sockets()[ours.ino]
            assert one.local == accepted.getsockname()[:2]


def test_udp_and_others(puppet):
    puppet.do("u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))")
    info = identify(puppet, "u.fileno()")
    assert info.kind == "udp socket"
    assert info.detail == f"127.0.0.1:{puppet.do('u.getsockname()[1]')}"
    assert identify(puppet, "socket.socket(16, 2).detach()").kind == "socket"


def test_sock_diag_agrees_with_proc(puppet):
    puppet.do(
        "a, b = socket.socketpair(); l = socket.socket(socket.AF_UNIX); l.bind(chr(0) + 'ipcviz');"
        " l.listen()"
    )
    inodes = [puppet.do(f"os.fstat({name}.fileno()).st_ino") for name in "abl"]
    listed = sockets.unix_sockets()
    with open("/proc/net/unix", "rb") as file:
        fallback = sockets.parse_proc_unix(file.read())
    for ino in inodes:
        assert (fallback[ino].type, fallback[ino].state, fallback[ino].path) == (
            listed[ino].type,
            listed[ino].state,
            listed[ino].path,
        )
    assert listed[inodes[2]].path == "@ipcviz"
    with socket.create_server(("127.0.0.1", 0)) as server:
        ino = os.fstat(server.fileno()).st_ino
        with open("/proc/net/tcp", "rb") as file:
            found = {
                s.ino: s
                for s in sockets.parse_proc_inet(file.read(), socket.IPPROTO_TCP, socket.AF_INET)
            }
        assert found[ino].local == readers.inet_sockets()[ino].local == server.getsockname()
        assert found[ino].state == readers.inet_sockets()[ino].state == sockets.LISTENING


def test_flags_of_the_description_and_of_the_descriptor(puppet, tmp_path):
    path = str(tmp_path / "log")
    fd = puppet.do(f"fd = os.open({path!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)") or puppet.do(
        "fd"
    )
    entry = descriptors.read_entry(puppet.pid, fd, 3)
    assert (entry.fd, entry.ofd, entry.mode, entry.flags, entry.cloexec) == (
        fd,
        3,
        "w",
        ("append",),
        True,
    )
    puppet.do(
        "(os.write(fd, b'1234567'), os.set_blocking(fd, False), os.set_inheritable(fd, True))"
    )
    entry = descriptors.read_entry(puppet.pid, fd, 3)
    assert (entry.flags, entry.cloexec, entry.offset) == (("append", "nonblock"), False, 7)
    fd = puppet.do(f"os.open({path!r}, os.O_PATH)")
    assert descriptors.read_entry(puppet.pid, fd, 4).mode == "path"
    fd = puppet.do(f"os.open({path!r}, os.O_RDWR | os.O_SYNC)")
    assert descriptors.read_entry(puppet.pid, fd, 5).flags == ("sync",)


def test_what_open_was_called_with_says_the_same_as_fdinfo(puppet, tmp_path):
    path = tmp_path / "file"
    path.touch()
    for where, flags in (
        (path, os.O_RDONLY | os.O_NOFOLLOW),
        (path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND),
        (path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY),
        (path, os.O_RDWR | os.O_SYNC),
        (path, os.O_PATH),
        (tmp_path, os.O_RDONLY | os.O_DIRECTORY),
        ("/dev/null", os.O_RDWR),
    ):
        fd = puppet.do(f"os.open({str(where)!r}, {flags})")  # which adds O_CLOEXEC
        told = descriptors.read_entry(puppet.pid, fd, 3, flags | os.O_CLOEXEC)
        assert told == descriptors.read_entry(puppet.pid, fd, 3), (where, flags)
        puppet.do(f"os.close({fd})")


def test_dup_shares_a_description_and_opening_again_does_not(puppet, tmp_path, numbers):
    path = tmp_path / "file"
    path.touch()
    puppet.do(f"a = os.open({str(path)!r}, 0); b = os.dup(a); c = os.open({str(path)!r}, 0)")
    a, b, c = puppet.do("(a, b, c)")
    assert descriptors.same_description(puppet.pid, a, puppet.pid, b) is True
    assert descriptors.same_description(puppet.pid, a, puppet.pid, c) is False
    table = {entry.fd: entry for entry in descriptors.read_table(puppet.pid, numbers)}
    assert table[a].ofd == table[b].ofd != table[c].ofd
    assert table[a].object == table[c].object


def test_fork_shares_all_descriptions_and_opening_a_pipe_end_again_does_not(puppet, numbers):
    puppet.do("r, w = os.pipe(); again = os.open(f'/dev/fd/{w}', os.O_WRONLY)")
    puppet.do("e = __import__('select').epoll()")
    child = puppet.do(
        "pid = os.fork()\nif pid == 0:\n  os.dup2(r, 40)\n  signal.pause()"
    ) or puppet.do("pid")
    try:
        until(lambda: os.path.lexists(f"/proc/{child}/fd/40"))
        known = Known()
        parent = descriptors.read_table(puppet.pid, numbers, known)
        heir = {entry.fd: entry for entry in descriptors.read_table(child, numbers, known)}
        assert tuple(heir.values()) == descriptors.read_table(child, numbers, known)
        for entry in parent:
            assert heir[entry.fd].ofd == entry.ofd, entry
            assert heir[entry.fd].object == entry.object
        r, w, again = puppet.do("(r, w, again)")
        before = {entry.fd: entry.ofd for entry in parent}
        assert before[w] != before[again]
        assert descriptors.same_description(puppet.pid, r, child, r) is True
        assert descriptors.same_table(puppet.pid, child) is False
        assert descriptors.same_memory(puppet.pid, child) is False
    finally:
        puppet.do(f"(os.kill({child}, 9), os.waitpid({child}, 0))")


def test_a_thread_shares_table_and_memory(puppet):
    tid = puppet.start("os.read(os.pipe()[0], 1)")
    assert descriptors.same_table(puppet.pid, tid) is True
    assert descriptors.same_memory(puppet.pid, tid) is True


def test_known_descriptions_keep_their_numbers(puppet, numbers):
    puppet.do("p = [os.pipe() for _ in range(20)]; d = [os.dup(w) for _, w in p]")
    known = Known()
    first = descriptors.read_table(puppet.pid, numbers, known)
    again = descriptors.read_table(puppet.pid, numbers, known)
    assert [(e.fd, e.ofd) for e in again] == [(e.fd, e.ofd) for e in first]
    assert len({e.ofd for e in first if e.object.kind == "pipe"}) >= 40


def test_many_descriptions_of_one_object_are_sorted_not_compared_with_each_other(
    puppet, numbers, monkeypatch
):
    puppet.do("n = [os.open('/dev/null', 0) for _ in range(400)]; d = [os.dup(x) for x in n]")
    calls = []
    compare = descriptors.compare_descriptions

    def counted(*where):
        calls.append(where)
        return compare(*where)

    monkeypatch.setattr(descriptors, "compare_descriptions", counted)
    table = {entry.fd: entry.ofd for entry in descriptors.read_table(puppet.pid, numbers)}
    for number, double in zip(puppet.do("n"), puppet.do("d"), strict=True):
        assert table[number] == table[double]
    assert len(set(table.values())) >= 400
    assert len(calls) < 820 * 11


def test_without_kcmp_nothing_is_joined_by_guess(puppet, numbers, monkeypatch):
    fd, double = puppet.do("fd = os.open('/dev/null', 0); d = os.dup(fd)") or puppet.do("(fd, d)")
    monkeypatch.setattr(descriptors, "_kcmp_number", lambda: -1)
    assert descriptors.same_description(puppet.pid, fd, puppet.pid, double) is None
    table = {entry.fd: entry.ofd for entry in descriptors.read_table(puppet.pid, numbers)}
    assert table[fd] != table[double]
    known = Known()
    known.note_descriptor(
        77, group_of(descriptors.identify_descriptor(puppet.pid, fd), "r"), (puppet.pid, fd)
    )
    assert {e.fd: e.ofd for e in descriptors.read_table(puppet.pid, numbers, known)}[fd] == 77
    assert any("kcmp" in sentence for sentence in descriptors.missing_features())


def test_the_table_is_what_lsof_says(puppet, numbers, tmp_path):
    if not shutil.which("lsof"):
        pytest.skip("no lsof")
    puppet.do(
        f"f = open({str(tmp_path / 'x')!r}, 'a'); r, w = os.pipe(); a, b = socket.socketpair()"
    )
    output = subprocess.check_output(
        ["lsof", "-n", "-P", "-w", "-p", str(puppet.pid), "-F", "fai"], text=True
    )
    rows, fd = {}, None
    for line in output.splitlines():
        if line[0] == "f":
            fd = int(line[1:]) if line[1:].isdigit() else None
        elif fd is not None:
            rows.setdefault(fd, {})[line[0]] = line[1:]
    table = {entry.fd: entry for entry in descriptors.read_table(puppet.pid, numbers)}
    assert set(rows) == set(table)
    for fd, row in rows.items():
        assert {"u": "rw", " ": "rw"}.get(row["a"], row["a"]) == table[fd].mode
        if table[fd].object.kind in ("pipe", "file", "character device"):
            assert int(row["i"]) == table[fd].object.ino


def test_a_borrowed_write_end_is_given_back_with_the_context(puppet):
    """While it is borrowed a reader sees no end of file; at once after, it does."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    writer = Puppet(pass_fds=(theirs,))
    os.close(theirs)
    try:
        with descriptors.borrow(writer.pid, theirs) as number:
            assert number is not None
            assert not os.get_inheritable(number)
            writer.do(f"os.close({theirs})")
            with pytest.raises(BlockingIOError):
                os.read(ours, 1)
        assert os.read(ours, 1) == b""
    finally:
        writer.close()
        os.close(ours)


def test_borrowing_leaves_nothing_behind(puppet):
    fd = puppet.do("os.pipe()[0]")
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with descriptors.borrow(puppet.pid, fd) as number:
            assert number is not None
        with descriptors.borrow(puppet.pid, 900) as number:
            assert number is None
        with pytest.raises(ZeroDivisionError), descriptors.borrow(puppet.pid, fd):
            raise ZeroDivisionError
        descriptors.identify_descriptor(puppet.pid, fd)
    assert os.listdir("/proc/self/fd") == before


def test_this_kernel_can_do_what_the_others_may_lack():
    assert descriptors.can_borrow()
    assert descriptors.can_compare()
    assert descriptors.missing_features() == ()
