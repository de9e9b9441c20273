"""Why a thread waits, as a condition's `because` names it. Pure.

Each name is a value of `ipcviz.model.waits.values.Why`. Before there were names, `because` took the
words of the screen; those still work, and `ipcviz check` says what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from typing import Final

from ipcviz.model.waits.values import Why
from ipcviz.scenario.format import Scenario

NAMES: Final = frozenset(why.value for why in Why)

_PHRASES: Final[dict[Why, tuple[str, ...]]] = {
    Why.EMPTY: ("empty", "empty, and it wants message of type 1", "its counter is 0"),
    Why.FULL: (
        "full",
        "full: 65,536 B in 16 of 16 pages",
        "for room",
        "for room: 4,096 B waiting",
        "no room for 30 B: 40 of 64 B are taken",
        "its counter can't hold that much more",
    ),
    Why.NO_MESSAGE: ("no message of type 1", "no message of type 1: 3 others wait"),
    Why.NO_READER: ("no reader has it open",),
    Why.NO_WRITER: ("no writer has it open",),
    Why.OPEN: ("opening",),
    Why.CONNECTION: ("for a connection",),
    Why.ANSWER: (
        "for an answer from 127.0.0.1:80",
        "for the listener",
        "for S1, which listens at 127.0.0.1:80",
    ),
    Why.BACKLOG: ("backlog full: 2 wait in S1, 1 asked for",),
    Why.INPUT: ("for input",),
    Why.DISK: ("for the disk",),
    Why.CHILD: ("for a child",),
    Why.VFORK: ("until its child executes or exits",),
    Why.SIGNAL: ("for a signal", "until SIGINT comes", "until a signal comes"),
    Why.TIME: ("for time to pass",),
    Why.TIMER: ("until it expires", "until it expires (1.5 s left)"),
    Why.CHANGE: (
        "until something happens in /tmp",
        "until something happens to what it watches",
    ),
    Why.READY: ("for S2 (readable)", "until a descriptor is ready", "until time is up"),
    Why.LOCK: ("the lock is held", "held exclusively by a[1]", "held shared by a[1]"),
    Why.SEMAPHORE: (
        "0",
        "0, taken by a[1]",
        "0, and it wants -1",
        "2, and it waits for 0",
        "probably a semaphore at 0",
    ),
    Why.MUTEX: (
        "a mutex held by a[1]",
        "a mutex whose owner, a[1], has ended",
        "a copy, made by fork, of a mutex that a[1] held; nobody here can release it",
        "probably a copy, made by fork, of a lock that another thread of a[1] held;"
        " no other thread is here to release it",
        "probably a lock, whose owner is not known",
        "a lock that nobody but itself can have: it is in its handler for SIGALRM",
    ),
    Why.RWLOCK: ("probably a read-write lock that a[1] has for writing",),
    Why.BARRIER: ("probably a barrier: 1 of 2 have come",),
    Why.CONDITION: ("probably a condition variable",),
    Why.JOIN: ("until thread 1 ends",),
    Why.RUNTIME: ("Go's runtime (goroutines are not seen)",),
    Why.FUTEX: ("a futex", "a futex whose word was 2"),
}
"""Words that told each reason, with example numbers and names: old conditions are patterns for
them."""


@cache
def reasons_of(pattern: str) -> frozenset[str]:
    """The names of the reasons that a text of `because` is about; none if it is about none.

    It is a name, a pattern for names, or the words or a pattern for them that told a reason once.
    """
    found = frozenset(name for name in NAMES if fnmatchcase(name, pattern))
    if found:
        return found
    found = frozenset(
        why.value
        for why, phrases in _PHRASES.items()
        if any(fnmatchcase(phrase, pattern) for phrase in phrases)
    )
    # Of words with numbers of their own, what is before those tells enough.
    head, colon, _ = pattern.partition(":")
    return reasons_of(head) if colon and not found else found


def is_phrase(pattern: str) -> bool:
    """Whether a text of `because` is words, not a name or a pattern for names."""
    return not any(fnmatchcase(name, pattern) for name in NAMES) and bool(reasons_of(pattern))


def is_because(patterns: Iterable[str], why: Why) -> bool:
    """Whether a reason is one of those that the texts of `because` are about."""
    return any(why.value in reasons_of(pattern) for pattern in patterns)


def find_phrases(scenario: Scenario) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Where a story's conditions have words for names: (which step, the words, the names
    instead).
    """
    found = []
    for place, step in enumerate(scenario.story, 1):
        for when in (step.when, step.unless):
            because = when.because if when is not None else ()
            for words in (because,) if isinstance(because, str) else because:
                if is_phrase(words):
                    title = f"{step.id!r}" if step.id else f"{place}"
                    found.append((title, words, tuple(sorted(reasons_of(words)))))
    return tuple(found)
