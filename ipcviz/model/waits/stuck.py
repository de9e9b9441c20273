"""Whether all that are watched wait, and whether anybody else could end that. Pure."""

from __future__ import annotations

from ipcviz.model.query import list_holders, list_living
from ipcviz.model.state import State
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.rules import find_wait
from ipcviz.model.waits.values import Wait


def all_wait(state: State) -> tuple[Wait, ...] | None:
    """What every thread waits for, elders first; None if one of them can go on, or time alone will
    wake one.
    """
    if any(timer.armed for timer in state.timers.values()):
        return None
    lookup = Lookup(state, list_holders(state))
    found = []
    for process in list_living(state):
        for tid in sorted(process.threads):
            wait = find_wait(lookup, tid)
            if wait is None or wait.limited or state.threads[tid].poised is not None:
                return None
            found.append(wait)
    return tuple(found) or None


def nobody_else(wait: Wait) -> bool:
    """Whether only those that are watched could end a wait, as far as can be seen: nobody else has
    what it waits for.

    A signal can come from anybody at any time; that is not counted. Without the wait's wakers it is
    not known.
    """
    return wait.wakers is not None and wait.wakers.only_watched
