"""What a value of the state says before anything is known: nothing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from enum import Enum

import msgspec

import ipcviz.model
from ipcviz.model.maps import Map

TELLING = {
    ("Deed", "times"): 1,
    ("Descriptor", "how"): "opened",
    ("Field", "count"): 1,
    ("Field", "type"): "int",
    ("Folder", "last"): "lists",
    ("Hold", "count"): 1,
    ("LaneRows", "names"): {},
    ("Process", "fate"): "alive",
    ("Process", "how"): "fork",
    ("Process", "made_threads"): 1,
    ("Thread", "number"): 1,
    ("Thread", "state"): "?",
    ("Wake", "left"): 1,
}
"""Defaults that say something, since there is no such value that says nothing."""


def list_defaults() -> Iterator[tuple[str, str, object]]:
    """Type, field and default of all values of the model."""
    for module in pkgutil.walk_packages(ipcviz.model.__path__, "ipcviz.model."):
        for kind in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(kind) and kind.__module__ == module.name:
                if issubclass(kind, msgspec.Struct):
                    for field in msgspec.structs.fields(kind):
                        if field.default is not msgspec.NODEFAULT:
                            yield kind.__name__, field.name, field.default
                elif issubclass(kind, tuple) and hasattr(kind, "_field_defaults"):
                    for name, default in kind._field_defaults.items():
                        yield kind.__name__, name, default


def test_a_default_says_nothing() -> None:
    found = {
        (kind, name): default
        for kind, name, default in list_defaults()
        if default not in (0, -1, "", b"", (), None, Map(), frozenset())
        and not isinstance(default, bool | Enum)
    }
    assert found == TELLING
