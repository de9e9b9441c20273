"""Watched variables in the state: their values, who loaded and stored them last, and which updates
were lost. Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events.accesses import Accessed, VariableFound
from ipcviz.model.draft import Draft
from ipcviz.model.parts import VariablePart
from ipcviz.model.state import Access, Change, State, Variable

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
    _store_variable(
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
    _follow_change(draft, known, event)
    if event.op in ("load", "access"):
        access = Access(event.n, event.pid, event.tid, event.after, known.version)
        loads = known.loads.set(event.tid, access)
        _store_variable(draft, replace(known, value=event.after, loads=loads, last_load=access))
        return
    version = known.version + 1
    loses = bool(find_lost_updates(known, event))
    access = Access(event.n, event.pid, event.tid, event.after, version)
    _store_variable(
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


def find_torn_readers(state: State | Draft, event: Accessed) -> frozenset[tuple[int, int]]:
    """The threads that have loaded variables of a group while another one had stored only some of
    them: at its next store, what they have loaded is of two different states.

    Args:
        state: Before the store.
        event: The store.

    Returns:
        Each as (pid, tid); it may have ended since.
    """
    variable = state.variables.get(event.variable)
    if variable is None or event.op != "store":
        return frozenset()
    group = variable.info.group
    change = next((c for c in state.changes if (c.tid, c.group) == (event.tid, group)), None)
    if not group or change is None or event.variable in change.stored:
        return frozenset()
    return change.readers


def is_between_stores(state: State, event: Accessed) -> bool:
    """Whether a load comes between two stores of another thread to variables of one group.

    Args:
        state: After the load.
        event: The access; a store is never meant.
    """
    variable = state.variables.get(event.variable)
    return variable is not None and any(
        change.group == variable.info.group and (event.pid, event.tid) in change.readers
        for change in state.changes
        if event.op in ("load", "access")
    )


def _follow_change(draft: Draft, variable: Variable, event: Accessed) -> None:
    """Keep who has stored only some variables of a group, and who has loaded any meanwhile."""
    group = variable.info.group
    if not group:
        return
    if event.op in ("load", "access"):
        draft.changes = tuple(
            replace(change, readers=change.readers | {(event.pid, event.tid)})
            if change.group == group and change.tid != event.tid
            else change
            for change in draft.changes
        )
        return
    mine = next((c for c in draft.changes if (c.tid, c.group) == (event.tid, group)), None)
    others = tuple(change for change in draft.changes if change is not mine)
    stored = frozenset({event.variable})
    if mine is not None and event.variable not in mine.stored:
        stored |= mine.stored
    members = {key for key, one in draft.variables.items() if one.info.group == group}
    if stored >= members:
        draft.changes = others
    else:
        draft.changes = (*others, Change(event.tid, group, stored))


def forget_end(draft: Draft, pid: int, tids: tuple[int, ...]) -> None:
    """Threads of a process have ended: what they loaded matters no more."""
    if any(change.tid in tids for change in draft.changes):
        draft.changes = tuple(change for change in draft.changes if change.tid not in tids)
    for key, known in draft.variables.items():
        gone = [tid for tid in tids if tid in known.loads]
        if gone:
            loads = known.loads
            for tid in gone:
                loads = loads.delete(tid)
            draft.variables = draft.variables.set(key, replace(known, loads=loads))


def _store_variable(draft: Draft, variable: Variable) -> None:
    draft.variables = draft.variables.set(variable.info.key, variable)
    draft.note_change(VariablePart(variable.info.key))
