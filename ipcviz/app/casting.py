"""Making a cast of a trace: the app, drawn into memory, step by step, with a clock of its own.

Nothing here depends on real time, so the same trace makes the same bytes however busy the machine
is.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Final

import msgspec
from textual.app import App, ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ipcviz import __version__
from ipcviz.app.app import IpcvizApp
from ipcviz.app.capture import frame_of, make_look
from ipcviz.app.chapters import MOST_STEPS, CastChapter, CastStep, choose_lesson, list_steps
from ipcviz.app.feed import Feed
from ipcviz.app.footer import KeyFooter
from ipcviz.app.text import clip_text, make_visible
from ipcviz.app.themes import DARK, LIGHT
from ipcviz.events import AnyCommand, Call, Event, Settled
from ipcviz.export import CastWriter
from ipcviz.export.names import Names
from ipcviz.narrate import name_process, narrate
from ipcviz.narrate.steps import Outcomes

if TYPE_CHECKING:
    from ipcviz.model.state import State
    from ipcviz.scenario import Question, Scenario

THEMES: Final = {"dark": DARK, "light": LIGHT}
MOST_SECONDS: Final = 240.0
"""How long a lesson's cast lasts at most, at the usual length of a step."""
USUAL_HOLD: Final = 2.0
"""Seconds that a step is shown if nothing else is asked for."""
_WORDS_A_SECOND: Final = 3.5
"""What somebody reads who is new to it."""
_TO_GUESS: Final = 4.0
"""Seconds to think about a question, besides reading it."""
_ROUNDS: Final = 2
"""Rounds in which nothing has changed, after which nothing will."""
_SECONDS: Final = 60.0
"""How long drawing one frame may take on a machine that is very busy."""


class Wanted(msgspec.Struct, frozen=True):
    """What a cast is to be like.

    Attributes:
        width: Columns.
        height: Rows.
        hold: Seconds that each step is shown in timed playing.
        theme: `dark` or `light`.
        first: Number of the first step, from 1.
        last: Number of the last step; 0 for the end.
        every_step: A chapter for each step, even if a scenario's story could tell it.
    """

    width: int = 80
    height: int = 24
    hold: float = 2.0
    theme: str = "dark"
    first: int = 1
    last: int = 0
    every_step: bool = False

    @property
    def is_lesson(self) -> bool:
        """Whether a story is to choose the chapters."""
        return not self.every_step and self.first == 1 and not self.last


class CastReport(msgspec.Struct, frozen=True):
    """What became of it.

    Attributes:
        steps: Steps that the trace has.
        shown: Numbers of those that are in the cast, from 1.
        left_out: Steps among those that were wanted that are not in it because they only repeat
            others.
        rest: Number of the first step that had no room; 0 if all had.
        chapters: How many chapters it has, if the story has chosen them; else 0.
        seconds: How long it lasts.
    """

    steps: int
    shown: tuple[int, ...] = ()
    left_out: int = 0
    rest: int = 0
    chapters: int = 0
    seconds: float = 0.0


class _Shown:
    """A session that gives what it is told to give."""

    kept = True

    def __init__(self, argv: tuple[str, ...]) -> None:
        self.argv = argv
        self.finished = False
        self._next: list[Event] = []

    def queue_event(self, event: Event) -> None:
        """Have this one drained next."""
        self._next = [event]

    def start(self) -> None:
        """Nothing is to be started."""

    def drain(self) -> list[Event]:
        """What was given."""
        events, self._next = self._next, []
        return events

    def send(self, command: AnyCommand) -> None:
        """Nothing runs that could be told anything."""

    def close(self) -> None:
        """Nothing is to be closed."""


class _Clock:
    """Shows the time of the event that was taken in last."""

    def __init__(self) -> None:
        self.t = 0.0

    def __call__(self) -> float:
        return self.t


