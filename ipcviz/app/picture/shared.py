"""What several processes touch at once: shared memory, and semaphores. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from ipcviz.app.picture.scene import Node, NodeLine
from ipcviz.app.picture.words import title_of
from ipcviz.app.text import bytes_text, count_text, make_visible, measure_width
from ipcviz.events.accesses import format_value
from ipcviz.events.kinds import KEPT
from ipcviz.model import query
from ipcviz.model.layouts import FieldValue, read_fields
from ipcviz.model.mechanisms.semaphores import counts_several, list_semaphore_holders
from ipcviz.model.parts import MemoryPart, ObjectPart, SemaphorePart, VariablePart
from ipcviz.narrate.words import describe_near_most

if TYPE_CHECKING:
    from ipcviz.app.picture.draft import SceneDraft
    from ipcviz.events import MemorySample
    from ipcviz.model.state import Object, Semaphore, State, Variable

_LAST: Final = 1e18
"""Later than any time of a session."""
_SHARED: Final = 2
"""So many have what is shared."""
_VALUE: Final = 3
"""Cells that a value is expected to take, for what is laid out whatever the values are."""
_ROW_CELLS: Final = 20
"""Cells that a row of a block is laid out for."""
_CLOSE_CELLS: Final = 25
"""The same where what has a row of its own elsewhere shares one."""
_AROUND_BLOCK: Final = 5
"""Rows for a block's frame, and for who stands above it."""
_CLOSE_AROUND: Final = 3
"""The same where room is short."""
_LEAST_ROWS: Final = 4
_MOST_ROWS: Final = 10
"""Rows of words of a block at most, so that others have room, too."""
_BYTES: Final = 4
"""Bytes in a row of a block whose fields are not known."""
_BYTE_ROWS: Final = 2
_NOBODY: Final = "nobody has it now"


def is_left(state: State, thing: Object) -> bool:
    """Whether a scenario's memory has a name still, though nobody need have it."""
    memory = state.memory.get((thing.info.key, 0))
    removed = thing.unlinked or (memory is not None and memory.sample.removed)
    return thing.named and thing.info.kind in KEPT and not removed


def add_memory(d: SceneDraft, thing: Object, links: list[query.Link]) -> None:
    """A block of shared memory, with the semaphores, variables and fields in it, or else some of
    its bytes; a named semaphore alone is one.
    """
    key = thing.info.key
    inside = query.semaphores_of(d.state, key)
    named = len(inside) == 1 and inside[0].info.kind == "named"
    # In the order in which they lie there: that of a map differs from run to run.
    found = (v for v in d.state.variables.values() if v.info.object == key)
    variables = sorted(found, key=lambda v: (v.info.offset, v.info.key))
    size = max(
        (m.length for x in links for m in d.state.mappings.get(x.pid, ()) if m.object.key == key),
        default=0,
    )
    if named:
        content = _Content(_semaphore_lines(d, inside[0], alone=True), _SEMAPHORE_ROWS)
    else:
        content = _list_content(d, thing, inside, variables, bytes_text(size) if size else "")
    d.add_node(
        Node(
            id=f"o:{key}",
            kind="semaphore" if named else "memory",
            title=make_visible(inside[0].label if named else thing.label),
            corner="semaphore" if named else content.corner,
            lines=content.lines if links else (*content.lines, NodeLine(_NOBODY, "strong")),
            rows=content.rows if links else content.rows + 1,
            cells=content.cells,
            order=(thing.opened_at, thing.info.ino),
            lit=ObjectPart(key) in d.lit or any(line.lit or line.marks for line in content.lines),
            select=("semaphore", inside[0].info.key) if named else ("object", key),
        )
    )
    mapped = sorted((x for x in links if x.mapped), key=lambda x: d.make_age_key(x.pid))
    alone = len(links) == 1 and _count_attachments(d, key) < _SHARED
    if alone and not inside and not variables and not thing.named:
        # What nobody shares tells of no communication: it comes last, and only where there is room
        # for it.
        d.alone.append(f"o:{key}")
        d.nodes[f"o:{key}"] = replace(d.nodes[f"o:{key}"], order=(_LAST, thing.info.ino))
    _join_processes(d, f"o:{key}", [x.pid for x in mapped], thing)


