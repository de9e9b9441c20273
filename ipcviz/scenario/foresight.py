"""Whether what a held thread is about to do may reach a step of a story: pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from msgspec.structs import replace

from ipcviz.events import Poised
from ipcviz.events.calls import BIRTHS, FOR_CHILD, where
from ipcviz.events.kinds import UNNAMED_PIPES
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
_KILLS: Final = where(lambda call: "sends signals" in call.traits)
_EXITS: Final = where(lambda call: call.family == "end")
_CHANGES: Final = where(lambda call: "effects" in call.traits)
"""Calls that change what a process has: by one of them it may lose the descriptor that it names."""
_ENDS: Final = where(lambda call: call.family in ("end", "program"))
"""Calls behind which the code that made them does not run on."""
_SEMAPHORES: Final = "/dev/shm/sem."
"""Beginning of the path of a named semaphore's file."""
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
    if _may_concern_another(when, cast, poised, state):
        return True
    if when.role and cast.roles.get(poised.pid) not in _list_texts(when.role):
        return False
    kind, entry = when.kind, poised.at == "entry"
    if kind == "waiting" and _surely_reads(when, poised, state):
        return False
    if kind in ("call", "waiting"):
        return _meets_call(when, scenario, cast, poised, state)
    if kind == "semaphore-op" and entry:
        return _may_open_semaphore(when, poised)
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
    if kind == "handler-returned" and when.jumped:
        return poised.at == "signal" and poised.action == "handler"
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


def _may_concern_another(when: When, cast: Recognised, poised: Poised, state: State) -> bool:
    """Whether what one process does may bring the event of another one, which sleeps: by SIGKILL,
    or by closing the last write end of what the other one reads.
    """
    if when.kind == "exited" and poised.at == "entry" and poised.call in _KILLS:
        target = poised.args.get("pid")
        return (
            poised.get_text("signal") == "SIGKILL"
            and (not when.signal or "SIGKILL" in _list_texts(when.signal))
            and isinstance(target, int)
            and (not when.role or cast.roles.get(target) in _list_texts(when.role))
        )
    ends = poised.call in _EXITS
    if when.kind != "call" or when.result != 0 or not (ends or poised.call in _CHANGES):
        return False
    for thread in state.threads.values():
        call = thread.waiting
        if call is None or not _is_like(when.call, call.name):
            continue
        label = cast.labels.get(call.object, "")
        if (not when.role or cast.roles.get(thread.pid) in _list_texts(when.role)) and (
            not when.object or label in _list_texts(when.object)
        ):
            holders = list_holders(state).get(call.object, ())
            return (ends or poised.object == call.object) and any(
                one.pid == poised.pid and one.writes for one in holders
            )
    return False


def _may_open_semaphore(when: When, poised: Poised) -> bool:
    """Whether a call at its entry is what sem_open(3) makes of a name: a file under /dev/shm."""
    return _is_like(when.op, "open") and poised.get_text("path").startswith(_SEMAPHORES)


def _meets_call(
    when: When, scenario: Scenario, cast: Recognised, poised: Poised, state: State
) -> bool:
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
        path = poised.get_text("path")
        labels = {_find_label(cast, poised), *named_by_path(scenario, path)}
        labels |= {
            label
            for key, label in cast.labels.items()
            if path and key in state.objects and state.objects[key].info.path == path
        }
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
        thing.info.kind in UNNAMED_PIPES
        and not any(one.writes for one in holders)
        and nobody_else_has(state, poised.object)
    )


def _may_access(when: When, cast: Recognised, poised: Poised, state: State) -> bool:
    """Whether a thread's own code may bring an access to a variable.

    Nobody can read from the code what it will load next, so a load may come wherever the code runs
    on, and behind another load too. A store follows from what the thread has loaded.
    """
    for key, variable in state.variables.items():
        if when.object and cast.labels.get(key) not in _list_texts(when.object):
            continue
        loaded = variable.loads.get(poised.tid)
        if _is_like(when.op, "load", "update") and not when.lost and _may_run_on(poised):
            return True
        if (
            loaded is not None
            and _is_like(when.op, "store")
            and (
                not when.lost
                or any(
                    store.version > loaded.version and store.tid != poised.tid
                    for store in variable.stores
                )
            )
        ):
            return True
    return False


def _may_run_on(poised: Poised) -> bool:
    """Whether a thread's own code may run when it is let go: at once, or when its call returns."""
    return poised.at in _OWN_CODE or (poised.at == "entry" and poised.call not in _ENDS)


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
