"""Events of step mode: threads that are held, and the viewer who lets them go one at a time."""

from __future__ import annotations

from typing import Literal

from ipcviz.events.arguments import Arguments, WithArguments
from ipcviz.events.base import Base
from ipcviz.events.samples import SemaphoreInfo

At = Literal["start", "entry", "return", "signal", "semaphore", "access", "running"]
"""Where a thread is held: at the beginning of its life; before a call; behind the call that it
was blocked in; before a signal acts on it; before an operation on a semaphore; behind a load or
store of a watched variable; in its own code, between calls."""


class Held(Base, tag="held", frozen=True):
    """From here on every thread is held at its next stop, and goes on only when it is let go
    (`Stepped`).

    Attributes:
        reason: A breakpoint in words, without its process; empty if the viewer wanted it.
        pid: The process that the breakpoint names; 0 if none.
    """

    reason: str = ""
    pid: int = 0


class Released(Base, tag="released", frozen=True):
    """From here on everything runs by itself again."""


class Poised(Base, WithArguments, tag="poised", frozen=True):
    """A thread is held, and this is what it will do when it is let go.

    Attributes:
        at: Where it is held.
        call: The call that it is about to make (`entry`), or came back from (`return`).
        args: That call's arguments by name.
        object: Key of the object behind its descriptor argument; of the variable that it has
            loaded or stored (`access`).
        data: The first bytes that it is about to write.
        signo: The signal that is about to act on it.
        action: What that signal will do: `handler`, `terminate`, `core`, `stop`.
        sender: Who sent it, 0 if that is not known.
        op: The semaphore operation, without `sem_`; what it has done to the variable (`access`).
        semaphore: The semaphore.
        value: Its value now; None if it could not be read.
        repeated: How many times it has waited like that already since it was let go, each time for
            a moment alone.
    """

    pid: int
    tid: int
    at: At
    call: str = ""
    args: Arguments = {}
    object: str = ""
    data: bytes = b""
    signo: int = 0
    action: str = ""
    sender: int = 0
    op: str = ""
    semaphore: SemaphoreInfo | None = None
    value: int | None = None
    repeated: int = 0


class Stepped(Base, tag="stepped", frozen=True):
    """A thread was let go: the `step`-th time that one was in this session."""

    step: int
    pid: int
    tid: int


class Settled(Base, tag="settled", frozen=True):
    """What the last step set off has come to rest: every thread is held, or blocked in a call.

    The samples just before say how everything stands now.
    """

    step: int
