"""What /proc and sock_diag give, parsed from text and bytes kept here: no kernel is asked."""

import os
import socket
import struct

import pytest

from ipcviz.kernel import elf, locks, maps, procfs, queues, semaphores, sockets
from ipcviz.kernel.descriptors import decode_flags

STAT = (
    b"4711 (a) R (b) S 1 4711 4700 34816 4711 4194304 97 5 3 2 11 22 0 0 20 0 7 0 238093 3133440"
    b" 352 18446744073709551615 1 2 3 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 4 5 6 7 8 9 10 0\n"
)

STATUS = b"""Name:\ta:\\n b
State:\tS (sleeping)
Tgid:\t10
Pid:\t12
PPid:\t1
TracerPid:\t9
Uid:\t1000\t1001\t1002\t1003
NSpid:\t12\t3
Threads:\t2
RssFile:\t    8 kB
RssShmem:\t    4 kB
SigPnd:\t0000000000000001
ShdPnd:\t0000000000000002
SigBlk:\t8000000000000000
SigIgn:\t0000000000001000
SigCgt:\t0000000180000000
voluntary_ctxt_switches:\t5
nonvoluntary_ctxt_switches:\t6
"""

MAPS = b"""\
00400000-0044a000 r-xp 00001000 fe:00 260386                     /bin/a path  with\rblanks
0044a000-0044b000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000001000 rw-s 00002000 00:01 1070               /memfd:x y (deleted)
7f0000001000-7f0000002000 rw-s 00000000 00:01 5                  /SYSV0000002a (deleted)
7f0000002000-7f0000003000 rw-s 00000000 00:01 5                  /dev/zero (deleted)
7f0000003000-7f0000004000 rw-s 00000000 00:1b 180                /dev/shm/sem.a073Vj (deleted)
7f0000004000-7f0000005000 r--s 00000000 fe:00 77                 /usr/lib/gconv/gconv-modules.cache
7f0000005000-7f0000006000 rw-p 00000000 00:00 0
7f0000006000-7f0000007000 rw-s 00000000 00:01 9                  [anon_shmem:ring]
"""


def test_stat_with_a_name_that_looks_like_more_fields():
    stat = procfs.parse_stat(STAT)
    assert (stat.pid, stat.name, stat.state, stat.ppid, stat.pgrp, stat.session) == (
        4711,
        "a) R (b",
        "S",
        1,
        4711,
        4700,
    )
    assert (stat.tty, stat.tpgid, stat.minflt, stat.majflt, stat.utime, stat.stime) == (
        34816,
        4711,
        97,
        3,
        11,
        22,
    )
    assert (stat.num_threads, stat.starttime, stat.rss, stat.processor) == (7, 238093, 352, 1)


@pytest.mark.parametrize("raw", [b"", b"1 (x", b"1 (x) S 1 2", b"garbage"])
def test_a_stat_that_was_cut_off(raw):
    assert procfs.parse_stat(raw) is None


def test_status():
    status = procfs.parse_status(STATUS)
    assert (status.name, status.tgid, status.pid, status.ppid, status.tracer) == (
        "a:\\n b",
        10,
        12,
        1,
        9,
    )
    assert (status.nspid, status.uid, status.threads) == ((12, 3), (1000, 1001, 1002, 1003), 2)
    assert (status.pending, status.shared_pending, status.blocked) == (1, 2, 1 << 63)
    assert (status.ignored, status.caught) == (0x1000, 0x180000000)
    assert (status.voluntary, status.forced, status.rss_shared) == (5, 6, 12 * 1024)
    assert procfs.parse_status(b"") is None
    assert procfs.parse_status(b"Name:\tx\n") is None


def test_io():
    raw = (
        b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes:"
        b" 6\ncancelled_write_bytes: 7\n"
    )
    assert procfs.parse_io(raw) == procfs.Io(1, 2, 3, 4, 5, 6)
    assert procfs.parse_io(b"rchar: 1\n") is None


