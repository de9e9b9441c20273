"""Who waits because of whom, and what waits in a circle. Plain data."""

from __future__ import annotations

import msgspec

from ipcviz.app.bars import circle_chip, halted_chip
from ipcviz.events import (
    Call,
    EpollEntry,
    Event,
    Forked,
    Futex,
    Level,
    Notifier,
    ObjectInfo,
    Opened,
    ProcessSample,
    Sample,
    Started,
    Stopped,
    ThreadCreated,
    ThreadSample,
    Timer,
    Waiting,
)
from ipcviz.model.query import list_holders
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import State
from ipcviz.model.waits.chains import chain_of, list_halting_processes
from ipcviz.model.waits.circles import Circle, list_circles
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.stuck import all_wait
from ipcviz.model.waits.values import Doubt, Doubted, Wait
from ipcviz.narrate.circles import describe_chain, describe_circle
from ipcviz.narrate.waits import describe_limit, describe_wait

NAMES = {10: "a", 11: "b", 12: "c", 13: "d"}


def pipe(ino: int) -> ObjectInfo:
    return ObjectInfo(key=f"pipe:[{ino}]", kind="pipe", ino=ino)


def state_of(*events: Event) -> State:
    born = [
        Forked(t=0.0, pid=pid, parent=1, how="attached", name=name) for pid, name in NAMES.items()
    ]
    return reduce_all([Started(t=0.0, mode="attached"), *born, *events])


def holds(pid: int, fd: int, mode: str, thing: ObjectInfo) -> Call:
    opened = Opened(fd=fd, ofd=pid * 100 + fd, object=thing, mode=mode)  # type: ignore[arg-type]
    return Call(t=1.0, pid=pid, tid=pid, name="dup", ret=fd, effects=(opened,))


def reads(pid: int, fd: int, thing: ObjectInfo) -> Waiting:
    return Waiting(
        t=2.0, pid=pid, tid=pid, call="read", args={"fd": fd}, object=thing.key, state="S"
    )


def locks(pid: int, owner: int, tid: int = 0) -> Waiting:
    mutex = Futex(key="0:1000", kind="mutex", owner=owner)
    return Waiting(t=2.0, pid=pid, tid=tid or pid, call="futex", state="S", futex=mutex)


def words(state: State, tid: int) -> str:
    held = list_holders(state)

    def waits(other: int) -> Wait | None:
        return wait_of(state, other, held)

    wait = waits(tid)
    assert wait is not None
    return describe_chain(
        state, wait, chain_of(state, tid, waits, list_circles(state, held, now=9.0))
    )


def around(state: State) -> tuple[tuple[int, ...], ...]:
    return tuple(one.pids for one in list_circles(state, list_holders(state), now=9.0))


def test_a_mutex_and_a_pipe_make_a_circle() -> None:
    """And one that waits from outside of it is told about, but is not a part of it."""
    one, two = pipe(1), pipe(2)
    state = state_of(
        holds(10, 3, "r", one), holds(11, 3, "w", one), holds(10, 4, "w", two),
        holds(12, 3, "r", two),
        reads(10, 3, one), locks(11, 10), reads(12, 3, two),
    )  # fmt: skip
    assert words(state, 10) == "for b[11], that for a[10] again: a circle"
    assert words(state, 12) == "for a[10], that for b[11], that for a[10] again: a circle"
    assert around(state) == ((10, 11),)


def test_two_circles_are_two() -> None:
    state = state_of(locks(10, 11), locks(11, 10), locks(12, 13), locks(13, 12))
    assert around(state) == ((10, 11), (12, 13))


def test_a_circle_in_the_top_line() -> None:
    state = state_of(Forked(t=0.0, pid=14, parent=1, how="attached", name="a"))

    def around(*pids: int, doubts: tuple[str, ...] = ()) -> Circle:
        return Circle(pids, pids, doubts)

    unsure = around(12, 13, doubts=("only sampled",))
    assert circle_chip(state, (around(11, 10),)) == "a[10] and b[11] wait for each other"
    assert circle_chip(state, (around(10, 14),)) == "a[10] and a[14] wait for each other"
    assert circle_chip(state, (unsure,)) == "c[12] and d[13] probably wait for each other"
    assert circle_chip(state, (around(10, 11), around(12, 13))) == "2 circles"
    assert circle_chip(state, (around(10, 11), unsure)) == "probably 1 of 2 circles"
    assert circle_chip(state, (unsure, unsure)) == "probably 2 circles"


