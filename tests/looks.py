"""What a screen looks like, as text that can be kept and compared: its rows, and below them which
cells have which style.

A kept picture of a whole screen in SVG has some 60 kB, and differs in every line with the release
of what draws it. This has about 4 kB a screen, its words can be read in a diff, and its colours are
compared with a tolerance, since Textual's releases do not blend them alike to the last digit. The
last row, the keys, is Textual's own, and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from string import ascii_letters, digits
from typing import Any, Final, NamedTuple

from rich.style import Style
from textual.app import App

from ipcviz.app.textual_internals import compose_strips

FOLDER: Final = Path(__file__).with_name("looks")
_LETTERS: Final = ascii_letters + digits
_CLOSE: Final = 4
"""By how much each part of a colour may differ, of 255."""
_HEAD: Final = "== "


class Look(NamedTuple):
    """A screen.

    Attributes:
        rows: Its rows, without blanks at their ends.
        styles: For each row, runs of cells with one style: `12a 3b` are 12 of `a`, 3 of `b`.
        legend: The styles by their letters: `#e4e4e4 on #101418 bold`.
    """

    rows: tuple[str, ...]
    styles: tuple[str, ...]
    legend: Mapping[str, str]


def take_look(app: App[Any]) -> Look:
    """What an app shows now."""
    rows, styles, letters = [], [], {}
    for strip in compose_strips(app)[:-1]:
        rows.append(strip.text.rstrip())
        cells = [(_name_style(s.style), s.cell_length) for s in strip if not s.control]
        runs = []
        for name, group in groupby(cells, key=lambda cell: cell[0]):
            letter = letters.setdefault(name, _LETTERS[len(letters)])
            runs.append(f"{sum(length for _, length in group)}{letter}")
        styles.append(" ".join(runs))
    return Look(tuple(rows), tuple(styles), {letter: name for name, letter in letters.items()})


def _name_style(style: Style | None) -> str:
    if style is None:
        return "plain"
    colours = [
        colour.get_truecolor().hex if colour is not None else "default"
        for colour in (style.color, style.bgcolor)
    ]
    ways = [way for way in ("bold", "dim", "italic", "underline", "reverse") if getattr(style, way)]
    return " ".join((colours[0], "on", colours[1], *ways))


def write_looks(path: Path, looks: Mapping[str, Look]) -> None:
    """Write the looks of a scenario's screens, by what they are called."""
    parts: list[str] = []
    for name, look in looks.items():
        legend = [f"{letter} {style}" for letter, style in look.legend.items()]
        parts += [f"{_HEAD}{name}", *(f"|{row}" for row in look.rows), *look.styles, *legend]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def read_looks(path: Path) -> dict[str, Look]:
    """Read the looks of a scenario's screens; none where there is no file."""
    if not path.exists():
        return {}
    found: dict[str, Look] = {}
    for part in path.read_text(encoding="utf-8").split(f"\n{_HEAD}"):
        name, *lines = part.removeprefix(_HEAD).rstrip("\n").split("\n")
        rows = tuple(line[1:] for line in lines if line.startswith("|"))
        rest = lines[len(rows) :]
        legend = dict(line.split(" ", 1) for line in rest[len(rows) :])
        found[name] = Look(rows, tuple(rest[: len(rows)]), legend)
    return found


def list_differences(was: Look | None, now: Look) -> Iterable[str]:
    """List how a screen differs from what was kept of it."""
    if was is None:
        yield "nothing was kept of it"
        return
    rows = list(zip(was.rows, now.rows, strict=False))
    yield from (f"row {y}:\n  was {a}\n  now {b}" for y, (a, b) in enumerate(rows) if a != b)
    if len(was.rows) != len(now.rows):
        yield f"{len(now.rows)} rows, and not {len(was.rows)}"
    if was.rows != now.rows:
        return
    for y, (before, after) in enumerate(zip(was.styles, now.styles, strict=True)):
        if not _is_alike(_list_cells(before, was.legend), _list_cells(after, now.legend)):
            yield f"the colours of row {y}: {now.rows[y]}"


def _list_cells(runs: str, legend: Mapping[str, str]) -> list[str]:
    return [legend[run[-1]] for run in runs.split() for _ in range(int(run[:-1]))]


def _is_alike(before: list[str], after: list[str]) -> bool:
    return len(before) == len(after) and all(map(_is_alike_style, before, after))


def _is_alike_style(before: str, after: str) -> bool:
    if before == after:
        return True
    one, other = before.split(), after.split()
    return len(one) == len(other) and all(map(_is_alike_word, one, other))


def _is_alike_word(before: str, after: str) -> bool:
    if before == after or not (before.startswith("#") and after.startswith("#")):
        return before == after
    parts = zip(bytes.fromhex(before[1:]), bytes.fromhex(after[1:]), strict=True)
    return all(abs(a - b) <= _CLOSE for a, b in parts)
