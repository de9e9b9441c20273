"""A kept run of a scenario on the screen, and what of it somebody can read there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import cache

from textual.geometry import Region

from ipcviz.app.app import IpcvizApp
from ipcviz.app.chapters import CastStep, list_steps
from ipcviz.app.panels import StoryPanel
from ipcviz.app.picture import Picture
from ipcviz.app.strip import StepStrip, describe_following, find_following
from ipcviz.app.text import make_visible
from ipcviz.app.textual_internals import compose_strips
from ipcviz.events import Event
from ipcviz.scenario import Progress, Scenario, find_scenario
from tests import fakes
from tests.app.driven import Driven
from tests.kept_runs import read_run
from tests.seen import see_story, tell_step, texts_of


class ShownRun(Driven):
    """A scenario's app, and the events of its run that it has not taken yet."""

    def __init__(self, app, pilot, session, clock, scenario: Scenario, events: Sequence[Event]):
        super().__init__(app, pilot, session, clock)
        self.scenario, self._events, self._taken = scenario, events, 0

    async def go_to(self, n: int) -> None:
        """Take in all events up to the one of this number, and show the moment.

        Nothing in between is shown: how much of that a frame would see depends on how quick the
        machine is, and what stood where before decides where boxes stand.
        """
        end = next((i for i, e in enumerate(self._events) if e.n > n), len(self._events))
        self.session.feed(*self._events[self._taken : end])
        self._taken = max(end, self._taken)
        self.clock.now = 100.0 + self._events[end - 1].t
        while self.session._queue or self.app.feed.behind:
            self.app.run_frame(show=False)
        await self.frame()
        await self._settle()

    async def _settle(self) -> None:
        """Wait until one layout does not lead to another: a picture that is cramped gets room, and
        a panel scrolls to what it has to show.
        """
        seen: list[list[str]] = []
        while len(seen) < 2 or seen[-2] != seen[-1]:
            await self.app.animator.wait_for_idle()
            await self.pilot.pause()
            await self.pilot.pause()
            seen.append([strip.text for strip in compose_strips(self.app)])

    async def set_theme(self, name: str) -> None:
        """Show the same moment in another theme."""
        self.app.theme = name
        await self._settle()

    async def list_untellable(self) -> list[str]:
        """List the parts of the story that this run does not tell, and could not tell whole."""
        found, story = [], self.app.feed.story
        told = story.progress.reached
        for place in range(len(self.scenario.story)):
            if place in told:
                continue
            story.progress = Progress(reached=(*told, place))
            self.app.live.timeline.show_present(self.app.feed.make_view())
            await self.pilot.pause()
            await self.pilot.pause()
            found += self._list_untold()
        return found

    def list_unreadable(self) -> Iterator[str]:
        """List what somebody in front of the screen can't read of what it has to tell now."""
        yield from self._list_untold()
        yield from self._list_cut()
        yield from self._list_unseen()

    def _list_untold(self) -> Iterator[str]:
        """The story's current part, where not all of it can be seen."""
        progress = self.app.feed.story.progress
        if not progress.reached:
            return
        step = self.scenario.story[progress.reached[-1]]
        panel = next((p for p in self.app.live.query(StoryPanel) if p.visible_now), None)
        if panel is None:
            yield f"story: {step.id} is not shown at all"
            return
        within = self.app.screen.region.contains_region(panel.region)
        if not within or tell_step(step) not in see_story(panel):
            yield f"story: {step.id}"

    def _list_cut(self) -> Iterator[str]:
        """What became of the last operation, and what comes next, where words are cut."""
        view, strip = self.app.live.view, self.app.live.query_one(StepStrip)
        if not view.state.stepping:
            return
        rows = [row.text for row in strip.all_rows()]
        within = self.app.screen.region.contains_region(strip.region)
        if not within or strip.size.height < len(rows):
            yield f"step line: not in sight: {strip.region}"
        words = _join(rows)
        following = find_following(view, strip.steps)
        coming = describe_following(view, strip.steps, following, quotes=False)
        if following and _join([make_visible(coming)]) not in words:
            yield f"step line: {coming!r} in {words!r}"
        clauses = [make_visible(clause) for clause in view.outcome]
        if clauses and _shorten(_find_head(_join(clauses[:1]))) not in _shorten(words):
            yield f"step line: {clauses[0]!r} in {words!r}"
        if re.search(r"(?<![:;,] )…(?!/)", words.partition(" next ")[0]):
            yield f"step line: cut in the midst: {words!r}"

    def _list_unseen(self) -> Iterator[str]:
        """Roles whose process lives, and whose box or name is not on the screen."""
        picture = self.app.live.query_one(Picture)
        rows = texts_of(self.app)
        seen = picture.scrollable_content_region
        layout = picture._layout_now
        for pid in self.app.feed.story.roles:
            process = self.app.feed.state.processes.get(pid)
            if process is None or process.fate != "alive":
                continue
            node = next((n for n in picture.scene.nodes if n.select == ("process", pid)), None)
            if node is None:
                yield f"picture: {process.title} is folded away"
                continue
            rect = layout.rects[node.id]
            left, top = rect.x - picture.scroll_offset.x, rect.y - picture.scroll_offset.y
            if not Region(0, 0, *seen.size).contains_region(Region(left, top, rect.w, rect.h)):
                yield f"picture: the box of {process.title} is cut: {rect} of {seen.size}"
                continue
            drawn = [
                row[seen.x + left : seen.x + left + rect.w]
                for row in rows[seen.y + top : seen.y + top + rect.h]
            ]
            if not any(make_visible(process.title) in row for row in drawn):
                yield f"picture: {process.title} is not called so: {drawn}"