def test_one_that_reads_what_only_it_could_write() -> None:
    thing = pipe(1)
    state = state_of(holds(10, 3, "r", thing), holds(10, 4, "w", thing), reads(10, 3, thing))
    assert words(state, 10) == "for itself: nobody else of those watched could end it"
    assert around(state) == ((10,),)


def test_the_end_of_a_chain() -> None:
    """Somebody who runs, is stopped, or sleeps for reasons of its own; several, of whom any could
    end the wait.
    """
    thing = pipe(1)
    opened = (holds(10, 3, "r", thing), holds(11, 3, "w", thing), reads(10, 3, thing))
    assert words(state_of(*opened), 10) == "for b[11], which goes on"
    assert (
        words(state_of(*opened, Stopped(t=3.0, pid=11, signo=19)), 10)
        == "for b[11], which is stopped"
    )
    sleeps = Waiting(t=3.0, pid=11, tid=11, call="nanosleep", state="S")
    assert (
        words(state_of(*opened, sleeps), 10) == "for b[11], which is in nanosleep, for time to pass"
    )
    assert words(state_of(*opened, holds(12, 3, "w", thing)), 10) == "for b[11] or c[12]"
    assert around(state_of(*opened, holds(12, 3, "w", thing), locks(11, 10))) == ()
    assert around(state_of(*opened, holds(12, 3, "w", thing), locks(11, 10), locks(12, 10))) == (
        (10, 11),
    )


def test_the_thread_that_has_a_mutex_is_known() -> None:
    """Of a process with several threads, the one that holds it is followed; else only whether some
    of them run.
    """
    thing = pipe(1)
    more = ThreadCreated(t=1.0, pid=10, tid=20)
    state = state_of(
        more,
        holds(10, 3, "w", thing),
        holds(11, 3, "r", thing),
        locks(10, 11, tid=20),
        reads(11, 3, thing),
    )
    assert words(state, 20) == "for b[11], that for a[10], 1 of whose 2 threads runs"
    assert around(state) == ()
    state = state_of(more, locks(10, 20), locks(10, 10, tid=20))
    assert words(state, 10) == "for a[10], that for a[10] again: a circle"
    assert around(state) == ((10,),)


def polls(pid: int, *words: str, tid: int = 0, name: str = "poll", key: str = "") -> Waiting:
    args: dict[str, int | str] = {"watched": " ".join(words)}
    return Waiting(t=2.0, pid=pid, tid=tid or pid, call=name, args=args, object=key, state="S")


def pair(ino: int) -> tuple[ObjectInfo, ObjectInfo]:
    one, two = f"socket:[{ino}]", f"socket:[{ino + 1}]"
    kind = "unix socket"
    return (
        ObjectInfo(key=one, kind=kind, ino=ino, detail="stream", peer=two),
        ObjectInfo(key=two, kind=kind, ino=ino + 1, detail="stream", peer=one),
    )


def enders(state: State, tid: int) -> tuple[int, ...]:
    wait = wait_of(state, tid, list_holders(state))
    assert wait is not None
    return wait.waker_pids


def looked_at(pid: int, *letters: str) -> Sample:
    threads = tuple(
        ThreadSample(tid=pid + 100 * n, state=letter) for n, letter in enumerate(letters)
    )
    return Sample(t=3.0, processes=(ProcessSample(pid=pid, state=letters[0], threads=threads),))


