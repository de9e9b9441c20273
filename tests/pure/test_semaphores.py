"""Who holds a semaphore, as far as operations tell; what keeps a System V operation from being
done; the sentences.
"""

from __future__ import annotations

import socket
import struct

import pytest

from ipcviz import events as ev
from ipcviz.events import Sample, SemaphoreInfo, SemaphoreLevel
from ipcviz.kernel.arch import X86_64
from ipcviz.kernel.semaphores import is_semaphore
from ipcviz.model.mechanisms.semaphores import OLDER, SAMPLED, UNSEEN
from ipcviz.model.mechanisms.system_v import first_blocked, parse_operations
from ipcviz.model.reduce import reduce
from ipcviz.model.state import Hold, Semaphore, State
from ipcviz.model.waits.circles import find_circle, list_circles
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.rules import find_wait
from ipcviz.narrate import describe_holding, narrate
from ipcviz.narrate.waits import explain_wait
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.sampling.semaphores import SemaphoreLooks

LOCK = ev.SemaphoreInfo(key="sem:1:2:0", kind="unnamed", object="1:2")


def op(
    t: float,
    name: str,
    pid: int,
    value: int | None = None,
    *,
    initial: int | None = None,
    error: str = "",
) -> ev.Event:
    return ev.SemaphoreOp(
        t=t,
        n=int(t * 100),
        pid=pid,
        tid=pid,
        op=name,
        semaphore=LOCK,
        value=value,
        initial=initial,
        error=error,
    )


def call(t: float, pid: int, name: str, **args: int | str) -> ev.Event:
    return ev.Call(t=t, n=int(t * 100), pid=pid, tid=pid, name=name, args={"id": 7, **args}, ret=0)


def level(t: float, index: int, value: int, last: int = 0) -> ev.Event:
    info = ev.SemaphoreInfo(key=f"sysv:7:{index}", kind="system v", name=f"0x0000002a[{index}]")
    return ev.Sample(
        t=t, n=int(t * 100), semaphores=(ev.SemaphoreLevel(info=info, value=value, last_pid=last),)
    )


def after(*events: ev.Event) -> State:
    state = State()
    for pid in (10, 11, 12):
        state = reduce(state, ev.Forked(t=0.0, n=0, pid=pid, parent=1, how="launched", name="p"))
    for event in events:
        state = reduce(state, event)
    return state


def lock(*events: ev.Event) -> Semaphore:
    return after(op(0.1, "init", 10, initial=1), *events).semaphores[LOCK.key]


def test_who_took_it_holds_it_until_it_posts() -> None:
    taken = op(0.2, "wait", 10, 1)
    assert lock(taken).holds == (Hold(10, 10, since=0.2),)
    assert lock(taken, op(0.3, "post", 10, 0)).holds == ()
    waits = op(0.3, "wait", 11, 0)
    state = after(op(0.1, "init", 10, initial=1), taken, waits)
    assert state.semaphores[LOCK.key].holds == (Hold(10, 10, since=0.2),), (
        "who waits has nothing yet"
    )
    assert state.threads[11].semaphore == LOCK.key
    assert lock(taken, waits, op(0.4, "post", 10, 0), op(0.5, "acquired", 11)).holds == (
        Hold(11, 11, since=0.5),
    )
    assert lock(taken, op(0.3, "trywait", 11, 0)).holds == (Hold(10, 10, since=0.2),)


def test_a_wait_that_was_given_up_takes_nothing() -> None:
    events = (
        op(0.1, "init", 10, initial=0),
        op(0.2, "timedwait", 11, 0),
        op(0.3, "gave-up", 11, error="ETIMEDOUT"),
    )
    state = after(*events)
    assert state.semaphores[LOCK.key].holds == ()
    assert state.threads[11].semaphore == ""
    told = narrate(events[-1], after(*events[:-1]), state)
    assert told is not None
    assert told.text == "p[11] did not get M1: ETIMEDOUT, its time was up"


def test_who_was_overtaken_waits_and_holds_nothing() -> None:
    state = after(
        op(0.1, "init", 10, initial=1),
        op(0.2, "wait", 10, 1),
        op(0.2, "wait", 11, 1),
        op(0.3, "overtaken", 11),
    )
    assert state.semaphores[LOCK.key].holds == (Hold(10, 10, since=0.2),)
    assert state.threads[11].semaphore == LOCK.key


def test_what_is_posted_by_others_is_held_by_nobody() -> None:
    """A producer posts what a consumer takes: that says that there is something, and is no lock."""
    state = after(op(0.1, "init", 10, initial=0), op(0.2, "post", 10, 0), op(0.3, "wait", 11, 1))
    found = state.semaphores[LOCK.key]
    assert found.signals
    assert describe_holding(state, found) == ""


