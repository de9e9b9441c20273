"""Which of its threads' waits a process is said to be in: plain waits, as real servers and
run-times have them.
"""

from __future__ import annotations

import pytest

from ipcviz.app.picture import words
from ipcviz.events import (
    Forked,
    Futex,
    ObjectInfo,
    Started,
    Table,
    TableEntry,
    ThreadCreated,
    Waiting,
)
from ipcviz.model.reduce import reduce_all
from tests import fakes

PID = 11
CONDITION = Futex(key="futex:vm:11:64", private=True, kind="condition")
GO = Futex(key="futex:vm:11:64", private=True, kind="go")
UNKNOWN = Futex(key="futex:vm:11:64", private=True)
MUTEX = Futex(key="futex:vm:11:64", private=True, kind="mutex", owner=PID)
SHARED = Futex(key="futex:8:1:0", object="8:1", kind="condition")
EPOLL, READ, ACCEPT, SLEEP = (
    ("epoll_wait", None),
    ("read", None),
    ("accept4", None),
    ("nanosleep", None),
)
PIPE = ObjectInfo(key="pipe:[1]", kind="pipe", ino=1)


def shown(*waits: tuple[str, Futex | None]) -> str:
    """Letter and words of a process whose threads, the leader first, sleep in these calls."""
    rows = (TableEntry(fd=0, ofd=1, object=PIPE, mode="r"),)
    events: list = [
        Started(t=0.0, argv=("x",)),
        Forked(t=0.0, pid=PID, parent=1, how="launched", name="x"),
        Table(t=0.0, pid=PID, entries=rows),
    ]
    events += [ThreadCreated(t=0.1, pid=PID, tid=PID + i) for i in range(1, len(waits))]
    for i, (name, futex) in enumerate(waits):
        args = {"fd": 0} if name in ("read", "accept4") else {}
        key = PIPE.key if name == "read" else ""
        events.append(
            Waiting(t=0.2, pid=PID, tid=PID + i, call=name, args=args, object=key, futex=futex)
        )
    state = reduce_all(fakes.numbered(events))
    process = state.processes[PID]
    told = words.waits_of(state, process)
    return (
        f"{words.choose_chip(state, process, told)[0]}"
        f" {words.describe_activity(state, process, told)}"
    )


@pytest.mark.parametrize(
    ("waits", "told"),
    [
        ((EPOLL, ("futex", CONDITION), ("futex", CONDITION)), "S waits until ready"),  # Redis, Node
        ((("futex", GO), ("futex", GO), ("epoll_wait", None), SLEEP), "S waits until ready"),  # Go
        ((("futex", UNKNOWN), ACCEPT), "S accept4(0) for a connection"),
        ((ACCEPT, ("futex", CONDITION)), "S accept4(0) for a connection"),  # a pool of Python's
        ((("futex", CONDITION), SLEEP), "S sleeps"),
        ((SLEEP, READ), "B read(0) P1 empty"),  # somebody else can give that
        ((EPOLL, ("futex", SHARED)), "B futex probably a condition variable"),
        ((EPOLL, ("futex", MUTEX)), "B pthread_mutex_lock a mutex held by x[11]"),
        ((READ, ("futex", MUTEX)), "B read(0) P1 empty"),  # the leader's own goes first
        ((("futex", CONDITION), ("futex", CONDITION)), "B futex probably a condition variable"),
        ((("futex", CONDITION),), "B futex probably a condition variable"),
    ],
)
def test_a_process_is_what_its_leader_does(waits, told):
    assert shown(*waits) == told


def test_who_waits_for_the_end_of_a_thread_does_what_that_one_does():
    join = Futex(key="futex:vm:11:8", kind="thread", owner=PID + 1, sure=True)
    assert shown(("futex", join), READ, ("futex", CONDITION)) == "B read(0) P1 empty"  # Java
    assert shown(("futex", join), SLEEP, ("futex", CONDITION)) == "S sleeps"
    assert shown(("futex", join), ("futex", CONDITION)) == "B futex probably a condition variable"
    # Two that wait for each other's end are followed once around.
    back = Futex(key="futex:vm:11:16", kind="thread", owner=PID, sure=True)
    assert shown(("futex", join), ("futex", back)).startswith("B pthread_join")
