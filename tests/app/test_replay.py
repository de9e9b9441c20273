"""A kept trace in the app, what is kept of a live one, and where it is written to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from ipcviz.app.app import IpcvizApp
from ipcviz.app.bars import StatusLine
from ipcviz.app.keeping import record_session
from ipcviz.app.panels import LogPanel, StoryPanel
from ipcviz.app.screens.save import SaveScreen, default_name
from ipcviz.events import Finished
from ipcviz.scenario import find_scenario
from ipcviz.scenario.kept import meta_of, scenario_of, sources_of
from ipcviz.session.kept import KeptSession, LinesSession
from ipcviz.trace import TraceReader, TraceWriter
from tests import fakes


def kept(path: Path, events, **options) -> Path:
    writer = TraceWriter(path, **options)
    writer.add(events)
    writer.close()
    return path


@asynccontextmanager
async def showing(session, scenario=None, recorder=None):
    app = IpcvizApp(session, "the title", scenario, clock=fakes.FrozenClock(), recorder=recorder)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        app._timer.pause()
        for _ in range(3):
            app.run_frame()
            await pilot.pause()
        yield app, pilot
    session.close()


def text(app, panel) -> str:
    return "\n".join(row.text for row in app.live.query_one(panel).all_rows())


async def test_a_kept_trace_is_shown_at_its_end(tmp_path):
    path = kept(tmp_path / "t", fakes.pipeline())
    async with showing(KeptSession(TraceReader(path))) as (app, pilot):
        assert app.feed.settled
        assert "gzip" in text(app, LogPanel)
        status = text(app, StatusLine)
        assert "TRACE" in status
        assert "exit 0" in status
        for key in "tldumsro":
            await pilot.press(key)
        await pilot.press("i", "K", "w")
        await pilot.pause()
        assert app.screen is app.live, "nothing can be told to, and nothing has to be written"


async def test_one_that_was_cut_off_says_so(tmp_path):
    events = [event for event in fakes.pipeline() if not isinstance(event, Finished)]
    path = kept(tmp_path / "t", events)
    async with showing(KeptSession(TraceReader(path))) as (app, _):
        assert app.feed.settled
        assert "before the command did" in app.feed.troubles[-1].message
        assert " live " not in text(app, StatusLine)


async def test_a_story_is_told_again(tmp_path):
    scenario = find_scenario("shell-pipeline")
    path = kept(
        tmp_path / "t", fakes.pipeline(), meta=meta_of(scenario), sources=sources_of(scenario)
    )
    reader = TraceReader(path)
    assert "scenario.toml" in reader.read_sources()
    found = scenario_of(reader.meta)
    assert found == scenario
    async with showing(KeptSession(reader), found) as (app, _):
        assert scenario.title in str(app.live.query_one(StoryPanel).border_title)


async def test_lines_from_elsewhere(tmp_path):
    reading, writing = os.pipe()
    session = LinesSession(os.fdopen(reading, "rb"))
    data = b"".join(msgspec.json.encode(event) + b"\n" for event in fakes.pipeline())
    os.write(writing, data)
    os.close(writing)
    async with showing(session) as (app, pilot):
        await until(pilot, lambda: session.finished or app.run_frame())
        app.run_frame()
        assert app.feed.state.finished
        assert session.argv == ("sh", "-c", "cat FILE | gzip -c9 > FILE.gz")


@pytest.mark.parametrize(
    ("data", "word"), [(b"", "no events"), (b"{}\n", "line 1"), (b"\xff\n", "line 1")]
)
def test_lines_that_are_none(tmp_path, data, word):
    file = tmp_path / "lines"
    file.write_bytes(data)
    session = LinesSession(file.open("rb"), "It")
    session.start()
    session._thread.join(10)
    (event,) = session.drain()
    assert word in event.message
    assert session.finished
    session.close()


async def until(pilot, done) -> None:
    deadline = time.monotonic() + 10
    while not done() and time.monotonic() < deadline:
        await pilot.pause(0.02)
    assert done()


async def test_what_was_seen_is_written_where_the_viewer_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorder = TraceWriter(tmp_path / "kept", reducing=False)
    session = fakes.FakeSession(fakes.pipeline()[:20])
    async with showing(session, recorder=recorder) as (app, pilot):
        await pilot.press("w")
        await pilot.pause()
        assert isinstance(app.screen, SaveScreen)
        app.screen.query_one("#name").value = "seen"
        await pilot.press("enter")
        await until(pilot, Path("seen").exists)
        with TraceReader("seen") as reader:
            assert list(reader.read_events()) == fakes.pipeline()[:20]
        Path("seen").write_text("mine")
        await pilot.press("w")
        await pilot.pause()
        app.screen.query_one("#name").value = "seen"
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, SaveScreen), "it asks before it replaces"
        assert Path("seen").read_text() == "mine"
        await pilot.press("enter")
        await until(pilot, lambda: Path("seen").read_bytes()[:6] == b"SQLite")
        await pilot.press("w", "escape")
        await pilot.pause()
        assert app.screen is app.live
        await pilot.press("w")
        await pilot.pause()
        app.screen.query_one("#name").value = "no/such/folder/x"
        await pilot.press("enter")
        await pilot.pause(0.2)
        assert app.screen is app.live
    recorder.close()


def test_names_for_files():
    assert default_name("sh -c 'x'").startswith("sh-")
    assert default_name("/usr/bin/make -j2").startswith("make-")
    assert default_name("").startswith("session-")
    assert "/" not in default_name("a/../../b c")


def test_a_temporary_trace_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with record_session(fakes.FakeSession(), "x", None, "") as recorder:
        assert recorder is not None
        recorder.add(fakes.pipeline())
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_a_temporary_trace_is_removed_when_we_are_killed(tmp_path):
    code = (
        "import os, sys, tempfile\n"
        "from ipcviz.app.keeping import record_session\n"
        "from tests import fakes\n"
        "tempfile.tempdir = sys.argv[1]\n"
        "with record_session(fakes.FakeSession(), 'x', None, '') as recorder:\n"
        "    recorder.add(fakes.pipeline())\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2], check=False
    )
    deadline = time.monotonic() + 10
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_asked_for_stays(tmp_path):
    with record_session(
        fakes.FakeSession(), "x", find_scenario("sleep-race"), str(tmp_path / "t")
    ) as recorder:
        recorder.add(fakes.sleep_race())
    with TraceReader(tmp_path / "t") as reader:
        assert len(list(reader.read_events())) == len(fakes.sleep_race())
        assert reader.meta["title"] == "x"
        assert "sleep_pause.c" in reader.read_sources()
