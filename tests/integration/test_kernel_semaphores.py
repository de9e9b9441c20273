"""Semaphores against sem_getvalue, semctl and ipcs, named and unnamed, shared and private, held and
waited for.
"""

import ctypes
import mmap
import os
import shutil
import subprocess
import sys

import posix_ipc
import pytest

from ipcviz.kernel import maps, memory, semaphores
from tests.integration import readers
from tests.integration.puppet import Puppet, until

pytestmark = pytest.mark.kernel

NAME = f"/ipcviz-test-{os.getpid()}"
libc = ctypes.CDLL(None, use_errno=True)
IPC_RMID, GETVAL, SETVAL = 0, 12, 16


@pytest.fixture
def puppet():
    one = Puppet()
    yield one
    one.close()


@pytest.fixture
def named():
    semaphore = posix_ipc.Semaphore(NAME, posix_ipc.O_CREX, initial_value=3)
    yield semaphore
    semaphore.close()
    try:
        posix_ipc.unlink_semaphore(NAME)
    except posix_ipc.ExistentialError:
        pass


@pytest.fixture
def semid():
    number = libc.semget(0, 3, 0o600 | 0o1000)
    assert number >= 0
    yield number
    libc.semctl(number, 0, IPC_RMID)


def put_semaphore(puppet, where, shared, value):
    puppet.do("libc = ctypes.CDLL(None)")
    puppet.do(f"m = {where}; a = ctypes.addressof(ctypes.c_char.from_buffer(m)) + 64")
    assert puppet.do(f"libc.sem_init(ctypes.c_void_p(a), {int(shared)}, {value})") == 0
    return puppet.do("a")


def test_a_named_one_has_the_value_that_sem_getvalue_gives(named):
    for _ in range(3):
        assert readers.read_named(NAME).value == named.value
        named.acquire()
    level = readers.read_named(NAME)
    assert (level.value, level.waiters) == (named.value, 0) == (0, 0)


def test_its_creator_and_its_opener_have_the_same_one(puppet, named):
    """The creator's mapping has the name of a temporary file that is gone; the inode is the
    same.
    """
    puppet.do(f"import posix_ipc; s = posix_ipc.Semaphore({NAME!r})")
    (ours, here), (theirs, there) = (
        next(found for found in semaphores.find_named(maps.read_maps(pid)) if found[0].name == NAME)
        for pid in (os.getpid(), puppet.pid)
    )
    status = os.stat(f"/dev/shm/sem.{NAME[1:]}")
    assert ours == theirs
    assert ours.key == f"sem:{status.st_dev}:{status.st_ino}:0"
    assert (ours.kind, ours.object, ours.offset) == ("named", f"{status.st_dev}:{status.st_ino}", 0)
    assert semaphores.named_semaphores()[status.st_dev, status.st_ino] == NAME
    assert semaphores.read_semaphore(puppet.pid, there, theirs).value == 3
    puppet.do("s.release()")
    assert semaphores.read_semaphore(os.getpid(), here, ours).value == named.value == 4
    assert semaphores.locate_semaphore(maps.read_maps(puppet.pid), there, puppet.pid) == theirs


def test_a_name_that_was_removed_is_kept_by_who_knew_it(named):
    names = semaphores.named_semaphores()
    named.unlink()
    lines = maps.read_maps(os.getpid())
    status = {(line.dev, line.ino) for line in lines if line.path.startswith("/dev/shm/sem.")}
    known = {identity: name for identity, name in names.items() if identity in status}
    assert NAME in known.values()
    assert NAME in {info.name for info, _ in semaphores.find_named(lines, known)}
    assert NAME not in {info.name for info, _ in semaphores.find_named(lines)}


def test_who_waits_is_counted(puppet, named):
    while named.value:
        named.acquire()
    puppet.do(f"import posix_ipc; s = posix_ipc.Semaphore({NAME!r})")
    puppet.start("s.acquire()")
    until(lambda: readers.read_named(NAME).waiters == 1)
    other = Puppet()
    try:
        other.do(f"import posix_ipc; s = posix_ipc.Semaphore({NAME!r})")
        other.start("s.acquire()")
        until(lambda: readers.read_named(NAME).waiters == 2)
        named.release()
        level = until(lambda: (found := readers.read_named(NAME)).waiters == 1 and found)
        assert level.value == 0
    finally:
        other.close()


