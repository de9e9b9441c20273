"""Sockets: addresses, who waits for whom, descriptors under way, and what the log says of them."""

from __future__ import annotations

import struct

import msgspec
import pytest

from ipcviz.app.picture import graph
from ipcviz.events import (
    Call,
    Closed,
    Forked,
    Identified,
    Level,
    NameRemoved,
    ObjectInfo,
    Opened,
    Passed,
    Sample,
    Started,
    Waiting,
)
from ipcviz.kernel import sockets as kernel_sockets
from ipcviz.model import query
from ipcviz.model.mechanisms.sockets import CLOSED, describe_closing, others_of, under_way
from ipcviz.model.reduce import reduce
from ipcviz.model.state import Object, State
from ipcviz.model.waits.circles import find_circle
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate import TURN, narrate
from ipcviz.narrate.waits import describe_reason
from ipcviz.tracer.calls.messages import show_address

replace = msgspec.structs.replace

SERVER, CLIENT = 11, 12


class Story:
    """A server and a client, and what is told of what they do."""

    def __init__(self) -> None:
        self.state = State()
        self.n = 0
        self.said: list[str] = []
        self.weights: list[int] = []
        for pid, name in ((SERVER, "server"), (CLIENT, "client")):
            how = "launched" if pid == SERVER else "fork"
            self.take(
                Forked(
                    t=0.0,
                    pid=pid,
                    parent=SERVER if pid == CLIENT else 1,
                    how=how,
                    name=name,
                    argv=(name,),
                )
            )

    def take(self, event):
        self.n += 1
        event = type(event)(
            **{**{f: getattr(event, f) for f in event.__struct_fields__}, "n": self.n}
        )
        before, self.state = self.state, reduce(self.state, event)
        told = narrate(event, before, self.state)
        if told is not None:
            self.said.append(told.text)
            self.weights.append(told.weight)
        return self.said[-1] if told is not None else ""

    def call(self, pid, name, key="", ret=0, error="", effects=(), **args):
        call = Call(
            t=self.n / 10,
            pid=pid,
            tid=pid,
            name=name,
            args=args,
            ret=ret,
            error=error,
            object=key,
            effects=effects,
        )
        return self.take(call)

    def open(self, pid, fd, info, ofd=0, name="socket", mode="rw"):
        opened = Opened(fd=fd, ofd=ofd or 1000 * pid + fd, object=info, mode=mode)
        return self.call(pid, name, ret=fd, effects=(opened,))

    def level(self, *levels):
        self.take(Sample(t=self.n / 10, levels=levels))

    def wait(self, pid, call, key, **args):
        self.take(
            Waiting(
                t=self.n / 10, pid=pid, tid=pid, call=call, began=self.n / 10, args=args, object=key
            )
        )
        found = wait_of(self.state, pid, query.list_holders(self.state))
        assert found is not None
        return describe_reason(self.state, found), found.waker_pids


def unix(ino, detail="stream unconnected", path="", peer=0):
    return ObjectInfo(
        key=f"socket:[{ino}]",
        kind="unix socket",
        ino=ino,
        detail=detail,
        path=path,
        peer=f"socket:[{peer}]" if peer else "",
    )


def inet(ino, kind="tcp socket", local="", remote="", state="", peer=0):
    return ObjectInfo(
        key=f"socket:[{ino}]",
        kind=kind,
        ino=ino,
        detail=kernel_sockets.describe_socket(local, remote, state),
        local=local,
        remote=remote,
        peer=f"socket:[{peer}]" if peer else "",
    )


