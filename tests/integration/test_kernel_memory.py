"""Memory of another process, queues and segments, and program files, against what was put there and
other tools.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from itertools import pairwise

import posix_ipc
import pytest

from ipcviz.kernel import elf, identity, maps, memory, queues
from tests.integration import readers
from tests.integration.puppet import Puppet, until

pytestmark = pytest.mark.kernel

PAGE = memory.PAGE_SIZE
FUNCTIONS = (
    "sem_init",
    "sem_wait",
    "sem_post",
    "sem_trywait",
    "sem_timedwait",
    "sem_destroy",
    "printf",
    "nothing",
)
libc = ctypes.CDLL(None, use_errno=True)
IPC_RMID = 0


@pytest.fixture
def puppet():
    one = Puppet()
    yield one
    one.close()


def pages(puppet):
    """Two pages of which the second can't be read."""
    puppet.do(
        "libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p\n"
        "libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]"
    )
    puppet.do(f"a = libc.mmap(None, {2 * PAGE}, 3, 0x22, -1, 0)")
    puppet.do(f"libc.mprotect(a + {PAGE}, {PAGE}, 0)")
    return puppet.do("a")


def test_bytes(puppet):
    address = puppet.do(
        "b = ctypes.create_string_buffer(bytes(range(256)) * 1000); ctypes"
    ) or puppet.do("ctypes.addressof(b)")
    expected = bytes(range(256)) * 1000
    assert memory.read_bytes(puppet.pid, address, 10) == expected[:10]
    assert memory.read_bytes(puppet.pid, address, len(expected)) == expected
    assert memory.read_u64(puppet.pid, address) == int.from_bytes(expected[:8], sys.byteorder)
    assert memory.read_u32(puppet.pid, address + 4) == int.from_bytes(expected[4:8], sys.byteorder)
    assert memory.read_bytes(puppet.pid, address, 0) == b""
    assert memory.read_bytes(puppet.pid, address, -5) == b""


def test_a_read_ends_where_memory_does(puppet):
    start = pages(puppet)
    puppet.do(f"ctypes.memmove(a + {PAGE} - 5, b'hello', 5)")
    assert memory.read_bytes(puppet.pid, start + PAGE - 5, 100) == b"hello"
    assert memory.read_string(puppet.pid, start + PAGE - 5, 100) == b"hello"
    assert memory.read_bytes(puppet.pid, start + PAGE, 10) is None
    assert memory.read_string(puppet.pid, start + PAGE) is None
    assert memory.read_u64(puppet.pid, start + PAGE - 5) is None
    for address in (0, 1, -1, 1 << 63, 1 << 64, 1 << 70):
        assert memory.read_bytes(puppet.pid, address, 10) is None
        assert memory.read_string(puppet.pid, address) is None


@pytest.mark.parametrize("length", [0, 1, 1023, 1024, 1025, 4095, 4096, 9000])
def test_strings(puppet, length):
    address = puppet.do(f"b = ctypes.create_string_buffer(b'x' * {length})") or puppet.do(
        "ctypes.addressof(b)"
    )
    assert memory.read_string(puppet.pid, address, 20000) == b"x" * length
    assert memory.read_string(puppet.pid, address, 100) == b"x" * min(length, 100)


def test_vectors(puppet):
    start = pages(puppet)
    puppet.do(
        "x, y = ctypes.create_string_buffer(b'hello', 5), ctypes.create_string_buffer(b'world', 5)"
    )
    puppet.do("v = (ctypes.c_uint64 * 6)(ctypes.addressof(x), 5, 0, 0, ctypes.addressof(y), 5)")
    vector = puppet.do("ctypes.addressof(v)")
    assert memory.read_iovec(puppet.pid, vector, 3, 100) == b"helloworld"
    assert memory.read_iovec(puppet.pid, vector, 3, 7) == b"hellowo"
    assert memory.read_iovec(puppet.pid, vector, 1, 7) == b"hello"
    assert memory.read_iovec(puppet.pid, vector, 0, 7) == b""
    assert memory.read_iovec(puppet.pid, start + PAGE, 2, 7) is None
    puppet.do(f"v[4] = {start + PAGE}")
    assert memory.read_iovec(puppet.pid, vector, 3, 100) == b"hello"
    puppet.do(f"v[1] = {1 << 62}")
    assert memory.read_iovec(puppet.pid, vector, 3, 5) == b"hello"


def test_without_process_vm_readv(puppet, monkeypatch):
    def refuse(*arguments):
        ctypes.set_errno(1)
        return -1

    address = puppet.do("b = ctypes.create_string_buffer(b'hello')") or puppet.do(
        "ctypes.addressof(b)"
    )
    monkeypatch.setattr(memory, "_readv", refuse)
    assert memory.read_string(puppet.pid, address) == b"hello"
    assert memory.read_bytes(puppet.pid, 4096, 8) is None


