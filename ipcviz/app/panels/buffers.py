"""The buffers panel: how full each pipe, FIFO, socket and queue is, was, and what waits in the
selected one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from ipcviz.app.panels.cells import format_gauge, format_sparkline, wrap_text
from ipcviz.app.panels.notifiers import HELP as NOTIFIERS_HELP
from ipcviz.app.panels.notifiers import make_notifier_rows
from ipcviz.app.panels.panel import Late, Panel, Row, Span, fit_value, make_late_blocks, make_row
from ipcviz.app.panels.sockets import socket_rows
from ipcviz.app.text import Shown, bytes_text, make_visible, moved_text
from ipcviz.events.kinds import BUFFERED, MESSAGES, NOTIFIERS, SOCKETS
from ipcviz.model.addresses import is_listening
from ipcviz.model.mechanisms.datagrams import list_waiting
from ipcviz.model.mechanisms.sockets import describe_closing
from ipcviz.model.mechanisms.system_v_keys import warning_of
from ipcviz.model.parts import ObjectPart
from ipcviz.model.query import Holder, blocked_readers, blocked_writers, went_in
from ipcviz.model.waits.outsiders import Side, nobody_else_has, outsiders_of
from ipcviz.narrate import describe_interleaving, describe_waiting_bytes, name_process

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.events import Level
    from ipcviz.model.state import Datagram, Object

_GONE_SHOWN: Final = 12


_SHOWN_KINDS: Final = BUFFERED | NOTIFIERS


class Buffers(Panel):
    """Levels of the objects in which bytes wait."""

    TITLE = "Buffers"
    HELP_TEXT: ClassVar[str] = (
        "A row for each pipe, FIFO, socket and message queue: how full it is now (read from the"
        " kernel, 20 times a second), over the last minute (the highest level in each column),"
        " bytes written into it and read from it, and who writes and reads. `>=` before a count: a"
        " process that holds it is only sampled, so it is a lower bound, or a write has not"
        " returned yet: what was read and what waits has been written; `?`: nothing was counted, or"
        " it can't be read. (In parentheses): a process that is not watched. W or R: a writer or a"
        " reader is blocked on it; a pipe can be full below its capacity, because its pages are."
        " Bytes written to a socket stand in the row of its other end. Select one to see the bytes"
        " that wait in it: copied, not consumed; and whose they are, those that are read next"
        " first, or why that is not known. " + NOTIFIERS_HELP
    )

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether somebody has something open that bytes or events wait in, or has moved any."""
        return any(
            thing.info.kind in _SHOWN_KINDS
            and (thing.info.key in view.holders or thing.bytes_in or thing.bytes_out)
            for thing in view.state.objects.values()
        )

    def build_rows(self, view: View, width: int) -> list[Late]:
        """A row for each object, then the waiting bytes of the selected one."""
        holders = view.holders
        things = sorted(
            (o for o in view.state.objects.values() if o.info.kind in BUFFERED),
            key=lambda o: o.sort_key,
        )
        held = [o for o in things if o.info.key in holders]
        gone = [o for o in things if o.info.key not in holders][-_GONE_SHOWN:]
        notifiers: list[Late] = [*make_notifier_rows(view, width)]
        if not held and not gone:
            return notifiers or [make_row(("No pipe, FIFO, socket or queue so far.", "dim"))]
        rows: list[Late] = [_make_head(width)]
        each = 1 if width >= _WIDE else 2
        rows.extend(
            make_late_blocks((*held, *gone), each, lambda thing: _make_rows(view, thing, width))
        )
        rows.extend(notifiers)
        chosen = view.state.objects.get(view.object)
        if chosen is None or chosen.info.kind not in BUFFERED:
            chosen = held[0] if len(held) == 1 else None
        if chosen is not None:
            rows.extend(_waiting_bytes(view, chosen, width))
            rows.extend(socket_rows(view, chosen, width))
        return rows


_WIDE: Final = 124
_NAME: Final = 8


def _plan_columns(width: int) -> tuple[int, int]:
    """Widths of the gauge and of the last minute."""
    if width >= _WIDE:
        return 14, 30
    gauge_width = 12 if width >= 64 else 8
    return gauge_width, max(6, width - gauge_width - 35)


def _make_head(width: int) -> Row:
    bar, minute = _plan_columns(width)
    text = (
        f"   {'':{_NAME}}{fit_value('NOW', bar)} {'BYTES OF CAPACITY':21} "
        f" {fit_value('LAST MINUTE', minute)}"
    )
    if width >= _WIDE:
        text += f" {'IN AND OUT':>27}  WRITERS > READERS"
    return make_row((fit_value(text, width), "head"))


