"""Circles of waits: which are proved, which are only probable and why, and which are none.

Plain data.
"""

from __future__ import annotations

import pytest

from ipcviz import events as ev
from ipcviz.model.query import list_holders
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import State
from ipcviz.model.waits.circles import Circle, find_circle, list_circles
from ipcviz.model.waits.values import Doubt, Doubted
from ipcviz.narrate.circles import describe_circle, describe_doubt

ONE = ev.ObjectInfo(key="pipe:[1]", kind="pipe", ino=1)
TWO = ev.ObjectInfo(key="pipe:[2]", kind="pipe", ino=2)
NAMES = {10: "a", 11: "b", 12: "c"}


def born(mode: str = "live") -> list[ev.Event]:
    launched = [
        ev.Forked(t=0.0, pid=pid, parent=1, how="launched", name=name)  # type: ignore[call-arg]
        for pid, name in NAMES.items()
    ]
    return [ev.Started(t=0.0, mode=mode), *launched]  # type: ignore[arg-type]


def has(pid: int, fd: int, mode: str, thing: ev.ObjectInfo) -> ev.Event:
    opened = ev.Opened(fd=fd, ofd=pid * 100 + fd, object=thing, mode=mode)  # type: ignore[arg-type]
    return ev.Call(t=1.0, pid=pid, tid=pid, name="pipe2", ret=0, effects=(opened,))


def asleep(
    pid: int,
    call: str,
    key: str = "",
    /,
    tid: int = 0,
    futex: ev.Futex | None = None,
    **args: int | str,
) -> ev.Event:
    return ev.Waiting(
        t=2.0,
        pid=pid,
        tid=tid or pid,
        call=call,
        began=2.0,
        args=args,
        object=key,
        state="S",
        futex=futex,
    )


def mutex(pid: int, owner: int, kind: str = "mutex", **args: int | str) -> ev.Event:
    futex = ev.Futex(key=f"futex:1:{owner}", kind=kind, owner=owner)  # type: ignore[arg-type]
    return asleep(pid, "futex", futex=futex, **args)


def found(*events: ev.Event, now: float = 2.0, mode: str = "live") -> tuple[Circle, ...]:
    """With all descriptors at hand, and without: what is told is the same."""
    state = reduce_all([*born(mode), *events])
    told = list_circles(state, list_holders(state), now)
    assert told == list_circles(state, None, now)
    for one in told:
        for tid in one.tids:
            around = find_circle(state, tid, now=now)
            assert around is not None
            assert around == one.beginning_with(tid)
    return told


def doubts_of(one: Circle, *events: ev.Event, mode: str = "live") -> tuple[str, ...]:
    """A circle's doubts in words."""
    state = reduce_all([*born(mode), *events])
    return tuple(dict.fromkeys(describe_doubt(state, doubted) for doubted in one.doubts))


def only(*events: ev.Event, now: float = 2.0, mode: str = "live") -> tuple[str, ...]:
    """The doubts of the one circle, which is that of a and b."""
    (one,) = found(*events, now=now, mode=mode)
    assert one.pids == (10, 11)
    return doubts_of(one, *events, mode=mode)


BOTH_READ = (
    has(10, 3, "r", ONE), has(11, 3, "w", ONE), has(10, 4, "w", TWO), has(11, 4, "r", TWO),
    asleep(10, "read", ONE.key, fd=3), asleep(11, "read", TWO.key, fd=4),
)  # fmt: skip
SAMPLED = ev.Coverage(t=1.5, pid=10, full=False)
LOOKED_AT = ev.Sample(t=2.0, processes=(ev.ProcessSample(pid=10, state="S"),))


def test_a_circle_begins_with_its_eldest_whatever_the_numbers_are() -> None:
    """The kernel gives out small numbers again: a child may have a smaller one than its parent."""
    old, young = 32766, 301
    state = reduce_all(
        [
            ev.Started(t=0.0, mode="live"),
            ev.Forked(t=0.0, pid=old, parent=1, how="launched", name="old"),
            ev.Forked(t=0.5, pid=young, parent=old, how="fork", name="young"),
            mutex(old, young),
            mutex(young, old),
        ]
    )
    (one,) = list_circles(state, list_holders(state), 2.0)
    assert one.pids == (old, young)