def test_where_a_thread_is():
    assert procfs.parse_syscall(b"running\n") == procfs.SyscallLine(True)
    line = procfs.parse_syscall(
        b"0 0x3 0x7f9e 0x20000 0x0 0xffffffff 0xffffffffffffffff 0x7ffd 0x7f9f\n"
    )
    assert line == procfs.SyscallLine(
        False, 0, (3, 0x7F9E, 0x20000, 0, 0xFFFFFFFF, (1 << 64) - 1), 0x7FFD, 0x7F9F
    )
    assert procfs.parse_syscall(b"-1 0x7ffd 0x7f9f\n") == procfs.SyscallLine(
        False, -1, (), 0x7FFD, 0x7F9F
    )
    assert procfs.parse_syscall(b"") is None
    assert procfs.parse_syscall(b"0 0x1\n") is None


def test_facts_of_a_descriptor():
    info = procfs.parse_fdinfo(b"pos:\t12\nflags:\t02102001\nmnt_id:\t15\nino:\t99\nscm_fds: 0\n")
    assert (info.pos, info.flags, info.mnt_id, info.ino) == (12, 0o2102001, 15, 99)
    assert info.extra == {"scm_fds": ("0",)}
    epoll = (
        b"pos:\t0\nflags:\t02\nmnt_id:\t15\n"
        b"tfd:        5 events:       1d data: ffffffffffffffff pos:0 ino:61af sdev:7\n"
        b"tfd:        6 events:        1 data: 0 pos:0 ino:61b0 sdev:7\n"
    )
    assert [line.split()[0] for line in procfs.parse_fdinfo(epoll).extra["tfd"]] == ["5", "6"]
    inotify = (
        b"pos:\t0\nflags:\t00\nmnt_id:\t1\ninotify wd:3 ino:9e7e sdev:800013 mask:800afce"
        b" ignored_mask:0\n"
    )
    assert procfs.parse_fdinfo(inotify).extra["inotify"][0].startswith("wd:3")
    locked = (
        b"pos:\t0\nflags:\t00\nmnt_id:\t1\nlock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF\n"
    )
    assert procfs.parse_fdinfo(locked).extra["lock"] == (
        "1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF",
    )
    assert procfs.parse_fdinfo(b"") is None


def test_flags():
    assert decode_flags(0o100000) == ("r", (), False)
    assert decode_flags(0o2001) == ("w", ("append",), False)
    assert decode_flags(0o2004002) == ("rw", ("nonblock",), True)
    assert decode_flags(0o4010000 | os.O_DIRECT) == ("r", ("direct", "sync"), False)
    assert decode_flags(os.O_DSYNC) == ("r", ("dsync",), False)
    assert decode_flags(0o12000000) == ("path", (), True)


def test_mappings():
    lines = maps.parse_maps(MAPS)
    assert len(lines) == 9
    first = lines[0]
    assert (first.start, first.end, first.perms, first.offset) == (
        0x400000,
        0x44A000,
        "r-xp",
        0x1000,
    )
    assert (first.dev, first.ino, first.path) == (
        os.makedev(0xFE, 0),
        260386,
        "/bin/a path  with\rblanks",
    )
    assert (lines[1].path, lines[1].dev, lines[7].path) == ("[heap]", 0, "")
    assert [line for line in lines if line.shared] == maps.parse_maps(MAPS, shared_only=True)
    assert maps.line_at(lines, 0x449FFF) is first
    assert maps.line_at(lines, 0x44A000) is lines[1]
    assert maps.line_at(lines, 0x3FFFFF) is None


