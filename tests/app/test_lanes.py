"""The lanes on the screen: the same moment as the picture's, by key, by mouse, at any size."""

from __future__ import annotations

import pytest

from ipcviz.app.panels.lanes import LanesPanel
from ipcviz.app.picture import Picture
from ipcviz.session.kept import KeptSession
from ipcviz.trace import TraceReader
from tests import fakes, stepped
from tests.app.test_replay import kept, showing
from tests.app.test_stepping import stage


def shown(app):
    return next((one for one in app.live.query(LanesPanel) if one.visible_now), None)


async def test_l_puts_the_lanes_in_the_picture_s_place_and_back(tmp_path):
    session = KeptSession(TraceReader(kept(tmp_path / "t", fakes.pipeline())))
    async with showing(session) as (app, pilot):
        assert shown(app) is None
        await pilot.press("L")
        await pilot.pause()
        lanes = shown(app)
        assert not app.live.query_one(Picture).display
        rows = [row.text for row in lanes.all_rows()]
        assert "gzip" in rows[0]
        assert sum(row.startswith(">") for row in rows) == 1
        await pilot.press("L")
        await pilot.pause()
        assert app.live.query_one(Picture).display


async def test_a_click_shows_that_moment_in_both_and_selects_the_process(tmp_path):
    session = KeptSession(TraceReader(kept(tmp_path / "t", fakes.pipeline())))
    async with showing(session) as (app, pilot):
        await pilot.resize_terminal(120, 36)
        await pilot.press("L")
        await pilot.pause()
        lanes = shown(app)
        assert app.live.query_one(Picture).display
        at = len(lanes._deeds) // 2
        deed = lanes._deeds[at]
        x = next(
            start
            for start, lane in zip(lanes._starts, lanes._lanes, strict=True)
            if deed.pid in lane.pids
        )
        offset = (x + lanes.gutter.left, at + 1 + lanes.gutter.top)
        assert await pilot.click(f"#{lanes.id}", offset=offset)
        await pilot.pause()
        assert app.live.view.state.n >= deed.n
        assert app.live.at == app.live.view.state.n
        assert app.live.view.pid == deed.pid
        (here,) = [row.text for row in lanes.all_rows() if row.text.startswith(">")]
        assert here.strip()
        before = app.live.at
        lanes.focus()
        await pilot.press("k")
        await pilot.pause()
        assert app.live.at < before
        await pilot.press("j")
        await pilot.pause()
        assert app.live.at == before


async def test_the_lanes_follow_the_steps():
    async with stage(stepped.pair()) as s:
        await s.press("L")
        count = None
        for _ in range(6):
            await s.press("n")
            await s.frame(0.1)
            lanes = shown(s.app)
            rows = lanes.all_rows()
            assert rows
            if lanes._deeds:
                assert rows[-1].text.startswith(">") or count is None
                count = len(lanes._deeds)
        assert count


@pytest.mark.parametrize("size", [(40, 10), (60, 12), (80, 24), (120, 36), (200, 60)])
async def test_every_size_shows_lanes_or_leaves_room(tmp_path, size):
    session = KeptSession(TraceReader(kept(tmp_path / "t", fakes.mmap_queue())))
    async with showing(session) as (app, pilot):
        await pilot.press("L")
        await pilot.resize_terminal(*size)
        await pilot.pause()
        await pilot.pause()
        lanes = shown(app)
        assert lanes is not None
        assert len(lanes.rows) <= max(2, lanes.size.height)
        await pilot.press("left", "left", "home", "end")
        await pilot.pause()
