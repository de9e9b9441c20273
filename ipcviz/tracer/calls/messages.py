"""Addresses of sockets, and what travels with a message: descriptors and credentials (unix(7),
cmsg(3), ip(7)).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ipcviz.events.calls import COUNTS_MESSAGES, where
from ipcviz.kernel import memory, sockets
from ipcviz.tracer.calls.table import SO_ERROR, SO_PEERCRED

SOL_SOCKET: Final = 1
SCM_RIGHTS: Final = 1
SCM_CREDENTIALS: Final = 2
MSG_CTRUNC: Final = 0x8
MSG_TRUNC: Final = 0x20
_HEADER: Final = 56
"""Bytes of a struct msghdr on 64-bit machines; in an array (struct mmsghdr) a count and padding
follow.
"""
_SLOT: Final = 64
_SLOTS: Final = 64
"""Of so many messages of one sendmmsg or recvmmsg the headers are read."""
_CONTROL: Final = 4096
_FAMILIES: Final = {16: "netlink", 17: "packet", 40: "vsock"}
WITH_HEADERS: Final = where(
    lambda call: call.on == "socket" and call.descriptors in ("received", "sent")
)
"""Calls that send or receive by struct msghdr."""


def show_address(raw: bytes) -> str:
    """A socket address in words: a path, `@` and an abstract name, `127.0.0.1:80`, `[::1]:80`;
    empty if it is none.

    Args:
        raw: A struct sockaddr, as long as its caller says that it is: an abstract name is all of
            the rest.
    """
    if len(raw) < 2:
        return ""
    (family,) = struct.unpack_from("=H", raw)
    if family == socket.AF_UNIX:
        return sockets.unix_name(raw[2:])
    if family == socket.AF_INET and len(raw) >= 8:
        (port,) = struct.unpack_from("!H", raw, 2)
        return sockets.show_end((socket.inet_ntop(socket.AF_INET, raw[4:8]), port))
    if family == socket.AF_INET6 and len(raw) >= 24:
        (port,) = struct.unpack_from("!H", raw, 2)
        return sockets.show_end((socket.inet_ntop(socket.AF_INET6, raw[8:24]), port))
    return "nobody" if family == socket.AF_UNSPEC else _FAMILIES.get(family, f"family {family}")


def read_address(tid: int, address: int, length: int) -> str:
    """The socket address at a place of a thread's memory; empty if there is none."""
    length &= 0xFFFFFFFF
    raw = memory.read_bytes(tid, address, min(length, 128)) if address and length >= 2 else None
    return show_address(raw) if raw else ""


class MessageHeader(NamedTuple):
    """What a struct msghdr says beside its bytes.

    Attributes:
        address: Where it goes or came from; empty if it has none.
        descriptors: The numbers of the descriptors that travel with it: the sender's, or those that
            the receiver got.
        credentials: Who sent it, as (pid, uid, gid); None if that does not travel with it.
        truncated: There was not enough room for all that travelled with it (MSG_CTRUNC): the rest
            is lost.
        cut: It was longer than the room for it (MSG_TRUNC): the rest is lost.
        moved: Its bytes, in an array of messages.
    """

    address: str = ""
    descriptors: tuple[int, ...] = ()
    credentials: tuple[int, int, int] | None = None
    truncated: bool = False
    cut: bool = False
    moved: int = 0


def read_messages(
    tid: int, name: str, raw: tuple[int, ...], result: int
) -> Iterator[MessageHeader]:
    """The messages of a sendmsg, recvmsg, sendmmsg or recvmmsg that has returned."""
    if name not in COUNTS_MESSAGES:
        header = memory.read_bytes(tid, raw[1], _HEADER)
        if header is not None and len(header) == _HEADER:
            yield _read_message(tid, header, 0)
        return
    block = memory.read_bytes(tid, raw[1], _SLOT * min(result, _SLOTS)) or b""
    for start in range(0, len(block) // _SLOT * _SLOT, _SLOT):
        (moved,) = struct.unpack_from("=I", block, start + _HEADER)
        yield _read_message(tid, block[start : start + _HEADER], moved)


def _read_message(tid: int, header: bytes, moved: int) -> MessageHeader:
    name, length = struct.unpack_from("=QI", header)
    control, room, flags = struct.unpack_from("=QQi", header, 32)
    descriptors: list[int] = []
    credentials = None
    block = memory.read_bytes(tid, control, min(room, _CONTROL)) if control and room >= 16 else None
    offset = 0
    while block is not None and offset + 16 <= len(block):
        size, level, kind = struct.unpack_from("=Qii", block, offset)
        if size < 16:
            break
        body = block[offset + 16 : offset + size]
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            descriptors.extend(fd for (fd,) in struct.iter_unpack("=i", body[: len(body) // 4 * 4]))
        elif level == SOL_SOCKET and kind == SCM_CREDENTIALS and len(body) >= 12:
            credentials = struct.unpack_from("=iII", body)
        offset += (size + 7) & ~7
    address = read_address(tid, name, length) if name and length else ""
    lost = bool(flags & MSG_CTRUNC), bool(flags & MSG_TRUNC)
    return MessageHeader(address, tuple(descriptors), credentials, *lost, moved)


def describe_credentials(credentials: tuple[int, int, int]) -> str:
    """`pid 12, uid 0, gid 0`."""
    return "pid {}, uid {}, gid {}".format(*credentials)


def decode_option(tid: int, raw: tuple[int, ...]) -> dict[str, int | str]:
    """What getsockopt has told of a pending error (SO_ERROR) or of the other end's credentials
    (SO_PEERCRED).
    """
    option = raw[2] & 0xFFFFFFFF
    value = memory.read_bytes(tid, raw[3], 12 if option == SO_PEERCRED else 4) or b""
    if option == SO_PEERCRED and len(value) == 12:
        return {"credentials": describe_credentials(struct.unpack("=iII", value))}
    if option == SO_ERROR and len(value) == 4:
        number = int.from_bytes(value, "little")
        return {"told": errno.errorcode.get(number, f"errno {number}") if number else "none"}
    return {}


def facts_of(
    tid: int, name: str, raw: tuple[int, ...], messages: tuple[MessageHeader, ...] = ()
) -> dict[str, int | str]:
    """What to say of a returned call beside its arguments.

    Returns:
        `address` where it was sent, `source` where it came from, `credentials`, `truncated`, `cut`,
        and `bytes` of all of an array's messages; each only if there is such a thing.
    """
    found: dict[str, int | str] = {}
    if name == "recvfrom":
        length = memory.read_bytes(tid, raw[5], 4) if raw[4] and raw[5] else None
        source = read_address(tid, raw[4], int.from_bytes(length, "little")) if length else ""
        return {"source": source} if source else {}
    for message in messages:
        if message.address:
            found.setdefault("address" if name.startswith("send") else "source", message.address)
        if message.credentials is not None:
            found.setdefault("credentials", describe_credentials(message.credentials))
        if message.truncated:
            found["truncated"] = 1
        if message.cut and name.startswith("recv"):
            found["cut"] = 1
    if name in COUNTS_MESSAGES:
        found["bytes"] = sum(message.moved for message in messages)
    return found


def taken_from(under_way: list[tuple[int, str]], key: str) -> int:
    """The first open file description under way that may be behind a descriptor of this object; 0
    if none is.
    """
    for i, (number, other) in enumerate(under_way):
        if other == key or (key.startswith("anon:") and other.startswith("anon:")):
            del under_way[: i + 1]
            return number
    return 0
