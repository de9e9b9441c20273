"""Processes that are not watched and have an object that is: what a look through /proc found."""

from __future__ import annotations

from collections.abc import Iterable

from ipcviz.events import Outsiders
from ipcviz.model.draft import Draft
from ipcviz.model.parts import ObjectPart


def apply_outsiders(draft: Draft, event: Outsiders) -> None:
    """A look through all processes found these."""
    for outside in event.found:
        thing = draft.objects.get(outside.object)
        if thing is not None:
            draft.outsiders = draft.outsiders.set(outside.object, outside)
            draft.note_change(ObjectPart(outside.object))


def forget_outsiders(draft: Draft, keys: Iterable[str]) -> None:
    """Objects that no watched process has open any more: who else has them is asked no more."""
    for key in keys:
        if key in draft.outsiders and key not in draft.ends:
            draft.outsiders = draft.outsiders.delete(key)
