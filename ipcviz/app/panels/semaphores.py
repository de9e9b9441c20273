"""The semaphores panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from ipcviz.app.panels.cells import choose_widths, measure_columns, wrap_text
from ipcviz.app.panels.folders import HELP as FOLDERS
from ipcviz.app.panels.folders import folder_rows
from ipcviz.app.panels.locks import HELP, describe_time_left, list_futex_rows, lock_rows
from ipcviz.app.panels.panel import Panel, Row, fit_value, make_row
from ipcviz.model.mechanisms.system_v_keys import FAILED_WORDS, warning_of
from ipcviz.model.parts import SemaphorePart
from ipcviz.model.query import count_woken, list_waiters
from ipcviz.narrate import describe_holding, name_process
from ipcviz.narrate.circles import describe_circle
from ipcviz.narrate.words import describe_near_most

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.model.state import Semaphore


class Semaphores(Panel):
    """Every semaphore's value, waiters, and who touched it last."""

    TITLE = "Semaphores"
    HELP_TEXT: ClassVar[str] = (
        "A row for each semaphore: named POSIX (sem_open), unnamed in shared memory (sem_init),"
        " System V (semget). VALUE is read from memory, or by semctl; `?` if it could not be read;"
        " `max` is the most that a semaphore can count to (SEM_VALUE_MAX, 2,147,483,647), `max-3`"
        " three less: so many that nobody ever waits, as for room in a queue without a limit."
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
            not semaphore.info.private for semaphore in view.state.semaphores.values()
        )

    def build_rows(self, view: View, width: int) -> list[Row]:
        """A row for each semaphore."""
        every = sorted(
            view.state.semaphores.values(),
            key=lambda s: (s.info.object, s.info.kind, s.info.offset, s.label),
        )
        found = [s for s in every if not s.info.private]
        private = [s for s in every if s.info.private and _owner_lives(view, s)]
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
        shown = {one.info.key: _list_cells(view, one) for one in (*found, *private)}
        plan = _Plan.make(list(shown.values()), width)
        rows = [make_row((fit_value(plan.make_head(), width), "head"))]
        rows.extend(_build_row(view, one, shown[one.info.key], plan) for one in found)
        rows.extend(further)
        if private:
            rows.append(make_row((fit_value("  IN MEMORY OF ONE PROCESS ALONE", width), "head")))
            rows.extend(
                _build_row(view, one, shown[one.info.key], plan) for one in private[:_PRIVATE_SHOWN]
            )
            if len(private) > _PRIVATE_SHOWN:
                rows.append(make_row((f"  and {len(private) - _PRIVATE_SHOWN} more", "dim")))
        return rows


class _SemaphoreCells(NamedTuple):
    """What stands in a semaphore's row besides its value; the widths of the columns likewise, which
    are 0 where there is no room.
    """

    name: str
    kind: str
    where: str
    last: str
    held: str
    waiters: str


_HEADS: Final = _SemaphoreCells("NAME", "KIND", "WHERE", "LAST", "HELD BY", "WAITERS")
_HELD_OR_LAST: Final = "HELD BY, OR LAST"
_LEAST: Final = (10, 6, 8, 12, 8, 8)
"""Cells of each column at least."""
_VALUE: Final = 6
_DISPENSABLE: Final = (1, 2, 3)
"""The columns that go first where there is no room, in this order: what the last operation was is
told in the place of who has it.
"""


