"""Commands: what the tracer is told."""

from __future__ import annotations

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


class SendSignal(Command, tag="signal", frozen=True):
    """Send a signal to an observed process."""

    pid: int
    signo: int


class Peek(Command, tag="peek", frozen=True):
    """Copy up to `limit` waiting bytes of this object with each sample; empty `object` ends it."""

    object: str
    limit: int = 4096


class Quit(Command, tag="quit", frozen=True):
    """End the session: kill what was launched, and leave nothing behind."""


AnyCommand = Input | Resize | SendSignal | Peek | Quit
