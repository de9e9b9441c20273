"""All that is said of kept runs: of each event, and at each step of who waits, for what, and what
lies in each channel.

A telling is text, a line for each sentence. Those of all kept runs are kept, too, compressed in
tests/tellings, so that a sentence that changes anywhere is seen. After a change that is meant:

    python -m tests.tellings            prints what changed, and keeps it
"""

from __future__ import annotations

import difflib
import lzma
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from ipcviz.events import Event, Settled
from ipcviz.model.lanes import Sleepers
from ipcviz.model.ledger.provenance import waiting_ranges
from ipcviz.model.maps import Map
from ipcviz.model.query import Holder, list_holders
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps.schedule import Recorder
from ipcviz.model.waits.circles import list_circles
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate import narrate
from ipcviz.narrate.lanes import narrate_deed
from ipcviz.narrate.steps import Outcomes, describe_next
from ipcviz.narrate.waits import (
    describe_detail,
    describe_reason_briefly,
    describe_remaining,
    describe_wait,
    explain_wait,
)
from tests import kept_cases, kept_runs

FOLDER: Final = Path(__file__).with_name("tellings")
ENDING: Final = ".txt.xz"
_ABOVE: Final = 3
"""Lines that are shown around a change."""


def tell_events(events: Iterable[Event]) -> Iterator[str]:
    """Tell each event, and at the end of each step the state."""
    state = State()
    sleepers, values, last = Sleepers(state), Values(), frozenset[str]()
    outcomes, recorder, written = Outcomes(narrate), Recorder(), 0
    for event in events:
        before, state = state, reduce(state, event)
        outcomes.add_event(event, before, state)
        recorder.record_event(event, before)
        sentence = narrate(event, before, state)
        if sentence is not None:
            yield f"{event.n} [{sentence.weight}] {sentence.text}"
        deed = narrate_deed(event, before, state, sleepers)
        if deed is not None:
            arrows = " ".join(
                f"{one.leads}:{one.source}>{one.target}@{one.n}{'' if one.sure else '?'}"
                for one in deed.arrows
            )
            asleep = "".join(f"{pid}{letter}" for pid, letter in sorted(deed.asleep.items()))
            letters = f"{deed.letter}|{asleep}|{len(deed.alive)}"
            yield f"{event.n} lane {deed.pid}: {deed.words} |{deed.same}|{arrows}|{letters}"
        if isinstance(event, Settled):
            yield f"{event.n} step {outcomes.step}: {outcomes.text}"
            yield from (f"{event.n} schedule: {line}" for line in recorder.lines[written:])
            written = len(recorder.lines)
            said = tuple(tell_state(state))
            # What stays as it was is not said again: most of it does.
            yield from (f"{event.n} {line}" for line in said if line not in last)
            last = frozenset(said)
            yield from (f"{event.n} {line}" for line in values.tell_changed(state))
    yield from (f"schedule: {line}" for line in recorder.lines)


