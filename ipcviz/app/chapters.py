"""The chapters of a cast: at which moments of a run it stops, and what each one is there for.

Pure: events and a scenario in, chapters out. A lesson's cast is told by its story: a chapter for
each of its parts, for each question and its answer, for the turns of the run, and the few
operations that lead to them. A cast of everything has a chapter for each step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, Literal

import msgspec

from ipcviz.events import Event, Settled
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps.moments import is_moment
from ipcviz.narrate import TURN, Outcomes, narrate
from ipcviz.scenario import Scenario, Story
from ipcviz.trace import TraceError

MOST_STEPS: Final = 500
"""Steps of one cast: some 3 MB at 80x24, and more than anybody goes through in a lesson."""
MOST_CHAPTERS: Final = 60
"""Chapters of a lesson: what a class follows in some minutes."""
LEADING: Final = 2
"""Steps that are shown before a part of the story, and before the end, to lead there."""
_LOOK_BACK: Final = 64
"""Among so many steps before it one may be repeated by a step."""

Kind = Literal["operation", "story", "question", "answer"]


class CastStep(msgspec.Struct, frozen=True):
    """A moment that a cast can stop at.

    Attributes:
        n: The number of its event.
        repeats: It says the same as one shortly before it.
        turns: Something in it is a turn of the run: a block, an end, a signal that arrived.
        told: Events between the step before and this one that have reached a part of the story,
            each with that part's place in it.
        asks: Place of the question that is open at this moment; -1 if none is.
        prepares: It was made before anybody was let go by one operation, in a run in which somebody
            was later.
    """

    n: int
    repeats: bool = False
    turns: bool = False
    told: tuple[tuple[int, int], ...] = ()
    asks: int = -1
    prepares: bool = False


class CastChapter(msgspec.Struct, frozen=True):
    """A chapter of a cast.

    Attributes:
        n: Number of the event up to which the run is shown.
        kind: What it is there for.
        place: Place of the part of the story, or of the question, in the scenario; -1 for neither.
    """

    n: int
    kind: Kind = "operation"
    place: int = -1


def list_steps(events: Iterable[Event], scenario: Scenario | None = None) -> list[CastStep]:
    """List the moments that a viewer would stop at.

    Args:
        events: The run, from its first event on.
        scenario: Whose story is followed, if any.

    Raises:
        TraceError: An event makes no sense.
    """
    state, outcomes = State(), Outcomes(narrate)
    story = Story(scenario) if scenario is not None else None
    found: list[CastStep] = []
    said: deque[str] = deque(maxlen=_LOOK_BACK)
    told: list[tuple[int, int]] = []
    turns = False
    for event in events:
        before, state = state, _reduce_event(state, event)
        outcomes.add_event(event, before, state)
        move = story.feed(event, before, state) if story is not None else None
        if move is not None and move.step is not None:
            told.append((event.n, move.step))
        sentence = narrate(event, before, state)
        turns = turns or (sentence is not None and sentence.weight >= TURN)
        if is_moment(event, before, state):
            if isinstance(event, Settled):
                group = outcomes.text
            else:
                group = sentence.group if sentence is not None else "returns"
            repeats = bool(group) and group in said
            asks = _find_question(story)
            found.append(
                CastStep(event.n, repeats, turns, tuple(told), asks, prepares=not state.step)
            )
            said.append(group)
            told, turns = [], False
    if not state.step:
        return [msgspec.structs.replace(step, prepares=False) for step in found]
    return found


def _reduce_event(state: State, event: Event) -> State:
    try:
        return reduce(state, event)
    except Exception:  # noqa: BLE001 - an event that makes no sense can break anything, and is not ours
        raise TraceError(f"The trace is damaged: event {event.n} makes no sense.") from None


def _find_question(story: Story | None) -> int:
    question = story.question if story is not None else None
    if story is None or question is None:
        return -1
    return story.scenario.questions.index(question)


def choose_lesson(
    steps: Sequence[CastStep], scenario: Scenario, most: int = MOST_CHAPTERS
) -> tuple[CastChapter, ...]:
    """Choose the chapters that tell a scenario's story.

    Each part of the story that was reached has one, and each question two: it is asked at the
    moment before the part that answers it, and answered there. The rest of the room goes to the
    turns of the run between them that say something new, and then to the steps that lead to those
    parts. It begins just before the first part, and the last step is its end.

    Args:
        steps: All steps of the run.
        scenario: Whose story it is.
        most: How many chapters there may be; parts and questions are never left out.

    Returns:
        The chapters in the order of the run; empty if no part of the story was reached.
    """
    must: list[CastChapter] = []
    told_at: list[int] = []
    for at, step in enumerate(steps):
        for n, place in step.told:
            must.extend(_make_story_chapters(steps, at, n, place, scenario))
            told_at.append(at)
    if not told_at:
        return ()
    end = len(steps) - 1
    kept = {*told_at, end}
    room = max(0, most - len(must) - 1)
    optional = [*_list_turns(steps, told_at[0], told_at[-1], kept), *_list_leading(steps, kept)]
    for at in optional:
        if room and at not in kept:
            kept.add(at)
            room -= 1
    shown = {chapter.n for chapter in must if chapter.kind == "story"}
    must += [CastChapter(steps[at].n) for at in kept if steps[at].n not in shown]
    return tuple(sorted(must, key=lambda chapter: (chapter.n, _RANK[chapter.kind])))


_RANK: Final[dict[Kind, int]] = {"operation": 0, "story": 1, "answer": 2, "question": 3}
"""The order of chapters of one moment: what happened, what that answers, what is asked next."""


def _make_story_chapters(
    steps: Sequence[CastStep], at: int, n: int, place: int, scenario: Scenario
) -> Iterator[CastChapter]:
    """Make the chapters of a part of the story: the question before it if it is asked, and itself.

    Args:
        steps: All steps.
        at: Index of the step in which the part was reached.
        n: The event that reached it.
        place: Its place in the story.
        scenario: Whose.
    """
    step = steps[at]
    if n == step.told[-1][0]:
        n = step.n
    asked = steps[at - 1].asks if at else -1
    question = scenario.questions[asked] if asked >= 0 else None
    answers = question is not None and scenario.story[place].id in question.ids
    if answers:
        yield CastChapter(steps[at - 1].n, "question", asked)
    yield CastChapter(n, "story", place)
    if answers:
        yield CastChapter(n, "answer", asked)


def _list_turns(steps: Sequence[CastStep], begin: int, end: int, kept: set[int]) -> list[int]:
    """List the turns of the run between the story's first and last part that say something new."""
    return [
        at
        for at, step in enumerate(steps)
        if begin < at < end and step.turns and not step.repeats and at not in kept
    ]


def _list_leading(steps: Sequence[CastStep], kept: set[int]) -> list[int]:
    """List the steps that lead to those that are kept, nearest ones first; without preparations,
    which are no part of the lesson.

    Those of one distance come in the order of the run.
    """
    places = sorted(kept)
    gaps = list(pairwise([places[0] - LEADING - 1, *places]))
    return [
        at - distance
        for distance in range(1, LEADING + 1)
        for before, at in gaps
        if at - distance > before and at - distance >= 0 and not steps[at - distance].prepares
    ]
