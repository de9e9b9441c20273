"""Waiting until an app has done all that follows from what it was told."""

from __future__ import annotations

import asyncio

from textual._context import active_app
from textual.app import App

SOON = 0.02
"""Timers that are due within this time from the beginning belong to what follows."""
PATIENCE = 5.0


async def settled(min_sleep: float = 0.0, max_sleep: float = PATIENCE) -> None:
    """Return when nothing is left to run but timers that are due later.

    Textual's own `wait_for_idle` sleeps for 20 ms, and again until the process has used little CPU
    time meanwhile: a press and a pause take at least 60 ms in which nothing happens, and on a busy
    machine it may give up too early.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() < began + max_sleep:
        await asyncio.sleep(0)
        if loop._ready:
            continue
        app = active_app.get(None)
        if app is not None and app._running and _undrawn(app):
            app.screen._on_timer_update()
            continue
        due = min(
            (handle.when() for handle in loop._scheduled if not handle.cancelled()),
            default=began + max_sleep,
        )
        if due > began + SOON:
            return
        await asyncio.sleep(max(0.0, due - loop.time()))


def _undrawn(app: App[object]) -> bool:
    """Whether the screen would be drawn, or told what waits for that, at its timer's next beat."""
    screen = app.screen
    if app._batch_count or not screen.is_current:
        return False
    return bool(
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    )
