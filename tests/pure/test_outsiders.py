"""Processes that are not watched and have what watched ones wait for: in the state, in words, in
the picture.
"""

from __future__ import annotations

import msgspec
import pytest

from ipcviz.app.picture import graph
from ipcviz.app.screens.watching import all_outsiders, attach_command
from ipcviz.app.text import moved_text
from ipcviz.events import (
    Exited,
    FileLock,
    Forked,
    ObjectInfo,
    ObjectLocks,
    Outside,
    Outsider,
    Outsiders,
    Sample,
    Started,
    Table,
    TableEntry,
    Waiting,
)
from ipcviz.export.names import Names
from ipcviz.model import query
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.model.waits.chains import chain_of
from ipcviz.model.waits.circles import list_circles
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.outsiders import nobody_else_has, outsiders_of
from ipcviz.model.waits.rules import find_wakers, wait_of
from ipcviz.model.waits.stuck import nobody_else
from ipcviz.narrate import narrate
from ipcviz.narrate.circles import describe_chain
from ipcviz.narrate.waits import describe_wait
from ipcviz.trace.keyframes import pack_state, unpack_state
from tests import fakes

CAT = 12
PIPE, KEY = fakes.PIPE, fakes.PIPE.key
SLEEP = Outsider(pid=77, name="sleep", fd=1, mode="w")


def attached(mode: str = "r", thing: ObjectInfo = PIPE, call: str = "read") -> State:
    """cat, which was attached to, sleeps in a call on what it has as descriptor 0."""
    rows = (TableEntry(fd=0, ofd=1, object=thing, mode=mode),)
    return reduce_all(
        fakes.numbered(
            [
                Started(t=0.0, argv=("cat",), mode="attached"),
                Forked(t=0.0, pid=CAT, parent=1, how="attached", name="cat", argv=("cat",)),
                Table(t=0.0, pid=CAT, entries=rows, reason="attached"),
                Waiting(
                    t=0.1, began=0.1, pid=CAT, tid=CAT, call=call, args={"fd": 0}, object=thing.key
                ),
            ]
        )
    )


def found(
    state: State, *holders: Outsider, key: str = KEY, hidden: int = 0, more: int = 0
) -> tuple[State, str]:
    """The state after a look has found these, and the sentence for that."""
    outside = Outside(object=key, holders=holders, hidden=hidden, more=more)
    event = Outsiders(t=0.7, n=state.n + 1, found=(outside,))
    after = reduce(state, event)
    told = narrate(event, state, after)
    return after, told.text if told is not None else ""


def described(state: State) -> str:
    wait = wait_of(state, CAT, query.list_holders(state))
    assert wait is not None
    return describe_wait(state, wait)


def test_who_is_not_watched_is_named_and_not_nobody():
    before = attached()
    assert described(before) == "read(0) on P1, empty"
    state, told = found(before, SLEEP)
    assert told == "sleep[77], which is not watched, has P1 open for writing"
    assert described(state) == "read(0) on P1, empty: sleep[77], not watched, has its write end"
    held = query.list_holders(state)
    wait = wait_of(state, CAT, held)
    assert wait.outsiders == (SLEEP,)
    chain = chain_of(state, CAT, lambda tid: wait_of(state, tid, held))
    assert (chain.end, describe_chain(state, wait, chain)) == (
        "outside",
        "for sleep[77], not watched",
    )
    assert not nobody_else(wait)
    assert not nobody_else_has(state, KEY)


@pytest.mark.parametrize(
    ("holders", "hidden", "words"),
    [
        (
            (),
            3,
            (
                "who has its write end can't be seen: 3 processes of other users could not be"
                " looked at"
            ),
        ),
        (
            (),
            1,
            "who has its write end can't be seen: 1 process of another user could not be looked at",
        ),
        ((), 0, "no process that /proc shows has its write end"),
        (
            (SLEEP, Outsider(pid=78, name="tee", fd=4, mode="rw")),
            9,
            "sleep[77] and tee[78], not watched, have its",
        ),
        (
            (Outsider(pid=78, name="head", fd=0, mode="r"),),
            0,
            "no process that /proc shows has its write end",
        ),
    ],
)
def test_nobody_is_said_only_if_all_could_be_looked_at(holders, hidden, words):
    state, _ = found(attached(), *holders, hidden=hidden)
    assert words in described(state)
    assert nobody_else_has(state, KEY) is (not holders and not hidden)


def test_a_full_pipe_names_its_reader_and_a_ready_wait_who_could_make_it_ready():
    state, told = found(attached("w", call="write"), Outsider(pid=80, name="less", fd=0, mode="r"))
    assert told == "less[80], which is not watched, has P1 open for reading"
    assert described(state).endswith("full: less[80], not watched, has its read end")
    polled = reduce(
        attached(),
        Waiting(t=0.2, began=0.2, n=9, pid=CAT, tid=CAT, call="poll", args={"watched": "0r"}),
    )
    state, _ = found(polled, SLEEP)
    assert described(state) == "poll, for P1 (readable): sleep[77], not watched, could make one so"


