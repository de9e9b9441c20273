"""The semaphores panel."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.folders import HELP as FOLDERS
from ipcviz.app.panels.folders import folder_rows
from ipcviz.app.panels.locks import HELP, describe_time_left, list_futex_rows, lock_rows
from ipcviz.app.panels.panel import Panel, Row, fit_value, make_row
from ipcviz.app.view import View
from ipcviz.model.mechanisms.system_v_keys import FAILED_WORDS, warning_of
from ipcviz.model.parts import SemaphorePart
from ipcviz.model.query import list_waiters
from ipcviz.model.state import Semaphore
from ipcviz.narrate import describe_holding, name_process
from ipcviz.narrate.circles import describe_circle


class Semaphores(Panel):
    """Every semaphore's value, waiters, and who touched it last."""

    TITLE = "Semaphores"
    HELP_TEXT: ClassVar[str] = (
        "A row for each semaphore: named POSIX (sem_open), unnamed in shared memory (sem_init),"
        " System V (semget). VALUE is read from memory, or by semctl; `?` if it could not be read."
        " WAITERS are the threads that sleep on it, and for how long at most if they give up; a"
        " number alone is the kernel's or libc's count of waiters that ipcviz did not see go to"
        " sleep. LAST is the last operation seen, by whom: a POSIX semaphore does not record it"
        " itself. HELD BY: who took it and has not given it back, from the operations seen, since a"
        " semaphore has no owner; `-` nobody, `?` others may, or it can't be told; empty where it"
        " is given by others than took it: nobody holds it then. Below: threads that wait for each"
        " other in a circle, for whatever; `probably`, and why, where that is not proved."
        " Semaphores in memory that no other process shares, such as an interpreter's locks, come"
        " last, while their process lives. " + HELP + " " + FOLDERS
    )

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether there is a semaphore that processes share, or a lock on a file."""
        return bool(view.state.locks) or any(
            not is_private(semaphore) for semaphore in view.state.semaphores.values()
        )

    def build_rows(self, view: View, width: int) -> list[Row]:
        """A row for each semaphore."""
        every = sorted(
            view.state.semaphores.values(),
            key=lambda s: (s.info.object, s.info.kind, s.info.offset, s.label),
        )
        found = [s for s in every if not is_private(s)]
        private = [s for s in every if is_private(s) and _owner_lives(view, s)]
        stuck = [
            make_row((fit_value(f"{'    ' if at else '  '}{line}", width), "blocked"))
            for one in view.circles
            for at, line in enumerate(
                wrap_text(describe_circle(view.state, one, view.now), width - 4)
            )
        ]
        failed = [s.label for s in found if s.info.kind == "system v" and warning_of(s.info.name)]
        warning = f"  {', '.join(failed)}: {FAILED_WORDS}" if failed else ""
        warned = [
            make_row((fit_value(line, width), "bad"))
            for line in (wrap_text(warning, width) if warning else ())
        ]
        further = [
            *warned,
            *stuck,
            *lock_rows(view, width),
            *list_futex_rows(view, width),
            *folder_rows(view, width),
        ]
        if not found and not private:
            return further or [make_row(("No semaphore that processes share so far.", "dim"))]
        plan = _Plan.make_for_width(width)
        head = (
            f"  {fit_value('NAME', plan.name)} {fit_value('KIND  ', plan.kind)}{'VALUE':>6} "
            f" {fit_value('WHERE', plan.where)}"
        )
        head += (
            f"{fit_value('LAST', plan.last)}"
            f" {fit_value('HELD BY' if plan.last else 'HELD BY, OR LAST', plan.held)} WAITERS"
        )
        rows = [make_row((fit_value(head, width), "head"))]
        rows.extend(_build_row(view, semaphore, plan) for semaphore in found)
        rows.extend(further)
        if private:
            rows.append(make_row((fit_value("  IN MEMORY OF ONE PROCESS ALONE", width), "head")))
            rows.extend(_build_row(view, semaphore, plan) for semaphore in private[:_PRIVATE_SHOWN])
            if len(private) > _PRIVATE_SHOWN:
                rows.append(make_row((f"  and {len(private) - _PRIVATE_SHOWN} more", "dim")))
        return rows


_COLUMNS: Final = ((100, (16, 9, 18, 25)), (70, (13, 0, 0, 23)), (0, (12, 0, 0, 0)))
"""Widths of the name, the kind, the place, and the last operation, by the least width of the
panel.
"""


class _Plan(NamedTuple):
    """Widths of the columns; 0 for one that has no room."""

    name: int
    kind: int
    where: int
    last: int
    held: int
    waiters: int

    @classmethod
    def make_for_width(cls, width: int) -> _Plan:
        """The columns of a panel that is so wide."""
        name, kind, where, last = next(columns for least, columns in _COLUMNS if width >= least)
        rest = max(0, width - name - kind - where - last - 13)
        return cls(name, kind, where, last, rest // 2, rest - rest // 2)


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


def _build_row(view: View, semaphore: Semaphore, plan: _Plan) -> Row:
    lit = SemaphorePart(semaphore.info.key) in view.lit
    # Freed memory of one process may hold anything by now.
    unknown = semaphore.value is None or (is_private(semaphore) and semaphore.value > _PLAUSIBLE)
    value = "?" if unknown else f"{semaphore.value}"
    holder = view.state.objects.get(semaphore.info.object)
    place = f"{holder.label}+{semaphore.info.offset}" if holder else ""
    touched = (
        f"{semaphore.last_op} by {name_process(view.state, semaphore.last_pid)}"
        if semaphore.last_pid
        else "-"
    )
    waiting = "" if unknown else _describe_waiters(view, semaphore)
    held = describe_holding(view.state, semaphore)
    if not plan.last and held in ("", "-"):
        held = touched
    style = "lit" if lit else "number"
    if semaphore.value == 0 and waiting:
        style = "blocked"
    return make_row(
        ("*" if lit else " ", "lit-chip" if lit else ""),
        " ",
        (fit_value(semaphore.label, plan.name), "lit" if lit else "object"),
        " ",
        (fit_value(semaphore.info.kind.replace("system v", "Sys V"), plan.kind), "dim"),
        (fit_value(value, 6, right=True), style),
        "  ",
        (fit_value(place, plan.where), "dim"),
        (fit_value(touched, plan.last), ""),
        " ",
        (fit_value(held, plan.held), "dim" if held == touched else ""),
        " ",
        (fit_value(waiting or "-", plan.waiters), "blocked" if waiting else "dim"),
        target=("object", semaphore.info.object) if semaphore.info.object else None,
    )


def _describe_waiters(view: View, semaphore: Semaphore) -> str:
    """Who waits: by name as far as seen, and how many more the count says."""
    seen = list_waiters(view.state, semaphore.info.key)
    words = ", ".join(
        name_process(view.state, thread.pid, thread.tid) + describe_time_left(view, thread)
        for thread in seen
    )
    more = semaphore.waiters - len(seen)
    if more > 0:
        words += f"{' and ' if words else ''}{more}{' more' if words else ''}"
    if semaphore.waiters_zero > 0:
        words += f"{', ' if words else ''}{semaphore.waiters_zero} for zero"
    return words
