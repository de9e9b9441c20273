"""A scenario as a lesson: stepped in a named order or a random one, and what its story tells held
against the moment at which it tells it, against other readers of the kernel, and the screen.
"""

from __future__ import annotations

import dataclasses
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import ipcviz.events as ev
from ipcviz.app.app import IpcvizApp
from ipcviz.app.panels import StoryPanel
from ipcviz.app.questions import Questions
from ipcviz.app.strip import StepStrip
from ipcviz.app.textual_internals import wait_until_settled
from ipcviz.cli.driver import Driver
from ipcviz.model.query import list_living
from ipcviz.model.reduce import reduce
from ipcviz.model.state import Object, Process, State, Thread
from ipcviz.model.steps import stepping
from ipcviz.model.steps.schedule import parse_schedule
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.stuck import all_wait
from ipcviz.model.waits.values import Wait, Why
from ipcviz.scenario import Scenario, Story, explain_missing, find_scenario, prepare_launch
from ipcviz.scenario.launch import UNSET, Launch
from ipcviz.scenario.plans import BEGIN, find_begin
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.fakes import FakeSession, FrozenClock
from tests.integration.forked import ForkedSession
from tests.integration.harness import (
    TAG,
    contents,
    kernel_objects,
    list_left_objects,
    settled,
    tagged,
)
from tests.seen import see_story, tell_step, texts_of

ORDERS = range(int(os.environ.get("IPCVIZ_ORDERS", "2")))
"""Seeds of the random orders that a lesson is stepped in."""
PATIENCE = 20.0
MOST_OPERATIONS = 60
"""What a class steps through in a lesson, from the first step of its story to the last."""
STANDSTILL = 0.5
"""Seconds without news after which a run in which all wait for ever is taken for over."""


class Seen:
    """A moment at which a step of a story was told, and what had happened before it.

    Attributes:
        state: The state.
        events: All events up to this moment, this one included.
        pids: Processes by role; keys: of objects, semaphores and variables, by label.
    """

    def __init__(self, state: State, story: Story, events: Sequence[ev.Event]) -> None:
        self.state, self.events = state, events
        self.pids = {role: pid for pid, role in story.roles.items()}
        self.keys = {label: key for key, label in story.labels.items()}

    @property
    def event(self) -> ev.Event:
        """The event that reached the step."""
        return self.events[-1]

    def process(self, role: str) -> Process:
        return self.state.processes[self.pids[role]]

    def thread(self, role: str) -> Thread:
        """The first thread of the process that plays a role."""
        return self.state.threads[self.pids[role]]

    def wait(self, role: str) -> Wait | None:
        """What the process that plays a role waits for; None if it does not."""
        return wait_of(self.state, self.pids[role])

    def waits(self, role: str, why: Why) -> bool:
        found = self.wait(role)
        return found is not None and found.why is why

    def object(self, label: str) -> Object:
        return self.state.objects[self.keys[label]]

    def modes(self, role: str, label: str) -> dict[int, str]:
        """How a process has an object open: `r`, `w` or `rw` by descriptor."""
        rows = self.state.descriptions_of(self.pids[role])
        return {row.fd: file.mode for row, file in rows if file.object == self.keys[label]}

    def value(self, label: str) -> int | None:
        """A semaphore's value."""
        return self.state.semaphores[self.keys[label]].value

    def came(self, signo: int) -> list[ev.SignalDelivered]:
        """The deliveries of a signal so far."""
        return [e for e in self.events if isinstance(e, ev.SignalDelivered) and e.signo == signo]

    def calls(self, role: str, name: str = "") -> list[ev.Call]:
        """The calls of the process that plays a role so far; those of one name, or all."""
        pid = self.pids.get(role, -1)
        return [
            e
            for e in self.events
            if isinstance(e, ev.Call) and e.pid == pid and name in ("", e.name)
        ]


Claim = Callable[[Seen], object]
"""What is so at the very event that reaches a step: true, or not."""
Reader = Callable[[Seen], None]
"""Reads the kernel by another way while all are held behind a step, and compares."""


