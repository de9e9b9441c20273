"""Locks in memory that is a copy, made by fork: whose copy, and who held the original."""

import pytest

from ipcviz.events import Forked, Futex, ThreadCreated, Waiting
from ipcviz.model.reduce import reduce_all
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.rules import find_wait
from ipcviz.model.waits.stuck import nobody_else
from ipcviz.narrate.waits import explain_wait
from tests import fakes

PARENT, HOLDER, CHILD = 10, 11, 12
END = "held; nobody here can release it"
ALONE = "held; no other thread is here to release it"


def waiting(futex, semaphore=""):
    return reduce_all(
        fakes.numbered(
            [
                Forked(t=0, n=0, pid=PARENT, parent=1, how="launched", name="redis"),
                ThreadCreated(t=0, n=0, pid=PARENT, tid=HOLDER, by=PARENT),
                Forked(t=0, n=0, pid=CHILD, parent=PARENT, by=PARENT, how="fork"),
                Waiting(
                    t=1,
                    n=0,
                    pid=CHILD,
                    tid=CHILD,
                    call="futex",
                    began=1,
                    futex=futex,
                    semaphore=semaphore,
                ),
            ]
        )
    )


def lock(kind, **more):
    return Futex(key="futex:vm:12:64", offset=64, private=True, kind=kind, **more)


@pytest.mark.parametrize(
    ("futex", "semaphore", "words"),
    [
        (
            lock("mutex", copied=PARENT, holder=HOLDER),
            "",
            f"a copy, made by fork, of a mutex that redis[10/11] {END}",
        ),
        (
            lock("mutex", copied=PARENT, holder=99),
            "",
            f"a copy, made by fork, of a mutex that thread 99 of redis[10] {END}",
        ),
        (
            lock("mutex", copied=PARENT),
            "",
            f"probably a copy, made by fork, of a lock that another thread of redis[10] {ALONE}",
        ),
        (
            lock("semaphore", copied=PARENT),
            "",
            (
                "probably a copy, made by fork, of a semaphore at 0, or a lock made of one, that"
                f" another thread of redis[10] {ALONE}"
            ),
        ),
        (
            lock("semaphore", copied=PARENT),
            "sem:vm:12:64",
            (
                "0, probably a copy, made by fork, of a semaphore that another thread of redis[10]"
                f" {ALONE}"
            ),
        ),
        (
            lock("thread", copied=PARENT, holder=HOLDER),
            "",
            "until thread 11 ends, which stayed in redis[10] at a fork: only there its end is told",
        ),
        (lock("mutex"), "", "probably a lock, whose owner is not known"),
    ],
)
def test_words(futex, semaphore, words):
    state = waiting(futex, semaphore)
    wait = find_wait(Lookup(state), CHILD)
    assert explain_wait(state, wait) == words
    assert wait.waker_pids == ()
    assert nobody_else(wait)
