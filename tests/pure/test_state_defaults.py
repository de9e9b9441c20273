"""What a value says before anything is known: nothing. What a function does without being told to.

For all types and functions of the pure floors.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from types import ModuleType

import msgspec

from ipcviz.model.maps import Map

FLOORS = ("diagnose", "events", "export", "model", "narrate", "scenario", "trace")

TELLING = {
    ("ArmedTimer", "armed"): True,
    ("Arrow", "sure"): True,
    ("Channel", "known"): True,
    ("Deed", "times"): 1,
    ("Descriptor", "how"): "opened",
    ("Draft", "keep_ledger"): True,
    ("Field", "count"): 1,
    ("Field", "type"): "int",
    ("Folder", "last"): "lists",
    ("Forked", "how"): "fork",
    ("Hold", "count"): 1,
    ("Label", "type"): "int",
    ("LabelField", "count"): 1,
    ("LabelField", "type"): "int",
    ("LaneRows", "names"): {},
    ("LaneRows", "whole"): True,
    ("Level", "unit"): "bytes",
    ("Located", "language"): "compiled",
    ("MapEntry", "prot"): "r--",
    ("MapEntry", "shared"): True,
    ("Mapped", "prot"): "r--",
    ("Mapped", "shared"): True,
    ("Object", "exact"): True,
    ("Outsider", "how"): "end",
    ("Outsider", "mode"): "rw",
    ("Peek", "limit"): 4096,
    ("PosixTimer", "notify"): True,
    ("Process", "exit_known"): True,
    ("Process", "fate"): "alive",
    ("Process", "full"): True,
    ("Process", "how"): "fork",
    ("Process", "made_threads"): 1,
    ("QueuedBytes", "sure"): True,
    ("RulePage", "hangs"): True,
    ("SemaphoreOp", "shared"): True,
    ("Sentence", "subject"): "process",
    ("Sentence", "weight"): 2,
    ("SignalDelivered", "action"): "handler",
    ("Source", "sure"): True,
    ("Started", "mode"): "live",
    ("Started", "page_size"): 4096,
    ("Started", "sample_hz"): 20.0,
    ("Started", "schema"): 1,
    ("State", "keep_ledger"): True,
    ("StateFields", "keep_ledger"): True,
    ("Table", "reason"): "sample",
    ("Thread", "alive"): True,
    ("Thread", "number"): 1,
    ("Thread", "state"): "?",
    ("Timer", "change"): "set",
    ("VariableInfo", "encoding"): "int",
    ("VariableInfo", "size"): 4,
    ("VariableSpec", "type"): "int",
    ("Waiting", "state"): "S",
    ("Wake", "left"): 1,
}
"""Defaults that say something, since there is no such value that says nothing."""

ASKED_FOR = {
    ("add_hold", "count"): 1,
    ("describe_next", "quotes"): True,
    ("mapping_at", "length"): 1,
    ("numbers_of", "most"): 16,
    ("remove_hold", "count"): 1,
    ("signal_names", "limit"): 6,
    ("TraceReader._read_rows", "at_once"): 10_000,
    ("TraceWriter.__init__", "at_once"): True,
    ("TraceWriter.__init__", "reducing"): True,
}
"""Flags and numbers of functions that stand for something if they are not given."""


def list_modules() -> Iterator[ModuleType]:
    for floor in FLOORS:
        package = importlib.import_module(f"ipcviz.{floor}")
        for module in pkgutil.walk_packages(package.__path__, f"ipcviz.{floor}."):
            yield importlib.import_module(module.name)


@cache
def list_own() -> tuple[object, ...]:
    """The classes and functions of the pure floors, each where it is written."""
    return tuple(
        one
        for module in list_modules()
        for one in vars(module).values()
        if getattr(one, "__module__", "") == module.__name__
        and (inspect.isclass(one) or inspect.isfunction(one))
    )


def list_defaults() -> Iterator[tuple[str, str, object]]:
    """Type, field and default of all values."""
    for kind in list_own():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for field in msgspec.structs.fields(kind):
                if field.default is not msgspec.NODEFAULT:
                    yield kind.__name__, field.name, field.default
        elif isinstance(kind, type) and hasattr(kind, "_field_defaults"):
            for name, default in kind._field_defaults.items():
                yield kind.__name__, name, default


def list_functions() -> Iterator[Callable[..., object]]:
    for one in list_own():
        for part in vars(one).values() if isinstance(one, type) else (one,):
            if inspect.isfunction(part):
                yield part


def says_nothing(default: object) -> bool:
    if isinstance(default, bool | Enum):
        return default is not True
    if isinstance(default, msgspec.Struct):
        return default == type(default)()
    return default in (0, -1, "", b"", (), None, Map(), frozenset())


def test_a_default_says_nothing() -> None:
    found = {
        (kind, name): default
        for kind, name, default in list_defaults()
        if not says_nothing(default)
    }
    assert found == TELLING


def test_what_is_not_asked_for_is_not_done() -> None:
    found = {
        (function.__qualname__, parameter.name): parameter.default
        for function in list_functions()
        for parameter in inspect.signature(function).parameters.values()
        if isinstance(parameter.default, int) and not says_nothing(parameter.default)
    }
    assert found == ASKED_FOR
