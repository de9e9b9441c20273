"""What a look for processes that are not watched has found, in words."""

from __future__ import annotations

from typing import Final

from ipcviz.events import Outside, Outsiders
from ipcviz.model.state import State
from ipcviz.model.waits.outsiders import Side, is_watched, names_words, outside_words, wants_of
from ipcviz.narrate.sentence import STEP, TURN, Sentence
from ipcviz.narrate.words import label_of

_TOLD: Final = 3
"""Objects that one sentence is about; the panels have the rest."""
_MODES: Final = {"r": "for reading", "w": "for writing", "rw": "for reading and writing"}


def outsiders_found(event: Outsiders, before: State, after: State) -> Sentence | None:
    """Who was found to have what, and of what it can't be said."""
    waited = _waited_for(after)
    told = [
        (outside.object, words)
        for outside in sorted(event.found, key=lambda one: one.object not in waited)
        if (words := _words(outside, before, after, waited.get(outside.object)))
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


def _words(outside: Outside, before: State, after: State, side: Side | None) -> str:
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
        subject = f"{names_words(new, more)}, which {'are' if several else 'is'} not watched,"
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
            f"{names_words(gone)}, not watched, {'have' if len(gone) > 1 else 'has'} {label} open"
            " no more"
        )
    if outside.holders or known is not None or side is None:
        return ""
    words = outside_words(after, outside.object, side)
    return f"{label}: {words}" if words else ""
