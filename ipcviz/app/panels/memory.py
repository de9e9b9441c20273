"""The memory panel: what is mapped by whom, the states of its pages, and its bytes with what
changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from ipcviz.app.panels.cells import choose_widths, measure_columns
from ipcviz.app.panels.panel import Panel, Row, Span, fit_value, make_row
from ipcviz.app.text import bytes_text, make_visible
from ipcviz.model.layouts import read_fields
from ipcviz.model.mechanisms.system_v_keys import warning_of
from ipcviz.model.noise import is_noise
from ipcviz.model.parts import MemoryPart
from ipcviz.model.query import Mapper, list_mappers, rank_memory
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.model.state import Memory, Object


class MemoryPanel(Panel):
    """Shared memory: mapped objects, their pages and their bytes."""

    TITLE = "Memory"
    HELP_TEXT: ClassVar[str] = (
        "A row for each object that processes have mapped: files, POSIX and System V shared memory,"
        " memfds, anonymous memory; private mappings only of files that others map or write. Select"
        " one to see each mapping, its pages and its bytes. A letter for each page, as the"
        " process's page table has it: `.` not there, `o` the object's own page, in this process"
        " alone, `O` the same page in others too, `c` a private copy (copied on write), `C` a"
        " private copy that a fork still shares, `z` swapped out. A page can be there without"
        " having been touched: the kernel brings neighbours along. Bytes are read 20 times a second"
        " from pages that some process has, so that looking touches none; those that the last look"
        " found changed are lit and stand in [ ]. Who wrote them, nobody can tell. A scenario can"
        " say what lies where: then the values are shown by their names."
    )

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether any memory is or was shared, as far as it is known, but for what programs have
        from how they start.
        """
        found = list_mappers(view.state)
        things = [view.state.objects[key] for key in found if key in view.state.objects]
        return bool(_list_remembered(view)) or any(
            rank_memory(view.state, thing, found[thing.info.key]) < _OWN
            or not is_noise(thing.info.path)
            for thing in things
        )

    def build_rows(self, view: View, width: int) -> list[Row]:
        """A row for each object, then the selected one's mappings, pages and bytes."""
        found = list_mappers(view.state)
        things = sorted(
            (view.state.objects[key] for key in found if key in view.state.objects),
            # What they communicate by comes first.
            key=lambda o: (
                rank_memory(view.state, o, found[o.info.key]),
                o.sort_key,
            ),
        )
        kept = [
            o for o in _list_remembered(view) if o.info.key not in found and (o.named or not things)
        ]
        if not things and not kept:
            return [make_row(("No memory that processes share so far.", "dim"))]
        chosen = next(
            (o for o in (*things, *kept) if o.info.key == view.object), (*things, *kept)[0]
        )
        cells = _list_cells(view, [*things, *kept], found)
        need = measure_columns(_HEADS, cells)
        widths = choose_widths(need, _LEAST, width - _BESIDE)
        name, sort = widths[0], widths[1]
        rows = [
            make_row(
                (
                    fit_value(
                        f"  {fit_value('NAME', name)} {fit_value('KIND', sort)} {'SIZE':>10} "
                        " MAPPED BY",
                        width,
                    ),
                    "head",
                )
            )
        ]
        rows.extend(
            _build_object_row(view, thing, found.get(thing.info.key, ()), thing is chosen, widths)
            for thing in things
        )
        rows.extend(_build_object_row(view, thing, (), thing is chosen, widths) for thing in kept)
        rows.extend(_build_segment_rows(view, chosen, width))
        for mapper in found.get(chosen.info.key, ()):
            rows.extend(_build_mapping_rows(view, mapper, width))
        rows.extend(_build_contents(view, chosen, width))
        return rows


_HEADS: Final = ("NAME", "KIND", "MAPPED BY")
_LEAST: Final = (12, 8, 16)
"""Cells of the columns that grow, at least."""
_BESIDE: Final = 16
"""Cells of a row besides those: its marks, the size, and what is between them."""


def _list_cells(
    view: View, things: Sequence[Object], found: Mapping[str, tuple[Mapper, ...]]
) -> list[tuple[str, str, str]]:
    """What stands in the columns that grow, a row for each object."""
    return [
        (thing.label, _name_kind(thing), _name_mappers(view, found.get(thing.info.key, ())))
        for thing in things
    ]


