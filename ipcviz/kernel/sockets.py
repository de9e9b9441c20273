"""Sockets as the kernel lists them: sock_diag(7) over netlink, /proc/net as the fallback.

Only sockets of our own network namespace are listed; single ones are found in another one by a
netlink socket that is made there, if we may (CAP_SYS_ADMIN), and closed at once, so that the
namespace can end. Inode numbers are those of `socket:[INO]` and are the same in all namespaces. No
descriptor of the owner is touched, so nothing here can delay an end of file.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ipcviz.kernel import procfs

NETLINK_SOCK_DIAG: Final = 4  # linux/netlink.h
SOCK_DIAG_BY_FAMILY: Final = 20  # linux/sock_diag.h
_REQUEST: Final = 0x1
_DUMP: Final = 0x300
_DONE: Final = 3
_ERROR: Final = 2
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")

CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_libc: Final = ctypes.CDLL(None, use_errno=True)

# linux/unix_diag.h
_UNIX_REQUEST: Final = struct.Struct("=BBHIIIII")
_UNIX_MESSAGE: Final = struct.Struct("=BBBxIII")
_SHOW_NAME, _SHOW_PEER, _SHOW_ICONS, _SHOW_RQLEN, _SHOW_MEMINFO = 0x01, 0x04, 0x08, 0x10, 0x20
_UNIX_NAME, _UNIX_PEER, _UNIX_ICONS, _UNIX_RQLEN, _UNIX_MEMINFO, _UNIX_SHUTDOWN = 0, 2, 3, 4, 5, 6

# linux/inet_diag.h
_INET_REQUEST: Final = struct.Struct("=BBBBI")
_INET_MESSAGE: Final = struct.Struct("=BBBB")
_INET_ID: Final = struct.Struct("!HH16s16s")
_INET_TAIL: Final = struct.Struct("=IIIII")
_INET_SKMEMINFO: Final = 7
_NO_COOKIE: Final = 0xFFFFFFFF
_ALL: Final = 0xFFFFFFFF

# linux/net_tcp_states.h; UNIX sockets use the same numbers.
STATES: Final = {
    1: "established",
    2: "syn-sent",
    3: "syn-received",
    4: "fin-wait-1",
    5: "fin-wait-2",
    6: "time-wait",
    7: "closed",
    8: "close-wait",
    9: "last-ack",
    10: "listening",
    11: "closing",
    12: "syn-received",
}
TYPES: Final = {1: "stream", 2: "datagram", 3: "raw", 5: "seqpacket"}
ESTABLISHED: Final = 1
LISTENING: Final = 10
_OWNED: Final = 0xFFFFFFFF & ~(1 << 6 | 1 << 12)
"""Not those in time-wait, of which a busy server leaves thousands, nor half-open ones: no process
has either.
"""


class SocketMemory(NamedTuple):
    """A socket's memory in bytes, bookkeeping included (SK_MEMINFO_* of linux/sock_diag.h)."""

    received: int
    receive_limit: int
    sent: int
    send_limit: int


class UnixSocket(NamedTuple):
    """A UNIX domain socket.

    Attributes:
        ino: Its inode.
        type: SOCK_STREAM (1), SOCK_DGRAM (2) or SOCK_SEQPACKET (5).
        state: A key of `STATES`.
        path: The name that it is bound to; `@` stands for the NUL of an abstract one; empty if it
            has none.
        peer: Inode of the socket that it is connected to, 0 if none or not known (/proc/net does
            not say).
        receive_queue: Bytes waiting to be read from it; for a listening one, connections not yet
            accepted.
        send_queue: Memory of what it sent and nobody has read, bookkeeping included; for a
            listening one, the most connections that may wait. -1 if not known.
        memory: Its buffers; None if not known.
        shut: What was shut down of it, RCV_SHUTDOWN (1) and SEND_SHUTDOWN (2); both when its peer
            is gone.
        connecting: Inodes of the sockets whose connections a listening one has not accepted.
    """

    ino: int
    type: int
    state: int
    path: str = ""
    peer: int = 0
    receive_queue: int = -1
    send_queue: int = -1
    memory: SocketMemory | None = None
    shut: int = 0
    connecting: tuple[int, ...] = ()


