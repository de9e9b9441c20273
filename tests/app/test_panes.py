"""Which panels stand beside the picture, what the bar names, what is said when all has ended."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.widgets import Static

from ipcviz.app.bars import PanelBar
from ipcviz.app.panels import Buffers, Proc, SignalsPanel, StoryPanel
from ipcviz.app.panels.registry import PANELS
from ipcviz.app.picture import Picture
from ipcviz.scenario import find_scenario
from tests import fakes, stepped
from tests.app.test_live import stage as show_events
from tests.app.test_stepping import stage
from tests.seen import see_story, tell_step

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
        assert not any(p.visible_now for p in s.app.live.query(Buffers))
        assert s.app.live.query_one("#side-proc", Proc).visible_now
        await s.press("u")
        assert s.app.live.panes.is_shown("buffers"), "its key shows it all the same"


@pytest.mark.parametrize("width", [60, 70, 80, 100, 120, 160])
async def test_every_panel_keeps_its_key_in_the_bar_at_every_width(width):
    async with stage(stepped.pair(), size=(width, 36)) as s:
        text = bar(s)
        names = [name for name in PANELS if name not in ("story", "findings")]
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


async def test_a_picture_that_needs_its_rows_has_the_story_beside_it():
    scenario = find_scenario("sleep-race")
    async with stage(stepped.pair(), size=(120, 36), scenario=scenario) as s:
        await show(s, reached=(0,))
        live = s.app.live
        below = live.query_one("#panels")
        assert below.display
        before = live.query_one(Picture).size.height
        live.panes.give_picture_room(70, 40)
        await show(s, reached=(0, 1))
        assert beside(s)[0] == "story"
        assert not below.display
        assert live.query_one(Picture).size.height >= 2 * before - 1
        assert live.query_one("#left").size.width == 70
        told = live.query_one("#side-story", StoryPanel)
        assert tell_step(scenario.story[1]) in see_story(told)
        # Another panel stands below the picture, the story stays; its key hides that panel again.
        await s.press("l")
        assert below.display
        assert live.panes.is_shown("log")
        assert beside(s)[0] == "story"
        await s.press("t")
        assert not below.display
        assert s.app.focused is told
        assert live.panes.shown is told
        # The lanes take the place of the panels, and leave the story.
        await s.press("L")
        await s.frame(0.1)
        assert told.visible_now
        await s.press("L", "P")
        await s.frame(0.1)
        assert below.display, "a presenter has the story below the picture"
        await s.press("P")
        await s.frame(0.1)
        assert told.visible_now


async def test_at_another_size_the_room_is_split_anew():
    scenario = find_scenario("sleep-race")
    async with stage(stepped.pair(), size=(120, 36), scenario=scenario) as s:
        await show(s, reached=(0,))
        s.app.live.panes.give_picture_room(70, 40)
        await show(s, reached=(0, 1))
        assert beside(s)[0] == "story"
        for size in ((80, 24), (130, 40)):
            await s.pilot.resize_terminal(*size)
            for _ in range(3):
                await s.frame(0.1)
            assert "story" not in beside(s) or not s.app.live.query_one("#side").display
            told = next(p for p in s.app.live.query(StoryPanel) if p.visible_now)
            assert tell_step(scenario.story[1]) in see_story(told)


async def test_a_panel_that_the_story_points_at_waits_until_it_has_something_to_say():
    scenario = find_scenario("sleep-race")
    step = replace(scenario.story[0], look=("semaphores",))
    scenario = replace(scenario, story=(step, *scenario.story[1:]))
    async with stage(stepped.pair(), size=(120, 36), scenario=scenario) as s:
        await show(s, reached=(0,))
        assert "semaphores" not in beside(s)
