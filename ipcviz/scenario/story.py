"""How a story follows the events: which step is reached, and what can no longer be.

Pure: events and states in, moves out. A step is reached by the first event that meets its
condition, in whatever order the run's schedule brings them; so what a step tells has always just
happened.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import msgspec

from ipcviz.events import Event, Exited, Finished
from ipcviz.model.state import State
from ipcviz.scenario.format import Question, Role, Scenario, Step, When
from ipcviz.scenario.matching import kind_of, meets_condition
from ipcviz.scenario.recognise import Recognised, recognise_roles


class Skip(NamedTuple):
    """A step that can't be reached in this run, by its place in the story, and why."""

    step: int
    reason: str


class Progress(msgspec.Struct, frozen=True):
    """How far a story is: an immutable value that can be kept, to go back to.

    Attributes:
        cast: Who is who.
        reached: Places of the steps reached, in the order in which they were.
        skipped: Steps that can't be reached any more.
    """

    cast: Recognised = Recognised()
    reached: tuple[int, ...] = ()
    skipped: tuple[Skip, ...] = ()


class StoryMove(msgspec.Struct, frozen=True):
    """What an event did to the story.

    Attributes:
        n: The event's number.
        t: When it was, in session seconds.
        step: Place of the step that it reached; None if it only made others impossible.
        skipped: Steps that became impossible with it.
    """

    n: int
    t: float
    step: int | None = None
    skipped: tuple[Skip, ...] = ()


class _Ahead(NamedTuple):
    """What lies ahead of some progress, kept because most events change nothing.

    `reached_by` and `barred_by` have, by kind of event, the steps that such an event may reach or
    make impossible; `kinds` are all kinds that matter.
    """

    progress: tuple[tuple[int, ...], tuple[Skip, ...]]
    pending: tuple[int, ...]
    reached_by: dict[str, list[int]]
    barred_by: dict[str, list[tuple[int, When]]]
    kinds: frozenset[str]


_replace = msgspec.structs.replace


