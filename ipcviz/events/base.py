"""The base of all events."""

from __future__ import annotations

from typing import Any, Final

import msgspec

UNTIMED: Final = -1.0
"""The time of an event that has not been emitted yet."""


def make_written_default() -> Any:
    """The default 0 of a field that is written all the same: where 0 is an answer, not the lack of
    one.

    msgspec leaves out what is the default itself (`omit_defaults`), and not what a factory has
    made.
    """
    return msgspec.field(default_factory=int)


class Base(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event", kw_only=True):
    """Base of the events: when, in session seconds, and which number.

    The tracer's emitter numbers each event, and gives it the time where it was made without one:
    until then an event belongs to nobody but its maker, and from then on it never changes.
    """

    t: float = UNTIMED
    n: int = 0