class InetSocket(NamedTuple):
    """A TCP or UDP socket.

    Attributes:
        ino: Its inode, 0 if it has none left (time-wait) or is not accepted yet.
        protocol: IPPROTO_TCP (6) or IPPROTO_UDP (17).
        family: AF_INET or AF_INET6.
        local: (address, port).
        remote: (address, port); port 0 if it is not connected.
        state: A key of `STATES`.
        receive_queue: Bytes waiting to be read; for a listening one, connections not yet accepted.
        send_queue: Bytes sent and not yet acknowledged; for a listening one, the most connections
            that may wait.
        memory: Its buffers; None if not known.
    """

    ino: int
    protocol: int
    family: int
    local: tuple[str, int]
    remote: tuple[str, int]
    state: int
    receive_queue: int = 0
    send_queue: int = 0
    memory: SocketMemory | None = None


def _open_link(pid: int) -> socket.socket | None:
    """A netlink socket in the network namespace of a process, or in ours (0)."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    try:
        if not pid:
            return socket.socket(socket.AF_NETLINK, kind, NETLINK_SOCK_DIAG)
        with (
            open("/proc/thread-self/ns/net", "rb") as ours,
            open(f"/proc/{pid}/ns/net", "rb") as theirs,
        ):
            if _libc.setns(theirs.fileno(), CLONE_NEWNET) != 0:
                return None
            try:
                return socket.socket(socket.AF_NETLINK, kind, NETLINK_SOCK_DIAG)
            finally:
                _libc.setns(ours.fileno(), CLONE_NEWNET)
    except OSError:
        return None


def _send_request(body: bytes, dump: bool, pid: int = 0) -> list[bytes] | None:
    """Send one request; the bodies of the answers, or None if the kernel refuses it or does not
    know it.
    """
    link = _open_link(pid)
    if link is None:
        return None
    with link:
        # An answer comes at once or not at all; the limit is there so that a sample can never hang.
        link.settimeout(1.0)
        flags = _REQUEST | (_DUMP if dump else 0)
        found: list[bytes] = []
        try:
            link.sendto(
                _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, flags, 1, 0) + body,
                (0, 0),
            )
            while True:
                data = link.recv(1 << 16)
                offset = 0
                while offset + _HEADER.size <= len(data):
                    length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
                    if kind == _DONE:
                        return found
                    if kind == _ERROR or length < _HEADER.size:
                        return None
                    found.append(data[offset + _HEADER.size : offset + length])
                    offset += (length + 3) & ~3
                if not dump:
                    return found
        except OSError:
            return None


def _parse_attributes(body: bytes, offset: int) -> dict[int, bytes]:
    found = {}
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = body[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


def _parse_memory(raw: bytes | None) -> SocketMemory | None:
    return (
        SocketMemory(*struct.unpack_from("=IIII", raw))
        if raw is not None and len(raw) >= 16
        else None
    )


def unix_name(raw: bytes) -> str:
    """The name in a struct sockaddr_un: a path, or `@` and an abstract name; empty if it is
    none.
    """
    if raw.startswith(b"\0"):
        # An abstract name is as long as its caller said: NULs at its end make it another one.
        name = raw[1:].rstrip(b"\0")
        more = len(raw) - 1 - len(name)
        return f"@{procfs.decode_text(name)}" + (f"\\0×{more}" if more else "")
    return os.fsdecode(raw.partition(b"\0")[0])


def _unix_request(ino: int) -> bytes:
    show = _SHOW_NAME | _SHOW_PEER | _SHOW_ICONS | _SHOW_RQLEN | _SHOW_MEMINFO
    return _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, _ALL, ino, show, _NO_COOKIE, _NO_COOKIE)


def parse_unix(body: bytes) -> UnixSocket | None:
    """Decode a struct unix_diag_msg and its attributes."""
    if len(body) < _UNIX_MESSAGE.size:
        return None
    _, kind, state, ino, _, _ = _UNIX_MESSAGE.unpack_from(body)
    attributes = _parse_attributes(body, _UNIX_MESSAGE.size)
    queues = attributes.get(_UNIX_RQLEN, b"")
    received, sent = struct.unpack_from("=II", queues) if len(queues) >= 8 else (-1, -1)
    peer = attributes.get(_UNIX_PEER, b"")
    icons = attributes.get(_UNIX_ICONS, b"")
    return UnixSocket(
        ino=ino,
        type=kind,
        state=state,
        path=unix_name(attributes.get(_UNIX_NAME, b"")),
        peer=int.from_bytes(peer[:4], "little" if struct.pack("=H", 1)[0] else "big"),
        receive_queue=received,
        send_queue=sent,
        memory=_parse_memory(attributes.get(_UNIX_MEMINFO)),
        shut=int.from_bytes(attributes.get(_UNIX_SHUTDOWN, b""), "little"),
        connecting=struct.unpack(f"={len(icons) // 4}I", icons[: len(icons) // 4 * 4]),
    )


def unix_socket(ino: int, pid: int = 0) -> UnixSocket | None:
    """One UNIX socket by its inode; None if it is gone, in a namespace that we may not enter, or
    sock_diag is missing.

    It is looked for in our network namespace, then in that of process `pid`, if there is one given.
    """
    if not 0 < ino <= _ALL:
        return None
    for where in (0, pid) if pid and not procfs.same_namespace(pid, "net") else (0,):
        found = _send_request(_unix_request(ino), dump=False, pid=where)
        one = parse_unix(found[0]) if found else None
        if one is not None and one.ino == ino:
            return one
    return None


def unix_sockets() -> dict[int, UnixSocket]:
    """All UNIX sockets by inode."""
    found = _send_request(_unix_request(0), dump=True)
    if found is None:
        return parse_proc_unix(procfs.read_bytes("/proc/net/unix", whole=True) or b"")
    sockets = (parse_unix(body) for body in found)
    return {one.ino: one for one in sockets if one is not None}


def is_name_used(path: str) -> bool:
    """Whether a UNIX socket of our network namespace may be bound to a path.

    The kernel keeps a path as it was given to bind(2), so one that ends in the same name counts.
    """
    last = path.rpartition("/")[2]
    return any(one.path.rpartition("/")[2] == last for one in unix_sockets().values())


def parse_proc_unix(raw: bytes) -> dict[int, UnixSocket]:
    """Parse /proc/net/unix, which has neither peers nor queues."""
    found = {}
    for line in raw.split(b"\n")[1:]:
        words = line.split(None, 7)
        if len(words) < 7:
            continue
        ino, flags, state = int(words[6]), int(words[3], 16), int(words[5], 16)
        # SS_UNCONNECTED 1, SS_CONNECTING 2, SS_CONNECTED 3 (linux/net.h); __SO_ACCEPTCON marks a
        # listening one.
        known = LISTENING if flags & 0x10000 else {1: 7, 2: 2, 3: ESTABLISHED}.get(state, 7)
        path = os.fsdecode(words[7]) if len(words) > 7 else ""
        found[ino] = UnixSocket(ino=ino, type=int(words[4], 16), state=known, path=path)
    return found


def parse_inet(body: bytes, protocol: int) -> InetSocket | None:
    """Decode a struct inet_diag_msg and its attributes."""
    if len(body) < 72:
        return None
    family, state, _, _ = _INET_MESSAGE.unpack_from(body)
    sport, dport, source, target = _INET_ID.unpack_from(body, 4)
    _, received, sent, _, ino = _INET_TAIL.unpack_from(body, 52)
    width = 4 if family == socket.AF_INET else 16
    return InetSocket(
        ino=ino,
        protocol=protocol,
        family=family,
        local=(socket.inet_ntop(family, source[:width]), sport),
        remote=(socket.inet_ntop(family, target[:width]), dport),
        state=state,
        receive_queue=received,
        send_queue=sent,
        memory=_parse_memory(_parse_attributes(body, 72).get(_INET_SKMEMINFO)),
    )


def _inet_request(
    family: int, protocol: int, identity: bytes = bytes(48), states: int = _ALL
) -> bytes:
    return _INET_REQUEST.pack(family, protocol, 1 << (_INET_SKMEMINFO - 1), 0, states) + identity


def inet_socket(
    family: int, protocol: int, local: tuple[str, int], remote: tuple[str, int] = ("", 0)
) -> InetSocket | None:
    """The socket with these ends, looked up by the kernel's own hash and not by a listing; None if
    there is none.

    One that takes datagrams from anywhere counts as the one with this remote end, too.
    """
    if family == socket.AF_INET6 and "." in local[0]:
        family, local, remote = socket.AF_INET, unmap_address(local), unmap_address(remote)
    try:
        ends = [
            socket.inet_pton(family, address) if address else b"" for address, _ in (local, remote)
        ]
    except OSError:
        return None
    udp = protocol == socket.IPPROTO_UDP
    here, there = (local[1], ends[0]), (remote[1], ends[1])
    # TCP is asked from the socket's side, UDP from the side of a packet that comes to it
    # (udp_dump_one).
    for first, second in ((here, there), (there, here)) if udp else ((here, there),):
        identity = _INET_ID.pack(first[0], second[0], first[1], second[1])
        identity += struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
        found = _send_request(_inet_request(family, protocol, identity), dump=False)
        one = parse_inet(found[0], protocol) if found else None
        if one is None or one.local[1] != local[1]:
            continue
        if udp and not one.remote[1]:
            return one
        # For want of an exact match the kernel answers with a socket that listens there.
        if unmap_address(one.local) == unmap_address(local) and one.remote[1] == remote[1]:
            return one
    return None


def _all_inet(
    known: dict[tuple[int, bytes], InetSocket | None],
    seen: dict[tuple[int, bytes], InetSocket | None],
) -> Iterator[InetSocket]:
    """All TCP and UDP sockets, those not decoded again that are known; `seen` is filled with what
    was decoded.
    """
    for protocol, name in ((socket.IPPROTO_TCP, "tcp"), (socket.IPPROTO_UDP, "udp")):
        for family, suffix in ((socket.AF_INET, ""), (socket.AF_INET6, "6")):
            found = _send_request(_inet_request(family, protocol, states=_OWNED), dump=True)
            if found is None:
                raw = procfs.read_bytes(f"/proc/net/{name}{suffix}", whole=True) or b""
                yield from parse_proc_inet(raw, protocol, family)
            else:
                for body in found:
                    key = (protocol, body)
                    seen[key] = known[key] if key in known else parse_inet(body, protocol)
                yield from (one for body in found if (one := seen[protocol, body]) is not None)


def parse_proc_inet(raw: bytes, protocol: int, family: int) -> Iterator[InetSocket]:
    """Parse /proc/net/tcp, tcp6, udp or udp6."""
    for line in raw.splitlines()[1:]:
        words = line.split()
        if len(words) < 10:
            continue
        sent, _, received = words[4].partition(b":")
        yield InetSocket(
            ino=int(words[9]),
            protocol=protocol,
            family=family,
            local=_hex_end(words[1], family),
            remote=_hex_end(words[2], family),
            state=int(words[3], 16),
            receive_queue=int(received, 16),
            send_queue=int(sent, 16),
        )


def _hex_end(word: bytes, family: int) -> tuple[str, int]:
    address, _, port = word.partition(b":")
    # The kernel prints each 32-bit group of the address as one number in the machine's byte order.
    groups = [int(address[i : i + 8], 16) for i in range(0, len(address), 8)]
    return socket.inet_ntop(family, struct.pack(f"={len(groups)}I", *groups)), int(port, 16)


def other_end_of(
    pid: int, protocol: int, local: tuple[str, int], remote: tuple[str, int]
) -> InetSocket | None:
    """The same by the ends, in a process's own network namespace: /proc/PID/net lists that."""
    name = "udp" if protocol == socket.IPPROTO_UDP else "tcp"
    bound = None
    for family, suffix in ((socket.AF_INET, ""), (socket.AF_INET6, "6")):
        raw = procfs.read_bytes(f"/proc/{pid}/net/{name}{suffix}", whole=True) or b""
        for one in parse_proc_inet(raw, protocol, family):
            if one.local[1] != remote[1]:
                continue
            if unmap_address(one.local) == unmap_address(remote) and unmap_address(
                one.remote
            ) == unmap_address(local):
                return one
            if name == "udp" and not one.remote[1]:
                bound = one
    return bound


