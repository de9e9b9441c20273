"""Words of a command with `{name}` in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_PLACE: Final = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_-]*)\}")

FIXED: Final = ("here", "build", "python", "name")
"""What can stand in braces besides the parameters' names."""


def names_in(word: str) -> tuple[str, ...]:
    """The names that stand in braces in a word of a command."""
    return tuple(match[1] for match in _PLACE.finditer(word) if match[1])


def fill_placeholders(word: str, value_of: Callable[[str], str]) -> str:
    """The word with each `{name}` replaced; `{{` and `}}` become single braces."""
    return _PLACE.sub(lambda match: value_of(match[1]) if match[1] else match[0][0], word)