def test_a_holder_that_has_ended_is_told() -> None:
    state = after(
        op(0.1, "init", 10, initial=1),
        op(0.2, "wait", 11, 1),
        ev.Exited(t=0.3, n=30, pid=11, signo=9),
        op(0.4, "wait", 12, 0),
        ev.Waiting(t=0.5, n=50, pid=12, tid=12, call="futex"),
    )
    assert describe_holding(state, state.semaphores[LOCK.key]) == "p[11] (has ended)"
    wait = find_wait(Lookup(state), 12)
    assert wait is not None
    assert (explain_wait(state, wait), wait.waker_pids) == (
        "0, taken by p[11], which has ended",
        (),
    )


def test_what_is_not_known_of_holders_is_marked() -> None:
    older = after(op(0.2, "wait", 10, 1))
    assert older.semaphores[LOCK.key].unsure == OLDER
    assert describe_holding(older, older.semaphores[LOCK.key]) == "p[10], ?"
    taken = op(0.2, "wait", 10, 1)
    sampled = lock(taken, ev.Coverage(t=0.3, n=30, pid=10, full=True, semaphores=False))
    assert (sampled.holds, sampled.unsure) == ((), SAMPLED)
    seen = ev.SemaphoreLevel(info=LOCK, value=0, waiters=0)
    assert lock(taken, ev.Sample(t=0.25, n=25, semaphores=(seen,))).unsure == ""
    elsewhere = ev.SemaphoreLevel(info=LOCK, value=1, waiters=0)
    assert lock(taken, ev.Sample(t=0.9, n=90, semaphores=(elsewhere,))).unsure == UNSEEN
    assert lock(taken, ev.Sample(t=0.21, n=21, semaphores=(elsewhere,))).unsure == "", (
        "it has only just been taken"
    )


def test_system_v_holders_and_what_is_undone() -> None:
    used = (
        level(0.1, 0, 5),
        level(0.1, 1, 1),
        call(0.2, 10, "semop", ops="[0] -3, [1] -1 SEM_UNDO"),
    )
    state = after(*used)
    assert [state.semaphores[f"sysv:7:{i}"].holds for i in (0, 1)] == [
        (Hold(10, 0, 3, since=0.2),),
        (Hold(10, 0, 1, 1, since=0.2),),
    ]
    back = after(*used, call(0.3, 10, "semop", ops="[0] +1"))
    assert back.semaphores["sysv:7:0"].holds == (Hold(10, 0, 2, since=0.2),)
    ended = after(*used, ev.Exited(t=0.3, n=30, pid=10, signo=9))
    assert [ended.semaphores[f"sysv:7:{i}"].holds for i in (0, 1)] == [
        (Hold(10, 0, 3, ended=True, since=0.2),),
        (),
    ]
    anew = after(*used, call(0.3, 11, "semctl", cmd="SETVAL", index=0, value=9))
    assert [anew.semaphores[f"sysv:7:{i}"].holds != () for i in (0, 1)] == [False, True]
    assert not after(*used, call(0.3, 11, "semctl", cmd="IPC_RMID")).semaphores
    assert after(level(0.1, 0, 0, last=99)).semaphores["sysv:7:0"].unsure == OLDER


@pytest.mark.parametrize(
    ("text", "values", "blocked"),
    [
        ("[0] -1", (1,), None),
        ("[0] -1", (0,), 0),
        ("[1] 0 IPC_NOWAIT", (0, 2), 1),
        ("[0] +2, [0] -3 SEM_UNDO", (1,), None),
        ("[0] -1, [1] -2", (1, 1), 1),
        ("[5] -1", (1,), None),
    ],
)
def test_which_semaphore_keeps_a_semop_waiting(
    text: str, values: tuple[int, ...], blocked: int | None
) -> None:
    assert first_blocked(parse_operations(text), values) == blocked


def test_a_destroyed_semaphore_keeps_its_name_in_the_sentence() -> None:
    before = after(op(0.1, "init", 10, initial=1))
    event = op(0.2, "destroy", 10, 1)
    told = narrate(event, before, reduce(before, event))
    assert told is not None
    assert told.text == "p[10] destroyed the semaphore M1"


def asleep(t: float, pid: int, futex: ev.Futex | None = None, semaphore: str = "") -> ev.Event:
    return ev.Waiting(
        t=t, n=int(t * 100), pid=pid, tid=pid, call="futex", futex=futex, semaphore=semaphore
    )


def mutex(owner: int) -> ev.Futex:
    return ev.Futex(key=f"futex:1:2:{owner}", kind="mutex", owner=owner)


def test_threads_that_wait_for_each_other() -> None:
    """One has the semaphore and wants the mutex of another one, which wants the semaphore."""
    start = (
        op(0.1, "init", 10, initial=1),
        op(0.2, "wait", 10, 1),
        op(0.3, "wait", 11, 0),
        asleep(0.4, 11),
    )
    before = after(*start)
    assert list_circles(before) == ()
    event = asleep(0.5, 10, mutex(11))
    state = reduce(before, event)
    assert [(one.tids, one.doubts) for one in list_circles(state)] == [((10, 11), ())]
    around = find_circle(state, 11)
    assert around is not None
    assert around.tids == (11, 10)
    told = narrate(event, before, state)
    assert told is not None
    assert told.text.endswith("; p[10] and p[11] wait for each other")
    behind = after(*start, event, asleep(0.6, 12, mutex(10)))
    assert find_circle(behind, 12) is None, "it waits for one of the circle, and is no part of it"
    assert [one.tids for one in list_circles(after(*start, asleep(0.5, 10, mutex(10))))] == [(10,)]


