"""The base of the panels: rows of styled text by the line API, redrawn only where they changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from ipcviz.app import text as cells
from ipcviz.app.text import make_visible

if TYPE_CHECKING:
    from ipcviz.app.view import View

Span = tuple[str, str]
"""A piece of text and the name of its style (a component class of the screen without `panel--`, or
empty).
"""

Target = tuple[str, int | str]
"""What a click on a row selects: `("process", pid)`, `("object", key)` or `("finding", name)`."""


class Row(NamedTuple):
    """A row of a panel: its spans, and what it selects if it is clicked or entered."""

    spans: tuple[Span, ...]
    target: Target | None = None

    @property
    def text(self) -> str:
        """The row without styles."""
        return "".join(text for text, _ in self.spans)


Late = Row | Callable[[], Row]
"""A row, or what makes it once it comes onto the screen."""


def make_late(count: int, make: Callable[[], Sequence[Row]]) -> list[Late]:
    """`count` rows that are made together, and only when one of them is needed."""
    together = _Together(make)
    return [partial(together.get_row, number) for number in range(count)]


class _Together:
    """Rows that are made together; there are many of them and few are needed, so that it costs next
    to nothing.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Sequence[Row]]) -> None:
        self._make: Callable[[], Sequence[Row]] = make
        self._made: Sequence[Row] = ()

    def get_row(self, number: int) -> Row:
        """One of them."""
        if not self._made:
            self._made = self._make()
        return self._made[number]


Thing = TypeVar("Thing")


def make_late_blocks(
    things: Sequence[Thing], each: int, make: Callable[[Thing], Sequence[Row]]
) -> list[Late]:
    """`each` rows for each of many things: `make` makes those of one thing together, and only when
    one of them is needed.
    """
    blocks = _Blocks(things, each, make)
    return [partial(blocks.get_row, number) for number in range(len(things) * each)]


class _Blocks(Generic[Thing]):
    """Rows of many things, of which few are seen."""

    __slots__ = ("_each", "_made", "_make", "_things")

    def __init__(
        self, things: Sequence[Thing], each: int, make: Callable[[Thing], Sequence[Row]]
    ) -> None:
        self._things, self._each, self._make = things, each, make
        self._made: dict[int, Sequence[Row]] = {}

    def get_row(self, number: int) -> Row:
        """One of them."""
        place, row = divmod(number, self._each)
        made = self._made.get(place)
        if made is None:
            made = self._made[place] = self._make(self._things[place])
        return made[row]


def make_row(*spans: Span | str, target: Target | None = None) -> Row:
    """A row from spans and plain texts."""
    return Row(tuple((span, "") if isinstance(span, str) else span for span in spans), target)


def fit_value(text: object, width: int, *, right: bool = False) -> str:
    """Anything as displayable text of exactly `width` cells; what is cut off leaves an ellipsis."""
    shown = make_visible(text if isinstance(text, str) else str(text))
    return cells.fit_text(shown, width, "right" if right else "left")


