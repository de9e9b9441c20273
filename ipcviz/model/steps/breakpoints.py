"""Whether an event is what a live run is to end at. Pure."""

from __future__ import annotations

from typing import Final

from ipcviz.events import Accessed, Breakpoint, Call, Event, Sample, SemaphoreOp, Waiting
from ipcviz.events.calls import READS, is_same_operation
from ipcviz.events.signals import signal_name
from ipcviz.model.query import blocked_readers, blocked_writers, list_waiters
from ipcviz.model.state import State

_ABOUT_ANY: Final = ("", "sample")


def find_reached(
    breakpoints: tuple[Breakpoint, ...], event: Event, state: State
) -> Breakpoint | None:
    """The first breakpoint that an event reaches; None if it reaches none.

    Args:
        breakpoints: What is waited for.
        event: The event.
        state: The state after it.
    """
    return next((point for point in breakpoints if _is_reached(point, event, state)), None)


def _is_reached(point: Breakpoint, event: Event, state: State) -> bool:
    if point.event and event.__struct_config__.tag != point.event:
        return False
    if point.pid and getattr(event, "pid", 0) != point.pid:
        return False
    if point.signo and getattr(event, "signo", 0) != point.signo:
        return False
    if point.call and not is_same_operation(point.call, _name_event(event)):
        return False
    if point.condition:
        return _is_condition_met(point, event, state)
    return not point.object or point.object in _list_objects(event)


def _name_event(event: Event) -> str:
    if isinstance(event, Call):
        return event.name
    if isinstance(event, Waiting):
        return event.call
    return event.op if isinstance(event, SemaphoreOp | Accessed) else ""


def _list_objects(event: Event) -> tuple[str, ...]:
    if isinstance(event, Call | Waiting):
        return (event.object,)
    if isinstance(event, SemaphoreOp):
        return (event.semaphore.key,)
    if isinstance(event, Accessed):
        return (event.variable,)
    if isinstance(event, Sample):
        return (
            *(level.object for level in event.levels),
            *(seen.info.key for seen in event.semaphores),
        )
    return ()


def _is_condition_met(point: Breakpoint, event: Event, state: State) -> bool:
    """Whether the condition has become true of the object with this very event."""
    keys = [key for key in _list_objects(event) if key and point.object in ("", key)]
    return any(_is_so(point.condition, key, event, state) for key in keys)


def _is_so(condition: str, key: str, event: Event, state: State) -> bool:
    thing, semaphore = state.objects.get(key), state.semaphores.get(key)
    if condition == "end":
        if not isinstance(event, Call) or event.name not in READS or event.error:
            return False
        return event.ret == 0 and not event.asked_for_nothing
    if condition == "zero":
        return semaphore is not None and semaphore.value == 0
    if condition == "blocked":
        return isinstance(event, Waiting) or bool(
            semaphore is not None and list_waiters(state, key)
        )
    if thing is None:
        return False
    level = thing.level
    if condition == "full":
        full = level is not None and 0 < level.capacity <= level.queued
        slots = level is not None and 0 < level.slots_total <= level.slots
        return full or slots or bool(blocked_writers(state, key))
    return (level is not None and level.queued == 0 and isinstance(event, Sample)) or bool(
        blocked_readers(state, key)
    )


def describe_breakpoint(point: Breakpoint, state: State) -> str:
    """A breakpoint in a few words, without its process, for who reads where all is held."""
    found = state.objects.get(point.object) or state.semaphores.get(point.object)
    label = found.label if found is not None else point.object
    what = (
        point.call
        or (signal_name(point.signo) if point.signo else "")
        or point.event.replace("-", " ")
    )
    conditions = {"end": "end of file", "zero": "value 0"}
    words = [
        "" if point.event in _ABOUT_ANY and not point.call and not point.signo else what,
        label,
        conditions.get(point.condition, point.condition),
    ]
    return " ".join(word for word in words if word) or "anything"
