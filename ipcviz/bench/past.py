"""How fast any moment of a long trace is shown."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ipcviz.app.app import IpcvizApp, calm_collector
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
from ipcviz.session.kept import KeptSession
from ipcviz.trace import TraceReader, TraceWriter

_PROCESSES: Final = 10
_SEED: Final = 1
_PANELS: Final = ("log", "descriptors", "buffers", "proc", "output")


def long_session(count: int) -> Iterator[Event]:
    """Processes in a ring of pipes, 10,000 events a second of session time, with samples, files, output and waits."""
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
            levels = tuple(Level(object=pipe.key, queued=n * 7 % 65536, capacity=65536) for pipe in pipes)
            looked = tuple(
                ProcessSample(pid=p, name=f"p{i}", state="R", ppid=pids[0], user_time=t / 20)
                for i, p in enumerate(pids)
            )
            yield Sample(t=t, n=n, levels=levels, processes=looked)
        elif n % 1000 == 1:
            yield Output(t=t, n=n, data=b"line %d\r\n" % n)
        elif n % 100 == 50:
            file = ObjectInfo(key=f"8:{n % 4000}", kind="file", path=f"/tmp/{n % 4000}", dev=8, ino=n % 4000)
            opened = Opened(fd=7, ofd=10**6 + n, object=file, mode="r")
            yield Call(t=t, n=n, began=t, pid=pid, tid=pid, name="openat", ret=7, effects=(opened,))
        elif n % 100 == 51:
            yield Call(t=t, n=n, began=t, pid=pid, tid=pid, name="close", args={"fd": 7}, effects=(Closed(fd=7),))
        elif n % 17 == 0:
            key = pipes[index - 1].key
            yield Waiting(t=t, n=n, pid=pid, tid=pid, call="read", args={"fd": 3, "count": 4096}, object=key)
        else:
            name, fd, pipe = ("write", 4, pipes[index]) if n % 2 else ("read", 3, pipes[index - 1])
            args: dict[str, int | str] = {"fd": fd, "count": 512}
            data = b"line %d of many" % n
            yield Call(t=t, n=n, began=t, pid=pid, tid=pid, name=name, args=args, ret=512, object=pipe.key, data=data)
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
            writer.settle(60.0)
            batch = []
    writer.add(batch)
    writer.settle(60.0)
    writer.close()


async def _seeks(path: Path, seeks: int) -> tuple[float, list[float], list[float], dict[str, float]]:
    """Seconds to open a trace, of seeks to anywhere, of steps from there, and at most by panel."""
    reader = TraceReader(path)
    began = time.perf_counter()
    app = IpcvizApp(KeptSession(reader), "ring")
    opened, jumps, steps, worst = 0.0, [], [], dict[str, float]()
    chance = random.Random(_SEED)
    async with app.run_test(size=(120, 36)) as pilot:
        while app.live.view is None:
            await pilot.pause()
        opened = time.perf_counter() - began
        await pilot.pause(0.5)
        calm_collector()
        count = len(app.feed.past.moments)
        for name in _PANELS:
            app.live.action_panel(name)
            await pilot.pause()
            for _ in range(seeks):
                began = time.perf_counter()
                app.live.go_to_place(chance.randrange(1, count))
                app.screen._compositor.render_update(full=True)
                jumps.append(time.perf_counter() - began)
                worst[name] = max(worst.get(name, 0.0), jumps[-1])
                await pilot.pause()
                for action in (app.live.action_next, app.live.action_back):
                    began = time.perf_counter()
                    action()
                    app.screen._compositor.render_update(full=True)
                    steps.append(time.perf_counter() - began)
                    await pilot.pause()
    reader.close()
    return opened, jumps, steps, worst


def seeking(count: int, seeks: int = 40) -> Measurement:
    """Reach moments of a trace of so many events, drawn with all that the screen shows at 120x36."""
    with tempfile.TemporaryDirectory(prefix="ipcviz-") as folder:
        path = Path(folder, "long.ipcviz")
        write_trace(path, count)
        opened, jumps, steps, worst = asyncio.run(_seeks(path, seeks))
    return Measurement(
        name=f"any moment of a trace of {count:,} events, as a whole screen at 120x36",
        unit="ms",
        ours=1000 * statistics.median(jumps),
        pairs=len(jumps),
        facts={
            "ms_95_of_100": round(1000 * sorted(jumps)[len(jumps) * 95 // 100], 1),
            "ms_at_most": round(1000 * max(jumps), 1),
            "ms_a_step": round(1000 * statistics.median(steps), 1),
            "ms_to_open": round(1000 * opened),
            **{f"ms_{name}": round(1000 * value) for name, value in worst.items()},
        },
    )
