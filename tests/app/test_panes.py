"""Which panels stand beside the picture, what the bar names, what is said when all has ended."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.widgets import Static

from ipcviz.app.bars import PanelBar
from ipcviz.app.panels import Buffers, Proc, SignalsPanel
from ipcviz.app.panels.registry import PANELS
from ipcviz.scenario import find_scenario
from tests import fakes, stepped
from tests.app.test_live import stage as show_events
from tests.app.test_stepping import stage

USUAL = ["descriptors", "buffers", "proc"]


def beside(s):
    side = s.app.live.query_one("#side")
    return [child.id.removeprefix("side-") for child in side.children if child.display]


def bar(s):
    return s.app.live.query_one(PanelBar).all_rows()[0].text


async def show(s, **changes):
    s.app.feed.story.progress = replace(s.app.feed.story.progress, **changes)
    s.app.live.timeline.show_present(s.app.feed.make_view())
    for _ in range(3):
        await s.pilot.pause()


async def test_the_story_chooses_what_stands_beside_the_picture_and_lights_it():
    scenario = find_scenario("sleep-race")
    async with stage(stepped.sleeper(), size=(120, 36), scenario=scenario) as s:
        await show(s, reached=(0,))
        assert beside(s)[0] == "signals"
        assert not {"descriptors", "buffers"} & set(beside(s))
        panel = s.app.live.query_one("#side-signals", SignalsPanel)
        assert panel.has_class("-pointed")
        assert panel.visible_now
        assert "caught" in panel.all_rows()[0].text
        assert "*s Sig" in bar(s)


async def test_a_story_that_points_at_no_panel_leaves_the_usual_ones():
    scenario = find_scenario("sleep-race")
    step = replace(scenario.story[0], look=("picture", "output"))
    scenario = replace(scenario, story=(step, *scenario.story[1:]))
    async with stage(stepped.pair(), size=(120, 36), scenario=scenario) as s:
        await show(s, reached=(0,))
        assert beside(s) == ["proc"]
    events = fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow()])
    async with show_events(events, size=(120, 36)) as s:
        assert beside(s) == USUAL


async def test_a_panel_that_has_nothing_to_say_is_not_shown():
    async with stage(stepped.sleeper(), size=(120, 36)) as s:
        assert beside(s) == ["proc"]
        assert not s.app.live.query_one("#side-buffers", Buffers).visible_now
        assert s.app.live.query_one("#side-proc", Proc).visible_now
        await s.press("u")
        assert s.app.live.panes.is_shown("buffers"), "its key shows it all the same"


@pytest.mark.parametrize("width", [60, 70, 80, 100, 120, 160])
async def test_every_panel_keeps_its_key_in_the_bar_at_every_width(width):
    async with stage(stepped.pair(), size=(width, 36)) as s:
        text = bar(s)
        names = [name for name in PANELS if name != "story" and not PANELS[name].rare]
        for name in names:
            assert f" {PANELS[name].key} " in f"{text} " or f"[{PANELS[name].key} " in text
        assert "[l Log]" in text
        assert len(text) <= s.app.live.query_one(PanelBar).size.width


async def test_when_all_has_ended_one_sentence_sums_it_up():
    async with show_events(fakes.pipeline(), size=(80, 24)) as s:
        for _ in range(3):
            await s.frame(0.1)
        said = s.app.live.query_one("#summary", Static)
        assert said.display
        assert "went through 1 pipe" in str(said.content)
        assert "lead back" in str(said.content)
        await s.press("left")
        await s.frame(0.1)


async def test_nothing_is_summed_up_while_something_runs():
    async with stage(stepped.pair()) as s:
        assert not s.app.live.query_one("#summary", Static).display
