"""Connections: both ends of UNIX and TCP sockets, what waits in them, and a descriptor that travels (SCM_RIGHTS)."""

from __future__ import annotations

import os

import pytest

from ipcviz.model.query import object_behind, table_of
from ipcviz.model.state import Object, State
from tests.integration.harness import Bench, Programs
from tests.integration.watched import Watched


def behind(state: State, facts: dict[str, int], who: str, fd: str) -> Object:
    found = object_behind(state, facts[who], facts[fd])
    assert found is not None
    assert found.info.key == os.readlink(f"/proc/{facts[who]}/fd/{facts[fd]}")
    return found


@pytest.mark.kernel
def test_both_ends_know_each_other_and_a_passed_descriptor_is_the_senders(bench: Bench, programs: Programs) -> None:
    with Watched(bench, [programs["truth_sockets"]], ("connected",)) as watched:
        facts = watched.at("connected")
        pid, child = facts["parent"], facts["child"]

        def seen(state: State) -> bool:
            end = object_behind(state, pid, facts["tcp"])
            return end is not None and end.level is not None and facts["passed"] in table_of(state, child)

        state = watched.until(seen)
        for ours, theirs in (("unix", "unix_peer"), ("tcp", "tcp_peer"), ("pair", "pair_peer")):
            here, there = behind(state, facts, "parent", ours), behind(state, facts, "child", theirs)
            assert here.info.peer == there.info.key
            assert there.info.peer == here.info.key
            assert "established" in there.info.detail
        assert behind(state, facts, "parent", "unix").level.queued == len("hello")  # type: ignore[union-attr]
        assert behind(state, facts, "parent", "tcp").level.queued == len("abc")  # type: ignore[union-attr]
        sent, received = table_of(state, pid)[facts["end"]], table_of(state, child)[facts["passed"]]
        assert sent.ofd == received.ofd, "one open file description, in two tables"
        assert received.how.startswith("received over ")
        assert state.open_files[sent.ofd].references == 2
        watched.release("connected")
        assert watched.finish() == 0