def test_what_is_shared_and_as_what():
    entries = list(maps.shared_entries(maps.parse_maps(MAPS)))
    assert [(entry.object.key, entry.object.kind) for entry in entries] == [
        ("1:1070", "memfd"),
        ("shm:5", "shared memory"),
        ("1:5", "anonymous memory"),
        ("27:180", "shared memory"),
        ("1:9", "anonymous memory"),
    ]
    assert (entries[0].offset, entries[0].length, entries[0].prot) == (0x2000, 0x1000, "rw-")
    assert maps.identify_mapping(maps.parse_maps(MAPS)[1]).key == "vm"


def test_which_semaphore_is_at_an_address():
    lines = maps.parse_maps(MAPS)
    names = {(27, 180): "/mutex"}
    assert semaphores.locate_semaphore(lines, 0x7F0000003000, 9, names).name == "/mutex"
    assert semaphores.locate_semaphore(lines, 0x7F0000003000, 9, names).key == "sem:27:180:0"
    assert (
        semaphores.locate_semaphore(lines, 0x7F0000000040, 9, names).key == f"sem:1:1070:{0x2040}"
    )
    assert semaphores.locate_semaphore(lines, 0x7F0000001040, 9, names).key == "sem:shm:5:64"
    assert semaphores.locate_semaphore(lines, 0x44A010, 9, names).key == f"sem:vm:9:{0x44A010}"
    assert semaphores.locate_semaphore(lines, 0x10, 9, names).key == "sem:vm:9:16"
    assert [(info.name, address) for info, address in semaphores.find_named(lines, names)] == [
        ("/mutex", 0x7F0000003000)
    ]
    assert [info.name for info, _ in semaphores.find_named(lines, {})] == [""]


def test_glibc_s_semaphore():
    assert semaphores.decode_semaphore(struct.pack("=Qii", 5 | 3 << 32, 128, 0)) == (5, 3, True)
    assert semaphores.decode_semaphore(struct.pack("=Qii", 0x7FFFFFFF, 0, 0)) == (
        0x7FFFFFFF,
        0,
        False,
    )
    # musl's while threads wait: -1 until 1.2.3, the highest bit afterwards.
    assert semaphores.decode_semaphore(struct.pack("=iIii", -1, 2, 0, 0))[:2] == (0, 2)
    assert semaphores.decode_semaphore(struct.pack("=IIii", 0x80000003, 2, 0, 0))[:2] == (3, 2)
    with pytest.raises(struct.error):
        semaphores.decode_semaphore(b"short")


def test_system_v():
    sets = semaphores.parse_sysv_sets(
        b"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
        b"-559038737          3   660          2  1000  1000  1000  1000          0 1700000000\n"
    )
    assert sets[3] == semaphores.SemaphoreSet(0xDEADBEEF, 3, 0o660, 2, 1000, 0, 1700000000)
    found = queues.parse_message_queues(
        b"key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime\n"
        b"42 7 644 100 3 11 12 1000 0 0 0 0 0 0\n"
    )
    assert found[7] == queues.MessageQueue(42, 7, 0o644, 100, 3, 11, 12, 1000)
    segments = queues.parse_segments(
        b"key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap\n"
        b"0 5 1600 4096 11 12 2 1000 0 0 0 0 0 0 0 0\n"
    )
    assert segments[5] == queues.SharedSegment(0, 5, 0o1600, 4096, 11, 12, 2, 1000)
    assert segments[5].removed
    assert (
        queues._queue_fields(b"QSIZE:129        NOTIFY:2    SIGNO:0    NOTIFY_PID:8260  \n")[
            "QSIZE"
        ]
        == 129
    )


def test_locks():
    found = locks.parse_locks(
        b"1: POSIX  ADVISORY  WRITE 548 08:01:5638474 128 135\n"
        b"2: FLOCK  ADVISORY  READ 700 00:13:9 0 EOF\n"
        b"2: -> FLOCK  ADVISORY  WRITE 701 00:13:9 0 EOF\n"
        b"3: OFDLCK ADVISORY  WRITE -1 fe:00:4 0 0\n"
        b"cut off\n"
    )
    assert found[0] == locks.Lock(
        1, False, "POSIX", "WRITE", 548, os.makedev(8, 1), 5638474, 128, 135
    )
    assert [(lock.number, lock.waits, lock.pid, lock.end) for lock in found[1:]] == [
        (2, False, 700, None),
        (2, True, 701, None),
        (3, False, -1, 0),
    ]


