"""The base of all events."""

from __future__ import annotations

import msgspec


class Base(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event", kw_only=True):
    """Base of the events: when, and which number."""

    t: float
    n: int = 0
