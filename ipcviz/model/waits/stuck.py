"""Whether all that are watched wait, and whether anybody else could end that. Pure."""

from __future__ import annotations

from typing import Final

from ipcviz.events.calls import where
from ipcviz.model.query import Wait, describe_wait, holders, living, wait_of
from ipcviz.model.state import State
from ipcviz.model.waits.circles import circle_words, circles
from ipcviz.model.waits.ending import Endings, has_limit

_MOST: Final = 6
_FOR_OWN: Final = where(
    lambda call: (
        call.waits in ("child", "program") or (call.waits == "signal" and not call.has("timeout"))
    )
)
"""Calls that wait for a child, or for any signal."""


def all_wait(state: State) -> tuple[Wait, ...] | None:
    """What every thread waits for, elders first; None if one of them can go on, or time alone will
    wake one.
    """
    if any(timer.armed for timer in state.timers.values()):
        return None
    held = holders(state)
    found = []
    for process in living(state):
        for tid in sorted(process.threads):
            wait = wait_of(state, tid, held)
            thread = state.threads[tid]
            if (
                wait is None
                or thread.poised is not None
                or thread.waiting is None
                or has_limit(thread.waiting)
            ):
                return None
            found.append(wait)
    return tuple(found) or None


def nobody_else(state: State, wait: Wait) -> bool:
    """Whether only those that are watched could end a wait, as far as can be seen: nobody else has
    what it waits for.

    A signal can come from anybody at any time; that is not counted.
    """
    thread = state.threads[wait.tid]
    call = thread.waiting
    if call is None:
        return False
    ending = None if wait.semaphore else Endings(state).of(thread)
    if ending is not None and not ending.doubts:
        return True
    if wait.outsiders:
        return False
    if call.futex is not None:
        return call.futex.private or not call.futex.object
    if wait.semaphore:
        # Others may open a named one at any time, and any set of System V.
        return wait.semaphore.startswith("sem:vm:")
    if call.name in _FOR_OWN:
        return True
    thing = state.objects.get(wait.object)
    channel = state.channels.get(wait.object)
    return (
        thing is not None
        and thing.info.kind == "pipe"
        and channel is not None
        and not channel.outside
    )


def stuck_words(state: State, waits: tuple[Wait, ...]) -> str:
    """`cat[12] in read(0) on P1, empty`, and so on; before that, which of them wait for each
    other.
    """
    around = [circle_words(state, one) for one in circles(state, holders(state))]
    named = []
    for wait in waits[:_MOST]:
        process = state.processes[wait.pid]
        thread = "" if wait.tid == wait.pid else f" (thread {wait.tid})"
        named.append(f"{process.name}[{wait.pid}]{thread} in {describe_wait(state, wait)}")
    more = f"; and {len(waits) - _MOST} more" if len(waits) > _MOST else ""
    return "; ".join([*around, *named]) + more
