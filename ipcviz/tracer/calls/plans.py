"""What is to be done at the stops of each call, worked out once and not at every stop."""

from __future__ import annotations

import enum
import errno
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ipcviz.events.calls import BIRTHS, where
from ipcviz.kernel.seccomp import is_condition_met
from ipcviz.model.ledger import directions
from ipcviz.model.mechanisms.queues import SENDS
from ipcviz.model.mechanisms.signals import MASKED
from ipcviz.tracer.calls.table import (
    ADDRESSED,
    CONDITIONS,
    DATA,
    FORETOLD,
    KNOWN,
    LOADS,
    MAKES,
    MARKER_PATH,
    NUMBERED,
    QUICK,
    STRUCTURAL,
    UNCOUNTED,
)

OUTGOING: Final = where(lambda call: call.flow == "puts" and call.find_argument("buf") >= 0)
"""Calls whose second and third argument are the bytes that leave the process, and how many they
are.
"""

INCOMING: Final = where(lambda call: call.flow == "takes" and call.find_argument("buf") >= 0)
"""Calls whose second and third argument are the room for the bytes that come in, and how large it
is.
"""

OUTGOING_VECTORS: Final = where(
    lambda call: call.flow == "puts" and call.find_argument("iov", "msg") >= 0 and call.on != "pipe"
)
"""Calls that send what lies in several places."""

INCOMING_VECTORS: Final = where(
    lambda call: call.flow == "takes" and call.find_argument("iov", "msg") >= 0
)
"""Calls that receive into several places."""

QUEUE_CALLS: Final = where(lambda call: call.on == "queue" and call.has_argument("id"))
"""Calls on a System V message queue, by its id."""

SETS: Final = where(lambda call: call.on == "semaphores" and call.has_argument("id"))
"""Calls on a System V semaphore set, by its id."""
REMOVALS: Final = where(lambda call: call.names in ("removes", "renames"))
"""Calls that take something from a name."""

NAMES: Final = REMOVALS | where(lambda call: call.names == "links")
"""Calls that change names in directories."""

THROUGH_FD: Final = directions.CHANNEL_READS | directions.CHANNEL_WRITES
"""Calls that move bytes through the descriptor `fd`."""

PLAIN: Final = THROUGH_FD - where(lambda call: bool(call.descriptors))
"""Those of them that have no other effect: descriptors can travel with messages."""


class Ask(enum.Enum):
    """What is asked at the entry of a call, one after the other; an answer may be the end of it."""

    MARKER = enum.auto()
    """Is its path a marker, and that alone?"""
    CONDITION = enum.auto()
    """Is this use of it one that is looked at? The filter has asked the same of its arguments."""
    MAPPING = enum.auto()
    """The same where that depends on what is mapped: the filter can't tell."""
    ESCAPE = enum.auto()
    """Would what it makes be out of sight?"""
    STACK = enum.auto()
    """On which stack are handlers to run?"""
    DATA_BUDGET = enum.auto()
    """Is there anything left to pay for one more data call?"""
    MARK_BUDGET = enum.auto()
    """The same of structural calls."""
    FORETELLING = enum.auto()
    """Is it certain what it will do?"""
    CLOSING = enum.auto()
    """The same of close."""
    LETTING_IN = enum.auto()
    """May it be let in before it is decoded?"""
    DECODING = enum.auto()
    """What is it about?"""


class Detail(enum.Enum):
    """What else is read, or noted, of a call whose arguments are decoded."""

    NUMBERS = enum.auto()
    """Numbers of processes, as its namespace has them."""
    MASK = enum.auto()
    """The mask that it waits with, and the thread's own."""
    PATH = enum.auto()
    """Its argument `path` may be a marker."""
    FIFO = enum.auto()
    """It may make a FIFO: who else opens that is watched."""


