"""Whether a call ends by itself. Pure."""

from __future__ import annotations

from typing import Final

from ipcviz.events.calls import FOR_TIME
from ipcviz.model.state import CallInProgress

_ENDLESS: Final = (0, -1, "0", "0x0", "NULL")
"""Timeouts that are none: a null pointer, or less than nothing (poll(2))."""


def has_limit(call: CallInProgress) -> bool:
    """Whether time alone ends a call."""
    if call.name in FOR_TIME or call.deadline is not None:
        return True
    return call.args.get("timeout", 0) not in _ENDLESS