class _AskedScreen(ModalScreen[None]):
    """A question over the lower part of the screen, without or with its answer.

    Args:
        question: The question.
        answered: The right choice is marked, and told why.
    """

    DEFAULT_CSS = """
    _AskedScreen {
        align: center bottom;
        background: $background 0%;
        & > Static {
            width: 76; max-width: 100%; height: auto; max-height: 60%; margin-bottom: 1;
            border: double $accent; padding: 0 1; background: $panel;
        }
    }
    """

    def __init__(self, question: Question, *, answered: bool) -> None:
        super().__init__()
        self._question, self._answered = question, answered

    def compose(self) -> ComposeResult:
        """The question, its choices, and the answer."""
        question = self._question
        lines = [Content.styled(make_visible(question.text), "bold")]
        for number, choice in enumerate(question.choices, 1):
            right = self._answered and choice == question.answer
            text = f"{'=>' if right else '  '} {number}  {make_visible(choice)}"
            lines.append(Content.styled(text, "bold $success" if right else ""))
        if self._answered and question.why:
            lines.append(Content(make_visible(question.why)))
        box = Static(Content("\n").join(lines))
        box.border_title = "The answer" if self._answered else "What will happen?"
        yield box


class _CastApp(IpcvizApp):
    """The app without anything that moves by itself, and the step's sentence in place of the
    keys.
    """

    CSS = (
        "#caption { dock: bottom; height: 1; background: $panel; color: $foreground; text-style:"
        " bold; }"
    )

    def _begin_session(self) -> None:
        """Nothing is started, and no timer runs: frames are made one by one."""


def choose_steps(steps: Sequence[CastStep], wanted: Wanted, most: int = MOST_STEPS) -> CastReport:
    """Which steps a cast shows: all that are wanted if there is room, else those that say something
    new.
    """
    numbers = tuple(range(wanted.first, min(wanted.last or len(steps), len(steps)) + 1))
    shown = numbers
    if len(numbers) > most:
        shown = tuple(number for number in numbers if not steps[number - 1].repeats)
    left_out, rest = len(numbers) - len(shown), 0
    if len(shown) > most:
        rest, shown = shown[most], shown[:most]
        left_out = rest - wanted.first - most
    return CastReport(steps=len(steps), shown=shown, left_out=left_out, rest=rest)


