"""Connections: both ends of UNIX and TCP sockets, what waits in them, and a descriptor that travels
(SCM_RIGHTS).
"""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest

from ipcviz import events as ev
from ipcviz.model.mechanisms.sockets import under_way
from ipcviz.model.state import Object, State
from tests.integration.harness import Bench, Programs
from tests.integration.watched import Watched


def behind(state: State, facts: dict[str, int], who: str, fd: str) -> Object:
    found = state.object_at(facts[who], facts[fd])
    assert found is not None
    assert found.info.key == os.readlink(f"/proc/{facts[who]}/fd/{facts[fd]}")
    return found


@pytest.mark.kernel
def test_both_ends_know_each_other_and_a_passed_descriptor_is_the_senders(
    bench: Bench, programs: Programs
) -> None:
    with Watched(bench, [programs["truth_sockets"]], ("connected", "sent", "gone")) as watched:
        facts = watched.at("connected")
        pid, child = facts["parent"], facts["child"]

        def seen(state: State) -> bool:
            end = state.object_at(pid, facts["tcp"])
            return (
                end is not None
                and end.level is not None
                and facts["passed"] in state.descriptors_of(child)
            )

        state = watched.until(seen)
        for ours, theirs in (("unix", "unix_peer"), ("tcp", "tcp_peer"), ("pair", "pair_peer")):
            here, there = (
                behind(state, facts, "parent", ours),
                behind(state, facts, "child", theirs),
            )
            assert here.info.peer == there.info.key
            assert there.info.peer == here.info.key
            assert "established" in there.info.detail
        assert behind(state, facts, "parent", "unix").level.queued == len("hello")  # type: ignore[union-attr]
        assert behind(state, facts, "parent", "tcp").level.queued == len("abc")  # type: ignore[union-attr]
        sent, received = (
            state.descriptors_of(pid)[facts["end"]],
            state.descriptors_of(child)[facts["passed"]],
        )
        assert sent.ofd == received.ofd, "one open file description, in two tables"
        assert received.how.startswith("received over ")
        assert state.open_files[sent.ofd].references == 2
        watched.release("connected")
        less_plain(watched)
        assert watched.finish() == 0


def less_plain(watched: Watched) -> None:
    """Ends that know each other by different names or not at all, and what lies between them."""
    facts = watched.at("sent")
    pid = facts["parent"]

    def seen(state: State) -> bool:
        box = state.object_at(pid, facts["box"])
        end = state.object_at(facts["child"], facts["tcp_peer"])
        passed = state.object_at(facts["child"], facts["pair_peer"])
        levels = [
            thing.level
            for thing in (box, end, passed)
            if thing is not None and thing.level is not None
        ]
        return len(levels) == 3 and all(level.queued for level in levels)

    state = watched.until(seen)
    if facts["mapped"] >= 0:
        server, client = (
            behind(state, facts, "parent", "mapped"),
            behind(state, facts, "parent", "mapped_peer"),
        )
        assert "[::ffff:127.0.0.1]" in server.info.local
        assert (server.info.peer, client.info.peer) == (client.info.key, server.info.key)
    receiver, sender = (
        behind(state, facts, "parent", "to_udp"),
        behind(state, facts, "parent", "from_udp"),
    )
    assert (sender.info.peer, receiver.info.peer) == (receiver.info.key, "")
    box = behind(state, facts, "parent", "box")
    for letter in ("first", "second"):
        assert behind(state, facts, "parent", letter).info.peer == box.info.key
    assert box.info.peer == "", "it takes letters from both, and sends to none"
    tcp, reader = (
        behind(state, facts, "parent", "tcp").level,
        behind(state, facts, "child", "tcp_peer").level,
    )
    assert tcp is not None
    assert reader is not None
    assert tcp.state == "established"
    assert tcp.unsent <= facts["written"] <= tcp.unsent + reader.queued, (
        "what is there can be unacknowledged yet"
    )
    pipe = behind(state, facts, "parent", "under_way").info.key
    pair = behind(state, facts, "child", "pair_peer")
    assert [key for key, _ in under_way(state, pipe)] == [pair.info.key]
    assert pair.level is not None
    assert pair.level.passed == 1
    assert {"r", "w"} == {file.mode for file in state.open_files.values() if file.object == pipe}
    watched.release("sent")
    watched.at("gone")
    state = watched.until(
        lambda s: not s.flights and behind(s, facts, "parent", "tcp").info.detail.endswith("closed")
    )
    assert {"r"} == {file.mode for file in state.open_files.values() if file.object == pipe}, (
        "it went with its socket"
    )
    assert state.objects[pair.info.key].shut == "closed"
    watched.release("gone")


MANY = """
import os, socket
pairs = [socket.socketpair() for _ in range(120)]
for number, (one, _) in enumerate(pairs):
    one.send(b"%03d" % number)
with open("many.new", "w") as file:
    file.write("pid %d\\n" % os.getpid())
os.rename("many.new", "many.ready")
open("many.go").read()
"""


def test_the_bytes_in_many_sockets_are_looked_at_in_turn(bench: Bench) -> None:
    """More than are looked at one by one: of those that were listed some have their turn in each
    sample.
    """
    with Watched(bench, [sys.executable, "-S", "-c", MANY], ("many",)) as run:
        run.at("many")

        def heads(state: State) -> set[bytes]:
            levels = (
                thing.level for thing in state.objects.values() if thing.info.kind == "unix socket"
            )
            return {level.head for level in levels if level is not None and level.queued}

        truth = {b"%03d" % number for number in range(120)}
        assert heads(run.until(lambda state: heads(state) == truth)) == truth
        told = Counter(
            level.object
            for e in run.events
            if isinstance(e, ev.Sample)
            for level in e.levels
            if level.queued
        )
        assert max(told.values()) < 10, "what nobody touches is not told again and again"
        run.release("many")
        assert run.finish() == 0
