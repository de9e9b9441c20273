"""What every floor needs to know of a kind of object: one table, a row a kind.

Who asks "in which kinds do bytes stand in a line?" asks the table
(`where(lambda kind: kind.shape == "tube")`) and keeps no list of its own. What only one floor can
do with a kind (read its level from the kernel, draw it) are functions of that floor.

To add a kind, add its name to `ObjectKind`, and its row here. A test fails for what a row promises
and no floor does. `python -m docs.make_calls` writes the table as part of docs/calls.md. Pure data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

ObjectKind = Literal[
    "pipe", "fifo", "file", "directory", "terminal", "character device", "block device",
    "unix socket", "tcp socket", "udp socket", "socket", "message queue",
    "shared memory", "memfd", "anonymous memory",
    "eventfd", "epoll", "timerfd", "signalfd", "inotify", "pidfd", "anonymous inode", "unknown",
]  # fmt: skip
"""What can be behind a descriptor or a mapping."""

Drawn = Literal[
    "", "pipe", "fifo", "socket", "queue", "memory", "file", "terminal",
    "eventfd", "timerfd", "signalfd", "pidfd", "inotify", "epoll",
]  # fmt: skip
"""The node of the picture that objects are drawn as; empty if they are not."""

Shape = Literal["", "tube", "block", "end"]
"""How that node looks: a tube with a gauge, in which bytes or messages stand in a line; a block
with its words inside, which several touch and no bytes stand in a line in; the end of a flow.
"""

Trait = Literal[
    "level", "pipe", "address", "peered", "by path", "passes", "states", "connectionless",
    "messages", "sealed", "typed", "notifier", "list", "ticks", "counter", "tells",
    "overflows", "pooled", "reached", "met", "shared", "private", "sought", "lockable", "disk",
    "offset", "listed", "everywhere",
]  # fmt: skip

TRAITS: Final[dict[Trait, str]] = {
    "level": "The kernel says how much is in it, and it is sampled.",
    "pipe": "It is a pipe of the kernel, with a name or without one (pipe(7)).",
    "address": "Others reach it by an address that it is bound to (socket(7)).",
    "peered": "What is sent through it lies at its peer, an object of this machine (unix(7)).",
    "by path": "Its address is a name in the file system, or an abstract one (unix(7)).",
    "passes": "Descriptors can be sent through it (SCM_RIGHTS of unix(7)).",
    "states": "Its connection has states, which its level tells (tcp(7)).",
    "connectionless": (
        "Each datagram that is sent through it can be lost, and no sender waits for room at the"
        " other end (udp(7))."
    ),
    "messages": (
        "What lies in it are messages: it is measured in them (mq_overview(7), sysvipc(7))."
    ),
    "sealed": "It can be sealed: writes to it are refused from then on (memfd_create(2)).",
    "typed": "A person types into it. It was there before what uses it (tty(4)).",
    "notifier": "It only tells of events: /proc/PID/fdinfo says what it has.",
    "list": "It has a list of what it tells of.",
    "ticks": "What it has changes without a call about it.",
    "counter": "It is one number: a write adds to it, and a read waits while it is 0 (eventfd(2)).",
    "tells": "A read of it tells more than bytes.",
    "overflows": "It queues events for who reads it: some are lost if nobody does (inotify(7)).",
    "pooled": "All who use one put into the same, and take from it: it has no two ends.",
    "reached": "It has a name of its own by which others can still come to it.",
    "met": "Who opens it waits until somebody opens its other end (fifo(7)).",
    "shared": "Others see what is done to it.",
    "private": "What is done to it is no step: it is nobody else's, or too little is known of it.",
    "sought": "Somebody can have reason to look for it although one process alone has it.",
    "lockable": "Locks can be put on it (flock(2), fcntl(2)).",
    "disk": "It lies on a disk, which can be waited for.",
    "offset": "It keeps bytes in an order, and each open file description has a place in them.",
    "listed": "sock_diag(7) lists how much is in all of them at once.",
    "everywhere": "Many have it open, each for reasons of its own: /dev/null, a directory.",
}
"""What can be said of a kind in one word, and what it means."""


class KindOfObject(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table.

    Attributes:
        name: As `ObjectInfo.kind` has it.
        letter: What the short names of those begin with that have no name of their own: `P` for
            P1, P2, ...; empty for those that have one.
        noun: With its article, for sentences; empty if the short name says enough.
        drawn: The node that it is drawn as.
        shape: How that looks.
        protocol: What its addresses begin with in `State.bound`: `tcp 127.0.0.1:80`.
        traits: What else is so; see `TRAITS`.
    """

    name: ObjectKind
    letter: str = ""
    noun: str = ""
    drawn: Drawn = ""
    shape: Shape = ""
    protocol: str = ""
    traits: frozenset[Trait] = frozenset()


def _kind(
    name: ObjectKind,
    letter: str,
    noun: str,
    shape: Shape = "",
    drawn: Drawn = "",
    *traits: Trait,
    protocol: str = "",
) -> KindOfObject:
    return KindOfObject(
        name=name,
        letter=letter,
        noun=noun,
        shape=shape,
        drawn=drawn,
        protocol=protocol,
        traits=frozenset(traits),
    )