def test_a_wait_for_readiness_is_followed_where_one_process_alone_can_end_it() -> None:
    """A client with a time limit polls where others just read."""
    (mine, theirs), (ours, wake) = pair(1), pair(3)
    opened = (holds(10, 3, "rw", mine), holds(11, 3, "rw", theirs), polls(10, "3r"))
    assert words(state_of(*opened), 10) == "for b[11], which goes on"
    assert words(state_of(*opened, polls(11, "3r")), 10) == "for b[11], that for a[10] again", (
        "as when all is idle"
    )
    # Sockets to itself, as event loops have them, end no sleep of an only thread; of several
    # threads they may.
    itself = (holds(10, 4, "rw", ours), holds(10, 5, "rw", wake), polls(10, "3r", "4r"))
    assert enders(state_of(*opened, *itself), 10) == (11,)
    assert enders(state_of(*opened, *itself, ThreadCreated(t=1.0, pid=10, tid=110)), 10) == (10, 11)
    # Nobody knows who will connect.
    listener = ObjectInfo(
        key="socket:[9]", kind="unix socket", ino=9, detail="stream listening", path="/s"
    )
    assert enders(state_of(*opened, holds(10, 6, "rw", listener), polls(10, "3r", "6r")), 10) == ()
    assert words(state_of(*opened, holds(10, 6, "rw", listener), polls(10, "3r", "6r")), 10) == ""
    # Room in a pipe is made by its readers.
    tube = pipe(5)
    state = state_of(
        holds(10, 3, "w", tube), holds(11, 3, "r", tube), holds(12, 3, "w", tube), polls(10, "3w")
    )
    assert enders(state, 10) == (11,)


def test_of_a_long_list_it_is_not_known_who_could_end_the_wait() -> None:
    mine, theirs = pair(1)
    epoll = ObjectInfo(key="anon:7", kind="epoll")
    listed = (EpollEntry(fd=3, events=("EPOLLIN",), object=mine.key),)
    opened = (
        holds(10, 3, "rw", mine), holds(10, 4, "rw", epoll), holds(11, 3, "rw", theirs),
        polls(10, name="epoll_wait", key=epoll.key),
    )  # fmt: skip
    for more, found in ((0, (11,)), (900, ())):
        seen = Notifier(object=epoll.key, listed=listed, more=more)
        assert enders(state_of(*opened, Sample(t=2.5, notifiers=(seen,))), 10) == found


def test_who_connected_waits_for_those_who_listen() -> None:
    """Until it is accepted there is no other end that anybody could have."""
    listener = ObjectInfo(
        key="socket:[9]", kind="unix socket", ino=9, detail="stream listening", path="/s"
    )
    mine = ObjectInfo(key="socket:[1]", kind="unix socket", ino=1, detail="stream")
    level = Level(
        object=listener.key, queued=1, capacity=5, unit="connections", connecting=(mine.key,)
    )
    opened = (holds(10, 3, "rw", mine), holds(11, 3, "rw", listener), reads(10, 3, mine))
    state = state_of(*opened, Sample(t=2.5, levels=(level,)), looked_at(11, "T"))
    assert words(state, 10) == "for b[11], which is stopped"
    accepts = Waiting(
        t=2.0, pid=12, tid=12, call="accept4", args={"fd": 3}, object=listener.key, state="S"
    )
    assert enders(state_of(*opened, holds(12, 3, "rw", listener), accepts), 12) == ()


def test_all_threads_of_who_could_answer_wait() -> None:
    """Which of them would answer nobody knows, but that none is about to can be seen, and that one
    is busy.
    """
    thing = pipe(1)
    more = ThreadCreated(t=1.0, pid=11, tid=21)
    opened = (
        more,
        holds(10, 3, "r", thing),
        holds(11, 3, "w", thing),
        reads(10, 3, thing),
        polls(11),
    )
    for letter, end in (("R", ", 1 of whose 2 threads runs"), ("S", "")):
        look = ProcessSample(pid=11, state="S", threads=(ThreadSample(tid=21, state=letter),))
        assert words(state_of(*opened, Sample(t=3.0, processes=(look,))), 10) == f"for b[11]{end}"
    assert (
        words(state_of(*opened, polls(11, tid=21)), 10) == "for b[11], all of whose 2 threads wait"
    )