def _make_rows(view: View, thing: Object, width: int) -> list[Row]:
    """An object's row; in a narrow panel what went through and who holds it in a second one."""
    bar, minute = _plan_columns(width)
    key, level = thing.info.key, thing.level
    holders = view.holders.get(key, ())
    flag = _blocked_flag(view, key)
    capacity = (level.capacity if level else 0) or thing.info.capacity
    full, empty, words = "", "-" * bar, "? not seen yet"
    if not holders:
        words = "closed"
    elif level is not None:
        # A pipe whose pages are all in use is full below its capacity in bytes.
        is_full = level.queued > 0 and (flag == "W" or level.writable is False)
        queued = max(level.queued, level.memory)
        full, empty = format_gauge(capacity if is_full else queued, capacity, bar)
        words = _describe_level(level, queued, capacity)
    trail = view.trails.get(key)
    drawn = (
        format_sparkline(trail.build_columns(view.now, minute), capacity or 1)
        if trail
        else "." * minute
    )
    passed = _describe_passed(view, thing)
    ends = _describe_ends(view, thing, holders)
    if level is not None and level.unsent > 0 and holders:
        ends = f"{bytes_text(level.unsent)} unacknowledged  {ends}"
    closing = describe_closing(thing) if holders else ""
    ends = f"{closing}  {ends}" if closing else ends
    chosen = key == view.object
    name_style, words_style = "chosen" if chosen else "object", ""
    if not holders:
        name_style, words_style = "gone", "dim"
    elif ObjectPart(key) in view.lit:
        words_style = "lit"
    spans: list[Span | str] = [
        (">" if chosen else " ", "chosen"),
        (flag, "blocked" if flag != " " else ""),
        " ",
        (fit_value(thing.label, _NAME), name_style),
        (full, "gauge"),
        (empty, "gauge"),
        (fit_value(f" {words}", 22), words_style),
        "  ",
        (drawn, "gauge"),
    ]
    target = ("object", key)
    if width >= _WIDE:
        room = max(0, width - bar - minute - 35 - 30)
        spans.extend(
            [(fit_value(passed, 28, right=True), ""), "  ", (fit_value(ends, room), "dim")]
        )
        return [make_row(*spans, target=target)]
    second = f"{'':{_NAME + 3}}{passed}  {ends}"
    return [
        make_row(*spans, target=target),
        make_row((fit_value(second, width), "dim"), target=target),
    ]


def _blocked_flag(view: View, key: str) -> str:
    """Whether a writer (`W`) or a reader (`R`) is blocked on an object."""
    if blocked_writers(view.state, key):
        return "W"
    return "R" if blocked_readers(view.state, key) else " "


def _describe_level(level: Level, queued: int, capacity: int) -> str:
    """How much waits in an object, of how much that has room."""
    words = f"{queued:,}/{capacity:,}" if capacity else f"{queued:,}"
    if level.unit == "connections":
        words += " waiting"
    if level.messages >= 0:
        words += f" {level.messages:,} msg"
    if level.locked:
        words += " locked"
    elif level.slots >= 0 and level.slots_total:
        words += f" {level.slots}/{level.slots_total}p"
    return words


def _describe_passed(view: View, thing: Object) -> str:
    """How much went into an object and out of it."""
    if is_listening(thing.info):
        return "listens"
    went, exact = went_in(view.state, thing)
    return f"in {moved_text(went, exact)}, out {moved_text(thing.bytes_out, thing.exact)}"


def _describe_ends(view: View, thing: Object, holders: tuple[Holder, ...]) -> str:
    """Who can write and who can read: `cat[12]:1 > gzip[13]:0`; into a socket, who has its other
    end.
    """

    def names(rows: list[Holder], side: Side) -> str:
        # Who is not watched stands in parentheses.
        others = [
            f"({make_visible(one.name)}[{one.pid}]:{one.fd})"
            for one in outsiders_of(view.state, key, side)
        ]
        shown = [*map(_holder_text(view), rows), *others]
        if not shown:
            return "nobody" if nobody_else_has(view.state, key) else "nobody watched"
        return " ".join(shown[:4]) + (f" +{len(shown) - 4}" if len(shown) > 4 else "")

    if not holders:
        return ""
    key = thing.info.key
    if thing.info.kind in SOCKETS:
        peer = view.state.objects.get(thing.info.peer) if thing.info.peer else None
        back = peer is not None and peer.info.peer == thing.info.key
        across = list(view.holders.get(thing.info.peer, ())) if back else []
        there = f"{names(across, 'both')} " if back or outsiders_of(view.state, key) else ""
        return f"{there}> {' '.join(map(_holder_text(view), holders[:4]))}"
    return (
        f"{names([h for h in holders if h.writes], 'w')} >"
        f" {names([h for h in holders if h.reads], 'r')}"
    )


