"""What the two tables at the bottom promise is done by the floors above them, and nobody keeps a
list of calls or kinds of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

import ipcviz
from docs import make_calls
from ipcviz import events as ev
from ipcviz.app.picture.graph import build_scene
from ipcviz.app.picture.scene import BLOCKS, ENDS, TUBES, NodeKind
from ipcviz.events import calls, kinds
from ipcviz.events.calls import CALLS, having, where
from ipcviz.events.kinds import KINDS, ObjectKind
from ipcviz.kernel.arch import ARCHES, call_numbers
from ipcviz.model.ledger.directions import BETWEEN, CHANNEL_CALLS, CHANNEL_READS, CHANNEL_WRITES
from ipcviz.model.mechanisms.queues import RECEIVES, SENDS
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate import narrate
from ipcviz.narrate.calls import _SPECIAL as SENTENCES
from ipcviz.tracer.calls import decode
from ipcviz.tracer.calls.effects import _READERS as EFFECTS
from ipcviz.tracer.calls.plans import INCOMING, INCOMING_VECTORS, NAMES, OUTGOING, OUTGOING_VECTORS
from ipcviz.tracer.calls.table import NEW_DESCRIPTOR
from tests.fakes import numbered

PACKAGE = Path(ipcviz.__file__).parent
TABLES = {"events/calls.py", "events/kinds.py"}

EXCEPTIONS = {
    ("narrate/narrate.py", "_MADE"): "words for how a process came to be (`events.How`)",
    ("scenario/operations.py", "SEMAPHORE_OPS"): "operations of libc, some named as calls are",
}
"""Tables whose keys only look like calls or kinds, and why."""

COMPARISONS = {
    ("export/names.py", "head"): "beginnings of keys",
    ("kernel/descriptors.py", "thing.kind"): "what can be opened again by its path alone",
    ("model/mechanisms/folders.py", "effect.object.kind"): "what is made in a directory to be met",
    ("model/reduce.py", "event.how"): "how a process came to be (`events.How`)",
    ("tracer/calls/decode.py", "name"): "of these two most are made: they are decoded first of all",
}
"""What is compared with two names or more, where, and why."""


@cache
def parse_package() -> tuple[tuple[str, ast.Module], ...]:
    paths = ((str(path.relative_to(PACKAGE)), path) for path in sorted(PACKAGE.rglob("*.py")))
    return tuple(
        (name, ast.parse(path.read_text(encoding="utf-8")))
        for name, path in paths
        if name not in TABLES
    )


def texts(nodes: list[ast.expr] | list[ast.expr | None]) -> set[str]:
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def is_function(node: ast.expr) -> bool:
    """Whether a dictionary's value is something to call, or made by a call: not mere data."""
    if isinstance(node, ast.Tuple):
        return any(is_function(one) for one in node.elts)
    return isinstance(node, ast.Name | ast.Attribute | ast.Lambda | ast.Call)


def listed(node: ast.AST) -> Iterator[set[str]]:
    """The texts of each list, set and dictionary within an expression: a type is none, nor is a
    table of functions.
    """
    if isinstance(node, ast.Subscript | ast.Compare):
        return
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        yield texts(node.elts)
    elif isinstance(node, ast.Dict) and not all(is_function(value) for value in node.values):
        yield texts(node.keys)
    for child in ast.iter_child_nodes(node):
        yield from listed(child)


def named(found: set[str]) -> bool:
    """Whether there are two names of calls, or of kinds, among them."""
    return len(found & set(CALLS)) > 1 or len(found & set(KINDS)) > 1


def assigned(tree: ast.Module) -> Iterator[tuple[int, str, ast.expr]]:
    """The line, name and value of what a module or a class assigns."""
    bodies = [tree.body, *(one.body for one in tree.body if isinstance(one, ast.ClassDef))]
    for statement in (one for body in bodies for one in body):
        if isinstance(statement, ast.Assign):
            yield statement.lineno, ast.unparse(statement.targets[0]), statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield statement.lineno, ast.unparse(statement.target), statement.value


