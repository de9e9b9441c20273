"""What a look for processes that are not watched has found, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ipcviz.events import Outside, Outsider, Outsiders
from ipcviz.model.ends import open_modes
from ipcviz.model.state import State
from ipcviz.model.waits.outsiders import CAN, Side, is_watched, outsiders_of, wants_of
from ipcviz.narrate.sentence import STEP, TURN, Sentence
from ipcviz.narrate.words import label_of

_TOLD: Final = 3
"""Objects that one sentence is about; the panels have the rest."""
_MODES: Final = {"r": "for reading", "w": "for writing", "rw": "for reading and writing"}
_NAMED: Final = 3
_ENDS: Final[dict[Side, str]] = {
    "r": "its read end",
    "w": "its write end",
    "both": "the other end",
    "lock": "the lock",
}


def narrate_outsiders(event: Outsiders, before: State, after: State) -> Sentence | None:
    """Who was found to have what, and of what it can't be said."""
    waited = _waited_for(after)
    told = [
        (outside.object, words)
        for outside in sorted(event.found, key=lambda one: one.object not in waited)
        if (words := _describe_outside(outside, before, after, waited.get(outside.object)))
    ]
    if not told:
        return None
    more = f"; and of {len(told) - _TOLD} more objects" if len(told) > _TOLD else ""
    keys = tuple(key for key, _ in told)
    weight = TURN if waited.keys() & set(keys) else STEP
    text = "; ".join(words for _, words in told[:_TOLD]) + more
    return Sentence(event.n, event.t, 0, text, weight, "session", keys)


def _waited_for(state: State) -> dict[str, Side]:
    """Which objects threads wait for that others may give, and what those have to have of them."""
    waiting = ((thread, thread.waiting) for thread in state.threads.values())
    return {
        want.object: want.side
        for thread, call in waiting
        if call is not None
        for want in wants_of(state, thread, call)
    }


def _describe_outside(outside: Outside, before: State, after: State, side: Side | None) -> str:
    """`sleep[12], which is not watched, has P1 open for writing`; empty for what is no news.

    `side` is what somebody waits for of it; None if nobody does: then who has not been found is no
    news.
    """
    label = label_of(after, outside.object)
    known = before.outsiders.get(outside.object)
    had = {one.pid for one in known.holders} if known is not None else set()
    new = [one for one in outside.holders if one.pid not in had]
    if new:
        more = outside.more if not had else 0
        several = len(new) + more > 1
        subject = f"{name_outsiders(new, more)}, which {'are' if several else 'is'} not watched,"
        have = "have" if several else "has"
        if new[0].how == "lock":
            return f"{subject} {have} {'locks' if several else 'a lock'} on {label}"
        if new[0].how == "listens":
            return f"{subject} {have} not accepted the connection of {label} yet"
        thing = after.objects.get(outside.object)
        if thing is not None and thing.info.kind.endswith("socket"):
            return f"{subject} {have} the other end of {label}"
        return f"{subject} {have} {label} open {_MODES.get(new[0].mode, '')}".rstrip()
    left = {one.pid for one in outside.holders}
    gone = []
    if known is not None:
        gone = [
            one for one in known.holders if one.pid not in left and not is_watched(after, one.pid)
        ]
    if gone:
        return (
            f"{name_outsiders(gone)}, not watched, {'have' if len(gone) > 1 else 'has'} {label}"
            " open no more"
        )
    if outside.holders or known is not None or side is None:
        return ""
    words = describe_outsiders(after, outside.object, side)
    return f"{label}: {words}" if words else ""


def name_outsiders(found: Iterable[Outsider], more: int = 0) -> str:
    """`sleep[12]`, `sleep[12] and cat[13]`, `sleep[12], cat[13], tee[14] and 2 more`."""
    names = [f"{one.name or 'process'}[{one.pid}]" for one in found]
    more += max(0, len(names) - _NAMED)
    last = [f"{more} more"] if more else []
    names = [*names[:_NAMED], *last]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def describe_outsiders(state: State, key: str, side: Side) -> str:
    """Who of those that are not watched has an end of an object, or why that is not known; empty if
    nobody asked.

    It is said of an end that no watched process has, or that one found outside has too.
    """
    outside = state.outsiders.get(key)
    if outside is None:
        return ""
    found = outsiders_of(state, key, side)
    end = _ENDS[side]
    have = "has" if len(found) + outside.more == 1 else "have"
    if any(one.how == "listens" for one in found):
        return (
            f"{name_outsiders(found, outside.more)}, not watched, {have} not accepted the"
            " connection yet"
        )
    watched = side in ("r", "w") and bool(open_modes(state.ends, key) & CAN[side])
    if found:
        return (
            f"{name_outsiders(found, outside.more)}, not watched, {have}"
            f" {end}{' too' if watched else ''}"
        )
    if watched:
        return ""
    if outside.hidden:
        return f"who has {end} can't be seen: {describe_hidden(outside)}"
    return f"no process that /proc shows has {end}"


def describe_hidden(outside: Outside) -> str:
    """`3 processes of other users could not be looked at`."""
    one = outside.hidden == 1
    which = "1 process of another user" if one else f"{outside.hidden:,} processes of other users"
    return f"{which} could not be looked at"
