"""Waits as values: why, on what, who could end it and how surely, a row a mechanism; and that no
code asks the words for it.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import msgspec
import pytest

import ipcviz
from ipcviz import events as ev
from ipcviz.events.calls import Waits
from ipcviz.model.query import list_holders
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import State
from ipcviz.model.waits import rules
from ipcviz.model.waits.circles import list_circles
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.rules import Mechanism, find_all_wakers, find_wait, wait_of
from ipcviz.model.waits.stuck import nobody_else
from ipcviz.model.waits.values import Doubt, Grade, Wait, Why
from ipcviz.narrate.circles import describe_doubt
from ipcviz.narrate.waits import describe_reason_clause, describe_wait

A, B, C = 10, 11, 12
PIPE = ev.ObjectInfo(key="pipe:[1]", kind="pipe", ino=1)
FIFO = ev.ObjectInfo(key="0:2", kind="fifo", path="/f", ino=2)
FILE = ev.ObjectInfo(key="0:3", kind="file", path="/lock", ino=3)
TERMINAL = ev.ObjectInfo(key="0:4", kind="terminal", path="/dev/pts/0", ino=4)
EVENTFD = ev.ObjectInfo(key="eventfd:5", kind="eventfd", ino=5)
TIMERFD = ev.ObjectInfo(key="timerfd:6", kind="timerfd", ino=6)
SIGNALFD = ev.ObjectInfo(key="signalfd:7", kind="signalfd", ino=7)
INOTIFY = ev.ObjectInfo(key="inotify:8", kind="inotify", ino=8)
ONE = ev.ObjectInfo(
    key="socket:[9]", kind="unix socket", ino=9, detail="stream", peer="socket:[10]"
)
TWO = ev.ObjectInfo(
    key="socket:[10]", kind="unix socket", ino=10, detail="stream", peer="socket:[9]"
)
LISTENER = ev.ObjectInfo(
    key="socket:[11]", kind="unix socket", ino=11, detail="stream listening", path="/s"
)
QUEUE = ev.ObjectInfo(key="0:12", kind="message queue", path="/q", ino=12)
THINGS = (PIPE, FIFO, FILE, TERMINAL, EVENTFD, TIMERFD, SIGNALFD, INOTIFY, QUEUE)


def opened(pid: int, fd: int, mode: str, thing: ev.ObjectInfo) -> ev.Event:
    made = ev.Opened(fd=fd, ofd=pid * 100 + fd, object=thing, mode=mode)  # type: ignore[arg-type]
    return ev.Call(t=1.0, pid=pid, tid=pid, name="open", ret=fd, effects=(made,))


BEGUN: tuple[ev.Event, ...] = (
    ev.Started(t=0.0, mode="live"),  # type: ignore[call-arg]
    ev.Forked(t=0.0, pid=A, parent=1, how="launched", name="a"),
    ev.Forked(t=0.1, pid=B, parent=A, how="vfork", name="b"),
    ev.Forked(t=0.2, pid=C, parent=A, how="fork", name="c"),
    *(opened(A, 20 + n, "r" if thing is PIPE else "rw", thing) for n, thing in enumerate(THINGS)),
    *(opened(B, 20 + n, "w" if thing is PIPE else "rw", thing) for n, thing in enumerate(THINGS)),
    opened(A, 3, "rw", ONE),
    opened(B, 3, "rw", TWO),
    opened(C, 3, "rw", LISTENER),
)


def state_of(*events: ev.Event) -> State:
    return reduce_all([*BEGUN, *events])


def waits(call: str, key: str = "", futex: ev.Futex | None = None, **args: int | str) -> ev.Event:
    return ev.Waiting(t=2.0, pid=A, tid=A, call=call, began=2.0, args=args, object=key, futex=futex)


def futex(kind: str, owner: int = 0, **more: int) -> ev.Futex:
    key = "futex:1:8"
    return ev.Futex(key=key, object="0:1", kind=kind, owner=owner, **more)  # type: ignore[arg-type]


def locked(pid: int) -> ev.Event:
    lock = ev.FileLock(kind="posix", mode="w", pid=pid)
    return ev.Sample(t=1.5, locks=(ev.ObjectLocks(object=FILE.key, locks=(lock,)),))


ROWS: tuple[tuple[tuple[ev.Event, ...], Why, tuple[int, ...], set[Doubt], str], ...] = (
    ((waits("read", PIPE.key, fd=20),), Why.EMPTY, (B,), set(), ": it is empty"),
    (
        (waits("openat", FIFO.key, flags="O_RDONLY"),),
        Why.NO_WRITER,
        (A, B),
        {Doubt.NOBODY_KNOWN},
        ": no writer has it open",
    ),
    (
        (waits("openat", FIFO.key, flags="O_WRONLY|O_CLOEXEC"),),
        Why.NO_READER,
        (A, B),
        {Doubt.NOBODY_KNOWN},
        ": no reader has it open",
    ),
    ((waits("openat"),), Why.OPEN, (), {Doubt.NOBODY_KNOWN}, ": opening"),
    ((waits("read", ONE.key, fd=3),), Why.EMPTY, (B,), set(), ": it is empty"),
    ((waits("write", ONE.key, fd=3),), Why.FULL, (B,), {Doubt.SEEN}, ", for room in S2"),
    ((waits("read", EVENTFD.key, fd=24),), Why.EMPTY, (A, B), {Doubt.SEEN}, ": its counter is 0"),
    (
        (waits("mq_timedsend", QUEUE.key, fd=28),),
        Why.FULL,
        (B,),
        {Doubt.OTHERS_OPEN},
        ": it is full",
    ),
    ((waits("read", TERMINAL.key, fd=23),), Why.INPUT, (), {Doubt.NOBODY_KNOWN}, ", for input"),
    ((waits("read", FILE.key, fd=22),), Why.DISK, (), {Doubt.NOBODY_KNOWN}, ", for the disk"),
    ((waits("fsync"),), Why.DISK, (), {Doubt.NOBODY_KNOWN}, ", for the disk"),
    (
        (waits("read", TIMERFD.key, fd=25),),
        Why.TIMER,
        (),
        {Doubt.NOBODY_KNOWN},
        ", until it expires",
    ),
    (
        (waits("read", SIGNALFD.key, fd=26),),
        Why.SIGNAL,
        (),
        {Doubt.NOBODY_KNOWN},
        ", until a signal comes",
    ),
    (
        (waits("read", INOTIFY.key, fd=27),),
        Why.CHANGE,
        (),
        {Doubt.NOBODY_KNOWN},
        ", until something happens to what it watches",
    ),
    (
        (waits("accept4", LISTENER.key, fd=3),),
        Why.CONNECTION,
        (),
        {Doubt.NOBODY_KNOWN},
        ", for a connection",
    ),
    (
        (waits("connect", ONE.key, fd=3, address="/s"),),
        Why.ANSWER,
        (C,),
        {Doubt.UNACCEPTED},
        ", for S3, which listens at /s",
    ),
    (
        (waits("futex", futex=futex("mutex", owner=B)),),
        Why.MUTEX,
        (B,),
        set(),
        ": a mutex held by b[11]",
    ),
    (
        (waits("futex", futex=futex("rwlock", owner=B)),),
        Why.RWLOCK,
        (B,),
        {Doubt.MEMORY, Doubt.SHARED},
        ": probably a read-write lock that b[11] has for writing",
    ),
    (
        (waits("futex", futex=futex("barrier", arrived=1, parties=2)),),
        Why.BARRIER,
        (),
        {Doubt.UNSEEN, Doubt.SHARED},
        ": probably a barrier: 1 of 2 have come",
    ),
    (
        (waits("futex", futex=futex("thread", owner=B)),),
        Why.JOIN,
        (B,),
        set(),
        ", until thread 11 ends",
    ),
    (
        (waits("futex", futex=futex("condition")),),
        Why.CONDITION,
        (),
        {Doubt.UNSEEN, Doubt.SHARED},
        ": probably a condition variable",
    ),
    ((waits("futex"),), Why.FUTEX, (), {Doubt.NOBODY_KNOWN}, ": a futex"),
    (
        (locked(B), waits("fcntl", FILE.key, fd=22, cmd="F_SETLKW", lock="F_WRLCK")),
        Why.LOCK,
        (B,),
        set(),
        ": held exclusively by b[11]",
    ),
    (
        (locked(77), waits("fcntl", FILE.key, fd=22, cmd="F_SETLKW", lock="F_WRLCK")),
        Why.LOCK,
        (77,),
        {Doubt.OUTSIDER},
        ": held exclusively by process[77], not watched",
    ),
    ((waits("wait4", pid=B),), Why.CHILD, (B,), set(), ", for a child: b[11]"),
    ((waits("vfork"),), Why.VFORK, (B,), set(), ", until its child executes or exits"),
    ((waits("clone3"),), Why.VFORK, (B,), set(), ", until its child executes or exits"),
    (
        (waits("pause"),),
        Why.SIGNAL,
        (),
        set(),
        ", for a signal: it catches none, so only one that ends it",
    ),
    ((waits("nanosleep"),), Why.TIME, (), {Doubt.TIME}, ", for time to pass"),
    (
        (waits("poll", watched="20r"),),
        Why.READY,
        (B,),
        {Doubt.ANY_OF_SEVERAL},
        ", for P1 (readable)",
    ),
    ((waits("io_uring_enter", fd=9),), Why.UNKNOWN, (), {Doubt.NOBODY_KNOWN}, ""),
)


@pytest.mark.parametrize(
    ("events", "why", "wakers", "doubts", "words"),
    ROWS,
    ids=lambda value: str(value) if isinstance(value, Why) else "",
)
def test_a_wait_of_each_mechanism(
    events: tuple[ev.Event, ...],
    why: Why,
    wakers: tuple[int, ...],
    doubts: set[Doubt],
    words: str,
) -> None:
    state = state_of(*events)
    wait = wait_of(state, A, list_holders(state))
    assert wait is not None
    assert wait.wakers is not None
    assert (wait.why, wait.waker_pids) == (why, wakers)
    assert {one.doubt for one in wait.wakers.doubts} == doubts
    assert describe_reason_clause(state, wait) == words
    assert find_wait(Lookup(state), A) == wait, "with all descriptors at hand, and without"
    brief = wait_of(state, A)
    assert brief == msgspec.structs.replace(wait, wakers=None), "who could end it costs more"
    # What is asked for circles is the same answer.
    known = find_all_wakers(Lookup(state), state.threads[A])
    assert (known is not None) == wait.wakers.complete or wait.limited
    assert known is None or known.known == wait.wakers.known


def test_a_semaphore_of_system_v_is_given_by_who_took_it() -> None:
    info = ev.SemaphoreInfo(key="sysv:1:0", kind="system v")
    semop = {"id": 1, "ops": "[0] -1"}
    state = state_of(
        ev.Sample(t=0.5, semaphores=(ev.SemaphoreLevel(info=info, value=1),)),
        ev.Call(t=1.0, pid=B, tid=B, name="semop", args=semop),
        ev.Sample(t=1.5, semaphores=(ev.SemaphoreLevel(info=info, value=0, last_pid=B),)),
        ev.Waiting(
            t=2.0, pid=A, tid=A, call="semop", args=semop, object=info.key, semaphore=info.key
        ),
    )
    wait = wait_of(state, A, list_holders(state))
    assert wait is not None
    assert wait.wakers is not None
    assert (wait.why, wait.waker_pids) == (Why.SEMAPHORE, (B,))
    assert wait.wakers.complete
    assert not nobody_else(wait), "who is not watched may know the set"
    assert [one.doubt.grade for one in wait.wakers.doubts] == [Grade.NOTE]
    assert (
        describe_reason_clause(state, wait) == ": its value is 0, and it wants -1, taken by b[11]"
    )


def test_a_message_of_a_type() -> None:
    """A System V queue has no descriptors: who has used it could send."""
    key = "msg:7"
    used = ev.Call(t=1.0, pid=B, tid=B, name="msgsnd", args={"id": 7, "count": 4}, object=key)
    level = ev.Level(object=key, queued=4, capacity=64, unit="bytes", messages=1)
    asked = waits("msgrcv", key, id=7, type=9)
    state = state_of(used, asked, ev.Sample(t=2.5, levels=(level,)))
    wait = wait_of(state, A, list_holders(state))
    assert wait is not None
    assert (wait.why, wait.waker_pids) == (Why.NO_MESSAGE, (B,))
    assert describe_wait(state, wait) == "msgrcv on msg 7, no message of type 9: 1 other waits"
    empty = state_of(used, waits("msgrcv", key, id=7, type=0))
    wait = wait_of(empty, A)
    assert wait is not None
    assert wait.why is Why.EMPTY


def test_a_lock_of_somebody_who_is_not_watched_closes_no_circle() -> None:
    """A read lock is shared: of two that have it, one goes on unseen."""
    locks = tuple(ev.FileLock(kind="posix", mode="r", pid=pid) for pid in (B, 77))
    held = ev.Sample(t=1.5, locks=(ev.ObjectLocks(object=FILE.key, locks=locks),))
    back = ev.Waiting(t=2.0, pid=B, tid=B, call="wait4", began=2.0, args={"pid": A})
    child = ev.Forked(t=0.1, pid=A, parent=B, how="fork", name="a")
    wants = waits("fcntl", FILE.key, fd=22, cmd="F_SETLKW", lock="F_WRLCK")
    assert not list_circles(state_of(child, held, wants, back), now=9.0)
    alone = ev.Sample(t=1.5, locks=(ev.ObjectLocks(object=FILE.key, locks=locks[:1]),))
    assert len(list_circles(state_of(child, alone, wants, back), now=9.0)) == 1


def test_who_has_begun_a_vforked_child_can_wait_for_it_in_a_circle() -> None:
    reads = ev.Waiting(t=2.0, pid=B, tid=B, call="read", began=2.0, args={"fd": 3}, object=TWO.key)
    (one,) = list_circles(state_of(waits("vfork"), reads), now=9.0)
    assert one.tids == (A, B)
    executed = ev.Executed(t=1.9, pid=B, path="/bin/b", argv=("b",), name="b")
    assert not list_circles(state_of(executed, waits("vfork"), reads), now=9.0)


def test_every_mechanism_has_a_rule_and_every_wait_of_the_table_a_mechanism() -> None:
    assert set(rules.RULES) == set(Mechanism)
    assert set(rules._BY_WAITS) == set(get_args(Waits)) - {""}


@pytest.mark.parametrize("doubt", Doubt)
def test_every_doubt_has_words(doubt: Doubt) -> None:
    assert describe_doubt(State(), rules.Doubted(doubt))


# No code asks the words.

_WORDS = {
    "describe_reason_clause", "describe_reason_briefly", "describe_chain", "describe_circle",
    "describe_wait", "describe_detail", "describe_doubt", "explain_wait", "describe_remaining",
    "describe_limit", "describe_reason", "describe_stuck", "describe_wait_untimed",
    "why_doubtful",
}  # fmt: skip
_SEARCHES = {
    "count", "endswith", "find", "fullmatch", "index", "match", "partition", "removeprefix",
    "removesuffix", "replace", "rpartition", "search", "split", "startswith", "strip",
}  # fmt: skip


def _says_a_wait(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else ""
        return (function.id if isinstance(function, ast.Name) else name) in _WORDS
    return False


def _asks_words(function: ast.AST) -> list[int]:
    """Lines at which what was said of a wait is compared or searched."""
    names: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _says_a_wait(node.value, names):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    found = []
    for node in ast.walk(function):
        asked: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked = [node.func.value] if node.func.attr in _SEARCHES else []
        elif isinstance(node, ast.Subscript):
            asked = [node.value]
        found += [node.lineno for one in asked if _says_a_wait(one, names)]  # type: ignore[attr-defined]
    return found


def test_no_code_compares_or_searches_the_words_of_a_wait() -> None:
    root = Path(ipcviz.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found += [f"{path.relative_to(root)}:{line}" for line in _asks_words(function)]
    assert not found, "ask the wait's `why` and `facts`"
    assert _asks_words(ast.parse("words = explain_wait(s, w)\nif 'empty' in words: pass")) == [2]
    assert _asks_words(ast.parse("describe_reason(s, w).startswith('for ')")) == [1]


def test_a_wait_has_no_words() -> None:
    """Its texts are names of calls and keys; `length` is a number as the kernel was given it."""
    texts = {
        field.name
        for field in msgspec.structs.fields(Wait)
        if field.type is str or str in get_args(field.type)
    }
    assert texts == {"call", "object", "semaphore", "length"}
