"""Semaphores in the state: values, and who holds them as far as the operations tell. Pure.

A semaphore has no owner. Whoever took it and has not given it back is said to hold it, as long as
nobody gives it who had not taken it: then it is one that tells others of something. What is not
known of that is marked.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import Call, Coverage, SemaphoreLevel, SemaphoreOp
from ipcviz.model.draft import Draft
from ipcviz.model.mechanisms.system_v import parse_operations
from ipcviz.model.mechanisms.wakes import note_woken
from ipcviz.model.parts import SemaphorePart
from ipcviz.model.state import Hold, Semaphore, State

replace = msgspec.structs.replace

PRIVATE: Final = "sem:vm:"
"""What the keys of semaphores begin with that lie in memory which one process alone has; its pid
follows.
"""
_NAMES: Final = "/dev/shm/sem."
"""What the paths of named semaphores begin with (sem_overview(7)); the name follows without its
slash.
"""
WAITS: Final = ("wait", "timedwait", "clockwait", "trywait")
OLDER: Final = "it was there before ipcviz looked"
SAMPLED: Final = "a process that uses it is only sampled"
UNSEEN: Final = "its value was changed by what could not be seen"
_SETTLED_SECONDS: Final = 0.2
"""So long after the last operation, a value that is not what the operations make of it was changed
by others.
"""


def apply_operation(draft: Draft, event: SemaphoreOp) -> None:
    """A thread does something with a POSIX semaphore."""
    key = event.semaphore.key
    if event.op == "destroy":
        # Its memory may hold anything from now on.
        if key in draft.semaphores:
            draft.semaphores = draft.semaphores.delete(key)
        draft.note_change(SemaphorePart(key))
        return
    new = key not in draft.semaphores
    found = draft.ensure_semaphore(event.semaphore)
    thread = draft.ensure_thread(event.tid, event.pid)
    value = event.value
    if new:
        found = replace(found, unsure=OLDER)
    if event.initial is not None:
        value = event.initial
        found = replace(found, initial=value, holds=(), signals=False, unsure="")
    elif event.op == "post":
        value = value + 1 if value is not None else None
        found = remove_hold(found, event.pid, event.tid)
    elif event.op in WAITS and value:
        value -= 1
        found = add_hold(found, event.pid, event.tid, event.t)
    elif event.op in WAITS and value == 0 and event.op != "trywait":
        draft.store_thread(replace(thread, semaphore=key))
    elif event.op == "acquired":
        if thread.waiting is not None:
            thread = note_woken(draft, thread, event.t)
        draft.store_thread(replace(thread, semaphore="", waiting=None, source=None))
        found = add_hold(found, event.pid, event.tid, event.t)
    elif event.op == "gave-up":
        draft.store_thread(replace(thread, semaphore="", waiting=None, source=None))
    elif event.op == "missed":
        found = remove_hold(found, event.pid, event.tid)
    elif event.op == "gained":
        found = add_hold(found, event.pid, event.tid, event.t)
    elif event.op == "overtaken":
        draft.store_thread(replace(thread, semaphore=key))
        found = remove_hold(found, event.pid, event.tid)
    thing = draft.objects.get(event.semaphore.object) if event.op == "open" else None
    if thing is not None and event.semaphore.name:
        # Its path is that of the temporary file that sem_open has made.
        draft.store_object(replace(thing, label="sem." + event.semaphore.name.removeprefix("/")))
    touched = event.op in ("init", "post", "acquired") or (event.op in WAITS and event.value != 0)
    draft.store_semaphore(
        replace(
            found,
            value=value if value is not None else found.value,
            at=event.t,
            last_pid=event.pid if touched else found.last_pid,
            last_op=event.op if touched else found.last_op,
            operations=found.operations + 1,
            operated_at=event.t,
        )
    )


def apply_name_removed(draft: Draft, path: str) -> None:
    """A name was removed: nobody can open the semaphore any more that had it (sem_overview(7))."""
    if not path.startswith(_NAMES):
        return
    for found in tuple(draft.semaphores.values()):
        if found.info.kind == "named" and path == _NAMES + found.info.name.removeprefix("/"):
            draft.store_semaphore(replace(found, unlinked=True))


def add_hold(
    semaphore: Semaphore, pid: int, tid: int, t: float, count: int = 1, undo: bool = False
) -> Semaphore:
    """It with what a thread has taken of it at a moment."""
    mine = _find_hold(semaphore, pid, tid)
    more = Hold(
        pid,
        tid,
        (mine.count if mine else 0) + count,
        (mine.undo if mine else 0) + (count if undo else 0),
        since=mine.since if mine else t,
    )
    return replace(semaphore, holds=(*(hold for hold in semaphore.holds if hold is not mine), more))


def remove_hold(
    semaphore: Semaphore, pid: int, tid: int, count: int = 1, undo: bool = False
) -> Semaphore:
    """It without what a thread gives back; by whoever has not taken it, that is a signal to
    others.
    """
    mine = _find_hold(semaphore, pid, tid) or next(
        (hold for hold in semaphore.holds if hold.pid == pid), None
    )
    rest = tuple(hold for hold in semaphore.holds if hold is not mine)
    if mine is None or count > mine.count:
        return replace(semaphore, holds=rest, signals=True)
    if count < mine.count:
        rest = (
            *rest,
            replace(
                mine, count=mine.count - count, undo=max(0, mine.undo - (count if undo else 0))
            ),
        )
    return replace(semaphore, holds=rest)


def _find_hold(semaphore: Semaphore, pid: int, tid: int) -> Hold | None:
    return next((hold for hold in semaphore.holds if hold.pid == pid and hold.tid == tid), None)


def apply_level(draft: Draft, seen: SemaphoreLevel, t: float) -> None:
    """A value that was read."""
    if seen.value < 0:
        if seen.info.key in draft.semaphores:
            draft.semaphores = draft.semaphores.delete(seen.info.key)
        draft.note_change(SemaphorePart(seen.info.key))
        return
    new = seen.info.key not in draft.semaphores
    semaphore = draft.ensure_semaphore(seen.info)
    if new:
        # Of a System V set that nobody has used yet, nobody has anything.
        fresh = seen.info.kind == "system v" and not seen.last_pid
        semaphore = replace(
            semaphore, unsure="" if fresh else OLDER, initial=seen.value if fresh else None
        )
    elif (
        semaphore.initial is not None
        and not semaphore.unsure
        and t - semaphore.operated_at > _SETTLED_SECONDS
    ):
        expected = semaphore.initial - sum(hold.count for hold in semaphore.holds)
        if not semaphore.signals and seen.value != expected:
            semaphore = replace(semaphore, unsure=UNSEEN)
    last = seen.last_pid or semaphore.last_pid
    draft.store_semaphore(
        replace(
            semaphore,
            value=seen.value,
            waiters=seen.waiters,
            waiters_zero=seen.waiters_zero,
            at=t,
            last_pid=last,
            last_op=(
                "semop"
                if seen.last_pid and seen.last_pid != semaphore.last_pid
                else semaphore.last_op
            ),
        )
    )


def apply_call(draft: Draft, event: Call) -> None:
    """A call on a System V set has returned."""
    if event.error:
        return
    prefix = f"sysv:{event.args.get('id')}:"
    if event.name == "semctl":
        _apply_control(draft, event, prefix)
        return
    for index, change, undo, _ in parse_operations(event.get_text("ops")):
        found = draft.semaphores.get(f"{prefix}{index}")
        if found is None or not change:
            continue
        if change < 0:
            found = add_hold(found, event.pid, 0, event.t, -change, undo)
        else:
            found = remove_hold(found, event.pid, 0, change, undo)
        draft.store_semaphore(
            replace(found, last_pid=event.pid, last_op="semop", operated_at=event.t)
        )


def _apply_control(draft: Draft, event: Call, prefix: str) -> None:
    command = event.args.get("cmd")
    if command not in ("IPC_RMID", "SETVAL", "SETALL"):
        return
    only = f"{prefix}{event.args.get('index')}" if command == "SETVAL" else ""
    for key, found in draft.semaphores.items():
        if not key.startswith(prefix) or (only and key != only):
            continue
        if command == "IPC_RMID":
            draft.semaphores = draft.semaphores.delete(key)
            draft.note_change(SemaphorePart(key))
        else:
            value = _set_to(event, key)
            draft.store_semaphore(
                replace(
                    found, initial=value, holds=(), signals=False, unsure="", operated_at=event.t
                )
            )


def _set_to(event: Call, key: str) -> int | None:
    """What SETVAL or SETALL sets a semaphore to."""
    if event.args.get("cmd") == "SETVAL":
        value = event.get_number("value")
        return value if value is not None else None
    values = event.get_text("values").split(", ")
    index = int(key.rpartition(":")[2])
    return int(values[index]) if index < len(values) and values[index].isdecimal() else None


def apply_coverage(draft: Draft, event: Coverage) -> None:
    """What a process does with POSIX semaphores is not seen from here on."""
    if event.semaphores is not False:
        return
    mapped = {entry.object.key for entry in draft.mappings.get(event.pid, ())}
    for found in draft.semaphores.values():
        if found.info.kind == "system v":
            continue
        own = found.info.key.startswith(f"{PRIVATE}{event.pid}:")
        if own or found.info.object in mapped or any(hold.pid == event.pid for hold in found.holds):
            draft.store_semaphore(replace(found, holds=(), unsure=SAMPLED))


def apply_end(draft: Draft, pid: int, tid: int = 0) -> None:
    """A process, or one of its threads, ended: what it holds it keeps, except where the kernel
    undoes it.
    """
    for found in draft.semaphores.values():
        # Nobody holds most: each interpreter of Python that ended has left some.
        if not found.holds or not any(
            hold.pid == pid and tid in (0, hold.tid) for hold in found.holds
        ):
            continue
        holds = []
        for hold in found.holds:
            if hold.pid != pid or tid not in (0, hold.tid):
                holds.append(hold)
            elif hold.count > hold.undo:
                holds.append(replace(hold, count=hold.count - hold.undo, undo=0, ended=True))
        draft.store_semaphore(replace(found, holds=tuple(holds)))


def list_semaphore_holders(semaphore: Semaphore) -> tuple[Hold, ...]:
    """Who holds a semaphore, as far as that is known: others may too, if it was there before ipcviz
    looked.
    """
    return semaphore.holds if not semaphore.signals and semaphore.unsure in ("", OLDER) else ()


def counts_several(semaphore: Semaphore) -> bool:
    """Whether it is known to count several of something, such as free slots: it was set to more
    than 1. Who has taken from it has one of them, and does not keep all others out as the owner of
    a lock does.
    """
    return semaphore.initial is not None and semaphore.initial > 1


def waited_on(state: State, key: str) -> tuple[Hold, ...]:
    """Who holds the semaphore of that key, as far as that is known."""
    found = state.semaphores.get(key)
    return list_semaphore_holders(found) if found is not None else ()