class _Content(NamedTuple):
    """What stands in a block: its lines now, for how many rows and cells it is laid out, whatever
    they are, and a short fact beside the name.
    """

    lines: tuple[NodeLine, ...]
    rows: int
    cells: int = 0
    corner: str = ""


def _list_content(
    d: SceneDraft,
    thing: Object,
    inside: tuple[Semaphore, ...],
    variables: list[Variable],
    corner: str,
) -> _Content:
    """What lies in shared memory: closer together where there is not a row for each thing."""
    names = [make_visible(s.label) for s in inside] + [f.name for f in thing.fields]
    width = min(8, max((measure_width(name) for name in names), default=0))
    memory = d.state.memory.get((thing.info.key, 0))
    sample = memory.sample if memory is not None else None
    lit = MemoryPart(thing.info.key) in d.lit
    for close in (False, True):
        lines: list[NodeLine] = []
        for one in inside:
            lines.extend(_semaphore_lines(d, one, alone=False, width=width, close=close))
        rows = len(inside) + (bool(inside) and not close)
        for variable in variables:
            lines.extend(_variable_lines(d, variable, close=close))
            rows += 1 if close else _VARIABLE_ROWS
        if thing.fields:
            cells = _CLOSE_CELLS if close else _ROW_CELLS
            packed = _pack_fields(read_fields(thing.fields, sample), width, cells, lit=lit)
            lines.extend(packed)
            rows += len(packed)
        elif not lines:
            lines.extend(_byte_lines(sample, lit=lit))
            rows = _BYTE_ROWS
        if rows + _AROUND_BLOCK <= d.rows:
            break
    rows = min(rows, _MOST_ROWS, max(_LEAST_ROWS, d.rows - _CLOSE_AROUND))
    cells = _CLOSE_CELLS if close else _ROW_CELLS
    return _Content(_cut_lines(lines, rows), rows, cells, corner)


def _cut_lines(lines: list[NodeLine], rows: int) -> tuple[NodeLine, ...]:
    """As many lines as there are rows, and the number of the others that say anything."""
    left_out = sum(line.style != "dim" for line in lines[rows:])
    if left_out:
        last = lines[rows - 1]
        lines[rows - 1] = replace(last, text=f"{last.text}  +{left_out}", short="")
    return tuple(lines[:rows])


def _pack_fields(
    values: tuple[FieldValue, ...], width: int, cells: int, *, lit: bool
) -> list[NodeLine]:
    """Fields with their values: an array has a row of its own, of the others several share one of
    so many cells.
    """
    found: list[NodeLine] = []
    text, taken = "", 0
    marks: list[tuple[int, int]] = []
    counters = {value.field.counted_by for value in values}
    for value in values:
        if value.field.name in counters:
            continue  # So many elements are shown.
        array = value.field.count > 1
        name = make_visible(value.field.name)
        need = measure_width(name) + 1 + _VALUE
        if text and (array or taken + need > cells):
            found.append(NodeLine(text, marks=tuple(marks)))
            text, marks, taken = "", [], 0
        text += f"{'  ' if text else ''}{name.ljust(width) if not text else name} "
        taken += need + 2
        elements = [make_visible(e) for e in value.elements] or ["?"]
        for place, element in enumerate(elements):
            if array and element == "0":
                element = "·"
            begin = len(text) + (place > 0)
            text += f"{' ' if place else ''}{element}"
            if lit and place in value.changed:
                marks.append((begin, begin + len(element)))
        if array:
            style = "dim" if value.elements == ("",) else "text"
            found.append(NodeLine(text, style, marks=tuple(marks)))
            text, marks, taken = "", [], 0
    if text:
        found.append(NodeLine(text, marks=tuple(marks)))
    return found


