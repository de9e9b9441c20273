"""/proc readers against psutil, against what a process was told to do, and for processes that are
gone.
"""

import fcntl
import mmap
import os
import signal
import subprocess
import sys

import psutil
import pytest

from ipcviz.kernel import maps, procfs
from tests.integration import readers
from tests.integration.puppet import Puppet, until

pytestmark = pytest.mark.kernel


@pytest.fixture
def puppet():
    one = Puppet()
    yield one
    one.close()


def test_stat_agrees_with_psutil(puppet):
    puppet.do("sum(range(10**6))")
    seen = psutil.Process(puppet.pid)
    stat = procfs.read_stat(puppet.pid)
    assert (stat.pid, stat.name, stat.ppid) == (puppet.pid, seen.name(), os.getpid())
    assert (stat.pgrp, stat.session) == (os.getpgid(puppet.pid), os.getsid(puppet.pid))
    assert stat.num_threads == seen.num_threads() == 1
    assert abs(stat.utime / os.sysconf("SC_CLK_TCK") - seen.cpu_times().user) < 0.05
    assert abs(stat.rss * mmap.PAGESIZE - seen.memory_info().rss) < 1 << 20
    assert stat.starttime > 0


def test_a_name_with_parentheses_and_blanks(puppet):
    puppet.do("ctypes.CDLL(None).prctl(15, b') R 1 (x', 0, 0, 0)")
    stat = procfs.read_stat(puppet.pid)
    assert stat.name == ") R 1 (x"
    assert stat.ppid == os.getpid()
    assert procfs.read_comm(puppet.pid) == ") R 1 (x"
    assert procfs.read_status(puppet.pid).name == ") R 1 (x"


def test_masks_and_dispositions_are_what_the_process_set(puppet):
    puppet.do("signal.signal(signal.SIGUSR1, lambda *a: None)")
    puppet.do("signal.signal(signal.SIGUSR2, signal.SIG_IGN)")
    puppet.do(
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGRTMIN}) and None"
    )
    os.kill(puppet.pid, signal.SIGTERM)
    status = procfs.read_status(puppet.pid)

    def bit(signo):
        return 1 << (signo - 1)

    assert status.blocked == bit(signal.SIGTERM) | bit(signal.SIGRTMIN)
    assert status.shared_pending == bit(signal.SIGTERM)
    assert status.pending == 0
    assert status.caught & bit(signal.SIGUSR1)
    assert status.ignored & bit(signal.SIGUSR2)
    assert not status.ignored & bit(signal.SIGUSR1)


def test_a_signal_sent_to_one_thread_is_pending_there(puppet):
    puppet.do("signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}) and None")
    puppet.do("signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)")
    status = procfs.read_status(puppet.pid, puppet.pid)
    assert (status.pending, status.shared_pending) == (1 << (signal.SIGUSR1 - 1), 0)


def test_switches_and_ids_agree_with_psutil(puppet):
    status = procfs.read_status(puppet.pid)
    switches = psutil.Process(puppet.pid).num_ctx_switches()
    assert status.voluntary == switches.voluntary
    assert abs(status.forced - switches.involuntary) <= 2
    assert status.uid[0] == psutil.Process(puppet.pid).uids().real
    assert (status.tgid, status.pid, status.ppid, status.tracer) == (
        puppet.pid,
        puppet.pid,
        os.getpid(),
        0,
    )
    assert status.nspid[0] == puppet.pid


def test_io_counts_what_was_written(puppet):
    puppet.do("r, w = os.pipe()")
    before = readers.read_io(puppet.pid)
    puppet.do("(os.write(w, b'x' * 1000), len(os.read(r, 600)))")
    after = readers.read_io(puppet.pid)
    # The command itself, and its answer, go through read and write too.
    assert 1000 <= after.wchar - before.wchar < 1100
    assert 600 <= after.rchar - before.rchar < 700
    seen = psutil.Process(puppet.pid).io_counters()
    assert (after.rchar, after.wchar, after.syscr, after.syscw) == (
        seen.read_chars,
        seen.write_chars,
        seen.read_count,
        seen.write_count,
    )


def test_the_call_that_a_thread_sleeps_in(puppet):
    r, _ = puppet.do("os.pipe()")
    tid = puppet.start(f"os.read({r}, 77)")
    call = until(
        lambda: (
            (c := procfs.read_syscall(puppet.pid, tid)) and not c.running and c.args[0] == r and c
        )
    )
    assert call.args[2] == 77
    assert call.sp
    assert call.pc
    assert set(procfs.list_threads(puppet.pid)) == {puppet.pid, tid}
    assert procfs.read_status(tid).tgid == puppet.pid
    assert procfs.read_wchan(puppet.pid, tid) is not None
    assert procfs.read_stat(puppet.pid, tid).state == "S"