def test_what_calls_tell_is_proved_and_told_at_once() -> None:
    assert only(*BOTH_READ) == ()
    assert only(mutex(10, 11), mutex(11, 10)) == ()
    assert only(*BOTH_READ[:5], mutex(11, 10)) == ()


@pytest.mark.parametrize(
    ("more", "doubt"),
    [
        (
            (
                ev.Call(
                    t=1.0,
                    pid=11,
                    tid=11,
                    name="alarm",
                    effects=(ev.Timer(change="set", signo=14, seconds=9.0),),
                ),
            ),
            "a timer is armed",
        ),
        (
            (
                ev.Forked(t=1.0, pid=12, parent=11, how="fork", name="c"),
                ev.Call(
                    t=1.0,
                    pid=11,
                    tid=11,
                    name="rt_sigaction",
                    effects=(ev.Disposition(signo=17, action="catch"),),
                ),
            ),
            "a child may end and send SIGCHLD",
        ),
    ],
)
def test_what_could_end_it_from_within_makes_it_probable(
    more: tuple[ev.Event, ...], doubt: str
) -> None:
    assert only(*more, *BOTH_READ) == (doubt,)


def test_a_wait_that_is_not_certain_makes_it_probable() -> None:
    limited = (*BOTH_READ, mutex(11, 10, timeout="0x7ffc1000"))
    assert found(*limited) == (), "it may be one of milliseconds, that is tried again and again"
    assert only(*limited, now=2.6) == ("one has a timeout",)
    assert only(*BOTH_READ, asleep(11, "read", TWO.key, fd=4, timeout="0x7ffc1000"), now=2.6) == (
        "one has a timeout",
    )
    assert only(*BOTH_READ, mutex(11, 10, kind="rwlock")) == ("a lock known by its memory alone",)


def test_no_circle_where_somebody_else_could_step_in() -> None:
    assert found(*BOTH_READ, has(12, 3, "w", ONE)) == (), "c has a write end, and runs"
    assert only(*BOTH_READ, has(12, 3, "w", ONE), mutex(12, 10)) == (), "c waits for them"
    assert found(*BOTH_READ, ev.ThreadCreated(t=1.0, pid=11, tid=21)) == (), (
        "another thread of b could write"
    )
    wrote = ev.Call(t=2.0, pid=11, tid=11, name="write", args={"fd": 3}, object=ONE.key, ret=1)
    assert found(*BOTH_READ, wrote, BOTH_READ[5], now=9.0) != (), (
        "the read that was seen last is over for long"
    )
    assert found(*BOTH_READ[:5], wrote, BOTH_READ[5]) == (), "a is about to be woken"
    full = ev.Sample(t=2.0, levels=(ev.Level(object=ONE.key, queued=1, capacity=65536),))
    assert found(*BOTH_READ, wrote, BOTH_READ[5], full, now=9.0) == (), "something lies there"


def test_what_was_there_before_the_command_others_may_have() -> None:
    rows = tuple(
        ev.TableEntry(fd=fd, ofd=fd, object=thing, mode=mode)
        for fd, thing, mode in ((3, ONE, "r"), (4, ONE, "w"))
    )
    table = ev.Table(t=0.5, pid=10, entries=rows)
    assert found(table, asleep(10, "read", ONE.key, fd=3), now=9.0) == (), (
        "such as the tokens of make"
    )
    (one,) = found(table, asleep(10, "read", ONE.key, fd=3), now=9.0, mode="attached")
    assert (one.tids, one.doubts) == ((10,), (Doubted(Doubt.OTHERS_HAVE, ONE.key),))


def test_who_is_only_sampled_must_have_slept_for_long() -> None:
    """It may have been awake between two looks: then it has used time, or made calls."""
    events = (SAMPLED, *BOTH_READ, LOOKED_AT)
    assert found(*events) == ()
    assert only(*events, now=2.6) == ("only sampled", "as far as is seen")
    assert (
        found(
            *events,
            ev.Sample(t=2.5, processes=(ev.ProcessSample(pid=10, state="S", user_time=0.1),)),
            now=2.6,
        )
        == ()
    )
    assert found(SAMPLED, mutex(10, 11), mutex(11, 10), LOOKED_AT) == ()
    assert only(SAMPLED, mutex(10, 11), mutex(11, 10), LOOKED_AT, now=2.6) == ("only sampled",)


