"""What is to be done at the stops of each call, worked out once and not at every stop."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Final

from ipcviz.events.calls import BIRTHS, where
from ipcviz.kernel.seccomp import meets
from ipcviz.model.ledger import directions
from ipcviz.model.mechanisms.queues import SENDS
from ipcviz.tracer.calls.table import (
    ADDRESSED,
    CONDITIONS,
    DATA,
    FORETOLD,
    KNOWN,
    LOADS,
    MARKER_PATH,
    QUICK,
    STRUCTURAL,
)
from ipcviz.tracer.numbers import NUMBERED

OUTGOING: Final = where(lambda call: call.flow == "puts" and call.index("buf") >= 0)
"""Calls whose second and third argument are the bytes that leave the process, and how many they
are.
"""

INCOMING: Final = where(lambda call: call.flow == "takes" and call.index("buf") >= 0)
"""Calls whose second and third argument are the room for the bytes that come in, and how large it
is.
"""

OUTGOING_VECTORS: Final = where(
    lambda call: call.flow == "puts" and call.index("iov", "msg") >= 0 and call.on != "pipe"
)
"""Calls that send what lies in several places."""

INCOMING_VECTORS: Final = where(lambda call: call.flow == "takes" and call.index("iov", "msg") >= 0)
"""Calls that receive into several places."""

QUEUE_CALLS: Final = where(lambda call: call.on == "queue" and call.has("id"))
"""Calls on a System V message queue, by its id."""

SETS: Final = where(lambda call: call.on == "semaphores" and call.has("id"))
"""Calls on a System V semaphore set, by its id."""
REMOVALS: Final = where(lambda call: call.names in ("removes", "renames"))
"""Calls that take something from a name."""

NAMES: Final = REMOVALS | where(lambda call: call.names == "links")
"""Calls that change names in directories."""

THROUGH_FD: Final = directions.CHANNEL_READS | directions.CHANNEL_WRITES
"""Calls that move bytes through the descriptor `fd`."""

PLAIN: Final = THROUGH_FD - where(lambda call: bool(call.descriptors))
"""Those of them that have no other effect: descriptors can travel with messages."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the stops at a call need.

    Attributes:
        name: The call.
        known: Whether it is looked at for itself; else only for markers.
        data: It counts against the budget.
        marker: Which argument is a path that may be a marker; -1 if none is.
        sometimes: Only some uses of it are looked at.
        asks: Which of them depends on more than its arguments.
        makes: It makes processes, and could hide them.
        path: Its argument `path` may be a marker.
        by_descriptor: It is about the object behind its argument `fd`.
        sends: It has bytes to show at its entry.
        removes: It is one of `REMOVALS`.
        plain: It is one of `PLAIN`.
        moves: It moves bytes through channels, and the ledger is kept of those.
        numbered: Some of its arguments are numbers of processes.
        foretold: What it will do may be known at its entry.
        loads: It is one of `LOADS`.
        quick: It is one of `QUICK`.
    """

    name: str
    known: bool
    data: bool
    marker: int
    sometimes: bool
    asks: bool
    makes: bool
    path: bool
    by_descriptor: bool
    sends: bool
    removes: bool
    plain: bool
    moves: bool
    numbered: bool
    foretold: bool
    loads: bool
    quick: bool


def _plan(name: str, ledger: bool) -> Plan:
    arguments = dict(KNOWN[name].arguments) if name in KNOWN else {}
    return Plan(
        name=name,
        known=name in KNOWN,
        data=name in DATA,
        marker=MARKER_PATH.get(name, -1),
        sometimes=name in ADDRESSED or name in CONDITIONS,
        asks=name in ADDRESSED or name == "mmap",
        makes=name in STRUCTURAL and name in BIRTHS,
        path="path" in arguments,
        by_descriptor="fd" in arguments and name not in ADDRESSED and name not in QUEUE_CALLS,
        sends=name in OUTGOING or name in OUTGOING_VECTORS or name in SENDS,
        removes=name in REMOVALS,
        plain=name in PLAIN,
        moves=ledger and name in directions.CHANNEL_CALLS,
        numbered=name in NUMBERED,
        foretold=name in FORETOLD,
        loads=name in LOADS,
        quick=name in QUICK,
    )


def plans(names: dict[int, str], *, ledger: bool) -> dict[int, Plan]:
    """The plans of the calls that are looked at, by number.

    Args:
        names: An architecture's call names by number.
        ledger: Whether all calls of all that is watched are stopped at from the start, so that the
            ledger can be kept.
    """
    return {
        number: _plan(name, ledger)
        for number, name in names.items()
        if name in KNOWN or name in MARKER_PATH
    }


def matters(name: str, raw: tuple[int, ...]) -> bool:
    """Whether a call meets its mark's condition: in full mode it is stopped at whether it does or
    not.
    """
    conditions = CONDITIONS.get(name)
    return conditions is None or any(meets(condition, raw) for condition in conditions)


def errno_name(code: int) -> str:
    """`EAGAIN`."""
    return _ERRORS.get(code) or errno.errorcode.get(code, f"errno {code}")


# errno(3): where one number has two names, that of the manual pages.
_ERRORS: Final = {35: "EDEADLK", 95: "EOPNOTSUPP"}