def attribute(kind, body):
    return struct.pack("=HH", len(body) + 4, kind) + body + bytes(-len(body) % 4)


def test_a_unix_socket_of_sock_diag():
    body = struct.pack("=BBBBIII", 1, 1, 1, 0, 4711, 0, 0)
    body += (
        attribute(0, b"\0abstract")
        + attribute(2, struct.pack("=I", 4712))
        + attribute(4, struct.pack("=II", 5, 9))
    )
    body += attribute(5, struct.pack("=9I", 1, 2, 3, 4, 0, 0, 0, 0, 0))
    one = sockets.parse_unix(body)
    assert one == sockets.UnixSocket(
        4711, 1, 1, "@abstract", 4712, 5, 9, sockets.SocketMemory(1, 2, 3, 4)
    )
    bare = sockets.parse_unix(body[:16])
    assert (bare.path, bare.peer, bare.receive_queue, bare.memory) == ("", 0, -1, None)
    assert sockets.parse_unix(b"short") is None


def test_proc_net():
    found = sockets.parse_proc_unix(
        b"Num       RefCount Protocol Flags    Type St Inode Path\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01  1073 /run/a b\n"
        b"0000000000000000: 00000003 00000000 00000000 0002 03  1074\n"
    )
    assert (found[1073].state, found[1073].path, found[1073].type) == (
        sockets.LISTENING,
        "/run/a b",
        1,
    )
    assert (found[1074].state, found[1074].path, found[1074].type) == (sockets.ESTABLISHED, "", 2)
    rows = list(
        sockets.parse_proc_inet(
            b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid "
            b" timeout inode\n   0: 0100007F:1F90 0200007F:0035 01 00000010:00000020 00:00000000"
            b" 00000000     0        0 1077 1\n",
            socket.IPPROTO_TCP,
            socket.AF_INET,
        )
    )
    (one,) = rows
    if struct.pack("=H", 1)[0]:
        assert (one.local, one.remote) == (("127.0.0.1", 8080), ("127.0.0.2", 53))
    assert (one.ino, one.state, one.send_queue, one.receive_queue) == (1077, 1, 16, 32)
    assert sockets.show_end(("::1", 80)) == "[::1]:80"


def symbol(name, kind=2, section=1, value=0):
    return struct.pack("<IBBHQQ", name, 0x10 | kind, 0, section, value, 0)


def test_symbols_by_name_kind_and_version():
    strings = b"\0__sem_wait\0sem_post\0memcpy\0absent\0"
    tail = strings.index(b"sem_wait\0")
    post, copy, absent = (strings.index(name) for name in (b"sem_post", b"memcpy", b"absent"))
    rows = [
        (symbol(0, 0, 0), 0),
        (symbol(tail, value=16), 2),
        (symbol(post, value=32), 2 | 0x8000),
        (symbol(post, value=48), 3),
        (symbol(post, value=64), 2 | 0x8000),
        (symbol(copy, value=80), 2 | 0x8000),
        (symbol(copy, kind=10, value=96), 3),
        (symbol(absent, section=0, value=0), 2),
    ]
    symbols = b"".join(row for row, _ in rows)
    versions = struct.pack(f"<{len(rows)}H", *(version for _, version in rows))
    names = ("sem_wait", "sem_post", "memcpy", "absent", "nothing")
    assert elf._scan_symbols(symbols, strings, versions, names) == {"sem_wait": 16, "sem_post": 48}
    assert elf._scan_symbols(symbols, strings, b"", ("sem_wait",)) == {"sem_wait": 16}
    assert elf._scan_symbols(symbols, strings, versions, ("nothing",)) == {}