def connected_pair() -> Story:
    story = Story()
    story.open(SERVER, 3, unix(1, "stream established", peer=2))
    story.open(CLIENT, 4, unix(2, "stream established", peer=1))
    return story


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (struct.pack("=H", 1) + b"/run/x\0" + bytes(100), "/run/x"),
        (struct.pack("=H", 1) + b"\0name", "@name"),
        (struct.pack("=H", 1) + b"\0odd\0\xff\n", "@odd\0\udcff\n"),
        (struct.pack("=H", 1) + b"\0name" + bytes(103), "@name\\0×103"),
        (struct.pack("=H", 1), ""),
        (struct.pack("=HH4s8x", 2, 0x5000, bytes([127, 0, 0, 1])), "127.0.0.1:80"),
        (struct.pack("=HHI16sI", 10, 0x5000, 0, bytes(15) + b"\1", 0), "[::1]:80"),
        (struct.pack("=HH4s8x", 0, 0, bytes(4)), "nobody"),
        (struct.pack("=H12x", 16), "netlink"),
        (struct.pack("=HH", 2, 0), "family 2"),
        (b"\1", ""),
    ],
)
def test_addresses(raw, words):
    assert show_address(raw) == words


def test_a_padded_abstract_name_is_another_one():
    short, long = (kernel_sockets.unix_name(b"\0name" + bytes(n)) for n in (0, 1))
    assert short != long


def test_who_sends_datagrams_is_not_who_they_are_sent_to():
    story = Story()
    story.open(SERVER, 3, unix(1, "datagram unconnected", path="box"))
    for fd in (4, 5):
        story.open(CLIENT, fd, unix(fd, "datagram unconnected"))
        known = unix(fd, "datagram established", peer=1)
        said = story.call(
            CLIENT, "connect", known.key, fd=fd, address="box", effects=(Identified(object=known),)
        )
        assert said.endswith("to box, S1 of server[11]")
    assert story.state.objects["socket:[1]"].info.peer == ""
    reason, enders = story.wait(CLIENT, "sendto", "socket:[5]", fd=5)
    assert (reason, enders) == ("full: datagrams wait to be read from S1", (SERVER,))
    assert [t.tid for t in query.blocked_writers(story.state, "socket:[1]")] == [CLIENT]


def test_datagrams_can_be_sent_to_an_address():
    story = Story()
    story.open(SERVER, 3, inet(1, "udp socket", local="0.0.0.0:53"))
    story.open(CLIENT, 4, inet(2, "udp socket"))
    said = story.call(CLIENT, "sendto", "socket:[2]", ret=3, fd=4, address="127.0.0.1:53")
    assert said == "client[12] wrote 3 bytes to S2 (fd 4), sent to 127.0.0.1:53 (S1 of server[11])"
    said = story.call(
        SERVER, "recvfrom", "socket:[1]", ret=0, fd=3, count=512, source="127.0.0.1:40000"
    )
    assert said == "server[11] read an empty datagram from S1 (fd 3)"
    assert story.wait(CLIENT, "sendto", "socket:[2]", fd=4, address="127.0.0.1:53")[1] == (SERVER,)


def test_a_reader_and_a_writer_wait_for_the_other_end():
    story = connected_pair()
    assert story.wait(SERVER, "read", "socket:[1]", fd=3) == ("empty", (CLIENT,))
    story.level(Level(object="socket:[1]", queued=83000, capacity=212992, writable=False))
    reason, enders = story.wait(CLIENT, "write", "socket:[2]", fd=4)
    assert (reason, enders) == ("full: 83,000 B wait to be read from S1", (SERVER,))
    assert query.blocked_writers(story.state, "socket:[1]")
    assert not query.blocked_writers(story.state, "socket:[2]"), "it is the other end that is full"


def test_who_both_wait_to_read_wait_for_each_other():
    story = connected_pair()
    story.wait(SERVER, "read", "socket:[1]", fd=3)
    assert "wait for each other" not in story.said[-1]
    story.wait(CLIENT, "recvfrom", "socket:[2]", fd=4)
    assert story.said[-1].endswith("it is empty; client[12] and server[11] wait for each other")
    story.call(CLIENT, "write", "socket:[2]", ret=5, fd=4)
    story.wait(CLIENT, "recvfrom", "socket:[2]", fd=4)
    assert "wait for each other" not in story.said[-1], (
        "the server has something to read, and is about to be woken"
    )


def test_a_descriptor_under_way_may_come_to_anybody():
    story = passing()
    story.wait(CLIENT, "read", PIPE.key, fd=8)
    assert not find_circle(story.state, CLIENT)