@dataclasses.dataclass
class Lesson:
    """What became of a run.

    Attributes:
        scenario: Which.
        variant: Which of its variants.
        told: The number of the event that reached each step, by the step's id.
        skipped: Why a step was not reached, by its id.
        unasked: Steps that were reached while everything ran: nobody is asked then.
        asked: The event with which a thread was let go before which each question was asked, by
            the ids of the steps that answer it.
        operations: How many operations were let go.
        pids: Processes by role.
        events: All that was seen.
        state: The last state.
        departed: Where the run departed from the schedule; empty if it did not.
        stuck: Whether all waited for ever at the end.
        left: What it left behind: processes, names, files.
    """

    scenario: Scenario
    variant: str
    told: dict[str, int] = dataclasses.field(default_factory=dict)
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)
    unasked: set[str] = dataclasses.field(default_factory=set)
    asked: dict[str, int] = dataclasses.field(default_factory=dict)
    operations: int = 0
    pids: dict[str, int] = dataclasses.field(default_factory=dict)
    events: list[ev.Event] = dataclasses.field(default_factory=list)
    state: State = dataclasses.field(default_factory=State)
    departed: str = ""
    stuck: bool = False
    left: list[str] = dataclasses.field(default_factory=list)

    @property
    def output(self) -> str:
        """What was written to the terminal."""
        data = b"".join(e.data for e in self.events if isinstance(e, ev.Output))
        return data.decode(errors="replace").replace("\r\n", "\n")

    @property
    def length(self) -> int:
        """How many operations lie between the first step of the story and the last."""
        first, last = min(self.told.values(), default=0), max(self.told.values(), default=0)
        return sum(
            isinstance(e, ev.Stepped) and e.step > 0 and first <= e.n <= last for e in self.events
        )

    def assert_whole(self, *untold: str) -> None:
        """Every step was told or it was said why not, each question was asked before its step, the
        run went as its schedule wanted, and nothing was left behind.

        Args:
            untold: Steps that this run must not reach; all others it must.
        """
        assert not self.departed, self.departed
        ids = {step.id for step in self.scenario.story}
        assert ids == self.told.keys() | self.skipped.keys(), "not told, and not said why"
        assert self.skipped.keys() == set(untold)
        assert self.length <= MOST_OPERATIONS
        self.assert_sound()
        self.assert_asked()

    def assert_sound(self) -> None:
        """What holds in any order: a question comes before its answer, nothing is left behind."""
        late = [
            name
            for name, n in self.asked.items()
            if any(self.told.get(one, n) < n for one in name.split())
        ]
        assert not late, f"asked after it was told: {late}"
        assert not self.left, self.left

    def assert_asked(self) -> None:
        """Each question whose answer was told step by step was asked before."""
        silent = [
            question.ids
            for question in self.scenario.questions
            if not (self.told.keys() - self.unasked).isdisjoint(question.ids)
            and " ".join(question.ids) not in self.asked
        ]
        assert not silent, f"told and not asked before: {silent}"


