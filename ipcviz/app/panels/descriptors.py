"""The descriptors panel: descriptor table, open file descriptions, objects, as the kernel keeps
them.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Final

from ipcviz.app.history import Ghost
from ipcviz.app.panels.panel import Late, Panel, Row, Span, fit_value, make_late, make_row
from ipcviz.app.view import View
from ipcviz.events import EpollEntry
from ipcviz.events.kinds import having
from ipcviz.model.mechanisms.anonymous import name_kind
from ipcviz.model.mechanisms.notifiers import describe_content, format_events, is_ready
from ipcviz.model.mechanisms.sockets import under_way
from ipcviz.model.parts import DescriptorPart
from ipcviz.model.state import Descriptor, Object, OpenFile
from ipcviz.model.waits.outsiders import outsiders_of
from ipcviz.narrate import name_process

_LISTS: Final = having("list")
_OPEN_EVERYWHERE: Final = having("everywhere")
_HEADS: Final = (
    ("DESCRIPTOR",),
    ("OPEN FILE DESCRIPTION", "OPEN FILE"),
    ("OBJECT",),
    ("ALSO HELD BY", "ALSO"),
)
"""The columns' headings, longest first: one that has no room is not cut, but left for the next."""


class Descriptors(Panel):
    """The descriptor table of the selected process."""

    TITLE = "Descriptors"
    HELP_TEXT: ClassVar[str] = (
        "The selected process's three tables, a row for each descriptor. DESCRIPTOR: its number,"
        " where it came from (`by S2`: through that socket), and `cx` if it is closed at exec. OPEN"
        " FILE DESCRIPTION: its number (given by ipcviz: the kernel shows none), r, w or rw, offset"
        " and status flags; descriptors with the same number share offset and flags. OBJECT: what"
        " lies behind. ALSO HELD BY: the other descriptors (process:number) that refer to the"
        " object; `=` marks those that share this very open file description. + opened, ="
        " duplicated, < inherited by fork, * changed, - closed a moment ago. Of an eventfd its"
        " counter is shown, of a timerfd when it expires, of a signalfd its signals, of a pidfd its"
        " process, of inotify what it watches: read from fdinfo, often while somebody waits for it"
        " or it is selected, now and then otherwise. A selected epoll set or inotify descriptor has"
        " its list below it; `ready` marks what the last looks found ready."
    )

    def title_of(self, view: View) -> str:
        """The process, and whose table it uses."""
        process = view.process
        if process is None:
            return self.TITLE
        shared = f", table of {process.table}" if process.table not in (0, process.pid) else ""
        return (
            f"Descriptors of {name_process(view.state, process.pid)}{shared}:"
            f" {len(view.state.descriptors_of(process.pid))} open"
        )

    def build_rows(self, view: View, width: int) -> list[Late]:
        """A row for each descriptor, open or just closed."""
        process = view.process
        if process is None:
            return [make_row(("No process is selected.", "dim"))]
        table = view.state.descriptors_of(process.pid)
        ghosts = {fd: ghost for (owner, fd), ghost in view.ghosts.items() if owner == process.table}
        if not table and not ghosts:
            text = (
                "It has ended: its descriptors are closed."
                if process.fate != "alive"
                else "It has none open."
            )
            return [make_row((text, "dim"))]
        columns = _choose_columns(width)
        rows: list[Late] = [
            make_row(
                *(
                    span
                    for heads, size in zip(_HEADS, columns, strict=True)
                    for span in ((fit_value(_choose_head(heads, size), size), "head"), " ")
                )
            )
        ]
        for fd in sorted({*table, *ghosts}):
            descriptor = table.get(fd)
            ghost = ghosts.get(fd)
            if descriptor is not None:
                rows.extend(make_late(1, partial(_make_open_rows, view, descriptor, columns)))
                rows.extend(_make_list_rows(view, descriptor, width))
            elif ghost is not None:
                rows.extend(make_late(1, partial(_make_closed_rows, view, ghost, columns)))
        return rows


Columns = tuple[int, int, int, int]
_SHOWN: Final = 16


def _make_list_rows(view: View, descriptor: Descriptor, width: int) -> list[Row]:
    """What the selected object lists, where that is an epoll set or an inotify descriptor: a row
    for each line.
    """
    thing = view.state.object_of(view.state.description_of(descriptor))
    if thing is None or thing.info.key != view.object or thing.notifier is None:
        return []
    kept = describe_content(view.state, thing, view.now)
    found = [] if thing.info.kind in _LISTS else [make_row((fit_value(f"      {kept}", width), ""))]
    found.extend(_make_listed_row(view, entry, width) for entry in thing.notifier.listed[:_SHOWN])
    for watch in thing.notifier.watches[:_SHOWN]:
        seen = view.state.objects.get(watch.object)
        path = (
            watch.path
            or (seen.info.path if seen else "")
            or f"inode {watch.object.rpartition(':')[2]}"
        )
        words = f"      watch {watch.wd}: {path}: {', '.join(watch.events)}"
        found.append(
            make_row(
                (fit_value(words, width), ""), target=("object", watch.object) if seen else None
            )
        )
    lines = len(thing.notifier.listed) + len(thing.notifier.watches)
    more = lines + thing.notifier.more - min(lines, _SHOWN)
    if more > 0:
        found.append(make_row((fit_value(f"      and {more} more", width), "dim")))
    return found