def test_tcp_bytes_wait_at_both_ends():
    story = Story()
    here, there = "127.0.0.1:80", "127.0.0.1:4000"
    story.open(
        SERVER,
        3,
        inet(1, local=f"[::ffff:{here[:9]}]:80", remote=f"[::ffff:{there[:9]}]:4000", peer=2),
    )
    story.open(CLIENT, 4, inet(2, local=there, remote=here, peer=1))
    story.level(
        Level(object="socket:[1]", queued=100, capacity=131072, state="close-wait"),
        Level(
            object="socket:[2]",
            queued=0,
            capacity=131072,
            unsent=2000,
            unsent_limit=4000,
            state="fin-wait-2",
        ),
    )
    reason, enders = story.wait(CLIENT, "write", "socket:[2]", fd=4)
    assert reason == "full: 2,000 B are not acknowledged, 100 B wait to be read from S1"
    assert enders == (SERVER,)
    assert story.state.objects["socket:[2]"].info.detail == f"{there} → {here} fin-wait-2"


@pytest.mark.parametrize(
    ("bound", "removed", "stays"),
    [
        ("/run/x", "/run/x", ""),
        ("x", "/run/x", ""),
        ("/run/x", "x", ""),
        ("/run/x", "/tmp/x", ", and the name /run/x stays"),
        ("/run/x", "/run/y", ", and the name /run/x stays"),
    ],
)
def test_a_name_that_was_removed_does_not_stay(bound, removed, stays):
    story = Story()
    story.open(SERVER, 3, unix(1))
    listening = unix(1, "stream listening", path=bound)
    story.call(
        SERVER, "listen", "socket:[1]", fd=3, backlog=1, effects=(Identified(object=listening),)
    )
    gone = NameRemoved(path=removed, object="1:77")
    story.call(SERVER, "unlink", path=removed, effects=(gone,))
    said = story.call(SERVER, "close", effects=(Closed(fd=3),), fd=3)
    assert said.endswith(f"(S1): nobody listens on it any more{stays}")


def test_who_connects_waits_for_the_listener():
    story = Story()
    story.open(SERVER, 3, unix(1))
    listening = unix(1, "stream listening", path="/run/x")
    story.call(
        SERVER, "listen", "socket:[1]", fd=3, backlog=1, effects=(Identified(object=listening),)
    )
    assert story.said[-1] == "server[11] listens on S1 (fd 3) at /run/x, backlog 1"
    story.open(CLIENT, 4, unix(2))
    story.level(
        Level(object="socket:[1]", queued=2, capacity=1, writable=False, unit="connections")
    )
    reason, enders = story.wait(CLIENT, "connect", "socket:[2]", fd=4, address="/run/x")
    assert (reason, enders) == ("backlog full: 2 wait in S1, 1 asked for", (SERVER,))
    said = story.call(SERVER, "close", effects=(Closed(fd=3),), fd=3)
    assert said.endswith("(S1): nobody listens on it any more, and the name /run/x stays")
    said = story.call(CLIENT, "connect", "socket:[2]", error="ECONNREFUSED", fd=4, address="/run/x")
    assert said.endswith("ECONNREFUSED, the name is left from S1, which is closed: a stale one")


