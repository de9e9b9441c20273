"""What a sentence is."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

NOISE: Final = 0
"""Library loading, locale files, look-ups that failed: true, and rarely what one looks for."""
DETAIL: Final = 1
"""A step within one process: reads of plain files, masks, mappings of its own."""
STEP: Final = 2
"""Something that another process can notice: bytes through a pipe, a descriptor passed on, a signal
sent.
"""
TURN: Final = 3
"""A turn of the story: fork, exec, exit, a block, an end of file, a signal that arrived."""

Subject = Literal[
    "process", "descriptor", "data", "wait", "memory", "semaphore", "signal", "name", "session"
]


class Sentence(msgspec.Struct, frozen=True, gc=False):
    """One event in words.

    Attributes:
        n: The event's number.
        t: When, in session seconds.
        pid: The process that it is about; 0 for the session.
        text: The sentence, without a full stop. Names and paths in it are data as the program gave
            them: escape them before they are shown.
        weight: `NOISE`, `DETAIL`, `STEP` or `TURN`.
        subject: What it is about, for colour and filters.
        objects: Keys of the objects and semaphores that it names.
        group: Sentences with the same group, not empty, say the same thing again: they may be shown
            as one.
        amount: Bytes that moved, to be summed over a group.
        recurs: It says what some do all the time, as a wait with a limit that is begun again each
            time: it joins the one before it however long ago the first one was.
    """

    n: int
    t: float
    pid: int
    text: str
    weight: int = STEP
    subject: Subject = "process"
    objects: tuple[str, ...] = ()
    group: str = ""
    amount: int = 0
    recurs: bool = False

    @property
    def fold(self) -> str:
        """What sentences that may be shown as one have in common; empty for one that always stands
        by itself.
        """
        return self.group or (f"{self.pid} {self.text}" if self.weight < TURN else "")


class Clause(msgspec.Struct, frozen=True, gc=False):
    """What a call did, in words: the sentence without its subject, the thread that made the call.

    Attributes:
        words: What follows the name of the process: `read 3 bytes from P1 (fd 0)`.
        weight: `NOISE`, `DETAIL`, `STEP` or `TURN`.
        subject: What it is about, for colour and filters.
        objects: Keys of the objects and semaphores that it names.
    """

    words: str
    weight: int
    subject: Subject
    objects: tuple[str, ...] = ()
