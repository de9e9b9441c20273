"""File locks, and the futexes that threads sleep on: two parts of the semaphores panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipcviz.app.panels.panel import Row, fit_value, make_row
from ipcviz.model.mechanisms.futexes import KIND_WORDS, asleep_on
from ipcviz.model.mechanisms.locks import describe_range, lock_holders
from ipcviz.model.mechanisms.notifiers import format_seconds
from ipcviz.model.parts import LocksPart
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.events import FileLock, Futex
    from ipcviz.model.state import Thread

HELP: Final = (
    "FILE LOCKS: each lock on a file that a watched process has open, from /proc/locks; flock and"
    " OFD locks belong to an open file description, so to all who have it; fcntl locks to one"
    " process. FUTEXES: those that threads sleep on. What they are is told by the memory there, as"
    " glibc keeps it: `probably`; an owner is shown only if it is a living thread that has that"
    " memory, or if no thread has its id any more: it `has ended`."
)
_SORTS: Final = {"flock": "flock", "posix": "fcntl", "ofd": "OFD", "lease": "lease"}
_SHOWN: Final = 50


def lock_rows(view: View, width: int) -> list[Row]:
    """A row for each lock that is held, with who waits for the file."""
    if not view.state.locks:
        return []
    name, how, part = (20, 16, 22) if width >= 90 else (12, 12, 13)
    rest = max(0, width - name - how - part - 5)
    half = rest // 2
    head = (
        f"  {fit_value('FILE LOCKS', name)} {fit_value('KIND', how)} {fit_value('BYTES', part)}"
        f" {fit_value('HELD BY', half)}WAITERS"
    )
    rows = [make_row((fit_value(head, width), "head"))]
    for key, found in sorted(
        view.state.locks.items(), key=lambda item: _name_object(view, item[0])
    ):
        lit = LocksPart(key) in view.lit
        waiting = ", ".join(_name_waiter(view, key, lock) for lock in found if lock.waits)
        for lock in found:
            if lock.waits:
                continue
            held = (
                ", ".join(name_process(view.state, pid) for pid in lock_holders(view.state, lock))
                or "not known"
            )
            mode = "exclusive" if lock.mode == "w" else "shared"
            rows.append(
                make_row(
                    ("*" if lit else " ", "lit-chip" if lit else ""),
                    " ",
                    (fit_value(_name_object(view, key), name), "lit" if lit else "object"),
                    " ",
                    (fit_value(f"{_SORTS[lock.kind]} {mode}", how), ""),
                    " ",
                    (fit_value(describe_range(lock) or "the whole file", part), "dim"),
                    " ",
                    (fit_value(held, half), ""),
                    (fit_value(waiting or "-", rest - half), "blocked" if waiting else "dim"),
                    target=("object", key),
                )
            )
            waiting = ""
    return rows[: _SHOWN + 1]


def _name_object(view: View, key: str) -> str:
    thing = view.state.objects.get(key)
    return thing.label if thing else key


def _name_waiter(view: View, key: str, lock: FileLock) -> str:
    """Who waits: the kernel names no process for an open file description's lock, but its thread
    sleeps in fcntl.
    """
    if lock.pid:
        return name_process(view.state, lock.pid)
    for thread in view.state.threads.values():
        call = thread.waiting
        if call is not None and call.object == key and "OFD" in call.get_text("cmd"):
            return name_process(view.state, thread.pid, thread.tid)
    return "not known"


def describe_time_left(view: View, thread: Thread) -> str:
    """For how long at most a thread goes on to wait: ` (1.5 s)`; empty if it does not give up by
    itself.
    """
    until = thread.waiting.deadline if thread.waiting is not None else None
    return f" ({format_seconds(max(0.0, until - view.now))})" if until is not None else ""


def _describe_owner(view: View, futex: Futex) -> str:
    """Who has a futex, as far as that is known: a thread, readers, who has come to a barrier."""
    if futex.copied:
        name = name_process(view.state, futex.copied, futex.holder or futex.copied)
        return f"{name}, before a fork"
    if futex.former:
        return f"thread {futex.former}, has ended"
    if futex.readers and not futex.owner:
        return f"{futex.readers} reader{'s' if futex.readers > 1 else ''}"
    if futex.kind == "barrier":
        return f"{futex.arrived} of {futex.parties} have come"
    owner = view.state.threads.get(futex.owner)
    if owner is not None:
        return name_process(view.state, owner.pid, owner.tid)
    return f"thread {futex.owner}" if futex.owner else "-"


def list_futex_rows(view: View, width: int) -> list[Row]:
    """A row for each futex that somebody sleeps on."""
    found = asleep_on(view.state)
    if not found:
        return []
    name, what = (24, 28) if width >= 90 else (16, 20)
    owner = max(8, (width - name - what - 5) // 2)
    rest = max(0, width - name - what - owner - 5)
    head = (
        f"  {fit_value('FUTEXES', name)} {fit_value('WHAT', what)} {fit_value('OWNER', owner)}"
        " WAITERS"
    )
    rows = [make_row((fit_value(head, width), "head"))]
    for threads in list(found.values())[:_SHOWN]:
        futex = threads[0].waiting.futex if threads[0].waiting else None
        if futex is None:
            continue
        thing = view.state.objects.get(futex.object)
        process = name_process(view.state, threads[0].pid)
        place = f"{thing.label}+{futex.offset}" if thing else f"{process} {futex.offset:#x}"
        words = KIND_WORDS[futex.kind] or "not known"
        if futex.kind and not futex.sure:
            words = f"probably {words}"
        held = _describe_owner(view, futex)
        rows.append(
            make_row(
                "  ",
                (fit_value(place, name), "object"),
                " ",
                (
                    fit_value(
                        words + (", private" if futex.private and futex.object else ""), what
                    ),
                    "dim",
                ),
                " ",
                (fit_value(held, owner), ""),
                " ",
                (
                    fit_value(
                        ", ".join(
                            name_process(view.state, t.pid, t.tid) + describe_time_left(view, t)
                            for t in threads
                        ),
                        rest,
                    ),
                    "blocked",
                ),
                target=("object", futex.object) if futex.object else None,
            )
        )
    return rows