class Values:
    """What a state holds, as far as it changed: a line for each value in its maps, but for what is
    measured.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, object], object] = {}

    def tell_changed(self, state: State) -> Iterator[str]:
        """Tell each value that is not the one that it was."""
        for name in _MAPS:
            found = {
                key: value
                for key, value in getattr(state, name).items()
                if self._known.get((name, key)) is not value
            }
            for key, value in sorted(found.items(), key=lambda pair: str(pair[0])):
                self._known[name, key] = value
                yield f"{name} {key}: {_list_set(value)}"


def _list_set(value: object) -> str:
    """The fields of a value that are not as they are by default."""
    if isinstance(value, Map):
        return " ".join(f"{key}={_list_set(one)}" for key, one in sorted(value.items()))
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return f"({', '.join(map(_list_set, value))})"
    if not isinstance(value, msgspec.Struct):
        return repr(value)
    found = []
    for field in msgspec.structs.fields(value):
        one = getattr(value, field.name)
        if field.name not in _MEASURED and (field.required or one != field.default):
            found.append(f"{field.name}={_list_set(one)}")
    return f"({', '.join(found)})"


_MAPS: Final = (
    "processes", "threads", "tables", "open_files", "objects", "semaphores", "variables",
    "mappings", "traffic", "bound", "flights", "datagrams", "posted", "locks", "outsiders",
    "folders", "channels", "timers", "past_timers", "labels",
)  # fmt: skip
_MEASURED: Final = frozenset({"sample", "facts", "level", "host"})


def tell_state(state: State) -> Iterator[str]:
    """Tell who waits and what comes next, what lies in the channels, and who waits in a circle."""
    held = list_holders(state)
    for tid in sorted(state.threads):
        yield from _tell_thread(state, tid, held)
    for thing in sorted(state.objects.values(), key=lambda thing: thing.sort_key):
        yield f"object {thing.label}: {thing.info.kind} {thing.written} {thing.exact} {thing.shut}"
    for key in sorted(state.channels):
        for one in waiting_ranges(state, key):
            sure = "sure" if one.sure else "unsure"
            yield f"channel {key}: {one.write.n} from {one.offset}, {one.length}, {sure}"
    for circle in list_circles(state, held, state.t):
        yield f"circle {circle.tids}"


def _tell_thread(state: State, tid: int, held: dict[str, tuple[Holder, ...]]) -> Iterator[str]:
    thread = state.threads[tid]
    if thread.poised is not None:
        yield f"thread {tid} next: {describe_next(state, tid)}"
    wait = wait_of(state, tid, held)
    if wait is None:
        return
    yield f"thread {tid}: {describe_wait(state, wait, state.t)}"
    yield f"thread {tid} briefly: {describe_reason_briefly(state, wait, state.t)}"
    yield f"thread {tid} explained: {explain_wait(state, wait, state.t)}"
    yield f"thread {tid} detail: {describe_detail(state, wait, state.t)}"
    yield f"thread {tid} remaining: {describe_remaining(state, wait, state.t)}"
    yield f"thread {tid} wakers: {wait.wakers}"


def list_tellings() -> tuple[str, ...]:
    """The names of all tellings: of scenarios, and of the doctor's programs by rule."""
    scenarios = (path.name.split(".")[0] for path in kept_runs.FOLDER.glob("*.xz"))
    return (*sorted(scenarios), *(f"doctor-{name}" for name in kept_cases.list_programs()))


def tell_run(name: str) -> list[str]:
    """Tell a run; of the doctor's programs what they stand at when they are examined last."""
    if not name.startswith("doctor-"):
        return list(tell_events(kept_runs.read_run(name)[1]))
    lines = []
    for case, events in kept_cases.read_cases(name.removeprefix("doctor-")):
        state = State()
        for event in events[: case.looks[-1][0]]:
            state = reduce(state, event)
        lines += [f"== {case.program}", *tell_state(state), *Values().tell_changed(state)]
    return lines


@cache
def read_telling(name: str) -> list[str]:
    """The lines that are kept of a run; none if it is new."""
    path = FOLDER / f"{name}{ENDING}"
    if not path.exists():
        return []
    return lzma.decompress(path.read_bytes()).decode(errors="surrogateescape").split("\n")


def write_telling(name: str, lines: Iterable[str]) -> None:
    """Keep the lines of a run."""
    text = "\n".join(lines).encode(errors="surrogateescape")
    (FOLDER / f"{name}{ENDING}").write_bytes(lzma.compress(text, preset=9))


def list_changes(name: str, lines: list[str]) -> list[str]:
    """What differs from what is kept, as a unified diff."""
    # A sentence may hold a line feed: it is compared as it is kept.
    now = "\n".join(lines).split("\n")
    kept = read_telling(name)
    return [] if now == kept else list(difflib.unified_diff(kept, now, name, name, "", "", _ABOVE))


def main() -> None:
    """Print what changed, and keep it."""
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or list_tellings():
        lines = tell_run(name)
        changes = list_changes(name, lines)
        if changes:
            sys.stdout.write("\n".join(changes).encode(errors="replace").decode() + "\n")
            write_telling(name, lines)
    for path in FOLDER.glob(f"*{ENDING}"):
        if path.name.removesuffix(ENDING) not in list_tellings():
            path.unlink()


if __name__ == "__main__":
    main()
