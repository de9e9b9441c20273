"""Which modules name a kind of object: its decoders, readers, rules and sentences, and no others.

What is so of a kind is a trait in its row (`ipcviz.events.kinds`), and who asks asks for that. A
comparison with a name is one more place to find when a kind is added, and nobody finds it.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import ipcviz
from ipcviz.events.kinds import KINDS

PACKAGE = Path(ipcviz.__file__).parent
TABLE = "events/kinds.py"
IDENTITY = "kernel/identity.py"
"""Where the kernel's names become kinds."""
MOST = 9
"""Modules that a mechanism may need, its rows of the tables among them."""
OTHER_MEANINGS = {"file", "pipe", "socket", "terminal", "directory", "unknown"}
"""Names of kinds that are words for other things, too: only their comparisons are counted."""

COMPARED = ("info.kind", "object.kind")
"""How the left sides of such comparisons end."""

NOTIFIER = {"kernel/notifiers.py", "model/mechanisms/notifiers.py"}
NAMED = {
    "eventfd": {
        *NOTIFIER,
        "events/calls.py",
        "model/waits/rules.py",
        "narrate/notifiers.py",
    },
    "timerfd": {*NOTIFIER, "model/waits/rules.py", "narrate/notifiers.py"},
    "signalfd": {
        *NOTIFIER,
        "events/calls.py",
        "model/waits/rules.py",
        "narrate/notifiers.py",
        "tracer/calls/effects.py",
    },
    "pidfd": {
        *NOTIFIER,
        "narrate/notifiers.py",
        "narrate/signals.py",
        "tracer/calls/effects.py",
        "tracer/sampling/notifiers.py",
    },
    "inotify": {*NOTIFIER, "model/waits/rules.py", "narrate/notifiers.py"},
    "epoll": NOTIFIER,
    "fifo": {"app/picture/draw.py", "model/mechanisms/folders.py", "model/reduce.py"},
    "message queue": {"diagnose/rules/names.py", "kernel/queues.py", "model/mechanisms/queues.py"},
    "shared memory": {"diagnose/rules/names.py", "kernel/maps.py"},
    "memfd": {"kernel/maps.py"},
    "anonymous memory": {"kernel/maps.py", "narrate/memory.py"},
    "anonymous inode": {"kernel/maps.py", "model/mechanisms/anonymous.py"},
    "character device": {
        "kernel/maps.py",
        "tracer/sampling/mappings.py",
        "tracer/sampling/memory.py",
    },
}
"""The modules that have a kind's name beside the table and `IDENTITY`, for those that have any."""

COMPARE = {
    "directory": {"narrate/folders.py"},
    "file": {
        "app/panels/descriptors.py",
        "model/calls.py",
        "model/mechanisms/folders.py",
        "model/mechanisms/traffic.py",
        "model/steps/visible.py",
        "narrate/calls.py",
        "narrate/folders.py",
        "narrate/locks.py",
        "narrate/summary.py",
        "tracer/sampling/memory.py",
        "tracer/stops/foretold.py",
    },
    "pipe": {"bench/watching.py"},
}
"""The modules that compare an object's kind with a name of `OTHER_MEANINGS`."""


@cache
def list_named() -> dict[str, dict[str, set[str]]]:
    """The modules that have each kind's name as a text of its own, and those that compare with
    it.
    """
    found = {name: {"has": set(), "compares": set()} for name in KINDS}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = str(path.relative_to(PACKAGE))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in found:
                found[node.value]["has"].add(module)
            if isinstance(node, ast.Compare) and ast.unparse(node.left).endswith(COMPARED):
                for one in (part for side in node.comparators for part in ast.walk(side)):
                    if isinstance(one, ast.Constant) and one.value in found:
                        found[one.value]["compares"].add(module)
    return found


@pytest.mark.parametrize("name", sorted(set(KINDS) - OTHER_MEANINGS))
def test_a_kind_is_named_where_it_is_read_ruled_and_told(name):
    found = list_named()[name]["has"] - {TABLE, IDENTITY}
    allowed = NAMED.get(name, set())
    assert found <= allowed, "what is so of the kind is a trait of its row: ask for that"
    assert allowed <= found, "it is not named there any more: take it off the list"
    assert len(allowed | {TABLE, IDENTITY}) <= MOST


@pytest.mark.parametrize("name", sorted(OTHER_MEANINGS))
def test_an_object_is_not_compared_with_a_kind_of_many_meanings(name):
    found, allowed = list_named()[name]["compares"], COMPARE.get(name, set())
    assert found <= allowed, "what is so of the kind is a trait of its row: ask for that"
    assert allowed <= found, "it is not compared there any more: take it off the list"