class Panel(ScrollView, can_focus=True, inherit_bindings=False):
    """A panel of rows.

    Left, right, PageUp, PageDown, Home and End stay free: they move through time, wherever the
    focus is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor(1)", "Down", show=False, id="panel.down", tooltip="The next row"),
        Binding("k,up", "cursor(-1)", "Up", show=False, id="panel.up", tooltip="The row before"),
        Binding(
            "ctrl+d",
            "page(1)",
            "Page down",
            show=False,
            id="panel.page-down",
            tooltip="Half a panel down",
        ),
        Binding(
            "ctrl+u",
            "page(-1)",
            "Page up",
            show=False,
            id="panel.page-up",
            tooltip="Half a panel up",
        ),
        Binding(
            "less_than_sign", "edge(-1)", "Top", show=False, id="panel.top", tooltip="The first row"
        ),
        Binding(
            "greater_than_sign,G",
            "edge(1)",
            "End",
            show=False,
            id="panel.end",
            tooltip="The last row",
        ),
        Binding("y", "copy", "Copy", show=False, id="panel.copy", tooltip="Copy the panel's text"),
    ]

    DEFAULT_CSS = """
    Panel {
        background: $surface;
        color: $foreground;
        border-top: solid $panel-border;
        border-title-color: $foreground;
        border-title-style: bold;
        scrollbar-size-vertical: 1;
        scrollbar-background: $surface;
        scrollbar-background-hover: $surface;
        scrollbar-background-active: $surface;
        scrollbar-color: $panel-border;
        scrollbar-size-horizontal: 0;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        &:focus { border-top: double $accent; }
        &.-pointed { border-title-color: $text-warning; }
    }
    """

    ALLOW_SELECT = True
    TITLE: ClassVar[str] = ""
    HELP_TEXT: ClassVar[str] = ""
    """What the panel shows and how to read it, for the help screen."""

    class Chosen(Message):
        """A row was clicked or entered.

        Attributes:
            target: What it selects.
        """

        def __init__(self, target: Target) -> None:
            super().__init__()
            self.target = target

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.border_title = self.TITLE
        self.rows: list[Late] = []
        self.view: View | None = None
        self.cursor = -1
        self.rebuilds = 0
        """How often the rows were made: tests see by it that a hidden panel does no work."""
        self._strips: dict[int, Strip] = {}
        self._styles: dict[str, Style] = {}

    # What a panel is made of.

    def build_rows(self, view: View, width: int) -> Sequence[Late]:
        """The panel's rows for a view, in `width` cells. Pure: each panel has its own."""
        raise NotImplementedError

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether it has anything to say of a view: one that has not is not shown unasked."""
        return True

    def title_of(self, view: View) -> str:
        """The panel's title for a view."""
        return self.TITLE

    @property
    def visible_now(self) -> bool:
        """Whether any of it is on the screen."""
        # The size first: most panels have none, and the other question goes through the screen.
        return self.size.width > 0 and self.is_on_screen

    # Taking a view in.

    def show_view(self, view: View) -> None:
        """Take a new view; a panel that can't be seen only remembers it."""
        self.view = view
        if self.visible_now:
            self.rebuild_rows()

    def rebuild_rows(self) -> None:
        """Make the rows anew, and redraw those that differ."""
        if self.view is None:
            return
        self.rebuilds += 1
        title = make_visible(self.title_of(self.view))
        if self.border_title != title:
            self.border_title = title.replace("[", "\\[")
        self.set_rows(self.build_rows(self.view, self.scrollable_content_region.width))

    def set_rows(self, rows: Sequence[Late]) -> None:
        """Show these rows; only those that can be seen are made, and only those that differ are
        drawn.
        """
        old, self.rows = self.rows, list(rows)
        if len(old) != len(rows):
            self.virtual_size = Size(self.scrollable_content_region.width, len(rows))
            self.cursor = min(self.cursor, len(rows) - 1)
        top, height = self.scroll_offset.y, self.size.height
        for y in [y for y in self._strips if not top <= y < top + height]:
            del self._strips[y]
        for y in range(top, min(top + height, max(len(old), len(rows)))):
            before = old[y] if y < len(old) else None
            if before is None or callable(before) or before != self.row_at(y):
                self._strips.pop(y, None)
                self.refresh(Region(0, y - top, self.size.width, 1))

    def all_rows(self) -> list[Row]:
        """Every row, made."""
        return [found for y in range(len(self.rows)) if (found := self.row_at(y)) is not None]

    def redraw_rows(self) -> None:
        """Forget all that was drawn."""
        self._strips.clear()
        self.refresh()

    def on_show(self) -> None:
        """The panel can be seen again: it catches up."""
        self.rebuild_rows()

    def on_resize(self) -> None:
        """Another width makes other rows."""
        self._strips.clear()
        if self.size.width:
            self.rebuild_rows()
            self.virtual_size = Size(self.scrollable_content_region.width, len(self.rows))

    # Drawing.

    def notify_style_update(self) -> None:
        """Styles changed: forget those that were worked out."""
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def make_style(self, name: str) -> Style:
        """A named style on the panel's background."""
        found = self._styles.get(name)
        if found is None:
            found = self.visual_style.rich_style
            if name:
                found += self.screen.get_component_rich_style(f"panel--{name}", partial=True)
            self._styles[name] = found
        return found

    def row_at(self, y: int) -> Row | None:
        """A row by its number."""
        if not 0 <= y < len(self.rows):
            return None
        found = self.rows[y]
        if callable(found):
            found = self.rows[y] = found()
        return found

    def render_line(self, y: int) -> Strip:
        """One line of the panel."""
        number = y + self.scroll_offset.y
        selection = self.text_selection
        if selection is None and number in self._strips:
            return self._strips[number]
        width = self.size.width
        found = self.row_at(number)
        if found is None:
            return Strip.blank(width, self.make_style(""))
        strip = Strip([Segment(text, self.make_style(name)) for text, name in found.spans if text])
        if number == self.cursor and self.has_focus:
            strip = strip.apply_style(
                self.screen.get_component_rich_style("panel--cursor", partial=True)
            )
            strip = strip.extend_cell_length(width, self.make_style("cursor"))
        if selection is not None:
            strip = self._with_selection(strip, selection, number)
        strip = strip.crop_extend(0, width, self.make_style("")).apply_offsets(0, number)
        if selection is None:
            if len(self._strips) > 2_000:
                self._strips.clear()
            self._strips[number] = strip
        return strip

    def _with_selection(self, strip: Strip, selection: Selection, number: int) -> Strip:
        span = selection.get_span(number)
        if span is None:
            return strip
        start, end = span
        length = strip.cell_length
        end = length if end == -1 else min(end, length)
        if start >= end:
            return strip
        chosen = self.screen.get_component_rich_style("screen--selection")
        plain = Strip(
            [Segment(s.text, (s.style or Style()) + chosen) for s in strip.crop(start, end)]
        )
        return Strip.join([strip.crop(0, start), plain, strip.crop(end, length)])

    def selection_updated(self, selection: Selection | None) -> None:
        """The text selection changed."""
        self.redraw_rows()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text."""
        return selection.extract("\n".join(r.text for r in self.all_rows())), "\n"

    # Moving and choosing.

    def move_cursor(self, y: int) -> None:
        """Put the cursor on a row, and show it."""
        if not self.rows:
            return
        old, self.cursor = self.cursor, max(0, min(y, len(self.rows) - 1))
        for changed in (old, self.cursor):
            self._strips.pop(changed, None)
            self.refresh(Region(0, changed - self.scroll_offset.y, self.size.width, 1))
        top, height = self.scroll_offset.y, self.size.height
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)
        self._post_chosen()

    def _post_chosen(self) -> None:
        found = self.row_at(self.cursor)
        if found is not None and found.target is not None:
            self.post_message(self.Chosen(found.target))

    def on_focus(self) -> None:
        """The cursor appears."""
        self.redraw_rows()

    def on_blur(self) -> None:
        """The cursor disappears."""
        self.redraw_rows()

    def on_click(self, event: events.Click) -> None:
        """A click selects what the row is about."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self.move_cursor(offset.y + self.scroll_offset.y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled: other rows are on the screen."""
        super().watch_scroll_y(old_value, new_value)
        self.refresh()

    def watch_show_vertical_scrollbar(self, shows: bool) -> None:
        """The scroll bar appears where the panel stands: one that was scrolled before it had a
        scroll bar has not told it.
        """
        if shows:
            self.vertical_scrollbar.position = self.scroll_y

    def action_cursor(self, by: int) -> None:
        """Move the cursor by rows."""
        self.move_cursor(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move by half of what can be seen."""
        self.move_cursor(self.cursor + by * max(1, self.size.height // 2))

    def action_edge(self, which: int) -> None:
        """Move to the first or the last row."""
        self.move_cursor(0 if which < 0 else len(self.rows) - 1)

    def action_copy(self) -> None:
        """Copy the whole panel as text."""
        text = "\n".join(r.text.rstrip() for r in self.all_rows())
        self.app.copy_to_clipboard(text)
        self.notify(f"{len(self.rows)} rows of {self.TITLE} copied", timeout=2)