def _holder_text(view: View) -> Callable[[Holder], str]:
    return lambda h: name_process(view.state, h.pid) + (f":{h.fd}" if h.fd >= 0 else "")


def _waiting_messages(view: View, thing: Object, level: Level, width: int) -> list[Row]:
    """A queue's limits, who is to be told of a message, and the messages that could be copied."""
    count = level.messages if level.messages >= 0 else level.queued
    words = f"{count:,} message{'' if count == 1 else 's'} in {thing.label}"
    if level.payload >= 0:
        words += f", {level.payload:,} bytes"
    if level.largest:
        words += f"; at most {level.capacity:,} of up to {level.largest:,} bytes each"
    if level.notify:
        words += f"; {name_process(view.state, level.notify)} is told when one comes into it empty"
    heads = (make_row((fit_value(line, width), "head")) for line in wrap_text(words, width))
    rows = [make_row(""), *heads]
    warning = warning_of(thing.info.path) if thing.info.key.startswith("msg:") else ""
    rows.extend(
        make_row((fit_value(line, width), "bad"))
        for line in (wrap_text(warning, width) if warning else ())
    )
    for one in level.waiting:
        shown = Shown(make_visible(one.head) + ("..." if one.size > len(one.head) else ""))
        rows.append(
            make_row(
                (fit_value(f"  type {one.type}, {one.size:,} B  ", 24), "dim"),
                (fit_value(shown, width - 24), "object"),
            )
        )
    return rows


def _waiting_datagrams(thing: Object, datagrams: Sequence[Datagram], width: int) -> list[Row]:
    """Each datagram that was seen being sent to a socket and waits in it, the next one first."""
    count = len(datagrams)
    words = f"{count:,} datagram{'' if count == 1 else 's'} in {thing.label}, the next one first"
    rows = [make_row(""), make_row((fit_value(words, width), "head"))]
    for one in datagrams:
        cut = "..." if one.length > len(one.head) else ""
        rows.append(
            make_row(
                (fit_value(f"  {one.length:,} B  ", 12), "dim"),
                (fit_value(Shown(make_visible(one.head) + cut), width - 12), "object"),
            )
        )
    return rows


def _waiting_bytes(view: View, thing: Object, width: int) -> list[Row]:
    """The first waiting bytes, printable and in hexadecimal."""
    level = thing.level
    if level is not None and thing.info.kind in MESSAGES:
        return _waiting_messages(view, thing, level, width)
    if level is None and not blocked_readers(view.state, thing.info.key):
        return [
            make_row(""),
            make_row((fit_value(f"What waits in {thing.label} was not seen yet.", width), "dim")),
        ]
    if level is None or not level.queued:
        return [
            make_row(""),
            make_row((fit_value(f"Nothing waits in {thing.label}.", width), "dim")),
        ]
    datagrams = list_waiting(view.state, thing)
    if datagrams:
        return _waiting_datagrams(thing, datagrams, width)
    if not level.head:
        words = f"{level.queued:,} bytes wait in {thing.label}"
        if level.unit != "bytes":
            words = f"{level.queued:,} {level.unit} wait in {thing.label}"
        rows = [
            make_row(""),
            make_row((fit_value(f"{words}; ipcviz has not looked at them.", width), "dim")),
        ]
        return rows + _make_owner_rows(view, thing, width)
    per = 16 if width >= 76 else 8
    age = max(0.0, view.now - thing.level_at)
    title = (
        f"Waiting in {thing.label}: the first {len(level.head):,} of {level.queued:,} bytes,"
        f" {age:.1f} s ago"
    )
    rows = [
        make_row(""),
        make_row((fit_value(title, width), "head")),
        *_make_owner_rows(view, thing, width),
    ]
    for start in range(0, min(len(level.head), 4096), per):
        part = level.head[start : start + per]
        shown = Shown("".join(chr(b) if 0x20 <= b < 0x7F else "." for b in part))
        rows.append(
            make_row(
                (f"{start:6x}  ", "dim"),
                (f"{part.hex(' '):{per * 3}} ", ""),
                (fit_value(shown, per), "object"),
            )
        )
    return rows


def _make_owner_rows(view: View, thing: Object, width: int) -> list[Row]:
    """Whose bytes wait, in their order, as far as the byte ledger knows; and the last write that
    was interleaved.
    """
    key = thing.info.key
    told = [
        (f"Whose: {words}", "") for words in (describe_waiting_bytes(view.state, key),) if words
    ]
    told += [
        (f"Interleaved: {words}", "lit")
        for words in (describe_interleaving(view.state, key),)
        if words
    ]
    return [
        make_row((fit_value(line, width), style))
        for words, style in told
        for line in wrap_text(words, width)
    ]
