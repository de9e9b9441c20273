"""All that this project uses of Textual beyond what Textual promises, each with its reason.

Textual keeps the right to change whatever begins with an underscore. Everything here was written
for and tested with Textual 8.2, which is why pyproject.toml keeps the version below 9. Nothing
else in the project, its tests included, may use such a name: `tests/app/test_textual_internals.py`
searches for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from textual._compositor import Compositor
from textual._context import active_app, visible_screen_stack
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.strip import Strip

from ipcviz.sizes import clamp_size

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.geometry import Region
    from textual.notifications import Notification

Result = TypeVar("Result")

KeyParser = XTermParser
"""Takes what a terminal sends apart into keys and mouse events (Textual 8.2).

`app.driver` reads the terminal by the event loop; Textual's own drivers, which alone offer this
parser, read it by a thread.
"""

KeyParseError = ParseError
"""What `KeyParser` raises at input that it can't go on after (Textual 8.2)."""


class BoundedSize:
    """Mix-in for a driver class: the terminal's size, but only one that a terminal can have.

    Every driver of Textual 8.2 asks its `_get_terminal_size`, which believes whatever the
    environment's COLUMNS and LINES say; a screen of 100 million columns is drawn until the memory
    is full. There is no public way to answer instead.
    """

    def _get_terminal_size(self) -> tuple[int, int]:
        """Columns and rows, within what `ipcviz.sizes` allows."""
        size = clamp_size(*super()._get_terminal_size())  # type: ignore[misc]
        return size.columns, size.lines


def bound_size(driver: type[Driver]) -> type[Driver]:
    """Give a driver class `BoundedSize`; one that asks for no size stays as it is (Textual 8.2)."""
    if not hasattr(driver, "_get_terminal_size"):
        return driver
    return type(f"Bounded{driver.__name__}", (BoundedSize, driver), {})


def read_size(driver: Driver) -> tuple[int, int]:
    """Read a driver's terminal size in columns and rows; drivers of Textual 8.2 have no other
    method for it.
    """
    columns, rows = driver._get_terminal_size()  # type: ignore[attr-defined]
    return columns, rows


def reports_its_size(driver: Driver) -> bool:
    """Whether the terminal reports each new size in the input (mode 2048).

    Textual 8.2 notes it in the driver when the terminal says so; acting on SIGWINCH as well would
    lay the screen out twice.
    """
    return bool(getattr(driver, "_in_band_window_resize", False))


class AppWithoutTraceback(App[Result], Generic[Result]):
    """An app that hands an unforeseen exception to `report_failure` instead of printing it.

    Textual 8.2 prints the traceback, with the values of all local variables, after it has left the
    screen, and has no hook that could replace it.
    """

    def report_failure(self, error: BaseException) -> None:
        """Report an exception that ended the app; called after the screen was left."""
        raise NotImplementedError

    def _print_error_renderables(self) -> None:
        self._exit_renderables.clear()
        if self._exception is not None:
            self.report_failure(self._exception)


def is_leaving(app: App[Any]) -> bool:
    """Whether an app has been told to end: its widgets go one by one, and nothing can be mounted.

    `App.is_running` stays true in Textual 8.2 until all of them are gone.
    """
    return app._exit or not app.is_running


def compose_strips(app: App[Any]) -> list[Strip]:
    """Compose the rows of the screen as they are now, whether or not a terminal has shown them.

    `App.export_screenshot` does the same in Textual 8.2, but returns SVG, and its `render_update`
    would make the terminal believe that it is up to date. The screens below count as visible
    meanwhile, so that a modal screen is drawn over what is behind it.
    """
    token = visible_screen_stack.set(app._background_screens)
    try:
        return app.screen._compositor.render_strips()
    finally:
        visible_screen_stack.reset(token)


def compose_fully(app: App[Any]) -> None:
    """Compose the whole screen as for a terminal, at once: benchmarks measure what that takes.

    Textual 8.2 does it at the next refresh only, and not at all in a test without a terminal.
    """
    app.screen._compositor.render_update(full=True)


# What tests need.

SOON = 0.02
"""Timers that are due within this many seconds belong to what `wait_until_settled` waits for."""


async def wait_until_settled(min_sleep: float = 0.0, max_sleep: float = 5.0) -> None:
    """Return when nothing is left to run but timers that are due later: for tests.

    Textual's own `wait_for_idle` sleeps for 20 ms, and again until the process has used little CPU
    time meanwhile: a press and a pause take at least 60 ms in which nothing happens, and on a busy
    machine it may give up too early. So this reads the event loop's own queues (CPython 3.11 to
    3.13), and lets the screen draw what is due (Textual 8.2).

    Args:
        min_sleep: Not used: Textual passes it.
        max_sleep: Seconds after which it returns in any case.
    """
    loop: Any = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() < began + max_sleep:
        await asyncio.sleep(0)
        if loop._ready:
            continue
        app = active_app.get(None)
        if app is not None and app._running and _has_to_draw(app):
            app.screen._on_timer_update()
            continue
        due = min(
            (handle.when() for handle in loop._scheduled if not handle.cancelled()),
            default=began + max_sleep,
        )
        if due > began + SOON:
            return
        await asyncio.sleep(max(0.0, due - loop.time()))


def leave_undrawn(replace: Callable[[object, str, object], None]) -> None:
    """Draw nothing of what only a terminal would show: for tests, which have none. What they ask
    for as a whole, a screenshot, is drawn.

    Textual 8.2 draws each change all the same, which is a fifth of a test's time, and throws it
    away.

    Args:
        replace: Replaces an attribute of an object for the time of the test.
    """
    draw = Compositor.render_update

    def render_update(
        self: Compositor, full: bool = False, screen_stack: Any = None, simplify: bool = False
    ) -> Any:
        if full:
            return draw(self, full, screen_stack, simplify)
        self._dirty_regions.clear()
        return None

    replace(Compositor, "render_update", render_update)


def _has_to_draw(app: App[Any]) -> bool:
    """Whether the screen would draw, or run what waits for that, at its timer's next beat."""
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


def set_running(app: App[Any], running: bool) -> None:
    """Have an app believe that it runs, or is being taken apart: for tests of that moment, which
    nothing in Textual 8.2 can hold on to.
    """
    app._running = running


def fail_app(app: App[Any], error: Exception) -> None:
    """End an app as Textual 8.2 does at an exception in a handler: for tests of what is printed."""
    app._exception = error
    app._exit_renderables.append("Traceback")
    app._print_error_renderables()


def keys_of(node: DOMNode) -> set[str]:
    """The keys that a widget's bindings have; Textual 8.2 lists only those of the focused one."""
    return set(node._bindings.key_to_bindings)


def shown_notes(app: App[Any]) -> Iterable[Notification]:
    """The notes that an app shows; Textual 8.2 has them in its widgets otherwise, without text."""
    return app._notifications


def dirty_regions(app: App[Any]) -> set[Region]:
    """The parts of the screen that the terminal has yet to get (Textual 8.2); may be added to."""
    return app.screen._compositor._dirty_regions
