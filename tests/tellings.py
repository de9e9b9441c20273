"""All that is said of kept runs: of each event, and at each step of who waits, for what, and what
lies in each channel; in runs without steps at the moments at which they are examined.

A telling is text, a line for each sentence. Those of all kept runs are kept, too, compressed in
tests/tellings, so that a sentence that changes anywhere is seen. After a change that is meant:

    python -m tests.tellings            prints what changed, and keeps it
"""

from __future__ import annotations

import difflib
import lzma
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from ipcviz.events import Call, Event, Settled
from ipcviz.model.lanes import Sleepers
from ipcviz.model.ledger.provenance import waiting_ranges
from ipcviz.model.maps import Map
from ipcviz.model.mechanisms.notifiers import describe_content
from ipcviz.model.query import Holder, list_holders, list_mappers, list_past_links, rank_memory
from ipcviz.model.reduce import reduce
from ipcviz.model.state import Object, Process, State
from ipcviz.model.steps.schedule import Recorder
from ipcviz.model.waits.chains import chain_of
from ipcviz.model.waits.circles import Circle, list_circles
from ipcviz.model.waits.future import find_wakers
from ipcviz.model.waits.hangs import list_hangs
from ipcviz.model.waits.leading import find_leading_wait
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.stuck import all_wait
from ipcviz.model.waits.values import Wait
from ipcviz.narrate import narrate
from ipcviz.narrate.circles import describe_chain, describe_circle, describe_stuck
from ipcviz.narrate.future import explain_lasting
from ipcviz.narrate.lanes import narrate_deed
from ipcviz.narrate.pipes import describe_unread, still_open
from ipcviz.narrate.provenance import (
    describe_interleaving,
    describe_sources,
    describe_waiting_bytes,
    sources_group,
)
from ipcviz.narrate.semaphores import describe_holding, holders_of
from ipcviz.narrate.steps import Outcomes, describe_next, describe_stand
from ipcviz.narrate.summary import summarize_run
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


def tell_events(events: Iterable[Event], looks: Collection[int] = ()) -> Iterator[str]:
    """Tell each event, and at the end of each step the state; also after so many events."""
    state = State()
    sleepers, values, last = Sleepers(state), Values(), frozenset[str]()
    outcomes, recorder, written = Outcomes(narrate), Recorder(), 0
    for count, event in enumerate(events, 1):
        before, state = state, reduce(state, event)
        outcomes.add_event(event, before, state)
        recorder.record_event(event, before)
        sentence = narrate(event, before, state)
        if sentence is not None:
            yield f"{event.n} [{sentence.weight}] {sentence.text}"
        if isinstance(event, Call) and event.object in state.channels:
            drew = describe_sources(event, state)
            if drew:
                yield f"{event.n} drew {drew} |{sources_group(event, state)}"
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
        if isinstance(event, Settled) or count in looks:
            said = tuple(tell_state(state))
            # What stays as it was is not said again: most of it does.
            yield from (f"{event.n} {line}" for line in said if line not in last)
            last = frozenset(said)
            yield from (f"{event.n} {line}" for line in values.tell_changed(state))
    yield from (f"schedule: {line}" for line in recorder.lines)
    yield f"in all: {summarize_run(state)}"


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
    """Tell who waits, what comes next, what lies where, and who waits in a circle or for good."""
    held = list_holders(state)
    circles = list_circles(state, held, state.t)
    for tid in sorted(state.threads):
        yield from _tell_thread(state, tid, held, circles)
    for process in state.processes.values():
        yield from _tell_process(state, process, held)
    mapped = list_mappers(state)
    for thing in sorted(state.objects.values(), key=lambda thing: thing.sort_key):
        yield f"object {thing.label}: {thing.info.kind} {thing.written} {thing.exact} {thing.shut}"
        yield from _tell_contents(state, thing)
        if thing.info.key in mapped:
            yield f"memory {thing.label}: {rank_memory(state, thing, mapped[thing.info.key])}"
    for one in sorted(state.semaphores.values(), key=lambda one: one.label):
        owners = [(hold.pid, hold.tid) for hold in holders_of(one)]
        yield f"semaphore {one.label}: {describe_holding(state, one)} {owners}"
    for circle in circles:
        yield f"circle {circle.tids}: {describe_circle(state, circle, state.t)}"
    for hang in list_hangs(state, held, state.t):
        yield f"hang {hang}"
    stuck = all_wait(state)
    if stuck is not None:
        yield f"stuck: {describe_stuck(state, stuck)}"
    for link in list_past_links(state):
        yield f"link {link}"


