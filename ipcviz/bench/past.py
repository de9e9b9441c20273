"""How fast any moment of a long trace is shown."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ipcviz.app.app import IpcvizApp
from ipcviz.app.collector import calm_collector
from ipcviz.app.textual_internals import compose_fully
from ipcviz.bench.measure import Measurement
from ipcviz.events import (
    Call,
    Closed,
    Event,
    Finished,
    Forked,
    Level,
    ObjectInfo,
    Opened,
    Output,
    ProcessSample,
    Sample,
    Started,
    Table,
    TableEntry,
    Waiting,
)
from ipcviz.events.arguments import Arguments
from ipcviz.session.kept import KeptSession
from ipcviz.trace import TraceReader, TraceWriter

_PROCESSES: Final = 10
_SEED: Final = 1
_PANELS: Final = ("log", "descriptors", "buffers", "proc", "output")


def long_session(count: int) -> Iterator[Event]:
    """Processes in a ring of pipes, 10,000 events a second of session time, with samples, files,
    output and waits.
    """
    pids = range(1000, 1000 + _PROCESSES)
    pipes = [ObjectInfo(key=f"pipe:[{pid}]", kind="pipe", ino=pid, capacity=65536) for pid in pids]
    yield Started(t=0.0, n=1, argv=("ring",))
    n = 1
    for index, pid in enumerate(pids):
        parent, how = (pids[0], "fork") if index else (1, "launched")
        n += 1
        yield Forked(t=0.0, n=n, pid=pid, parent=parent, how=how, name=f"p{index}")  # type: ignore[arg-type]
        ends = ((3, "r", pipes[index - 1]), (4, "w", pipes[index]))
        entries = tuple(
            TableEntry(fd=fd, ofd=10 * pid + fd, object=pipe, mode=mode)  # type: ignore[arg-type]
            for fd, mode, pipe in ends
        )
        n += 1
        yield Table(t=0.0, n=n, pid=pid, entries=entries, reason="launched")
    while n < count - 1:
        n += 1
        t, index = n / 10_000, n // 2 % _PROCESSES
        pid = pids[index]
        if n % 500 == 0:
            levels = tuple(
                Level(object=pipe.key, queued=n * 7 % 65536, capacity=65536) for pipe in pipes
            )
            looked = tuple(
                ProcessSample(pid=p, name=f"p{i}", state="R", ppid=pids[0], user_time=t / 20)
                for i, p in enumerate(pids)
            )
            yield Sample(t=t, n=n, levels=levels, processes=looked)
        elif n % 1000 == 1:
            yield Output(t=t, n=n, data=b"line %d\r\n" % n)
        elif n % 100 == 50:
            file = ObjectInfo(
                key=f"8:{n % 4000}", kind="file", path=f"/tmp/{n % 4000}", dev=8, ino=n % 4000
            )
            opened = Opened(fd=7, ofd=10**6 + n, object=file, mode="r")
            yield Call(t=t, n=n, began=t, pid=pid, tid=pid, name="openat", ret=7, effects=(opened,))
        elif n % 100 == 51:
            yield Call(
                t=t,
                n=n,
                began=t,
                pid=pid,
                tid=pid,
                name="close",
                args={"fd": 7},
                effects=(Closed(fd=7),),
            )
        elif n % 17 == 0:
            key = pipes[index - 1].key
            yield Waiting(
                t=t, n=n, pid=pid, tid=pid, call="read", args={"fd": 3, "count": 4096}, object=key
            )
        else:
            name, fd, pipe = ("write", 4, pipes[index]) if n % 2 else ("read", 3, pipes[index - 1])
            args: Arguments = {"fd": fd, "count": 512}
            data = b"line %d of many" % n
            yield Call(
                t=t,
                n=n,
                began=t,
                pid=pid,
                tid=pid,
                name=name,
                args=args,
                ret=512,
                object=pipe.key,
                data=data,
            )
    yield Finished(t=(n + 1) / 10_000, n=n + 1, code=0)


def write_trace(path: Path, count: int) -> None:
    """Write such a session."""
    writer = TraceWriter(path)
    batch: list[Event] = []
    for event in long_session(count):
        batch.append(event)
        if len(batch) == 10_000:
            # The moments are made when there is time: give it some.
            writer.add(batch)
            writer.wait_for_states(60.0)
            batch = []
    writer.add(batch)
    writer.wait_for_states(60.0)
    writer.close()


class _Found:
    """What was measured, in seconds."""

    def __init__(self) -> None:
        self.opened = 0.0
        self.moments: list[float] = []
        self.screens: list[float] = []
        self.used: list[float] = []
        self.steps: list[float] = []


async def _measure_seeks(path: Path, seeks: int) -> _Found:
    """Reach moments all over a trace, and step from each of them, in each of the panels."""
    reader, found, chance = TraceReader(path), _Found(), random.Random(_SEED)
    began = time.perf_counter()
    app = IpcvizApp(KeptSession(reader), "ring")
    async with app.run_test(size=(120, 36)) as pilot:
        while app.live.view is None:
            await pilot.pause()
        found.opened = time.perf_counter() - began
        await pilot.pause(0.5)
        calm_collector()
        past = app.feed.past
        count = len(past.moments)
        for name in _PANELS:
            app.live.panes.action_panel(name)
            await pilot.pause()
            for _ in range(seeks):
                began = time.perf_counter()
                view = past.make_view(past.moments[chance.randrange(count)])
                _ = view.log, view.terminal, view.trails, view.meters
                found.moments.append(time.perf_counter() - began)
                began, used = time.perf_counter(), time.process_time()
                app.live.timeline.go_to_place(chance.randrange(1, count))
                compose_fully(app)
                found.screens.append(time.perf_counter() - began)
                found.used.append(time.process_time() - used)
                await pilot.pause()
                for action in (app.live.timeline.action_next, app.live.timeline.action_back):
                    began = time.perf_counter()
                    action()
                    compose_fully(app)
                    found.steps.append(time.perf_counter() - began)
                    await pilot.pause()
    reader.close()
    return found


def _compute_percentile(seconds: list[float], of_100: int = 50) -> float:
    return round(1000 * sorted(seconds)[len(seconds) * of_100 // 100], 1)


def measure_seeking(count: int, seeks: int = 20) -> Measurement:
    """Reach moments of a trace of so many events: with all that panels show of them, and as whole
    screens at 120x36.
    """
    with tempfile.TemporaryDirectory(prefix="ipcviz-") as folder:
        path = Path(folder, "long.ipcviz")
        write_trace(path, count)
        found = asyncio.run(_measure_seeks(path, seeks))
    return Measurement(
        name=f"any moment of a trace of {count:,} events",
        unit="ms",
        ours=_compute_percentile(found.moments),
        pairs=len(found.moments),
        facts={
            "ms_95_of_100": _compute_percentile(found.moments, 95),
            "ms_as_a_screen_at_120x36": _compute_percentile(found.screens),
            "ms_of_cpu_for_that": _compute_percentile(found.used),
            "ms_a_step_as_a_screen": _compute_percentile(found.steps),
            "ms_to_open": round(1000 * found.opened),
        },
    )
