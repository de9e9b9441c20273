"""What stands behind a descriptor or a mapping: kind and key, the same for both and in all
processes.

Keys:
    `pipe:[INO]`, `socket:[INO]` as /proc/PID/fd says; `DEV:INO` (st_dev and st_ino, decimal) for
    what has an inode of its own: files, FIFOs, devices, POSIX queues and shared memory, memfds,
    MAP_ANONYMOUS|MAP_SHARED memory; `DEV:INO:INDEX` for the master side of a pseudo-terminal, which
    all share one inode; `anon:OFD` for anonymous inodes; `shm:ID` for a System V segment, whose
    inode number is its id and could equal another file's.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
from functools import cache
from typing import Final

import msgspec

from ipcviz.events import ObjectInfo, ObjectKind
from ipcviz.kernel import memory, procfs, served, sockets
from ipcviz.kernel.borrow import borrow
from ipcviz.kernel.maps import DELETED, SHM

MQUEUE_MAGIC: Final = 0x19800202
_FUSE: Final = os.makedev(10, 229)
"""/dev/fuse (admin-guide/devices.txt)"""
FUSE_MAGIC: Final = 0x65735546
ECRYPTFS_MAGIC: Final = 0xF15F
"""linux/magic.h"""
_ANONYMOUS: Final[dict[str, ObjectKind]] = {
    "[eventfd]": "eventfd",
    "[eventpoll]": "epoll",
    "[timerfd]": "timerfd",
    "[signalfd]": "signalfd",
    "inotify": "inotify",
    "[pidfd]": "pidfd",
}
_OWN_FILE_SYSTEMS: Final = (f"/secretmem{DELETED}", "/dmabuf:")
"""Links of what has a file system of its own that nobody can mount (memfd_secret(2),
drivers/dma-buf).
"""
_TTY_MAJORS: Final = frozenset({4, 5, 188, 204, 229, *range(128, 144)})
"""If /proc/tty/drivers can't be read: Documentation/admin-guide/devices.txt."""
_PTMX: Final = os.makedev(5, 2)

_libc = ctypes.CDLL(None, use_errno=True)


_magics: dict[int, int] = {}


def file_system(dev: int, path: str) -> int:
    """f_type of statfs(2), its first field, of the file system on a device that a path leads to; 0
    if unknown.

    Args:
        dev: The device.
        path: A path to something on it, `/proc/PID/fd/N`.
    """
    if dev not in _magics:
        if not os.major(dev) and _is_served(dev, path):
            _magics[dev] = FUSE_MAGIC
            return FUSE_MAGIC
        buffer = ctypes.create_string_buffer(256)
        if _libc.statfs(os.fsencode(path), buffer) != 0:
            return 0
        _magics[dev] = int(struct.unpack_from("=q", buffer.raw)[0])
    return _magics[dev]


def _is_served(dev: int, path: str) -> bool:
    """Whether a process serves the file system on a device (FUSE), by /proc/PID/mountinfo
    (proc_pid_mountinfo(5)).

    To ask the file system itself is to ask that process, which may stand at a stop of the tracer's.
    """
    pid = path.split("/")[2]
    raw = procfs.read_bytes(f"/proc/{pid}/mountinfo", whole=True) or b""
    place = f"{os.major(dev)}:{os.minor(dev)}".encode()
    for line in raw.splitlines():
        mount, _, rest = line.partition(b" - ")
        if mount.split()[2:3] == [place]:
            return rest.startswith(b"fuse")
    return False


@cache
def _tty_majors() -> frozenset[int]:
    raw = procfs.read_bytes("/proc/tty/drivers", whole=True)
    words = [line.split() for line in (raw or b"").splitlines()]
    return frozenset(int(w[-3]) for w in words if len(w) >= 4) | _TTY_MAJORS


@cache
def _pipe_device() -> int:
    r, w = os.pipe2(os.O_CLOEXEC)
    try:
        return os.fstat(r).st_dev
    finally:
        os.close(r)
        os.close(w)


@cache
def _socket_device() -> int:
    with socket.socket(socket.AF_UNIX) as probe:
        return os.fstat(probe.fileno()).st_dev