class _Run:
    """One run that is under way."""

    def __init__(
        self,
        session: LiveSession,
        lesson: Lesson,
        claims: Mapping[str, Claim],
        readers: Mapping[str, Reader],
    ) -> None:
        self.session, self.lesson = session, lesson
        self.story = Story(lesson.scenario)
        self.claims, self.readers = claims, readers
        self.questions = Questions()
        self.due: list[tuple[Reader, Seen]] = []
        self.resting = False
        self.running = False
        self.news = time.monotonic()

    @property
    def state(self) -> State:
        return self.lesson.state

    def drain(self) -> list[ev.Event]:
        """Take in what has come, and hold what the story tells against the moment."""
        events = self.session.drain()
        for event in events:
            self._take(event)
        if events:
            self.news = time.monotonic()
        if self.resting and self.due:
            due, self.due = self.due, []
            for read, seen in due:
                read(Seen(self.state, self.story, seen.events))
        return events

    def _take(self, event: ev.Event) -> None:
        lesson = self.lesson
        if isinstance(event, ev.Stepped):
            self.resting = self.running = False
            lesson.operations += event.step > 0
            self._ask(event)
        elif isinstance(event, ev.Released | ev.Held):
            self.resting = False
            self.running = isinstance(event, ev.Released)
        elif isinstance(event, ev.Settled):
            self.resting = True
        before, lesson.state = lesson.state, reduce(lesson.state, event)
        lesson.events.append(event)
        move = self.story.feed(event, before, lesson.state)
        if move is None:
            return
        steps = lesson.scenario.story
        for skip in move.skipped:
            lesson.skipped[steps[skip.step].id] = skip.reason
        if move.step is None:
            return
        step = steps[move.step]
        lesson.told[step.id] = event.n
        if self.running:
            lesson.unasked.add(step.id)
        seen = Seen(lesson.state, self.story, tuple(lesson.events))
        claim = self.claims.get(step.id)
        assert claim is None or claim(seen), f"{step.id} is told and not so: {step.text}"
        if step.id in self.readers:
            self.due.append((self.readers[step.id], seen))

    def _ask(self, event: ev.Stepped) -> None:
        """Note a question that is asked before this thread is let go, as the app asks it."""
        question = self.questions.find_question(self.story, self.state, event.tid)
        if question is not None:
            self.questions.add_guess(question, None)
            self.lesson.asked[" ".join(question.ids)] = event.n

    @property
    def over(self) -> bool:
        """Whether it has ended, or all wait and none of them can wake another."""
        if self.session.finished:
            return True
        quiet = time.monotonic() - self.news
        self.lesson.stuck = (
            self.resting
            and quiet > STANDSTILL
            and not stepping.list_held(self.state)
            and all_wait(self.state) is not None
        )
        assert quiet < PATIENCE, f"nothing comes any more; last: {self.lesson.events[-5:]}"
        return self.lesson.stuck

    def follow(self, text: str) -> None:
        """Go on as a schedule wants it, until that is over."""
        driver = Driver(self.session, parse_schedule(text), Story(self.lesson.scenario))
        driver.apply_events(self.lesson.events)
        while not self.over and not (driver.over and list_living(self.state)):
            events = self.drain()
            driver.apply_events(events)
            if not events:
                self.session.wait(0.05)
        self.lesson.departed = driver.departed

    def go_on_at_random(self, choose: random.Random, most: int) -> None:
        """Let go whoever chance wants, until the end."""
        for _ in range(most):
            while not self.resting or not stepping.list_held(self.state):
                if self.over:
                    return
                if not self.drain():
                    self.session.wait(0.05)
            if choose.random() < 0.1 and self.state.timers:
                # Somebody looks at the screen for longer than the alarm takes.
                self._await_signal()
            thread = choose.choice(stepping.list_held(self.state))
            self.resting = False
            self.session.send(ev.Let(tid=thread.tid))
        raise AssertionError(f"no end after {most} operations")

    def _await_signal(self) -> None:
        """Wait until the signal of an armed timer is pending, or about to act on a thread that it
        has woken.
        """
        wanted = {timer.signo for timer in self.state.timers.values() if timer.armed}

        def is_there() -> bool:
            threads = self.state.threads.values()
            acting = {t.poised.signo for t in threads if t.poised and t.poised.at == "signal"}
            masks = [stepping.find_pending_signals(self.state, t) for t in threads]
            return not acting.isdisjoint(wanted) or any(
                mask >> (signo - 1) & 1 for mask in masks for signo in wanted
            )

        while wanted and not is_there() and not self.over:
            if not self.drain():
                self.session.wait(0.05)


def run_lesson(
    name: str,
    variant: str = "",
    plan: str = "",
    *,
    then: str | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    claims: Mapping[str, Claim] | None = None,
    readers: Mapping[str, Reader] | None = None,
    at_end: Reader | None = None,
    most: int = 600,
) -> Lesson:
    """Step a scenario; the test is skipped where a program that it needs is missing.

    Args:
        name: Which.
        variant: Which of its variants; empty for the default.
        plan: The name of a schedule; empty for `begin`, where there is one.
        then: Lines of a schedule that follow; None for `turns` behind `begin`, and for none behind
            any other.
        seed: Goes on in a random order behind the schedule, instead of `then`.
        settings: Parameters; else those of the schedule.
        claims: What must be so at the event that reaches a step, by its id.
        readers: What reads the kernel while all are held behind a step, by its id.
        at_end: What reads it when the schedule is over, before the rest is ended.
        most: Operations after which a random order must have come to an end.
    """
    scenario = find_scenario(name)
    variant = variant or scenario.default_variant
    if reason := explain_missing(scenario, variant):
        pytest.skip(reason)
    ids = {step.id for step in scenario.story}
    for wanted in (claims or {}, readers or {}):
        assert wanted.keys() <= ids, f"no such steps: {wanted.keys() - ids}"
    chosen = scenario.schedules.get(plan or find_begin(scenario, variant))
    assert chosen is not None or not plan, f"{name} has no schedule {plan}"
    first = chosen.steps if chosen is not None else ""
    if then is None:
        then = "turns" if plan in ("", BEGIN) else ""
    before = kernel_objects(os.geteuid())
    tag = uuid.uuid4().hex
    lesson = Lesson(scenario, variant)
    values = {**(chosen.settings if chosen is not None else {}), **(settings or {})}
    with prepare_launch(scenario, variant, values) as launch:
        session = ForkedSession(configure_steps(launch))
        with mock.patch.dict(os.environ, {TAG: tag}):
            session.start()
        try:
            run = _Run(session, lesson, claims or {}, readers or {})
            text = first if seed is not None else "\n".join((first, then))
            if text.strip():
                run.follow(text)
            if seed is not None and not lesson.departed:
                run.go_on_at_random(random.Random(seed), most)
            run.drain()
            lesson.pids = {role: pid for pid, role in run.story.roles.items()}
            if at_end is not None:
                at_end(Seen(lesson.state, run.story, tuple(lesson.events)))
        finally:
            session.close()
        if not list_living(lesson.state):
            lesson.left += [f"file {path}" for path in contents(Path(launch.cwd))]
    lesson.left += [f"process {pid} {comm}" for pid, comm in settled(lambda: tagged(tag), 3.0)]
    new = list_left_objects(os.geteuid(), before)
    lesson.left += [f"object {key}" for key in new]
    return lesson


