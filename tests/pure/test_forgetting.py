"""A long run does not let the state grow for ever, and what is still of use stays."""

import pytest

from ipcviz.events import (
    Call,
    Closed,
    Executed,
    Exited,
    Forked,
    ObjectInfo,
    Opened,
    Reaped,
    Started,
)
from ipcviz.model import forgetting
from ipcviz.model.reduce import reduce, reduce_all

KEPT, EVERY = 200, 32


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(forgetting, "KEPT", KEPT)
    monkeypatch.setattr(forgetting, "EVERY", EVERY)


def begin():
    return reduce_all(
        (
            Started(t=0.0, n=1),
            Forked(t=0.0, n=2, pid=1, parent=0, how="launched", name="sh"),
            Executed(t=0.0, n=3, pid=1, path="/bin/sh", name="sh"),
        )
    )


def child(state, pid):
    """A process that comes, makes a pipe and is gone; the pipe's read end goes to the first
    process.
    """
    t = state.t + 0.001
    state = reduce(state, Forked(t=t, n=0, pid=pid, parent=1, by=1, how="fork"))
    thing = ObjectInfo(key=f"pipe:[{pid}]", kind="pipe", ino=pid)
    effects = (
        Opened(fd=3, ofd=2 * pid, object=thing, mode="r"),
        Opened(fd=4, ofd=2 * pid + 1, object=thing, mode="w"),
    )
    state = reduce(
        state,
        Call(t=t, n=0, pid=pid, tid=pid, name="pipe2", began=t, args={}, ret=0, effects=effects),
    )
    state = reduce(state, Exited(t=t, n=0, pid=pid))
    return reduce(state, Reaped(t=t, n=0, pid=pid, by=1))


def test_the_oldest_that_are_gone_are_let_go_of_and_the_latest_stay():
    state = begin()
    count = KEPT + 3 * EVERY
    for pid in range(2, count):
        state = child(state, pid)
    assert KEPT < len(state.processes) <= KEPT + EVERY + 1
    assert KEPT < len(state.objects) <= KEPT + EVERY + 1
    assert state.processes[1].children == count - 2
    assert 2 not in state.processes
    assert "pipe:[2]" not in state.objects
    latest = range(count - KEPT, count)
    assert all(pid in state.processes and f"pipe:[{pid}]" in state.objects for pid in latest)


def test_what_lives_and_what_is_open_stays_however_old():
    state = begin()
    thing = ObjectInfo(key="pipe:[1]", kind="pipe", ino=1)
    opened = (Opened(fd=8, ofd=1, object=thing, mode="r"),)
    state = reduce(
        state,
        Call(t=0.0, n=0, pid=1, tid=1, name="open", began=0.0, args={}, ret=8, effects=opened),
    )
    state = reduce(state, Forked(t=0.0, n=0, pid=2, parent=1, by=1, how="fork"))
    for pid in range(3, KEPT + 3 * EVERY):
        state = child(state, pid)
    assert state.processes[2].fate == "alive"
    assert "pipe:[1]" in state.objects
    assert dict(state.ends) == {"pipe:[1]": (1, 0, 0, 0)}
    for pid in (1, 2):
        state = reduce(
            state,
            Call(
                t=9.0,
                n=0,
                pid=pid,
                tid=pid,
                name="close",
                began=9.0,
                ret=0,
                effects=(Closed(fd=8),),
            ),
        )
    assert not state.ends
    assert not state.open_files