def compared(tree: ast.Module) -> Iterator[tuple[int, str, list[ast.expr]]]:
    """The line, left side and right sides of each comparison; not those of a row's columns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            left = ast.unparse(node.left)
            if not left.startswith(("call.", "kind.")) or left in ("call.name", "kind.name"):
                yield node.lineno, left, node.comparators


def test_nobody_keeps_a_list_of_calls_or_kinds():
    found = [
        f"{module}:{line} {name}"
        for module, tree in parse_package()
        for line, name, value in assigned(tree)
        if (module, name) not in EXCEPTIONS and any(map(named, listed(value)))
    ]
    assert not found, "a column of events.calls or events.kinds says it once for all"


def test_nobody_compares_with_a_list_of_calls_or_kinds():
    found = [
        f"{module}:{line} {left}"
        for module, tree in parse_package()
        for line, left, sides in compared(tree)
        if (module, left) not in COMPARISONS
        and any(named(one) for side in sides for one in listed(side))
    ]
    assert not found, "a column of events.calls or events.kinds says it once for all"


# What a row promises is done.


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_arguments_of_each_call_are_decoded(name):
    known = {*decode.PLAIN, *decode.FROM_MEMORY, "sockaddr"}
    assert {kind for _, kind in CALLS[name].arguments} <= known


def test_each_call_is_one_of_linux():
    known = {name for arch in ARCHES.values() for name in call_numbers(arch.table)}
    assert set(CALLS) <= known


def test_each_call_has_effects_or_says_that_it_has_none():
    assert {*EFFECTS, *NEW_DESCRIPTOR, *NAMES} == having("effects")


def test_each_call_is_told_or_says_that_it_is_not():
    by_events = where(lambda call: bool(call.family) or call.stops == "for markers")
    moves = where(lambda call: bool(call.flow))
    told = {*SENTENCES, *by_events, *moves, *having("effects"), *having("failing")}
    asked = where(lambda call: call.stops != "unstopped")
    assert asked - told == having("untold")


@pytest.mark.parametrize("table", [calls, kinds])
def test_each_trait_is_explained_and_somebody_has_it(table):
    assert set(table.TRAITS) == set(get_args(table.Trait))
    assert all(table.having(trait) for trait in table.TRAITS)


def test_each_kind_of_object_has_a_row():
    assert set(KINDS) == set(get_args(ObjectKind))
    assert len({kind.noun for kind in KINDS.values() if kind.noun}) == sum(
        bool(kind.noun) for kind in KINDS.values()
    )


def test_each_node_of_the_picture_has_a_shape():
    drawn = {kind.drawn for kind in KINDS.values() if kind.drawn}
    assert drawn | {"semaphore"} == TUBES | BLOCKS | ENDS
    assert set(get_args(NodeKind)) >= TUBES | BLOCKS | ENDS
    assert all(bool(kind.drawn) == bool(kind.shape) for kind in KINDS.values())


def state_with(kind: str) -> State:
    """Two processes that have an object of a kind open, and wait for it."""
    thing = ev.ObjectInfo(key="8:1", kind=kind, path="/tmp/f")  # type: ignore[arg-type]
    state = State()
    for event in numbered(
        [
            ev.Started(t=0, argv=("a",)),
            ev.Forked(t=0, pid=11, parent=1, how="launched", name="a"),
            ev.Table(t=0, pid=11, entries=(), reason="launched"),
            ev.Call(
                t=0.1, pid=11, tid=11, name="openat", effects=(ev.Opened(3, 3, thing, "rw"),), ret=3
            ),
            ev.Forked(t=0.2, pid=12, parent=11, by=11),
            ev.Call(t=0.3, pid=12, tid=12, name="write", args={"fd": 3}, ret=1, object="8:1"),
            *(
                ev.Waiting(t=0.4, pid=pid, tid=pid, call="read", args={"fd": 3}, object="8:1")
                for pid in (11, 12)
            ),
        ]
    ):
        state = reduce(state, event)
    return state


@pytest.mark.parametrize("name", sorted(name for name, kind in KINDS.items() if kind.drawn))
def test_each_kind_is_drawn_as_its_row_says(name):
    assert KINDS[name].drawn in {node.kind for node in build_scene(state_with(name)).nodes}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_has_a_short_name(name):
    label = state_with(name).objects["8:1"].label
    assert label == f"{KINDS[name].letter}1" if KINDS[name].letter else label


# Lists of one name that differed, and no name said why.


def test_what_moves_bytes_and_what_moves_messages():
    # mq_receive(3) returns a length, mq_send(3) returns 0, and neither goes through a channel.
    assert "mq_timedreceive" in calls.READS & RECEIVES
    assert "mq_timedsend" in SENDS - calls.WRITES
    assert not CHANNEL_CALLS & (SENDS | RECEIVES)
    # copy_file_range(2) knows regular files alone: no ledger is kept of these.
    assert {"copy_file_range"} == calls.MOVES - BETWEEN
    assert calls.COUNTS_MESSAGES <= CHANNEL_CALLS - CHANNEL_READS - CHANNEL_WRITES


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [("r", "read 5 bytes from P1 (fd 3)"), ("w", "wrote 5 bytes to P1 (fd 3)")],
)
def test_vmsplice_goes_the_way_of_the_end_that_it_is_given(mode, sentence):
    # vmsplice(2): at a read end it moves bytes out of the pipe into memory.
    pipe = ev.ObjectInfo(key="pipe:[1]", kind="pipe")
    rows = (ev.TableEntry(fd=3, ofd=3, object=pipe, mode=mode),)
    call = ev.Call(t=0.1, pid=11, tid=11, name="vmsplice", args={"fd": 3}, ret=5, object="pipe:[1]")
    before = after = State()
    for event in numbered(
        [
            ev.Started(t=0, argv=("a",)),
            ev.Forked(t=0, pid=11, parent=1, how="launched", name="a"),
            ev.Table(t=0, pid=11, entries=rows, reason="launched"),
            call,
        ]
    ):
        before, after = after, reduce(after, event)
    found, row = after.objects["pipe:[1]"], after.tables[11][3]
    assert (found.bytes_out, found.bytes_in) == ((5, 0) if mode == "r" else (0, 5))
    assert (row.took, row.put) == (mode == "r", mode == "w")
    told = narrate(call, before, after)
    assert told is not None
    assert told.text.endswith(sentence)


def test_what_lies_in_several_places_is_shown_whatever_call_moves_it():
    # readv(2): the four calls that end in v and v2 differ by their offset alone.
    assert {"readv", "preadv", "preadv2", "recvmsg"} == INCOMING_VECTORS
    assert {"writev", "pwritev", "pwritev2", "sendmsg"} == OUTGOING_VECTORS
    assert not INCOMING & INCOMING_VECTORS
    assert not OUTGOING & OUTGOING_VECTORS


def test_the_page_is_up_to_date():
    text = make_calls.PAGE.read_text(encoding="utf-8")
    assert text == make_calls.make_page(), "run python -m docs.make_calls"


@pytest.mark.parametrize("name", [call.name for call in CALLS.values() if call.like])
def test_what_a_call_is_like_is_an_older_call(name):
    older = CALLS[CALLS[name].like]
    assert not older.like
    assert calls.is_same_operation(name, older.name)
    assert not calls.is_same_operation(name, "read")