@pytest.mark.parametrize("shared", [True, False])
def test_an_unnamed_one_in_shared_memory(puppet, shared, tmp_path):
    path = tmp_path / "memory"
    path.write_bytes(bytes(8192))
    where = f"mmap.mmap(os.open({str(path)!r}, os.O_RDWR), 4096, offset=4096)"
    address = put_semaphore(puppet, where, shared, 5)
    status = path.stat()
    info = semaphores.locate_semaphore(maps.read_maps(puppet.pid), address, puppet.pid)
    assert info.key == f"sem:{status.st_dev}:{status.st_ino}:{4096 + 64}"
    assert (info.kind, info.object, info.offset) == (
        "unnamed",
        f"{status.st_dev}:{status.st_ino}",
        4096 + 64,
    )
    raw = memory.read_bytes(puppet.pid, address, 16)
    assert semaphores.decode_semaphore(raw) == (5, 0, shared)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 8192) as ours:
        here = ctypes.addressof(ctypes.c_char.from_buffer(ours))
        value = ctypes.c_int()
        libc.sem_getvalue(ctypes.c_void_p(here + 4096 + 64), ctypes.byref(value))
        assert value.value == 5
        assert (
            semaphores.locate_semaphore(maps.read_maps(os.getpid()), here + 4096 + 64, os.getpid())
            == info
        )
        del value
    puppet.do("libc.sem_wait(ctypes.c_void_p(a))")
    assert semaphores.read_semaphore(puppet.pid, address, info).value == 4


def test_in_anonymous_shared_memory_a_fork_sees_the_same_one(puppet):
    address = put_semaphore(puppet, "mmap.mmap(-1, 4096)", True, 0)
    child = puppet.do(
        "pid = os.fork()\nif pid == 0:\n  libc.sem_wait(ctypes.c_void_p(a)); os._exit(0)"
    ) or puppet.do("pid")
    info = semaphores.locate_semaphore(maps.read_maps(puppet.pid), address, puppet.pid)
    assert semaphores.locate_semaphore(maps.read_maps(child), address, child) == info
    assert info.key.startswith("sem:")
    assert ":vm:" not in info.key
    until(lambda: semaphores.read_semaphore(puppet.pid, address, info).waiters == 1)
    puppet.do("(libc.sem_post(ctypes.c_void_p(a)), os.waitpid(pid, 0))")
    level = semaphores.read_semaphore(puppet.pid, address, info)
    assert (level.value, level.waiters) == (0, 0)


def test_in_private_memory_it_is_the_process_s_own(puppet):
    address = put_semaphore(puppet, "bytearray(4096)", False, 2)
    info = semaphores.locate_semaphore(maps.read_maps(puppet.pid), address, puppet.pid)
    assert (info.key, info.object, info.offset) == (f"sem:vm:{puppet.pid}:{address}", "", address)
    assert semaphores.read_semaphore(puppet.pid, address, info).value == 2
    assert semaphores.decode_semaphore(memory.read_bytes(puppet.pid, address, 16)) == (2, 0, False)


def test_system_v_values_are_semctl_s(puppet, semid):
    for index, value in enumerate((4, 0, 9)):
        assert libc.semctl(semid, index, SETVAL, value) == 0
    assert semaphores.sysv_sets()[semid].size == 3
    levels = semaphores.sysv_levels(semid)
    assert (
        [level.value for level in levels]
        == [libc.semctl(semid, index, GETVAL) for index in range(3)]
        == [4, 0, 9]
    )
    assert [level.info.key for level in levels] == [f"sysv:{semid}:{index}" for index in range(3)]
    assert levels[2].info.name == f"sem {semid}[2]"

    puppet.do("libc = ctypes.CDLL(None)")
    puppet.do(f"libc.semop({semid}, struct.pack('=Hhh', 0, -1, 0), 1)")
    puppet.start(f"libc.semop({semid}, struct.pack('=Hhh', 1, -1, 0), 1)")
    puppet.start(f"libc.semop({semid}, struct.pack('=Hhh', 2, 0, 0), 1)")
    until(lambda: semaphores.sysv_levels(semid)[2].waiters_zero == 1)
    until(lambda: semaphores.sysv_levels(semid)[1].waiters == 1)
    levels = semaphores.sysv_levels(semid)
    assert (levels[0].value, levels[0].last_pid) == (3, puppet.pid)
    if shutil.which("ipcs"):
        rows = [
            line.split()
            for line in subprocess.check_output(["ipcs", "-s", "-i", str(semid)], text=True).split(
                "\n"
            )
        ]
        shown = [list(map(int, row)) for row in rows if len(row) == 5 and row[0].isdigit()]
        assert shown == [
            [i, v.value, v.waiters, v.waiters_zero, v.last_pid] for i, v in enumerate(levels)
        ]


@pytest.mark.skipif(os.geteuid() != 0, reason="root may read any set")
def test_a_set_that_is_not_ours_to_read(semid):
    code = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from ipcviz.kernel import semaphores\n"
        f"assert {semid} in semaphores.sysv_sets()\n"
        f"assert semaphores.sysv_levels({semid}) is None"
    )
    # The modules are loaded while it is still root, whose files they may be.
    code = "import ipcviz.kernel.semaphores\n" + code
    subprocess.run([sys.executable, "-c", code], check=True)