@pytest.mark.parametrize(
    ("name", "error", "info", "args", "why"),
    [
        ("connect", "ECONNREFUSED", inet(5), {"address": "127.0.0.1:1"}, "nothing listens there"),
        ("connect", "ENOENT", unix(5), {"address": "/x"}, "there is no such name"),
        ("connect", "EAGAIN", unix(5), {"address": "/x"}, "the backlog there is full"),
        (
            "connect",
            "EINPROGRESS",
            inet(5),
            {"address": "10.0.0.1:1"},
            "does not wait for the answer",
        ),
        ("bind", "EADDRINUSE", unix(5), {"address": "/x"}, "it stays until it is unlinked"),
        ("bind", "EADDRINUSE", inet(5), {"address": "127.0.0.1:1"}, "still in time-wait"),
        ("bind", "EACCES", inet(5), {"address": "0.0.0.0:80"}, "ports below 1,024"),
        ("accept4", "EAGAIN", inet(5, state="listening"), {}, "no connection waits"),
        ("sendto", "EPIPE", inet(5, remote="127.0.0.1:1"), {}, "its other end is closed"),
        ("sendto", "ENOTCONN", unix(5), {}, "it is not connected"),
        ("recvfrom", "ECONNRESET", inet(5), {}, "closed with bytes unread"),
        (
            "recvfrom",
            "EAGAIN",
            unix(5),
            {"flags": "MSG_DONTWAIT"},
            "it is empty, and the call does not wait (MSG_DONTWAIT)",
        ),
        (
            "sendto",
            "ECONNREFUSED",
            inet(5, "udp socket"),
            {},
            "nothing takes what was sent to that port",
        ),
        ("shutdown", "ENOTCONN", inet(5), {"how": "SHUT_WR"}, "it is not connected"),
    ],
)
def test_a_failure_comes_with_a_reason(name, error, info, args, why):
    story = Story()
    story.open(CLIENT, 9, info)
    said = story.call(CLIENT, name, info.key, ret=-1, error=error, fd=9, **args)
    assert why in said
    if error != "EINPROGRESS":
        assert error in said


def test_an_end_of_file_has_a_reason():
    story = connected_pair()
    story.call(CLIENT, "shutdown", "socket:[2]", fd=4, how="SHUT_WR")
    assert story.said[-1].endswith(
        "shut S2 (fd 4) down for writing: after what waits in S1 of server[11] comes the end of"
        " file"
    )
    said = story.call(SERVER, "read", "socket:[1]", fd=3, count=10)
    assert said.endswith(
        "read end of file from S1 (fd 3): its other end, S2, was shut down for writing"
    )
    story.call(SERVER, "close", effects=(Closed(fd=3),), fd=3)
    assert story.said[-1].endswith(
        "closed descriptor 3 (S1): after what waits in S2 of client[12] comes the end of file"
    )
    said = story.call(CLIENT, "recvfrom", "socket:[2]", fd=4, count=10)
    assert said.endswith("its other end, S1, is closed")
    assert story.weights[-1] == TURN


def test_a_socket_that_others_may_have_is_not_closed():
    story = Story()
    story.take(Started(t=0.0, missing=("no kcmp",)))
    for pid in (SERVER, CLIENT):
        story.open(pid, 3, unix(1, "stream established"))
    story.call(SERVER, "close", effects=(Closed(fd=3),), fd=3)
    assert story.state.objects["socket:[1]"].shut == ""
    story.call(CLIENT, "close", effects=(Closed(fd=3),), fd=3)
    assert story.state.objects["socket:[1]"].shut == CLOSED


PIPE = ObjectInfo(key="pipe:[7]", kind="pipe", ino=7)


def passing() -> Story:
    """The client has sent a pipe's only write end to the server, and closed its own."""
    story = connected_pair()
    story.open(CLIENT, 8, PIPE, ofd=70, name="pipe2", mode="r")
    story.open(CLIENT, 9, PIPE, ofd=71, name="pipe2", mode="w")
    story.call(CLIENT, "sendmsg", "socket:[2]", ret=1, fd=4, effects=(Passed(fds=(9,)),))
    assert story.said[-1] == "client[12] wrote 1 byte to S2 (fd 4), with descriptor 9 (P1)"
    story.call(CLIENT, "close", effects=(Closed(fd=9),), fd=9)
    return story


def modes(state: State) -> set[str]:
    return {file.mode for file in state.open_files.values() if file.object == PIPE.key}


def test_a_descriptor_under_way_keeps_a_pipe_open():
    story = passing()
    assert "no writer is left" not in story.said[-1]
    assert modes(story.state) == {"r", "w"}
    ((key, flight),) = under_way(story.state, PIPE.key)
    assert (key, flight.pid, flight.fds) == ("socket:[1]", CLIENT, (9,))
    reason, enders = story.wait(CLIENT, "read", PIPE.key, fd=8)
    assert reason == "empty: a descriptor of it is under way in S1"
    assert enders == ()


