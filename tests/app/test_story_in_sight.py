"""The story's current step is wholly in sight, whatever is told, at every size."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ipcviz.app.panels import StoryPanel
from ipcviz.app.picture import Picture
from ipcviz.app.strip import StepStrip
from ipcviz.scenario import Progress, Skip, find_scenario
from tests import stepped
from tests.app.test_stepping import stage
from tests.seen import see_story, tell_step

SIZES = ((80, 24), (100, 30), (120, 36))
LONG = ("mmap-queue", "shell-pipeline")
"""Stories of many parts; those of all scenarios are told in test_every_step."""


async def show(s, progress):
    s.app.feed.story.progress = progress
    s.app.live.timeline.show_present(s.app.feed.make_view())
    await s.pilot.pause()
    await s.pilot.pause()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", LONG)
async def test_every_step_of_a_scenario_is_told_whole_and_moves_nothing(name, size):
    scenario = find_scenario(name)
    async with stage(stepped.pair(), size=size, scenario=scenario) as s:
        heights = set()
        for place, step in enumerate(scenario.story):
            told = tuple(range(place + 1))
            await show(s, Progress(reached=told))
            assert tell_step(step) in see_story(s.panel(StoryPanel)), step.id
            heights.add(s.app.live.query_one(Picture).size.height)
        assert len(heights) == 1
        assert min(heights) >= 9


async def test_what_a_run_has_passed_over_is_told_at_its_end_and_not_before():
    scenario = find_scenario("sleep-race")
    asleep = "Nobody was asleep, and nobody was woken. " * 4  # more than there is room for
    skipped = (Skip(1, "It is not blocked."), Skip(5, asleep))
    rest = tuple(n for n in range(len(scenario.story)) if n not in (1, 5))
    async with stage(stepped.pair(), scenario=scenario) as s:
        await show(s, Progress(reached=rest[:-1], skipped=skipped))
        assert "Blocked" not in see_story(s.panel(StoryPanel))
        await show(s, Progress(reached=rest, skipped=skipped))
        assert see_story(s.panel(StoryPanel)).endswith("Not in this run: Blocked; Woken")
        assert tell_step(scenario.story[rest[-1]]) in see_story(s.panel(StoryPanel))
        await s.press("z")
        await s.pilot.pause()
        assert "Blocked: It is not blocked." in see_story(s.panel(StoryPanel))


async def test_a_step_that_was_scrolled_away_comes_back_with_the_next_one_and_a_resize():
    scenario = find_scenario("shell-pipeline")
    longest = max(range(len(scenario.story)), key=lambda n: len(scenario.story[n].text))
    async with stage(stepped.pair(), size=(120, 36), scenario=scenario) as s:
        await show(s, Progress(reached=(*range(longest), longest)))
        panel = s.panel(StoryPanel)
        panel.scroll_to(y=0, animate=False, immediate=True, force=True)
        await s.pilot.resize_terminal(80, 24)
        for _ in range(4):
            await s.frame()
        assert tell_step(scenario.story[longest]) in see_story(s.panel(StoryPanel))
        panel.scroll_to(y=0, animate=False, immediate=True, force=True)
        await s.press("n")
        await s.frame(0.1)
        await s.frame(0.1)
        assert tell_step(scenario.story[longest]) in see_story(s.panel(StoryPanel))


async def test_a_story_longer_than_the_screen_begins_with_its_heading():
    scenario = find_scenario("sleep-race")
    long = replace(scenario.story[0], text="many words " * 300)
    async with stage(stepped.pair(), scenario=replace(scenario, story=(long,))) as s:
        await show(s, Progress(reached=(0,)))
        assert see_story(s.panel(StoryPanel)).startswith(long.title)
        assert s.app.live.query_one(Picture).size.height >= 4
        assert s.panel(StepStrip).size.height == 3
