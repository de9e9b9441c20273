"""/proc/PID/maps: what a process has mapped where, and the identity of what is shared (proc(5))."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from ipcviz.events import MapEntry, ObjectInfo, ObjectKind
from ipcviz.kernel import procfs

DELETED: Final = " (deleted)"
SHM: Final = "/dev/shm/"
"""Where glibc keeps POSIX shared memory and named semaphores (shm_overview(7), sem_overview(7))."""


class MapLine(NamedTuple):
    """A line of /proc/PID/maps.

    Attributes:
        start: First address.
        end: Address after the last.
        perms: Four letters: `r`, `w`, `x` or `-`, then `s` for shared or `p` for private.
        offset: Offset in the file.
        dev: Device of the file, as st_dev; 0 for anonymous private memory.
        ino: Its inode; the id of the segment for System V shared memory; 0 for anonymous private
            memory.
        path: The file's path, `/memfd:NAME (deleted)`, `/SYSVKEY (deleted)`, `/dev/zero (deleted)`,
            `[heap]`, or empty.
    """

    start: int
    end: int
    perms: str
    offset: int
    dev: int
    ino: int
    path: str

    @property
    def shared(self) -> bool:
        """Whether writes reach other processes (MAP_SHARED)."""
        return self.perms[3:4] == "s"


_SHARED: Final = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ ..\Ss .*$", re.MULTILINE)


def _parse_line(line: bytes) -> MapLine | None:
    words = line.split(None, 5)
    if len(words) < 5:
        return None
    start, _, end = words[0].partition(b"-")
    major, _, minor = words[3].partition(b":")
    return MapLine(
        int(start, 16),
        int(end, 16),
        words[1].decode("ascii"),
        int(words[2], 16),
        os.makedev(int(major, 16), int(minor, 16)),
        int(words[4]),
        os.fsdecode(words[5]) if len(words) > 5 else "",
    )


def parse_maps(raw: bytes, shared_only: bool = False) -> list[MapLine]:
    """Parse /proc/PID/maps; a newline in a path stays escaped, as the kernel writes it."""
    lines = _SHARED.findall(raw) if shared_only else raw.split(b"\n")
    return [parsed for line in lines if (parsed := _parse_line(line)) is not None]


def read_maps(pid: int, shared_only: bool = False) -> list[MapLine] | None:
    """The mappings of a process, by address; None if it is gone or not ours to read, empty for a
    zombie.

    `shared_only` gives those made with MAP_SHARED, at a third of the cost: a process has few of
    them.
    """
    raw = procfs.read_bytes(f"/proc/{pid}/maps", whole=True)
    return None if raw is None else parse_maps(raw, shared_only)


class _Query(ctypes.Structure):
    """struct procmap_query (linux/fs.h, since Linux 6.11)."""

    _fields_ = (
        ("size", ctypes.c_uint64),
        ("query_flags", ctypes.c_uint64),
        ("query_addr", ctypes.c_uint64),
        ("vma_start", ctypes.c_uint64),
        ("vma_end", ctypes.c_uint64),
        ("vma_flags", ctypes.c_uint64),
        ("vma_page_size", ctypes.c_uint64),
        ("vma_offset", ctypes.c_uint64),
        ("inode", ctypes.c_uint64),
        ("dev_major", ctypes.c_uint32),
        ("dev_minor", ctypes.c_uint32),
        ("vma_name_size", ctypes.c_uint32),
        ("build_id_size", ctypes.c_uint32),
        ("vma_name_addr", ctypes.c_uint64),
        ("build_id_addr", ctypes.c_uint64),
    )


PROCMAP_QUERY: Final = 3 << 30 | ctypes.sizeof(_Query) << 16 | ord("f") << 8 | 17
_PATH_MAX: Final = 4096
_name: Final = ctypes.create_string_buffer(_PATH_MAX)


def _query_mapping(pid: int, address: int) -> MapLine | None:
    """The mapping that holds an address, if the kernel can be asked for one; raises OSError if not,
    or if none does.
    """
    query = _Query(
        size=ctypes.sizeof(_Query),
        query_addr=address,
        vma_name_size=_PATH_MAX,
        vma_name_addr=ctypes.addressof(_name),
    )
    fd = os.open(f"/proc/{pid}/maps", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, PROCMAP_QUERY, query)
    finally:
        os.close(fd)
    bits = query.vma_flags
    perms = "".join(letter if bits & bit else "-" for bit, letter in ((1, "r"), (2, "w"), (4, "x")))
    return MapLine(
        query.vma_start,
        query.vma_end,
        perms + ("s" if bits & 8 else "p"),
        query.vma_offset,
        os.makedev(query.dev_major, query.dev_minor),
        query.inode,
        os.fsdecode(_name.value) if query.vma_name_size else "",
    )


def read_line(pid: int, address: int) -> MapLine | None:
    """The mapping that holds an address; older kernels are asked for all of them."""
    try:
        return _query_mapping(pid, address)
    except OSError as refused:
        if refused.errno == errno.ENOENT:
            return None
    raw = procfs.read_bytes(f"/proc/{pid}/maps", whole=True)
    for line in (raw or b"").split(b"\n"):
        start, dash, rest = line.partition(b"-")
        if dash and int(start, 16) <= address < int(rest[: rest.find(b" ")], 16):
            return _parse_line(line)
    return None


def line_at(maps: Iterable[MapLine], address: int) -> MapLine | None:
    """The mapping that holds an address."""
    return next((line for line in maps if line.start <= address < line.end), None)


@lru_cache(maxsize=1024)
def _read_device(dev: int, ino: int, path: str) -> int:
    # Some file systems (btrfs) show another device in maps than in st_dev, by which descriptors are
    # known.
    try:
        status = os.stat(path)
    except OSError:
        return dev
    return status.st_dev if status.st_ino == ino else dev


def is_system_v(line: MapLine) -> bool:
    """Whether a mapping is a System V segment: its inode column is the shmid."""
    return line.path.startswith("/SYSV") and line.path.endswith(DELETED) and line.shared


def identify_mapping(line: MapLine) -> ObjectInfo:
    """What is mapped, with the key that a descriptor of the same object has.

    Private anonymous memory has the key `vm`, which says nothing about whose it is.
    """
    path, dev, ino = line.path, line.dev, line.ino
    if is_system_v(line):
        return ObjectInfo(
            key=f"shm:{ino}", kind="shared memory", path=path, dev=dev, ino=ino, detail="System V"
        )
    if not ino and not dev:
        return ObjectInfo(key="vm", kind="anonymous memory", path=path)
    if path.startswith("/memfd:"):
        name = path[len("/memfd:") :].removesuffix(DELETED)
        return ObjectInfo(
            key=f"{dev}:{ino}", kind="memfd", path=path, dev=dev, ino=ino, detail=name
        )
    if path == "/dev/zero" + DELETED or path.startswith("[anon_shmem:"):
        return ObjectInfo(key=f"{dev}:{ino}", kind="anonymous memory", path=path, dev=dev, ino=ino)
    if path.startswith("/"):
        dev = _read_device(dev, ino, path)
    kind: ObjectKind = "file"
    if path.startswith(SHM):
        kind = "shared memory"
    elif path.startswith("/dev/"):
        kind = "character device"
    elif path.startswith("anon_inode:"):
        kind = "anonymous inode"
    return ObjectInfo(key=f"{dev}:{ino}", kind=kind, path=path, dev=dev, ino=ino)


def shared_entries(maps: Iterable[MapLine]) -> Iterator[MapEntry]:
    """The mappings by which processes can communicate: the shared ones.

    Left out is glibc's cache of character set converters, which almost every program maps shared
    and read-only.
    """
    for line in maps:
        if line.shared and not line.path.endswith("/gconv-modules.cache"):
            yield entry_of(line)


def entry_of(line: MapLine) -> MapEntry:
    """A line as a value of the stream."""
    return MapEntry(
        start=line.start,
        length=line.end - line.start,
        object=identify_mapping(line),
        offset=line.offset,
        prot=line.perms[:3],
        shared=line.shared,
    )


def private_entries(maps: Iterable[MapLine]) -> Iterator[MapEntry]:
    """Private mappings of files that are no program and no library: of a file that others use they
    may matter.
    """
    lines = [line for line in maps if line.ino and line.path.startswith("/") and not line.shared]
    code = {(line.dev, line.ino) for line in lines if "x" in line.perms}
    return (entry_of(line) for line in lines if (line.dev, line.ino) not in code)


def object_size(pid: int, entry: MapEntry, descriptors: Iterable[tuple[int, int]] = ()) -> int:
    """How many bytes a mapped object has.

    Args:
        pid: A process that has it mapped.
        entry: The mapping.
        descriptors: Processes and numbers of descriptors that refer to it, for what has no name
            (any more).

    Returns:
        Its size; -1 if it can't be found out, as that of anonymous memory. System V segments are in
        `queues.list_segments`.
    """
    info = entry.object
    paths = [f"/proc/{holder}/fd/{fd}" for holder, fd in descriptors]
    if info.path.startswith("/") and not info.path.endswith(DELETED):
        paths.insert(0, f"/proc/{pid}/root{info.path}")
    # Only root may follow these, but they lead to what has neither a name nor a descriptor.
    paths.append(f"/proc/{pid}/map_files/{entry.start:x}-{entry.start + entry.length:x}")
    for path in paths:
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            continue
        if found.st_ino == info.ino and stat.S_ISREG(found.st_mode):
            # Memory of no name that processes share is a file to the kernel, as long as its first
            # mapping.
            return found.st_size
    return -1