def identify_descriptor(pid: int, fd: int, ofd: int = 0) -> ObjectInfo | None:
    """What stands behind a descriptor.

    Args:
        pid: The process.
        fd: Its descriptor.
        ofd: Number of the open file description, for the key of an anonymous inode.

    Returns:
        Its identity; None if the descriptor, or the process, is gone or not ours to look at. For a
        TCP or UDP socket its descriptor is borrowed for a moment, see `ipcviz.kernel.borrow`.
    """
    link = procfs.read_link(pid, fd)
    return None if link is None else identify_link(pid, fd, link, ofd)


def identify_link(
    pid: int, fd: int, link: str, ofd: int = 0, listing: sockets.Listing | None = None
) -> ObjectInfo | None:
    """As `identify_descriptor`, for a link that was read already; with a `listing` of all
    sockets nothing is borrowed.
    """
    if link.startswith("pipe:["):
        return ObjectInfo(key=link, kind="pipe", dev=_pipe_device(), ino=int(link[6:-1]))
    if link.startswith("socket:["):
        return _identify_socket(pid, fd, link, listing)
    if link.startswith("anon_inode:"):
        return _identify_anonymous(pid, fd, link, ofd)
    path = f"/proc/{pid}/fd/{fd}"
    try:
        status = served.ask_file(path, lambda: os.stat(path))
    except OSError:
        return None
    if status is None:
        return None
    dev, ino, mode = status.st_dev, status.st_ino, status.st_mode
    key = f"{dev}:{ino}"
    if link.startswith(_OWN_FILE_SYSTEMS):
        name = link.removesuffix(DELETED)[1:].partition(":")[0]
        return ObjectInfo(key=key, kind="anonymous inode", dev=dev, ino=ino, detail=name)
    if stat.S_ISREG(mode):
        kind, detail = _kind_of_file(path, link, dev)
        return ObjectInfo(key=key, kind=kind, path=link, dev=dev, ino=ino, detail=detail)
    if stat.S_ISFIFO(mode):
        return ObjectInfo(key=key, kind="fifo", path=link, dev=dev, ino=ino)
    if stat.S_ISDIR(mode):
        return ObjectInfo(key=key, kind="directory", path=link, dev=dev, ino=ino)
    if stat.S_ISCHR(mode):
        return _identify_character(pid, fd, link, status)
    if stat.S_ISBLK(mode):
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        return ObjectInfo(key=key, kind="block device", path=link, dev=dev, ino=ino, detail=number)
    # What is left: an O_PATH descriptor of a symbolic link or of a socket's name.
    return ObjectInfo(key=key, kind="unknown", path=link, dev=dev, ino=ino)


def _kind_of_file(path: str, link: str, dev: int) -> tuple[ObjectKind, str]:
    if link.startswith("/memfd:"):
        return "memfd", link[len("/memfd:") :].removesuffix(DELETED)
    if link.startswith(SHM):
        return "shared memory", ""
    if ":[" in link and not link.startswith("/"):
        # A namespace, `net:[4026531840]`, or another file that only the kernel has a name for.
        return "anonymous inode", link.partition(":")[0]
    # A POSIX queue's link is `/NAME`, which a file in the root directory could have too, or its
    # path if the file system is mounted: ask which one it is.
    if file_system(dev, path) == MQUEUE_MAGIC:
        return "message queue", ""
    return "file", ""


def _identify_character(pid: int, fd: int, link: str, status: os.stat_result) -> ObjectInfo:
    rdev = status.st_rdev
    major, minor = os.major(rdev), os.minor(rdev)
    key = f"{status.st_dev}:{status.st_ino}"
    if rdev == _FUSE:
        served.expect_server()
    if rdev == _PTMX:
        info = procfs.read_fdinfo(pid, fd)
        index = info.extra.get("tty-index", ("",))[0] if info is not None else ""
        peer = ""
        if index:
            key += f":{index}"
            try:
                slave = os.stat(f"/dev/pts/{index}")
                peer = f"{slave.st_dev}:{slave.st_ino}"
            except OSError:
                pass
        detail = f"master of pts/{index}" if index else "master"
        return ObjectInfo(
            key=key,
            kind="terminal",
            path=link,
            dev=status.st_dev,
            ino=status.st_ino,
            detail=detail,
            peer=peer,
        )
    kind: ObjectKind = "terminal" if major in _tty_majors() else "character device"
    return ObjectInfo(
        key=key,
        kind=kind,
        path=link,
        dev=status.st_dev,
        ino=status.st_ino,
        detail=f"{major}:{minor}",
    )


