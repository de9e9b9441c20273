"""Short words for the picture: what a process does, what became of it, what waits for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from ipcviz.app.picture.scene import NodeLine
from ipcviz.app.text import make_visible
from ipcviz.events.accesses import format_value
from ipcviz.events.kinds import COUNTERS
from ipcviz.events.signals import signal_name
from ipcviz.model.mechanisms.notifiers import ready_labels
from ipcviz.model.mechanisms.semaphores import counts_several, list_semaphore_holders
from ipcviz.model.steps import stepping
from ipcviz.model.steps.schedule import name_object, name_target
from ipcviz.model.waits.leading import find_leading_wait
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.values import Wait, Why
from ipcviz.narrate.waits import describe_reason_briefly, format_call

if TYPE_CHECKING:
    from ipcviz.events import Located
    from ipcviz.model.state import Process, State, Wake

_LETTERS: Final = {
    "D": "waits for a device",
    "S": "asleep",
    "t": "held",
    "T": "stopped",
    "Z": "zombie",
}
_WAKE_SHOWN: Final = 1.0
"""Seconds for which a wake is shown while everything runs; in step mode it is for its step."""


def describe_fate(process: Process) -> str:
    """How a process ended: `exit 0`, `killed by SIGPIPE`, `ended` if that is not known."""
    if not process.exit_known:
        return "ended"
    return (
        f"killed by {signal_name(process.exit_signal)}"
        if process.exit_signal
        else f"exit {process.exit_code}"
    )


def title_of(state: State, pid: int) -> str:
    """What a process is called where there is little room: its label, else its PID."""
    process = state.processes.get(pid)
    return process.label if process is not None and process.label else str(pid)


def waits_of(state: State, process: Process) -> tuple[Wait, ...]:
    """The waits of all its threads, or nothing if one of them runs."""
    found = [wait_of(state, tid) for tid in process.threads]
    return tuple(w for w in found if w is not None) if found and all(found) else ()


def is_held(state: State, process: Process) -> bool:
    """Whether one of its threads is held in step mode, and none runs."""
    threads = [state.threads[tid] for tid in process.threads if tid in state.threads]
    return any(t.poised is not None for t in threads) and all(
        t.poised or t.waiting for t in threads
    )


def choose_chip(state: State, process: Process, waits: tuple[Wait, ...]) -> tuple[str, str]:
    """Its state as a letter and the name of the letter's style.

    `R` runs, `B` is blocked until another process acts, `S` waits for time, a signal, input or a
    child, `D` waits for a device, `H` is held in step mode, `T` is stopped, `Z` has ended and was
    not waited for, `x` is gone.
    """
    if process.fate != "alive":
        return ("Z", "zombie") if process.fate == "zombie" else ("x", "gone")
    if process.stopped_by:
        return "T", "stopped"
    if is_held(state, process):
        return "H", "held"
    told = find_leading_wait(process, waits)
    if told is not None:
        return ("B", "blocked") if told.blocked else ("S", "asleep")
    # A thread's state is newer than the sample: each call that returned renews it.
    thread = state.threads.get(process.pid)
    letter = thread.state if thread else "?"
    if letter == "?" and process.sample:
        letter = process.sample.state
    some_wait = any(state.threads[t].waiting for t in process.threads if t in state.threads)
    if letter in ("S", "D", "T") and not some_wait:
        return letter, {"S": "asleep", "D": "blocked", "T": "stopped"}[letter]
    return "R", "running"


def find_fresh_wake(state: State, process: Process) -> Wake | None:
    """What has just woken a thread of a process that lives; None if nothing has."""
    if process.fate != "alive":
        return None
    for tid in process.threads:
        thread = state.threads.get(tid)
        woken = thread.woken if thread is not None else None
        if woken is None or woken.pid not in state.processes:
            continue
        fresh = woken.step == state.step if state.stepping else state.t - woken.t < _WAKE_SHOWN
        if fresh:
            return woken
    return None


def describe_activity(state: State, process: Process, waits: tuple[Wait, ...]) -> str:
    """What it does or is blocked on, in a few words: `read(0) P1 empty`."""
    if process.fate == "zombie":
        return f"zombie, {describe_fate(process)}"
    if process.fate == "gone":
        return describe_fate(process)
    if process.stopped_by:
        return f"stopped by {signal_name(process.stopped_by)}"
    wake = find_fresh_wake(state, process)
    held = next((t for tid in process.threads if (t := state.threads.get(tid)) and t.poised), None)
    returns = held is None or (held.poised is not None and held.poised.at == "return")
    if wake is not None and not waits and returns:
        return make_visible(f"woken by {title_of(state, wake.pid)}")
    if held is not None and held.poised is not None:
        target = name_object(state, name_target(held.poised))
        if held.poised.at == "access":
            return make_visible(
                _describe_access(state, held.poised.object, held.tid, held.poised.op)
            )
        return make_visible(f"> {stepping.name_operation(held.poised)} {target}".rstrip())
    told = find_leading_wait(process, waits)
    if told is not None:
        return describe_wait(state, told)
    letter, _ = choose_chip(state, process, waits)
    leader = state.threads.get(process.pid)
    if leader is not None and leader.handlers:
        return f"in {signal_name(leader.handlers[-1])} handler"
    return _LETTERS.get(letter, "running")


def _describe_access(state: State, key: str, tid: int, op: str) -> str:
    """What a thread has just done to a variable: `loaded counter: 7`."""
    variable = state.variables.get(key)
    done = {"load": "loaded", "store": "stored", "update": "loaded, stored"}.get(op, "used")
    if variable is None:
        return done
    loaded = variable.loads.get(tid)
    value = loaded.value if loaded is not None else variable.value
    return f"{done} {variable.label}: {format_value(variable.info.encoding, value)}"


def describe_wait_briefly(state: State, process: Process, waits: tuple[Wait, ...]) -> str:
    """What it is blocked on in two words, for a box without room: `P1 full`; empty if
    `describe_activity` has none to spare.
    """
    held = any(t.poised for tid in process.threads if (t := state.threads.get(tid)))
    wait = find_leading_wait(process, waits)
    if process.fate != "alive" or process.stopped_by or held or wait is None:
        return ""
    short = shorten_wait(state, wait)
    if short.is_verb or not short.rest:
        return short.head
    # Who opens has nothing open yet: without that word it would seem to read or write.
    return f"{short.head} {short.rest}" if wait.why in _OPENING else short.rest


def find_line(state: State, process: Process | None) -> Located | None:
    """The source line that a process is on: that of its thread that moved last, else of the one
    whose line was read last, else of its eldest that has one.
    """
    if process is None or process.fate != "alive":
        return None
    last = process.located.tid if process.located is not None else 0
    for tid in (state.moved, last, *process.threads):
        thread = state.threads.get(tid)
        if thread is not None and thread.pid == process.pid and thread.source is not None:
            return thread.source
    return None


def place_words(located: Located) -> str:
    """A source line in the fewest words: `queue.c:34`."""
    return make_visible(f"{os.path.basename(located.file) or located.file}:{located.line}")


def line_row(state: State, process: Process) -> tuple[NodeLine, ...]:
    """The row of a box for its source line in step mode. While the process moves it is empty, so
    that what is below it stays where it is.
    """
    known = process.located
    if not state.stepping or known is None or not known.file or process.fate != "alive":
        return ()
    located = find_line(state, process)
    return (NodeLine(place_words(located) if located is not None else "", "dim"),)


class Short(NamedTuple):
    """A wait in the fewest words.

    Attributes:
        head: The call: `read(0)`; or what the process does, a verb: `sleeps`.
        rest: On what and why: `P1 empty`; empty if the verb says it all.
        is_verb: Whether `head` is what it does.
    """

    head: str
    rest: str = ""
    is_verb: bool = False


def describe_wait(state: State, wait: Wait) -> str:
    """A wait in the fewest words that say on what and why: `read(0) P1 empty`, `sleeps`."""
    short = shorten_wait(state, wait)
    return f"{short.head} {short.rest}" if short.rest else short.head


def shorten_wait(state: State, wait: Wait) -> Short:
    """The same in two parts."""
    if wait.why in _VERBS and (wait.why is not Why.INPUT or wait.call != "read"):
        return _VERBS[wait.why]
    if wait.why is Why.SIGNAL and wait.fd < 0:
        return Short(f"{wait.call.removeprefix('rt_')}:", "a signal")
    thread = state.threads.get(wait.tid)
    if wait.why is Why.READY and thread is not None and thread.waiting is not None:
        labels = ready_labels(state, wait.pid, thread.waiting)
        if not labels:
            return Short("waits", "until ready", is_verb=True)
        return Short(f"{wait.call}:", make_visible(labels))
    head, on = format_call(wait), ""
    if wait.semaphore and wait.semaphore in state.semaphores:
        on = make_visible(state.semaphores[wait.semaphore].label)
    elif wait.object and wait.object in state.objects:
        on = make_visible(state.objects[wait.object].label)
        head = "open" if wait.why in _OPENING else head
    reason = _short_reason(state, wait)
    # `P1 full` is said of P1; `no writer` is not said of the FIFO.
    between = ": " if wait.why in _SHORT else " "
    return Short(head, between.join(part for part in (on, reason) if part))


_VERBS: Final = {
    Why.CHILD: Short("waits", "for a child", is_verb=True),
    Why.TIME: Short("sleeps", is_verb=True),
    Why.INPUT: Short("waits", "for input", is_verb=True),
}


def _short_reason(state: State, wait: Wait) -> str:
    if wait.semaphore and wait.semaphore in state.semaphores:
        found = state.semaphores[wait.semaphore]
        value = f"is {found.value if found.value is not None else 0}"
        holds = () if counts_several(found) else list_semaphore_holders(found)
        owners = [f"{title_of(state, hold.pid)} has it" for hold in holds[:1]]
        return ", ".join((value, *owners))
    thing = state.objects.get(wait.object)
    if wait.why is Why.EMPTY and thing is not None and thing.info.kind in COUNTERS:
        return "is 0"
    return _SHORT.get(wait.why) or describe_reason_briefly(state, wait)


_OPENING: Final = frozenset({Why.NO_READER, Why.NO_WRITER, Why.OPEN})
_SHORT: Final = {Why.NO_READER: "no reader", Why.NO_WRITER: "no writer"}
