"""The rows of the lanes in words: an operation by its name, in a few cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ipcviz.events import (
    Accessed,
    Call,
    Continued,
    Event,
    Executed,
    Exited,
    Forked,
    HandlerReturned,
    Marker,
    Reaped,
    SemaphoreOp,
    SignalDelivered,
    Stopped,
    ThreadCreated,
    Waiting,
)
from ipcviz.events.accesses import format_value
from ipcviz.events.arguments import number_in, text_in
from ipcviz.events.calls import CHANGES_SEMAPHORES, OPENS, READS, WRITES
from ipcviz.events.effects import Duplicated, Opened
from ipcviz.events.signals import signal_name
from ipcviz.model.lanes import Deed, Sleepers, find_arrows, find_doer
from ipcviz.model.mechanisms.queues import RECEIVES, SENDS
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.waits import describe_reason_briefly
from ipcviz.narrate.words import count_text, name_process


def narrate_deed(event: Event, before: State, after: State, sleepers: Sleepers) -> Deed | None:
    """The row of an event; None if it is not worth one.

    Args:
        event: The event.
        before: The state before it.
        after: The state that it led to.
        sleepers: Who was asleep before it; it is kept up.
    """
    pid = find_doer(event, before)
    if not pid:
        if isinstance(event, Waiting):
            sleepers.add_wait(event, after)
        return None
    letter = sleepers.add_wait(event, after) if isinstance(event, Waiting) else ""
    asleep, alive = sleepers.list_all(after)
    words, same = _describe(event, before, after)
    return Deed(
        n=event.n,
        t=event.t,
        step=after.step if after.stepping else 0,
        pid=pid,
        words=words,
        same=same,
        arrows=find_arrows(event, before, after),
        asleep=asleep,
        alive=alive,
        letter=letter,
    )


def _describe(event: Event, before: State, after: State) -> tuple[str, str]:
    """What was done, and what it must have in common with the row before it to be one with that."""
    if isinstance(event, Call):
        return _describe_call(event, after), f"{event.name} {event.object} {event.error}"
    return _WORDS[type(event)](event, before, after), ""


def _describe_call(event: Call, after: State) -> str:
    name = event.name.removeprefix("rt_")
    if event.error:
        return f"{name} {event.error}"
    if event.name == "futex":
        return f"wakes {event.ret}" if "WAKE" in event.get_text("op") else "is woken"
    if event.name in CHANGES_SEMAPHORES:
        return f"{name} {event.get_text('ops')}"
    label = after.objects[event.object].label if event.object in after.objects else ""
    if event.name in READS | WRITES and event.name not in SENDS | RECEIVES:
        amount = "end of file" if event.name in READS and not event.ret else count_text(event.ret)
        return f"{name} {amount} {label}".rstrip()
    if event.name in OPENS:
        path = _strip_folder(text_in(event.args, "path"))
        return f"open {path} as {event.ret}"
    made = [effect for effect in event.effects if isinstance(effect, Opened)]
    copied = next((effect for effect in event.effects if isinstance(effect, Duplicated)), None)
    if copied is not None:
        return f"{name} {copied.source} as {copied.fd}"
    if len(made) > 1:
        return f"{name} {', '.join(str(effect.fd) for effect in made)}"
    if "signal" in event.args:
        return f"{name} {event.args['signal']}"
    fd = number_in(event.args, "fd")
    if label:
        return f"{name} {label}"
    return f"{name} {fd}" if fd is not None else name


def _strip_folder(path: str) -> str:
    return path.rpartition("/")[2]


def _describe_waiting(event: Waiting, before: State, after: State) -> str:
    wait = wait_of(after, event.tid)
    name = event.call.removeprefix("rt_")
    if wait is None:
        return name
    label = after.objects[wait.object].label if wait.object in after.objects else ""
    if wait.semaphore in after.semaphores:
        found = after.semaphores[wait.semaphore]
        name = name if found.info.kind == "system v" else "sem_wait"
        label = found.label
    reason = describe_reason_briefly(after, wait)
    return " ".join(part for part in (name, label, reason) if part)


def _describe_semaphore_op(event: SemaphoreOp, before: State, after: State) -> str:
    found = after.semaphores.get(event.semaphore.key) or before.semaphores.get(event.semaphore.key)
    label = found.label if found is not None else event.semaphore.name or "a semaphore"
    computed = {
        "acquired": f"has {label} now",
        "gained": f"has {label} now",
        "missed": f"{label}: missed",
        "overtaken": f"{label}: overtaken",
        "gave-up": f"{label}: {event.error or 'given up'}",
    }
    return computed.get(event.op, f"sem_{event.op} {label}")


def _describe_exited(event: Exited, before: State, after: State) -> str:
    return f"killed by {signal_name(event.signo)}" if event.signo else f"exit {event.code}"


def _describe_delivered(event: SignalDelivered, before: State, after: State) -> str:
    words = {"handler": "handler runs", "terminate": "ends it", "core": "ends it", "stop": "stops"}
    return f"{signal_name(event.signo)}: {words.get(event.action, event.action)}"


def _describe_accessed(event: Accessed, before: State, after: State) -> str:
    variable = after.variables.get(event.variable)
    if variable is None:
        return event.op
    return f"{event.op} {variable.label} {format_value(variable.info.encoding, event.after)}"


def _describe_forked(event: Forked, before: State, after: State) -> str:
    return "begins" if event.how in ("launched", "attached") else event.how


def _describe_executed(event: Executed, before: State, after: State) -> str:
    return f"exec {_strip_folder(event.path) or event.name}"


def _describe_reaped(event: Reaped, before: State, after: State) -> str:
    return f"waited for {name_process(before, event.pid)}"


_WORDS: Final[dict[type[Event], Callable[[Any, State, State], str]]] = {
    Accessed: _describe_accessed,
    Continued: lambda event, before, after: "continued",
    Executed: _describe_executed,
    Exited: _describe_exited,
    Forked: _describe_forked,
    HandlerReturned: lambda event, before, after: "handler returns",
    Marker: lambda event, before, after: f'"{event.text}"',
    Reaped: _describe_reaped,
    SemaphoreOp: _describe_semaphore_op,
    SignalDelivered: _describe_delivered,
    Stopped: lambda event, before, after: f"stopped by {signal_name(event.signo)}",
    ThreadCreated: lambda event, before, after: "new thread",
    Waiting: _describe_waiting,
}