def test_the_other_end_can_be_somebody_who_is_not_watched():
    story = Story()
    story.open(CLIENT, 4, replace(unix(2, "stream established", peer=99), with_whom="ssh-agent[5]"))
    assert story.wait(CLIENT, "read", "socket:[2]", fd=4) == (
        "empty: the other end, ssh-agent[5], is not watched",
        (),
    )
    story.open(CLIENT, 5, inet(3, local="127.0.0.1:9", remote="127.0.0.1:80", state="established"))
    assert (
        story.wait(CLIENT, "read", "socket:[3]", fd=5)[0]
        == "empty: the other end, 127.0.0.1:80, is not watched"
    )


def test_a_name_is_only_where_it_still_leads():
    story = Story()
    story.open(SERVER, 3, inet(1, local="127.0.0.1:7"))
    assert story.state.bound
    known = inet(1, local="127.0.0.1:7", remote="127.0.0.1:80", state="established")
    story.call(
        SERVER,
        "connect",
        known.key,
        fd=3,
        address="127.0.0.1:80",
        effects=(Identified(object=known),),
    )
    assert not story.state.bound


def test_a_received_descriptor_says_whom_it_is_from():
    story = passing()
    story.call(
        SERVER,
        "recvmsg",
        "socket:[1]",
        ret=1,
        fd=3,
        credentials="pid 12, uid 0, gid 0",
        effects=(Opened(fd=5, ofd=71, object=PIPE, mode="w"),),
    )
    assert story.said[-1].endswith(
        "with credentials: pid 12, uid 0, gid 0, and received descriptor 5 (P1) from client[12]"
    )
    row = story.state.descriptors_of(SERVER)[5]
    assert (row.how, row.sender) == ("received over S1", 12)
    assert not story.state.flights
    assert story.state.open_files[71].references == 1


def test_a_peek_leaves_a_descriptor_under_way():
    story = passing()
    opened = Opened(fd=5, ofd=71, object=PIPE, mode="w")
    story.call(SERVER, "recvmsg", "socket:[1]", ret=1, fd=3, flags="MSG_PEEK", effects=(opened,))
    assert story.state.flights
    assert story.state.open_files[71].references == 2


def test_the_kernel_counts_what_is_under_way():
    story = passing()
    story.level(Level(object="socket:[1]", queued=1, passed=-1))
    assert modes(story.state) == {"r", "w"}
    story.level(Level(object="socket:[1]", queued=0, passed=0))
    assert modes(story.state) == {"r"}, "a read that gave no room for it has dropped it"


def test_descriptors_under_way_go_with_their_socket():
    story = passing()
    story.call(SERVER, "close", effects=(Closed(fd=3),), fd=3)
    assert story.state.objects["socket:[1]"].shut == CLOSED
    assert not story.state.flights
    assert modes(story.state) == {"r"}


def test_what_getsockopt_tells():
    story = Story()
    story.open(CLIENT, 9, inet(5, local="127.0.0.1:9", remote="127.0.0.1:1", state="syn-sent"))
    said = story.call(CLIENT, "getsockopt", "socket:[5]", fd=9, told="ECONNREFUSED")
    assert said == "client[12] asked S1 (fd 9) for an error: ECONNREFUSED, nothing listens there"
    story.level(Level(object="socket:[5]", queued=0, state="established"))
    assert story.call(CLIENT, "getsockopt", "socket:[5]", fd=9, told="none").endswith(
        "none (it is connected)"
    )
    said = story.call(CLIENT, "getsockopt", "socket:[5]", fd=9, credentials="pid 1, uid 0, gid 0")
    assert said.endswith("had its other end when it was made or connected: pid 1, uid 0, gid 0")
    assert not story.call(CLIENT, "getsockopt", "socket:[5]", fd=9)


def test_a_peek_and_what_is_out_of_band_are_told_apart():
    story = connected_pair()
    said = story.call(SERVER, "recvfrom", "socket:[1]", ret=2, fd=3, count=9, flags="MSG_PEEK")
    assert said.startswith("server[11] peeked at 2 bytes from S1")
    said = story.call(SERVER, "recvfrom", "socket:[1]", ret=1, fd=3, count=9, flags="MSG_OOB")
    assert said.startswith("server[11] read 1 byte out of band from S1")
    said = story.call(SERVER, "recvmsg", "socket:[1]", ret=1, fd=3, cut=1)
    assert said.endswith("the rest of the datagram is lost, for want of room (MSG_TRUNC)")