def _identify_anonymous(pid: int, fd: int, link: str, ofd: int) -> ObjectInfo:
    name = link.removeprefix("anon_inode:")
    if name == "[userfaultfd]":
        memory.read_present_only()
    kind = _ANONYMOUS.get(name, "anonymous inode")
    detail = name if kind == "anonymous inode" else ""
    if kind == "pidfd":
        info = procfs.read_fdinfo(pid, fd)
        detail = "pid " + info.extra.get("Pid", ("?",))[0] if info is not None else ""
    return ObjectInfo(key=f"anon:{ofd}", kind=kind, detail=detail)


def identify_listed(link: str, listing: sockets.Listing) -> ObjectInfo | None:
    """A socket by its link `socket:[INO]`, as the listing has it; None if it is not in there."""
    ino = int(link[8:-1])
    unix = listing.find_unix(ino)
    if unix is not None:
        return _unix_info(link, unix, listing.find_unix(unix.peer) if unix.peer else None)
    inet = listing.find_inet(ino)
    return _inet_info(link, inet, listing.peer_of(inet)) if inet is not None else None


def _identify_socket(
    pid: int, fd: int, link: str, listing: sockets.Listing | None
) -> ObjectInfo | None:
    ino = int(link[8:-1])
    listed = identify_listed(link, listing) if listing is not None else None
    if listed is not None:
        return listed
    try:
        # sockfs names the protocol in an attribute: no descriptor need be borrowed for it.
        protocol = (
            os.getxattr(f"/proc/{pid}/fd/{fd}", "system.sockprotoname")
            .rstrip(b"\0")
            .decode("ascii", "replace")
        )
    except OSError:
        protocol = ""
    if not protocol and procfs.read_link(pid, fd) != link:
        return None
    if protocol.startswith("UNIX") or not protocol:
        one = sockets.unix_socket(ino, pid)
        if one is not None:
            info = _unix_info(link, one, sockets.unix_socket(one.peer, pid) if one.peer else None)
            if (
                listing is None
                and one.state == sockets.ESTABLISHED
                and one.type != socket.SOCK_DGRAM
            ):
                return msgspec.structs.replace(info, with_whom=_with_whom(pid, fd))
            return info
        if protocol and listing is None:
            return _borrowed_unix(pid, fd, link, ino)
    if protocol.startswith(("TCP", "MPTCP", "UDP")):
        if listing is not None:
            # In another network namespace, or neither bound nor connected: only a borrowed
            # descriptor could tell more.
            kind: ObjectKind = "udp socket" if protocol.startswith("UDP") else "tcp socket"
            return ObjectInfo(key=link, kind=kind, dev=_socket_device(), ino=ino)
        return _identify_inet(pid, fd, link, ino, protocol)
    kind = "unix socket" if protocol.startswith("UNIX") else "socket"
    return ObjectInfo(key=link, kind=kind, dev=_socket_device(), ino=ino, detail=protocol)


def _with_whom(pid: int, fd: int) -> str:
    """Who had the other end of a borrowed UNIX socket when it was connected or made:
    `dbus-daemon[812]`.
    """
    with borrow(pid, fd) as number:
        if number is None:
            return ""
        one = socket.socket(fileno=number)
        try:
            (other,) = struct.unpack_from(
                "=i", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            )
        except (OSError, struct.error):
            return ""
        finally:
            one.detach()
    name = procfs.read_comm(other) if other > 0 else None
    return f"{name}[{other}]" if name else ""


