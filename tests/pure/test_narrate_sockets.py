"""Calls on sockets in words: who connects to whom, what travels along, why one fails or ends."""

from __future__ import annotations

import pytest

from ipcviz.events import Call, Closed, Exited, Identified, ObjectInfo, Opened, Passed
from ipcviz.narrate import DETAIL, TURN
from tests import picture_states as systems
from tests.told import Row, check, did


def unix(number: int, **more) -> ObjectInfo:
    return ObjectInfo(
        key=f"socket:[{number}]", kind="unix socket", ino=number, **{"detail": "stream", **more}
    )


def inet(number: int, kind: str = "tcp socket", **more) -> ObjectInfo:
    return ObjectInfo(key=f"socket:[{number}]", kind=kind, ino=number, **more)


DOOR = unix(1, path="/run/door", detail="stream listening")
ABSTRACT = unix(2, path="@door", detail="stream listening")
LEFT, RIGHT = unix(3, peer="socket:[4]"), unix(4, peer="socket:[3]")
FRESH = unix(5, detail="stream unconnected")
BOX = unix(6, path="/run/box", detail="datagram")
WEB = inet(7, local="127.0.0.1:80", detail="listening")
CALLER = inet(8)
ASKER = inet(9, "udp socket")
NAMES = inet(10, "udp socket", local="127.0.0.1:53")
PACKETS = unix(11, detail="seqpacket", peer="socket:[99]")
ALL = (DOOR, ABSTRACT, LEFT, RIGHT, FRESH, BOX, WEB, CALLER, ASKER, NAMES, PACKETS)


def fd(info: ObjectInfo) -> dict[str, object]:
    return {"object": info.key, "fd": 10 + info.ino}


def system():
    """A server has them all behind the descriptors 11 to 21; a client has the left one as well."""
    m = systems.Maker()
    m.launch(13, "server")
    m.add(
        Call,
        pid=13,
        tid=13,
        name="socketpair",
        effects=tuple(
            Opened(fd=10 + info.ino, ofd=info.ino, object=info, mode="rw") for info in (LEFT, RIGHT)
        ),
    )
    for info in ALL:
        if info not in (LEFT, RIGHT):
            m.open(13, 10 + info.ino, info, "rw")
    m.fork(13, 12, "client")
    m.close(12, *(10 + info.ino for info in ALL if info not in (LEFT, FRESH, CALLER, ASKER)))
    return m.state


CONNECTED = [
    Row(
        did("connect", **fd(FRESH), address="/run/door"),
        "client[12] connected S5 (fd 15) to /run/door, S3 of server[13]",
        TURN,
    ),
    Row(
        did("connect", **fd(FRESH), address="/run/other"),
        "client[12] connected S5 (fd 15) to /run/other",
    ),
    Row(
        did("connect", **fd(CALLER), address="127.0.0.1:80"),
        "client[12] connected S8 (fd 18) to 127.0.0.1:80, S7 of server[13]",
        TURN,
    ),
    Row(
        did("connect", **fd(CALLER), address="10.0.0.1:80", error="EINPROGRESS"),
        "client[12] began to connect S8 (fd 18) to 10.0.0.1:80, and does not wait for the answer",
    ),
    Row(did("connect", **fd(ASKER), address="nobody"), "client[12] disconnected S9 (fd 19)"),
    Row(did("connect", address="/run/door"), "client[12] connected a socket to /run/door"),
    Row(
        did("connect", address="0x7ffe", error="EFAULT"),
        "client[12] could not connect a socket: EFAULT",
    ),
    Row(
        did("connect", Identified(unix(5, with_whom="init[1]")), **fd(FRESH), address="/run/init"),
        "client[12] connected S5 (fd 15) to /run/init, where init[1] listened",
    ),
    Row(
        did("listen", Identified(unix(5, path="/run/new")), **fd(FRESH), backlog=5),
        "client[12] listens on S5 (fd 15) at /run/new, backlog 5",
    ),
    Row(did("listen", **fd(CALLER), backlog=5), "client[12] listens on S8 (fd 18), backlog 5"),
    Row(
        did("bind", Identified(inet(8, local="0.0.0.0:4711")), **fd(CALLER), address="0.0.0.0:0"),
        "client[12] bound S8 (fd 18) to 0.0.0.0:4711 (chosen by the kernel)",
    ),
    Row(did("bind", **fd(FRESH), address="/run/new"), "client[12] bound S5 (fd 15) to /run/new"),
]


