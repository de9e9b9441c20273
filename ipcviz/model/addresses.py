"""Sockets' addresses and what follows from a socket's type. Pure."""

from __future__ import annotations

from typing import Final

from ipcviz.events import ObjectInfo
from ipcviz.events.kinds import BY_PATH, CONNECTIONLESS, KINDS, PEERED, SOCKETS

PREFIX: Final[dict[str, str]] = {
    kind.name: kind.protocol for kind in KINDS.values() if kind.protocol
}
"""What a name in `State.bound` begins with."""
_MAPPED: Final = "[::ffff:"
ANYWHERE: Final = ("0.0.0.0", "[::]")
"""Addresses that stand for all of this machine's."""


def unmap_address(end: str) -> str:
    """An address as its other end may know it: IPv4 where an IPv6 socket has it mapped."""
    if not end.startswith(_MAPPED):
        return end
    address, _, port = end[len(_MAPPED) :].partition("]")
    return address + port


def takes_datagrams(info: ObjectInfo) -> bool:
    """Whether messages can come to a socket from anyone, so that its peer need not know of it."""
    return info.kind in CONNECTIONLESS or (
        info.kind in PEERED and info.detail.startswith("datagram")
    )


def is_listening(info: ObjectInfo) -> bool:
    """Whether connections are accepted on a socket."""
    return info.kind in SOCKETS and info.detail.endswith("listening")


def name_of(info: ObjectInfo) -> str:
    """Under which name others reach a socket, as a key of `State.bound`; empty if they can't."""
    if info.kind in BY_PATH:
        reached = info.path and (
            is_listening(info) or takes_datagrams(info) or info.detail.endswith("unconnected")
        )
        return f"unix {info.path}" if reached else ""
    return (
        f"{PREFIX[info.kind]} {unmap_address(info.local)}" if info.local and not info.remote else ""
    )