def test_who_keeps_others_waiting_is_stopped() -> None:
    """All threads of it: nothing has told by which signal, since it was so before the watch."""
    one, two = pipe(1), pipe(2)
    opened = (
        holds(10, 3, "r", one), holds(11, 3, "w", one), holds(11, 4, "r", two),
        holds(12, 3, "w", two),
        ThreadCreated(t=1.0, pid=12, tid=112), reads(10, 3, one), reads(11, 4, two),
    )  # fmt: skip
    stopped = state_of(*opened, looked_at(12, "T", "T"))
    assert words(stopped, 10) == "for b[11], that for c[12], which is stopped"
    held = list_holders(stopped)
    found = list_halting_processes(
        stopped, stopped.threads, lambda tid: wait_of(stopped, tid, held)
    )
    assert found == {12: frozenset({10, 11})}
    assert halted_chip(stopped, found) == "c[12] stopped: 2 wait"
    assert halted_chip(stopped, {**found, 13: frozenset({10})}) == "2 stopped: 2 wait"
    for letters in ("TS", "SS"):
        going = state_of(*opened, looked_at(12, *letters))
        held = list_holders(going)
        assert (
            list_halting_processes(
                going, going.threads, lambda tid, s=going, h=held: wait_of(s, tid, h)
            )
            == {}
        )  # type: ignore[misc]


def limited(wait: Waiting, deadline: float) -> Waiting:
    return msgspec.structs.replace(wait, deadline=deadline)


def test_a_circle_in_which_one_gives_up_says_when() -> None:
    """pthread_mutex_timedlock: it is a circle only until then."""
    state = state_of(limited(locks(10, 11), 62.0), locks(11, 10))
    wait = wait_of(state, 10)
    assert wait is not None
    assert wait.deadline == 62.0
    assert describe_wait(state, wait).endswith("held by b[11], at most 60 s more")
    (one,) = list_circles(state, list_holders(state), now=9.0)
    assert one.doubts == (Doubted(Doubt.TIMEOUT),)
    told = "(one has a timeout), but a[10] waits at most 60 s more"
    assert words(state, 11) == f"for a[10], that for b[11] again: probably a circle {told}"
    assert describe_circle(state, one) == f"a[10] and b[11] probably wait for each other {told}"
    assert describe_circle(state, one, 70.0).endswith(", but the time of a[10] is up")
    everybody = (locks(10, 11), locks(11, 10), locks(13, 10))
    assert all_wait(state_of(*everybody, locks(12, 10))) is not None
    assert all_wait(state_of(*everybody, limited(locks(12, 10), 9.0))) is None


def test_a_timer_that_comes_first_is_told_of() -> None:
    armed = Timer(signo=14, seconds=6.0)
    state = state_of(
        Call(t=1.0, pid=10, tid=10, name="alarm", effects=(armed,)), reads(10, 3, pipe(1))
    )
    wait = wait_of(state, 10)
    assert wait is not None
    assert describe_limit(state, wait) == "SIGALRM in 5 s"


def chain_through(count: int) -> State:
    """A row of processes of which each waits for the next one's mutex; the last one runs."""
    born = [
        Forked(t=0.0, pid=100 + k, parent=1, how="attached", name=f"p{k}") for k in range(count)
    ]
    return reduce_all(
        [
            Started(t=0.0, mode="attached"),
            *born,
            *(locks(100 + k, 101 + k) for k in range(count - 1)),
        ]
    )


def test_of_a_long_chain_the_first_and_the_last_are_named() -> None:
    six = words(chain_through(7), 100)
    assert six == (
        "for p1[101], that for p2[102], that for p3[103], that for p4[104], that for p5[105], that"
        " for p6[106], which goes on"
    )
    eight = words(chain_through(9), 100)
    assert "that for 2 others one after the other, that for p8[108], which goes on" in eight
    assert "p5[105], that for 2" in eight
    assert "p6" not in eight


def test_of_many_who_could_end_a_wait_three_are_named() -> None:
    thing = pipe(1)
    born = [Forked(t=0.0, pid=20, parent=1, how="attached", name="e")]
    writers = [holds(pid, 3, "w", thing) for pid in (11, 12, 13)]
    three = state_of(*born, holds(10, 3, "r", thing), *writers, reads(10, 3, thing))
    assert words(three, 10) == "for b[11] or c[12] or d[13]"
    four = state_of(
        *born, holds(10, 3, "r", thing), *writers, holds(20, 3, "w", thing), reads(10, 3, thing)
    )
    assert words(four, 10) == "for b[11] or c[12] or d[13] or 1 more"
