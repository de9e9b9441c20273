"""What becomes of a thread at a stop.

Whoever handles a stop decides and returns an `Outcome`; the engine alone carries it out
(`Engine.carry_out`). What can be worked out while the thread runs on already is handed up with it,
as `after`: mostly the event of what the thread did. So the thread is resumed first and told of
then, which is what keeps a stop short. While threads may be held, nothing is put off: see
`Context.go_first`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, NamedTuple


class How(enum.Enum):
    """How a thread goes on."""

    RESUME = enum.auto()
    """To the return of its call, its next call or its next marked call: whichever is asked of it
    next. A signal is delivered with it, `value`, or none.
    """
    LET_IN = enum.auto()
    """Into the call at whose entry it stands, to stop again at its return."""
    PASS_BY = enum.auto()
    """To its next marked call, with the signal `value`, or none: this stop was only counted."""
    LISTEN = enum.auto()
    """It stays stopped by job control, as it would be alone, and stops anew once it is continued
    (PTRACE_LISTEN)."""
    LEAVE = enum.auto()
    """It is left as it is: gone, killed, or taken care of already."""
    HANDLE = enum.auto()
    """Another stop has come in the place of this one, with the wait status `value`: that is handled
    next.
    """


class Outcome(NamedTuple):
    """What becomes of a thread.

    Attributes:
        how: How it goes on.
        value: A signal's number, or a wait status.
        after: What is left to be done once it runs, or, where it may be held, just before.
    """

    how: How
    value: int = 0
    after: Callable[[], None] | None = None

    def finish(self) -> None:
        """Do what is left, for a thread that is not resumed."""
        if self.after is not None:
            self.after()


# To ask an enum for a member is a call of Python's in Python 3.11, and there are outcomes by the
# hundred thousand: so each is asked for once. A named tuple is made of a tuple in half the time.
RESUMED: Final = How.RESUME
ENTERED: Final = How.LET_IN
PASSED_BY: Final = How.PASS_BY
LISTENING: Final = How.LISTEN
REPLACED: Final = How.HANDLE
made: Final = tuple.__new__

RESUME: Final = Outcome(How.RESUME)
LET_IN: Final = Outcome(How.LET_IN)
PASS_BY: Final = Outcome(How.PASS_BY)
LISTEN: Final = Outcome(How.LISTEN)
LEAVE: Final = Outcome(How.LEAVE)


def resume_then(after: Callable[[], None]) -> Outcome:
    """The thread is resumed, and then something is done."""
    return made(Outcome, (RESUMED, 0, after))


def resume_with(signo: int, after: Callable[[], None] | None = None) -> Outcome:
    """The thread is resumed with a signal, and then something is done."""
    return made(Outcome, (RESUMED, signo, after))


def pass_by_with(signo: int) -> Outcome:
    """The thread is resumed with a signal that was only counted."""
    return made(Outcome, (PASSED_BY, signo, None))


def handle_instead(status: int) -> Outcome:
    """Another stop has come, with this wait status."""
    return made(Outcome, (REPLACED, status, None))