def test_who_has_an_end_outside_opens_a_circle():
    both = attached("rw", fakes.FIFO)
    assert find_wakers(Lookup(both), both.threads[CAT]).complete
    state, _ = found(both, Outsider(pid=77, name="sleep", fd=3, mode="rw"), key=fakes.FIFO.key)
    assert not find_wakers(Lookup(state), state.threads[CAT]).complete
    assert not list_circles(state, query.list_holders(state), 60.0)
    assert (
        described(state) == "read(0) on fifo, empty: sleep[77], not watched, has its write end too"
    )


def test_sockets_name_who_has_the_other_end_or_has_not_accepted():
    thing = ObjectInfo(
        key="socket:[9]",
        kind="unix socket",
        ino=9,
        detail="stream established",
        peer="socket:[10]",
        with_whom="x[77]",
    )
    state, told = found(attached("rw", thing), Outsider(pid=77, name="x", fd=5), key=thing.key)
    assert told == "x[77], which is not watched, has the other end of S1"
    assert described(state) == "read(0) on S1, empty: x[77], not watched, has the other end"
    waiting = msgspec.structs.replace(thing, peer="")
    state, told = found(
        attached("rw", waiting), Outsider(pid=77, name="x", fd=3, how="listens"), key=thing.key
    )
    assert told == "x[77], which is not watched, has not accepted the connection of S1 yet"
    assert (
        described(state)
        == "read(0) on S1, empty: x[77], not watched, has not accepted the connection yet"
    )


def test_a_lock_is_held_by_whoever_has_its_open_file_now():
    state = attached("w", fakes.QUEUE, "flock")
    state = reduce(
        state,
        Waiting(
            t=0.2,
            n=8,
            pid=CAT,
            tid=CAT,
            call="flock",
            args={"fd": 0, "operation": "LOCK_EX"},
            object=fakes.QUEUE.key,
        ),
    )
    locks = ObjectLocks(object=fakes.QUEUE.key, locks=(FileLock(kind="flock", mode="w", pid=66),))
    state = reduce(state, Sample(t=0.3, n=9, locks=(locks,)))
    assert described(state).endswith("held exclusively by process[66], not watched")
    state, told = found(
        state, Outsider(pid=77, name="sleep", fd=3, mode="w", how="lock"), key=fakes.QUEUE.key
    )
    assert told == "sleep[77], which is not watched, has a lock on queue.dat"
    assert described(state).endswith("held exclusively by sleep[77], not watched")


def test_who_is_watched_by_now_or_has_it_no_more_is_no_outsider():
    state, _ = found(attached(), SLEEP)
    watched = reduce(state, Forked(t=1.0, n=20, pid=77, parent=1, how="attached", name="sleep"))
    assert outsiders_of(watched, KEY) == ()
    assert found(watched)[1] == ""
    after, told = found(state)
    assert told == "sleep[77], not watched, has P1 open no more"
    assert outsiders_of(after, KEY) == ()
    ended = reduce(state, Exited(t=2.0, n=21, pid=CAT))
    assert not ended.outsiders, "nobody that is watched has it any more"


def test_outsiders_are_kept_and_renamed():
    state, _ = found(attached(), SLEEP)
    assert unpack_state(pack_state(state)).outsiders == state.outsiders
    event = Outsiders(t=0.7, n=5, found=(Outside(object=KEY, holders=(SLEEP,)),))
    (renamed,) = Names().rename_event(event).found
    assert renamed.object == "pipe:[1]"
    assert renamed.holders[0].pid > 1_000_000


def test_an_outsider_has_a_box_of_its_own_sort():
    state, _ = found(attached(), SLEEP)
    scene = graph.build_scene(state)
    node = next(n for n in scene.nodes if n.id == "u:77")
    assert (node.kind, node.title, node.corner) == ("outsider", "sleep", "77")
    assert [line.text for line in node.lines] == ["not watched"]
    edges = {(e.source, e.target, e.kind) for e in scene.edges}
    assert ("u:77", f"o:{KEY}", "flow") in edges
    assert (f"o:{KEY}", f"p:{CAT}", "flow") in edges


def test_many_outsiders_are_folded_or_left_out():
    holders = tuple(Outsider(pid=100 + i, name="x", fd=1, mode="w") for i in range(16))
    scene = graph.build_scene(found(attached(), *holders, more=40)[0])
    assert 1 <= sum(n.kind == "outsider" for n in scene.nodes) <= 12


def test_what_can_be_done_about_it():
    state, _ = found(attached(), SLEEP)
    assert all_outsiders(state) == [(SLEEP, "has the other end of P1")]
    assert attach_command(state, 77) == "ipcviz attach 77 12"


def test_nothing_counted_is_not_said_to_be_at_least_nothing():
    thing = attached().objects[KEY]
    assert not thing.exact, "what went through it before it was found is not known"
    assert moved_text(thing.bytes_in, thing.exact) == "?"
    assert moved_text(2048, False) == ">=2K"
    assert moved_text(0, True) == "0 B"
