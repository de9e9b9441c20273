"""Start-up of the screen, and how many frames a second it draws under load."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import statistics
import sys
import termios
import time
from collections.abc import Sequence
from typing import Final

from ipcviz.app.app import FRAMES, SHARE, IpcvizApp
from ipcviz.app.collector import calm_collector
from ipcviz.app.view import View
from ipcviz.bench.measure import Measurement, compare_pairs, measure_pairs
from ipcviz.events import AnyCommand, Call, Event, Forked, ObjectInfo, Started, Table, TableEntry

ROWS: Final = 36
COLUMNS: Final = 120
MARK: Final = "for time to pass"
"""What the screen says of `sleep` once it is of use: that the process is there, and what it waits
for.
"""
EMPTY_APP: Final = f"""
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("{MARK}")
Empty().run()
"""
PATIENCE: Final = 30.0
STAGES: Final = 10
"""Processes whose steps are made by keys."""
HELD: Final = "is about to"
"""What the screen says once the first process is held."""
GROWING: Final = 80
"""Steps after which all of them are there."""


class OnTerminal:
    """A program on a terminal of its own; it is ended with the `with` block.

    Args:
        argv: The program and its arguments.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._name = argv[0]
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            try:
                os.execvpe(argv[0], list(argv), {**os.environ, "TERM": "xterm-256color"})
            finally:
                os._exit(127)
        termios.tcsetwinsize(self._master, (ROWS, COLUMNS))

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(self, *args: object) -> None:
        os.kill(self._pid, signal.SIGTERM)
        os.close(self._master)
        os.waitpid(self._pid, 0)

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._master, key.encode())

    def wait_until_shown(self, text: str) -> None:
        """Wait until it writes a text from now on; raises TimeoutError."""
        wanted, shown = text.encode(), b""
        until = time.perf_counter() + PATIENCE
        while wanted not in shown:
            if time.perf_counter() > until:
                raise TimeoutError(f"{self._name} did not show {text!r}")
            if select.select((self._master,), (), (), 0.1)[0]:
                shown = shown[-len(wanted) :] + os.read(self._master, 65536)


def seconds_until_shown(argv: Sequence[str], text: str) -> float:
    """How long a program on a terminal takes until it shows a text; raises TimeoutError."""
    began = time.perf_counter()
    with OnTerminal(argv) as program:
        program.wait_until_shown(text)
        return time.perf_counter() - began


def measure_startup(rounds: int) -> Measurement:
    """`ipcviz run` until its screen says something of use, against a Textual app that only shows a
    line.
    """
    ours = (sys.executable, "-m", "ipcviz", "run", "--", "sleep", "60")
    empty = (sys.executable, "-c", EMPTY_APP)
    found = measure_pairs(
        rounds, lambda: seconds_until_shown(ours, MARK), lambda: seconds_until_shown(empty, MARK)
    )
    return compare_pairs("start-up to the first useful screen", "an empty Textual app", found)