def _join(rows: Sequence[str]) -> str:
    return " ".join(" ".join(rows).split())


def _find_head(clause: str) -> str:
    """The words of a clause up to where it pauses for the first time."""
    return re.split(r"[:,] ", clause, maxsplit=1)[0]


def _shorten(text: str) -> str:
    """The text without the folders of its paths."""
    return re.sub(r"(…/|/(?:[^\s/]+/)+)(?=[^\s/])", "", text)


@asynccontextmanager
async def show_run(name: str, size: tuple[int, int]) -> AsyncIterator[ShownRun]:
    """A scenario's screen before the first event of its run."""
    _, events = read_run(name)
    scenario = find_scenario(name)
    session, clock = fakes.FakeSession(), fakes.FrozenClock()
    app = IpcvizApp(session, name, scenario, clock=clock)
    app.live.pace.patient = True
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app._timer.pause()
        yield ShownRun(app, pilot, session, clock, scenario, events)


@cache
def choose_moments(name: str, *, every: bool = False) -> list[int]:
    """The numbers of the events after which a run is looked at: where the story goes on, and its
    end; or, from the story's beginning, all that a viewer would stop at.
    """
    steps = list_steps(read_run(name)[1], find_scenario(name))
    first = next(place for place, step in enumerate(steps) if step.told)
    if every:
        return [step.n for step in steps[first:]]
    return [step.n for step in steps if step.told or step is steps[-1]]


@cache
def find_answer(name: str) -> int:
    """The number of the event after which the scenario's first question that the run asks is
    answered; the end of the story where none is.
    """
    told = find_told(name)
    answers = [
        told[one].n
        for question in find_scenario(name).questions
        for one in question.ids
        if one in told
    ]
    return answers[0] if answers else max(step.n for step in told.values())


@cache
def find_told(name: str) -> dict[str, CastStep]:
    """The moment at which each part of the story is told that the run reaches, by its id."""
    scenario = find_scenario(name)
    steps = list_steps(read_run(name)[1], scenario)
    return {scenario.story[place].id: step for step in steps for _, place in step.told}
