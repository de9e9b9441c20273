"""The app: one session, its feed, and the screens that show it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen

from ipcviz.app.base import BaseApp
from ipcviz.app.collector import calm_collector, is_postponed, leave_screen_alone
from ipcviz.app.feed import Feed
from ipcviz.app.keeping import is_kept, record_session
from ipcviz.app.screens.live import LiveScreen
from ipcviz.app.text import make_visible
from ipcviz.app.textual_internals import is_leaving
from ipcviz.app.themes import register_themes, toggle_light
from ipcviz.events import Trouble, commands
from ipcviz.events.undecoded import escape_text
from ipcviz.outputs import write_file
from ipcviz.session.errors import SessionError
from ipcviz.session.kept import KeptSession
from ipcviz.trace import TraceError, TraceWriter

if TYPE_CHECKING:
    from ipcviz.app.notes.host import NotesHost
    from ipcviz.app.recording import ScreenRecorder
    from ipcviz.app.replay import Replay
    from ipcviz.app.source import MomentSource
    from ipcviz.model.steps.schedule import Schedule
    from ipcviz.scenario import Scenario
    from ipcviz.session.base import Session

FRAMES: Final = 30
"""How often a second the stream is drained and the screen made anew."""
SHARE: Final = 0.5
"""The share of a processor that frames may use before some are left out."""
CATCH_UP: Final = 0.1
"""Seconds of a frame in which a kept session's events are taken in: the viewer waits for its end,
the keys for this.
"""
BREATH: Final = 0.5
"""Seconds after which what depends on the time alone is shown anew."""
SETTLED: Final = 3.0
"""Seconds after which the screen has all that it is made of."""
CATCHING_UP: Final = 3.0
"""While what is shown is late: how many times as long as a frame takes nothing is drawn after it.
"""
LONGEST_BREATH: Final = 2.0
"""Seconds after which a frame is drawn all the same."""


class IpcvizApp(BaseApp[None]):
    """Shows one session.

    Args:
        session: What to show; it is started when the app is ready, unless it runs already, and
            closed by who made it.
        title: The command or scenario, for the status line.
        scenario: The scenario, if it is one.
        clock: Seconds; tests give one that stands still.
        recorder: What keeps the session, so that it can be written to a file; None if nothing does.
        order: In which order threads go on in step mode, and what that is called; None to let all
            take turns.
        notes: Whether the teacher's notes of a scenario are offered to `ipcviz notes`, and what
            killed screens have left of theirs is removed.
    """

    TITLE = "ipcviz"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "question_mark",
            "help",
            "Help",
            id="app.help",
            tooltip="Keys, marks, and how to read each panel",
        ),
        Binding(
            "ctrl+q",
            "quit",
            "Quit",
            id="app.quit",
            tooltip="Leave; what was launched is ended",
            priority=True,
        ),
        Binding(
            "b,full_stop", "blank", "Blank", show=False, id="app.blank", tooltip="Blank the screen"
        ),
        Binding(
            "w",
            "save",
            "Save",
            show=False,
            id="app.save",
            tooltip="Write what was seen so far to a file",
        ),
        Binding(
            "R",
            "record",
            "Record",
            show=False,
            id="app.record",
            tooltip="Record what is shown as a cast; R ends it",
        ),
        Binding(
            "T",
            "light",
            "Dark or light",
            show=False,
            id="app.light",
            tooltip="Change between dark and light",
        ),
    ]

    def __init__(
        self,
        session: Session,
        title: str = "",
        scenario: Scenario | None = None,
        clock: Callable[[], float] = time.monotonic,
        recorder: TraceWriter | None = None,
        order: tuple[Schedule, str] | None = None,
        *,
        notes: bool = False,
    ) -> None:
        super().__init__()
        register_themes(self)
        self.session = session
        self.feed: MomentSource
        self._replay: Replay | None = None
        if isinstance(session, KeptSession):
            from ipcviz.app.replay import Replay

            self.feed = self._replay = Replay(session, scenario)
        else:
            self.feed = Feed(session, clock, scenario, recorder)
        if order is not None:
            self.feed.steps.follow_schedule(*order)
        self.kept = is_kept(session)
        self.command = title or " ".join(session.argv)
        self.scenario = scenario
        self.live = LiveScreen(self.command, story=scenario is not None, kept=self.kept)
        self.notes: NotesHost | None = None
        if notes and scenario is not None:
            from ipcviz.app.notes.host import NotesHost

            self.notes = NotesHost(self)
        self._sweeps = notes and self.notes is None
        self._camera: ScreenRecorder | None = None
        self.trouble: str = ""
        """The last trouble that ended the session, for who reads it after the app."""
        self._shown_at = -1.0
        self._unseen = False
        self._frame_at = 0.0
        self._frame_cost = 0.0
        self._drew = False
        self._credit = 0.1
        self._asked_at, self._used = time.monotonic(), time.process_time()
        self._said = 0
        self._began = False
        self._told_size: Size | None = None

    @property
    def camera(self) -> ScreenRecorder:
        """What records the screen."""
        if self._camera is None:
            from ipcviz.app.recording import ScreenRecorder

            self._camera = ScreenRecorder(self)
        return self._camera

    async def on_mount(self) -> None:
        """Start the session, unless it runs already; what it has said by now is on the screen from
        the first time that it is laid out.
        """
        self.live.expect_size(self.size)
        mounted = self.push_screen(self.live)
        try:
            self.session.start()
        except SessionError as error:
            self.trouble = error.message
            self._push_trouble("It could not be started")
            return
        if self._replay is None:
            await mounted
            if not is_leaving(self):
                self._begin_session()
        else:
            self.call_after_refresh(self._begin_session)

    def _begin_session(self) -> None:
        self._began = True
        if self.notes is not None:
            self.run_worker(self.notes.start(), name="notes")
        elif self._sweeps:
            self.set_timer(SETTLED, self._sweep_notes, name="notes")
        self._fit_terminal(self.size)
        if self._replay is not None:
            self._replay.begin()
            self.run_frame()
            if self.scenario is not None:
                self.live.timeline.action_first()
            else:
                self.live.timeline.show_last_before_end()
        # What the start took is no frame's fault.
        self._asked_at, self._used = time.monotonic(), time.process_time()
        self._timer = self.set_interval(1 / FRAMES, self._run_paced_frame, name="frames")
        if is_postponed():
            self.call_after_refresh(calm_collector)
        self.set_timer(SETTLED, leave_screen_alone, name="collector")
        if self._replay is None:
            self._run_paced_frame()

    def on_resize(self, event: Resize) -> None:
        """The command's terminal grows and shrinks with ours."""
        self._fit_terminal(event.size)

    def _fit_terminal(self, size: Size) -> None:
        if self._told_size is None:
            # It was launched with this size.
            self._told_size = size
        elif self._began and not self.kept and size != self._told_size:
            self._told_size = size
            self.session.send(commands.Resize.make_for_screen(size.height, size.width))

    def _run_paced_frame(self) -> None:
        """A tick that shows nothing while frames take more than their share of a processor."""
        if is_leaving(self):
            return
        now, used = time.monotonic(), time.process_time()
        if self._drew:
            # With the layout and the painting that came after it.
            self._drew, self._frame_cost = False, now - self._frame_at
        self._credit = min(0.1, self._credit + (now - self._asked_at) * SHARE) - (used - self._used)
        self._asked_at, self._used = now, used
        self.run_frame(show=self._credit > 0 or now - self._frame_at >= BREATH, catches_up=True)

    def run_frame(self, *, show: bool = True, catches_up: bool = False) -> None:
        """One frame: drain, and if anything changed, show it. The only place where events come in.

        Args:
            show: Whether there is time to show anything.
            catches_up: Show nothing yet if what came was old: there is more, and that comes first.
        """
        took = self.feed.pump(CATCH_UP) if self.kept else self.feed.pump()
        changed = self._unseen = took or self._unseen
        now = self.feed.now
        if catches_up and self.feed.late:
            # A frame takes as long as some hundred events: while those that come are old, they are
            # taken in first.
            rest = min(max(BREATH, CATCHING_UP * self._frame_cost), LONGEST_BREATH)
            show = time.monotonic() - self._frame_at >= rest
        if show and (changed or now - self._shown_at >= BREATH):
            self._shown_at, self._frame_at, self._unseen, self._drew = (
                now,
                time.monotonic(),
                False,
                True,
            )
            self.live.timeline.update()
        for event in self.feed.troubles[self._said :]:
            self._show_trouble(event)
        self._said = len(self.feed.troubles)
        if self.feed.over and not changed:
            self._timer.stop()
            if self.kept and not self.feed.is_whole:
                self.live.timeline.show_last_before_end()

    def _show_trouble(self, event: Trouble) -> None:
        if event.fatal:
            self.trouble = escape_text(event.message)
            self._push_trouble("The session ended")
        elif self._said < 3:
            self.notify(escape_text(event.message), severity="warning", markup=False, timeout=6)

    def _push_trouble(self, title: str) -> None:
        from ipcviz.app.screens.modals import TroubleScreen

        self.push_screen(TroubleScreen(self.trouble, title))

    def _sweep_notes(self) -> None:
        from ipcviz.app.notes.folder import sweep_folder

        self.run_worker(sweep_folder(), name="notes")

    # Screens over the screen, each imported when it is asked for: most are never.

    def action_help(self) -> None:
        """Help for what is shown."""
        from ipcviz.app.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(self.live.panes.make_help())

    def action_blank(self) -> None:
        """Blank the screen."""
        from ipcviz.app.screens.modals import BlankScreen

        self.push_screen(BlankScreen())

    def action_save(self) -> None:
        """Ask for a name, and write what was seen so far to that file."""
        recorder = self.feed.recorder
        if recorder is None:
            why = (
                "It is in a file already"
                if self.kept
                else "Nothing is kept: there was no room for it"
            )
            self.notify(f"{why}", severity="warning", timeout=4)
            return

        from ipcviz.app.screens.save import SaveScreen, default_name

        def named(name: str | None) -> None:
            if name:
                self.run_worker(self._save_trace(recorder, name), group="save")

        self.push_screen(SaveScreen(default_name(self.command)), named)

    async def _save_trace(self, recorder: TraceWriter, name: str) -> None:
        self.notify("Writing ...", timeout=1)
        try:
            await asyncio.wrap_future(recorder.copy_to(Path(name).expanduser(), self.feed.state))
        except TraceError as error:
            self.notify(error.message, severity="error", markup=False, timeout=10)
            return
        if recorder.trouble:
            self.notify(
                f"Only a part was kept: {recorder.trouble}",
                severity="warning",
                markup=False,
                timeout=10,
            )
        self.notify(f"Written: 'ipcviz replay {name}' shows it", markup=False, timeout=4)

    def action_record(self) -> None:
        """Ask for a name, and record what is shown to that file; or end the recording."""
        if self.camera.recording is not None:
            self.camera.end()
            return

        from ipcviz.app.screens.save import SaveScreen, default_name

        def named(name: str | None) -> None:
            if name:
                self.camera.begin(name)

        self.push_screen(
            SaveScreen(default_name(self.command, ".cast"), "Record what is shown to"), named
        )

    def on_unmount(self) -> None:
        """What is recorded is complete, however the app is left."""
        if self._camera is not None:
            self._camera.end()
        if self.notes is not None:
            self.notes.stop()

    def action_light(self) -> None:
        """Change between the dark and the light theme."""
        toggle_light(self)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every binding by name, and every process to select."""
        yield from super().get_system_commands(screen)
        for active in screen.active_bindings.values():
            binding = active.binding
            if (
                binding.description
                and binding.tooltip
                and not binding.action.startswith(("slot", "cursor", "page"))
            ):
                yield SystemCommand(
                    f"{binding.description} ({active.binding.key_display or binding.key})",
                    binding.tooltip,
                    lambda node=active.node, action=binding.action: self.call_next(
                        self.run_action, action, node
                    ),
                )
        view = self.live.view
        if view is not None:
            from ipcviz.app.screens.watching import all_outsiders

            for process in view.processes[:50]:
                yield SystemCommand(
                    f"Select {process.called}",
                    "Show its descriptors, signals and state",
                    lambda pid=process.pid: self.live.selection.select(pid=pid),
                )
            for one, words in all_outsiders(view.state)[:50]:
                yield SystemCommand(
                    f"Watch {make_visible(one.name)}[{one.pid}] too",
                    f"It is not watched, and {make_visible(words)}",
                    lambda pid=one.pid: self.live.commands.action_watch(pid),
                )


def run_app(
    session: Session,
    title: str,
    scenario: Scenario | None = None,
    save: str = "",
    order: tuple[Schedule, str] | None = None,
    save_steps: str = "",
) -> int:
    """Show a session until the viewer leaves, and close it.

    Args:
        session: What to show; it is started unless it runs already.
        title: The command or scenario, for the status line.
        scenario: The scenario, if it is one.
        save: A file to keep the session in; empty to keep it only until the end.
        order: In which order threads go on in step mode, and what that is called; None to let all
            take turns.
        save_steps: A file for the steps that were made, as a schedule; empty for none.

    Returns:
        The exit status for ipcviz: 0, or 2 if the session could not be started or broke off; 128 +
        n if a signal ended it.

    Raises:
        TraceError: The file to keep it in can't be written.
    """
    show = partial(_show_session, session, title, scenario, save, order, save_steps)
    if find_spec("termios") is None:
        # A replay on Windows: Textual's own driver knows its terminals.
        app, ended_by = show(IpcvizApp.run), 0
    else:
        from ipcviz.app.driver import run_on_terminal
        from ipcviz.terminals import SignalPipe

        with SignalPipe() as signals:
            app = show(partial(run_on_terminal, signals=signals))
            # One that came while the session was being closed ends us, too.
            ended_by = signals.ended_by or signals.read().ending
    if ended_by:
        return 128 + ended_by
    return 2 if app.trouble or app.return_code else 0


def _show_session(
    session: Session,
    title: str,
    scenario: Scenario | None,
    save: str,
    order: tuple[Schedule, str] | None,
    save_steps: str,
    run: Callable[[IpcvizApp], object],
) -> IpcvizApp:
    """Show a session in an app that `run` runs, keep what is to be kept, and close it; see
    `run_app`.
    """
    try:
        with record_session(session, title, scenario, save) as recorder:
            app = IpcvizApp(session, title, scenario, recorder=recorder, order=order, notes=True)
            run(app)
            # The interpreter's end looks through all that is left for cycles; it goes with the
            # process.
            gc.freeze()
            app.feed.past.tape.close()
            session.close()
            if save_steps and app.feed.steps.recorder.begun:
                write_file(
                    save_steps,
                    app.feed.steps.recorder.format_schedule(title).encode(errors="surrogateescape"),
                )
            if recorder is not None:
                recorder.add(session.drain())
    finally:
        session.close()
    return app
