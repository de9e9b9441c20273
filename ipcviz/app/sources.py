"""The texts of source files, as far as they can be read: from disk, or from what a trace keeps."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ipcviz.app.text import Shown, make_visible
from ipcviz.inputs import read_input

MOST_BYTES: Final = 1 << 20
"""Bytes of a file that are read."""
MOST_LINES: Final = 20_000
"""Lines of a file that are shown."""
MOST_COLUMNS: Final = 400
"""Characters of a line that are shown."""
TAB: Final = 4
"""Columns from one tabulator to the next: panels are narrow."""
_KEPT: Final = 16
"""Files whose text is kept in memory."""


class SourceText(NamedTuple):
    """A source file for the screen.

    Attributes:
        lines: Its lines, displayable; none if it can't be read.
        trouble: Why it can't be read, in a sentence, not escaped yet; empty if it can.
    """

    lines: tuple[str, ...] = ()
    trouble: str = ""


class SourceTexts:
    """Reads source files, each once.

    Args:
        read_kept: Gives the texts that are kept with the session, by their paths in the scenario's
            folder.
        kept_first: Those are what was run, and files on disk may be others: this is a trace.
    """

    def __init__(
        self, read_kept: Callable[[], Mapping[str, str]] = dict, *, kept_first: bool = False
    ) -> None:
        self._read_kept = read_kept
        self._kept_first = kept_first
        self._kept: Mapping[str, str] | None = None
        self._found: dict[str, SourceText] = {}

    def read_text(self, path: str) -> SourceText:
        """The text of a source file, by the path that the program's lines have."""
        if path not in self._found:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[path] = self._find_text(path)
        return self._found[path]

    def _find_text(self, path: str) -> SourceText:
        if path.startswith("<") or not path.startswith("/"):
            return SourceText((), f"{path} is in no file.")
        kept = self._find_kept(path)
        if kept is not None and self._kept_first:
            return SourceText(split_lines(kept))
        try:
            return SourceText(split_lines(read_input(path, MOST_BYTES)))
        except OSError as error:
            if kept is not None:
                return SourceText(split_lines(kept))
            return SourceText((), f"{path} can't be read: {error.strerror}.")

    def _find_kept(self, path: str) -> str | None:
        """The kept text with the longest path that a path ends in."""
        if self._kept is None:
            self._kept = self._read_kept()
        ends = [name for name in self._kept if f"/{os.path.normpath(path)}".endswith(f"/{name}")]
        return self._kept[max(ends, key=len)] if ends else None


def split_lines(data: bytes | str) -> tuple[str, ...]:
    """A file's lines for the screen: whatever is in them, each takes one row and no control
    character is left.
    """
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    lines = text.split("\n", MOST_LINES)[:MOST_LINES]
    if lines and not lines[-1]:
        lines.pop()
    return tuple(_show_line(line) for line in lines)


def _show_line(line: str) -> str:
    line = line.removesuffix("\r")[:MOST_COLUMNS].expandtabs(TAB)
    # A backslash of a source is what it is, and stands for nothing that was not printable.
    return Shown("\\".join(make_visible(part) for part in line.split("\\")))