def test_all_are_at_rest_in_step_mode() -> None:
    """What sleeps there sleeps: nothing has to last."""
    held = (ev.Held(t=1.9), SAMPLED, *BOTH_READ, ev.Settled(t=2.0, step=1))
    assert only(*held) == ("only sampled", "as far as is seen")


def test_who_writes_to_its_own_pipe_in_a_handler() -> None:
    own = (has(10, 3, "r", ONE), has(10, 4, "w", ONE))
    catches = ev.Call(
        t=1.0,
        pid=10,
        tid=10,
        name="rt_sigaction",
        effects=(ev.Disposition(signo=15, action="catch"),),
    )
    waits = asleep(10, "read", ONE.key, fd=3)
    assert [one.doubts for one in found(*own, waits)] == [()]
    assert [one.doubts for one in found(*own, catches, waits)] == [(Doubted(Doubt.HANDLER),)]


def test_a_parent_and_its_child() -> None:
    child = ev.Forked(t=0.1, pid=11, parent=10, how="fork", name="b")
    events = (
        child,
        has(10, 3, "r", ONE),
        has(11, 3, "w", ONE),
        has(10, 4, "w", TWO),
        has(11, 4, "r", TWO),
    )
    waits = (asleep(10, "wait4", pid=-1), asleep(11, "read", TWO.key, fd=4))
    assert only(*events, *waits) == ()
    assert only(*events, *waits, mode="attached") == ("others may be its children",)
    other = ev.Forked(t=0.1, pid=12, parent=10, how="fork", name="c")
    assert found(other, *events, *waits) == (), "it waits for any child, and c runs"
    assert only(other, *events, asleep(10, "wait4", pid=11), waits[1], mode="attached") == ()
    ended = ev.Exited(t=3.0, pid=12, code=0)
    assert found(other, *events, *waits, ended) == (), "c has ended: the kernel is waking it"
    one = asleep(10, "wait4", pid=11)
    assert only(other, *events, one, waits[1], ended) == (), "it waits for b alone"


def test_a_system_v_queue_may_be_used_by_those_who_know_its_number() -> None:
    """They have no descriptor of it: a child of one who has used it may not have done so yet."""
    waits = (
        asleep(10, "msgsnd", "msg:1", id=1, count=9),
        asleep(11, "msgsnd", "msg:2", id=2, count=9),
    )
    used = tuple(
        ev.Call(
            t=1.0,
            pid=pid,
            tid=pid,
            name="msgrcv",
            args={"id": number},
            object=f"msg:{number}",
            ret=1,
        )
        for pid, number in ((10, 2), (11, 1))
    )
    assert found(*used, *waits) == ()
    assert only(*used, *waits, now=9.0) == ("others may use msg 1", "others may use msg 2")
    heir = ev.Forked(t=1.1, pid=13, parent=10, how="fork", name="d")
    assert found(*used, heir, *waits, now=9.0) == ()
    assert found(*waits, now=9.0) == (), "who else uses them was not seen"


def test_of_many_that_hang_on_each_other_the_shortest_circle_is_told() -> None:
    """Whoever waits for a child only stands by: it is not named if it need not be."""
    queue = ev.ObjectInfo(key="0:9", kind="message queue", path="/q")
    parents = tuple(
        ev.Forked(t=0.1, pid=pid, parent=10, how="fork", name=NAMES[pid]) for pid in (11, 12)
    )
    ends = tuple(has(pid, 3, "rw", queue) for pid in NAMES)
    waits = (
        asleep(10, "wait4", pid=-1),
        *(asleep(pid, "mq_timedsend", queue.key, fd=3) for pid in (11, 12)),
    )
    state = reduce_all([*born(), *parents, *ends, *waits])
    (one,) = list_circles(state, list_holders(state), 9.0)
    assert (one.tids, one.doubts) == ((11, 12), (Doubted(Doubt.OTHERS_OPEN, "0:9"),))
    assert (
        describe_circle(state, one)
        == "b[11] and c[12] probably wait for each other (others could open q)"
    )