def _borrowed_unix(pid: int, fd: int, link: str, ino: int) -> ObjectInfo:
    """A UNIX socket of a namespace that we may not enter, as it says itself: its type, state and
    name, no peer.
    """
    info = ObjectInfo(key=link, kind="unix socket", dev=_socket_device(), ino=ino)
    with borrow(pid, fd) as number:
        if number is None:
            return info
        one = socket.socket(fileno=number)
        try:
            kind = sockets.TYPES.get(one.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), "")
            name = one.getsockname()
            state = (
                "listening"
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                else "unconnected"
            )
            try:
                one.getpeername()
                state = "established"
            except OSError:
                pass
        except OSError:
            return info
        finally:
            one.detach()
    path = sockets.unix_name(name) if isinstance(name, bytes) else str(name)
    return msgspec.structs.replace(info, path=path, detail=f"{kind} {state}".strip())


def _unix_info(link: str, one: sockets.UnixSocket, other: sockets.UnixSocket | None) -> ObjectInfo:
    peer = f"socket:[{one.peer}]" if one.peer else ""
    state = "unconnected" if one.state == 7 else sockets.STATES.get(one.state, "")
    if one.type == socket.SOCK_DGRAM:
        # The kernel calls it established as soon as another one is connected to it.
        state = "connected" if one.peer else "unconnected"
    detail = f"{sockets.TYPES.get(one.type, '')} {state}".strip()
    # A UNIX socket's bytes count against their sender's buffer (unix(7)): what its peer may have
    # sent unread.
    capacity = other.memory.send_limit if other is not None and other.memory is not None else 0
    return ObjectInfo(
        key=link,
        kind="unix socket",
        path=one.path,
        dev=_socket_device(),
        ino=one.ino,
        detail=detail,
        peer=peer,
        capacity=capacity,
    )


def _inet_info(link: str, one: sockets.InetSocket, peer: int) -> ObjectInfo:
    tcp = one.protocol == socket.IPPROTO_TCP
    local = sockets.show_end(one.local) if one.local[1] else ""
    remote = sockets.show_end(one.remote) if one.remote[1] else ""
    state = sockets.STATES.get(one.state, "") if tcp else ""
    return ObjectInfo(
        key=link,
        kind="tcp socket" if tcp else "udp socket",
        dev=_socket_device(),
        ino=one.ino,
        detail=sockets.describe_socket(local, remote, state),
        peer=f"socket:[{peer}]" if peer else "",
        capacity=one.memory.receive_limit if one.memory is not None else 0,
        local=local,
        remote=remote,
    )


def _identify_inet(pid: int, fd: int, link: str, ino: int, protocol: str) -> ObjectInfo:
    kind: ObjectKind = "udp socket" if protocol.startswith("UDP") else "tcp socket"
    info = ObjectInfo(key=link, kind=kind, dev=_socket_device(), ino=ino)
    with borrow(pid, fd) as number:
        if number is not None:
            try:
                return _inet_facts(pid, number, info)
            except OSError:
                pass
    return info


def _inet_facts(pid: int, number: int, info: ObjectInfo) -> ObjectInfo:
    """What a borrowed TCP or UDP socket says of itself."""
    one = socket.socket(fileno=number)
    try:
        local = one.getsockname()[:2]
        capacity = one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        state = ""
        protocol = socket.IPPROTO_UDP
        if info.kind == "tcp socket":
            protocol = socket.IPPROTO_TCP
            facts = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
            state = sockets.STATES.get(facts[0], "")
        try:
            remote = one.getpeername()[:2]
        except OSError:
            remote = ("", 0)
        family = one.family
    finally:
        # The descriptor is borrowed: whoever borrowed it gives it back.
        one.detach()
    other = None
    if remote[1] and procfs.same_namespace(pid, "net"):
        # sock_diag knows our own namespace only, where the same addresses may be somebody else's.
        other = sockets.inet_socket(family, protocol, remote, local)
    elif remote[1]:
        other = sockets.other_end_of(pid, protocol, local, remote)
    here = sockets.show_end(local) if local[1] else ""
    there = sockets.show_end(remote) if remote[1] else ""
    return msgspec.structs.replace(
        info,
        detail=sockets.describe_socket(here, there, state),
        peer=f"socket:[{other.ino}]" if other is not None and other.ino else "",
        capacity=capacity,
        local=here,
        remote=there,
    )