def _name_kind(thing: Object) -> str:
    return "System V memory" if thing.info.key.startswith("shm:") else thing.info.kind


def _name_mappers(view: View, rows: tuple[Mapper, ...]) -> str:
    pids = dict.fromkeys(row.pid for row in rows)
    return ", ".join(name_process(view.state, pid) for pid in pids) or "not mapped now"


def _list_remembered(view: View) -> list[Object]:
    """Objects whose last bytes are known, whether or not somebody has them mapped; without what
    programs have from how they start.
    """
    keys = dict.fromkeys(key for key, _ in view.state.memory)
    things = (view.state.objects[key] for key in keys if key in view.state.objects)
    kept = (thing for thing in things if thing.named or not is_noise(thing.info.path))
    return sorted(kept, key=lambda thing: thing.sort_key)


_OWN: Final = 3
"""The rank of memory that no two processes have (`rank_memory`)."""


def _build_object_row(
    view: View, thing: Object, rows: tuple[Mapper, ...], chosen: bool, widths: Sequence[int]
) -> Row:
    key = thing.info.key
    name, sort, rest = widths
    lit = MemoryPart(key) in view.lit
    memory = view.state.memory.get((key, 0))
    size = memory.sample.size if memory is not None else -1
    names = _name_mappers(view, rows)
    facts = []
    if thing.unlinked:
        facts.append("name removed")
    if key.startswith("shm:") and (warning := warning_of(thing.info.path)):
        facts.append(warning)
    kind = _name_kind(thing)
    return make_row(
        (">" if chosen else " ", "chosen"),
        ("*" if lit else " ", "lit-chip" if lit else ""),
        (fit_value(thing.label, name), "object" if rows else "gone"),
        " ",
        (fit_value(kind, sort), "dim"),
        (f" {_format_size(size):>10}  ", "number"),
        (
            fit_value("; ".join((names, *facts)), rest),
            "" if rows else "dim",
        ),
        target=("object", key),
    )


def _build_segment_rows(view: View, thing: Object, width: int) -> list[Row]:
    """How often a System V segment is attached, and what becomes of it; nothing for other memory.

    One that nobody has attached stays until it is removed.
    """
    memory = view.state.memory.get((thing.info.key, 0))
    if memory is None or memory.sample.attached < 0:
        return []
    count, removed = memory.sample.attached, memory.sample.removed
    if removed:
        fate = "it goes with the last of them" if count else "it is gone"
        text = f"attached {count} (nattch), and removed: {fate}"
    else:
        text = f"attached {count} (nattch)" + ("" if count else ": it stays until it is removed")
    return [make_row((fit_value(f"  {text}", width), ""))]


def _format_size(size: int) -> str:
    """An object's size: exact where there is room."""
    exact = f"{size:,}" if size >= 0 else "?"
    return exact if len(exact) <= 10 else bytes_text(size)


_STYLES: Final = {"O": "object", "o": "object", "c": "lit", "C": "lit", "z": "blocked"}


def _build_mapping_rows(view: View, mapper: Mapper, width: int) -> list[Row]:
    """A mapping: where and how, then a letter for each page."""
    entry = mapper.entry
    pages = view.state.pages.get((mapper.pid, entry.start))
    how = "shared" if entry.shared else "private"
    text = (
        f"  {name_process(view.state, mapper.pid)} {how} {entry.prot} {entry.start:#x},"
        f" {bytes_text(entry.length)}"
    )
    text += f" from {entry.offset:,}" if entry.offset else ""
    target = ("process", mapper.pid)
    if pages is None:
        return [make_row((fit_value(f"{text}: not looked at yet", width), ""), target=target)]
    if pages.rss >= 0:
        dirty = pages.shared_dirty + pages.private_dirty
        huge = f"{bytes_text(pages.huge)} in huge pages, else " if pages.huge else ""
        text += (
            f": {huge}Rss {bytes_text(pages.rss)}, Pss {bytes_text(pages.pss)}, dirty"
            f" {bytes_text(dirty)}"
        )
    rows = [make_row((fit_value(text, width), "process"), target=target)]
    per = max(16, (width - 8) // 16 * 16)
    looked_at = len(pages.pages)
    last = looked_at if looked_at <= per else len(pages.pages.rstrip(".")) or 1
    for start in range(0, last, per):
        part = pages.pages[start : start + per]
        rows.append(make_row((f"{start:5}  ", "dim"), *_build_runs(part), target=target))
    absent = looked_at - (last + per - 1) // per * per
    words = [f"then {absent:,} pages that are not there"] if absent > 0 else []
    if pages.total > looked_at:
        words.append(f"and {pages.total - looked_at:,} more pages, not looked at")
    if words:
        rows.append(
            make_row((fit_value(f"       {', '.join(words)}", width), "dim"), target=target)
        )
    return rows


def _build_runs(letters: str) -> list[Span]:
    """Letters in spans of one style each."""
    spans: list[Span] = []
    for letter in letters:
        style = _STYLES.get(letter, "dim")
        if spans and spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + letter, style)
        else:
            spans.append((letter, style))
    return spans