def test_who_takes_a_semaphore_twice_waits_for_anybody() -> None:
    """That is how an interpreter waits for a condition: no circle, and nobody in particular to end
    it.
    """
    state = after(
        op(0.1, "init", 10, initial=1),
        op(0.2, "wait", 10, 1),
        op(0.3, "wait", 10, 0),
        asleep(0.4, 10),
    )
    wait = find_wait(Lookup(state), 10)
    assert wait is not None
    assert (explain_wait(state, wait), wait.waker_pids) == ("0, taken by itself", ())
    assert list_circles(state) == ()


def test_no_circle_where_others_could_let_one_go_on() -> None:
    first = (op(0.1, "init", 10, initial=2), op(0.2, "wait", 10, 2), op(0.2, "wait", 12, 1))
    waits = (op(0.3, "wait", 11, 0), asleep(0.4, 11), asleep(0.5, 10, mutex(11)))
    assert list_circles(after(*first, *waits)) == (), "12 holds it too, and runs"
    assert list_circles(after(*first, *waits, asleep(0.6, 12, mutex(11)))) != ()
    given = (op(0.1, "init", 10, initial=0), op(0.2, "post", 12, 0), op(0.25, "wait", 10, 1))
    assert list_circles(after(*given, *waits)) == (), "others than its holders post it"


def test_what_is_not_seen_of_semaphores_is_said() -> None:
    """The calls of such a process are traced as before."""
    event = ev.Coverage(
        t=0.3, n=30, pid=10, full=True, reason="more than 1,000 a second", semaphores=False
    )
    before = after(op(0.1, "init", 10, initial=1))
    told = narrate(event, before, reduce(before, event))
    assert told is not None
    assert told.text.startswith(
        "What p[10] does with POSIX semaphores is not seen from here on, their values are"
    )
    assert told.text.endswith("sampled: more than 1,000 a second")


@pytest.mark.parametrize(
    ("words", "threads", "is_one"),
    [
        ((3, 0, 0, 0), 1, True),
        ((0, 2, 0, 0), 3, True),
        (
            (0, 2, 128, 7),
            2,
            True,
        ),  # process-shared by sem_init, and what lies in its padding is nobody's affair
        (
            (0x5580A1B0, 0x55E1, 0x7B3C1D20, 0x1F2E),
            4,
            False,
        ),  # freed: an allocator's next pointer and key
        ((0x7F0012C0, 0x7FEE, 0, 0), 9, False),  # a pointer
        ((0x6C61636F, 0x36386C63, 0, 0), 9, False),  # a text
        ((1, 5, 0, 0), 4, False),  # more wait than there are threads
        ((1, 0, 1, 0), 4, False),
    ],
)
def test_what_lies_where_a_semaphore_was(words, threads, is_one):
    assert is_semaphore(struct.pack("=4I", *words), threads) is is_one


def test_a_semaphore_that_was_destroyed_unseen_is_gone():
    info = SemaphoreInfo(key="sem:vm:10:4096", kind="unnamed", offset=4096, heap=True)
    levels = [SemaphoreLevel(info=info, value=value, waiters=0) for value in (1, -1)]
    state = reduce(State(), Sample(t=1.0, n=1, semaphores=levels[:1]))
    assert state.semaphores[info.key].value == 1
    assert info.key not in reduce(state, Sample(t=2.0, n=2, semaphores=levels[1:])).semaphores


def test_a_semaphore_whose_name_was_removed_can_be_opened_by_nobody() -> None:
    """sem_open links a file of another name, and removes that: its own name stays."""

    def removed(path: str) -> ev.Event:
        effects = (ev.NameRemoved(path=path, object="27:1"),)
        return ev.Call(t=0.3, pid=10, tid=10, name="unlink", effects=effects)

    named = ev.SemaphoreInfo(key="sem:27:1:0", kind="named", name="/turn", object="27:1")
    opened = ev.SemaphoreOp(t=0.1, pid=10, tid=10, op="open", semaphore=named)
    for path, unlinked in (("/dev/shm/sem.Xy12ab", False), ("/dev/shm/sem.turn", True)):
        state = after(opened, removed(path))
        assert state.semaphores[named.key].unlinked is unlinked


def test_private_semaphores_go_with_the_memory_that_they_are_in():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours))
        looks = SemaphoreLooks(context)
        for pid in (10, 11):
            key = f"sem:vm:{pid}:4096"
            looks.add_semaphore(SemaphoreInfo(key=key, kind="unnamed"), pid, 4096)
        shared = SemaphoreInfo(key="sem:8:1:0", kind="named", name="/a")
        looks.add_semaphore(shared, 10, 8192)
        looks.forget_memory(10)
        assert set(looks._addresses) == {"sem:vm:11:4096", shared.key}
