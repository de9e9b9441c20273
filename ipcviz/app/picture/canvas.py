"""A grid of styled cells, read out as run-length segments. Pure."""

from __future__ import annotations

from rich.cells import cell_len

Run = tuple[str, str]
"""Text and the name of its style."""


class Canvas:
    """Characters and style names, row by row; writing outside of it is cut off."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._chars = [[" "] * width for _ in range(height)]
        self._styles = [[""] * width for _ in range(height)]

    def write(self, x: int, y: int, text: str, style: str) -> None:
        """Write text; a character of two cells takes two."""
        if not 0 <= y < self.height:
            return
        chars, styles = self._chars[y], self._styles[y]
        if text.isascii() or cell_len(text) == len(text):
            if x < 0:
                text, x = text[-x:], 0
            text = text[: self.width - x]
            if text:
                chars[x : x + len(text)] = text
                styles[x : x + len(text)] = [style] * len(text)
            return
        for character in text:
            cells = cell_len(character)
            if cells == 0:
                if 0 < x <= self.width:
                    chars[x - 1] += character
                continue
            if x >= 0 and x + cells <= self.width:
                chars[x], styles[x] = character, style
                if cells == 2:
                    chars[x + 1], styles[x + 1] = "", style
            x += cells

    def build_rows(self) -> list[tuple[Run, ...]]:
        """Every row as runs of one style."""
        found = []
        for chars, styles in zip(self._chars, self._styles, strict=True):
            runs: list[Run] = []
            begin, style = 0, styles[0] if styles else ""
            for x in range(1, self.width):
                if styles[x] != style:
                    runs.append(("".join(chars[begin:x]), style))
                    begin, style = x, styles[x]
            if self.width:
                runs.append(("".join(chars[begin:]), style))
            found.append(tuple(runs))
        return found
