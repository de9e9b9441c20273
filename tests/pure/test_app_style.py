"""What the screens' code is written like: searched for in its text."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import ipcviz.app

FOLDER = Path(ipcviz.app.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))
PRODUCT = sorted(FOLDER.parent.rglob("*.py"))
NO_VERBS = {"take", "put", "look", "looks", "said", "told", "goes", "taken"}
"""First words of names that say nothing: each had several meanings."""


def nested_choices(tree: ast.AST) -> list[int]:
    """The lines of conditional expressions that are part of another one."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.IfExp)
        and any(isinstance(part, ast.IfExp) for part in (node.test, node.body, node.orelse))
    ]


def functions_in(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    found = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, found)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_style(path):
    tree = ast.parse(path.read_text())
    assert nested_choices(tree) == []
    long = [f.name for f in functions_in(tree) if f.end_lineno - f.lineno >= 60]
    assert long == [], "functions of more than 60 lines"
    vague = [f.name for f in functions_in(tree) if f.name.strip("_").split("_")[0] in NO_VERBS]
    assert vague == [], "names that say nothing"


def test_a_class_name_means_one_thing():
    """One that the screens use means nothing else anywhere."""
    names = Counter(
        node.name
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    ours = {
        node.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    assert sorted(name for name in ours if names[name] > 1) == []


def test_that_a_nested_choice_is_found():
    assert nested_choices(ast.parse("x = 1 if a else 2 if b else 3")) == [1]
    assert nested_choices(ast.parse("x = f(1 if a else 2) if b else 3")) == []
