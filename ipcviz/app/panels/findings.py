"""The findings panel: what is wrong, who is in it, what proves it, and how it is mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Late, Panel, Row, fit_value, make_row

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.diagnose import Finding


class FindingsPanel(Panel):
    """What the doctor has found up to the moment that is shown.

    The finding with the cursor is selected: while the panel is shown, the picture marks what that
    one speaks of.
    """

    TITLE = "Findings"
    HELP_TEXT: ClassVar[str] = (
        "What is wrong, as `ipcviz doctor` says it: who hangs and why, at the moment at which it is"
        " so, and what was done wrong, when it was done. First what is wrong, then how it is"
        " mended, and then the facts that prove it. `Probably` stands where"
        " something can't be known, and what that is. The picture marks by `!` whom and what the"
        " selected finding (>) speaks of. `up` and `down` go to the one before and the next one."
        " `enter` explains its rule, as `ipcviz explain RULE` does."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "explain",
            "Explain",
            id="findings.explain",
            tooltip="Explain the finding's rule",
        ),
    ]

    class PageWanted(Message):
        """The page of a rule is to be read.

        Attributes:
            rule: The rule's name.
        """

        def __init__(self, rule: str) -> None:
            super().__init__()
            self.rule = rule

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether anything was found."""
        return bool(view.findings)

    def title_of(self, view: View) -> str:
        """How many there are; which one is selected, and who is in it."""
        count = len(view.findings)
        chosen = view.selected_finding
        if chosen is None:
            return f"{self.TITLE}: {count}" if count else self.TITLE
        place = count - view.findings.index(chosen)
        return f"{self.TITLE}: {place} of {count}, ! marks {_list_marked(view, chosen)}"

    def build_rows(self, view: View, width: int) -> list[Row]:
        """The latest first."""
        rows: list[Row] = []
        for one in reversed(view.findings):
            rows += _list_rows(one, width, chosen=one.name == view.finding)
        if rows:
            return rows
        words = "Nothing wrong was found so far."
        if not view.moment.searched:
            words = "A trace this long is not searched here: 'ipcviz doctor TRACE' does that."
        return [make_row((line, "dim")) for line in wrap_text(words, width)]

    # The cursor is on a finding, wherever its rows are.

    def set_rows(self, rows: Sequence[Late]) -> None:
        """Show these rows; the cursor stays in its finding, though there may be newer ones."""
        before = self.row_at(self.cursor)
        inside = self.cursor - self._find_first(before)
        super().set_rows(rows)
        if before is None or before.target is None:
            if self.has_focus and self.cursor < 0 and self._list_firsts():
                self.move_cursor(0)
            return
        first = self._find_first(before)
        if first >= 0 and first + inside != self.cursor:
            self.cursor = first + inside
            self.redraw_rows()

    def _list_firsts(self) -> list[int]:
        """Numbers of the first rows of the findings."""
        rows = self.all_rows()
        return [
            y
            for y, row in enumerate(rows)
            if row.target is not None and (y == 0 or rows[y - 1].target != row.target)
        ]

    def _find_first(self, row: Row | None) -> int:
        """Number of the first row of the finding that a row is of; -1 if there is none."""
        if row is None or row.target is None:
            return -1
        return next((y for y, one in enumerate(self.all_rows()) if one.target == row.target), -1)

    def on_focus(self) -> None:
        """The latest finding is selected, if none was before."""
        if self.cursor < 0 and self._list_firsts():
            self.move_cursor(0)

    def action_cursor(self, by: int) -> None:
        """Go to the next finding, or the one before; of one that is longer than the panel first
        show the rest.
        """
        firsts = self._list_firsts()
        here = self._find_first(self.row_at(self.cursor))
        if not firsts or here < 0:
            super().action_cursor(by)
            return
        place = firsts.index(here) + by
        end = firsts[place] if 0 < place < len(firsts) else len(self.rows)
        bottom = self.scroll_offset.y + self.size.height
        if by > 0 and end > bottom and here < end:
            self.move_cursor(min(end - 1, bottom - 1 + self.size.height // 2))
        elif by < 0 and self.cursor > here:
            self.move_cursor(here)
        elif 0 <= place < len(firsts):
            self._show_finding(firsts[place], [*firsts[1:], len(self.rows)][place])

    def _show_finding(self, first: int, end: int) -> None:
        """Put the cursor on a finding, and show as much of it as there is room for."""
        self.move_cursor(first)
        if end > self.scroll_offset.y + self.size.height:
            self.scroll_to(y=min(first, end - self.size.height), animate=False)

    def on_click(self, event: events.Click) -> None:
        """A second click on a finding explains it."""
        if event.chain == 2:
            self.action_explain()

    def action_explain(self) -> None:
        """Show the page of the selected finding's rule."""
        chosen = self.view.selected_finding if self.view is not None else None
        if chosen is not None:
            self.post_message(self.PageWanted(chosen.rule))


def _list_marked(view: View, one: Finding) -> str:
    """Whom and what a finding speaks of, with the descriptors: `sh (4), cat (0), P1`."""
    ends: dict[int, list[str]] = {}
    for pid, fd in one.descriptors:
        ends.setdefault(pid, []).append(str(fd))
    found = []
    for pid, name in ((party.pid, party.name) for party in one.processes):
        process = view.state.processes.get(pid)
        title = process.title if process is not None and process.title else name
        found.append(f"{title} ({','.join(ends[pid])})" if pid in ends else title)
    for key in one.objects:
        thing = view.state.objects.get(key) or view.state.semaphores.get(key)
        if thing is not None and thing.label:
            found.append(thing.label)
    return ", ".join(dict.fromkeys(found))


def _list_rows(one: Finding, width: int, *, chosen: bool) -> Iterator[Row]:
    """One finding; each of its rows selects it."""
    target = ("finding", one.name)
    sentence = one.sentence if one.sure else f"Probably: {one.sentence}"
    for number, line in enumerate(wrap_text(sentence, width - 3)):
        point = (">" if chosen and number == 0 else " ", "lit")
        mark = ("!", "bad") if number == 0 and one.sure else ("?" if number == 0 else " ", "dim")
        yield make_row(point, mark, " ", (fit_value(line, width - 3), "lit"), target=target)
    for line in wrap_text(f"Mend: {one.mend}", width - 3):
        yield make_row(("   ", ""), (fit_value(line, width - 3), ""), target=target)
    if one.why_probable:
        for line in wrap_text(f"Not sure: {one.why_probable}.", width - 3):
            yield make_row(("   ", ""), (fit_value(line, width - 3), "dim"), target=target)
    facts = [fact.text for fact in one.evidence]
    facts += [origin.words for origin in one.origins if origin.words]
    for text in facts:
        for number, line in enumerate(wrap_text(text, width - 5)):
            lead = "   - " if number == 0 else "     "
            yield make_row((lead, "dim"), (fit_value(line, width - 5), "dim"), target=target)
    words = f"[{one.rule}], found at {one.t:.2f} s: enter explains it"
    yield make_row(("   ", ""), (fit_value(words, width - 3), "dim"), target=target)
