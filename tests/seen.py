"""What every panel shows of a view, as values to compare, and sessions whose moments lie apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from textual.app import App

from ipcviz.app.bars import ProcessBar
from ipcviz.app.feed import Feed
from ipcviz.app.panels import (
    Buffers,
    Descriptors,
    MemoryPanel,
    Panel,
    Proc,
    Semaphores,
    SignalsPanel,
    SourcePanel,
    StoryPanel,
)
from ipcviz.app.panels.buffers import BUFFERED
from ipcviz.app.panels.log import rows_of
from ipcviz.app.panels.output import OutputRows
from ipcviz.app.picture import graph
from ipcviz.app.textual_internals import compose_strips
from ipcviz.app.view import View
from ipcviz.events import Event
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps.moments import is_moment
from ipcviz.scenario import Scenario, Step
from ipcviz.trace import TraceWriter
from tests import fakes

PANELS: tuple[type[Panel], ...] = (
    *(
        Buffers,
        Descriptors,
        MemoryPanel,
        Proc,
        Semaphores,
        SignalsPanel,
        SourcePanel,
        StoryPanel,
        OutputRows,
        ProcessBar,
    ),
)
WIDTH = 100


def texts_of(app: App[Any]) -> list[str]:
    """The rows of the screen as plain text."""
    return [strip.text for strip in compose_strips(app)]


def see_story(panel: StoryPanel) -> str:
    """The words of the story's panel that are on the screen, each row without its margins."""
    region = panel.scrollable_content_region
    top = panel.scroll_offset.y
    rows = panel.all_rows()[top : top + region.height]
    return " ".join(" ".join(row.text.removeprefix("+ ").split()) for row in rows)


def tell_step(step: Step) -> str:
    """The words of a story's step, as `see_story` finds them."""
    return " ".join(f"{step.title} {step.text}".split())


def moments_of(events: Iterable[Event]) -> list[int]:
    """The numbers of the events that are moments."""
    found, state = [], State()
    for event in events:
        before, state = state, reduce(state, event)
        if is_moment(event, before, state):
            found.append(state.n)
    return found


def apart(events: Iterable[Event], seconds: float = 10.0) -> list[Event]:
    """The events, at rest so long after each moment that nothing is lit any more when the next one
    comes.
    """
    found: list[Event] = []
    state, t = State(), seconds
    for event in events:
        before = state
        moved = msgspec.structs.replace(event, t=t)
        state = reduce(before, moved)
        found.append(moved)
        if is_moment(moved, before, state):
            t += seconds
    return found


def seen(view: View) -> dict[str, Any]:
    """What each panel, the picture and the log make of a view, for every process and the first
    buffer in it.
    """
    buffers = sorted(
        key for key, thing in view.state.objects.items() if thing.info.kind in BUFFERED
    )
    found: dict[str, Any] = {}
    for pid in sorted(view.state.processes) or [0]:
        chosen = view.select(pid, buffers[0] if buffers else "")
        for kind in PANELS:
            panel = kind()
            rows = [row() if callable(row) else row for row in panel.build_rows(chosen, WIDTH)]
            found.setdefault(kind.__name__, []).append((panel.title_of(chosen), rows))
    entries = view.log.list_since(0)[: view.log_end]
    found["Log"] = [rows_of(entry, WIDTH) for entry in entries]
    found["Picture"] = graph.build_scene(view.state, lit=view.lit, size=(WIDTH, 20))
    found["state"] = msgspec.structs.replace(view.state, changed=())
    return found


def live_views(
    events: Iterable[Event],
    scenario: Scenario | None = None,
    recorder: TraceWriter | None = None,
    wanted: Collection[int] | None = None,
) -> tuple[Feed, dict[int, dict[str, Any]]]:
    """A feed over a session that stops at each moment, and what was to be seen there, by the
    moment's number.

    `wanted` are the moments to look at; None for all.
    """
    session, clock = fakes.FakeSession(), fakes.FrozenClock()
    feed = Feed(session, clock, scenario, recorder)
    found: dict[int, dict[str, Any]] = {}
    group: list[Event] = []
    events = list(events)
    stops = set(moments_of(events))
    for event in events:
        group.append(event)
        if event.n in stops:
            session.feed(*group)
            clock.now = 100.0 + event.t
            feed.pump(10)
            if wanted is None or event.n in wanted:
                found[event.n] = seen(feed.make_view())
            group = []
    return feed, found