class _Plan(NamedTuple):
    """The widths of the columns."""

    name: int
    kind: int
    where: int
    last: int
    held: int
    waiters: int

    @classmethod
    def make(cls, cells: list[_SemaphoreCells], width: int) -> _Plan:
        """The columns of a panel that is so wide, for these rows."""
        need, least = measure_columns(_HEADS, cells), list(_LEAST)
        room = width - _VALUE - len(_HEADS) - 3
        for column in _DISPENSABLE:
            if sum(map(min, zip(need, least, strict=True))) <= room and sum(need) <= room:
                break
            if column == _DISPENSABLE[-1]:
                need[column + 1] = max(need[column + 1], need[column], len(_HELD_OR_LAST))
            need[column] = least[column] = 0
        return cls(*choose_widths(need, least, room))

    def make_head(self) -> str:
        """The headings."""
        held = _HEADS.held if self.last else _HELD_OR_LAST
        return (
            f"  {fit_value(_HEADS.name, self.name)} {fit_value(_HEADS.kind, self.kind)}"
            f"{'VALUE':>{_VALUE}}  {fit_value(_HEADS.where, self.where)}"
            f" {fit_value(_HEADS.last, self.last)} {fit_value(held, self.held)} {_HEADS.waiters}"
        )


_PRIVATE_SHOWN: Final = 50
_PLAUSIBLE: Final = 1_000_000


def _owner_lives(view: View, semaphore: Semaphore) -> bool:
    """Whether the process of a private semaphore lives (`sem:vm:PID:ADDRESS`)."""
    pid = semaphore.info.key.split(":")[2]
    process = view.state.processes.get(int(pid)) if pid.isdecimal() else None
    return process is not None and process.fate == "alive"


def _is_unknown(semaphore: Semaphore) -> bool:
    """Whether its value is not known: freed memory of one process may hold anything by now."""
    return semaphore.value is None or (semaphore.info.private and semaphore.value > _PLAUSIBLE)


def _list_cells(view: View, semaphore: Semaphore) -> _SemaphoreCells:
    holder = view.state.objects.get(semaphore.info.object)
    touched = (
        f"{semaphore.last_op} by {name_process(view.state, semaphore.last_pid)}"
        if semaphore.last_pid
        else "-"
    )
    return _SemaphoreCells(
        semaphore.label,
        semaphore.info.kind.replace("system v", "Sys V"),
        f"{holder.label}+{semaphore.info.offset}" if holder else "",
        touched,
        describe_holding(view.state, semaphore),
        "" if _is_unknown(semaphore) else _describe_waiters(view, semaphore),
    )


def _build_row(view: View, semaphore: Semaphore, cells: _SemaphoreCells, plan: _Plan) -> Row:
    lit = SemaphorePart(semaphore.info.key) in view.lit
    value = "?"
    if semaphore.value is not None and not _is_unknown(semaphore):
        value = describe_near_most(semaphore.value) or f"{semaphore.value}"
    held = cells.held
    if not plan.last and held in ("", "-"):
        held = cells.last
    style = "lit" if lit else "number"
    if semaphore.value == 0 and cells.waiters:
        style = "blocked"
    return make_row(
        ("*" if lit else " ", "lit-chip" if lit else ""),
        " ",
        (fit_value(cells.name, plan.name), "lit" if lit else "object"),
        " ",
        (fit_value(cells.kind, plan.kind), "dim"),
        (fit_value(value, _VALUE, right=True), style),
        "  ",
        (fit_value(cells.where, plan.where), "dim"),
        " ",
        (fit_value(cells.last, plan.last), ""),
        " ",
        (fit_value(held, plan.held), "dim" if held == cells.last else ""),
        " ",
        (fit_value(cells.waiters or "-", plan.waiters), "blocked" if cells.waiters else "dim"),
        target=("object", semaphore.info.object) if semaphore.info.object else None,
    )


def _describe_waiters(view: View, semaphore: Semaphore) -> str:
    """Who waits: by name as far as seen, and how many more the count says."""
    seen = list_waiters(view.state, semaphore.info.key)
    words = ", ".join(
        name_process(view.state, thread.pid, thread.tid) + describe_time_left(view, thread)
        for thread in seen
    )
    more = semaphore.waiters - len(seen) - count_woken(view.state, semaphore.info.key)
    if more > 0:
        words += f"{' and ' if words else ''}{more}{' more' if words else ''}"
    if semaphore.waiters_zero > 0:
        words += f"{', ' if words else ''}{semaphore.waiters_zero} for zero"
    return words
