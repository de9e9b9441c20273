"""Datagrams that their receiver cut: how long they were is known from their sending."""

from __future__ import annotations

import pytest

from ipcviz.app.picture.graph import build_scene
from ipcviz.events import Call, Level, ObjectInfo, Sample
from ipcviz.model.mechanisms.datagrams import list_waiting
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate import narrate
from tests import picture_states as systems

DATAGRAM, PACKET = "datagram", "seqpacket connected"


def pair(detail: str = DATAGRAM, kind: str = "unix socket") -> systems.Maker:
    """A process that has both ends, 3 and 4, of two sockets."""
    m = systems.Maker()
    m.launch(10, "talk")
    for number, fd in ((5, 3), (6, 4)):
        key, peer = f"socket:[{number}]", f"socket:[{11 - number}]"
        m.open(10, fd, ObjectInfo(key=key, kind=kind, ino=number, peer=peer, detail=detail), "rw")
    return m


def send(m: systems.Maker, data: bytes, length: int = 0) -> None:
    args = {"fd": 3, "count": length or len(data)}
    m.add(
        Call,
        pid=10,
        tid=10,
        name="sendto",
        args=args,
        object="socket:[5]",
        ret=length or len(data),
        data=data,
    )


def receive(m: systems.Maker, ret: int, data: bytes = b"", name: str = "recvfrom", **args) -> str:
    m.add(
        Call,
        pid=10,
        tid=10,
        name=name,
        args={"fd": 4, **args},
        object="socket:[6]",
        ret=ret,
        data=data,
    )
    state = State()
    for event in m.events[:-1]:
        state = reduce(state, event)
    told = narrate(m.events[-1], state, reduce(state, m.events[-1]))
    assert told is not None
    return told.text.removeprefix("talk[10] ").replace(" from S2 (fd 4)", "")


@pytest.mark.parametrize("detail", [DATAGRAM, PACKET])
@pytest.mark.parametrize(
    ("ret", "name", "args", "said"),
    [
        (10, "recvfrom", {"count": 10}, "read 10 of 100 bytes; the rest of the datagram is lost"),
        (10, "read", {"count": 10}, "read 10 of 100 bytes; the rest of the datagram is lost"),
        (10, "readv", {"count": 2}, "read 10 of 100 bytes; the rest of the datagram is lost"),
        (10, "preadv2", {"count": 2}, "read 10 of 100 bytes; the rest of the datagram is lost"),
        (10, "recvmsg", {"cut": 1}, "read 10 of 100 bytes; the rest of the datagram is lost"),
        (
            100,
            "recvfrom",
            {"count": 10, "flags": "MSG_TRUNC"},
            "read 10 of 100 bytes; the rest of the datagram is lost",
        ),
        (
            10,
            "recvfrom",
            {"count": 10, "flags": "MSG_PEEK"},
            "peeked at 10 of 100 bytes; the datagram is longer",
        ),
        (100, "recvfrom", {"count": 100}, "read 100 bytes"),
        (100, "recvmsg", {}, "read 100 bytes"),
    ],
)
def test_a_datagram_that_was_cut(detail, ret, name, args, said):
    m = pair(detail)
    send(m, b"x" * 100)
    assert (
        receive(
            m, ret, b"x" * min(ret, args.get("count", ret) if "recv" in name else ret), name, **args
        )
        == said
    )


def test_each_is_received_once_and_a_peek_takes_none():
    m = pair()
    send(m, b"a" * 50)
    send(m, b"b" * 60)
    assert (
        receive(m, 5, b"aaaaa", count=5, flags="MSG_PEEK")
        == "peeked at 5 of 50 bytes; the datagram is longer"
    )
    assert (
        receive(m, 5, b"aaaaa", count=5) == "read 5 of 50 bytes; the rest of the datagram is lost"
    )
    assert (
        receive(m, 5, b"bbbbb", count=5) == "read 5 of 60 bytes; the rest of the datagram is lost"
    )
    assert receive(m, 5, b"ccccc", count=5) == "read 5 bytes"


def test_what_an_outsider_sent_is_not_taken_for_what_was_seen():
    m = pair()
    send(m, b"hello world")
    assert receive(m, 5, b"other", count=5) == "read 5 bytes"
    assert (
        receive(m, 5, b"hello", count=5) == "read 5 of 11 bytes; the rest of the datagram is lost"
    )


def test_of_udp_it_is_probable_unless_the_call_says_it():
    m = pair(kind="udp socket", detail="")
    send(m, b"hello world")
    assert receive(m, 5, b"hello", count=5).endswith("the rest of the datagram is probably lost")
    send(m, b"hello world")
    assert (
        receive(m, 5, b"hello", "recvmsg", cut=1)
        == "read 5 of 11 bytes; the rest of the datagram is lost"
    )
    assert receive(m, 5, b"hello", "recvmsg", cut=1).endswith(
        "; the rest of the datagram is lost, for want of room (MSG_TRUNC)"
    )


def list_lengths(m: systems.Maker, queued: int) -> list[int]:
    """The lengths of the datagrams that are known to wait, where the kernel says `queued`."""
    m.add(Sample, levels=(Level(object="socket:[6]", queued=queued),))
    state = m.state
    return [one.length for one in list_waiting(state, state.objects["socket:[6]"])]


@pytest.mark.parametrize(("detail", "queued"), [(DATAGRAM, 27), (PACKET, 30)])
def test_those_that_wait_are_listed_if_the_kernel_agrees(detail, queued):
    m = pair(detail)
    send(m, b"x" * 27)
    send(m, b"yes")
    assert list_lengths(m, queued) == [27, 3]
    assert list_lengths(m, 26) == [], "an outsider's is before them"
    assert list_lengths(m, 0) == [], "somebody has taken them unseen"
    receive(m, 10, b"x" * 10, count=10)
    assert list_lengths(m, 3) == [3]


def test_of_udp_none_is_listed_since_it_may_be_lost():
    m = pair(kind="udp socket", detail="")
    send(m, b"x" * 27)
    assert list_lengths(m, 27) == []


def test_a_mailbox_in_the_picture_shows_its_letters():
    m = systems.Maker()
    m.launch(10, "read")
    box = ObjectInfo(key="socket:[6]", kind="unix socket", path="/tmp/box", ino=6, detail=DATAGRAM)
    m.open(10, 4, box, "rw")
    m.fork(10, 11, "write")
    out = ObjectInfo(key="socket:[5]", kind="unix socket", ino=5, peer=box.key, detail=DATAGRAM)
    m.open(11, 3, out, "rw")
    for text in (b"Dear reader", b"no"):
        args = {"fd": 3, "count": len(text)}
        m.add(
            Call,
            pid=11,
            tid=11,
            name="sendto",
            args=args,
            object=out.key,
            ret=len(text),
            data=text,
        )
    m.add(Sample, levels=(Level(object=box.key, queued=11),))
    nodes = {node.id: node for node in build_scene(m.state).nodes}
    assert [line.text for line in nodes[f"o:{box.key}"].messages] == ["11 B Dear reader", "2 B no"]
