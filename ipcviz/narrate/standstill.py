"""Why nobody can be let go on in step mode, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ipcviz.events.signals import signal_name
from ipcviz.model.state import State
from ipcviz.model.waits.circles import Circle
from ipcviz.model.waits.future import armed_timers
from ipcviz.model.waits.limits import has_limit
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.values import Wait, Why
from ipcviz.narrate.circles import describe_circle
from ipcviz.narrate.waits import describe_wait
from ipcviz.narrate.words import name_process

_NAMED = 2
"""So many of those that wait are named."""


def describe_standstill(state: State, circles: Sequence[Circle], now: float | None = None) -> str:
    """Who waits for what, and what could end that: `nobody can go on: sleeper waits for a signal
    (pause); no timer is armed, and nobody is left to send one`.

    Args:
        state: A moment of step mode at which no thread is held.
        circles: Those who wait for each other.
        now: The moment in session seconds, for what is left of limits; that of the last event if it
            is not given.
    """
    if not state.threads:
        return "nobody is left who could go on"
    if circles:
        return f"nobody can go on: {describe_circle(state, circles[0], now)}"
    waits = [wait for tid in state.threads if (wait := wait_of(state, tid)) is not None]
    # Who waits for a child is only as stuck as the child is.
    told = [wait for wait in waits if wait.why is not Why.CHILD] or waits
    # Who goes on by himself when his time is up comes first: the others may follow from that.
    told.sort(key=lambda wait: not _ends_by_time(state, wait))
    timers = _list_timers(state, told)
    passes = bool(timers) or any(_ends_by_time(state, wait) for wait in told)
    words = [_describe(state, wait, now) for wait in told[:_NAMED]]
    if len(told) > _NAMED:
        words.append(f"{len(told) - _NAMED} more wait")
    if not passes and told and all(wait.why is Why.SIGNAL for wait in told):
        words.append("no timer is armed, and nobody is left to send one")
    begin = "all wait until time has passed" if passes else "nobody can go on"
    return f"{begin}: {'; '.join([*words, *timers[:1]])}"


def _describe(state: State, wait: Wait, now: float | None) -> str:
    name = name_process(state, wait.pid, wait.tid)
    if wait.why is Why.SIGNAL and wait.fd < 0:
        return f"{name} waits for a signal ({wait.call.removeprefix('rt_')})"
    return f"{name} is in {describe_wait(state, wait, now)}"


def _list_timers(state: State, waits: Sequence[Wait]) -> list[str]:
    """The armed timers of those who wait, whose signals could end that."""
    return [
        f"the timer of {name_process(state, pid)} for {signal_name(min(signals))} is armed"
        for pid in dict.fromkeys(wait.pid for wait in waits)
        if (signals := armed_timers(state, pid))
    ]


def _ends_by_time(state: State, wait: Wait) -> bool:
    """Whether a wait ends at a moment, whatever others do."""
    call = state.threads[wait.tid].waiting
    return wait.limited or (call is not None and has_limit(call))