def _byte_lines(sample: MemorySample | None, *, lit: bool) -> list[NodeLine]:
    """Some bytes of memory, those that the last look found changed among them."""
    if sample is None or not sample.data:
        return [NodeLine("nobody has touched it", "dim", short="not touched")]
    changed = {at + i for at, length in sample.changed for i in range(min(length, _BYTES))}
    first = min(changed, default=sample.offset) if lit else sample.offset
    most = sample.offset + max(0, len(sample.data) - _BYTES * _BYTE_ROWS)
    first = max(sample.offset, min(first // _BYTES * _BYTES, most))
    found: list[NodeLine] = []
    for begin in range(first, first + _BYTES * _BYTE_ROWS, _BYTES):
        part = sample.data[begin - sample.offset :][:_BYTES]
        if not part:
            break
        offset = f"{begin:x} ".rjust(4)
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in part)
        marks = [
            (len(offset) + 3 * i, len(offset) + 3 * i + 2)
            for i in range(len(part))
            if lit and begin + i in changed
        ]
        found.append(NodeLine(f"{offset}{part.hex(' ')}  {shown}", marks=tuple(marks)))
    return found


def _count_attachments(d: SceneDraft, key: str) -> int:
    """How often a System V segment is attached, by whomever; -1 for other memory."""
    found = d.state.memory.get((key, 0))
    return found.sample.attached if found is not None else -1


def _join_processes(d: SceneDraft, node: str, pids: list[int], thing: Object | None) -> None:
    """Join a shared thing with the processes at it: some at its left, some at its right. Who made
    several processes that share it mostly made it for them, and stands above.
    """
    parents = {d.processes[pid].parent for pid in pids}
    makers = {pid for pid in pids if pid in parents and d.processes[pid].children >= _SHARED}
    if thing is None:
        makers = d.supervisors
    active = [pid for pid in pids if pid not in makers]
    left = _choose_left(d, active)
    for pid in active:
        d.strong.add(pid)
        source, target = (f"p:{pid}", node) if pid in left else (node, f"p:{pid}")
        d.join_nodes(source, target, "flow", thing, pid, both=True, mapped=True)
    for pid in pids:
        if pid in makers:
            d.join_nodes(f"p:{pid}", node, "hold", thing, pid, mapped=True)


def _choose_left(d: SceneDraft, pids: list[int]) -> set[int]:
    """Which of those that share something stand at its left: always the same ones, whoever of the
    others has ended.

    A child stands on the other side than its parent; of others each second child of its parent.
    Where their families are not known, it is the older half.
    """
    lines = {pid: d.processes[pid].lineage for pid in pids}
    if not all(lines.values()):
        return set(pids[: (len(pids) + 1) // 2])
    left: set[int] = set()
    for pid in pids:
        process = d.processes[pid]
        if process.parent in lines:
            if process.parent not in left:
                left.add(pid)
        elif int(lines[pid].rpartition(".")[2]) % 2:
            left.add(pid)
    return left


_SEMAPHORE_ROWS: Final = 3
"""A semaphore alone: its value, who holds it, who waits for it."""
_VARIABLE_ROWS: Final = 3
"""A variable: its value, who has loaded it, who stored it last."""


def _semaphore_lines(
    d: SceneDraft, found: Semaphore, *, alone: bool, width: int = 0, close: bool = False
) -> tuple[NodeLine, ...]:
    """A semaphore's value, who holds it, and the queue of those that wait for it, by name.

    Args:
        d: The scene.
        found: The semaphore.
        alone: The node has its name; if not, it stands among others.
        width: Cells for its name.
        close: Who waits stands in the row of the value, in the place of who holds it.
    """
    key = found.info.key
    value = "?"
    if found.value is not None:
        value = describe_near_most(found.value) or count_text(found.value)
    waiting = [
        title_of(d.state, t.pid) for t in sorted(d.waiting.get(key, ()), key=lambda t: t.tid)
    ]
    holds = list_semaphore_holders(found) if waiting or not found.value else ()
    names = ", ".join(title_of(d.state, hold.pid) for hold in holds)
    if d.ended:
        # Nobody holds anything any more: how often it was used is what is left to say.
        names, value = "", f"{value}  used {found.operations:,}x"
    # Who was woken counts itself as a waiter until it has the semaphore.
    count = len(waiting) or found.waiters - d.returning[key]
    style = "strong" if waiting or count > 0 else "text"
    lit = SemaphorePart(key) in d.lit
    verb = "taken" if counts_several(found) else "held"
    held = make_visible(f"{verb} by {names}") if names else ""
    # A bare name behind a value is who has the lock.
    brief = "" if counts_several(found) else names
    text = f"{make_visible(found.label).ljust(width)} {value}"
    if alone:
        lines = [NodeLine(f"value {value}", style, lit)]
        if held:
            lines.append(NodeLine(held, short=make_visible(brief)))
    else:
        lines = [
            NodeLine(f"{text}  {held}" if held else text, style, lit, _shorten_held(text, brief))
        ]
    if waiting or count > 0:
        whose = make_visible(", ".join(waiting)) if waiting else f"{count}"
        arrow = "←" if alone else "  ←"
        word = "wait" if count > 1 else "waits"
        if close:
            return (NodeLine(f"{text}  ← {whose}", style, lit),)
        lines.append(NodeLine(f"{arrow} {whose} {word}", "strong", lit, f"{arrow} {whose}"))
    return tuple(lines)


def _shorten_held(text: str, names: str) -> str:
    return make_visible(f"{text}  {names}" if names else text)


def _variable_lines(
    d: SceneDraft, variable: Variable, *, close: bool = False
) -> tuple[NodeLine, ...]:
    """A watched variable's value, who has loaded it since, and who stored it last; in one row if
    it is to be `close`: then whatever of both came last.
    """
    info = variable.info
    value = format_value(info.encoding, variable.value)
    lit = VariablePart(info.key) in d.lit
    text = make_visible(f"{info.name} = {value}")
    lines = [NodeLine(text, "strong" if lit else "text", lit)]
    loaded = [
        (title_of(d.state, one.pid), format_value(info.encoding, one.value))
        for one in sorted(variable.loads.values(), key=lambda one: one.n)[-3:]
    ]
    if close:
        words = f"{loaded[-1][0]} loaded {loaded[-1][1]}" if loaded else ""
        if not loaded and variable.stores:
            words = f"by {title_of(d.state, variable.stores[-1].pid)}"
        whole = f"{text}  {make_visible(words)}" if words else text
        return (NodeLine(whole, lines[0].style, lit, short=text),)
    if loaded:
        text = ", ".join(f"{name} loaded {value}" for name, value in loaded)
        short = f"loaded: {', '.join(f'{name} {value}' for name, value in loaded)}"
        lines.append(NodeLine(make_visible(text), "dim", short=make_visible(short)))
    if variable.stores:
        text = f"stored by {title_of(d.state, variable.stores[-1].pid)}"
        lines.append(NodeLine(make_visible(text), "dim"))
    return tuple(lines)


def add_variables(d: SceneDraft) -> None:
    """Watched variables in memory that one process alone has: its threads share them."""
    for key, found in sorted(d.state.variables.items()):
        pids = [pid for pid in found.places if d.is_there(pid)]
        if found.info.object or not pids:
            continue
        node = f"v:{key}"
        lines = _variable_lines(d, found)
        d.add_node(
            Node(
                id=node,
                kind="memory",
                title=make_visible(found.info.name),
                corner=make_visible(found.info.type),
                lines=lines,
                rows=_VARIABLE_ROWS,
                order=(d.state.t + 1, 0),
                lit=lines[0].lit,
            )
        )
        _join_processes(d, node, sorted(pids, key=d.make_age_key), None)


def add_semaphores(d: SceneDraft) -> None:
    """Semaphores that lie in no drawn memory."""
    for key, found in sorted(d.state.semaphores.items()):
        if found.info.object and f"o:{found.info.object}" in d.nodes:
            continue
        pids = {t.pid for t in d.waiting.get(key, ())}
        if (
            found.info.kind != "unnamed"
        ):  # those in private memory are a run-time's own locks, mostly
            pids.add(found.last_pid)
        pids = {pid for pid in pids if d.is_there(pid)}
        if not pids:
            continue
        node = f"m:{key}"
        if found.info.heap and len(pids) == 1:
            # The locks of an interpreter or a virtual machine, for its own threads.
            d.alone.append(node)
        lines = _semaphore_lines(d, found, alone=True)
        d.add_node(
            Node(
                id=node,
                kind="semaphore",
                title=make_visible(found.label),
                corner="semaphore",
                lines=lines,
                rows=_SEMAPHORE_ROWS,
                order=(d.state.t + 1, 0),
                lit=lines[0].lit,
                select=("semaphore", key),
            )
        )
        _join_processes(d, node, sorted(pids, key=d.make_age_key), None)
