"""Values that events carry about objects: modes, identities."""

from __future__ import annotations

from typing import Literal

import msgspec

from ipcviz.events.kinds import ObjectKind

Mode = Literal["r", "w", "rw", "path"]
"""How an open file description may be used: O_RDONLY, O_WRONLY, O_RDWR or O_PATH."""

How = Literal["launched", "fork", "vfork", "clone", "attached"]
"""What made a process known: it was launched by us, made by another one, or attached to."""


class Struct(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of all plain values in the stream: immutable, with defaults left out on the wire."""


class ObjectInfo(Struct, frozen=True):
    """What stands behind an open file description, as /proc/PID/fd and fstat(2) name it.

    Attributes:
        key: Identity within the session: `pipe:[INO]`, `socket:[INO]`, `DEV:INO` for what has a
            name in a file system, `anon:OFD` for anonymous inodes, which all share one inode.
        kind: What it is.
        path: The link's text for what has a name; empty otherwise.
        dev: Device number (st_dev).
        ino: Inode number (st_ino).
        detail: A short further fact: a socket's type and state, a device's name.
        peer: Key of the other end, for connected sockets whose peer is known. For one that takes
            datagrams it is where those go that are sent through it without an address: that one
            need not be connected back.
        capacity: Bytes that it can hold at most, where the kernel says so; 0 where not.
        local: Its own end, of a TCP or UDP socket that is bound: `127.0.0.1:80`, `[::1]:80`.
        remote: The other end, of one that is connected.
        with_whom: Who had the other end of a UNIX socket when it was connected or made
            (SO_PEERCRED), by name and pid; not who has it now.
    """

    key: str
    kind: ObjectKind
    path: str = ""
    dev: int = 0
    ino: int = 0
    detail: str = ""
    peer: str = ""
    capacity: int = 0
    local: str = ""
    remote: str = ""
    with_whom: str = ""