def _make_listed_row(view: View, entry: EpollEntry, width: int) -> Row:
    """A line of an epoll set's interest list, with whether it is ready as far as the last looks
    tell.
    """
    thing = view.state.objects.get(entry.object)
    words = f"      lists {entry.fd:>3} {fit_value(thing.label if thing else 'closed', 6)}"
    known = (
        is_ready(view.state, view.pid, thing, format_events(entry.events))
        if thing is not None
        else None
    )
    mark = "ready" if known else ""
    kept = describe_content(view.state, thing, view.now) if thing is not None else ""
    rest = ", ".join(part for part in ("|".join(entry.events), kept) if part)
    room = max(0, width - len(words) - 8)
    return make_row(
        (words, "object"),
        " ",
        (fit_value(mark, 6), "lit-chip" if mark else ""),
        " ",
        (fit_value(rest, room), "dim"),
        target=("object", entry.object) if thing is not None else None,
    )


def _make_open_rows(view: View, descriptor: Descriptor, columns: Columns) -> list[Row]:
    description = view.state.description_of(descriptor)
    thing = view.state.object_of(description)
    target = ("object", thing.info.key) if thing else None
    return [Row(tuple(_make_spans(view, descriptor, description, thing, columns)), target)]


def _make_closed_rows(view: View, ghost: Ghost, columns: Columns) -> list[Row]:
    thing = view.state.objects.get(ghost.object)
    number, *others = _make_spans(view, ghost.descriptor, None, thing, columns, mode=ghost.mode)[1:]
    faded = ((text, "dim") for text, _ in others)
    return [Row((("-", "lit-chip"), (number[0], "gone"), *faded), ("object", ghost.object))]


_SIZES: Final = ((100, (20, 21)), (76, (20, 18)), (56, (16, 14)), (0, (14, 9)))
"""Widths of the first two columns, by the least width of all of them."""


def _choose_head(heads: tuple[str, ...], size: int) -> str:
    """The longest of a column's headings that it has room for."""
    return next((head for head in heads if len(head) <= size), "")


def _choose_columns(width: int) -> Columns:
    """Widths of the four columns, with a space after each."""
    room = max(width - 4, 20)
    first, second = next(sizes for least, sizes in _SIZES if room >= least)
    third = max(8, min(30, (room - first - second) // 2))
    return first, second, third, max(0, room - first - second - third)


def _choose_mark(view: View, descriptor: Descriptor) -> str:
    process = view.process
    table = process.table if process else 0
    fresh = descriptor.since > max(view.fresh, 0.0)
    if not fresh:
        return "*" if DescriptorPart(table, descriptor.fd) in view.lit else " "
    if descriptor.how.startswith("dup"):
        return "="
    return "<" if descriptor.how.startswith("inherited") else "+"


def _describe_origin(how: str) -> str:
    """Where a descriptor came from in the fewest words: `from 12`, `by S2 from 12` for one that was
    received.
    """
    if how.startswith("inherited from"):
        return how.removeprefix("inherited ")
    if not how.startswith("received over "):
        return how
    through, _, sender = how.removeprefix("received over ").partition(" from ")
    return f"by {through}" + (f" from {sender.rpartition('[')[2].rstrip(']')}" if sender else "")


def _make_spans(
    view: View,
    descriptor: Descriptor,
    description: OpenFile | None,
    thing: Object | None,
    columns: Columns,
    mode: str = "",
) -> list[Span]:
    """A row's spans: mark, then the four columns."""
    first, second, third, fourth = columns
    mark = _choose_mark(view, descriptor)
    lit = "lit" if mark != " " else ""
    how = _describe_origin(descriptor.how) + (" cx" if descriptor.cloexec else "")
    spans: list[Span] = [(mark, "lit-chip" if lit else "")]
    spans.append((fit_value(descriptor.fd, 3, right=True), "number" if not lit else "lit"))
    spans.append((fit_value(f" {how}", first - 3), lit or "dim"))
    if description is not None:
        flags = ",".join(description.flags)
        offset = f" @{description.offset:,}" if description.offset else ""
        text = f"#{description.ofd} {description.mode}{f' {flags}' if flags else ''}{offset}"
    else:
        text = f"#{descriptor.ofd} {mode}"
    spans.append((fit_value(text, second + 1), lit))
    if thing is None:
        spans.append((fit_value("not known", third + 1), "dim"))
    else:
        inside = describe_content(view.state, thing, view.now)
        kind = f" {name_kind(thing.info)}{f': {inside}' if inside else ''}"
        if thing.info.kind == "file":
            kind = ""
        gone = ", name removed" if thing.unlinked else ""
        label = fit_value(thing.label, min(len(thing.label), third))
        chosen = thing.info.key == view.object
        spans.append((label, "chosen" if chosen else "object"))
        spans.append((fit_value(f"{kind}{gone}", third + 1 - len(label)), "dim"))
    if thing is not None and fourth:
        spans.append((fit_value(_describe_others(view, descriptor, thing), fourth), "dim"))
    return spans


def _describe_others(view: View, descriptor: Descriptor, thing: Object) -> str:
    """The other descriptors that refer to the object: `gzip[13]:0 r, sh[11]:4 =w`."""
    if thing.info.kind in _OPEN_EVERYWHERE:
        return ""
    process = view.process
    shown = []
    for holder in view.holders.get(thing.info.key, ()):
        if process is not None and holder.pid == process.pid and holder.fd == descriptor.fd:
            continue
        name = view.state.processes[holder.pid].called
        same = "=" if holder.ofd == descriptor.ofd else ""
        own = "" if process is not None and holder.pid == process.pid else name
        shown.append(f"{own}:{holder.fd} {same}{holder.mode}")
        if len(shown) > 12:
            shown.append("...")
            break
    for one in outsiders_of(view.state, thing.info.key)[:4]:
        shown.append(f"({one.name or 'process'}[{one.pid}]:{one.fd} {one.mode})")
    for key, _ in under_way(view.state, thing.info.key)[:1] if view.state.flights else ():
        shown.append(f"on its way in {view.state.objects[key].label}")
    return ", ".join(shown)
