"""Watched variables in the state: their values, who loaded and stored them last, and which updates
were lost. Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events.accesses import Accessed, VariableFound
from ipcviz.model.draft import Draft
from ipcviz.model.parts import VariablePart
from ipcviz.model.state import Access, Variable

replace = msgspec.structs.replace

STORES_KEPT: Final = 16
"""Stores of one variable that are remembered, to say which of them an update was lost to."""


def find_lost_updates(variable: Variable, event: Accessed) -> tuple[Access, ...]:
    """The stores of other threads that a store overwrites without their values having been loaded.

    A thread that has loaded a variable and then stores it means its new value to follow from the
    one that it loaded. What others stored in between is not in it: those updates are lost. A thread
    that stores without having loaded before does not build on anything, so nothing is lost by it.

    Args:
        variable: As it was before the store.
        event: The access; of a load, or of one instruction that loads and stores, nothing is lost.
    """
    loaded = variable.loads.get(event.tid)
    if event.op != "store" or loaded is None:
        return ()
    return tuple(
        store
        for store in variable.stores
        if store.version > loaded.version and store.tid != event.tid
    )


def apply_found(draft: Draft, event: VariableFound) -> None:
    """A process has the variable in its memory."""
    known = draft.variables.get(event.variable.key) or Variable(event.variable)
    _put(
        draft,
        replace(
            known,
            info=event.variable,
            places=known.places.set(event.pid, event.address),
            value=event.value or known.value,
        ),
    )


def apply_access(draft: Draft, event: Accessed) -> None:
    """A thread has loaded or stored a variable."""
    known = draft.variables.get(event.variable)
    if known is None:
        return
    if event.op in ("load", "access"):
        access = Access(event.n, event.pid, event.tid, event.after, known.version)
        loads = known.loads.set(event.tid, access)
        _put(draft, replace(known, value=event.after, loads=loads, last_load=access))
        return
    version = known.version + 1
    loses = bool(find_lost_updates(known, event))
    access = Access(event.n, event.pid, event.tid, event.after, version)
    _put(
        draft,
        replace(
            known,
            value=event.after,
            version=version,
            loads=known.loads.delete(event.tid) if event.tid in known.loads else known.loads,
            stores=(*known.stores[1 - STORES_KEPT :], access),
            last_load=access if event.op == "update" else known.last_load,
            lost=known.lost + loses,
            lost_at=event.n if loses else known.lost_at,
        ),
    )


def forget_end(draft: Draft, pid: int, tids: tuple[int, ...]) -> None:
    """Threads of a process have ended: what they loaded matters no more."""
    for key, known in draft.variables.items():
        gone = [tid for tid in tids if tid in known.loads]
        if gone:
            loads = known.loads
            for tid in gone:
                loads = loads.delete(tid)
            draft.variables = draft.variables.set(key, replace(known, loads=loads))


def _put(draft: Draft, variable: Variable) -> None:
    draft.variables = draft.variables.set(variable.info.key, variable)
    draft.note_change(VariablePart(variable.info.key))
