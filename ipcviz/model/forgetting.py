"""What the state lets go of: processes and objects that ended long ago, so that a long run does not
grow for ever.

Which ones depends on the state alone, so everybody who takes in the same events forgets the same.
The events stay in a trace, and with them every moment in which they were there.
"""

from __future__ import annotations

from typing import Final

from ipcviz.model.draft import Draft
from ipcviz.model.mechanisms import traffic

KEPT: Final = 1000
"""So many processes that are gone, and so many objects that nobody has any more, stay: the latest.
"""
EVERY: Final = 256
"""How many new ones come before it is looked again: one look goes through all of them."""


def forget_oldest(draft: Draft) -> None:
    """Let go of the oldest, if the event brought the number of all over a multiple of `EVERY`."""
    base = draft.base
    # A process that lives has a table, and most objects that are used are open.
    if _is_due(len(base.processes), len(draft.processes), len(draft.tables)):
        _forget_processes(draft)
    if _is_due(len(base.objects), len(draft.objects), len(draft.ends)):
        _forget_objects(draft)
        traffic.forget_gone(draft)


def _is_due(before: int, after: int, used: int) -> bool:
    return after - used > KEPT and after // EVERY > before // EVERY


def _forget_processes(draft: Draft) -> None:
    gone = sorted(
        (p.died or 0.0, p.pid)
        for p in draft.processes.values()
        if p.fate == "gone" and p.pid != draft.root
    )
    with draft.processes.mutate() as kept:
        for _, pid in gone[: max(len(gone) - KEPT, 0)]:
            del kept[pid]
        draft.processes = kept.finish()
    for key in list(draft.past_timers):
        if key[0] not in draft.processes:
            draft.past_timers = draft.past_timers.delete(key)
    traffic.forget_gone(draft)


def _forget_objects(draft: Draft) -> None:
    used = {*draft.ends, *draft.locks, *draft.flights, *draft.bound.values(), *draft.channels}
    used.update(entry.object.key for entries in draft.mappings.values() for entry in entries)
    used.update(key for keys in draft.uses.values() for key in keys)
    used.update(key for key, _ in draft.memory)
    used.update(
        thread.waiting.object for thread in draft.threads.values() if thread.waiting is not None
    )
    used.update([draft.objects[key].info.peer for key in used if key in draft.objects])
    left = sorted(
        (max(thing.opened_at, thing.level_at), key)
        for key, thing in draft.objects.items()
        if key not in used
    )
    with draft.objects.mutate() as kept:
        for _, key in left[: max(len(left) - KEPT, 0)]:
            del kept[key]
        draft.objects = kept.finish()
    for key in draft.posted:
        if key not in draft.objects:
            draft.posted = draft.posted.delete(key)
