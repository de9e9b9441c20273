"""Descriptors that tell of events, against what the program has put into them and what fdinfo
says.
"""

from __future__ import annotations

import re
from pathlib import Path

from ipcviz.events import Notifier
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.waits import describe_wait
from tests.integration.attached import Attached, Target
from tests.integration.harness import Bench, Programs
from tests.integration.test_truth_locks import MODES, sentences
from tests.integration.watched import Watched


@MODES
def test_what_they_hold_and_who_waits(
    bench: Bench, programs: Programs, options: tuple[str, ...]
) -> None:
    with Watched(bench, [programs["truth_notifiers"]], ("armed",), *options) as run:
        facts = run.at("armed")
        pid = facts["pid"]

        def held(state: State, name: str) -> Notifier | None:
            thing = state.object_at(pid, facts[name])
            return thing.notifier if thing is not None else None

        def waits(state: State, name: str) -> str:
            wait = wait_of(state, facts[name])
            return describe_wait(state, wait) if wait is not None else ""

        def listed_all(state: State) -> bool:
            watch, epoll = held(state, "watch"), held(state, "epoll")
            return (
                watch is not None
                and len(watch.watches) == 1
                and epoll is not None
                and len(epoll.listed) == 7
            )

        names = ("counter", "other", "timer", "idle", "signals", "process", "watch", "epoll")
        state = run.until(
            lambda s: (
                all(held(s, name) for name in names)
                and listed_all(s)
                and waits(s, "waiter").startswith("epoll")
                and waits(s, "sleeper").startswith("read")
            )
        )
        counter, other, timer, idle, signals, process, watch, epoll = (
            held(state, name) for name in names
        )
        assert counter is not None
        assert other is not None
        assert timer is not None
        assert idle is not None
        assert signals is not None
        assert process is not None
        assert watch is not None
        assert epoll is not None
        assert (counter.count, counter.semaphore, other.count, other.semaphore) == (
            5,
            True,
            0,
            False,
        )
        lines = Path(f"/proc/{pid}/fdinfo/{facts['timer']}").read_text()
        left = int(re.findall(r"it_value: \((\d+),", lines)[0])
        assert timer.due is not None
        assert left - 3 < timer.due - state.t < left + 3
        assert (timer.clock, timer.interval, timer.count) == ("CLOCK_MONOTONIC", 2.0, 0)
        assert (idle.clock, idle.due) == ("CLOCK_REALTIME", None)
        assert signals.mask == 1 << 9 | 1 << 14
        assert process.pid == facts["child"]
        [seen] = watch.watches
        assert (seen.wd, seen.events, seen.path.rpartition("/")[2]) == (
            1,
            ("IN_MOVED_TO", "IN_CREATE"),
            "queue",
        )
        status = (bench.work / "queue").stat()
        assert seen.object == f"{status.st_dev}:{status.st_ino}"

        def label(name: str) -> str:
            thing = state.object_at(pid, facts[name])
            assert thing is not None
            return thing.label

        listed = {entry.fd: entry for entry in epoll.listed}
        assert {state.objects[entry.object].label for entry in epoll.listed} == {
            label(name)
            for name in ("pair", "timer", "signals", "process", "watch", "other", "kept")
        }
        assert listed[facts["timer"]].events == ("EPOLLIN", "EPOLLET")
        assert (
            state.objects[listed[facts["dead"]].object].label == label("kept") != label("dead")
        ), "the file, not the number"
        words = waits(state, "waiter")
        assert words.startswith(
            f"epoll_wait({facts['epoll']}) on {label('epoll')}, for one of {label('pair')}"
            " (readable)"
        )
        assert f", {label('kept')} (readable), " in words
        assert "at most" in words.rpartition(", ")[2]
        assert re.search(
            rf"{label('timer')} \(a timer, [\d.]+ (s|min) left(, edge-triggered)?\)", words
        )
        assert f"{label('signals')} (SIGUSR1 or SIGTERM)" in words
        assert waits(state, "sleeper").endswith("until it expires (not armed)")
        run.release("armed")
        assert run.finish() == 0
    log = sentences(run.events)

    def said(*words: str) -> bool:
        return any(all(word in line for word in words) for line in log)

    assert said("added 1 to the eventfd")
    assert said("took 1 from the eventfd", "its counter is back at 0")
    assert said("armed the timer T1: it expires in 600 s, then every 2 s")
    assert said(
        f"truth_notifiers[{facts['sleeper']}] read from the timer T2 that it has expired once"
    )
    assert said("watches queue by", "IN_MOVED_TO, IN_CREATE")
    assert said(f"truth_notifiers[{facts['waiter']}] read from", "that job was made in queue")
    assert said("put T1 (fd", "into the epoll set", "EPOLLIN, EPOLLET")


def test_they_are_read_of_processes_that_are_only_looked_at(
    bench: Bench, programs: Programs
) -> None:
    with Target(bench, [programs["truth_notifiers"]], ("armed",)) as target:
        facts = target.at("armed")
        pid, waiter = facts["pid"], facts["waiter"]
        with Attached(bench, (pid, waiter)) as run:

            def held(state: State, name: str) -> Notifier | None:
                thing = state.object_at(pid, facts[name])
                return thing.notifier if thing is not None else None

            def waits(state: State) -> str:
                wait = wait_of(state, waiter)
                return describe_wait(state, wait) if wait is not None else ""

            names = ("counter", "timer", "signals", "process", "watch", "epoll")
            state = run.until(
                lambda s: all(held(s, name) for name in names) and "a timer" in waits(s)
            )
            counter, timer, signals, process, watch, epoll = (held(state, name) for name in names)
            assert counter is not None
            assert timer is not None
            assert signals is not None
            assert process is not None
            assert watch is not None
            assert epoll is not None
            assert (counter.count, timer.interval, signals.mask) == (5, 2.0, 1 << 9 | 1 << 14)
            assert (process.pid, len(epoll.listed), watch.watches[0].path) == (
                facts["child"],
                7,
                "",
            )
            assert "(a timer, 10 min left, edge-triggered)" in waits(state)
            run.leave()
        target.release("armed")
        assert target.process.wait(20) == 0
