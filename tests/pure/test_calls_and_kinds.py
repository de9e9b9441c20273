"""What the two tables at the bottom promise is done by the floors above them, and nobody keeps a
list of calls or kinds of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import ipcviz
from ipcviz.events.calls import CALLS
from ipcviz.events.kinds import KINDS

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


def parse_package() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = str(path.relative_to(PACKAGE))
        if name not in TABLES:
            yield name, ast.parse(path.read_text())


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
