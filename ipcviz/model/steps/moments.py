"""The moments that a viewer moves between: by one of them forward or back is one step. Pure."""

from __future__ import annotations

from typing import Final

from ipcviz.events import (
    Accessed,
    Call,
    Continued,
    Event,
    Executed,
    Exited,
    Finished,
    Forked,
    HandlerReturned,
    Held,
    Marker,
    Outsiders,
    SemaphoreOp,
    Settled,
    SignalDelivered,
    Started,
    Stopped,
    ThreadCreated,
    Waiting,
)
from ipcviz.model.state import State
from ipcviz.model.steps.visible import ENDS, is_visible, is_visible_semaphore

_OF_WHAT_RUNS: Final = (Executed, Call, Waiting)
"""Events that nothing has which could not be executed."""
_ALWAYS: Final = (
    Accessed,
    Forked,
    ThreadCreated,
    Executed,
    Exited,
    HandlerReturned,
    Stopped,
    Continued,
    Marker,
    Held,
    Outsiders,
    Settled,
    Finished,
)


def is_moment(event: Event, before: State, after: State) -> bool:
    """Whether the state after an event is one that a viewer stops at.

    In step mode those are the moments in which all is at rest. In a live run it is every operation
    that another process can notice.

    Args:
        event: The event.
        before: The state before it.
        after: The state after it.
    """
    if before.stepping and after.stepping:
        return isinstance(event, Settled | Finished)
    if isinstance(event, Call):
        return event.name not in ENDS and is_visible(
            before, event.pid, event.name, event.args, event.tid
        )
    if isinstance(event, _ALWAYS):
        return True
    if isinstance(event, Waiting):
        return is_visible(before, event.pid, event.call, event.args)
    if isinstance(event, SemaphoreOp):
        return is_visible_semaphore(event.semaphore)
    return isinstance(event, SignalDelivered) and event.action != "ignore"


def has_begun(event: Event) -> bool:
    """Whether an event says that there is something to watch: the command runs, or the session
    attached.
    """
    return isinstance(event, _OF_WHAT_RUNS) or (
        isinstance(event, Started) and event.mode == "attached"
    )