def test_several_messages_are_counted_in_bytes():
    story = Story()
    story.open(CLIENT, 4, inet(2, "udp socket", local="127.0.0.1:5", remote="127.0.0.1:53"))
    said = story.call(CLIENT, "sendmmsg", "socket:[2]", ret=2, fd=4, bytes=60)
    assert said == "client[12] wrote 2 messages, 60 bytes, to S1 (fd 4)"
    assert story.state.objects["socket:[2]"].bytes_in == 60


def test_a_backlog_names_who_waits_in_it():
    body = struct.pack("=BBBBIII", 1, 1, 10, 0, 4711, 0, 0)
    body += struct.pack("=HHII", 12, 3, 8, 9) + struct.pack("=HHB3x", 5, 6, 2)
    one = kernel_sockets.parse_unix(body)
    assert one is not None
    assert (one.connecting, one.shut) == ((8, 9), 2)


def edges(scene):
    return {(edge.source, edge.target, edge.both) for edge in scene.edges if edge.kind == "flow"}


def test_datagrams_of_many_are_drawn_into_one_tube():
    story = Story()
    story.open(SERVER, 3, inet(1, "udp socket", local="127.0.0.1:53"))
    story.open(CLIENT, 4, inet(2, "udp socket", remote="127.0.0.1:53", peer=1))
    story.open(CLIENT, 5, inet(3, "udp socket"))
    story.call(CLIENT, "sendto", "socket:[3]", ret=3, fd=5, address="127.0.0.1:53")
    story.call(CLIENT, "write", "socket:[2]", ret=4, fd=4)
    scene = graph.build_scene(story.state)
    assert {n.id for n in scene.nodes if n.kind == "socket"} == {"o:socket:[1]"}
    assert edges(scene) == {("p:12", "o:socket:[1]", False), ("o:socket:[1]", "p:11", False)}
    assert query.went_in(story.state, story.state.objects["socket:[1]"]) == (7, True)


def test_both_ways_of_connected_datagrams_are_one_tube():
    story = Story()
    story.open(SERVER, 3, inet(1, "udp socket", local="127.0.0.1:53", remote="127.0.0.1:9", peer=2))
    story.open(CLIENT, 4, inet(2, "udp socket", local="127.0.0.1:9", remote="127.0.0.1:53", peer=1))
    (node,) = [n for n in graph.build_scene(story.state).nodes if n.kind == "socket"]
    assert len(node.gauges) == 2


def test_the_client_of_a_connection_stands_at_the_left():
    story = Story()
    story.open(SERVER, 3, inet(1, local="0.0.0.0:80", state="listening"))
    story.open(SERVER, 4, inet(2, local="127.0.0.1:80", remote="127.0.0.1:9", peer=3))
    story.open(CLIENT, 4, inet(3, local="127.0.0.1:9", remote="127.0.0.1:80", peer=2))
    story.level(
        Level(object="socket:[2]", queued=10, capacity=100, state="established"),
        Level(
            object="socket:[3]",
            queued=0,
            capacity=100,
            unsent=50,
            unsent_limit=300,
            state="established",
        ),
    )
    scene = graph.build_scene(story.state)
    node = next(n for n in scene.nodes if n.kind == "socket")
    assert ("p:12", node.id, True) in edges(scene)
    assert [(g.queued, g.capacity) for g in node.gauges] == [
        (60, 400),
        (0, 100),
    ], "some of it is not sent yet"


