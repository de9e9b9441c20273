"""The base of all events."""

from __future__ import annotations

from typing import Any

import msgspec


def written() -> Any:
    """The default 0 of a field that is written all the same: where 0 is an answer, not the lack of
    one.

    msgspec leaves out what is the default itself (`omit_defaults`), and not what a factory has
    made.
    """
    return msgspec.field(default_factory=int)


class Base(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event", kw_only=True):
    """Base of the events: when, and which number."""

    t: float
    n: int = 0