def test_system_v_segments(puppet):
    shmid = libc.shmget(0, 10000, 0o1600)
    assert shmid >= 0
    puppet.do("libc = ctypes.CDLL(None); libc.shmat.restype = ctypes.c_void_p")
    try:
        before = queues.list_segments()[shmid]
        assert (before.size, before.nattch, before.cpid, before.mode & 0o777) == (
            10000,
            0,
            os.getpid(),
            0o600,
        )
        address = puppet.do(f"libc.shmat({shmid}, None, 0)")
        line = maps.line_at(maps.read_maps(puppet.pid), address)
        assert maps.identify_mapping(line).key == f"shm:{shmid}"
        after = queues.list_segments()[shmid]
        assert (after.nattch, after.lpid, after.removed) == (1, puppet.pid, False)
    finally:
        libc.shmctl(shmid, IPC_RMID, None)
    assert queues.list_segments()[shmid].removed


def test_system_v_message_queues(puppet):
    msqid = libc.msgget(0, 0o1600)
    assert msqid >= 0
    try:
        puppet.do("libc = ctypes.CDLL(None)")
        for count in (1, 2):
            puppet.do(f"libc.msgsnd({msqid}, struct.pack('=q', 1) + b'hello', 5, 0)")
            one, level = queues.message_queues()[msqid], queues.message_queue_level(msqid)
            assert (one.qnum, one.cbytes, one.lspid, one.lrpid) == (count, 5 * count, puppet.pid, 0)
            assert (level.queued, level.writable) == (5 * count, True)
        with open("/proc/sys/kernel/msgmnb") as limit:
            assert level.capacity == int(limit.read())
        puppet.start(
            f"[libc.msgsnd({msqid}, struct.pack('=q', 1) + bytes(1000), 1000, 0) for _ in"
            " range(100)]"
        )
        level = until(
            lambda: (
                (found := queues.message_queue_level(msqid)).queued + 1000 > found.capacity
                and found
            )
        )
        assert level.queued <= level.capacity
    finally:
        libc.msgctl(msqid, IPC_RMID, None)
    assert queues.message_queue_level(msqid) is None
    assert msqid not in queues.message_queues()


def test_posix_queues_with_a_name():
    if not readers.list_queue_mounts():
        assert readers.posix_queues() == ()
        pytest.skip("no mqueue file system is mounted")
    name = f"/ipcviz-test-{os.getpid()}"
    queue = posix_ipc.MessageQueue(name, posix_ipc.O_CREX)
    try:
        queue.send(b"hello")
        one = next(found for found in readers.posix_queues() if found.name == name)
        assert f"{one.dev}:{one.ino}" == identity.identify_descriptor(os.getpid(), queue.mqd).key
        assert one.size == 5
    finally:
        queue.close()
        queue.unlink()


# Program files.


def libc_path():
    return next(
        line.path
        for line in maps.read_maps(os.getpid())
        if line.path.rpartition("/")[2].startswith("libc.")
    )


def by_nm(path, *options):
    found = {}
    for line in subprocess.check_output(["nm", *options, path], text=True).splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "TtWi":
            name, _, version = words[2].partition("@")
            if not version or version.startswith("@"):
                found.setdefault(name, int(words[0], 16))
    return found


@pytest.mark.skipif(not shutil.which("nm"), reason="no nm")
def test_functions_of_libc_are_where_nm_says():
    named = by_nm(libc_path(), "-D")
    found = elf.function_addresses(libc_path(), FUNCTIONS)
    assert found == {name: named[name] for name in FUNCTIONS if name in named}
    assert "nothing" not in found
    assert "printf" in found


@pytest.mark.skipif(not shutil.which("nm"), reason="no nm")
def test_every_function_of_libc_is_found_in_its_default_version():
    named = by_nm(libc_path(), "-D", "--defined-only")
    found = elf.function_addresses(libc_path(), named)
    # nm shows GNU indirect functions too ("i"), whose address is that of a resolver: they are left
    # out on purpose.
    assert len(found) > 1000
    assert {name: named[name] for name in found} == found


def test_an_address_in_the_file_is_the_one_in_memory():
    """file address + where the segment was mapped = where the dynamic linker says that the function
    is.
    """
    path = libc_path()
    segment = elf.executable_segments(path)[0]
    line = next(
        line for line in maps.read_maps(os.getpid()) if line.path == path and "x" in line.perms
    )
    base = line.start - line.offset + segment.offset - segment.vaddr
    for name, vaddr in elf.function_addresses(path, ("sem_wait", "sem_post")).items():
        assert base + vaddr == ctypes.cast(getattr(libc, name), ctypes.c_void_p).value
        assert line.start <= base + vaddr < line.end


