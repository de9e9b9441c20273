"""What the doctor costs: for each event, and from a hang to the verdict on it."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from ipcviz.bench.measure import Measurement, compare_pairs, measure_pairs, measure_time
from ipcviz.bench.watching import watch_command
from ipcviz.diagnose import Doctor
from ipcviz.events import Event
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig

SECONDS: Final = 60.0
"""How long a hang is waited for at most."""

EXCHANGE: Final = """
import os, select, socket, sys
r, w = os.pipe()
a, b = socket.socketpair()
count = int(sys.argv[1])
if os.fork() == 0:
    for _ in range(count):
        os.read(r, 100)
        b.send(bytes(30))
    os._exit(0)
for _ in range(count):
    os.write(w, bytes(100))
    select.select([a], [], [])
    a.recv(30)
os.wait()
"""
"""Reads, writes and selects of two processes."""

RING: Final = """
import os, sys, time
processes, descriptors = map(int, sys.argv[1:])
ends = [os.pipe() for _ in range(processes)]
for i in range(processes):
    if os.fork() == 0:
        mine, next = ends[i][0], ends[(i + 1) % processes][1]
        low = 3
        for fd in sorted((mine, next)):
            os.closerange(low, fd)
            low = fd + 1
        os.closerange(low, 2 * processes + 3)
        for _ in range(descriptors - 5):
            os.dup(mine)
        if i == 0:
            time.sleep(0.02 * processes + 1)
        os.read(mine, 1)
    time.sleep(0.01)
for end in ends:
    os.close(end[0])
    os.close(end[1])
os.wait()
"""
"""Processes each of which waits for a byte from the one before it; the last one that begins to
closes the circle, when all others have waited for a while. They start so slowly that all their
calls are told.
"""


def measure_rules(rounds: int, count: int) -> Measurement:
    """The doctor on a stream of reads, writes and selects, per event, against the model itself."""
    events = watch_command((sys.executable, "-c", EXCHANGE, str(count)), full=True).events
    moments: list[tuple[Event, State, State]] = []
    state = State()
    for event in events:
        before, state = state, reduce(state, event)
        moments.append((event, before, state))

    def ours() -> float:
        doctor = Doctor()

        def follow() -> None:
            for event, before, after in moments:
                doctor.follow_event(event, before, after)

        return measure_time(follow) / len(events) * 1e6

    def theirs() -> float:
        return measure_time(lambda: reduce_all(events)) / len(events) * 1e6

    found = measure_pairs(rounds, ours, theirs)
    return compare_pairs("the doctor, per event", "the model", found, unit="us", events=len(events))


class ToldHang(NamedTuple):
    """A hang, and when it was told.

    Attributes:
        late: Seconds from the call that closed the circle until the finding was there.
        examined: Seconds that it took to examine that moment once more.
        processes: How many hang.
        descriptors: How many descriptors all processes had.
    """

    late: float
    examined: float
    processes: int
    descriptors: int


def measure_verdicts(rounds: int, processes: int, each: int) -> Measurement:
    """How long after the call that makes a hang the doctor says so, of so many processes in a
    circle with so many descriptors each.
    """
    name = f"verdict on {processes} processes, {processes * each:,} descriptors"
    verdicts = [
        _await_verdict((sys.executable, "-c", RING, str(processes), str(each)))
        for _ in range(rounds)
    ]
    seen = [one for one in verdicts if one is not None]
    if not seen:
        return Measurement(name=name, skipped="no hang was found")
    return Measurement(
        name=name,
        unit="ms",
        ours=statistics.median(one.late for one in seen) * 1e3,
        promise=50.0,
        pairs=len(seen),
        facts={
            "worst_ms": round(max(one.late for one in seen) * 1e3, 1),
            "examined_in_ms": round(statistics.median(one.examined for one in seen) * 1e3, 1),
            "hanging": min(one.processes for one in seen),
            "descriptors": min(one.descriptors for one in seen),
            "missed": rounds - len(seen),
        },
    )


def _await_verdict(argv: Sequence[str]) -> ToldHang | None:
    """Watch a command as `ipcviz doctor` does until it hangs; None if it does not in time."""
    session = LiveSession(LaunchConfig(argv=tuple(argv)))
    doctor = Doctor()
    until = time.monotonic() + SECONDS
    try:
        session.start()
        while not session.finished and time.monotonic() < until:
            session.wait(0.25)
            doctor.follow_events(session.drain())
            state = doctor.state
            if state.started is None:
                continue
            found = doctor.examine(time.time() - state.started.began)
            if found:
                now = time.time() - state.started.began
                pids = [one.pid for one in found[0].processes]
                waits = [state.threads[pid].waiting for pid in pids]
                began = max(wait.began for wait in waits if wait is not None)
                tables = (state.descriptors_of(pid) for pid in state.processes)
                examined = measure_time(doctor.examine)
                return ToldHang(now - began, examined, len(pids), sum(map(len, tables)))
    finally:
        session.close()
    return None
