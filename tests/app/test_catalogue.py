"""Choosing a scenario, and its story on the main screen."""

from __future__ import annotations

import re

import pytest
from textual.widgets import OptionList

from ipcviz.app.app import IpcvizApp
from ipcviz.app.catalogue import Catalogue
from ipcviz.app.feed import Feed
from ipcviz.app.panels import StoryPanel
from ipcviz.scenario import find_scenario, load_all
from tests import fakes
from tests.seen import texts_of


async def test_search_and_start_by_keys():
    app = Catalogue(load_all())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("slash", *"lost wake", "enter")
        await pilot.pause()
        assert app.chosen is not None
        assert app.chosen.name == "sleep-race"
        await pilot.press("enter")
    assert app.return_value is not None
    assert app.return_value.scenario.name == "sleep-race"
    assert app.return_value.variant == "py"


async def test_a_scenario_takes_one_row_and_it_is_in_sight_how_it_is_run():
    app = Catalogue(load_all())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        rows = texts_of(app)
    assert any(re.search(r"pipe-fork +8 min", row) for row in rows), rows
    assert any("Enter runs it: 8 minutes" in row for row in rows), rows


async def test_the_order_is_chosen_among_those_of_the_variant():
    app = Catalogue(load_all())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"lost wake", "enter", "o")
        await pilot.pause()
        assert "> step by step: the wake-up is lost" in str(app.query_one("#text").content)
        await pilot.press("v", "v")
        assert app.variants["sleep-race"] == "py-sigsuspend"
        assert app.order_of(app.chosen) == "step by step: the lesson's order, or as you choose"
        await pilot.press("o", "o")
        assert app.order_of(app.chosen).startswith("live")
        await pilot.press("o", "o", "enter")
    assert app.return_value.schedule == "mended"
    assert not app.return_value.live


async def test_lessons_have_their_minutes_and_what_was_run_is_marked():
    scenarios = load_all()
    app = Catalogue(scenarios, finished=["sleep-race"])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        rows = [str(option.prompt) for option in app.query_one(OptionList).options]
        names = [row[2:].split()[0] for row in rows if row[:2] in ("  ", "* ")]
        assert names == [scenario.name for scenario in scenarios]
        signals = sum(s.minutes for s in scenarios if s.topic == "signals")
        (heading,) = [row for row in rows if row.startswith("Signals")]
        assert heading.split() == ["Signals", str(signals), "min"]
        assert [row.split()[1] for row in rows if row.startswith("*")] == ["sleep-race"]
        await pilot.press("slash", *"lost wake", "enter")
        await pilot.pause()
        assert "it was run here before" in str(app.query_one("#text").content)


async def test_nothing_found_starts_nothing():
    app = Catalogue(load_all())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"[/nosuch", "enter", "enter")
        await pilot.pause()
        assert app.chosen is None
        await pilot.press("escape")
        assert app.chosen is not None


async def test_a_variant_that_cannot_run_here_says_why(monkeypatch):
    monkeypatch.setattr(
        "ipcviz.app.catalogue.explain_missing",
        lambda s, v: "no C compiler" if v.startswith("c") else "",
    )
    app = Catalogue(load_all())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("slash", *"lost wake", "enter", "v")
        await pilot.pause()
        assert app.variants["sleep-race"] == "c"
        assert "not here: no C compiler" in str(app.query_one("#text").content)
        await pilot.press("enter")
        await pilot.pause()
        assert app.return_value is None
        assert app.is_running


@pytest.mark.parametrize("size", [(20, 5), (10, 3), (40, 10), (200, 60)])
async def test_any_size(size):
    app = Catalogue(load_all())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        first = app.chosen
        assert first is not None
        await pilot.press("j")
        assert app.chosen not in (None, first)
        await pilot.press("k")
        assert app.chosen == first
        variants = list(first.variants)
        assert app.variants[first.name] == first.default_variant
        await pilot.press("v")
        following = (variants.index(first.default_variant) + 1) % len(variants)
        assert app.variants[first.name] == variants[following]


async def test_story_follows_the_events_and_names_objects():
    scenario = find_scenario("shell-pipeline")
    clock = fakes.FrozenClock()
    session = fakes.FakeSession(fakes.pipeline())
    app = IpcvizApp(session, "shell-pipeline", scenario, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app._timer.pause()
        app.run_frame()
        await pilot.pause()
        panel = app.live.query_one(StoryPanel)
        assert app.focused is panel
        assert scenario.title in str(panel.border_title)
        story = app.live.view.story
        assert story is not None
        assert story[1].reached or story[1].skipped


def test_a_scenario_names_its_objects_in_the_state():
    scenario = find_scenario("shell-pipeline")
    feed = Feed(fakes.FakeSession(fakes.pipeline()), fakes.FrozenClock(), scenario)
    feed.pump(10)
    names = {label.name for label in scenario.objects}
    shown = {thing.label for thing in feed.state.objects.values()}
    assert not names or names & shown