def refused(name: str, info: ObjectInfo, error: str, address: str = "", **more) -> object:
    return did(name, **fd(info), error=error, address=address, **more)


REFUSED = [
    Row(
        refused("connect", FRESH, "ECONNREFUSED", "/run/box"),
        "client[12] could not connect S5 (fd 15) to /run/box: ECONNREFUSED, S6 of"
        " server[13] is bound there and does not listen",
    ),
    Row(
        refused("connect", FRESH, "ECONNREFUSED", "/run/none"),
        "client[12] could not connect S5 (fd 15) to /run/none: ECONNREFUSED, no socket is"
        " behind that name any more (a stale one), or it does not listen",
    ),
    Row(
        (
            did("close", Closed(fd=11), by=13),
            refused("connect", FRESH, "ECONNREFUSED", "/run/door"),
        ),
        "client[12] could not connect S5 (fd 15) to /run/door: ECONNREFUSED, the name is"
        " left from S3, which is closed: a stale one",
    ),
    Row(
        refused("connect", CALLER, "ECONNREFUSED", "127.0.0.1:99"),
        "client[12] could not connect S8 (fd 18) to 127.0.0.1:99: ECONNREFUSED, nothing"
        " listens there",
    ),
    Row(
        refused("connect", FRESH, "EAGAIN", "/run/door"),
        "client[12] could not connect S5 (fd 15) to /run/door: EAGAIN, the backlog there"
        " is full, and its open file description does not block",
    ),
    Row(
        refused("connect", FRESH, "EACCES", "/run/door"),
        "client[12] could not connect S5 (fd 15) to /run/door: EACCES, writing to that"
        " name is not permitted",
    ),
    Row(
        refused("connect", FRESH, "ENOENT", "/run/none"),
        "client[12] could not connect S5 (fd 15) to /run/none: ENOENT, there is no such"
        " name: nobody has bound a socket to it yet, or it was removed",
    ),
    Row(
        refused("connect", CALLER, "ETIMEDOUT", "10.0.0.1:80"),
        "client[12] could not connect S8 (fd 18) to 10.0.0.1:80: ETIMEDOUT, no answer came",
    ),
    Row(
        refused("connect", CALLER, "EPERM", "10.0.0.1:80"),
        "client[12] could not connect S8 (fd 18) to 10.0.0.1:80: EPERM",
    ),
    Row(
        refused("listen", CALLER, "EADDRINUSE", backlog=1),
        "client[12] could not listen on S8 (fd 18): EADDRINUSE, another socket listens there",
    ),
    Row(
        refused("listen", ASKER, "EOPNOTSUPP", backlog=1),
        "client[12] could not listen on S9 (fd 19): EOPNOTSUPP, sockets of its type take"
        " no connections",
    ),
    Row(
        refused("listen", LEFT, "EINVAL", backlog=1),
        "client[12] could not listen on S1 (fd 13): EINVAL, it is connected already, or not bound",
    ),
    Row(
        refused("bind", FRESH, "EADDRINUSE", "/run/door"),
        "client[12] could not bind S5 (fd 15) to /run/door: EADDRINUSE, that name exists"
        " already: S3 of server[13] is bound there",
    ),
    Row(
        refused("bind", FRESH, "EADDRINUSE", "/run/stale"),
        "client[12] could not bind S5 (fd 15) to /run/stale: EADDRINUSE, that name exists"
        " already: it stays until it is unlinked",
    ),
    Row(
        refused("bind", FRESH, "EADDRINUSE", "@none"),
        "client[12] could not bind S5 (fd 15) to @none: EADDRINUSE, another socket is bound there",
    ),
    Row(
        refused("bind", CALLER, "EADDRINUSE", "127.0.0.1:80"),
        "client[12] could not bind S8 (fd 18) to 127.0.0.1:80: EADDRINUSE, S7 of"
        " server[13] is bound there",
    ),
    Row(
        refused("bind", CALLER, "EADDRINUSE", "127.0.0.1:81"),
        "client[12] could not bind S8 (fd 18) to 127.0.0.1:81: EADDRINUSE, another socket"
        " is bound there, or a connection from it is still in time-wait (SO_REUSEADDR)",
    ),
    Row(
        refused("bind", ASKER, "EADDRINUSE", "127.0.0.1:81"),
        "client[12] could not bind S9 (fd 19) to 127.0.0.1:81: EADDRINUSE, another socket"
        " is bound there",
    ),
    Row(
        refused("bind", CALLER, "EACCES", "0.0.0.0:1023"),
        "client[12] could not bind S8 (fd 18) to 0.0.0.0:1023: EACCES, ports below 1,024"
        " are for the privileged",
    ),
    Row(
        refused("bind", CALLER, "EACCES", "0.0.0.0:1024"),
        "client[12] could not bind S8 (fd 18) to 0.0.0.0:1024: EACCES, that address is"
        " not permitted",
    ),
    Row(
        refused("bind", FRESH, "EACCES", "/root/x"),
        "client[12] could not bind S5 (fd 15) to /root/x: EACCES, making that name is not"
        " permitted",
    ),
    Row(
        refused("bind", FRESH, "ENOENT", "/no/x"),
        "client[12] could not bind S5 (fd 15) to /no/x: ENOENT, there is no such directory",
    ),
    Row(
        refused("bind", FRESH, "ENOTDIR", "/no/x"),
        "client[12] could not bind S5 (fd 15) to /no/x: ENOTDIR",
    ),
]

