"""Only `ipcviz.app.textual_internals` uses what Textual keeps for itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import pytest
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.widgets import Input, OptionList

ROOT = Path(__file__).parents[2]
ALLOWED = ROOT / "ipcviz/app/textual_internals.py"
FILES = [
    path
    for folder in ("ipcviz", "tests", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != ALLOWED and path != Path(__file__)
]
ATTRIBUTE = re.compile(r"\.\s*(_\w+)")
"""A private name behind a dot."""
OURS = ("ipcviz.", "tests.", "docs.")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def names_in(module_or_class: object) -> frozenset[str]:
    """The private names that a class's source defines, or that its methods assign to `self`."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(module_or_class)))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(filter(is_private, found))


def in_textual(kind: type) -> set[str]:
    """The private names that a class has from Textual."""
    return {
        name
        for base in kind.__mro__
        if base.__module__.startswith("textual.")
        for name in names_in(base)
    }


SHARED = set().union(*(in_textual(k) for k in (App, Screen, Input, OptionList, LinuxDriver)))
SHARED |= names_in(inspect.getmodule(importlib.import_module("textual._compositor").Compositor))


@cache
def our_names() -> frozenset[str]:
    """Private names that our own code defines."""
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found |= {node.attr} if ast.unparse(node.value) in ("self", "cls") else set()
    return frozenset(filter(is_private, found))


@cache
def names_of_textual() -> frozenset[str]:
    """Private names that are Textual's alone."""
    return frozenset(SHARED - our_names())


def uses_from_outside(tree: ast.AST) -> list[str]:
    """Textual's private modules that are imported, and private names of Textual's alone that are
    used on another object than `self`.
    """
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            modules = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{name}" for name in modules]
            found += [m for m in modules if m.startswith("textual.") and "._" in m]
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in names_of_textual()
            and ast.unparse(node.value) not in ("os", "sys")
        ):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_textual_that_is_private(path):
    text = path.read_text()
    # Most files have nothing that could be such a use: they are not taken apart.
    if "textual" in text or names_of_textual() & set(ATTRIBUTE.findall(text)):
        assert uses_from_outside(ast.parse(text)) == []


def classes() -> list[type]:
    """Our own classes that derive from one of Textual's."""
    found = []
    for path in FILES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not name.startswith("ipcviz.app.") or name.endswith("__init__"):
            continue
        module = importlib.import_module(name)
        found += [
            kind
            for kind in vars(module).values()
            if inspect.isclass(kind)
            and kind.__module__ == name
            and any(base.__module__.startswith("textual.") for base in kind.__mro__)
        ]
    return found


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__qualname__)
def test_no_class_uses_or_redefines_what_it_has_from_textual(kind):
    """One that gives a name of its own to what Textual has under the same name breaks Textual."""
    theirs, used = in_textual(kind), set()
    ours = {
        name
        for base in kind.__mro__
        if base.__module__.startswith(OURS) and base.__module__ != "ipcviz.app.textual_internals"
        for name in names_in(base)
    }
    for node in ast.walk(ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind)))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Call):
            owner = node.value.id if isinstance(node.value, ast.Name) else ast.unparse(node.value)
            if owner in ("self", "cls", "super()"):
                used.add(node.attr)
    assert sorted(used & theirs - ours) == [], "Textual's own, used"
    assert sorted(theirs & ours - {"_"}) == [], "Textual's own, redefined"


@pytest.mark.parametrize(
    "text",
    [
        "from textual._context import active_app",
        "import textual._compositor",
        "app.screen._compositor.render_strips()",
        "token = app._background_screens",
        "app._exit_renderables.append(1)",
    ],
)
def test_that_it_would_be_found(text):
    assert uses_from_outside(ast.parse(text))