class Listing:
    """All sockets as sock_diag lists them at one moment, read when first asked for: no descriptor
    is borrowed.

    For looking at processes that run on meanwhile, and at many sockets at once. It knows our own
    network namespace.

    Args:
        before: An earlier one: what has not changed since is not decoded again.
    """

    def __init__(self, before: Listing | None = None) -> None:
        self._unix: dict[int, UnixSocket] | None = None
        self._inet: dict[int, InetSocket] | None = None
        self._ends: dict[tuple[int, tuple[str, int], tuple[str, int]], int] | None = None
        self._seen: dict[bytes, UnixSocket | None] = {}
        self._seen_inet: dict[tuple[int, bytes], InetSocket | None] = {}
        self._before = before
        if before is not None:
            before._before = None

    def find_unix(self, ino: int) -> UnixSocket | None:
        """A UNIX socket by its inode."""
        if self._unix is None:
            found = _send_request(_unix_request(0), dump=True)
            if found is None:
                self._unix = unix_sockets()
            else:
                known = self._before._seen if self._before is not None else {}
                self._seen = {
                    body: known[body] if body in known else parse_unix(body) for body in found
                }
                self._unix = {one.ino: one for one in self._seen.values() if one is not None}
        return self._unix.get(ino)

    def find_inet(self, ino: int) -> InetSocket | None:
        """A TCP or UDP socket by its inode."""
        if self._inet is None:
            known = self._before._seen_inet if self._before is not None else {}
            self._inet = {one.ino: one for one in _all_inet(known, self._seen_inet) if one.ino}
        return self._inet.get(ino)

    def all_unix(self) -> Iterable[UnixSocket]:
        """All UNIX sockets."""
        self.find_unix(0)
        return (self._unix or {}).values()

    def all_inet(self) -> Iterable[InetSocket]:
        """All TCP and UDP sockets that have an inode."""
        self.find_inet(0)
        return (self._inet or {}).values()

    def peer_of(self, one: InetSocket) -> int:
        """Inode of the socket at the other end of a connection; 0 if it is not on this machine."""
        if not one.remote[1]:
            return 0
        if self._ends is None:
            all_ = (self._inet or {}).values()
            self._ends = {
                (other.protocol, unmap_address(other.local), unmap_address(other.remote)): other.ino
                for other in all_
            }
        local, remote = unmap_address(one.local), unmap_address(one.remote)
        found = self._ends.get((one.protocol, remote, local), 0)
        if found or one.protocol != socket.IPPROTO_UDP:
            return found
        # Datagrams arrive at a socket that is bound there and need not be connected back.
        nowhere = (("0.0.0.0", 0), ("::", 0))
        at = (remote, ("0.0.0.0", remote[1]), ("::", remote[1]))
        return next(
            (ino for here in at for to in nowhere if (ino := self._ends.get((17, here, to), 0))), 0
        )


def describe_socket(local: str, remote: str, state: str) -> str:
    """A socket's ends and its state in a few words: `127.0.0.1:80 → 127.0.0.1:40000
    established`.
    """
    return f"{local}{' → ' if remote else ''}{remote} {state}".strip()


MAPPED: Final = "::ffff:"
"""How IPv4 addresses begin that an IPv6 socket has to do with (ipv6(7))."""


def unmap_address(end: tuple[str, int]) -> tuple[str, int]:
    """An address as its other end may know it: IPv4 where an IPv6 socket has it mapped."""
    return (end[0].removeprefix(MAPPED), end[1]) if "." in end[0] else end


def show_end(end: tuple[str, int]) -> str:
    """`127.0.0.1:80`, `[::1]:80`."""
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"
