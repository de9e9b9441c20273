"""What a scenario has not that a lesson needs: no mistake, and worth a line."""

from __future__ import annotations

from collections.abc import Iterator

from ipcviz.scenario.format import Document
from ipcviz.scenario.lines import Path as KeyPath
from ipcviz.scenario.shape import Problem


def list_gaps(sheet: Document) -> Iterator[Problem]:
    """List what is missing in a scenario, in the order of the file where it has a place there."""
    if not sheet.reading:
        yield Problem((), "There is no 'reading': say which manual pages to read, e.g. 'pipe(2)'.")
    if not sheet.elsewhere:
        yield Problem((), "There is no 'elsewhere': say where other systems differ.")
    if not sheet.teacher.wrong or not sheet.teacher.next:
        yield Problem(
            ("teacher",),
            "[teacher] needs 'wrong', what students get wrong, and 'next', what to try next.",
        )
    asked = {name for question in sheet.questions for name in question.ids}
    for place, step in enumerate(sheet.story):
        path: KeyPath = ("story", place)
        name = repr(step.id) if step.id else str(place + 1)
        if not step.title:
            yield Problem(path, f"Step {name} has no 'title', which is a chapter's name.")
        if not step.look:
            yield Problem(path, f"Step {name} has no 'look': say in which panel it shows.")
        if (step.unless is not None) and not step.otherwise:
            yield Problem(
                path, f"Step {name} can be skipped ('unless'), and has no 'otherwise' to say so."
            )
        if place and step.id in asked and not step.after:
            yield Problem(
                path,
                f"Step {name} answers a question and has no 'after': where another goes first, it"
                " comes before anybody was asked.",
            )
    if not sheet.story:
        yield Problem((), "There is no story: write [[story]] steps.")
    if not sheet.questions:
        yield Problem((), "There is no question: ask for a guess before a step ([[questions]]).")
    for place, question in enumerate(sheet.questions):
        if not question.why:
            yield Problem(("questions", place), "This question has no 'why' for its answer.")
