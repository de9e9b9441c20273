"""The descriptors panel: descriptor table, open file descriptions, objects, as the kernel keeps
them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from ipcviz.app.panels.cells import choose_widths
from ipcviz.app.panels.panel import Late, Panel, Row, Span, fit_value, make_late, make_row
from ipcviz.app.text import make_visible, measure_width
from ipcviz.events.kinds import having
from ipcviz.model.mechanisms.anonymous import name_kind
from ipcviz.model.mechanisms.notifiers import describe_content, format_events, is_ready
from ipcviz.model.mechanisms.sockets import under_way
from ipcviz.model.parts import DescriptorPart
from ipcviz.model.waits.outsiders import outsiders_of
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.history import Ghost
    from ipcviz.app.view import View
    from ipcviz.events import EpollEntry
    from ipcviz.model.maps import Map
    from ipcviz.model.state import Descriptor, Object, OpenFile

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

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether the selected process has descriptors, or has just closed one."""
        return view.process is not None and bool(
            view.state.descriptors_of(view.pid)
            or any(owner == view.process.table for owner, _ in view.ghosts)
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
        columns = _choose_columns(width, _measure_columns(view, table))
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


_MEASURED: Final = 64
"""So many rows are asked for the widths of the columns."""
_MARK: Final = 1
"""Cells of the mark before the first column."""
_LEAST: Final = (9, 7, 8, 8)
"""Cells that a column has at least, where there is room for them."""


def _choose_head(heads: tuple[str, ...], size: int) -> str:
    """The longest of a column's headings that it has room for."""
    return next((head for head in heads if len(head) <= size), "")


def _measure_columns(view: View, table: Map[int, Descriptor]) -> Columns:
    """The cells that the columns' content needs, as far as the first rows tell; with that of the
    heading where that is short.
    """
    widest = [len(min(heads, key=len)) for heads in _HEADS]
    for descriptor in [table[fd] for fd in sorted(table)[:_MEASURED]]:
        description = view.state.description_of(descriptor)
        thing = view.state.object_of(description)
        texts = _describe_row(view, descriptor, description, thing)
        for column, text in enumerate(texts):
            widest[column] = max(widest[column], measure_width(make_visible(text)))
    return widest[0], widest[1], widest[2], widest[3]


def _choose_columns(width: int, need: Columns) -> Columns:
    """Widths of the four columns, with a space after each: what their content needs; if that is too
    much, the widest of them gives way first.
    """
    room = max(width - _MARK - len(need) + 1, sum(_LEAST[:2]))
    first, second, third, fourth = choose_widths(need, _LEAST, room)
    return first, second, third, fourth


def _choose_mark(view: View, descriptor: Descriptor) -> str:
    process = view.process
    table = process.table if process else 0
    fresh = descriptor.since > max(view.fresh, 0.0)
    if not fresh:
        return "*" if DescriptorPart(table, descriptor.fd) in view.lit else " "
    if descriptor.how.startswith("dup"):
        return "="
    return "<" if descriptor.how.startswith("inherited") else "+"


def _describe_origin(descriptor: Descriptor) -> str:
    """Where a descriptor came from in the fewest words: `from 12`, `by S2 from 12` for one that was
    received.
    """
    how = descriptor.how
    if how.startswith("inherited from"):
        return how.removeprefix("inherited ")
    if not how.startswith("received over "):
        return how
    sender = f" from {descriptor.sender}" if descriptor.sender else ""
    return f"by {how.removeprefix('received over ')}{sender}"


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
    origin, text, content, others = _describe_row(view, descriptor, description, thing, mode)
    spans: list[Span] = [(mark, "lit-chip" if lit else "")]
    spans.append((fit_value(descriptor.fd, 3, right=True), "number" if not lit else "lit"))
    spans.append((fit_value(origin[3:], first - 3) + " ", lit or "dim"))
    spans.append((fit_value(text, second) + " ", lit))
    if thing is None:
        spans.append((fit_value(content, third) + " ", "dim"))
    else:
        label = fit_value(thing.label, min(len(thing.label), third))
        chosen = thing.info.key == view.object
        spans.append((label, "chosen" if chosen else "object"))
        rest = make_visible(content)[len(make_visible(thing.label)) :]
        spans.append((fit_value(rest, third - len(label)) + " ", "dim"))
    if thing is not None and fourth:
        spans.append((fit_value(others, fourth), "dim"))
    return spans


def _describe_row(
    view: View,
    descriptor: Descriptor,
    description: OpenFile | None,
    thing: Object | None,
    mode: str = "",
) -> tuple[str, str, str, str]:
    """A row's words, column by column, before any of them has to be cut."""
    how = _describe_origin(descriptor) + (" cx" if descriptor.cloexec else "")
    origin = f"{descriptor.fd:>3} {how}"
    if description is not None:
        flags = ",".join(description.flags)
        offset = f" @{description.offset:,}" if description.offset else ""
        text = f"#{description.ofd} {description.mode}{f' {flags}' if flags else ''}{offset}"
    else:
        text = f"#{descriptor.ofd} {mode}"
    if thing is None:
        return origin, text, "not known", ""
    inside = describe_content(view.state, thing, view.now)
    kind = f" {name_kind(thing.info)}{f': {inside}' if inside else ''}"
    if thing.info.kind == "file":
        kind = ""
    gone = ", name removed" if thing.unlinked else ""
    return origin, text, f"{thing.label}{kind}{gone}", _describe_others(view, descriptor, thing)


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
