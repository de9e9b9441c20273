"""File locks in the state, and questions about them: who holds one, which ones a call waits for.

Pure.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import FileLock, ObjectLocks
from ipcviz.events.arguments import Arguments, number_in, text_in
from ipcviz.model.draft import Draft
from ipcviz.model.parts import LocksPart
from ipcviz.model.state import State

_TO_THE_END: Final = 1 << 63


def apply_locks(draft: Draft, seen: ObjectLocks) -> None:
    """The locks on a file are these now."""
    if seen.locks:
        draft.locks = draft.locks.set(seen.object, seen.locks)
    elif seen.object in draft.locks:
        draft.locks = draft.locks.delete(seen.object)
    draft.note_change(LocksPart(seen.object))


def drop_locks(draft: Draft, pid: int) -> None:
    """A process ended: the kernel took its locks from it, and those of descriptions that went with
    it.
    """
    for key, found in draft.locks.items():
        left = tuple(
            lock
            for lock in found
            # Of a lock that no known description has, all that is known is who took it.
            if not (lock.pid == pid and (lock.kind == "posix" or lock.waits or not lock.ofd))
            and not (lock.ofd and lock.ofd not in draft.open_files)
        )
        if left != found:
            apply_locks(draft, ObjectLocks(object=key, locks=left))


def lock_holders(state: State, lock: FileLock) -> tuple[int, ...]:
    """The processes that hold a lock: several where they share its open file description.

    Empty if it is not known.
    """
    if lock.kind == "posix":
        return (lock.pid,) if lock.pid else ()
    if lock.ofd:
        return tuple(sorted({process.pid for process, _ in state.references_to(lock.ofd)}))
    return (lock.pid,) if lock.pid else ()


def find_wanted_lock(args: Arguments, pid: int = 0, ofd: int = 0) -> FileLock | None:
    """The lock that a call of flock or fcntl asks for; None if it asks for none.

    Args:
        args: The call's arguments as decoded.
        pid: The process, for an fcntl lock.
        ofd: The open file description behind its descriptor, for the other kinds.
    """
    operation = args.get("operation")
    if isinstance(operation, str):
        if "LOCK_EX" in operation:
            return FileLock(kind="flock", mode="w", pid=pid, ofd=ofd, waits=True)
        if "LOCK_SH" in operation:
            return FileLock(kind="flock", mode="r", pid=pid, ofd=ofd, waits=True)
        return None
    kind = args.get("lock")
    if kind not in ("F_RDLCK", "F_WRLCK"):
        return None
    first, last = _parse_range(args)
    own = "OFD" not in text_in(args, "cmd")
    return FileLock(
        kind="posix" if own else "ofd",
        mode="w" if kind == "F_WRLCK" else "r",
        pid=pid,
        ofd=0 if own else ofd,
        start=first,
        end=last,
        waits=True,
    )


def _parse_range(args: Arguments) -> tuple[int, int]:
    """The first and the last byte that a struct flock is about; -1 for the end of the file."""
    start, length = number_in(args, "start"), number_in(args, "length")
    # Relative to an offset that is not known here, it is taken for the whole file.
    if start is None or length is None or args.get("whence") != "SEEK_SET":
        return 0, -1
    if length < 0:
        return start + length, start - 1
    return start, start + length - 1 if length else -1


def build_unlocked_range(args: Arguments) -> FileLock:
    """The bytes that a call of fcntl or flock unlocks."""
    first, last = _parse_range(args)
    return FileLock(kind="posix", mode="r", start=first, end=last)


def is_conflicting(wish: FileLock, lock: FileLock) -> bool:
    """Whether a lock that is held keeps another from being taken (flock(2), fcntl_locking(2))."""
    if lock.waits or (wish.mode == "r" and lock.mode == "r"):
        return False
    if (wish.kind == "flock") != (lock.kind == "flock") or lock.kind == "lease":
        # On a local file system the two sorts do not know each other.
        return False
    if wish.kind == lock.kind and (
        wish.pid == lock.pid if wish.kind == "posix" else wish.ofd and wish.ofd == lock.ofd
    ):
        return False
    return wish.start <= _find_end(lock) and lock.start <= _find_end(wish)


def _find_end(lock: FileLock) -> int:
    return lock.end if lock.end >= 0 else _TO_THE_END


def list_blocking_locks(state: State, key: str, wish: FileLock) -> tuple[FileLock, ...]:
    """The locks on a file that keep one from being taken."""
    return tuple(lock for lock in state.locks.get(key, ()) if is_conflicting(wish, lock))


def describe_range(lock: FileLock) -> str:
    """Which bytes: empty for the whole file, `bytes 0-99`, `byte 7`, `from byte 100`."""
    if lock.end < 0:
        return f"from byte {lock.start:,}" if lock.start else ""
    return f"bytes {lock.start:,}-{lock.end:,}" if lock.end > lock.start else f"byte {lock.start:,}"
