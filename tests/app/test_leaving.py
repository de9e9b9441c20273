"""The end of the app."""

from __future__ import annotations

import tempfile

import pytest
from textual.app import App

from ipcviz.app.app import IpcvizApp
from ipcviz.app.bars import StatusLine
from ipcviz.app.base import BaseApp
from ipcviz.app.questions import Questions, Tally
from ipcviz.app.screens import panes
from ipcviz.app.screens.help import HelpScreen
from ipcviz.app.screens.modals import BlankScreen, TroubleScreen
from ipcviz.app.screens.question import QuestionScreen, QuestionsScreen
from ipcviz.app.screens.running import SlowScreen
from ipcviz.app.screens.save import SaveScreen
from ipcviz.app.textual_internals import fail_app, read_size, set_running
from ipcviz.scenario import find_scenario
from ipcviz.sizes import MOST_COLUMNS, MOST_ROWS, terminal_size
from tests import fakes
from tests.app.test_live import stage

QUESTION = find_scenario("sleep-race").questions[0]


async def test_no_frame_is_shown_while_the_screen_is_taken_apart() -> None:
    """Its timer may still go off then: what it would draw on is gone."""
    async with stage(fakes.sleep_race()) as s:
        await s.app.live.query(StatusLine).remove()
        set_running(s.app, False)
        s.app._unseen, s.app._frame_at = True, 0.0
        s.app._run_paced_frame()
        set_running(s.app, True)
        s.app._timer.stop()


async def test_what_was_put_off_is_dropped_where_the_viewer_has_left(monkeypatch) -> None:
    """The panels come after the first screen. Who leaves in between leaves nothing to mount on."""
    monkeypatch.setattr(panes, "_PAINTED", 1e6)
    async with stage(fakes.sleep_race(), size=(120, 36)) as s:
        view = s.app.live.view
        s.app.exit()
        assert not s.app.live.panes.mount_others()
        s.app.live.panes._whole = True
        s.app.live.view = view
        assert not s.app.live.query("#side > *")


async def test_a_signal_may_come_while_the_screen_is_mounted(monkeypatch) -> None:
    """The app ends before its first frame, and shows none."""
    app = IpcvizApp(fakes.FakeSession(fakes.sleep_race(), argv=("sleep",)), "sleep")
    shown = []
    monkeypatch.setattr(app, "run_frame", lambda **_: shown.append(True))
    push = app.push_screen

    def push_and_leave(screen):
        mounted = push(screen)
        app.exit()
        return mounted

    monkeypatch.setattr(app, "push_screen", push_and_leave)
    async with app.run_test():
        pass
    assert shown == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: HelpScreen(None, ()),
        SlowScreen,
        lambda: SaveScreen("x"),
        lambda: TroubleScreen("x"),
        lambda: QuestionScreen(QUESTION, Tally(len(QUESTION.choices)), Questions()),
        lambda: QuestionsScreen(Questions(), 3),
        BlankScreen,
    ],
    ids=("help", "slow", "save", "trouble", "question", "questions", "blank"),
)
async def test_a_screen_is_left_before_anything_is_in_it(make, monkeypatch) -> None:
    """Help, Escape and ctrl+q in one breath: it is mounted while it is being taken apart, and
    composes nothing.
    """
    async with stage(fakes.sleep_race()) as s:
        screen = make()
        monkeypatch.setattr(type(screen), "compose", lambda _self: ())
        s.app.push_screen(screen)
        await s.pilot.pause()
        for name in ("action_scroll", "action_move"):
            if hasattr(screen, name):
                getattr(screen, name)(1)


async def test_what_nobody_foresaw_is_no_traceback(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    app = BaseApp()
    fail_app(app, KeyError("boo"))
    err = capsys.readouterr().err
    assert "KeyError" in err
    assert "Traceback" not in err
    assert err.count("\n") == 1
    (report,) = tmp_path.iterdir()
    assert "boo" in report.read_text()


def test_notes_hold_no_commands(monkeypatch) -> None:
    told = []
    monkeypatch.setattr(
        App, "notify", lambda _self, message, **options: told.append((message, options))
    )
    BaseApp().notify("a \x1b]0;HI\x07 name\nand [bold]more", timeout=2)
    assert told == [("a \\x1b]0;HI\\x07 name\nand [bold]more", {"markup": False, "timeout": 2})]


def test_a_size_that_no_terminal_has(monkeypatch) -> None:
    """COLUMNS and LINES are believed only as far as a screen could go."""
    monkeypatch.setenv("COLUMNS", "99999999")
    monkeypatch.setenv("LINES", "99999999")
    app = BaseApp()
    assert (app.console.width, app.console.height) == (MOST_COLUMNS, MOST_ROWS)
    driver = app.get_driver_class()
    assert read_size(driver.__new__(driver)) == (MOST_COLUMNS, MOST_ROWS)
    assert terminal_size() == (MOST_COLUMNS, MOST_ROWS)
