"""`ipcviz record --all`: the casts of the whole catalogue, several at a time."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ipcviz.cli.progress import TaskProgress
from ipcviz.messages import write_error, write_line
from ipcviz.outputs import OutputError
from ipcviz.scenario import Scenario, choose_variant, explain_missing, load_all
from ipcviz.scenario.plans import BEGIN


class PlannedCast(NamedTuple):
    """A cast to make.

    Attributes:
        name: The file's name without its ending, as `sleep-race-lost`.
        words: What tells `ipcviz record` what to show.
        missing: Why it can't be made here; empty if it can.
    """

    name: str
    words: tuple[str, ...]
    missing: str = ""


def list_lessons(scenarios: Iterable[Scenario]) -> Iterator[PlannedCast]:
    """List the casts of scenarios: of each one, and of each further schedule."""
    for scenario in scenarios:
        variant = choose_variant(scenario, None)
        yield PlannedCast(scenario.name, (scenario.name,), explain_missing(scenario, variant))
        for name, plan in scenario.schedules.items():
            if name in (BEGIN, scenario.cast):
                continue
            if plan.variants and variant not in plan.variants:
                missing = explain_missing(scenario, plan.variants[0])
            else:
                missing = explain_missing(scenario, variant)
            words = (scenario.name, "--schedule", name)
            yield PlannedCast(f"{scenario.name}-{name}", words, missing)


def record_catalogue(folder: str, flags: Sequence[str]) -> int:
    """Make the casts of every scenario in a folder, which is made if it is missing.

    Each is made by a process of its own, as many at a time as there are processors. What is
    complete stays, whatever becomes of the others.

    Args:
        folder: Where to.
        flags: What `ipcviz record` is told besides.

    Returns:
        The exit status: 0 if all were made that can be made here, else 2.

    Raises:
        OutputError: The folder can't be made.
        KeyboardInterrupt: Somebody has ended it; it was said what is complete.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be made a folder: {error.strerror}.") from None
    lessons = list(list_lessons(load_all()))
    todo = [lesson for lesson in lessons if not lesson.missing]
    for lesson in lessons:
        if lesson.missing:
            write_error(f"{lesson.name} is left out: {lesson.missing}")
    complete: list[str] = []
    progress = TaskProgress("Casts")
    recorders = _Recorders(place, flags)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        tasks = {pool.submit(recorders.record_cast, lesson): lesson for lesson in todo}
        try:
            for task in concurrent.futures.as_completed(tasks):
                lesson, failure = tasks[task], task.result()
                progress.clear()
                if failure:
                    write_error(f"{lesson.name}: {failure}")
                else:
                    complete.append(lesson.name)
                    write_line(f"{place / f'{lesson.name}.cast'}")
                progress.show_share(len(complete), len(todo))
        except KeyboardInterrupt:
            recorders.end()
            pool.shutdown(cancel_futures=True)
            progress.clear()
            write_error(f"Ended: {len(complete)} of {len(todo)} casts are complete in {folder}.")
            raise
    progress.clear()
    write_line(f"{len(complete)} of {len(todo)} casts are in {folder}.")
    return 0 if len(complete) == len(todo) else 2


class _Recorders:
    """The processes that make casts at this moment.

    Args:
        place: The folder for them.
        flags: What each is told besides.
    """

    def __init__(self, place: Path, flags: Sequence[str]) -> None:
        self._place, self._flags = place, tuple(flags)
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    def record_cast(self, lesson: PlannedCast) -> str:
        """Make one; empty if it was made, else why not."""
        if self._ended:
            return "it was not begun"
        output = str(self._place / f"{lesson.name}.cast")
        argv = [sys.executable, "-m", "ipcviz", "record", *lesson.words, "-o", output, *self._flags]
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        )
        self._running.add(process)
        _, said = process.communicate()
        self._running.discard(process)
        if process.returncode == 0:
            return ""
        lines = said.strip().splitlines()
        reason = lines[-1].removeprefix("ipcviz: ") if lines else ""
        return reason or f"it ended with status {process.returncode}"

    def end(self) -> None:
        """End those that run."""
        self._ended = True
        for process in tuple(self._running):
            process.terminate()