NEW = unix(30, path="/run/door", peer="socket:[5]")


def accepted(info: ObjectInfo, door: ObjectInfo = DOOR):
    return did("accept4", Opened(fd=40, ofd=990, object=info, mode="rw"), **fd(door), ret=40, by=13)


ACCEPTED = [
    Row(
        accepted(NEW),
        "server[13] accepted a connection on S3 (fd 11) from S5 of server[13] and 1 more:"
        " S12 is descriptor 40",
        TURN,
    ),
    Row(
        accepted(unix(30, path="/run/door", with_whom="init[1]")),
        "server[13] accepted a connection on S3 (fd 11) from init[1]: S12 is descriptor 40",
        TURN,
    ),
    Row(
        accepted(inet(30, local="127.0.0.1:80", remote="10.0.0.1:5000"), WEB),
        "server[13] accepted a connection on S7 (fd 17) from 10.0.0.1:5000: S12 is descriptor 40",
        TURN,
    ),
    Row(
        accepted(unix(30, path="/run/door")),
        "server[13] accepted a connection on S3 (fd 11): S12 is descriptor 40",
        TURN,
    ),
    Row(
        did("accept", **fd(DOOR), by=13, error="EAGAIN"),
        "server[13] got EAGAIN from accept on S3 (fd 11): no connection waits, and its"
        " open file description does not block",
        DETAIL,
    ),
    Row(
        did("accept", **fd(DOOR), by=13, error="EMFILE"),
        "server[13] got EMFILE from accept on S3 (fd 11): its descriptor table is full",
        DETAIL,
    ),
    Row(
        did("accept", **fd(DOOR), by=13, error="EPERM"),
        "server[13] got EPERM from accept on S3 (fd 11)",
        DETAIL,
    ),
    Row(did("accept", **fd(DOOR), by=13, ret=5), ""),
]

SHUT = [
    Row(
        did("shutdown", **fd(LEFT), how="SHUT_WR"),
        "client[12] shut S1 (fd 13) down for writing: after what waits in S2 of"
        " server[13] comes the end of file",
        TURN,
    ),
    Row(
        did("shutdown", **fd(LEFT), how="SHUT_RD"),
        "client[12] shut S1 (fd 13) down for reading",
        TURN,
    ),
    Row(
        did("shutdown", **fd(LEFT), how="SHUT_RDWR"),
        "client[12] shut S1 (fd 13) down in both directions: after what waits in S2 of"
        " server[13] comes the end of file",
        TURN,
    ),
    Row(
        did("shutdown", **fd(PACKETS), how="SHUT_WR", by=13),
        "server[13] shut S11 (fd 21) down for writing",
        TURN,
    ),
    Row(
        did("shutdown", **fd(LEFT), how="SHUT_WR", error="ENOTCONN"),
        "client[12] could not shut S1 (fd 13) down: ENOTCONN, it is not connected",
    ),
    Row(
        did("shutdown", **fd(LEFT), how="SHUT_WR", error="EINVAL"),
        "client[12] could not shut S1 (fd 13) down: EINVAL",
    ),
]