def test_who_waits_in_a_backlog_leads_to_the_listener():
    story = Story()
    story.open(SERVER, 3, unix(1, "stream listening", path="/run/x"))
    story.open(CLIENT, 4, unix(2, "stream established"))
    story.open(CLIENT, 5, unix(3))
    listening = Level(
        object="socket:[1]",
        queued=1,
        capacity=0,
        writable=False,
        unit="connections",
        connecting=("socket:[2]",),
    )
    story.level(listening)
    scene = graph.build_scene(story.state)
    assert "o:socket:[2]" not in {n.id for n in scene.nodes}
    assert "o:socket:[3]" not in {n.id for n in scene.nodes}, "it leads nowhere yet"
    assert ("p:12", "o:socket:[1]", False) in edges(scene)
    node = next(n for n in scene.nodes if n.id == "o:socket:[1]")
    assert [line.text for line in node.lines] == ["1 waits, backlog 0", "stream listening"]
    assert (
        story.wait(CLIENT, "read", "socket:[2]", fd=4)[0]
        == "empty: server[11] has not accepted it yet: the only one in the backlog of S1"
    )


def test_a_place_in_a_backlog_is_told():
    story = Story()
    story.open(SERVER, 3, unix(1, "stream listening", path="/tmp/s"))
    story.open(CLIENT, 4, replace(unix(2, "stream established"), with_whom="server[11]"))
    assert story.wait(CLIENT, "read", "socket:[2]", fd=4)[0] == "empty", (
        "it is watched, so that is not denied"
    )
    listening = Level(object="socket:[1]", queued=3, unit="connections")
    for place, words in (
        ("socket:[7] socket:[2] socket:[8]", "2nd of 3 in"),
        ("socket:[7] socket:[8] socket:[2]", "3rd of 3 in"),
        ("socket:[2]", "the only one in"),
    ):
        story.level(replace(listening, connecting=tuple(place.split())))
        told = story.wait(CLIENT, "read", "socket:[2]", fd=4)[0]
        assert told == f"empty: server[11] has not accepted it yet: {words} the backlog of S1"
        assert story.wait(CLIENT, "write", "socket:[2]", fd=4)[0].endswith(
            f"{words} the backlog of S1"
        )
        assert story.wait(CLIENT, "poll", "", watched="4r")[0].endswith(
            f"{words} the backlog of S1"
        )


def test_of_a_tcp_backlog_only_the_number_is_known():
    story = Story()
    story.open(SERVER, 3, inet(1, local="127.0.0.1:80", state="listening"))
    story.open(
        CLIENT, 4, inet(2, local="127.0.0.1:5000", remote="127.0.0.1:80", state="established")
    )
    story.level(Level(object="socket:[1]", queued=2, unit="connections"))
    told = story.wait(CLIENT, "read", "socket:[2]", fd=4)[0]
    assert told == "empty: server[11] has not accepted it yet: one of 2 in the backlog of S1"


def test_listeners_are_looked_at_again_for_a_new_connection():
    story = Story()
    story.open(SERVER, 3, unix(1, "stream listening", path="/tmp/s"))
    story.open(CLIENT, 4, unix(2, "stream established"))
    story.level(Level(object="socket:[1]", queued=0, unit="connections"))
    assert others_of(story.state, "read", {"fd": 4}, "socket:[2]") == ("socket:[1]",)
    story.level(
        Level(object="socket:[1]", queued=1, unit="connections", connecting=("socket:[2]",))
    )
    assert others_of(story.state, "read", {"fd": 4}, "socket:[2]") == ()


def test_a_descriptor_under_way_is_drawn():
    nodes = {n.id: n for n in graph.build_scene(passing().state).nodes}
    tube = next(n for n in nodes.values() if n.kind == "socket")
    assert [(line.text, line.short) for line in tube.lines] == [
        ("1 descriptor on its way: P1", "+fd P1")
    ]
    assert nodes[f"o:{PIPE.key}"].lines[0].text == "on its way in S1, from client"


@pytest.mark.parametrize(
    ("kind", "state", "told"),
    [
        ("tcp socket", "fin-wait-2", "fin-wait-2"),
        ("tcp socket", "close-wait", "close-wait"),
        ("tcp socket", "established", ""),
        ("tcp socket", "closed", ""),
        ("unix socket", "shut down", ""),
    ],
)
def test_how_far_a_connection_is_closed(kind, state, told):
    info = ObjectInfo(key="socket:[1]", kind=kind)
    level = Level(object=info.key, queued=0, capacity=100, state=state)
    assert describe_closing(Object(info, "S1", level=level)) == told
