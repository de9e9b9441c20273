"""For how long a wait goes on at most, and what its own signal mask lets in meanwhile, in words.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from ipcviz.events.signals import names_of, signal_name
from ipcviz.model.mechanisms.notifiers import seconds_text
from ipcviz.model.mechanisms.signals import MASKED, reaches
from ipcviz.model.state import CallInProgress, State, Thread
from ipcviz.model.waits.holding import name_of


def limit_words(state: State, thread: Thread, call: CallInProgress, now: float) -> str:
    """`at most 1.5 s more`, `its time is up`; where its beginning is not known, of all it lasts: `5
    s at most`.

    A signal of a timer of its process that comes first may end it, too: `SIGALRM in 1.5 s`.
    """
    if call.deadline is not None:
        left = call.deadline - now
        words = f"at most {seconds_text(left)} more" if left > 0 else "its time is up"
    else:
        words = f"{call.args['limit']} s at most" if "limit" in call.args else ""
    dues = [
        timer
        for (pid, _), timer in state.timers.items()
        # One that comes again and again is there for something else.
        if pid == thread.pid
        and timer.armed
        and not timer.clock
        and not timer.interval
        and timer.due > now
        if reaches(state, thread, timer.signo)
    ]
    first = min(dues, key=lambda timer: timer.due, default=None)
    if first is None or (call.deadline is not None and first.due >= call.deadline):
        return words
    signal = f"{signal_name(first.signo)} in {seconds_text(first.due - now)}"
    return f"{words}, {signal}" if words else signal


def time_words(call: CallInProgress, now: float) -> str:
    """What is left of a sleep: `1.5 s more`; of one whose beginning is not known, all of it: `5
    s`.
    """
    if call.deadline is not None:
        left = call.deadline - now
        return f"{seconds_text(left)} more" if left > 0 else "its time is up"
    return f"{call.args['limit']} s" if "limit" in call.args else ""


def let_in(thread: Thread, call: CallInProgress) -> str:
    """What the signal mask of a call lets in that is blocked otherwise: ` (lets SIGALRM in)`; empty
    if nothing.

    Where the thread's own mask is not known, only that the call has one.
    """
    if call.name not in MASKED or call.number("mask") is None:
        return ""
    if thread.own_mask is None:
        return " (under a signal mask of its own)"
    names = names_of(thread.own_mask & ~thread.blocked)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f" (lets {shown} in)" if names else ""


def given_up(state: State, tids: Iterable[int], now: float) -> str:
    """Which of some waits ends first by itself, and when: `a[1] waits at most 1.5 s more`; empty if
    none does.
    """
    calls = {tid: state.threads[tid].waiting for tid in tids if tid in state.threads}
    ends = {
        tid: call.deadline
        for tid, call in calls.items()
        if call is not None and call.deadline is not None
    }
    if not ends:
        return ""
    tid = min(ends, key=lambda one: ends[one])
    left = ends[tid] - now
    name = name_of(state, state.threads[tid].pid, tid)
    return (
        f"{name} waits at most {seconds_text(left)} more"
        if left > 0
        else f"the time of {name} is up"
    )
