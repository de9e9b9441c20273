"""Locks for which a thread waits in a signal handler: whether the interrupted code has them."""

import pytest

from ipcviz.events import Forked, Futex, SignalDelivered, ThreadCreated, Waiting
from ipcviz.model.reduce import reduce_all
from ipcviz.model.waits.handlers import find_handler
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.rules import find_wait
from ipcviz.narrate.waits import explain_wait
from tests import fakes

PID, OTHER, ALARM = 10, 11, 14
UNKNOWN = "probably a lock, whose owner is not known"


def sleeping(*, handler=True, threads=1, **more):
    """A thread that sleeps on a mutex, in a handler of SIGALRM or not."""
    futex = Futex(key="futex:vm:10:64", offset=64, **{"private": True, "kind": "mutex"} | more)
    events = [Forked(t=0, n=0, pid=PID, parent=1, how="launched", name="a")]
    if threads > 1:
        events.append(ThreadCreated(t=0, n=0, pid=PID, tid=OTHER, by=PID))
    if handler:
        events.append(SignalDelivered(t=1, n=0, pid=PID, tid=PID, signo=ALARM, action="handler"))
    events.append(Waiting(t=1, n=0, pid=PID, tid=PID, call="futex", began=1, futex=futex))
    state = reduce_all(fakes.numbered(events))
    return state, find_wait(Lookup(state), PID)


OWN = "a mutex that it has itself: it is in its handler for SIGALRM"


@pytest.mark.parametrize(
    ("more", "signo", "words"),
    [
        ({}, ALARM, "a lock that nobody but itself can have: it is in its handler for SIGALRM"),
        ({"owner": PID}, ALARM, OWN),
        ({"owner": PID, "threads": 2}, ALARM, OWN),
        ({"threads": 2}, 0, UNKNOWN),
        ({"handler": False}, 0, UNKNOWN),
        ({"object": "file:1:2", "private": False}, 0, UNKNOWN),
        ({"kind": "thread", "owner": PID}, 0, "until thread 10 ends"),
    ],
)
def test_whose_lock_it_is(more, signo, words):
    state, wait = sleeping(**more)
    assert find_handler(state, wait) == signo
    assert explain_wait(state, wait) == words