class Story:
    """Follows a scenario's story through a stream of events.

    Args:
        scenario: Whose story.
        progress: Where to go on from; None for the beginning.

    Attributes:
        scenario: Whose story.
        progress: How far it is. Assign a kept one to go back.
    """

    def __init__(self, scenario: Scenario, progress: Progress | None = None) -> None:
        self.scenario = scenario
        self.progress = progress or Progress()
        self._known: _Ahead | None = None

    @property
    def roles(self) -> dict[int, str]:
        """Role names by pid."""
        return dict(self.progress.cast.roles)

    @property
    def labels(self) -> dict[str, str]:
        """The scenario's names of objects and semaphores by key."""
        return dict(self.progress.cast.labels)

    @property
    def step(self) -> Step | None:
        """The step that was reached last; None before the first."""
        return self.scenario.story[self.progress.reached[-1]] if self.progress.reached else None

    @property
    def pending(self) -> tuple[int, ...]:
        """Places of the steps that are neither reached nor skipped."""
        return self._find_ahead().pending

    @property
    def open_questions(self) -> tuple[Question, ...]:
        """The questions that can be asked now, in the order of the steps that answer them: those
        steps are still to come, and all that leads to them has been told.
        """
        story, settled = self.scenario.story, self._list_settled()
        reached = {story[place].id for place in self.progress.reached}
        found: dict[int, Question] = {}
        for place, step in enumerate(story):
            if place in settled or not step.id:
                continue
            if self._is_open(step) if step.after else place == 0 or place - 1 in settled:
                for number, question in enumerate(self.scenario.questions):
                    if step.id in question.ids and reached.isdisjoint(question.ids):
                        found.setdefault(number, question)
        return tuple(found.values())

    @property
    def question(self) -> Question | None:
        """The first of the questions that can be asked now; None if there is none."""
        return next(iter(self.open_questions), None)

    def feed(self, event: Event, before: State, after: State) -> StoryMove | None:
        """Take one event.

        Args:
            event: The event.
            before: The state before it; unused by today's conditions, part of the interface for
                those that compare.
            after: The state that it led to.

        Returns:
            What it did to the story; None if nothing.
        """
        scenario = self.scenario
        cast = recognise_roles(scenario, self.progress.cast, event, after)
        if cast is not self.progress.cast:
            self.progress = _replace(self.progress, cast=cast)
        ahead, kind = self._find_ahead(), kind_of(event)
        if kind not in ahead.kinds:
            return None
        story = scenario.story
        step = next(
            (
                place
                for place in ahead.reached_by.get(kind, ())
                if meets_condition(story[place].when, scenario, cast, event, after)
            ),
            None,
        )
        barred = {
            place: "the run went another way"
            for place, unless in ahead.barred_by.get(kind, ())
            if meets_condition(unless, scenario, cast, event, after)
        }
        if step is not None:
            barred.pop(step, None)
            self.progress = _replace(self.progress, reached=(*self.progress.reached, step))
        skipped = self._skip_steps(barred, event)
        if step is None and not skipped:
            return None
        return StoryMove(n=event.n, t=event.t, step=step, skipped=skipped)

    def _find_ahead(self) -> _Ahead:
        """What lies ahead of the present progress."""
        reached, skipped = self.progress.reached, self.progress.skipped
        known = self._known
        if known is not None and known.progress[0] is reached and known.progress[1] is skipped:
            return known
        settled, story = self._list_settled(), self.scenario.story
        pending = tuple(place for place in range(len(story)) if place not in settled)
        reached_by: dict[str, list[int]] = defaultdict(list)
        barred_by: dict[str, list[tuple[int, When]]] = defaultdict(list)
        for place in pending:
            step = story[place]
            if self._is_open(step):
                reached_by[step.when.kind].append(place)
                if step.unless is not None:
                    barred_by[step.unless.kind].append((place, step.unless))
        kinds = frozenset(
            {*reached_by, *barred_by} | ({"exited", "finished"} if pending else set())
        )
        self._known = _Ahead((reached, skipped), pending, dict(reached_by), dict(barred_by), kinds)
        return self._known

    def _list_settled(self) -> frozenset[int]:
        return frozenset(self.progress.reached) | frozenset(
            skip.step for skip in self.progress.skipped
        )

    def _is_open(self, step: Step) -> bool:
        """Whether all that a step must come after has been reached."""
        story = self.scenario.story
        return not step.after or set(step.after) <= {
            story[place].id for place in self.progress.reached
        }

    def _skip_steps(self, barred: dict[int, str], event: Event) -> tuple[Skip, ...]:
        """Settle what this event has made impossible, and what depends on it."""
        story = self.scenario.story
        gone = {skip.step for skip in self.progress.skipped}
        lost = {
            story[skip.step].id: skip.step for skip in self.progress.skipped if story[skip.step].id
        }
        ended = self._ended_role(event)
        over = isinstance(event, Finished) and event.left == 0
        found: list[Skip] = []
        for place in self.pending:
            step = story[place]
            reason = barred.get(place, "")
            if not reason and ended and step.when.role in (ended, (ended,)):
                reason = f"{ended} ended before that"
            if not reason and any(name in lost for name in step.after):
                reason = "what leads to it did not happen"
            if not reason and over:
                reason = "everything ended before that"
            if reason and place not in gone:
                found.append(Skip(place, step.otherwise or f"Not in this run: {reason}."))
                if step.id:
                    lost[step.id] = place
        if found:
            self.progress = _replace(self.progress, skipped=(*self.progress.skipped, *found))
        return tuple(found)

    def _ended_role(self, event: Event) -> str:
        """The role that nobody can play any more since this event; empty if there is none."""
        if not isinstance(event, Exited):
            return ""
        name = self.progress.cast.roles.get(event.pid, "")
        role = next((role for role in self.scenario.roles if role.name == name), None)
        return name if role is not None and _for_one(role) else ""


def _for_one(role: Role) -> bool:
    """Whether only one process of a run can have a role."""
    return bool(role.order or role.child)