@pytest.mark.skipif(not shutil.which("readelf"), reason="no readelf")
def test_segments_are_those_that_readelf_shows():
    path = os.path.realpath("/bin/sh")
    text = subprocess.check_output(["readelf", "-lW", path], text=True)
    rows = [line.split() for line in text.splitlines() if line.split()[:1] == ["LOAD"]]
    expected = tuple(
        elf.Segment(*(int(row[i], 16) for i in (1, 2, 4, 5)))
        for row in rows
        if "E" in "".join(row[6:-1])
    )
    assert elf.executable_segments(path) == expected
    kind = elf.machine_class(path)
    assert f"[Requesting program interpreter: {kind.interpreter}]" in text
    assert (kind.bits, kind.static) == (64, False)
    header = subprocess.check_output(["readelf", "-h", path], text=True)
    assert ("X86-64" in header) == (kind.machine == "EM_X86_64")
    assert elf.is_native(path, kind.machine)
    assert not elf.is_native(path, "EM_SPARCV9")


@pytest.mark.skipif(not (shutil.which("cc") and shutil.which("nm")), reason="no compiler")
def test_a_static_program(tmp_path):
    source = tmp_path / "p.c"
    source.write_text(
        "#include <semaphore.h>\nint main(void){sem_t s; sem_init(&s,0,1); return sem_wait(&s);}\n"
    )
    program = str(tmp_path / "p")
    if subprocess.run(
        ["cc", "-static", "-o", program, str(source)], capture_output=True
    ).returncode:
        pytest.skip("no static libc")
    named = by_nm(program)
    found = elf.function_addresses(program, FUNCTIONS)
    assert {"sem_init", "sem_wait"} <= set(found)
    assert all(named[name] == address for name, address in found.items())
    kind = elf.machine_class(program)
    assert kind is not None
    assert kind.static
    subprocess.run(["strip", program], check=True)
    assert elf.function_addresses(program, FUNCTIONS) == {}


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")
def test_who_may_call_what_others_define(tmp_path):
    for name, call, flags, answer in (
        ("none", 'puts("sem_post")', (), False),
        ("imports", "sem_post(0)", (), True),
        ("looks_up", 'dlsym(0, "x") != 0', (), True),
        ("is_static", "0", ("-static",), True),
    ):
        source = tmp_path / f"{name}.c"
        source.write_text(
            "#include <dlfcn.h>\n#include <semaphore.h>\n#include <stdio.h>\nint"
            f" main(void){{return {call};}}\n"
        )
        program = str(tmp_path / name)
        if (
            subprocess.run(
                ["cc", *flags, "-o", program, str(source)], capture_output=True
            ).returncode
            == 0
        ):
            assert elf.may_call(program, FUNCTIONS) == answer, name
    assert elf.may_call(str(tmp_path / "absent"), FUNCTIONS), "not known"


def test_what_is_no_program(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    broken = tmp_path / "broken"
    with open("/bin/sh", "rb") as file:
        broken.write_bytes(file.read(80))
    os.mkfifo(tmp_path / "fifo")
    for path in (script, broken, tmp_path, tmp_path / "fifo", tmp_path / "absent", "/dev/null"):
        assert elf.machine_class(str(path)) is None
        assert elf.function_addresses(str(path), FUNCTIONS) == {}
        assert elf.executable_segments(str(path)) == ()


def test_a_file_that_changed_is_read_again(tmp_path):
    path = tmp_path / "program"
    path.write_text("nothing yet")
    assert elf.machine_class(str(path)) is None
    shutil.copy("/bin/sh", path)
    assert elf.machine_class(str(path)).bits == 64


def test_one_mapping_is_told_as_among_all(puppet):
    puppet.do("import mmap; m = mmap.mmap(-1, 8192); f = open('/proc/self/exe', 'rb')")
    puppet.do("g = mmap.mmap(f.fileno(), 4096, prot=1)")
    lines = maps.read_maps(puppet.pid)
    for line in lines:
        # The gate of old system calls is in no process's list of mappings.
        if line.path != "[vsyscall]":
            assert (
                maps.read_line(puppet.pid, line.start)
                == maps.read_line(puppet.pid, line.end - 1)
                == line
            )
    gap = next(one.end for one, following in pairwise(lines) if following.start > one.end)
    assert maps.read_line(puppet.pid, gap) is None
