"""File locks in words: taken, refused, released, lost by a close, kept by a relative."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ipcviz.events import Call, FileLock
from ipcviz.model import query
from ipcviz.model.mechanisms.locks import (
    build_unlocked_range,
    describe_range,
    find_wanted_lock,
    list_blocking_locks,
    lock_holders,
)
from ipcviz.model.state import State
from ipcviz.narrate.sentence import DETAIL, STEP, TURN, Clause
from ipcviz.narrate.words import label_of, name_process

_SORTS: Final = {
    "flock": "flock",
    "posix": "fcntl",
    "ofd": "open file description",
    "lease": "lease",
}


def _name_processes(state: State, pids: Iterable[int]) -> str:
    shown = [name_process(state, pid) for pid in pids]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")


def _holders_have(state: State, found: Iterable[FileLock]) -> str:
    """`sh[12] has`, `sh[12], cat[13] have`; empty if nobody is known."""
    pids = sorted({pid for lock in found for pid in lock_holders(state, lock)})
    return f"{_name_processes(state, pids)} {'has' if len(pids) == 1 else 'have'}" if pids else ""


def describe_locking(event: Call, before: State, after: State) -> Clause:
    """What a call of flock or fcntl did."""
    label, keys = (
        label_of(after, event.object) or "a file",
        ((event.object,) if event.object else ()),
    )
    number = event.fd
    fd = number if number is not None else -1
    descriptor = after.find_descriptor(event.pid, fd)
    wish = find_wanted_lock(event.args, event.pid, descriptor.ofd if descriptor else 0)
    if wish is None:
        if event.error:
            return Clause(
                f"got {event.error} from {event.name} on {label} (fd {fd})", DETAIL, "name", keys
            )
        waiting = any(lock.waits for lock in before.locks.get(event.object, ()))
        part = describe_range(build_unlocked_range(event.args))
        return Clause(
            f"released its lock on {label}{f', {part}' if part else ''} (fd {fd})",
            TURN if waiting else STEP,
            "name",
            keys,
        )
    part = describe_range(wish)
    lock = f"{'exclusive' if wish.mode == 'w' else 'shared'} {_SORTS[wish.kind]} lock on {label}"
    lock += f", {part}" if part else ""
    if event.error in ("EAGAIN", "EACCES"):
        found = list_blocking_locks(after, event.object, wish)
        why = f"{_holders_have(after, found) or 'somebody else has'} it"
        if {pid for lock in found for pid in lock_holders(after, lock)} == {event.pid}:
            why = "it has one itself, by another open file description"
        return Clause(
            f"did not get the {lock}: {why}, and the call does not wait", TURN, "name", keys
        )
    if event.error == "EDEADLK":
        return Clause(
            f"was refused the {lock}: to wait for it would be a deadlock (EDEADLK)",
            TURN,
            "name",
            keys,
        )
    if event.error:
        return Clause(f"got {event.error} from {event.name} for the {lock}", STEP, "name", keys)
    thread = before.threads.get(event.tid)
    waited = thread is not None and thread.waiting is not None
    return Clause(
        f"{'got' if waited else 'took'} the {lock}{' after its wait' if waited else ''}",
        TURN,
        "name",
        keys,
    )


def describe_owner_died(event: Call, before: State, after: State) -> Clause | None:
    """A wait for a robust mutex that ended because the owner did."""
    tid = event.get_number("died")
    if tid is None:
        return None
    owner = name_process(after, tid) if tid in after.processes else f"thread {tid}"
    text = (
        f"was woken because {owner} has ended while it held the robust mutex: who takes it next"
        " gets EOWNERDEAD"
    )
    return Clause(text, TURN, "semaphore")


def lost_by_close(pid: int, fd: int, before: State, after: State) -> str:
    """What closing a descriptor meant for locks on its file; empty if nothing."""
    descriptor = before.find_descriptor(pid, fd)
    thing = before.object_at(pid, fd)
    if descriptor is None or thing is None:
        return ""
    key = thing.info.key
    old = [lock for lock in before.locks.get(key, ()) if not lock.waits]
    new = [lock for lock in after.locks.get(key, ()) if not lock.waits]
    words = []
    had, has = (
        any(lock.kind == "posix" and lock.pid == pid for lock in locks) for locks in (old, new)
    )
    if had and not has:
        others = [row.fd for row, file in after.descriptions_of(pid) if file.object == key]
        still = f", although descriptor {min(others)} is still open" if others else ""
        words.append(f"its fcntl locks on {thing.label} are lost{still}")
    if any(lock.ofd == descriptor.ofd for lock in old):
        if not any(lock.ofd == descriptor.ofd for lock in new):
            words.append(f"its lock on {thing.label} is released")
        else:
            heirs = _kept_by(after, [lock for lock in new if lock.ofd == descriptor.ofd])
            words.append(f"the lock on {thing.label} stays{heirs}")
    return ", and ".join(words)


def _kept_by(state: State, found: Iterable[FileLock]) -> str:
    have = _holders_have(state, found)
    return f": {have} the same open file description" if have else ""


def released_by_exit(pid: int, before: State, after: State) -> dict[str, str]:
    """What a process's end meant for the locks that it held, by object key."""
    words = {}
    for key, locks in sorted(before.locks.items()):
        mine = [lock for lock in locks if not lock.waits and pid in lock_holders(before, lock)]
        if not mine:
            continue
        left = [lock for lock in after.locks.get(key, ()) if lock in mine]
        if left:
            words[key] = f"its lock on {label_of(after, key)} stays{_kept_by(after, left)}"
        else:
            words[key] = f"its lock on {label_of(after, key)} is released"
    return words


def who_has_file(path: str, state: State) -> str:
    """Of a lock file: who made it and has it open, as far as watched processes go.

    A relative path is taken for the one file that is known to end like it.
    """
    ending = path if path.startswith("/") else f"/{path.removeprefix('./')}"
    found = [
        key
        for key, thing in state.objects.items()
        if thing.info.kind == "file" and not thing.unlinked and thing.info.path.endswith(ending)
    ]
    rows = query.list_holders(state)
    pids = {row.pid for key in found for row in rows.get(key, ())} if len(found) == 1 else set()
    if pids:
        return (
            f"{_name_processes(state, sorted(pids))} {'has' if len(pids) == 1 else 'have'} it open"
        )
    return (
        "no watched process has it open"
        if found
        else "no watched process was seen to make it: it may be left over"
    )