def measure_keys(steps: int) -> Measurement:
    """In step mode, from the key until the screen shows what the step led to: ten processes, a
    pipeline of a shell's loops.
    """
    stage = "while read x; do echo $x; done"
    script = " | ".join(("while :; do echo x; done", *[stage] * (STAGES - 1)))
    argv = (sys.executable, "-m", "ipcviz", "run", "--step", "--", "sh", "-c", script)
    took = []
    with OnTerminal(argv) as program:
        program.wait_until_shown(HELD)
        for number in range(1, GROWING + steps):
            began = time.perf_counter()
            program.press("n")
            program.wait_until_shown(f"step {number} ")
            if number >= GROWING:
                took.append(time.perf_counter() - began)
    return Measurement(
        name=f"a key in step mode with {STAGES} processes, until its step is shown",
        unit="ms",
        ours=1e3 * statistics.median(took),
        promise=50.0,
        pairs=1,
        facts={
            "keys": len(took),
            "ms_at_most_in_95_of_100": round(1e3 * sorted(took)[len(took) * 95 // 100]),
        },
    )


class LoadSession:
    """A session without a kernel: processes that each write to a pipe, so many events a second."""

    def __init__(self, processes: int, descriptors: int, rate: int) -> None:
        self.argv: tuple[str, ...] = ("load",)
        self.finished = False
        self._rate = rate
        self._n = 0
        self._pids = range(1000, 1000 + processes)
        self._each = max(descriptors // processes, 1)
        self._began = 0.0
        self._sent = 0

    def start(self) -> None:
        """Begin to count time."""
        self._began = time.monotonic()

    def drain(self) -> list[Event]:
        """The events that are due."""
        now = time.monotonic() - self._began
        events: list[Event] = [] if self._n else self._build_structure()
        for _ in range(int(now * self._rate) - self._sent):
            self._sent += 1
            self._n += 1
            pid = self._pids[self._sent % len(self._pids)]
            events.append(
                Call(
                    t=now,
                    n=self._n,
                    pid=pid,
                    tid=pid,
                    name="write",
                    began=now,
                    args={"fd": 3, "buf": "0x1000", "count": 512},
                    ret=512,
                    object=f"0:{pid}0",
                    data=b"x" * 64,
                )
            )
        return events

    def _build_structure(self) -> list[Event]:
        events: list[Event] = [Started(t=0.0, n=1, argv=self.argv)]
        for index, pid in enumerate(self._pids):
            parent = self._pids[0] if index else 1
            how = "fork" if index else "launched"
            events.append(Forked(t=0.0, n=0, pid=pid, parent=parent, how=how, name=f"p{index}"))  # type: ignore[arg-type]
            entries = tuple(
                TableEntry(
                    fd=3 + i,
                    ofd=pid * 100 + i,
                    object=ObjectInfo(key=f"0:{pid}{i // 2}", kind="pipe", ino=pid * 10 + i // 2),
                    mode="r" if i % 2 else "w",
                )
                for i in range(self._each)
            )
            events.append(Table(t=0.0, n=0, pid=pid, entries=entries, reason="attached"))
        self._n = len(events)
        return events

    def send(self, command: AnyCommand) -> None:
        """Nobody is there to be told."""

    def close(self) -> None:
        """Nothing is held."""


class FrameCount:
    """What frames and events cost while an app shows a session.

    Attributes:
        drawn: Views that were shown.
        taken: Seconds of CPU time in which events were taken in.
    """

    def __init__(self, app: IpcvizApp) -> None:
        self.drawn = 0
        self.taken = 0.0
        self._show, self._pump = app.live.timeline.show_present, app.feed.pump
        app.live.timeline.show_present = self._count_view  # type: ignore[method-assign]
        app.feed.pump = self._time_pump  # type: ignore[method-assign]

    def _count_view(self, view: View) -> None:
        self.drawn += 1
        self._show(view)

    def _time_pump(self, budget: float = 0.012) -> bool:
        began = time.process_time()
        try:
            return self._pump(budget)
        finally:
            self.taken += time.process_time() - began


def measure_frames(
    processes: int = 100, descriptors: int = 1000, rate: int = 5000, seconds: float = 5.0
) -> Measurement:
    """Frames a second of the live screen under load, and the share of one CPU that it takes.

    Frames are left out above `SHARE` of a CPU, and where others want the CPU: so what an event and
    a frame cost in CPU time is said, too, and how many frames that would be with the CPU at hand.
    """
    used = took = 0.0
    behind = events = 0
    count: FrameCount

    async def measure() -> None:
        nonlocal used, took, behind, events, count
        calm_collector()  # as `run_app` does
        app = IpcvizApp(LoadSession(processes, descriptors, rate), "load")
        count = FrameCount(app)
        async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
            await pilot.pause(1.0)
            count.drawn, count.taken, first = 0, 0.0, app.feed.state.n
            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.sleep(seconds)
            took, used = time.perf_counter() - began, time.process_time() - cpu
            behind, events = app.feed.behind, app.feed.state.n - first

    asyncio.run(measure())
    each_event = count.taken / max(events, 1)
    each_frame = (used - count.taken) / max(count.drawn, 1)
    return Measurement(
        name=(
            f"frames at {COLUMNS}x{ROWS}: {processes} processes, {descriptors:,} descriptors,"
            f" {rate:,} events/s"
        ),
        unit="1/s",
        ours=count.drawn / took,
        pairs=1,
        facts={
            "cpu_share": round(used / took, 2),
            "events_behind": behind,
            "microseconds_an_event": round(each_event * 1e6, 1),
            "milliseconds_a_frame": round(each_frame * 1e3, 1),
            "frames_with_the_cpu_at_hand": round(
                min(FRAMES, max(SHARE - rate * each_event, 0.0) / each_frame), 1
            ),
        },
    )