def configure_steps(launch: Launch) -> LaunchConfig:
    """How the programs of a scenario are started where all are to be held."""
    return LaunchConfig(
        argv=launch.argv,
        cwd=launch.cwd,
        terminal=True,
        hold=True,
        variables=launch.variables,
        unset=UNSET,
    )


def assert_shown_meanwhile(lesson: Lesson, role: str, row: bytes, runs: int) -> None:
    """A program that measures writes what so many runs have found before it starts the next."""
    pid = lesson.pids[role]
    written = next(e.n for e in lesson.events if isinstance(e, ev.Call) and e.data.startswith(row))
    begun = [e.n for e in lesson.events if isinstance(e, ev.Forked) and e.parent == pid]
    assert begun[runs - 1] < written < begun[runs]


# On the screen.


@asynccontextmanager
async def show_screen(lesson: Lesson, size: tuple[int, int] = (80, 24)) -> Any:
    """The app with a lesson's story and no event yet, on a terminal of some size: its pilot and a
    function that takes events in.
    """
    session, clock = FakeSession(), FrozenClock()
    name = f"{lesson.scenario.name} ({lesson.variant})"
    app = IpcvizApp(session, name, lesson.scenario, clock=clock)
    with (
        mock.patch("textual.app.wait_for_idle", wait_until_settled),
        mock.patch("textual.pilot.wait_for_idle", wait_until_settled),
        mock.patch.dict(os.environ, {"TEXTUAL_ANIMATIONS": "none"}),
    ):
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app._timer.pause()
            app.live.pace.patient = True  # each picture is drawn, however busy the machine

            async def take(events: Sequence[ev.Event]) -> None:
                session.feed(*events)
                clock.now = 100.0 + (events[-1].t if events else 0.0)
                while True:
                    app.run_frame()
                    if not app.feed.behind and not session._queue:
                        break
                app.run_frame()
                await pilot.pause()

            yield app, pilot, take


Shows = Mapping[str, Mapping[str, Sequence[str]]]
"""What is on the screen once a step has come to rest: by its id, by the key of the panel that is
opened for it (`t` is the story, and the picture can be seen with each), the texts.
"""


async def assert_on_screen(lesson: Lesson, shows: Shows, size: tuple[int, int] = (80, 24)) -> None:
    """Take a lesson's events in step by step, and look whether each step of the story can be read
    whole, the strip says what became of the operation, and what is asked for can be seen.
    """
    assert shows.keys() <= lesson.told.keys(), f"not told: {shows.keys() - lesson.told.keys()}"
    steps = {step.id: step for step in lesson.scenario.story}
    taken = 0
    async with show_screen(lesson, size) as (app, pilot, take):

        async def take_until(end: int) -> None:
            nonlocal taken
            await take(lesson.events[taken:end])
            taken = max(taken, end)

        for told, end, rest in _list_moments(lesson):
            await take_until(end)
            assert tell_step(steps[told]) in see_story(app.live.query_one(StoryPanel)), told
            if told not in shows:
                continue
            await take_until(rest)
            if app.feed.state.step and app.feed.state.stepping:
                strip = "\n".join(row.text for row in app.live.query_one(StepStrip).all_rows())
                assert f"step {app.feed.state.step}" in strip, strip
            for key, texts in shows[told].items():
                await pilot.press(key)
                await pilot.pause()
                screen = "\n".join(texts_of(app))
                for text in texts:
                    assert text in screen, f"{told}: {text!r} is not on the screen:\n{screen}"
                await pilot.press("t")
                await pilot.pause()


def _list_moments(lesson: Lesson) -> Iterator[tuple[str, int, int]]:
    """Each step that was told: how many events lead to it, and how many until it came to rest."""
    told = sorted(lesson.told.items(), key=lambda pair: pair[1])
    places = {event.n: place for place, event in enumerate(lesson.events, 1)}
    for number, (step, n) in enumerate(told):
        end = places[n]
        after = places[told[number + 1][1]] - 1 if number + 1 < len(told) else len(lesson.events)
        rest = next(
            (
                place
                for place in range(end, after)
                if isinstance(lesson.events[place - 1], ev.Settled)
            ),
            after,
        )
        yield step, end, rest
