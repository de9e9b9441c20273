"""Packages whose names are imported when they are asked for.

A package that offers the names of its modules in its `__init__` costs all of these modules where
one is needed. Much of what a package offers is for commands that this run is not.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def import_late(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a package's `__getattr__` (PEP 562): it imports a name's module when it is asked for the
    name.

    Args:
        package: The package.
        places: The names, and in which of its modules each is.

    Returns:
        What raises AttributeError for any other name, as a module does.
    """

    def get_name(name: str) -> Any:
        place = places.get(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{place}"), name)
        # The next time it is there.
        setattr(sys.modules[package], name, value)
        return value

    return get_name
