"""Eventfds and the like by which processes wake each other up: a part of the buffers panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipcviz.app.panels.cells import format_sparkline
from ipcviz.app.panels.panel import Row, fit_value, make_row
from ipcviz.events.calls import FOR_READY, READS, WRITES
from ipcviz.events.kinds import COUNTERS, NOTIFIERS, having
from ipcviz.model.mechanisms.notifiers import describe_content, read_counter, watched_keys
from ipcviz.model.parts import ObjectPart
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.model.state import Object, Thread

HELP: Final = (
    "EVENTS: eventfds, timerfds, signalfds and the like that two processes have and one has used,"
    " or that somebody waits for (W: to add to it, R: to read it, p: in poll, select or epoll); of"
    " an eventfd its counter, now and over the last minute."
)
_SHOWN: Final = 50
_NAME: Final = 9
_TOLD: Final = having("sought")
"""Those that somebody can have reason to look for although one process alone has them."""


def make_notifier_rows(view: View, width: int) -> list[Row]:
    """A row for each of them, and one for who has it."""
    waiting = _find_waiting(view)
    found = [
        thing
        for thing in view.state.objects.values()
        if thing.info.kind in NOTIFIERS and _is_shown(view, thing, waiting)
    ]
    if not found:
        return []
    found.sort(key=lambda o: o.sort_key)
    minute = _minute_cells(width)
    rest = max(0, width - _NAME - minute - 5)
    head = f"   {fit_value('EVENTS', _NAME)}{fit_value('HOLDS', rest)}  {'LAST MINUTE'}"
    rows = [make_row((fit_value(head, width), "head"))]
    for thing in found[:_SHOWN]:
        key, target = thing.info.key, ("object", thing.info.key)
        asleep = waiting.get(key, ())
        flag = next((one for one in "WRp" if any(one == letter for letter, _ in asleep)), " ")
        rows.append(
            make_row(
                (">" if key == view.object else " ", "chosen"),
                (flag, "blocked" if flag in ("W", "R") else ""),
                " ",
                (fit_value(thing.label, _NAME), "object"),
                (
                    fit_value(_describe_contents(view, thing), rest),
                    "lit" if ObjectPart(key) in view.lit else "",
                ),
                "  ",
                (_draw_minute(view, thing, minute), "gauge"),
                target=target,
            )
        )
        second = _describe_users(view, key, [thread for _, thread in asleep])
        rows.append(make_row((fit_value(f"{'':{_NAME + 3}}{second}", width), "dim"), target=target))
    if len(found) > _SHOWN:
        rows.append(make_row((f"   and {len(found) - _SHOWN} more", "dim")))
    return rows


def _minute_cells(width: int) -> int:
    """Cells of the last minute in a panel that is so wide."""
    return 12 if width < 64 else 20


def _draw_minute(view: View, thing: Object, cells: int) -> str:
    """A counter over the last minute."""
    trail = view.trails.get(thing.info.key) if thing.info.kind in COUNTERS else None
    if trail is None:
        return ""
    values = trail.build_columns(view.now, cells)
    return format_sparkline(values, max((value or 0 for value in values), default=0) or 1)


def _describe_users(view: View, key: str, asleep: list[Thread]) -> str:
    """Who waits for it, and who has it."""
    holders = [f"{name_process(view.state, h.pid)}:{h.fd}" for h in view.holders.get(key, ())]
    names = [name_process(view.state, thread.pid, thread.tid) for thread in asleep]
    have = " ".join(holders[:4]) + (f" +{len(holders) - 4}" if len(holders) > 4 else "")
    if not names:
        return have
    more = f" +{len(names) - 3}" if len(names) > 3 else ""
    return f"waits: {', '.join(names[:3])}{more}; {have}"


def _describe_contents(view: View, thing: Object) -> str:
    if thing.info.kind in COUNTERS:
        count = read_counter(thing)
        semaphore = (
            ", a semaphore" if thing.notifier is not None and thing.notifier.semaphore else ""
        )
        return f"{thing.info.kind} at {f'{count:,}' if count is not None else '?'}{semaphore}"
    words = describe_content(view.state, thing, view.now)
    return f"{thing.info.kind}, {words}" if words else thing.info.kind


def _is_shown(
    view: View, thing: Object, waiting: dict[str, tuple[tuple[str, Thread], ...]]
) -> bool:
    """Whether somebody waits for it, or processes share it and one of them has used it: a child
    inherits many.
    """
    key = thing.info.key
    rows = view.holders.get(key, ())
    if not rows:
        return False
    if key in waiting and (thing.info.kind in _TOLD or len({row.pid for row in rows}) > 1):
        return True
    if len({row.pid for row in rows}) < 2:
        return False
    tables = ((view.state.descriptors_of(row.pid), row.fd) for row in rows)
    return bool(
        thing.last_reader
        or thing.last_writer
        or any(table[fd].used for table, fd in tables if fd in table)
    )


def _find_waiting(view: View) -> dict[str, tuple[tuple[str, Thread], ...]]:
    """Who sleeps in a read of each, in a write to it, or until it is ready."""
    found: dict[str, list[tuple[str, Thread]]] = {}
    for thread in view.state.threads.values():
        call = thread.waiting
        if call is None:
            continue
        if call.name in FOR_READY:
            for key in watched_keys(view.state, thread.pid, call):
                found.setdefault(key, []).append(("p", thread))
        elif call.object and (call.name in READS or call.name in WRITES):
            found.setdefault(call.object, []).append(("R" if call.name in READS else "W", thread))
    return {key: tuple(some) for key, some in found.items()}
