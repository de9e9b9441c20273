"""What it costs a command to be watched: live mode against alone, full mode against strace,
semaphores.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ipcviz.bench.measure import (
    Measurement,
    compare_pairs,
    measure_pairs,
    report_missing_tool,
    run_quietly,
)
from ipcviz.events import Call, Coverage, Event, Executed, Exited, Sample, SemaphoreOp
from ipcviz.model.reduce import reduce_all
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig

BLOCK: Final = 512
SEMAPHORES: Final = """
import posix_ipc, sys
one = posix_ipc.Semaphore(None, posix_ipc.O_CREX, initial_value=1)
one.unlink()
for _ in range(int(sys.argv[1])):
    one.acquire()
    one.release()
"""


CROWD: Final = """
import os, sys, time
for _ in range(int(sys.argv[1])):
    if not os.fork():
        for _ in range(6):
            time.sleep(0.05)
        os._exit(0)
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
"""
LOCKS: Final = """
import fcntl, os, sys, tempfile
with tempfile.NamedTemporaryFile() as file:
    child = os.fork()
    for _ in range(int(sys.argv[1]) // 4):
        fcntl.lockf(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_UN)
    if not child:
        os._exit(0)
    os.wait()
"""


def build_pipeline(count: int) -> tuple[str, ...]:
    """A command that does nothing but communicate: `count` blocks through a pipe."""
    return ("sh", "-c", f"dd if=/dev/zero bs={BLOCK} count={count} 2>/dev/null | cat >/dev/null")


class WatchedCommand(NamedTuple):
    """A command that was watched to its end.

    Attributes:
        whole: Seconds from before the tracer was started until the end of the stream.
        command: Seconds from the command's execve to its exit, by the stream's clock.
        events: The stream.
    """

    whole: float
    command: float
    events: list[Event]


def watch_command(argv: Sequence[str], *, full: bool = False) -> WatchedCommand:
    """Watch a command as the app does, its events drained as they come."""
    session = LiveSession(LaunchConfig(argv=tuple(argv), full=full))
    events: list[Event] = []
    began = time.perf_counter()
    try:
        session.start()
        while not session.finished:
            session.wait(0.1)
            events += session.drain()
        whole = time.perf_counter() - began
    finally:
        session.close()
    executed = next((e for e in events if isinstance(e, Executed)), None)
    root = executed.pid if executed is not None else 0
    ended = next((e for e in events if isinstance(e, Exited) and e.pid == root), None)
    return WatchedCommand(
        whole, ended.t - executed.t if executed is not None and ended is not None else whole, events
    )


def measure_live(rounds: int, count: int) -> Measurement:
    """Live mode on a pipeline of `count` blocks, against the same alone; the tracer's own start is
    in it.
    """
    facts: dict[str, Any] = {}

    def ours() -> float:
        seen = watch_command(build_pipeline(count))
        facts.update(_what_was_seen(seen, count * BLOCK))
        return seen.whole

    found = measure_pairs(rounds, ours, lambda: run_quietly(build_pipeline(count)))
    return compare_pairs(
        f"live mode, dd | cat, {count:,} blocks", "alone", found, promise=1.5, **facts
    )


def measure_crowd(rounds: int, count: int) -> Measurement:
    """Live mode on `count` processes that sleep six times for 50 ms, all at once, against the same
    alone; without the tracer's own start.
    """
    argv = (sys.executable, "-c", CROWD, str(count))
    told: list[int] = []

    def ours() -> float:
        seen = watch_command(argv)
        told.append(sum(isinstance(e, Exited) for e in seen.events))
        return seen.command

    found = measure_pairs(rounds, ours, lambda: run_quietly(argv))
    name = f"live mode, {count:,} processes that sleep"
    return compare_pairs(name, "alone", found, ends_told=min(told) == count + 1)


def measure_locks(rounds: int, count: int) -> Measurement:
    """Live mode on two processes that make `count` calls of fcntl for one lock, as fast as they
    can, against strace; without the tracer's own start.
    """
    name = f"live mode, {count:,} calls for a lock by two processes"
    argv = (sys.executable, "-c", LOCKS, str(count))
    found = report_missing_tool(name, "strace")
    if found is not None:
        return found
    strace = ("strace", "-f", "-o", "/dev/null", *argv)
    pairs = measure_pairs(rounds, lambda: watch_command(argv).command, lambda: run_quietly(strace))
    return compare_pairs(name, "strace -f -o /dev/null", pairs)


def _what_was_seen(seen: WatchedCommand, wanted: int) -> dict[str, Any]:
    """Byte counts of the pipe; how often its level was read, and how often it had changed and was
    told.

    From where its writer is no longer traced in full until that ends, every sample of the tracer
    has a row of the writer, whose time and calls go on.
    """
    state = reduce_all(seen.events)
    pipe = next((o for o in state.objects.values() if o.info.kind == "pipe"), None)
    key = pipe.info.key if pipe else ""
    writer = next((e for e in seen.events if isinstance(e, Coverage) and not e.full), None)
    looks: list[float] = []
    told = 0
    if writer is not None:
        end = next(
            (e.t for e in seen.events if isinstance(e, Exited) and e.pid == writer.pid),
            float("inf"),
        )
        for event in seen.events:
            if isinstance(event, Sample) and writer.t < event.t < end:
                told += any(level.object == key for level in event.levels)
                if any(row.pid == writer.pid for row in event.processes):
                    looks.append(event.t)
    gaps = [later - earlier for earlier, later in itertools.pairwise(looks)]
    return {
        "bytes_in": pipe.bytes_in if pipe else 0,
        "bytes_out": pipe.bytes_out if pipe else 0,
        "bytes_right": pipe is not None and pipe.bytes_in == pipe.bytes_out == wanted,
        "samples_a_second": round(1 / statistics.mean(gaps), 1) if gaps else 0.0,
        "longest_gap_ms": round(max(gaps, default=0.0) * 1e3),
        "levels_a_second": round(told / sum(gaps), 1) if gaps else 0.0,
        "events": len(seen.events),
    }


def measure_full(rounds: int, count: int) -> Iterator[Measurement]:
    """Full mode against strace on one program each: data calls alone, a pipe of two, forks, and a
    shell at work.
    """
    forks = max(count // 100, 5)
    substitutions = max(count // 1000, 2)
    programs = {
        f"dd, {count:,} blocks": (
            "dd",
            "if=/dev/zero",
            "of=/dev/null",
            f"bs={BLOCK}",
            f"count={count}",
        ),
        f"dd | cat, {count:,} blocks": build_pipeline(count),
        f"sh, {forks} forks": (
            "sh",
            "-c",
            f"i=0; while [ $i -lt {forks} ]; do /bin/true; i=$((i+1)); done",
        ),
        f"sh, {substitutions} pipelines of three": (
            "sh",
            "-c",
            (
                f"i=0; while [ $i -lt {substitutions} ]; do a=$(echo x$i | sed s/x/y/ | wc -c);"
                " i=$((i+1)); done"
            ),
        ),
    }
    for program, argv in programs.items():
        name = f"full mode, {program}, per call that it tells"
        yield report_missing_tool(name, "strace") or _against_strace(name, rounds, argv)


def _against_strace(name: str, rounds: int, argv: Sequence[str]) -> Measurement:
    calls = sum(isinstance(e, Call) for e in watch_command(argv, full=True).events)

    def ours() -> float:
        return watch_command(argv, full=True).command / calls * 1e6

    def theirs() -> float:
        return run_quietly(("strace", "-f", "-o", "/dev/null", *argv)) / calls * 1e6

    found = measure_pairs(rounds, ours, theirs)
    return compare_pairs(name, "strace -f -o /dev/null", found, promise=1.0, unit="us", calls=calls)


def measure_semaphores(rounds: int, count: int) -> Measurement:
    """Semaphore operations under breakpoints: what one costs."""
    times = []
    operations = 0
    for _ in range(rounds):
        seen = watch_command((sys.executable, "-c", SEMAPHORES, str(count)), full=True)
        made = [
            e for e in seen.events if isinstance(e, SemaphoreOp) and e.semaphore.kind == "named"
        ]
        stamps = [e.t for e in made if e.op in ("wait", "post")]
        operations = len(stamps)
        if operations > 1:
            times.append((stamps[-1] - stamps[0]) / (operations - 1) * 1e6)
    if not times:
        return Measurement(
            name="semaphore operation under a breakpoint", skipped="no semaphore operation was seen"
        )
    return Measurement(
        name="semaphore operation under a breakpoint",
        unit="us",
        ours=statistics.median(times),
        pairs=len(times),
        facts={"operations": operations, "complete": operations == 2 * count},
    )
