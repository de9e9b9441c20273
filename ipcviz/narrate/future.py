"""What is foretold, in words: no other module of sentences says what will be, or that something
can't be any more.

Whether it is sure is decided by `ipcviz.model.waits.future`; where it is not, the words name what
could change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ipcviz.events.signals import LIBRARY_SIGNALS, signal_name
from ipcviz.model.state import State
from ipcviz.model.waits.future import PossibleChange
from ipcviz.narrate.words import label_of

_NAMED: Final = 3
_SEALS: Final = (
    ("F_SEAL_WRITE", "write it"),
    ("F_SEAL_FUTURE_WRITE", "map or open it anew to write"),
    ("F_SEAL_SHRINK", "shrink it"),
    ("F_SEAL_GROW", "grow it"),
    ("F_SEAL_EXEC", "change whether it can be executed"),
    ("F_SEAL_SEAL", "add a seal"),
)


def explain_lasting(state: State, changes: Sequence[PossibleChange]) -> str:
    """That a wait does not end by itself, or what could end it.

    `: that will not change by itself`; `; its timer for SIGALRM or another process that opens F1
    could end that`.
    """
    if not changes:
        return ": that will not change by itself"
    named = [_describe_change(state, change) for change in changes[:_NAMED]]
    if len(changes) > _NAMED:
        named.append("others")
    return f"; {join_or(named)} could end that"


def _describe_change(state: State, change: PossibleChange) -> str:
    label = label_of(state, change.object) if change.object else ""
    signal = (
        signal_name(change.signo) if change.signo and change.signo not in LIBRARY_SIGNALS else ""
    )
    match change.by:
        case "handler":
            return f"its own handler of {signal}" if signal else "a signal handler of its own"
        case "timer":
            return f"its timer for {signal}" if signal else "its timer"
        case "limit":
            return "its timeout"
        case "parent":
            return f"{signal or 'the signal'} at its parent's end"
        case "ring":
            return "its io_uring"
        case "name":
            return f"whoever opens {label} by its name"
        case "flight":
            return f"whoever receives the descriptor that waits in {label}"
        case "outside":
            return f"somebody who is not watched and has {label}"
        case "sample":
            return "what it has done since the last look at it"


def unless_reopened(state: State, changes: Iterable[PossibleChange], whose: str) -> str:
    """`, unless a writer opens it`, where an object can be come to by a name; empty
    where not.
    """
    return f", unless a {whose} opens it" if any(change.by == "name" for change in changes) else ""


def explain_seals(seals: str) -> str:
    """What nobody can do any more with a memfd that was sealed: a seal is for ever (fcntl(2));
    empty for no seal.
    """
    given = seals.split("|")
    cant = [words for name, words in _SEALS if name in given]
    return f": nobody can {join_or(cant)} any more" if cant else ""


def join_or(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
