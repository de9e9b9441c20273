"""Every theme can be read, with all colours, with sixteen, with none; the presenter's size."""

from __future__ import annotations

import pytest
from rich.color import ColorSystem
from rich.terminal_theme import DEFAULT_TERMINAL_THEME

from ipcviz.app.app import IpcvizApp
from ipcviz.app.panels import StoryPanel
from ipcviz.app.panels.styles import PanelScreen
from ipcviz.app.picture import Picture
from ipcviz.app.themes import CONTRAST_DARK, DARK, LIGHT, OURS
from ipcviz.scenario import find_scenario
from tests import stepped
from tests.app.test_stepping import stage

# Frames and lines; they say nothing that is not said in words, too.
_LINES = {
    "picture--child", "picture--hold", "picture--tube", "picture--fill", "picture--full",
    "picture--memory", "picture--semaphore", "picture--signal", "picture--end",
}  # fmt: skip


def luminance(colour):
    def part(value):
        value /= 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return 0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2])


def contrast(style, system=None):
    """As WCAG 2 counts it: from 1 to 21."""
    colours = []
    for colour in (style.color, style.bgcolor):
        if system is not None:
            colour = colour.downgrade(system)
        colours.append(luminance(colour.get_truecolor(DEFAULT_TERMINAL_THEME)))
    high, low = max(colours), min(colours)
    return (high + 0.05) / (low + 0.05)


async def styles_of(theme):
    async with stage(stepped.pair()) as s:
        s.app.theme = theme
        await s.pilot.pause()
        await s.pilot.pause()
        picture = s.app.live.query_one(Picture)
        panel = s.panel(StoryPanel)
        found = {
            name: picture.get_visual_style(name).rich_style for name in Picture.COMPONENT_CLASSES
        }
        names = [name.removeprefix("panel--") for name in PanelScreen.COMPONENT_CLASSES]
        found |= {f"panel--{name}": panel.make_style(name) for name in names}
        return found


@pytest.mark.parametrize("theme", [theme.name for theme in OURS])
async def test_words_can_be_read_in_every_theme(theme):
    least = 7.0 if "contrast" in theme else 4.0
    poor = {}
    for name, style in (await styles_of(theme)).items():
        wanted = least if name not in _LINES else 2.5
        if (
            "gauge" in name
            or "share" in name
            or "lit" in name
            or "chip" in name
            or name == "panel--bad"
        ):
            wanted = min(wanted, 3.0)
        if contrast(style) < wanted:
            poor[name] = contrast(style)
    assert not poor


@pytest.mark.parametrize("theme", [theme.name for theme in OURS])
async def test_sixteen_colours_are_enough(theme):
    styles = await styles_of(theme)
    poor = {
        name: found
        for name, style in styles.items()
        if (found := contrast(style, ColorSystem.STANDARD)) < 1.5 and name not in _LINES
    }
    assert not poor


async def test_no_colour_at_all_leaves_letters_and_marks(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(stepped.pair()) as s:
        assert s.app.no_color
        await s.press("n")
        await s.frame(0.1)
        shown = s.screen_text()
        assert " H " in shown


async def test_t_goes_through_the_themes():
    async with stage(stepped.pair()) as s:
        seen = [s.app.theme]
        for _ in range(len(OURS)):
            await s.press("T")
            seen.append(s.app.theme)
        assert seen == [*(theme.name for theme in OURS), DARK.name]
        assert s.app.live.has_class("-contrast") is False


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 10)])
async def test_the_presenters_size_gives_the_picture_its_room_and_back(size):
    scenario = find_scenario("shell-pipeline")
    async with stage(stepped.pair(), size=size, scenario=scenario) as s:
        before = s.app.live.query_one(Picture).size
        await s.press("P")
        await s.frame(0.1)
        await s.pilot.pause()
        assert s.app.theme == CONTRAST_DARK.name
        assert s.app.live.has_class("-contrast")
        assert not s.app.live.query_one("#side").display
        assert not s.app.live.query_one("#panel-bar").display
        picture = s.app.live.query_one(Picture)
        assert picture.size.width >= before.width
        assert picture.size.height >= before.height
        assert s.panel(StoryPanel).visible_now
        await s.press("P")
        await s.frame(0.1)
        await s.pilot.pause()
        assert s.app.theme == DARK.name
        assert s.app.live.query_one(Picture).size == before


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_no_row_of_the_presenters_screen_is_left_empty_below_the_panel(size):
    async with stage(stepped.pair(), size=size) as s:
        await s.press("P")
        await s.frame(0.1)
        await s.pilot.pause()
        panels = s.app.live.query_one("#panels")
        assert panels.region.bottom == size[1]
        assert s.app.live.query_one(Picture).region.bottom == panels.region.y


async def test_another_theme_stays_as_it_is_for_a_projector():
    async with stage(stepped.pair()) as s:
        s.app.theme = LIGHT.name
        await s.press("P")
        assert s.app.theme == "ipcviz-contrast-light"
        assert isinstance(s.app, IpcvizApp)
