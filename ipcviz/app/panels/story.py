"""The story panel: what a scenario tells, step by step, as its events happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ipcviz.app.panels.cells import wrap
from ipcviz.app.panels.panel import Late, Panel, Row, row
from ipcviz.app.view import View


class StoryPanel(Panel):
    """The steps of a scenario's story that were reached, latest last."""

    TITLE = "Story"
    HELP_TEXT: ClassVar[str] = (
        "What the scenario tells. A step appears when its event has happened, in whatever order"
        " this run brings them; `+` marks the latest. What this run has passed over is said as"
        " well. The steps still to come are only counted, so that one can guess."
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._told = -1

    def title_of(self, view: View) -> str:
        """The scenario, and how far it is."""
        if view.story is None:
            return self.TITLE
        scenario, progress = view.story
        left = len(scenario.story) - len(progress.reached) - len(progress.skipped)
        return (
            f"{scenario.title}: {len(progress.reached)} of {len(scenario.story)} steps, {left} to"
            " come"
        )

    def rebuild(self) -> None:
        """Make the rows anew; a new step is brought onto the screen."""
        super().rebuild()
        story = self.view.story if self.view else None
        told = len(story[1].reached) + len(story[1].skipped) if story else 0
        if told != self._told:
            self._told = told
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    def build(self, view: View, width: int) -> Sequence[Late]:
        """What was told so far."""
        if view.story is None:
            return [row(("This is no scenario: the log tells what happens.", "dim"))]
        scenario, progress = view.story
        rows: list[Row] = [Row(((line, "dim"),)) for line in wrap(scenario.summary, width)]
        for place in progress.reached:
            step = scenario.story[place]
            latest = place == progress.reached[-1]
            mark = ("+ ", "lit-chip") if latest else ("  ", "")
            rows.append(Row((mark, (step.title or step.id or f"Step {place + 1}", "head"))))
            rows.extend(
                Row((("  ", ""), (line, "lit" if latest else "")))
                for line in wrap(step.text, width - 2)
            )
        for skip in progress.skipped:
            title = scenario.story[skip.step].title or f"Step {skip.step + 1}"
            rows.extend(
                Row((("- ", "dim"), (line, "dim")))
                for line in wrap(f"{title}: {skip.reason}", width - 2)
            )
        return rows
