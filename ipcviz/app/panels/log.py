"""The log: every sentence, followed at its end unless one has scrolled away from it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.geometry import Size

from ipcviz.app.history import Entry, Log
from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Late, Panel, Row
from ipcviz.app.text import bytes_text, make_visible
from ipcviz.narrate import DETAIL, NOISE, TURN

if TYPE_CHECKING:
    from ipcviz.app.view import View

_MORE_ROWS: Final = 3
"""Rows that a long sentence may take beyond its first."""
_STEP: Final = 256
"""The height grows by at least so many rows at once: each change of it lays out the whole screen
anew.
"""

_MARGIN: Final = 10
"""Cells before a sentence: its time, and whether it is new."""
_MADE: Final = 1_000
"""Entries whose rows are remembered."""


class LogPanel(Panel):
    """Sentences, latest last."""

    TITLE = "Log"
    HELP_TEXT: ClassVar[str] = (
        "Every event between processes as a sentence, with its time in seconds. What repeats within"
        " a second is one row: `x12` says how often, with the bytes in all; so is a wait with a"
        " limit that is begun again and again. It follows its end; scroll up to stay where you are,"
        " > or G to follow again. / filters by words (all must occur; `-word` must not), Escape"
        " ends that. a shows also what is left out as noise: libraries, locale files, look-ups that"
        " failed. Bold: turns of the story. `+`, in the past and in step mode: new at this moment."
        " The past lists the last thousand rows before it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "a",
            "all",
            "All events",
            show=False,
            id="log.all",
            tooltip="Show library loading and the like too",
        ),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.words: tuple[str, ...] = ()
        self.least = DETAIL
        self._numbers: list[int] = []
        self._taken = 0
        self._log: Log | None = None
        self._row_width = 0
        self._growing = False
        self._marked = 0
        self._made: dict[tuple[int, int, bool], tuple[Entry, list[Row]]] = {}
        self.following = True
        """Whether the end stays on the screen as the log grows."""

    def title_of(self, view: View) -> str:
        """What is shown."""
        parts = [self.TITLE]
        if self.least == NOISE:
            parts.append("all events")
        if self.words:
            parts.append(f"/{' '.join(self.words)}")
        if not self.following:
            parts.append("not following (> follows)")
        return ", ".join(parts)

    @property
    def max_scroll_y(self) -> int:
        """The last row at the bottom; the height that the layout knows is greater (see `_STEP`)."""
        return max(0, len(self.rows) - self.size.height)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled: who goes up stays there, who reaches the end follows it."""
        super().watch_scroll_y(old_value, new_value)
        if not self._growing:
            self.following = round(new_value) >= self.max_scroll_y

    def on_resize(self) -> None:
        """Another height: the end stays on the screen if it was there."""
        if self.following:
            self.call_after_refresh(self._show_end)

    def _show_end(self) -> None:
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True, force=True)

    def filter_entries(self, text: str) -> None:
        """Show only sentences with all of these words; `-word` leaves out those that have it."""
        self.words = tuple(text.lower().split())
        self.start_again()

    def action_all(self) -> None:
        """Show or hide what is noise most of the time."""
        self.least = NOISE if self.least == DETAIL else DETAIL
        self.start_again()

    def start_again(self) -> None:
        """Choose anew among all entries."""
        self._forget_rows()
        self.following = True
        self.redraw_rows()
        self.rebuild_rows()

    def _forget_rows(self) -> None:
        self.rows = []
        self._numbers, self._taken = [], 0
        self._strips.clear()

    def _is_wanted(self, entry: Entry) -> bool:
        sentence = entry.sentence
        if sentence.weight < self.least:
            return False
        if not self.words:
            return True
        text = sentence.text.lower()
        return all(
            (word[1:] not in text) if len(word) > 1 and word[0] == "-" else word in text
            for word in self.words
        )

    def rebuild_rows(self) -> None:
        """Take in the entries that are new, and those that grew; the rows of all others stay."""
        view = self.view
        if view is None:
            return
        self.rebuilds += 1
        log, width = view.log, self.scrollable_content_region.width
        if log is not self._log or width != self._row_width or self._taken > view.log_end:
            if width != self._row_width:
                self._made.clear()
            self._log, self._row_width = log, width
            self._forget_rows()
        changed = max(min(self._taken - Log.LOOK_BACK, self._marked), log.first, 0)
        marking = view.past or view.state.stepping
        self._marked = view.log_end
        kept = len(self.rows)
        while kept and self._numbers[kept - 1] >= changed:
            kept -= 1
        old = self.rows[kept:]
        del self.rows[kept:], self._numbers[kept:]
        for number, entry in enumerate(
            log.entries[changed - log.first : view.log_end - log.first], changed
        ):
            new = marking and entry.last > view.fresh
            if new:
                self._marked = min(self._marked, number)
            if self._is_wanted(entry):
                rows = self._rows_of(entry, width, new)
                self.rows.extend(rows)
                self._numbers.extend([number] * len(rows))
        self._taken = view.log_end
        forget = bisect_left(self._numbers, log.first)
        if forget:
            del self.rows[:forget], self._numbers[:forget]
            self._strips.clear()
            kept = max(0, kept - forget)
        if forget or self.rows[kept:] != old:
            top = min(self.scroll_offset.y, kept)
            for y in [y for y in self._strips if not top <= y < kept]:
                del self._strips[y]
            self._growing = True
            if not len(self.rows) <= self.virtual_size.height <= 2 * len(self.rows) + _STEP:
                self.virtual_size = Size(width, len(self.rows) + len(self.rows) // 4 + _STEP)
            if self.following:
                self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True, force=True)
            self._growing = False
            self.vertical_scrollbar.window_virtual_size = len(self.rows)
            self.refresh()
        title = make_visible(self.title_of(view)).replace("[", "\\[")
        if self.border_title != title:
            self.border_title = title

    def _rows_of(self, entry: Entry, width: int, new: bool) -> Sequence[Late]:
        """An entry's rows. Under load most entries have left the screen before it is drawn: those
        that certainly fit into one row are only counted until they are seen.
        """
        if fits_row(entry, width):
            return (_EntryRow(entry, width, new),)
        key = (id(entry.sentence), entry.times, new)
        made = self._made.get(key)
        if made is None or made[0].sentence is not entry.sentence:
            if len(self._made) > _MADE:
                self._made.clear()
            made = self._made[key] = entry, rows_of(entry, width, new)
        return made[1]

    def row_at(self, y: int) -> Row | None:
        """A row by its number. What is asked for again is compared with what stood there: so the
        row itself stays in the list.
        """
        if not 0 <= y < len(self.rows):
            return None
        found = self.rows[y]
        return found() if callable(found) else found

    def action_cursor(self, by: int) -> None:
        """Move the cursor by rows; without one yet, start at the last row that can be seen."""
        if self.cursor < 0:
            self.move_cursor(min(len(self.rows), self.scroll_offset.y + self.size.height) - 1)
        else:
            super().action_cursor(by)


