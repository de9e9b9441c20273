"""What is to be done at the stops of each call, worked out once and not at every stop."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Final

from ipcviz.kernel.seccomp import meets
from ipcviz.model.calls import READS, WRITES
from ipcviz.model.ledger import directions
from ipcviz.tracer.calls.table import (
    ADDRESSED,
    CONDITIONS,
    DATA,
    FORETOLD,
    KNOWN,
    LOADS,
    MARKER_PATH,
    QUICK,
)
from ipcviz.tracer.numbers import NUMBERED

OUTGOING: Final = frozenset({"write", "pwrite64", "sendto", "mq_timedsend"})
"""Calls whose second and third argument are the bytes that leave the process, and how many they
are.
"""

INCOMING: Final = frozenset({"read", "pread64", "recvfrom", "mq_timedreceive"})
"""Calls whose second and third argument are the room for the bytes that come in, and how large it
is.
"""

VECTORS: Final = frozenset({"writev", "sendmsg", "pwritev"})
"""Calls that send what lies in several places."""

QUEUE_CALLS: Final = frozenset({"msgsnd", "msgrcv", "msgctl"})
SETS: Final = frozenset({"semop", "semtimedop", "semctl"})
"""Calls on a System V semaphore set, by its id."""
REMOVALS: Final = frozenset({"unlink", "unlinkat", "mq_unlink", "rename", "renameat", "renameat2"})
"""Calls that take something from a name."""

NAMES: Final = REMOVALS | {"link", "linkat"}
"""Calls that change names in directories."""

MOVERS: Final = frozenset(name for name in READS | WRITES if not name.startswith("mq_"))
"""Calls that move bytes through the descriptor `fd`."""

PLAIN: Final = MOVERS - {"recvmsg", "sendmsg"}
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
        makes=name in ("clone", "clone3"),
        path="path" in arguments,
        by_descriptor="fd" in arguments and name not in ADDRESSED and name not in QUEUE_CALLS,
        sends=name in OUTGOING or name in VECTORS or name == "msgsnd",
        removes=name in REMOVALS,
        plain=name in PLAIN,
        moves=ledger and name in directions.MOVERS,
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
