"""The tracer's own state is the reader's, but for what nobody in the tracer asks for: it leaves out
the calls that say nothing new (`Emitter._says_nothing_new`).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcviz import events as ev
from ipcviz.events.calls import CALLS, SystemCall, where
from ipcviz.model.maps import Map
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.tracer.emitter import Emitter
from tests import fakes

UNASKED = {
    "State": (
        *("t", "n", "changed", "keep_ledger"),
        *("channels", "reads", "datagrams", "posted", "traffic"),
    ),
    "Process": ("calls",),
    "Object": (
        *("bytes_in", "bytes_out", "last_reader", "last_writer", "reader_left", "writer_left"),
        *("written", "sent_to", "inputs"),
    ),
    "OpenFile": ("offset",),
    "Descriptor": ("took", "put"),
}
"""Counts, offsets, directions and the ledger: only readers of the stream ask for these."""

OBJECTS = (
    ev.ObjectInfo(key="pipe:[1]", kind="pipe", capacity=65536),
    ev.ObjectInfo(key="pipe:[1]", kind="pipe", capacity=65536),
    ev.ObjectInfo(key="socket:[2]", kind="unix socket", detail="stream", peer="socket:[3]"),
    ev.ObjectInfo(key="socket:[3]", kind="unix socket", detail="stream", peer="socket:[2]"),
    ev.ObjectInfo(key="socket:[4]", kind="udp socket", local="127.0.0.1:9"),
    ev.ObjectInfo(key="8:1", kind="file", path="/tmp/f"),
    ev.ObjectInfo(key="0:2", kind="message queue", path="/q"),
    ev.ObjectInfo(key="anon:8", kind="eventfd"),
)
PIDS = (11, 12)
STOPPED = where(lambda call: call.stops != "unstopped")
WORDS = {
    "flags": st.sampled_from(("", "MSG_PEEK", "MSG_DONTWAIT")),
    "ops": st.sampled_from(("[0] -1", "[0] +1 SEM_UNDO", "[1] +2")),
    "cmd": st.sampled_from(("SETVAL", "IPC_RMID", "GETVAL", "F_GETFL")),
    "how": st.sampled_from(("SHUT_RD", "SHUT_WR", "SHUT_RDWR")),
    "option": st.sampled_from((20, 21, 7)),
    "level": st.just(1),
    "count": st.integers(0, 100),
    "index": st.integers(0, 1),
    "id": st.just(7),
    "address": st.sampled_from(("", "127.0.0.1:9")),
}


@st.composite
def returned(draw: st.DrawFn, call: SystemCall) -> ev.Call:
    """A call of the table with plausible arguments, results and effects."""
    args: dict[str, int | str] = {}
    for name, kind in call.arguments:
        if kind == "fd":
            args[name] = draw(st.integers(3, 2 + len(OBJECTS)))
        elif name in WORDS:
            args[name] = draw(WORDS[name])
    if call.on == "semaphores" and call.name != "semctl":
        args["ops"] = draw(WORDS["ops"])
    if call.returns == "messages":
        args["bytes"] = draw(st.integers(0, 9))
    fd = args.get("fd")
    key = OBJECTS[fd - 3].key if isinstance(fd, int) else ""
    if call.on == "queue" and "id" in args:
        key = "msg:7"
    failed, effects = draw(st.booleans()), ()
    if not failed and "effects" in call.traits and isinstance(fd, int):
        effects = draw(
            st.sampled_from(
                (
                    (),
                    (ev.Closed(fd=fd),),
                    (ev.Duplicated(fd=fd, source=3),),
                    (ev.Passed(fds=(3,)),),
                    (ev.StatusFlags(fd=fd, flags=("nonblock",)),),
                )
            )
        )
    pid = draw(st.sampled_from(PIDS))
    return ev.Call(
        t=1.0,
        pid=pid,
        tid=pid,
        name=call.name,
        args=args,
        ret=-1 if failed else draw(st.sampled_from((0, 1, 50))),
        error=draw(st.sampled_from(("EAGAIN", "EPIPE"))) if failed else "",
        object=key,
        effects=effects,
    )


waiting = st.builds(
    ev.Waiting,
    t=st.just(1.0),
    pid=st.just(11),
    tid=st.just(11),
    call=st.sampled_from(("read", "futex", "semop", "poll")),
    semaphore=st.sampled_from(("", "sysv:7:0")),
    object=st.sampled_from(("", "pipe:[1]")),
)


def beginning() -> list[ev.Event]:
    """Two processes, each with one of each kind of descriptor, and a set of semaphores."""
    rows = tuple(
        ev.TableEntry(fd=fd, ofd=fd, object=thing, mode=("r", "w")[fd - 3] if fd < 5 else "rw")
        for fd, thing in enumerate(OBJECTS, 3)
    )
    levels = tuple(
        ev.SemaphoreLevel(
            ev.SemaphoreInfo(key=f"sysv:7:{i}", kind="system v", name=f"0x2a[{i}]"), value=1
        )
        for i in (0, 1)
    )
    return [
        ev.Started(t=0.0, argv=("a",)),
        ev.Forked(t=0.0, pid=11, parent=1, how="launched", name="a"),
        ev.Table(t=0.0, pid=11, entries=rows, reason="launched"),
        ev.Forked(t=0.1, pid=12, parent=11, by=11),
        ev.Sample(t=0.2, semaphores=levels),
    ]


def same(one: Any, other: Any) -> bool:
    """Whether two values of states are the same but for what nobody in the tracer asks for."""
    if one == other:
        return True
    if isinstance(one, msgspec.Struct):
        unasked = UNASKED.get(type(one).__name__, ())
        names = [name for name in one.__struct_fields__ if name not in unasked]
        return type(one) is type(other) and all(
            same(getattr(one, name), getattr(other, name)) for name in names
        )
    if isinstance(one, Map):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
    return False


def assert_same(events: Iterable[ev.Event]) -> None:
    """After each event the tracer's state is the reader's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        emitter, state = Emitter(ours), State()
        for n, event in enumerate(events, 1):
            event = msgspec.structs.replace(event, n=n)
            emitter.emit(event)
            state = reduce(state, event)
            what = event.name if isinstance(event, ev.Call) else type(event).__name__
            assert same(emitter.state, state), f"{what} is missed"


@pytest.mark.parametrize("name", sorted(STOPPED))
def test_the_tracers_state_is_the_readers(name):
    calls = returned(CALLS[name])

    @settings(max_examples=6, deadline=None, derandomize=True, database=None)
    @given(st.lists(calls | waiting, min_size=8, max_size=12))
    def check(events):
        assert_same([*beginning(), *events])

    check()


@pytest.mark.parametrize("name", ["recvmmsg", "sendmmsg"])
def test_a_descriptor_of_several_messages_counts_as_used(name):
    args = {"fd": 5, "count": 2, "bytes": 9}
    call = ev.Call(t=1.0, pid=11, tid=11, name=name, args=args, ret=2, object="socket:[2]")
    assert_same([*beginning(), call])


@pytest.mark.parametrize(
    "make", [fakes.pipeline, fakes.fifo, fakes.mmap_queue, fakes.sleep_race, fakes.notified]
)
def test_the_tracers_state_of_a_whole_run_is_the_readers(make):
    assert_same(make())
