"""What a look for processes that are not watched has found, in words."""

from __future__ import annotations

from typing import Final

from ipcviz.events import Outside, Outsiders
from ipcviz.model.outsiders import hidden_words, names_words, wants_of
from ipcviz.model.state import State
from ipcviz.narrate.sentence import STEP, TURN, Sentence
from ipcviz.narrate.words import label_of

_TOLD: Final = 3
"""Objects that one sentence is about; the panels have the rest."""
_MODES: Final = {"r": "for reading", "w": "for writing", "rw": "for reading and writing"}


def outsiders_found(event: Outsiders, before: State, after: State) -> Sentence | None:
    """Who was found to have what, and of what it can't be said."""
    told = [(outside.object, words) for outside in event.found if (words := _words(outside, before, after))]
    if not told:
        return None
    more = f"; and of {len(told) - _TOLD} more objects" if len(told) > _TOLD else ""
    keys = tuple(key for key, _ in told)
    weight = TURN if _is_waited_for(after, frozenset(keys)) else STEP
    text = "; ".join(words for _, words in told[:_TOLD]) + more
    return Sentence(event.n, event.t, 0, text, weight, "session", keys)


def _is_waited_for(state: State, keys: frozenset[str]) -> bool:
    waiting = ((thread, thread.waiting) for thread in state.threads.values())
    return any(
        want.object in keys
        for thread, call in waiting
        if call is not None
        for want in wants_of(state, thread, call)
    )


def _words(outside: Outside, before: State, after: State) -> str:
    """`sleep[12], which is not watched, has P1 open for writing`; empty for what is no news."""
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
    gone = [one for one in known.holders if one.pid not in left] if known is not None else []
    if gone:
        return f"{names_words(gone)}, not watched, {'have' if len(gone) > 1 else 'has'} {label} open no more"
    if outside.holders or known is not None:
        return ""
    if outside.hidden:
        return f"Who else has {label} can't be seen: {hidden_words(outside)}"
    return f"No other process that /proc shows has {label}"