class About(enum.Enum):
    """What tells which object a call is about."""

    NOTHING = enum.auto()
    DESCRIPTOR = enum.auto()
    """Its argument `fd`."""
    ADDRESS = enum.auto()
    """Its first argument, an address."""
    PATH = enum.auto()
    """Its argument `path`."""
    SET = enum.auto()
    """Its argument `id`, a System V semaphore set's."""
    QUEUE = enum.auto()
    """The same, a System V message queue's."""
    SEMAPHORE = enum.auto()
    """The POSIX semaphore that its thread waits for (futex)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the stops at a call need.

    Attributes:
        name: The call.
        asks: What is asked at its entry, in this order.
        details: What else is read of its arguments.
        about: What tells which object it is about.
        marker: Which argument is a path that may be a marker; -1 if none is.
        sends: It has bytes to show at its entry.
        removes: It is one of `REMOVALS`.
        plain: It is one of `PLAIN`.
        moves: It moves bytes through channels, and the ledger is kept of those.
        loads: It is one of `LOADS`.
    """

    name: str
    asks: tuple[Ask, ...] = ()
    details: tuple[Detail, ...] = ()
    about: About = About.NOTHING
    marker: int = -1
    sends: bool = False
    removes: bool = False
    plain: bool = False
    moves: bool = False
    loads: bool = False


def make_plan(name: str, *, from_start: bool, may_touch: bool) -> Plan:
    """The plan of a call.

    Args:
        name: The call.
        from_start: Its process was seen from its start on: then the ledger can be kept, and a
            thread be let in before its call is looked at.
        may_touch: Something may be changed, or watched, for the call's sake.
    """
    arguments = dict(KNOWN[name].arguments) if name in KNOWN else {}
    return Plan(
        name=name,
        asks=tuple(_list_asks(name, first=from_start)),
        details=tuple(_list_details(name, arguments, may_touch=may_touch)),
        about=_choose_about(name, arguments),
        marker=MARKER_PATH.get(name, -1),
        sends=name in OUTGOING or name in OUTGOING_VECTORS or name in SENDS,
        removes=name in REMOVALS,
        plain=name in PLAIN,
        moves=from_start and name in directions.CHANNEL_CALLS,
        loads=name in LOADS,
    )


def _list_asks(name: str, *, first: bool) -> Iterator[Ask]:
    if name in MARKER_PATH:
        yield Ask.MARKER
    if name not in KNOWN:
        return
    if name in ADDRESSED or (name == "mmap" and name in CONDITIONS):
        yield Ask.MAPPING
    elif name in CONDITIONS:
        yield Ask.CONDITION
    if name in STRUCTURAL and name in BIRTHS:
        yield Ask.ESCAPE
        return
    if name == "sigaltstack":
        yield Ask.STACK
        return
    if name in DATA:
        yield Ask.DATA_BUDGET
    elif name not in UNCOUNTED:
        yield Ask.MARK_BUDGET
    if name in FORETOLD:
        yield Ask.FORETELLING
    elif name == "close":
        yield Ask.CLOSING
    if name in QUICK and first:
        yield Ask.LETTING_IN
    yield Ask.DECODING


def _list_details(name: str, arguments: Container[str], *, may_touch: bool) -> Iterator[Detail]:
    if name in NUMBERED:
        yield Detail.NUMBERS
    if name in MASKED:
        yield Detail.MASK
    if "path" in arguments:
        yield Detail.PATH
    if name in MAKES and may_touch:
        yield Detail.FIFO


def _choose_about(name: str, arguments: Container[str]) -> About:
    if name == "futex":
        return About.SEMAPHORE
    if name in QUEUE_CALLS:
        return About.QUEUE
    if name in ADDRESSED:
        return About.ADDRESS
    if "fd" in arguments:
        return About.DESCRIPTOR
    if name == "truncate":
        return About.PATH
    return About.SET if name in SETS else About.NOTHING


def make_plans(names: Mapping[int, str], *, from_start: bool, may_touch: bool) -> dict[int, Plan]:
    """The plans of the calls that are looked at, by number.

    Args:
        names: An architecture's call names by number.
        from_start: See `make_plan`.
        may_touch: See there.
    """
    return {
        number: make_plan(name, from_start=from_start, may_touch=may_touch)
        for number, name in names.items()
        if name in KNOWN or name in MARKER_PATH
    }


def meets_mark(name: str, raw: tuple[int, ...]) -> bool:
    """Whether a call meets its mark's condition: in full mode it is stopped at whether it does or
    not.
    """
    conditions = CONDITIONS.get(name)
    return conditions is None or any(is_condition_met(condition, raw) for condition in conditions)


def errno_name(code: int) -> str:
    """`EAGAIN`."""
    return _ERRORS.get(code) or f"errno {code}"


# errno(3): where one number has two names, that of the manual pages.
_ERRORS: Final = {**errno.errorcode, 35: "EDEADLK", 95: "EOPNOTSUPP"}