# fmt: off
_ROWS: Final = (
    # In which bytes or messages stand in a line.
    _kind("pipe", "P", "the pipe", "tube", "pipe", "level", "pipe", "pooled", "shared"),
    _kind("fifo", "", "the FIFO", "tube", "fifo", "level", "pipe", "pooled", "reached", "met",
        "shared", "lockable"),
    _kind("unix socket", "S", "the UNIX socket", "tube", "socket", "level", "address", "peered",
        "by path", "passes", "listed", "shared", protocol="unix"),
    _kind("tcp socket", "S", "the TCP socket", "tube", "socket", "level", "address", "states",
        "listed", "shared", protocol="tcp"),
    _kind("udp socket", "S", "the UDP socket", "tube", "socket", "level", "address",
        "connectionless", "shared", protocol="udp"),
    _kind("socket", "S", "", "tube", "socket", "shared"),
    _kind("message queue", "", "the message queue", "tube", "queue", "level", "messages", "pooled",
        "reached", "shared"),
    # Memory, and what has bytes for good.
    _kind("shared memory", "", "the shared memory", "block", "memory", "reached", "shared",
        "lockable", "offset"),
    _kind("memfd", "MF", "the memfd", "block", "memory", "sealed", "shared", "lockable", "offset"),
    _kind("anonymous memory", "A", "", "block", "memory"),
    _kind("file", "", "", "end", "file", "lockable", "disk", "offset"),
    _kind("block device", "", "", "", "", "private", "lockable", "disk", "offset"),
    _kind("directory", "", "the directory", "", "", "private", "lockable", "disk", "everywhere"),
    _kind("character device", "", "", "", "", "private", "lockable", "everywhere"),
    _kind("terminal", "", "the terminal", "end", "terminal", "typed", "shared"),
    # What only tells of events.
    _kind("eventfd", "E", "the eventfd", "block", "eventfd", "level", "notifier", "ticks",
        "counter", "pooled", "shared", "sought"),
    _kind("timerfd", "T", "the timer descriptor", "block", "timerfd", "notifier", "ticks",
        "sought"),
    _kind("signalfd", "SG", "the signal descriptor", "block", "signalfd", "notifier", "tells",
        "sought"),
    _kind("pidfd", "PD", "the pidfd", "block", "pidfd", "notifier"),
    _kind("inotify", "IN", "the inotify watch", "block", "inotify", "notifier", "list", "tells",
        "overflows"),
    _kind("epoll", "EP", "the epoll set", "block", "epoll", "notifier", "list"),
    # Of which no more is known.
    _kind("anonymous inode", "X", "", "", "", "private"),
    _kind("unknown", "U", "", "", "", "private"),
)
# fmt: on

KINDS: Final[dict[str, KindOfObject]] = {kind.name: kind for kind in _ROWS}
"""Every kind of object, by name."""


def where(test: Callable[[KindOfObject], bool]) -> frozenset[str]:
    """The names of the kinds of which something is true: to be asked once, at import."""
    return frozenset(kind.name for kind in _ROWS if test(kind))


def having(trait: Trait) -> frozenset[str]:
    """The names of the kinds that have a trait."""
    return frozenset(kind.name for kind in _ROWS if trait in kind.traits)


PIPES: Final = having("pipe")
"""Pipes and FIFOs."""

REACHED: Final = having("reached")
"""What others can come to by a name of its own."""

UNNAMED_PIPES: Final = PIPES - REACHED
"""Pipes that nobody comes to by a name: who has one open has inherited it, or was sent it."""

COUNTERS: Final = having("counter")
"""What is one number, which a read waits for while it is 0."""

SOCKETS: Final = having("address")
"""Sockets of the families that are known."""

NOTIFIERS: Final = having("notifier")
"""What only tells of events."""

BUFFERED: Final = where(lambda kind: kind.shape == "tube")
"""What bytes or messages wait in."""

MEMORY: Final = where(lambda kind: kind.drawn == "memory")
"""Memory that is no file's: full of zeros at first."""

KEPT: Final = MEMORY & REACHED
"""Memory with a name: its bytes stay when nobody has it mapped (shm_overview(7))."""

PEERED: Final = having("peered")
"""Sockets through which what is sent lies at their peers."""

BY_PATH: Final = having("by path")
"""Sockets whose addresses are names in the file system."""

WITH_STATES: Final = having("states")
"""Sockets with connections that have states."""

CONNECTIONLESS: Final = having("connectionless")
"""Sockets that send datagrams to whoever may be there."""

MESSAGES: Final = having("messages")
"""Queues that are measured in messages."""

MET: Final = having("met")
"""What is only open when both its ends are."""

SEALED: Final = having("sealed")
"""Memory that can be sealed."""

PASSES: Final = having("passes")
"""Sockets that descriptors can be sent through."""

OVERFLOWS: Final = having("overflows")
"""Queues of events of which some can be lost."""

TYPED: Final = having("typed")
"""What a person types into: terminals."""