def make_cast(
    events: Callable[[], Iterable[Event]],
    file: IO[bytes],
    wanted: Wanted,
    *,
    title: str,
    argv: Sequence[str] = (),
    scenario: Scenario | None = None,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> CastReport:
    """Make a cast of a stream. One of a scenario tells its story, unless each step is wanted.

    Args:
        events: Gives the stream from its first event on; called twice.
        file: Where to.
        wanted: What it is to be like.
        title: What is shown, for the status line.
        argv: The command.
        scenario: The scenario, if it was one.
        report: Called as chapters are drawn: how many, and of how many.

    Returns:
        Which steps are in it; nothing was written if there are none.

    Raises:
        TraceError: The stream can't be read, or makes no sense.
    """
    steps = list_steps(events(), scenario)
    chapters: Sequence[CastChapter] = ()
    if scenario is not None and wanted.is_lesson:
        chapters = choose_lesson(steps, scenario)
    if chapters:
        seconds = plan_seconds(chapters, scenario, wanted.hold)
        shown = {chapter.n for chapter in chapters}
        numbers = tuple(place for place, step in enumerate(steps, 1) if step.n in shown)
        made = CastReport(
            steps=len(steps), shown=numbers, chapters=len(chapters), seconds=sum(seconds)
        )
    else:
        made = choose_steps(steps, wanted)
        chapters = [CastChapter(steps[number - 1].n) for number in made.shown]
        seconds = [wanted.hold] * len(chapters)
        made = msgspec.structs.replace(made, seconds=sum(seconds))
    if not made.shown:
        return made
    about = {"version": __version__, "theme": wanted.theme}
    if scenario is not None:
        about["scenario"] = scenario.name
    look = make_look(THEMES[wanted.theme])
    writer = CastWriter(
        file, wanted.width, wanted.height, title=make_visible(title), look=look, about=about
    )
    casting = _Casting(writer, wanted, made, title, tuple(argv), scenario)
    asyncio.run(casting.write_frames(events(), steps, chapters, seconds, report))
    return made


def plan_seconds(
    chapters: Sequence[CastChapter], scenario: Scenario | None, hold: float
) -> list[float]:
    """Plan how long each chapter is shown: long enough to read what is new in it, and all of them,
    with the picture before the first one, not longer than `MOST_SECONDS`, in the measure of `hold`.

    Args:
        chapters: The chapters.
        scenario: Whose story they tell.
        hold: Seconds for a step that has nothing to read but its sentence.
    """
    measure = hold / USUAL_HOLD
    seconds = [max(USUAL_HOLD, _count_reading(chapter, scenario)) for chapter in chapters]
    too_long = max(1.0, sum(seconds) / (MOST_SECONDS - USUAL_HOLD))
    return [math.floor(second * measure / too_long * 100) / 100 for second in seconds]


def _count_reading(chapter: CastChapter, scenario: Scenario | None) -> float:
    """Seconds that somebody needs to read what a chapter has to say."""
    if scenario is None or chapter.place < 0:
        return 0.0
    if chapter.kind == "story":
        return len(scenario.story[chapter.place].text.split()) / _WORDS_A_SECOND
    question = scenario.questions[chapter.place]
    if chapter.kind == "answer":
        return len(f"{question.answer} {question.why}".split()) / _WORDS_A_SECOND
    words = len(" ".join((question.text, *question.choices)).split())
    return words / _WORDS_A_SECOND + _TO_GUESS


class _Casting:
    """One cast in the making."""

    def __init__(
        self,
        writer: CastWriter,
        wanted: Wanted,
        made: CastReport,
        title: str,
        argv: tuple[str, ...],
        scenario: Scenario | None,
    ) -> None:
        self._writer, self._wanted, self._made = writer, wanted, made
        self._session, self._clock = _Shown(argv), _Clock()
        self._app = _CastApp(self._session, title, scenario, clock=self._clock)
        self._scenario = scenario
        self._outcomes = Outcomes(narrate)
        feed = self._app.feed
        assert isinstance(feed, Feed)
        self._feed = feed
        self._app.live.pace.patient = True

    async def write_frames(
        self,
        events: Iterable[Event],
        steps: Sequence[CastStep],
        chapters: Sequence[CastChapter],
        seconds: Sequence[float],
        report: Callable[[int, int], None],
    ) -> None:
        """Write every frame.

        Args:
            events: The run.
            steps: Its steps.
            chapters: What is shown of it.
            seconds: How long each of them is.
            report: Called after each chapter with their number so far and in all.
        """
        app, wanted, made = self._app, self._wanted, self._made
        stream = Names().rename_events(events)
        app.theme = THEMES[wanted.theme].name
        async with app.run_test(size=(wanted.width, wanted.height)):
            caption = Static(id="caption")
            await app.live.query(KeyFooter).remove()
            await app.live.mount(caption)
            first = made.shown[0] - 1
            label, n = "before the first step", 0
            for place in range(max(0, first - 2), first):
                self._feed.clear_marks()
                n = steps[place].n
                label = self._feed_events(_up_to(stream, n))
            await self._write_frame(caption, first, label, 0.0)
            # A chapter begins when the one before it has been shown long enough.
            t = wanted.hold
            for count, (chapter, length) in enumerate(zip(chapters, seconds, strict=True), 1):
                if chapter.n > n:
                    self._feed.clear_marks()
                    n, label = chapter.n, self._feed_events(_up_to(stream, chapter.n))
                number = count if made.chapters else made.shown[count - 1]
                name = self._name_chapter(chapter, label)
                await self._write_chapter(caption, chapter, number, name, t)
                t += length
                report(count, len(chapters))
            self._writer.write_end(t)

    def _name_chapter(self, chapter: CastChapter, label: str) -> str:
        """The words of a chapter: the story's where it tells a part of it, else the step's."""
        scenario = self._scenario
        if scenario is None or chapter.place < 0:
            return label
        if chapter.kind == "story":
            step = scenario.story[chapter.place]
            return make_visible(f"{step.title}: {step.text}" if step.title else step.text)
        question = scenario.questions[chapter.place]
        if chapter.kind == "question":
            return make_visible(f"Question: {question.text}")
        return make_visible(f"Answer: {question.answer}. {question.why}".strip())

    async def _write_chapter(
        self, caption: Static, chapter: CastChapter, number: int, name: str, t: float
    ) -> None:
        """Write a chapter's frame, with its question over it if it has one."""
        app, scenario = self._app, self._scenario
        if scenario is None or chapter.kind not in ("question", "answer"):
            await self._write_frame(caption, number, name, t, chapter=True)
            return
        asked = scenario.questions[chapter.place]
        await app.push_screen(_AskedScreen(asked, answered=chapter.kind == "answer"))
        await self._write_frame(caption, number, name, t, chapter=True)
        await app.pop_screen()

    async def _write_frame(
        self, caption: Static, number: int, label: str, t: float, *, chapter: bool = False
    ) -> None:
        """Write what is to be seen now, as a chapter if it is a step."""
        app = self._app
        place = f" {number}/{self._made.chapters or self._made.steps} "
        caption.update(Content(place + clip_text(label, max(0, self._wanted.width - len(place)))))
        app.live.timeline.show_present(app.feed.make_view())
        rows = await _draw_frame(app)
        if chapter and self._writer.is_different(rows):
            self._writer.write_marker(t, label)
        self._writer.write_frame(t, rows)

    def _feed_events(self, events: Iterable[Event]) -> str:
        """Take events in, the last of which is a step. Returns that one's sentence."""
        feed = self._feed
        told, event, before = feed.log.end, None, feed.state
        for event in events:
            before = feed.state
            self._clock.t = max(self._clock.t, event.t)
            self._session.queue_event(event)
            feed.pump(float("inf"))
            self._outcomes.add_event(event, before, feed.state)
        return self._describe_step(event, before, told) if event is not None else ""

    def _describe_step(self, event: Event, before: State, told: int) -> str:
        """What a step did: its own sentence, else the last one that was told since the step
        before.
        """
        feed = self._feed
        if isinstance(event, Settled) and self._outcomes.text:
            return make_visible(self._outcomes.text)
        sentence = narrate(event, before, feed.state)
        if sentence is None and feed.log.end > told:
            sentence = feed.log.entries[-1].sentence
        if sentence is not None:
            return make_visible(sentence.text)
        if isinstance(event, Call):
            failed = f" with {event.error}" if event.error else ""
            return make_visible(
                f"{name_process(feed.state, event.pid, event.tid)} is back from"
                f" {event.name}{failed}"
            )
        return "All is at rest" if isinstance(event, Settled) else "The state changed"


def _up_to(stream: Iterator[Event], n: int) -> Iterator[Event]:
    """The next events, up to the one of this number."""
    for event in stream:
        yield event
        if event.n >= n:
            return


async def _draw_frame(app: App[None]) -> list[str]:
    """The frame after a new view, once nothing follows from it any more.

    One layout can ask for another one: a strip grows, the picture gets less room, is drawn anew,
    and needs no scroll bars. Nothing of that waits for time to pass: each round ends when every
    widget has done what it was told to.
    """
    async with asyncio.timeout(_SECONDS):
        frame: list[str] = []
        same = 0
        while same < _ROUNDS:
            before = frame
            await _wait_for_round(app)
            frame = frame_of(app)
            same = same + 1 if frame == before else 0
    return frame


async def _wait_for_round(app: App[None]) -> None:
    """Wait until every widget has taken all messages that it had, and the screen has been laid out
    and drawn.
    """
    widgets = [app.screen, *app.screen.walk_children()]
    left = len(widgets)
    done = asyncio.Event()

    def one() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    for widget in widgets:
        if not widget.call_later(one):
            one()
    await done.wait()
    drawn = asyncio.Event()
    app.screen.call_after_refresh(drawn.set)
    await drawn.wait()
