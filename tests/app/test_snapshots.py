"""A few whole screens, as SVG, at the two sizes that must read well."""

from __future__ import annotations

import pytest

from ipcviz.app.app import IpcvizApp
from tests import fakes


def showing(events, *keys: str, theme: str = "ipcviz-dark"):
    """An app over prepared events, and what to press before the picture is taken."""
    clock = fakes.FrozenClock()
    session = fakes.FakeSession(events)
    app = IpcvizApp(session, "sh -c 'cat FILE | gzip -c9 > FILE.gz'", clock=clock)

    async def before(pilot) -> None:
        await pilot.pause()
        app._timer.pause()
        app.theme = theme
        for _ in range(3):
            app.run_frame()
            while app.feed.behind:
                app.run_frame()
            await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await pilot.pause(0.1)

    return app, before


def flow():
    return fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow()])


@pytest.mark.parametrize("theme", ["ipcviz-dark", "ipcviz-light"])
def test_buffers_zoomed(snap_compare, theme):
    app, before = showing(flow(), "u", "z", theme=theme)
    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


def test_descriptors_of_cat_zoomed(snap_compare):
    app, before = showing(flow(), "d", "2", "z")
    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


def test_signals_zoomed(snap_compare):
    app, before = showing(fakes.sleep_race(), "s", "z")
    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


def test_proc_zoomed_wide(snap_compare):
    app, before = showing(flow(), "r", "z", theme="ipcviz-light")
    assert snap_compare(app, terminal_size=(130, 36), run_before=before)
