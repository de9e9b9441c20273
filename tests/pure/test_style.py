"""What the code is written like: searched for in its text."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import ipcviz

PRODUCT = Path(ipcviz.__file__).parent
TREES = {
    str(path.relative_to(PRODUCT)): ast.parse(path.read_text())
    for path in sorted(PRODUCT.rglob("*.py"))
}
SCREENS = [path for path in TREES if path.startswith("app/")]
NO_VERBS = {"take", "put", "look", "looks", "said", "told", "goes", "taken"}
"""First words of names that say nothing: each had several meanings."""
ONE_THING = {
    "Entered": "a call that is under way: for who reads the events, and as the tracer has it",
    "Variable": "a watched variable: where debug information has it, and what happened to it",
}
"""Names of classes that stand on two floors for one thing."""


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


def test_no_choice_is_nested():
    assert [f"{path}:{n}" for path, tree in TREES.items() for n in nested_choices(tree)] == []


@pytest.mark.parametrize("path", SCREENS)
def test_functions_of_the_screens(path):
    functions = functions_in(TREES[path])
    long = [f.name for f in functions if f.end_lineno - f.lineno >= 60]
    assert long == [], "functions of more than 60 lines"
    vague = [f.name for f in functions if f.name.strip("_").split("_")[0] in NO_VERBS]
    assert vague == [], "names that say nothing"


def test_a_class_name_means_one_thing():
    places = defaultdict(list)
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path)
    double = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in double.items() if name not in ONE_THING} == {}
    assert set(ONE_THING) <= set(double), "what is meant by one name alone needs no reason"


def test_that_a_nested_choice_is_found():
    assert nested_choices(ast.parse("x = 1 if a else 2 if b else 3")) == [1]
    assert nested_choices(ast.parse("x = f(1 if a else 2) if b else 3")) == []
