"""Making a cast of a trace: the app, drawn into memory, step by step, with a clock of its own.

Nothing here depends on real time, so the same trace makes the same bytes however busy the machine
is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Final

import msgspec
from textual.app import App
from textual.content import Content
from textual.widgets import Footer, Static

from ipcviz import __version__
from ipcviz.app.app import IpcvizApp
from ipcviz.app.capture import frame_of, make_look
from ipcviz.app.feed import Feed
from ipcviz.app.text import clip_text, make_visible
from ipcviz.app.themes import DARK, LIGHT
from ipcviz.events import AnyCommand, Call, Event, Settled
from ipcviz.export import CastWriter
from ipcviz.export.names import Names
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps.moments import is_moment
from ipcviz.narrate import name_process, narrate
from ipcviz.narrate.steps import Outcomes
from ipcviz.scenario import Scenario
from ipcviz.trace import TraceError

THEMES: Final = {"dark": DARK, "light": LIGHT}
MOST_STEPS: Final = 500
"""Steps of one cast: some 5 MB at 80x24, and more than anybody goes through in a lesson."""
_LOOK_BACK: Final = 64
"""Among so many steps before it one may be repeated by a step."""
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
    """

    width: int = 80
    height: int = 24
    hold: float = 2.0
    theme: str = "dark"
    first: int = 1
    last: int = 0


class CastReport(msgspec.Struct, frozen=True):
    """What became of it.

    Attributes:
        steps: Steps that the trace has.
        shown: Numbers of those that are in the cast, from 1.
        left_out: Steps among those that were wanted that are not in it because they only repeat
            others.
        rest: Number of the first step that had no room; 0 if all had.
    """

    steps: int
    shown: tuple[int, ...] = ()
    left_out: int = 0
    rest: int = 0


class CastStep(msgspec.Struct, frozen=True):
    """A step: the number of its event, and whether it says the same as one shortly before it."""

    n: int
    repeats: bool = False


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


def steps_of(events: Iterable[Event]) -> list[CastStep]:
    """Where a viewer would stop.

    Raises:
        TraceError: An event makes no sense.
    """
    state, outcomes = State(), Outcomes(narrate)
    found: list[CastStep] = []
    said: deque[str] = deque(maxlen=_LOOK_BACK)
    for event in events:
        before, state = state, _reduce_event(state, event)
        outcomes.add_event(event, before, state)
        if is_moment(event, before, state):
            group = _name_group(event, before, state, outcomes)
            found.append(CastStep(event.n, bool(group) and group in said))
            said.append(group)
    return found


def _reduce_event(state: State, event: Event) -> State:
    try:
        return reduce(state, event)
    except Exception:  # noqa: BLE001 - an event that makes no sense can break anything, and is not ours
        raise TraceError(f"The trace is damaged: event {event.n} makes no sense.") from None


def _name_group(event: Event, before: State, after: State, outcomes: Outcomes) -> str:
    """What a step shares with those that say the same; empty if it is one of its kind."""
    if isinstance(event, Settled):
        return outcomes.text
    sentence = narrate(event, before, after)
    return sentence.group if sentence is not None else "returns"


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
) -> CastReport:
    """Make a cast of a stream.

    Args:
        events: Gives the stream from its first event on; called twice.
        file: Where to.
        wanted: What it is to be like.
        title: What is shown, for the status line.
        argv: The command.
        scenario: The scenario, if it was one.

    Returns:
        Which steps are in it; nothing was written if there are none.

    Raises:
        TraceError: The stream can't be read, or makes no sense.
    """
    steps = steps_of(events())
    made = choose_steps(steps, wanted)
    if not made.shown:
        return made
    about = {"version": __version__, "theme": wanted.theme}
    if scenario is not None:
        about["scenario"] = scenario.name
    look = make_look(THEMES[wanted.theme])
    writer = CastWriter(
        file, wanted.width, wanted.height, title=make_visible(title), look=look, about=about
    )
    asyncio.run(
        _Casting(writer, wanted, made, title, tuple(argv), scenario).write_frames(events(), steps)
    )
    return made


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
        self._outcomes = Outcomes(narrate)
        feed = self._app.feed
        assert isinstance(feed, Feed)
        self._feed = feed
        self._app.live.pace.patient = True

    async def write_frames(self, events: Iterable[Event], steps: Sequence[CastStep]) -> None:
        """Write every frame."""
        app, wanted, made = self._app, self._wanted, self._made
        stream = Names().rename_events(events)
        app.theme = THEMES[wanted.theme].name
        async with app.run_test(size=(wanted.width, wanted.height)):
            caption = Static(id="caption")
            await app.live.query(Footer).remove()
            await app.live.mount(caption)
            label, number, t = "before the first step", wanted.first - 1, 0.0
            for place in range(max(0, number - 2), number):
                self._feed.clear_marks()
                label = self._feed_events(_up_to(stream, steps[place].n))
            await self._write_frame(caption, number, label, t)
            for number in made.shown:
                self._feed.clear_marks()
                label = self._feed_events(_up_to(stream, steps[number - 1].n))
                t += wanted.hold
                await self._write_frame(caption, number, label, t, chapter=True)
            self._writer.write_end(t + wanted.hold)

    async def _write_frame(
        self, caption: Static, number: int, label: str, t: float, *, chapter: bool = False
    ) -> None:
        """Write what is to be seen now, as a chapter if it is a step."""
        app = self._app
        place = f" {number}/{self._made.steps} "
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
