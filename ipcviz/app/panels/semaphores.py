"""The semaphores panel."""

from __future__ import annotations

from typing import ClassVar, Final

from ipcviz.app.panels.folders import HELP as FOLDERS
from ipcviz.app.panels.folders import folder_rows
from ipcviz.app.panels.locks import HELP, futex_rows, lock_rows
from ipcviz.app.panels.panel import Panel, Row, fit, row
from ipcviz.app.view import View
from ipcviz.model.query import waiters
from ipcviz.model.state import Semaphore
from ipcviz.narrate import who


class Semaphores(Panel):
    """Every semaphore's value, waiters, and who touched it last."""

    TITLE = "Semaphores"
    HELP_TEXT: ClassVar[str] = (
        "A row for each semaphore: named POSIX (sem_open), unnamed in shared memory (sem_init), System V (semget). "
        "VALUE is read from memory, or by semctl; `?` if it could not be read. WAITERS are the threads that sleep on "
        "it; a number alone is the kernel's or libc's count of waiters that ipcviz did not see go to sleep. LAST is "
        "the last operation seen, by whom: a POSIX semaphore does not record it itself. Semaphores in memory that no "
        "other process shares, such as an interpreter's locks, come last, while their process lives. "
        + HELP
        + " "
        + FOLDERS
    )

    def build(self, view: View, width: int) -> list[Row]:
        """A row for each semaphore."""
        every = sorted(
            view.state.semaphores.values(), key=lambda s: (s.info.object, s.info.kind, s.info.offset, s.label)
        )
        found = [s for s in every if not is_private(s)]
        private = [s for s in every if is_private(s) and _owner_lives(view, s)]
        further = [*lock_rows(view, width), *futex_rows(view, width), *folder_rows(view, width)]
        if not found and not private:
            return further or [row(("No semaphore that processes share so far.", "dim"))]
        name, last = (16, 26) if width >= 70 else (9, 22)
        where = 18 if width >= 90 else 0
        rest = max(0, width - name - where - last - 23)
        head = f"  {fit('NAME', name)} {fit('KIND', 8)} {'VALUE':>5}  "
        head += (fit("WHERE", where) if where else "") + f"{fit('LAST', last)} WAITERS"
        rows = [row((fit(head, width), "head"))]
        rows.extend(_row(view, semaphore, name, where, last, rest) for semaphore in found)
        rows.extend(further)
        if private:
            rows.append(row((fit("  IN MEMORY OF ONE PROCESS ALONE", width), "head")))
            rows.extend(_row(view, semaphore, name, where, last, rest) for semaphore in private[:_PRIVATE_SHOWN])
            if len(private) > _PRIVATE_SHOWN:
                rows.append(row((f"  and {len(private) - _PRIVATE_SHOWN} more", "dim")))
        return rows


_PRIVATE_SHOWN: Final = 50
_PLAUSIBLE: Final = 1_000_000


def is_private(semaphore: Semaphore) -> bool:
    """Whether it lies in memory that its process does not share."""
    return semaphore.info.kind == "unnamed" and not semaphore.info.object


def _owner_lives(view: View, semaphore: Semaphore) -> bool:
    """Whether the process of a private semaphore lives (`sem:vm:PID:ADDRESS`)."""
    pid = semaphore.info.key.split(":")[2]
    process = view.state.processes.get(int(pid)) if pid.isdecimal() else None
    return process is not None and process.fate == "alive"


def _row(view: View, semaphore: Semaphore, name: int, where: int, last: int, rest: int) -> Row:
    lit = ("semaphore", semaphore.info.key) in view.lit
    # Freed memory of one process may hold anything by now.
    unknown = semaphore.value is None or (is_private(semaphore) and semaphore.value > _PLAUSIBLE)
    value = "?" if unknown else f"{semaphore.value}"
    holder = view.state.objects.get(semaphore.info.object)
    place = f"{holder.label}+{semaphore.info.offset}" if holder else ""
    touched = f"{semaphore.last_op} by {who(view.state, semaphore.last_pid)}" if semaphore.last_pid else "-"
    waiting = "" if unknown else _waiters(view, semaphore)
    return row(
        ("*" if lit else " ", "lit-chip" if lit else ""),
        " ",
        (fit(semaphore.label, name), "lit" if lit else "object"),
        " ",
        (fit(semaphore.info.kind.replace("system v", "Sys V"), 8), "dim"),
        (fit(value, 6, right=True), "blocked" if semaphore.value == 0 and waiting else "lit" if lit else "number"),
        "  ",
        (fit(place, where) if where else "", "dim"),
        (fit(touched, last), ""),
        " ",
        (fit(waiting or "-", rest), "" if waiting else "dim"),
        target=("object", semaphore.info.object) if semaphore.info.object else None,
    )


def _waiters(view: View, semaphore: Semaphore) -> str:
    """Who waits: by name as far as seen, and how many more the count says."""
    seen = waiters(view.state, semaphore.info.key)
    words = ", ".join(who(view.state, thread.pid, thread.tid) for thread in seen)
    more = semaphore.waiters - len(seen)
    if more > 0:
        words += f"{' and ' if words else ''}{more}{' more' if words else ''}"
    if semaphore.waiters_zero > 0:
        words += f"{', ' if words else ''}{semaphore.waiters_zero} for zero"
    return words