def read(info: ObjectInfo, name: str = "recvfrom", **more):
    return did(name, **fd(info), **more)


ENDS = [
    Row(
        read(LEFT, count=0), "client[12] read 0 bytes from S1 (fd 13): it asked for no more", DETAIL
    ),
    Row(
        read(LEFT, count=8),
        "client[12] read end of file from S1 (fd 13): its other end is closed, or was"
        " shut down for writing",
        TURN,
    ),
    Row(
        (did("shutdown", **fd(LEFT), how="SHUT_RD"), read(LEFT)),
        "client[12] read end of file from S1 (fd 13): it was shut down for reading",
        TURN,
    ),
    Row(
        (did("shutdown", **fd(RIGHT), how="SHUT_WR", by=13), read(LEFT)),
        "client[12] read end of file from S1 (fd 13): its other end, S2, was shut down for writing",
        TURN,
    ),
    Row(
        (did("close", Closed(fd=14), by=13), read(LEFT)),
        "client[12] read end of file from S1 (fd 13): its other end, S2, is closed",
        TURN,
    ),
    Row(
        read(PACKETS, by=13),
        "server[13] read end of file, or an empty message, from S11 (fd 21): its other"
        " end is closed, or was shut down for writing",
        TURN,
    ),
    Row(read(BOX, by=13), "server[13] read an empty datagram from S6 (fd 16)"),
    Row(
        did("close", Closed(fd=11), by=13),
        "server[13] closed descriptor 11 (S3): nobody listens on it any more, and the"
        " name /run/door stays",
        TURN,
    ),
    Row(
        did("close", Closed(fd=12), by=13),
        "server[13] closed descriptor 12 (S4): nobody listens on it any more",
        TURN,
    ),
    Row(
        did("close", Closed(fd=14), by=13),
        "server[13] closed descriptor 14 (S2): after what waits in S1 of server[13] and 1"
        " more comes the end of file",
        TURN,
    ),
    Row(
        (
            did("write", **fd(LEFT), ret=5, count=5),
            did("close", Closed(fd=14), by=13),
        ),
        "server[13] closed descriptor 14 (S2): 5 bytes in it were not read, so S1 of"
        " server[13] and 1 more gets ECONNRESET",
        TURN,
    ),
    Row(
        (
            did("write", **fd(LEFT), ret=1, count=1),
            did("close", Closed(fd=14), by=13),
        ),
        "server[13] closed descriptor 14 (S2): 1 byte in it was not read, so S1 of"
        " server[13] and 1 more gets ECONNRESET",
        TURN,
    ),
    Row(
        (did("shutdown", **fd(RIGHT), how="SHUT_WR", by=13), did("close", Closed(fd=14), by=13)),
        "server[13] closed descriptor 14 (S2)",
    ),
    Row(did("close", Closed(fd=16), by=13), "server[13] closed descriptor 16 (S6)"),
    Row(
        Exited(t=9.0, pid=13),
        "server[13] exited with status 0: S3 is closed: nobody listens on it any more,"
        " and the name /run/door stays; S4 is closed: nobody listens on it any more; S2"
        " is closed: after what waits in S1 of client[12] comes the end of file; S7 is"
        " closed: nobody listens on it any more",
        TURN,
    ),
]

