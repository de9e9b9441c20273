"""A page of notes: what the teacher is shown at one moment. Pure; it crosses a socket as a line of
JSON.

Texts come from a scenario's file and, at the reader's side, from whoever has the socket: both are
bounded here, and escaped where they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from ipcviz.events.decoding import decode_json
from ipcviz.scenario import Progress, Question, Scenario, Step, Story

FORMAT: Final = 1
"""What this format of pages is called; a reader refuses others."""
MOST_BYTES: Final = 1 << 19
"""Bytes of a page's line at most."""
_MOST_TEXT: Final = 1_000
"""Characters of a text at most, and"""
_MOST_ITEMS: Final = 8
"""items of a list: together less than `MOST_BYTES`, whatever the characters are."""
_AHEAD: Final = 3
"""Parts of the story that are shown before they come."""

Way = Literal["live", "step by step", "trace"]


class StoryPart(msgspec.Struct, frozen=True):
    """A part of the story.

    Attributes:
        title: Its heading.
        text: What the class reads.
        notes: What the teacher reads.
    """

    title: str = ""
    text: str = ""
    notes: str = ""


class Asked(msgspec.Struct, frozen=True):
    """A question of the story, with its answer.

    Attributes:
        text: The question.
        choices: What can be answered.
        answer: The right one.
        why: Why it is right.
        counts: How many chose each of the choices; empty if no hands were counted.
        open: Whether it is on the screen now.
    """

    text: str
    choices: tuple[str, ...]
    answer: str
    why: str = ""
    counts: tuple[int, ...] = ()
    open: bool = False


class NotesPage(msgspec.Struct, frozen=True):
    """What the teacher is shown at one moment.

    Attributes:
        format: `FORMAT`.
        scenario: The scenario's name.
        title: Its title.
        pid: The process that shows it.
        way: How it is gone through.
        place: How far the story is, in words.
        past: Whether a moment of the past is shown.
        step: In step mode: the number of the step; 0 elsewhere.
        following: What the next step is, in words; empty if nobody is next.
        now: The part of the story that is told.
        ahead: The parts that may come next.
        question: The question that is asked, or is asked next.
        wrong: What students get wrong.
        ask: What to ask or to try next.
        reading: What to read.
        minutes: How long the scenario takes in class.
        used: Seconds since it was opened.
        finished: Whether what was watched has ended.
    """

    format: int
    scenario: str
    title: str
    pid: int
    way: Way
    place: str = ""
    past: bool = False
    step: int = 0
    following: str = ""
    now: StoryPart = StoryPart()
    ahead: tuple[StoryPart, ...] = ()
    question: Asked | None = None
    wrong: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    minutes: int = 0
    used: float = 0.0
    finished: bool = False

    def says_the_same(self, other: NotesPage | None) -> bool:
        """Whether another page shows the same, but for the time that has passed."""
        return other is not None and msgspec.structs.replace(other, used=self.used) == self


_DECODER: Final = msgspec.json.Decoder(NotesPage)


def encode_page(page: NotesPage) -> bytes:
    """A page as a line."""
    return msgspec.json.encode(page) + b"\n"


def decode_page(line: bytes) -> NotesPage:
    """The page in a line.

    Raises:
        DecodingError: It is none.
    """
    return decode_json(_DECODER, line)


class OnScreen(NamedTuple):
    """What is on the screen besides the story; see `NotesPage` for what is not said here.

    Attributes:
        counts: How many chose each of the choices of the question that is next; empty if none did.
        asking: Whether that question is on the screen now.
    """

    pid: int
    way: Way
    place: str
    used: float
    past: bool = False
    step: int = 0
    following: str = ""
    counts: tuple[int, ...] = ()
    asking: bool = False
    finished: bool = False


def build_page(scenario: Scenario, progress: Progress, shown: OnScreen) -> NotesPage:
    """The page for a moment.

    Args:
        scenario: The scenario.
        progress: How far its story is.
        shown: What else is on the screen.
    """
    story = Story(scenario, progress)
    return NotesPage(
        format=FORMAT,
        scenario=_cut(scenario.name),
        title=_cut(scenario.title),
        pid=shown.pid,
        way=shown.way,
        place=_cut(shown.place),
        past=shown.past,
        step=shown.step,
        following=_cut(shown.following),
        now=_make_part(story.step) if story.step is not None else StoryPart(),
        ahead=tuple(_make_part(scenario.story[at]) for at in story.pending[:_AHEAD]),
        question=_make_asked(story.question, shown) if story.question is not None else None,
        wrong=_cut_list(scenario.teacher.wrong),
        ask=_cut_list(scenario.teacher.next),
        reading=_cut_list(scenario.reading),
        minutes=scenario.minutes,
        used=shown.used,
        finished=shown.finished,
    )


def _make_asked(question: Question, shown: OnScreen) -> Asked:
    return Asked(
        text=_cut(question.text),
        choices=_cut_list(question.choices),
        answer=_cut(question.answer),
        why=_cut(question.why),
        counts=shown.counts[:_MOST_ITEMS],
        open=shown.asking,
    )


def _make_part(step: Step) -> StoryPart:
    return StoryPart(
        title=_cut(step.title or step.id), text=_cut(step.text), notes=_cut(step.notes)
    )


def _cut(text: str) -> str:
    """A text of bounded length, without the lone surrogates that JSON can't have."""
    short = text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 4]} ..."
    return short.encode("utf-8", "backslashreplace").decode()


def _cut_list(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(_cut(text) for text in texts[:_MOST_ITEMS])
