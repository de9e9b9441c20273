"""Recording what the app shows, as it is shown."""

from __future__ import annotations

import errno
import io
import itertools
import os
from contextlib import asynccontextmanager

import pyte
import pytest

from ipcviz.app import recording
from ipcviz.app.app import IpcvizApp
from ipcviz.app.bars import StatusLine
from ipcviz.app.recording import Recording, RecordingError
from ipcviz.app.screens.save import SaveScreen
from ipcviz.app.textual_internals import dirty_regions
from ipcviz.export import check_cast, read_cast
from tests import fakes
from tests.seen import texts_of


class NoSpace(io.BytesIO):
    """A file on a disk that has become full."""

    def flush(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Clock:
    def __init__(self):
        self.t = 100.0

    def __call__(self):
        return self.t


@asynccontextmanager
async def showing(events=(), size=(80, 24)):
    app = IpcvizApp(fakes.FakeSession(events), "the title", clock=fakes.FrozenClock())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app._timer.pause()
        await settle(app, pilot)
        yield app, pilot


async def settle(app, pilot):
    for _ in range(2):
        app.run_frame()
        await pilot.pause()


def last_screen(path):
    cast = read_cast(path)
    screen = pyte.Screen(cast.width, cast.height)
    stream = pyte.Stream(screen)
    for event in cast.events:
        if event.code == "r":
            columns, rows = map(int, event.data.split("x"))
            screen.resize(rows, columns)
        elif event.code == "o":
            stream.feed(event.data)
    return list(screen.display)


async def test_what_is_shown_is_recorded_with_its_time_and_its_words(tmp_path):
    clock = Clock()
    async with showing() as (app, pilot):
        made = Recording(app, tmp_path / "x", "the title", clock)
        made.capture_screen(app.live.view)
        made.capture_screen(app.live.view)
        app.session.feed(*fakes.pipeline()[:20])
        await settle(app, pilot)
        clock.t += 3
        made.capture_screen(app.live.view)
        shown = texts_of(app)
        assert last_screen(tmp_path / "x") == shown, "what was written so far is a cast already"
        await pilot.press("question_mark")
        await pilot.pause()
        clock.t += 0.1
        made.capture_screen(app.live.view)
        assert last_screen(tmp_path / "x") == texts_of(app) != shown
        clock.t += 1
        made.end()
        made.end()
        log = [row.text for row in app.live.query_one("#log").all_rows()]
    cast = check_cast(tmp_path / "x")
    frames = [event for event in cast.events if event.code == "o"]
    assert [round(event.t, 3) for event in frames] == [
        0.0,
        3.0,
        3.1,
        4.1,
    ], "what did not change was not written again"
    (marker,) = [event for event in cast.events if event.code == "m"]
    assert marker.t == 3.0
    assert any(marker.data in row for row in log)


async def test_chapters_do_not_come_faster_than_one_can_follow(tmp_path):
    clock = Clock()
    async with showing() as (app, pilot):
        made = Recording(app, tmp_path / "x", clock=clock)
        for event in fakes.pipeline()[:16]:
            app.session.feed(event)
            await settle(app, pilot)
            clock.t += 0.2
            made.capture_screen(app.live.view)
        made.end()
    times = [event.t for event in read_cast(tmp_path / "x").events if event.code == "m"]
    assert len(times) > 2
    assert all(b - a >= recording.BETWEEN - 1e-6 for a, b in itertools.pairwise(times))


async def test_another_size(tmp_path):
    async with showing(fakes.pipeline()[:20]) as (app, pilot):
        made = Recording(app, tmp_path / "x", clock=Clock())
        made.capture_screen(None)
        await pilot.resize_terminal(100, 30)
        while app.screen.size != (100, 30):
            await pilot.pause()
        made.capture_screen(None)
        made.end()
        assert last_screen(tmp_path / "x") == texts_of(app)
    assert [event.data for event in check_cast(tmp_path / "x").events if event.code == "r"] == [
        "100x30"
    ]


async def test_the_terminal_still_gets_what_changed(tmp_path):
    """Taking a frame must not make the screen believe that it has been drawn."""
    async with showing() as (app, _pilot):
        dirty_regions(app).add(app.screen.region)
        before = set(dirty_regions(app))
        assert before
        made = Recording(app, tmp_path / "x")
        made.capture_screen(None)
        assert dirty_regions(app) >= before
        made.end()


async def test_the_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with showing(fakes.pipeline()[:10]) as (app, pilot):
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(app.screen, SaveScreen)
        assert app.screen.proposed.endswith(".cast")
        app.screen.query_one("#name").value = "x.cast"
        await pilot.press("enter")
        await pilot.pause()
        assert app.camera.recording is not None
        title = app.live.query_one(StatusLine)
        app.camera._capture_screen()
        assert "REC the title" in title.row_at(0).text
        await pilot.press("R")
        await pilot.pause()
        assert app.camera.recording is None
        assert "REC" not in title.row_at(0).text
        check_cast("x.cast")
        await pilot.press("R", "escape")
        await pilot.pause()
        assert app.camera.recording is None
        await pilot.press("R")
        await pilot.pause()
        app.screen.query_one("#name").value = "no/such/place"
        await pilot.press("enter")
        await pilot.pause()
        assert app.camera.recording is None
        await pilot.press("R")
        await pilot.pause()
        app.screen.query_one("#name").value = "left.cast"
        await pilot.press("enter")
        await pilot.pause()
        app.camera._capture_screen()
    assert check_cast("left.cast").duration > 0, "leaving completes it"


async def test_a_full_disk_and_a_full_recording(tmp_path, monkeypatch):
    async with showing() as (app, _pilot):
        made = Recording(app, tmp_path / "full")
        assert made._output is not None
        made._output.file = NoSpace()
        with pytest.raises(RecordingError, match="No space"):
            made.capture_screen(None)
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(RecordingError, match="is a FIFO"):
            Recording(app, tmp_path / "fifo")
        monkeypatch.setattr(recording, "MOST_BYTES", 1000)
        made = Recording(app, tmp_path / "x")
        with pytest.raises(RecordingError, match="full"):
            made.capture_screen(None)
        made.capture_screen(None)
    check_cast(tmp_path / "x")
