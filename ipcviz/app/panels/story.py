"""The story panel: what a scenario tells, step by step, as its events happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.message import Message

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Late, Panel, Row, fit_value, make_row

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.scenario import Progress, Scenario, Skip, Step

_INDENT: Final = 2
"""Cells before the words of a step."""


class StoryPanel(Panel):
    """The steps of a scenario's story that were reached, latest last: that one is wholly in sight
    as long as the panel has the rows that `RowsWanted` asks for.
    """

    TITLE = "Story"
    HELP_TEXT: ClassVar[str] = (
        "What the scenario tells. A step appears when its event has happened, in whatever order"
        " this run brings them; `+` marks the latest. The steps still to come are only counted, so"
        " that one can guess. At the end it is said what this run did not show; with `z` in full."
    )

    class RowsWanted(Message):
        """Another number of rows is needed to show any step of the story whole.

        Attributes:
            panel: The panel that needs them.
            rows: The number, with the panel's border.
        """

        def __init__(self, panel: StoryPanel, rows: int) -> None:
            super().__init__()
            self.panel, self.rows = panel, rows

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[object, ...] = ()
        self._current = (0, 0)
        self._wanted = 0

    def title_of(self, view: View) -> str:
        """The scenario, and how far it is."""
        if view.story is None:
            return self.TITLE
        scenario, progress = view.story
        return f"{scenario.title}: {describe_place(scenario, progress)}"

    def show_view(self, view: View) -> None:
        """Take a new view, and ask for the rows that its story needs, shown or not."""
        super().show_view(view)
        self._ask_for_rows()

    def _ask_for_rows(self) -> None:
        story = self.view.story if self.view is not None else None
        if story is None:
            return
        # What is hidden has no width of its own: it gets that of the panel that is shown.
        width = self.size.width or getattr(self.parent, "size", self.app.size).width
        if not width:
            return
        rows = count_rows(story[0], width - self.styles.scrollbar_size_vertical)
        rows += self.gutter.height
        if rows != self._wanted:
            self._wanted = rows
            self.post_message(self.RowsWanted(self, rows))

    def on_resize(self) -> None:
        """Another width needs other rows, and what is told last is brought into sight again."""
        self._shown = ()
        super().on_resize()
        self._ask_for_rows()
        self.rebuild_rows()

    def rebuild_rows(self) -> None:
        """Make the rows anew; at every step what was told last is brought onto the screen."""
        super().rebuild_rows()
        if self.view is None or self.view.story is None:
            return
        progress = self.view.story[1]
        shown = (progress.reached, progress.skipped, self.view.state.step, self.size.height)
        if shown != self._shown:
            self._shown = shown
            height = self.scrollable_content_region.height
            start, end = self._current
            top = max(0, min(start, max(end, len(self.rows)) - height))
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def build_rows(self, view: View, width: int) -> Sequence[Late]:
        """What was told so far."""
        if view.story is None:
            return [make_row(("This is no scenario: the log tells what happens.", "dim"))]
        scenario, progress = view.story
        rows: list[Row] = [Row(((line, "dim"),)) for line in wrap_text(scenario.summary, width)]
        self._current = (0, len(rows))
        for place in progress.reached:
            told = _make_step_rows(
                scenario.story[place], place, width, latest=place == progress.reached[-1]
            )
            self._current = (len(rows), len(rows) + len(told))
            rows.extend(told)
        start, end = self._current
        room = self.scrollable_content_region.height - (end - start)
        rows.extend(_make_rows_of_skipped(scenario, _find_told(view), width, room))
        return rows


def describe_place(scenario: Scenario, progress: Progress) -> str:
    """How far a story is: `part 3 of 15`. What a run has passed over is counted as well: a number
    that fell would tell what is to come.
    """
    count = len(scenario.story)
    if not progress.reached:
        return f"{count} part{'' if count == 1 else 's'}"
    return f"part {len(progress.reached)} of {count}"


def count_rows(scenario: Scenario, width: int) -> int:
    """The rows that the longest part of a story takes with its heading, and one for what is told
    behind the last one.
    """
    texts = [wrap_text(scenario.summary, width)]
    texts += [["", *wrap_text(step.text, width - _INDENT)] for step in scenario.story]
    return max(len(lines) for lines in texts) + 1


def _make_step_rows(step: Step, place: int, width: int, *, latest: bool) -> list[Row]:
    mark = ("+ ", "lit-chip") if latest else ("  ", "")
    heading = Row((mark, (step.title or step.id or f"Part {place + 1}", "head")))
    lines = wrap_text(step.text, width - _INDENT)
    return [heading, *(Row((("  ", ""), (line, "lit" if latest else ""))) for line in lines)]


def _find_told(view: View) -> tuple[Skip, ...]:
    """What the run did not show, once nothing can be reached any more: before that it would tell
    what is to come.
    """
    if view.story is None:
        return ()
    scenario, progress = view.story
    over = len(progress.reached) + len(progress.skipped) == len(scenario.story)
    return progress.skipped if over else ()


def _make_rows_of_skipped(
    scenario: Scenario, skipped: tuple[Skip, ...], width: int, room: int
) -> list[Row]:
    """What this run did not show: in full where there is room for it, else its headings in one
    row.
    """
    if not skipped:
        return []
    titles = [scenario.story[skip.step].title or f"Part {skip.step + 1}" for skip in skipped]
    rows = [Row((("Not in this run:", "dim"),))]
    for title, skip in zip(titles, skipped, strict=True):
        lines = wrap_text(f"{title}: {skip.reason}", width - _INDENT)
        marks = ["- ", *["  "] * (len(lines) - 1)]
        rows.extend(
            make_row((f"{mark}{line}", "dim")) for mark, line in zip(marks, lines, strict=True)
        )
    if len(rows) <= room:
        return rows
    return [Row(((fit_value(f"Not in this run: {'; '.join(titles)}", width).rstrip(), "dim"),))]