def test_a_running_thread_says_so():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        try:
            call = until(lambda: (c := procfs.read_syscall(spinning.pid)) and c.running and c)
            assert call.number == -1
        finally:
            spinning.kill()


def test_descriptors_and_their_facts(puppet, tmp_path):
    file = tmp_path / "f"
    fd = puppet.do(
        f"fd = os.open({str(file)!r}, os.O_RDWR | os.O_CREAT | os.O_APPEND)"
    ) or puppet.do("fd")
    puppet.do("os.write(fd, b'12345')")
    info = procfs.read_fdinfo(puppet.pid, fd)
    assert info.pos == 5
    assert info.flags & os.O_APPEND
    assert info.flags & os.O_ACCMODE == os.O_RDWR
    assert info.flags & os.O_CLOEXEC
    assert info.ino in (0, file.stat().st_ino)
    assert procfs.read_link(puppet.pid, fd) == str(file)
    listed = sorted(int(name) for name in os.listdir(f"/proc/{puppet.pid}/fd"))
    assert list(procfs.read_fd_numbers(puppet.pid)) == listed


def test_facts_that_only_some_kinds_have(puppet):
    count = puppet.do("os.eventfd(17)") if hasattr(os, "eventfd") else None
    epoll = puppet.do(
        "import select; e = select.epoll(); e.register(0); e.register(1)"
    ) or puppet.do("e.fileno()")
    if count is not None:
        assert int(procfs.read_fdinfo(puppet.pid, count).extra["eventfd-count"][0], 16) == 17
    targets = procfs.read_fdinfo(puppet.pid, epoll).extra["tfd"]
    assert sorted(int(line.split()[0]) for line in targets) == [0, 1]


def test_what_it_runs_and_where(puppet, tmp_path):
    puppet.do(f"os.chdir({str(tmp_path)!r})")
    assert procfs.read_cwd(puppet.pid) == str(tmp_path)
    assert procfs.read_exe(puppet.pid) == os.path.realpath(sys.executable)
    assert procfs.read_cmdline(puppet.pid)[:2] == (sys.executable, "-c")
    assert puppet.pid in procfs.list_processes()


def test_mappings(puppet, tmp_path):
    file = tmp_path / "with blank"
    file.write_bytes(b"x" * 8192)
    puppet.do(f"m = mmap.mmap(os.open({str(file)!r}, os.O_RDWR), 4096, offset=4096)")
    address = puppet.do("ctypes.addressof(ctypes.c_char.from_buffer(m))")
    line = maps.line_at(maps.read_maps(puppet.pid), address)
    assert (line.start, line.end, line.perms, line.offset) == (
        address,
        address + 4096,
        "rw-s",
        4096,
    )
    assert (line.path, line.ino, line.shared) == (str(file), file.stat().st_ino, True)
    info = maps.identify_mapping(line)
    assert info.key == f"{file.stat().st_dev}:{file.stat().st_ino}"
    shared = [
        entry
        for entry in maps.shared_entries(maps.read_maps(puppet.pid))
        if entry.object.key == info.key
    ]
    assert [(entry.start, entry.length, entry.offset) for entry in shared] == [
        (address, 4096, 4096)
    ]


def test_a_process_with_more_mappings_than_one_read_gives(puppet):
    puppet.do("kept = [mmap.mmap(-1, 4096) for _ in range(600)]")
    found = maps.read_maps(puppet.pid)
    assert sum(line.path == "/dev/zero (deleted)" for line in found) >= 600
    assert len(found) == subprocess.check_output(["cat", f"/proc/{puppet.pid}/maps"]).count(b"\n")


def test_locks_and_who_waits_for_them(puppet, tmp_path):
    file = tmp_path / "locked"
    file.touch()
    with open(file, "w") as ours:
        fcntl.lockf(ours, fcntl.LOCK_EX, 10, 5)
        puppet.do(f"f = open({str(file)!r}, 'w')")
        puppet.start("fcntl.lockf(f, fcntl.LOCK_EX, 1, 7)")

        def found():
            mine = [lock for lock in readers.read_locks() if lock.ino == file.stat().st_ino]
            return mine if len(mine) == 2 else None

        held, waits = sorted(until(found), key=lambda lock: lock.waits)
        assert (held.pid, held.kind, held.mode, held.start, held.end) == (
            os.getpid(),
            "POSIX",
            "WRITE",
            5,
            14,
        )
        assert (waits.pid, waits.start, waits.end, waits.number) == (puppet.pid, 7, 7, held.number)
        assert held.dev == file.stat().st_dev


def test_a_zombie_and_one_that_is_gone_are_on_their_way_out():
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert not procfs.is_ending(child.pid)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert procfs.is_ending(child.pid)
    child.wait()
    assert procfs.is_ending(child.pid)
