"""Pairs of timings: two ways of doing one thing, taken in turn, so that a busy machine slows
both.
"""

from __future__ import annotations

import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ipcviz.events import MachineFacts
from ipcviz.kernel.running import read_machine_facts


class Measurement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was measured.

    Attributes:
        name: What.
        unit: Of `ours` and `theirs`: `s`, `us`, `ms`, `1/s`.
        ours: Median.
        theirs: Median of what it was compared with; 0 if with nothing.
        against: What it was compared with.
        ratio: Median of the pairs' ratios, ours to theirs.
        promise: What the ratio, or `ours` where there is none, was promised to be at most; 0 if
            nothing was.
        pairs: How many pairs were taken.
        facts: Whatever else was seen on the way.
        skipped: Why it was not measured.
    """

    name: str
    unit: str = "s"
    ours: float = 0.0
    theirs: float = 0.0
    against: str = ""
    ratio: float = 0.0
    promise: float = 0.0
    pairs: int = 0
    facts: dict[str, Any] = {}
    skipped: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept; None if there is none, or nothing was measured."""
        value = self.ratio or self.ours
        return value <= self.promise if self.promise and value else None


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured: what the figures depend on, and nothing that names it.

    Attributes:
        facts: Its processors, memory, load before the measurements, and when it was started.
        kernel: The kernel's version, two numbers of it.
        machine: Its architecture, as `uname -m` has it.
        python: Python's version.
    """

    facts: MachineFacts
    kernel: str
    machine: str
    python: str


def read_machine() -> Machine:
    """This machine."""
    return Machine(
        facts=read_machine_facts(),
        kernel=".".join(platform.release().split(".")[:2]),
        machine=platform.machine(),
        python=platform.python_version(),
    )


def measure_time(work: Callable[[], object]) -> float:
    """How many seconds something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure_pairs(
    count: int, ours: Callable[[], float], theirs: Callable[[], float]
) -> list[tuple[float, float]]:
    """Take both in turn, `count` times, the first one changing; each says how long it took
    itself.
    """
    found = []
    for turn in range(count):
        if turn % 2:
            other = theirs()
            found.append((ours(), other))
        else:
            found.append((ours(), theirs()))
    return found


def compare_pairs(
    name: str,
    against: str,
    found: Sequence[tuple[float, float]],
    *,
    promise: float = 0.0,
    unit: str = "s",
    **facts: Any,
) -> Measurement:
    """What a number of pairs come to."""
    return Measurement(
        name=name,
        unit=unit,
        ours=statistics.median(ours for ours, _ in found),
        theirs=statistics.median(theirs for _, theirs in found),
        against=against,
        ratio=statistics.median(ours / theirs for ours, theirs in found),
        promise=promise,
        pairs=len(found),
        facts=facts,
    )


def report_missing_tool(name: str, tool: str) -> Measurement | None:
    """What to say where a tool to compare with is missing; None if it is there."""
    return (
        None if shutil.which(tool) else Measurement(name=name, skipped=f"{tool} is not installed")
    )


def run_quietly(argv: Sequence[str]) -> float:
    """Run a command to its end without a terminal; seconds. Raises CalledProcessError."""
    return measure_time(
        lambda: subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    )
