"""A page of notes in words: headed sections, for the screen and for plain text. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ipcviz.app.notes.page import Asked, NotesPage, StoryPart


class Paragraph(NamedTuple):
    """A paragraph of notes, not escaped yet.

    Attributes:
        text: Its words.
        style: `head`, `now`, `dim`, `answer`, or empty.
        indent: Cells before it.
    """

    text: str
    style: str = ""
    indent: int = 0


def describe_time(page: NotesPage, used: float) -> str:
    """The time used, and how much there is: `4:12 of 8 minutes`."""
    minutes, seconds = divmod(int(max(used, 0.0)), 60)
    return f"{minutes}:{seconds:02} of {page.minutes} minutes"


def describe_page(page: NotesPage) -> str:
    """What is on the other screen, in a line."""
    parts = [page.title, page.place]
    if page.step:
        parts.append(f"step {page.step:,}")
    parts.append("the past" if page.past and page.way != "trace" else page.way)
    if page.finished and page.way != "trace":
        parts.append("ended")
    return " - ".join(part for part in parts if part)


def list_lines(page: NotesPage) -> Iterator[Paragraph]:
    """The page, from top to bottom."""
    yield from _list_now(page)
    if page.following:
        yield Paragraph("The next step", "head")
        yield Paragraph(page.following, indent=2)
        yield Paragraph("")
    if page.question is not None:
        yield from _list_question(page.question)
    if page.ahead:
        yield Paragraph("What may come next in the story", "head")
        for part in page.ahead:
            yield from _list_part(part)
        yield Paragraph("")
    yield from _list_items("What students get wrong", page.wrong)
    yield from _list_items("What to ask or to try next", page.ask)
    if page.reading:
        yield Paragraph("To read", "head")
        yield Paragraph(", ".join(page.reading), indent=2)


def _list_now(page: NotesPage) -> Iterator[Paragraph]:
    now = page.now
    if not (now.title or now.text):
        yield Paragraph("The story has not begun", "head")
        yield Paragraph("")
        return
    yield Paragraph(f"Now: {now.title}", "head")
    yield Paragraph(
        now.notes or "There are no notes to this part.", "now" if now.notes else "dim", 2
    )
    yield Paragraph(now.text, "dim", 2)
    yield Paragraph("")


def _list_question(question: Asked) -> Iterator[Paragraph]:
    yield Paragraph("The question on the screen" if question.open else "The next question", "head")
    yield Paragraph(question.text, indent=2)
    for number, choice in enumerate(question.choices):
        right = choice == question.answer
        count = question.counts[number] if number < len(question.counts) else 0
        hands = f"   {count} hand{'' if count == 1 else 's'}" if question.counts else ""
        mark = "=>" if right else "  "
        yield Paragraph(f"{mark} {number + 1}  {choice}{hands}", "answer" if right else "", 2)
    if question.why:
        yield Paragraph(question.why, indent=5)
    yield Paragraph("")


def _list_part(part: StoryPart) -> Iterator[Paragraph]:
    yield Paragraph(part.title, indent=2)
    if part.notes:
        yield Paragraph(part.notes, "dim", 4)


def _list_items(heading: str, items: Sequence[str]) -> Iterator[Paragraph]:
    if items:
        yield Paragraph(heading, "head")
        yield from (Paragraph(f"- {item}", indent=2) for item in items)
        yield Paragraph("")


def wrap_line(line: Paragraph, width: int) -> list[str]:
    """A paragraph in lines of at most `width` characters; what goes on is indented as it is."""
    room = max(10, width - line.indent)
    hang = "  " if line.text.startswith("- ") else ""
    wrapped = textwrap.wrap(line.text, room, subsequent_indent=hang, drop_whitespace=True)
    return [" " * line.indent + part for part in wrapped] or [""]


def format_page(page: NotesPage, width: int = 80) -> list[str]:
    """The page as plain text, not escaped yet."""
    lines = [describe_page(page), describe_time(page, page.used), ""]
    for line in list_lines(page):
        lines.extend(wrap_line(line, width))
    return lines
