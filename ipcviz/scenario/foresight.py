"""Whether what a held thread is about to do may reach a step of a story: pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from msgspec.structs import replace

from ipcviz.events import Poised
from ipcviz.events.calls import BIRTHS, FOR_CHILD, where
from ipcviz.events.signals import signal_name
from ipcviz.model.query import list_holders
from ipcviz.model.state import State
from ipcviz.model.steps.stepping import find_value
from ipcviz.model.waits.outsiders import nobody_else_has
from ipcviz.model.waits.values import Why
from ipcviz.scenario.format import Question, Scenario, Texts, When
from ipcviz.scenario.reasons import is_because
from ipcviz.scenario.recognise import Recognised, named_by_path

_EXECUTES: Final = where(lambda call: call.family == "program")
_OWN_CODE: Final = ("access", "start", "return", "running")
"""Where a thread is held that runs its own code next, and makes no call first."""
_NOTHING: Final = State()


def may_answer(
    question: Question, scenario: Scenario, cast: Recognised, poised: Poised, state: State
) -> bool:
    """Whether letting this thread go may show the answer to a question.

    Args:
        question: One of the scenario's.
        scenario: Whose.
        cast: Who is who.
        poised: What the thread is about to do.
        state: The moment.
    """
    poised = replace(poised, value=find_value(state, poised))
    return any(
        may_meet(step.when, scenario, cast, poised, state)
        for step in scenario.story
        if step.id in question.ids
    )


def may_meet(
    when: When, scenario: Scenario, cast: Recognised, poised: Poised, state: State = _NOTHING
) -> bool:
    """Whether what a thread is about to do may bring an event that meets a condition.

    What the result will be is not known yet: conditions on it count as met.

    Args:
        when: The condition.
        scenario: Whose it is.
        cast: Who is who.
        poised: What the thread is about to do.
        state: The moment: who has loaded which variable.
    """
    if when.role and cast.roles.get(poised.pid) not in _list_texts(when.role):
        return False
    kind, entry = when.kind, poised.at == "entry"
    if kind == "waiting" and _surely_reads(when, poised, state):
        return False
    if kind in ("call", "waiting"):
        return _meets_call(when, scenario, cast, poised)
    if kind == "semaphore-op":
        return (
            poised.at == "semaphore"
            and _is_like(when.op, poised.op)
            and (when.value is None or poised.value is None or when.value == poised.value)
            and (not when.object or _find_label(cast, poised) in _list_texts(when.object))
        )
    if kind in ("signal-delivered", "stopped"):
        return poised.at == "signal" and (
            not when.signal or signal_name(poised.signo) in _list_texts(when.signal)
        )
    if kind == "accessed":
        return _may_access(when, cast, poised, state)
    if kind == "exited":
        return _may_exit(when, poised)
    calls = {
        "forked": BIRTHS,
        "executed": _EXECUTES,
        "reaped": FOR_CHILD,
        "handler-returned": frozenset({"rt_sigreturn"}),
        "marker": frozenset({"marker"}),
    }.get(kind, frozenset())
    if not entry or poised.call not in calls:
        return False
    return kind != "marker" or _is_like(when.marker, poised.get_text("text"))


def _meets_call(when: When, scenario: Scenario, cast: Recognised, poised: Poised) -> bool:
    if poised.at == "semaphore":
        return (
            when.kind == "waiting"
            and _is_like(when.call, "futex", f"sem_{poised.op}")
            and poised.value in (0, None)
        )
    if poised.at != "entry" or not _is_like(when.call, poised.call):
        return False
    if when.fd is not None and when.fd not in (poised.args.get("fd"), poised.args.get("newfd")):
        return False
    if not all(
        fnmatchcase(str(poised.args.get(name, text)), str(text)) for name, text in when.args.items()
    ):
        return False
    if when.object:
        labels = {_find_label(cast, poised), *named_by_path(scenario, poised.get_text("path"))}
        return not labels.isdisjoint(_list_texts(when.object))
    return True


def _may_exit(when: When, poised: Poised) -> bool:
    if poised.at == "signal":
        return (
            poised.action in ("terminate", "core")
            and when.code is None
            and (not when.signal or signal_name(poised.signo) in _list_texts(when.signal))
        )
    status = poised.args.get("code")
    return (
        poised.at == "entry"
        and poised.call == "exit_group"
        and not when.signal
        and (when.code is None or not isinstance(status, int) or when.code == status & 0xFF)
    )


def _surely_reads(when: When, poised: Poised, state: State) -> bool:
    """Whether a condition is about a wait for bytes, and this call will not wait for any: some are
    there, or it is a pipe that nobody can write to any more.
    """
    thing = state.objects.get(poised.object)
    if thing is None or not when.because or _list_reasons(when.because) != [Why.EMPTY]:
        return False
    level = thing.level
    if level is not None and level.unit == "bytes" and level.queued > 0:
        return True
    holders = list_holders(state).get(poised.object, ())
    return (
        thing.info.kind == "pipe"
        and not any(one.writes for one in holders)
        and nobody_else_has(state, poised.object)
    )


def _may_access(when: When, cast: Recognised, poised: Poised, state: State) -> bool:
    """Whether a thread's own code may bring an access to a variable.

    Nobody can read from the code what it will load next, so a load may come wherever the code runs
    on. A store follows from what the thread has loaded.
    """
    for key, variable in state.variables.items():
        if when.object and cast.labels.get(key) not in _list_texts(when.object):
            continue
        loaded = variable.loads.get(poised.tid)
        if loaded is None:
            if _is_like(when.op, "load", "update") and poised.at in _OWN_CODE and not when.lost:
                return True
        elif _is_like(when.op, "store") and (
            not when.lost
            or any(
                store.version > loaded.version and store.tid != poised.tid
                for store in variable.stores
            )
        ):
            return True
    return False


def _find_label(cast: Recognised, poised: Poised) -> str:
    key = poised.semaphore.key if poised.semaphore is not None else poised.object
    return cast.labels.get(key, "")


def _list_reasons(because: Texts) -> list[Why]:
    return [why for why in Why if is_because(_list_texts(because), why)]


def _is_like(wanted: Texts, *found: str) -> bool:
    return not wanted or any(
        fnmatchcase(text, pattern) for text in found for pattern in _list_texts(wanted)
    )


def _list_texts(value: Texts) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
