"""The findings panel: what is wrong, who is in it, what proves it, and how it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Panel, Row, fit_value, make_row
from ipcviz.app.view import View
from ipcviz.diagnose import Finding


class FindingsPanel(Panel):
    """What the doctor has found up to the moment that is shown."""

    TITLE = "Findings"
    HELP_TEXT: ClassVar[str] = (
        "What is wrong, as `ipcviz doctor` says it: who hangs and why, at the moment at which it is"
        " so, and what was done wrong, when it was done. First what is wrong, then how it is"
        " mended, and then the facts that prove it. `Probably` stands where"
        " something can't be known, and what that is. `enter` on a row selects its process. `ipcviz"
        " explain RULE` tells more of a rule."
    )

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether anything was found."""
        return bool(view.findings)

    def title_of(self, view: View) -> str:
        """How many there are."""
        count = len(view.findings)
        return f"{self.TITLE}: {count}" if count else self.TITLE

    def build_rows(self, view: View, width: int) -> list[Row]:
        """The latest first."""
        rows: list[Row] = []
        for one in reversed(view.findings):
            rows += _list_rows(view, one, width)
        if rows:
            return rows
        words = "Nothing wrong was found so far."
        if not view.moment.searched:
            words = "A trace this long is not searched here: 'ipcviz doctor TRACE' does that."
        return [make_row((line, "dim")) for line in wrap_text(words, width)]


def _list_rows(view: View, one: Finding, width: int) -> Iterator[Row]:
    """One finding; a click on its first rows selects the process whose program is to be mended."""
    pids = [party.pid for party in one.processes if party.pid in view.state.processes]
    target = ("process", pids[0]) if pids else None
    sentence = one.sentence if one.sure else f"Probably: {one.sentence}"
    for number, line in enumerate(wrap_text(sentence, width - 2)):
        mark = ("!", "bad") if number == 0 and one.sure else ("?" if number == 0 else " ", "dim")
        yield make_row(mark, " ", (fit_value(line, width - 2), "lit"), target=target)
    for line in wrap_text(f"Mend: {one.mend}", width - 2):
        yield make_row(("  ", ""), (fit_value(line, width - 2), ""), target=target)
    if one.why_probable:
        for line in wrap_text(f"Not sure: {one.why_probable}.", width - 2):
            yield make_row(("  ", ""), (fit_value(line, width - 2), "dim"))
    facts = [fact.text for fact in one.evidence]
    facts += [origin.words for origin in one.origins if origin.words]
    for text in facts:
        for number, line in enumerate(wrap_text(text, width - 4)):
            yield make_row(
                ("  - " if number == 0 else "    ", "dim"), (fit_value(line, width - 4), "dim")
            )
    yield make_row(
        ("  ", ""), (fit_value(f"[{one.rule}], found at {one.t:.2f} s", width - 2), "dim")
    )
