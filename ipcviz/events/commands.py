"""Commands: what the tracer is told."""

from __future__ import annotations

from typing import Literal

import msgspec


class Command(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="command"):
    """Base of the commands."""


class Input(Command, tag="input", frozen=True):
    """Type these bytes to the command's terminal."""

    data: bytes


class Resize(Command, tag="resize", frozen=True):
    """The command's terminal has a new size."""

    rows: int
    columns: int

    @classmethod
    def make_for_screen(cls, rows: int, columns: int) -> Resize:
        """The size for a command that is shown on a screen of this size: as wide, and without the
        rows of the bars.
        """
        return cls(rows=max(rows - 6, 10), columns=max(columns, 1))


class SendSignal(Command, tag="signal", frozen=True):
    """Send a signal to an observed process."""

    pid: int
    signo: int


class Peek(Command, tag="peek", frozen=True):
    """Copy up to `limit` waiting bytes of this object with each sample; empty `object` ends it."""

    object: str
    limit: int = 4096


class Inspect(Command, tag="inspect", frozen=True):
    """Read once a second what hardly changes of this process (`ProcessFacts`); 0 ends it.

    With `lines` the source lines of its threads are read as well, while they are blocked.
    """

    pid: int
    lines: bool = False


class HoldAll(Command, tag="hold", frozen=True):
    """Step mode: hold every thread at its next stop, and those that run in their own code at
    once.
    """


class Let(Command, tag="let", frozen=True):
    """Step mode: let one held thread go on, until it is held again or blocks.

    Nothing happens if it is not held; one that comes before the last one's `Settled` is obeyed
    after that.
    """

    tid: int


class Breakpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ends a live run: an event for which all that is given here is true.

    Attributes:
        event: The event's name in the stream: `call`, `forked`, `signal-delivered`, `semaphore-op`,
            `exited`, ...
        call: The call's name, or that of the semaphore operation without `sem_`.
        object: Key of the object or semaphore that it is about.
        pid: The process that it is about.
        signo: The signal that it is about.
        condition: What must have become true of the object with it: `full`, `empty`, `end` (of
            file), `blocked` (a thread waits for it), or `zero` (a semaphore's value).
    """

    event: str = ""
    call: str = ""
    object: str = ""
    pid: int = 0
    signo: int = 0
    condition: Literal["", "full", "empty", "end", "blocked", "zero"] = ""


class RunUntil(Command, tag="run", frozen=True):
    """Let everything go on by itself, until one of these breakpoints is reached; then all are held
    again.
    """

    until: tuple[Breakpoint, ...] = ()


class Watch(Command, tag="watch", frozen=True):
    """Watch this process too; only where running processes are watched that ipcviz has not
    launched.
    """

    pid: int


class Quit(Command, tag="quit", frozen=True):
    """End the session: kill what was launched, and leave nothing behind."""


AnyCommand = Input | Resize | SendSignal | Peek | Inspect | HoldAll | Let | RunUntil | Watch | Quit