def _build_contents(view: View, thing: Object, width: int) -> list[Row]:
    """The object's bytes, then each process's private copies."""
    key = thing.info.key
    looks = [(pid, memory) for (of, pid), memory in view.state.memory.items() if of == key]
    rows: list[Row] = []
    for pid, memory in sorted(looks, key=lambda look: look[0]):
        whose = f"{name_process(view.state, pid)}'s private copy" if pid else thing.label
        rows.extend(_build_byte_rows(view, memory, whose, width))
    if not rows:
        return [make_row((fit_value(f"No process has touched {thing.label} yet.", width), "dim"))]
    return [*_build_field_rows(view, thing, width), *rows]


def _build_field_rows(view: View, thing: Object, width: int) -> list[Row]:
    """The fields that the scenario declares in the object, with their values."""
    memory = view.state.memory.get((thing.info.key, 0))
    lit = MemoryPart(thing.info.key) in view.lit
    rows = []
    for value in read_fields(thing.fields, memory.sample if memory is not None else None):
        field = value.field
        sort = f"{field.type}[]" if field.count > 1 else field.type
        spans: list[Span | str] = [
            f"  {fit_value(field.name, 12)} ",
            (f"{fit_value(sort, 10)} at {field.offset:>5}  ", "dim"),
        ]
        left = width - sum(len(span if isinstance(span, str) else span[0]) for span in spans)
        for place, element in enumerate(value.elements or ("?",)):
            shown = make_visible(element)
            if left < len(shown) + 1:
                spans.append(("…", "dim"))
                break
            style = "lit-chip" if lit and place in value.changed else "object"
            spans.extend([(shown, style), " "])
            left -= len(shown) + 1
        rows.append(make_row(*spans))
    return rows


def _build_byte_rows(view: View, memory: Memory, whose: str, width: int) -> list[Row]:
    """Bytes in hexadecimal and printable, what the last look found changed in brackets."""
    sample = memory.sample
    if not sample.data:
        return [
            make_row((fit_value(f"{whose}: no process has touched its pages yet", width), "dim"))
        ]
    per = 16 if width >= 78 else 8
    title = f"{whose}: {len(sample.data):,} bytes from {sample.offset:,}"
    if sample.changed:
        count = sum(length for _, length in sample.changed)
        more = "more than " if sample.more else ""
        age = max(0.0, view.now - memory.changed_at)
        title += f"; {more}{count:,} changed {age:.1f} s ago, first at {sample.changed[0][0]:,}"
    rows = [make_row((fit_value(title, width), "head"))]
    changed = {
        at for begin, length in sample.changed for at in range(begin, begin + min(length, 4096))
    }
    for start in range(0, len(sample.data), per):
        rows.append(
            _build_byte_row(sample.data[start : start + per], sample.offset + start, per, changed)
        )
    return rows


def _build_byte_row(part: bytes, offset: int, per: int, changed: set[int]) -> Row:
    spans: list[Span | str] = [(f"{offset:6x} ", "dim")]
    for index in range(per):
        new, before = offset + index in changed, offset + index - 1 in changed and index > 0
        gap = " "
        if new is not before:
            gap = "[" if new else "]"
        if index >= len(part):
            spans.append((f"{gap}  ", ""))
            continue
        style = "lit-chip" if new else ""
        spans.extend([(gap, "lit" if gap != " " else style), (f"{part[index]:02x}", style)])
    last = offset + per - 1 in changed and len(part) == per
    spans.append(("] " if last else "  ", "lit"))
    for index, byte in enumerate(part):
        shown = chr(byte) if 0x20 <= byte < 0x7F else "."
        spans.append((shown, "lit-chip" if offset + index in changed else "object"))
    return make_row(*spans)
