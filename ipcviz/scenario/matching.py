"""Whether an event meets a condition of a story: pure."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ipcviz.events import (
    Accessed,
    Call,
    Closed,
    Disposition,
    Duplicated,
    Event,
    Executed,
    Exited,
    Forked,
    HandlerReturned,
    Mapped,
    Marker,
    NameCreated,
    NameRemoved,
    Opened,
    Reaped,
    SemaphoreOp,
    Sent,
    SignalDelivered,
    Stopped,
    Timer,
    Waiting,
)
from ipcviz.events.arguments import Arguments
from ipcviz.events.signals import signal_name
from ipcviz.model.mechanisms.variables import is_between_stores
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.scenario.format import Scenario, Texts, When
from ipcviz.scenario.reasons import is_because
from ipcviz.scenario.recognise import Recognised, named_by_path


def kind_of(event: Event) -> str:
    """An event's name in the stream."""
    return str(event.__struct_config__.tag)


def meets_condition(
    when: When, scenario: Scenario, cast: Recognised, event: Event, after: State
) -> bool:
    """Whether an event meets a condition.

    Args:
        when: The condition.
        scenario: Whose it is.
        cast: Who is who, with this event taken into account.
        event: The event.
        after: The state that it led to.
    """
    if when.kind != kind_of(event):
        return False
    actor, child = _find_actors(event)
    if when.role and cast.roles.get(actor) not in _list_texts(when.role):
        return False
    if when.child and cast.roles.get(child) not in _list_texts(when.child):
        return False
    if isinstance(event, Call):
        return _meets_call(when, scenario, cast, event)
    if isinstance(event, Waiting):
        return _meets_waiting(when, scenario, cast, event, after)
    if isinstance(event, Accessed):
        variable = after.variables.get(event.variable)
        return (
            _is_like(when.op, event.op)
            and (not when.object or cast.labels.get(event.variable) in _list_texts(when.object))
            and (not when.lost or (variable is not None and variable.lost_at == event.n))
            and (not when.between or is_between_stores(after, event))
        )
    if isinstance(event, SemaphoreOp):
        return (
            _is_like(when.op, event.op)
            and (when.value is None or when.value == event.value)
            and (
                not when.object or cast.labels.get(event.semaphore.key) in _list_texts(when.object)
            )
        )
    return _meets_other(when, event)


def _meets_other(when: When, event: Event) -> bool:
    if isinstance(event, Marker):
        return _is_like(when.marker, event.text)
    if isinstance(event, Executed):
        return _is_like(when.program, event.path.rpartition("/")[2], event.name)
    if isinstance(event, Exited):
        return (
            when.code is None or (when.code == event.code and not event.signo)
        ) and _has_wanted_signal(when, [event.signo])
    if isinstance(event, SignalDelivered):
        return (
            _has_wanted_signal(when, [event.signo])
            and _is_like(when.action, event.action)
            and _is_like(when.interrupted, event.interrupted)
        )
    if isinstance(event, HandlerReturned):
        return when.jumped in (None, event.jumped)
    if isinstance(event, Stopped):
        return _has_wanted_signal(when, [event.signo])
    return True


def _find_actors(event: Event) -> tuple[int, int]:
    """Who did it, and to which child."""
    if isinstance(event, Forked):
        return event.parent, event.pid
    if isinstance(event, Reaped):
        return event.by, event.pid
    pid = getattr(event, "pid", 0)
    return (pid if isinstance(pid, int) else 0), 0


def _meets_call(when: When, scenario: Scenario, cast: Recognised, event: Call) -> bool:
    return (
        _is_like(when.call, event.name)
        and (when.result is None or (when.result == event.ret and not event.error))
        and (when.failed is None or when.failed == bool(event.error))
        and _is_like(when.error, event.error)
        and _has_args(when, event.args)
        and (when.fd is None or when.fd in _list_descriptors(event))
        and (
            not when.object
            or not _objects_of_call(scenario, cast, event).isdisjoint(_list_texts(when.object))
        )
        and _signals_of_call(when, event)
    )


def _meets_waiting(
    when: When, scenario: Scenario, cast: Recognised, event: Waiting, after: State
) -> bool:
    wait = wait_of(after, event.tid)
    if not _is_like(when.call, event.call, wait.call if wait else ""):
        return False
    if when.because and (wait is None or not is_because(_list_texts(when.because), wait.why)):
        return False
    if when.fd is not None and event.args.get("fd") != when.fd:
        return False
    if when.object:
        labels = {
            cast.labels.get(event.object, ""),
            cast.labels.get(wait.semaphore, "") if wait else "",
        }
        labels |= named_by_path(scenario, event.get_text("path"))
        if labels.isdisjoint(_list_texts(when.object)):
            return False
    return _has_args(when, event.args)


def _list_descriptors(event: Call) -> set[int]:
    """Descriptors that a call was about: its arguments, and those that it made or closed."""
    found = {event.get_number(name) for name in ("fd", "newfd", "fd_in", "fd_out")}
    found |= {
        effect.fd for effect in event.effects if isinstance(effect, Opened | Duplicated | Closed)
    }
    return {fd for fd in found if fd is not None}


def _objects_of_call(scenario: Scenario, cast: Recognised, event: Call) -> frozenset[str]:
    """Labels of what a call was about: behind its descriptor, what it opened or mapped, the name it
    made or removed.
    """
    keys = {event.object}
    paths = {str(event.args[name]) for name in ("path", "old", "new") if name in event.args}
    for effect in event.effects:
        if isinstance(effect, Opened | Mapped):
            keys.add(effect.object.key)
        elif isinstance(effect, NameCreated | NameRemoved):
            keys.add(effect.object)
            paths.add(effect.path)
    labels = frozenset(cast.labels[key] for key in keys if key in cast.labels)
    return labels.union(*(named_by_path(scenario, path) for path in paths))


def _signals_of_call(when: When, event: Call) -> bool:
    if not when.signal:
        return True
    if event.get_text("signal") in _list_texts(when.signal):
        return True
    return _has_wanted_signal(
        when,
        (
            effect.signo
            for effect in event.effects
            if isinstance(effect, Sent | Timer | Disposition)
        ),
    )


def _has_wanted_signal(when: When, numbers: Iterable[int]) -> bool:
    return not when.signal or any(
        signal_name(number) in _list_texts(when.signal) for number in numbers
    )


def _has_args(when: When, args: Arguments) -> bool:
    return all(
        name in args and fnmatchcase(str(args[name]), str(wanted))
        for name, wanted in when.args.items()
    )


def _is_like(wanted: Texts, *found: str) -> bool:
    """Whether nothing is wanted, or one of the texts found is like one of the patterns wanted."""
    return not wanted or any(
        fnmatchcase(text, pattern) for text in found for pattern in _list_texts(wanted)
    )


def _list_texts(value: Texts) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