class _EntryRow:
    """The only row of an entry, made when it is seen. Equal to another one of the same entry."""

    __slots__ = ("_entry", "_new", "_row", "_width")

    def __init__(self, entry: Entry, width: int, new: bool) -> None:
        self._entry, self._width, self._new = entry, width, new
        self._row: Row | None = None

    def __call__(self) -> Row:
        """The row."""
        if self._row is None:
            self._row = rows_of(self._entry, self._width, self._new)[0]
        return self._row

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _EntryRow)
            and self._entry is other._entry
            and self._new == other._new
            and self._width == other._width
        )

    __hash__ = None  # type: ignore[assignment]


def fits_row(entry: Entry, width: int) -> bool:
    """Whether an entry certainly needs one row: its sentence stands by itself, is short, and has
    nothing that would be shown in more characters than it has.
    """
    text = entry.sentence.text
    return (
        entry.times == 1 and len(text) <= width - _MARGIN and text.isascii() and text.isprintable()
    )


def rows_of(entry: Entry, width: int, new: bool = False) -> list[Row]:
    """An entry's rows: the time, `+` if it is new at this moment, and the sentence, broken at
    spaces.
    """
    sentence = entry.sentence
    text = sentence.text
    if entry.times > 1:
        text += f"  x{entry.times:,}" + (
            f", {bytes_text(entry.amount)} in all" if entry.amount else ""
        )
        if entry.last - sentence.t > Log.TOGETHER:
            text += f", last at {entry.last:.3f}"
    style = "dim" if sentence.weight <= DETAIL else ""
    if sentence.weight >= TURN:
        style = "chosen"
    target = ("process", sentence.pid) if sentence.pid else None
    first, *more = wrap_text(text, width - _MARGIN)
    mark = ("+", "lit-chip") if new else (" ", "")
    rows = [Row(((f"{sentence.t:8.3f}", "dim"), mark, (" ", ""), (first, style)), target)]
    rows.extend(Row(((" " * _MARGIN, ""), (line, style)), target) for line in more[:_MORE_ROWS])
    return rows