ERRORS = [
    Row(
        read(LEFT, error="EAGAIN"),
        "client[12] got EAGAIN from recvfrom (fd 13) on S1: it is empty, and its open"
        " file description does not block",
    ),
    Row(
        read(LEFT, error="EAGAIN", flags="MSG_DONTWAIT"),
        "client[12] got EAGAIN from recvfrom (fd 13) on S1: it is empty, and the call"
        " does not wait (MSG_DONTWAIT)",
    ),
    Row(
        read(LEFT, "sendto", error="EAGAIN"),
        "client[12] got EAGAIN from sendto (fd 13) on S1: there is no room, and its open"
        " file description does not block",
    ),
    Row(
        (did("shutdown", **fd(LEFT), how="SHUT_WR"), read(LEFT, "sendto", error="EPIPE")),
        "client[12] got EPIPE from sendto (fd 13) on S1: it was shut down for writing",
    ),
    Row(
        read(LEFT, "sendto", error="EPIPE"),
        "client[12] got EPIPE from sendto (fd 13) on S1: its other end is closed, or reads no more",
    ),
    Row(
        read(FRESH, "sendto", error="EPIPE"),
        "client[12] got EPIPE from sendto (fd 15) on S5: it has no other end",
    ),
    Row(
        read(LEFT, error="ECONNRESET"),
        "client[12] got ECONNRESET from recvfrom (fd 13) on S1: its other end was closed"
        " with bytes unread, or was reset",
    ),
    Row(
        read(BOX, "sendto", error="ECONNRESET", by=13),
        "server[13] got ECONNRESET from sendto (fd 16) on S6: its receiver is closed",
    ),
    Row(
        read(ASKER, error="ECONNREFUSED"),
        "client[12] got ECONNREFUSED from recvfrom (fd 19) on S9: nothing takes what was"
        " sent to that port",
    ),
    Row(
        read(BOX, "sendto", error="ECONNREFUSED", by=13),
        "server[13] got ECONNREFUSED from sendto (fd 16) on S6: no socket is behind that"
        " name any more (a stale one)",
    ),
    Row(
        read(FRESH, "sendto", error="ENOTCONN"),
        "client[12] got ENOTCONN from sendto (fd 15) on S5: it is not connected",
    ),
    Row(
        read(BOX, "sendto", error="EMSGSIZE", by=13),
        "server[13] got EMSGSIZE from sendto (fd 16) on S6: that is too large for one message",
    ),
    Row(read(LEFT, error="EINVAL", count=0), "client[12] got EINVAL from recvfrom (fd 13) on S1"),
]

