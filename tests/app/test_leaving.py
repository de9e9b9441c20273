"""The end of the app."""

from __future__ import annotations

from ipcviz.app.bars import StatusLine
from tests import fakes
from tests.app.test_live import stage


async def test_no_frame_is_shown_while_the_screen_is_taken_apart() -> None:
    """Its timer may still go off then: what it would draw on is gone."""
    async with stage(fakes.sleep_race()) as s:
        await s.app.live.query(StatusLine).remove()
        s.app._running = False
        s.app._unseen, s.app._frame_at = True, 0.0
        s.app._frame()
        s.app._running = True
        s.app._timer.stop()
