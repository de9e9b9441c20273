"""Operations on System V semaphore sets (semop(2)), as the arguments of a call tell them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ipcviz.events.arguments import Arguments, number_in, text_in

_OPERATION: Final = re.compile(r"\[(\d+)\] ([+-]?\d+)([ |A-Z_]*)")


class Operation(NamedTuple):
    """One of a semop: the number of the semaphore in the set, what is added (0: wait until it is
    0), and its flags.
    """

    number: int
    change: int
    undo: bool = False
    nowait: bool = False


def parse_operations(text: str) -> tuple[Operation, ...]:
    """Operations as `Call.args["ops"]` has them: `[0] -1 SEM_UNDO, [2] +1`."""
    return tuple(
        Operation(int(number), int(change), "SEM_UNDO" in flags, "IPC_NOWAIT" in flags)
        for number, change, flags in _OPERATION.findall(text)
    )


def semaphore_of(name: str, args: Arguments) -> str:
    """Key of the semaphore that a call on a System V set is about; of several the first; empty if
    it is none.

    Args:
        name: `semop`, `semtimedop` or `semctl`.
        args: Its arguments by name.
    """
    number = number_in(args, "id")
    if number is None:
        return ""
    index = args.get("index", 0)
    if name != "semctl":
        operations = parse_operations(text_in(args, "ops"))
        index = operations[0].number if operations else 0
    return f"sysv:{number}:{index}"


def first_blocked(operations: Iterable[Operation], values: Sequence[int]) -> int | None:
    """The number of the semaphore that keeps a semop from being done as a whole; None if none does.

    Args:
        operations: In their order: each finds what those before it have made.
        values: Of the whole set.
    """
    now = list(values)
    for number, change, *_ in operations:
        if number >= len(now):
            return None
        if (change == 0 and now[number] != 0) or now[number] + change < 0:
            return number
        now[number] += change
    return None