TRAVELS = [
    Row(
        read(ASKER, "sendto", ret=5, count=5, address="127.0.0.1:53"),
        "client[12] wrote 5 bytes to S9 (fd 19), sent to 127.0.0.1:53 (S10 of server[13])",
    ),
    Row(
        read(ASKER, "sendto", ret=5, count=9, address="10.0.0.1:53"),
        "client[12] wrote 5 bytes to S9 (fd 19), of 9 that it had, sent to 10.0.0.1:53",
    ),
    Row(
        read(ASKER, ret=5, count=9, source="10.0.0.1:53"),
        "client[12] read 5 bytes from S9 (fd 19), sent from 10.0.0.1:53",
        TURN,
    ),
    Row(
        read(LEFT, "sendmsg", ret=1, credentials="pid 12, uid 0, gid 0"),
        "client[12] wrote 1 byte to S1 (fd 13), with credentials: pid 12, uid 0, gid 0",
    ),
    Row(
        did("sendmsg", Passed((13,)), **fd(LEFT), ret=1),
        "client[12] wrote 1 byte to S1 (fd 13), with descriptor 13 (S1)",
        TURN,
    ),
    Row(
        did("sendmsg", Passed((13, 15, 77, 18, 19)), **fd(LEFT), ret=1),
        "client[12] wrote 1 byte to S1 (fd 13), with descriptors 13 (S1), 15 (S5), 77, 18"
        " (S8) and 1 more",
        TURN,
    ),
    Row(
        did("recvmsg", Opened(fd=50, ofd=991, object=systems.pipe(8), mode="r"), **fd(LEFT), ret=1),
        "client[12] read 1 byte from S1 (fd 13), and received descriptor 50 (P1)",
        TURN,
    ),
    Row(
        read(LEFT, "recvmsg", ret=1, truncated=1),
        "client[12] read 1 byte from S1 (fd 13); what else came with it is lost for want"
        " of room (MSG_CTRUNC)",
        TURN,
    ),
    Row(
        read(LEFT, "recvmmsg", ret=2, bytes=30, cut=1),
        "client[12] read 2 messages, 30 bytes, from S1 (fd 13); the rest of a message is"
        " lost for want of room (MSG_TRUNC)",
        TURN,
    ),
    Row(
        read(LEFT, "recvmmsg", ret=1, bytes=1), "client[12] read 1 message, 1 byte, from S1 (fd 13)"
    ),
    Row(
        read(LEFT, "sendmmsg", ret=2, bytes="?"),
        "client[12] wrote 2 messages, 0 bytes, to S1 (fd 13)",
    ),
    Row(
        read(LEFT, "sendmmsg", error="EAGAIN"),
        "client[12] got EAGAIN from sendmmsg on S1 (fd 13): there is no room, and its"
        " open file description does not block",
        DETAIL,
    ),
    Row(
        read(LEFT, "recvmmsg", error="EINTR"),
        "client[12] got EINTR from recvmmsg on S1 (fd 13)",
        DETAIL,
    ),
    Row(read(LEFT, ret=3, flags="MSG_PEEK"), "client[12] peeked at 3 bytes from S1 (fd 13)"),
    Row(read(LEFT, ret=1, flags="MSG_OOB"), "client[12] read 1 byte out of band from S1 (fd 13)"),
    Row(
        read(LEFT, "sendto", ret=1, flags="MSG_OOB"),
        "client[12] wrote 1 byte out of band to S1 (fd 13)",
    ),
    Row(
        read(BOX, "recvmsg", ret=5, cut=1, by=13),
        "server[13] read 5 bytes from S6 (fd 16); the rest of the datagram is lost, for"
        " want of room (MSG_TRUNC)",
        TURN,
    ),
    Row(
        read(BOX, ret=9, count=5, flags="MSG_TRUNC", by=13),
        "server[13] read 5 of 9 bytes from S6 (fd 16); the rest of the datagram is lost",
        TURN,
    ),
    Row(
        read(BOX, ret=9, count=5, flags="MSG_TRUNC|MSG_PEEK", by=13),
        "server[13] peeked at 5 of 9 bytes from S6 (fd 16); the datagram is longer",
        TURN,
    ),
]

OPTIONS = [
    Row(
        did("getsockopt", **fd(LEFT), told="ECONNREFUSED"),
        "client[12] asked S1 (fd 13) for an error: ECONNREFUSED, nothing listens there",
    ),
    Row(
        did("getsockopt", **fd(LEFT), told="ETIMEDOUT"),
        "client[12] asked S1 (fd 13) for an error: ETIMEDOUT, no answer came",
    ),
    Row(
        did("getsockopt", **fd(LEFT), told="EPERM"),
        "client[12] asked S1 (fd 13) for an error: EPERM",
    ),
    Row(
        did("getsockopt", **fd(LEFT), told="none"),
        "client[12] asked S1 (fd 13) for an error: none",
        DETAIL,
    ),
    Row(
        (
            did("connect", Identified(inet(8, detail="established")), **fd(CALLER)),
            did("getsockopt", **fd(CALLER), told="none"),
        ),
        "client[12] asked S8 (fd 18) for an error: none (it is connected)",
        DETAIL,
    ),
    Row(
        did("getsockopt", **fd(LEFT), credentials="server[13], uid 0"),
        "client[12] asked S1 (fd 13) who had its other end when it was made or connected:"
        " server[13], uid 0",
    ),
    Row(did("getsockopt", **fd(LEFT), option="SO_RCVBUF"), ""),
    Row(
        did("socket", Opened(fd=60, ofd=992, object=unix(60), mode="rw"), ret=60),
        "client[12] made the UNIX socket S12: descriptor 60",
    ),
    Row(
        did(
            "socketpair",
            Opened(fd=60, ofd=992, object=unix(60, peer="socket:[61]"), mode="rw"),
            Opened(fd=61, ofd=993, object=unix(61, peer="socket:[60]"), mode="rw"),
        ),
        "client[12] made the socket pair S12 and S13: descriptors 60 and 61",
        TURN,
    ),
]

TABLES = [
    (table, system)
    for table in (CONNECTED, REFUSED, ACCEPTED, SHUT, ENDS, ERRORS, TRAVELS, OPTIONS)
]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)