def _tell_process(
    state: State, process: Process, held: dict[str, tuple[Holder, ...]]
) -> Iterator[str]:
    waits = [wait for tid in process.threads if (wait := wait_of(state, tid, held)) is not None]
    leading = find_leading_wait(process, waits)
    if len(waits) > 1 and leading is not None:
        yield f"process {process.pid} waits as {leading.tid}"


def _tell_contents(state: State, thing: Object) -> Iterator[str]:
    key = thing.info.key
    content = describe_content(state, thing, state.t)
    if content:
        yield f"content {thing.label}: {content}"
    if key in state.channels:
        for one in waiting_ranges(state, key):
            sure = "sure" if one.sure else "unsure"
            yield f"channel {key}: {one.write.n} from {one.offset}, {one.length}, {sure}"
        words = describe_waiting_bytes(state, key), describe_unread(state, key)
        if any(words):
            yield f"channel {key}: {'; '.join(words)}"
        mixed = describe_interleaving(state, key)
        if mixed:
            yield f"channel {key}: {mixed}"


def _tell_thread(
    state: State, tid: int, held: dict[str, tuple[Holder, ...]], circles: tuple[Circle, ...]
) -> Iterator[str]:
    thread = state.threads[tid]
    if thread.poised is not None:
        yield f"thread {tid} next: {describe_next(state, tid)}"
        yield f"thread {tid} stands: {describe_stand(state, thread.poised)}"

    def find_wait(other: int) -> Wait | None:
        return wait_of(state, other, held)

    wait = find_wait(tid)
    if wait is None:
        return
    yield f"thread {tid}: {describe_wait(state, wait, state.t)}{still_open(wait, state)}"
    yield f"thread {tid} briefly: {describe_reason_briefly(state, wait, state.t)}"
    yield f"thread {tid} explained: {explain_wait(state, wait, state.t)}"
    yield f"thread {tid} detail: {describe_detail(state, wait, state.t)}"
    yield f"thread {tid} remaining: {describe_remaining(state, wait, state.t)}"
    yield f"thread {tid} wakers: {wait.wakers}"
    chain = chain_of(state, tid, find_wait, circles)
    yield f"thread {tid} chain: {describe_chain(state, wait, chain, state.t)}"
    lasting = explain_lasting(state, find_wakers(state, thread))
    if lasting:
        yield f"thread {tid} lasting: {lasting}"


def list_tellings() -> tuple[str, ...]:
    """The names of all tellings: of scenarios, and of the doctor's programs by rule."""
    scenarios = (path.name.split(".")[0] for path in kept_runs.FOLDER.glob("*.xz"))
    return (*sorted(scenarios), *(f"doctor-{name}" for name in kept_cases.list_programs()))


def tell_run(name: str) -> list[str]:
    """Tell a run; of the doctor's programs up to where they are examined last, and each sentence of
    a program once: they make most of their calls many times.
    """
    if not name.startswith("doctor-"):
        return list(tell_events(kept_runs.read_run(name)[1]))
    lines = []
    for case, events in kept_cases.read_cases(name.removeprefix("doctor-")):
        counts = [count for count, _ in case.looks]
        found = (line.lstrip("0123456789 ") for line in tell_events(events[: counts[-1]], counts))
        lines += [f"== {case.program}", *dict.fromkeys(found)]
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
