"""File locks and futexes: who holds, who waits, for what: against F_GETLK, /proc/locks and what the
program knows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.model.mechanisms.locks import lock_holders
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.rules import find_wait, wait_of
from ipcviz.narrate import narrate
from ipcviz.narrate.waits import describe_wait, explain_wait
from tests.integration.harness import Bench, Programs
from tests.integration.readers import read_locks
from tests.integration.watched import Watched

MODES = pytest.mark.parametrize("options", [(), ("--full",)], ids=["live", "full"])


def sentences(events: list[ev.Event]) -> list[str]:
    """What the log says of a stream."""
    told, state = [], State()
    for event in events:
        before, state = state, reduce(state, event)
        sentence = narrate(event, before, state)
        if sentence is not None:
            told.append(sentence.text)
    return told


@MODES
def test_file_locks(bench: Bench, programs: Programs, options: tuple[str, ...]) -> None:
    with Watched(bench, [programs["truth_locks"]], ("held", "kept", "heir"), *options) as run:
        facts = run.at("held")
        assert (facts["posix"], facts["ofd"]) == (
            facts["pid"],
            -1,
        ), "what F_GETLK and F_OFD_GETLK say"

        def enders(state: State, waiter: str) -> tuple[int, ...]:
            wait = find_wait(Lookup(state), facts[waiter])
            return wait.waker_pids if wait is not None else ()

        def settled(state: State) -> bool:
            return all(enders(state, w) == (facts["pid"],) for w in "abc") and all(
                sorted(lock.waits for lock in locks) == [False, True]
                for locks in state.locks.values()
            )

        state = run.until(settled)
        for waiter, file, call in (("a", "f", "flock"), ("b", "g", "fcntl"), ("c", "h", "fcntl")):
            thing = state.object_at(facts["pid"], facts[file])
            assert thing is not None
            wait = find_wait(Lookup(state), facts[waiter])
            assert wait is not None
            assert (wait.call, wait.object, wait.waker_pids) == (
                call,
                thing.info.key,
                (facts["pid"],),
            )
            locks = state.locks[thing.info.key]
            kernel = [
                lock
                for lock in read_locks()
                if (lock.dev, lock.ino) == (thing.info.dev, thing.info.ino)
            ]
            assert (
                sorted(lock.waits for lock in locks)
                == sorted(lock.waits for lock in kernel)
                == [False, True]
            )
            assert {(lock.start, lock.end) for lock in locks} == {
                (lock.start, -1 if lock.end is None else lock.end) for lock in kernel
            }
        wait = wait_of(state, facts["b"])
        assert wait is not None
        assert describe_wait(state, wait).endswith(
            f"held exclusively by truth_locks[{facts['pid']}]"
        )
        run.release("held")
        facts |= run.at("kept")
        assert facts["asleep"] == 1, "the heir keeps the lock for which `a` waits"

        def kept(state: State) -> bool:
            key = next(key for key, thing in state.objects.items() if thing.label == "f")
            return all(facts["pid"] not in lock_holders(state, lock) for lock in state.locks[key])

        state = run.until(kept)
        assert facts["heir"] in enders(state, "a")
        run.release("heir")
        run.release("kept")
        assert run.finish() == 0
        # Others may have locks on /dev/null, which it has open, too.
        assert not {lock.pid for locks in run.state.locks.values() for lock in locks} & {
            *run.state.processes
        }
        log = sentences(run.events)

    def said(*words: str) -> bool:
        return any(all(word in line for word in words) for line in log)

    assert said("took the exclusive flock lock on f")
    assert said("took the exclusive fcntl lock on g, bytes 10-19")
    assert said("took the exclusive open file description lock on h")
    assert said("could not make the lock file f: it exists")
    assert said("did not get the exclusive flock lock on f", "and the call does not wait")
    assert said(
        "closed",
        f"(g): its fcntl locks on g are lost, although descriptor {facts['g']} is still open",
    )
    assert said(
        f"truth_locks[{facts['b']}] got the exclusive fcntl lock on g, byte", "after its wait"
    )
    assert said(
        f"closed descriptor {facts['f']} (f): the lock on f stays", f"truth_locks[{facts['heir']}]"
    )
    assert said(f"truth_locks[{facts['heir']}] exited", "its lock on f")


def outside(facts: dict[str, int], state: State) -> dict[str, int]:
    """Facts of a program in a PID namespace of its own, with our numbers for those of its
    threads.
    """
    ours = {}
    for tid in state.threads:
        numbers = (
            Path(f"/proc/{tid}/status")
            .read_text()
            .partition("NSpid:\t")[2]
            .partition("\n")[0]
            .split()
        )
        if len(numbers) > 1:
            ours[int(numbers[-1])] = tid
    return {
        name: ours.get(number, 0) if name != "offset" else number for name, number in facts.items()
    }


@pytest.mark.parametrize(
    ("options", "before"),
    [((), ()), (("--full",), ()), ((), ("unshare", "-pf", "--mount-proc"))],
    ids=["live", "full", "another PID namespace"],
)
def test_futexes(
    bench: Bench, programs: Programs, options: tuple[str, ...], before: tuple[str, ...]
) -> None:
    if before and bench.actor.uid:
        pytest.skip("an ordinary user may not make a PID namespace everywhere")
    with Watched(bench, [*before, programs["truth_futexes"]], ("asleep",), *options) as run:
        facts = run.at("asleep")
        if before:
            facts = outside(facts, run.until(lambda s: all(outside(facts, s).values())))
        pid = facts["pid"]

        def told(state: State) -> dict[str, tuple[object, ...]]:
            found: dict[str, tuple[object, ...]] = {}
            for name in ("child0", "child1", "locks", "waits", "joins", "robust"):
                thread = state.threads.get(facts[name])
                futex = (
                    thread.waiting.futex
                    if thread is not None and thread.waiting is not None
                    else None
                )
                wait = find_wait(Lookup(state), facts[name])
                if futex is not None and wait is not None:
                    found[name] = (wait.call, futex.kind, futex.owner, wait.waker_pids)
            return found

        assert facts["owner"] == pid
        truth = {
            "child0": ("pthread_mutex_lock", "mutex", pid, (pid,)),
            "child1": ("pthread_mutex_lock", "mutex", pid, (pid,)),
            "locks": ("pthread_mutex_lock", "mutex", pid, (pid,)),
            "waits": ("futex", "condition", 0, ()),
            "joins": ("pthread_join", "thread", facts["sleeps"], (pid,)),
            "robust": ("pthread_mutex_lock", "mutex", pid, (pid,)),
        }
        state = run.until(lambda s: told(s) == truth)
        assert told(state) == truth
        first, second = (state.threads[facts[name]].waiting for name in ("child0", "child1"))
        assert first is not None
        assert second is not None
        assert first.futex is not None
        assert second.futex is not None
        assert first.futex.key == second.futex.key
        assert first.futex.offset == facts["offset"]
        assert not first.futex.private
        assert any(entry.object.key == first.futex.object for entry in state.mappings[pid])
        run.release("asleep")
        assert run.finish() == 0
    log = sentences(run.events)
    assert any(
        "is blocked in pthread_join" in line and f"until thread {facts['sleeps']} ends" in line
        for line in log
    )
    assert any(f"a mutex held by truth_futexes[{pid}]" in line for line in log)


@MODES
def test_locks_of_threads(bench: Bench, programs: Programs, options: tuple[str, ...]) -> None:
    """Read-write locks, a barrier, and locks whose owners have ended."""
    with Watched(bench, [programs["truth_pthreads"]], ("asleep", "orphaned"), *options) as run:
        facts = run.at("asleep")
        pid, holder = facts["pid"], facts["holder"]
        name = "truth_pthreads"

        def told(state: State) -> dict[str, str]:
            found = {}
            for which in truth:
                wait = wait_of(state, facts[which])
                found[which] = (
                    f"{wait.call}: {explain_wait(state, wait)}" if wait is not None else ""
                )
            return found

        reading = "pthread_rwlock_rdlock: probably a read-write lock"
        writing = "pthread_rwlock_wrlock: probably a read-write lock"
        truth = {
            "robust": f"pthread_mutex_lock: a mutex held by {name}[{holder}]",
            "shared": f"{reading} that {name}[{holder}] has for writing",
            "reads": f"{reading} that {name}[{pid}] has for writing",
            "writes": f"{writing} that {name}[{pid}] has for writing",
            "first": f"{writing} that 1 reader has",
            "second": f"{writing} that 1 reader has",
            "meets": "pthread_barrier_wait: probably a barrier: 2 of 3 have come",
            "last": "pthread_barrier_wait: probably a barrier: 2 of 3 have come",
            "hopes": f"pthread_mutex_lock: a mutex whose owner, thread {facts['owner']}, has ended",
        }
        state = run.until(lambda s: told(s) == truth)
        assert told(state) == truth
        run.release("asleep")
        run.at("orphaned")
        truth["shared"] = f"{reading} whose writer, {name}[{holder}], has ended"
        state = run.until(lambda s: told(s)["shared"] == truth["shared"])
        assert told(state)["shared"] == truth["shared"]
        run.release("orphaned")
        assert run.finish() == 0
    ended = f"was woken because {name}[{holder}] has ended while it held the robust mutex"
    words = f"{name}[{facts['robust']}] {ended}: who takes it next gets EOWNERDEAD"
    assert words in sentences(run.events)
