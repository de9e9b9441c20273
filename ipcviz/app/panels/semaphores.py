"""The semaphores panel."""

from __future__ import annotations

from typing import ClassVar

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
        "the last operation seen, by whom: a POSIX semaphore does not record it itself."
    )

    def build(self, view: View, width: int) -> list[Row]:
        """A row for each semaphore."""
        found = sorted(
            view.state.semaphores.values(), key=lambda s: (s.info.object, s.info.kind, s.info.offset, s.label)
        )
        if not found:
            return [row(("No semaphore so far.", "dim"))]
        name = 16 if width >= 70 else 10
        where = 18 if width >= 90 else 0
        rest = max(0, width - name - 10 - 7 - where - 26 - 6)
        head = f"  {fit('NAME', name)} {fit('KIND', 9)} {'VALUE':>5}  "
        head += (fit("WHERE", where) if where else "") + f"{fit('LAST', 26)} WAITERS"
        rows = [row((fit(head, width), "head"))]
        for semaphore in found:
            rows.append(_row(view, semaphore, name, where, rest))
        return rows


def _row(view: View, semaphore: Semaphore, name: int, where: int, rest: int) -> Row:
    lit = ("semaphore", semaphore.info.key) in view.lit
    value = "?" if semaphore.value is None else f"{semaphore.value}"
    holder = view.state.objects.get(semaphore.info.object)
    place = f"{holder.label}+{semaphore.info.offset}" if holder else ""
    last = f"{semaphore.last_op} by {who(view.state, semaphore.last_pid)}" if semaphore.last_pid else "-"
    waiting = _waiters(view, semaphore)
    return row(
        ("*" if lit else " ", "lit-chip" if lit else ""),
        " ",
        (fit(semaphore.label, name), "lit" if lit else "object"),
        " ",
        (fit(semaphore.info.kind, 9), "dim"),
        (fit(value, 6, right=True), "blocked" if semaphore.value == 0 and waiting else "lit" if lit else "number"),
        "  ",
        (fit(place, where) if where else "", "dim"),
        (fit(last, 26), ""),
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
