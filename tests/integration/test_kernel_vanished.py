"""A process that is gone, a zombie, and one of somebody else: nothing and no exception from every
reader.
"""

import os
import subprocess
import sys

import pytest

from ipcviz.events import ObjectInfo, SemaphoreInfo
from ipcviz.kernel import buffers, descriptors, maps, memory, procfs, semaphores
from tests.integration import readers
from tests.integration.puppet import Puppet, gone_pid, until

pytestmark = pytest.mark.kernel

KINDS = (
    "pipe",
    "fifo",
    "unix socket",
    "tcp socket",
    "udp socket",
    "message queue",
    "eventfd",
    "file",
)


def readings(pid):
    """Everything that can be asked of a process, by name."""
    found = {
        "stat": procfs.read_stat(pid),
        "stat of a thread": procfs.read_stat(pid, pid),
        "status": procfs.read_status(pid),
        "status of a thread": procfs.read_status(pid, pid),
        "io": readers.read_io(pid),
        "syscall": procfs.read_syscall(pid),
        "wchan": procfs.read_wchan(pid),
        "tasks": procfs.list_threads(pid),
        "numbers": procfs.read_fd_numbers(pid),
        "link": procfs.read_link(pid, 0),
        "fdinfo": procfs.read_fdinfo(pid, 0),
        "comm": procfs.read_comm(pid),
        "cmdline": procfs.read_cmdline(pid),
        "cwd": procfs.read_cwd(pid),
        "exe": procfs.read_exe(pid),
        "maps": maps.read_maps(pid),
        "identity": descriptors.identify_descriptor(pid, 0),
        "entry": descriptors.read_entry(pid, 0, 1),
        "table": descriptors.read_table(pid, lambda: 1),
        "same": descriptors.same_description(pid, 0, os.getpid(), 0),
        "same table": descriptors.same_table(pid, os.getpid()),
        "same memory": descriptors.same_memory(pid, os.getpid()),
        "network": procfs.same_namespace(pid, "net"),
        "memory": memory.read_bytes(pid, 4096, 10),
        "string": memory.read_string(pid, 4096),
        "word": memory.read_u64(pid, 4096),
        "vector": memory.read_iovec(pid, 4096, 2, 10),
        "semaphore": semaphores.read_semaphore(pid, 4096, SemaphoreInfo(key="k", kind="unnamed")),
        "pipe": buffers.read_pipe_level("k", (pid, 0), (pid, 1), 10),
        "queue": buffers.queue_attributes(pid, 0),
    }
    for kind in KINDS:
        info = ObjectInfo(key="k", kind=kind, ino=1)
        found[f"level of a {kind}"] = buffers.read_level(pid, 0, info, peek=10)
    for link in ("socket:[1]", "/dev/null", "/dev/ptmx", "/x"):
        found[f"identity of {link}"] = descriptors.identify_link(pid, 0, link)
    with descriptors.borrow(pid, 0) as number:
        found["borrowed"] = number
    return found


def test_gone():
    for name, value in readings(gone_pid()).items():
        assert not value, name


def test_a_zombie():
    puppet = Puppet()
    try:
        puppet.process.kill()
        until(lambda: (stat := procfs.read_stat(puppet.pid)) and stat.state == "Z")
        found = readings(puppet.pid)
        assert found["stat"].state == "Z"
        for name in (
            "link",
            "fdinfo",
            "identity",
            "entry",
            "pipe",
            "borrowed",
            "memory",
            "cmdline",
            "exe",
            "maps",
        ):
            assert not found[name], name
    finally:
        puppet.close()


def test_a_descriptor_that_is_not_open():
    pid = os.getpid()
    assert procfs.read_fdinfo(pid, 4095) is None
    assert descriptors.identify_descriptor(pid, 4095) is None
    assert descriptors.read_entry(pid, 4095, 1) is None
    assert descriptors.same_description(pid, 4095, pid, 0) is None
    assert buffers.read_pipe_level("k", (pid, 4095), None) is None


def test_a_descriptor_of_another_kind_than_was_thought(tmp_path):
    with open(tmp_path / "f", "w+") as file:
        for kind in KINDS[:-1]:
            info = ObjectInfo(key="k", kind=kind, ino=1)
            assert buffers.read_level(os.getpid(), file.fileno(), info, peek=10) is None, kind


def test_a_process_that_is_not_ours():
    """An ordinary user looks at a process of another one: less is known, and nothing fails."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    puppet = Puppet()
    try:
        code = (
            "import os, sys\nfrom tests.integration.test_kernel_vanished import"
            " readings\nreadings(os.getpid())\nos.setgroups([]); os.setgid(65534);"
            f" os.setuid(65534)\nfound = readings({puppet.pid})\nassert found['stat'].pid and"
            " found['status'].tgid and found['comm']\nseen = ('numbers', 'link', 'table', 'entry',"
            " 'memory', 'maps', 'exe', 'same', 'pipe', 'borrowed')\nassert not any(found[name] for"
            " name in seen), found"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
    finally:
        puppet.close()


def test_processes_that_end_while_they_are_looked_at():
    """The end falls between any two steps of a reading: each of these processes lives a little
    longer.
    """
    for count in range(150):
        pid = os.fork()
        if pid == 0:
            for _ in range(count * 40):
                os.getppid()
            os._exit(0)
        try:
            readings(pid)
        finally:
            os.waitpid(pid, 0)
        readings(pid)