def test_a_timeout_of_a_socket_is_a_doubt() -> None:
    ends = [
        ev.ObjectInfo(
            key=f"socket:[{n}]",
            kind="unix socket",
            ino=n,
            detail="stream",
            peer=f"socket:[{3 - n}]",
        )
        for n in (1, 2)
    ]
    made = (has(10, 3, "rw", ends[0]), has(11, 3, "rw", ends[1]))
    waits = tuple(asleep(9 + n, "recvfrom", f"socket:[{n}]", fd=3) for n in (1, 2))
    assert only(*made, *waits) == ()
    args: dict[str, int | str] = {"fd": 3, "level": 1, "option": 20}
    limited = ev.Call(t=1.5, pid=10, tid=10, name="setsockopt", args=args, object="socket:[1]")
    assert only(*made, limited, *waits, now=2.6) == ("one has a timeout",)


def test_the_words_say_what_is_not_certain() -> None:
    state: State = reduce_all(born())
    assert (
        describe_circle(state, Circle((10, 11), (10, 11))) == "a[10] and b[11] wait for each other"
    )
    unsure = Circle(
        (10,), (10,), tuple(map(Doubted, (Doubt.SAMPLED, Doubt.TIMEOUT, Doubt.OTHERS_HAVE)))
    )
    assert (
        describe_circle(state, unsure)
        == "a[10] probably waits for what it has itself (only sampled, one has a timeout, ...)"
    )


TABLE = (21, 22, 23, 24, 25)
SEATED = tuple(ev.ThreadCreated(t=1.0, pid=10, tid=tid, by=10) for tid in TABLE)


def unowned(tid: int, kind: str = "semaphore", pid: int = 10, **args: int | str) -> ev.Event:
    """A thread that waits in memory of its own process for what tells no owner."""
    futex = ev.Futex(key=f"futex:vm:{pid}:{tid}", offset=tid, private=True, kind=kind)  # type: ignore[arg-type]
    return asleep(pid, "futex", tid=tid, futex=futex, **args)


JOINS = asleep(10, "futex", futex=ev.Futex(key="futex:vm:10:1", offset=1, kind="thread", owner=21))


@pytest.mark.parametrize("kind", ["semaphore", "condition"])
def test_threads_that_only_each_other_could_wake(kind: str) -> None:
    (one,) = found(*SEATED, JOINS, *(unowned(tid, kind) for tid in TABLE), now=9.0)
    assert (one.tids, one.doubts) == (TABLE, (Doubted(Doubt.MEMORY),))
    assert (
        describe_circle(
            reduce_all([*born(), *SEATED, JOINS, *(unowned(tid, kind) for tid in TABLE)]), one
        )
        == "a[10/21], a[10/22], a[10/23], a[10/24] and a[10/25] probably wait for each other "
        "(a lock known by its memory alone)"
    )


def test_it_has_to_last() -> None:
    assert not found(*SEATED, JOINS, *(unowned(tid) for tid in TABLE), now=2.1)


@pytest.mark.parametrize(
    "other",
    [
        asleep(10, "epoll_wait", tid=25, fd=3),
        unowned(25, timeout="0x7ff0"),
        ev.Resumed(t=2.5, pid=10, tid=25),
        ev.Forked(t=2.5, pid=13, parent=10, by=10, how="vfork", shares_memory=True),
    ],
    ids=["waits for others", "has a limit", "runs", "shares the memory"],
)
def test_whoever_goes_on_could_wake_all(other: ev.Event) -> None:
    assert not found(*SEATED, JOINS, *(unowned(tid) for tid in TABLE), other, now=9.0)


def test_a_handler_could_post() -> None:
    caught = ev.Call(
        t=1.0,
        pid=10,
        tid=10,
        name="rt_sigaction",
        effects=(ev.Disposition(signo=10, action="catch"),),
    )
    (one,) = found(*SEATED, caught, JOINS, *(unowned(tid) for tid in TABLE), now=9.0)
    assert one.doubts == (Doubted(Doubt.MEMORY), Doubted(Doubt.HANDLER))


def test_one_thread_alone_waits_for_nobody_that_is_known() -> None:
    assert not found(unowned(10), now=9.0)
