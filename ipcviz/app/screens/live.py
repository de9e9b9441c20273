"""The main screen: the picture, and around it the panels."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.reactive import var
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Input, Static

from ipcviz.app.bars import ProcessBar, StatusLine, Where
from ipcviz.app.footer import KeyFooter
from ipcviz.app.picture import Picture
from ipcviz.app.questions import Questions
from ipcviz.app.screens.commands import Commands
from ipcviz.app.screens.controller import Answer, ControlledScreen
from ipcviz.app.screens.lines import Filter, InputLine
from ipcviz.app.screens.pace import Crowding, Pace
from ipcviz.app.screens.panes import Panes
from ipcviz.app.screens.selection import Selection
from ipcviz.app.screens.stepping import StepControl
from ipcviz.app.screens.timeline import Timeline
from ipcviz.app.sources import SourceTexts
from ipcviz.app.strip import StepStrip
from ipcviz.app.text import make_visible
from ipcviz.app.textual_internals import is_leaving
from ipcviz.app.themes import has_high_contrast
from ipcviz.model.query import has_ended
from ipcviz.narrate.summary import summarize_run

if TYPE_CHECKING:
    from ipcviz.app.panels import OutputPanel, Panel, StoryPanel
    from ipcviz.app.panels.findings import FindingsPanel
    from ipcviz.app.panels.lanes import LanesPanel
    from ipcviz.app.source import MomentSource
    from ipcviz.app.view import View

_TOO_SMALL: Final = (
    "ipcviz needs a terminal of at least 40 columns and 10 rows. What runs goes on. ctrl+q leaves."
)
_WAY_BACK: Final = " Home and \N{LEFTWARDS ARROW} lead back."
_MARGIN: Final = 8
"""Cells of a row that words which are not broken may leave free."""


class Host(Protocol):
    """What the screen needs of the app that it is in."""

    @property
    def feed(self) -> MomentSource:
        """Where its moments come from."""


class LiveScreen(ControlledScreen):
    """One moment of a session: bars above, the picture, panels below it and beside it.

    It composes widgets and controllers, shows each new view, and passes messages of widgets on.

    Args:
        title: What is observed.
        story: Whether it is a scenario, the story of which is shown first.
        kept: Whether it is a kept trace: nothing runs.
    """

    CONTROLLERS = (StepControl, Timeline, Panes, Filter, Commands, Selection)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "leave",
            "Back",
            show=False,
            id="live.leave",
            tooltip="Leave zoom, filter or input line",
        ),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (40, "-narrow"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (10, "-low"), (30, "-tall")]
    AUTO_FOCUS = ""
    ALLOW_IN_MAXIMIZED_VIEW = "#bars, #filter, #goto, KeyFooter, #too-small"

    DEFAULT_CSS = """
    LiveScreen {
        layers: base;
        & #too-small { display: none; width: 1fr; height: 1fr; }
        &.-tiny > *, &.-flat > * { display: none; }
        &.-tiny #too-small, &.-flat #too-small { display: block; }
        & #bars { dock: top; height: auto; }
        &.-stepping.-low ProcessBar { display: none; }
        & #main { height: 1fr; }
        & #left { width: 1fr; }
        & Picture { height: 1fr; min-height: 4; }
        & #summary { display: none; height: auto; max-height: 2; padding: 0 1; text-style: bold; }
        &.-ended #summary { display: block; }
        /* The lanes stand in the picture's place, or beside it in that of the panels. */
        & #lanes { display: none; height: 1fr; min-height: 4; }
        & #panels { height: 1fr; min-height: 4; }
        & #panels > * { height: 1fr; }
        & #side { display: none; width: 1fr; border-left: solid $panel-border; }
        & #side > Panel { display: none; height: 1fr; }
        & #side > Panel.-beside { display: block; }
        & #side > SourcePanel { height: 1.4fr; }
        &.-lanes #side > Panel { display: none; }
        &.-lanes #side > #side-lanes { display: block; }
        /* The story stands above the panels beside the picture, where that needs its rows. */
        &.-told-beside #panels { display: none; }
        &.-wide.-lanes #side > #side-story.-beside { display: block; }
        &.-lanes.-narrow Picture { display: none; }
        &.-lanes.-narrow #lanes { display: block; }
        &.-wide #side { display: block; }
        &.-wide #side.-empty { display: none; }
        &.-wide.-lanes #side { display: block; }
        &.-crowded Picture { height: 1.6fr; }
        /* Of the terminal, not of what is left: a step told in two lines takes a row of the log,
           and nothing moves. */
        &.-low Picture { height: 38vh; max-height: 65%; }
        &.-low #panels { min-height: 3; }
        &.-crowded.-low Picture { height: 55vh; }
        &.-stepping.-low Picture { height: 38vh; }
        /* The story takes the rows that its longest part needs, whatever it tells now, and the
           picture the rest. */
        &.-telling.-low Picture { height: 1fr; max-height: 100%; }
        &.-telling.-low #panels { height: 1; }
        &.-low #lanes { height: 55vh; max-height: 65%; }
        &.-telling.-low #lanes { height: 1fr; max-height: 100%; }
        /* For a projector: what is not picture or story gives its room. */
        &.-presenting #side, &.-presenting PanelBar, &.-presenting KeyFooter { display: none; }
        &.-presenting ProcessBar { display: none; }
        &.-presenting.-wide.-lanes Picture { display: none; }
        &.-presenting.-wide.-lanes #lanes { display: block; }
        &.-presenting.-low Picture, &.-presenting.-low #lanes,
        &.-presenting.-tall Picture, &.-presenting.-tall #lanes { height: 1fr; max-height: 100%; }
        &.-presenting.-low #panels, &.-presenting.-tall #panels { height: 6; }
        &.-presenting.-telling #panels { height: 1; }
        /* High contrast: nothing is dim. */
        &.-contrast Picture {
            & > .picture--dim, & > .picture--pid, & > .picture--gone { color: $foreground; }
            & > .picture--box, & > .picture--edge, & > .picture--child { color: $foreground; }
            & > .picture--hold, & > .picture--end, & > .picture--tube { color: $foreground; }
            & > .picture--fill { color: $object; }
            & > .picture--full, & > .picture--signal { color: $warning; }
            & > .picture--memory, & > .picture--semaphore { color: $success; }
            & > .picture--lit { color: $accent; }
        }
        &.-asking KeyFooter { display: none; }
        & .-maximized { height: 1fr; width: 1fr; }
        & KeyFooter { background: $panel; }
    }
    """

    at: var[int] = var(0)
    """Number of the event after which everything is shown; 0 for now."""
    view: var[View | None] = var(None, always_update=True)
    """What is shown; every panel that can be seen shows it."""

    def __init__(self, title: str, *, story: bool = False, kept: bool = False) -> None:
        super().__init__()
        self.kept = kept
        self.command = title
        self.pace = Pace()
        self.questions = Questions()
        self.selection = Selection(
            self,
            is_scheduling=lambda: self.stepping.is_scheduling,
            advance=lambda pid: self.stepping.advance_process(pid),
        )
        self.stepping = StepControl(
            self,
            questions=self.questions,
            select=lambda pid: self.selection.select(pid=pid),
            go_forward=lambda: self.timeline.action_next(),
            refresh=lambda: self.query_one(StepStrip).rebuild_rows(),
        )
        self.timeline = Timeline(
            self,
            select=self.selection.apply,
            step=self.stepping.step_next,
            show_place=self._show_place,
            ask_place=self._ask_place,
        )
        self.panes = Panes(
            self, self, first="story" if story else "log", make_lines=self._make_lines
        )
        self.filter = Filter(self, self, show_log=self._show_log)
        self.commands = Commands(self, open_typing=self.panes.open_typing)
        self.set_controllers(
            self.stepping, self.timeline, self.panes, self.filter, self.commands, self.selection
        )
        self._crowding = Crowding()
        self._drawn_pid = 0
        self._summary = ""
        self._was_stepping = False

    @property
    def source(self) -> MomentSource:
        """Where moments come from."""
        return cast(Host, self.app).feed

    def expect_size(self, size: Size) -> None:
        """Have the classes for a terminal's size before anything is mounted, and not all styles
        worked out again.
        """
        both = ((size.width, self.HORIZONTAL_BREAKPOINTS), (size.height, self.VERTICAL_BREAKPOINTS))
        self.add_class(
            *(
                max((at, name) for at, name in breakpoints if at <= length)[1]
                for length, breakpoints in both
            )
        )

    def compose(self) -> ComposeResult:
        """Bars at the edges, picture above panels, further panels at the right where there is
        room.
        """
        with Vertical(id="bars"):
            yield StatusLine(self.command, kept=self.kept, id="status")
            yield ProcessBar(id="processes")
            strip = StepStrip(id="steps")
            strip.steps, strip.questions = self.source.steps, self.questions
            yield strip
        with Horizontal(id="main"):
            with Vertical(id="left"):
                yield Picture(id="picture")
                yield Static(id="summary")
                yield from self.panes.compose_below()
            yield Vertical(id="side")
        yield Static(Content(_TOO_SMALL), id="too-small")
        yield KeyFooter()

    def _make_lines(self) -> list[InputLine]:
        """The lines to type in: nothing of them is seen before a key opens one."""
        return [self.filter.make_line(), InputLine(id="goto", restrict=r"[0-9.,]*s?")]

    def on_mount(self) -> None:
        """The panel below the picture has the focus; there is none where the viewer has left
        already.
        """
        self.app.theme_changed_signal.subscribe(self, self._note_theme)
        self.panes.texts = SourceTexts(self.source.read_sources, kept_first=self.kept)
        for panel in self.query(f"#{self.panes.first}"):
            panel.focus()

    def _note_theme(self, theme: Theme) -> None:
        self.set_class(has_high_contrast(theme.name), "-contrast")

    def ask(self, screen: Screen[Answer], answered: Callable[[Answer | None], None]) -> None:
        """Show a screen that asks something; `answered` gets the answer, or None."""
        self.app.push_screen(screen, answered)

    # Showing a view.

    def on_resize(self) -> None:
        """Another size: room is split anew."""
        self.panes.forget_room()

    def watch_at(self) -> None:
        """What the keys do depends on it."""
        self.refresh_bindings()

    def watch_view(self, view: View | None) -> None:
        """Show a view: in every panel that can be seen, and in the picture."""
        if view is None or not self.is_mounted or is_leaving(self.app):
            return
        if view.state.stepping is not self._was_stepping:
            self._was_stepping = view.state.stepping
            self.set_class(self._was_stepping, "-stepping")
            self.refresh_bindings()
        if not view.past and view.story is not None:
            self.questions.reveal_answer(*view.story)
        living = sum(process.fate == "alive" for process in view.state.processes.values())
        self.set_class(self._crowding.update(living, view.now, past=view.past), "-crowded")
        with self.app.batch_update():
            self._show_summary(view)
            self.panes.show_view(view)
            picture = self.query_one(Picture)
            if picture.display and self.query_one("#left").display:
                self._draw_picture(picture, view)
        self.commands.request_details(
            view,
            contents=self.panes.can_see("buffers"),
            facts=self.panes.can_see("proc"),
            lines=self.panes.can_see("source"),
        )

    def _show_summary(self, view: View) -> None:
        """Once all has ended: one sentence about the run, and the way back."""
        ended = has_ended(view.state)
        if ended:
            text = make_visible(summarize_run(view.state))
            if len(text) + len(_WAY_BACK) < 2 * (self.query_one("#left").size.width - _MARGIN):
                text += _WAY_BACK
            if text != self._summary:
                self._summary = text
                self.query_one("#summary", Static).update(Content(text))
        self.set_class(ended, "-ended")

    def _draw_picture(self, picture: Picture, view: View) -> None:
        """Have the picture drawn, unless it has to rest."""
        began = time.perf_counter()
        told = bool(view.finding) and self.panes.is_shown("findings")
        finding = view.selected_finding if told else None
        chosen = finding is not picture.finding
        if not self.pace.may_draw(began, must=view.past or view.state.finished or chosen):
            return
        picture.finding = finding
        picture.lit = view.lit
        picture.about = view.about
        picture.slots = view.slots if view.state.stepping else None
        picture.state = view.state
        if view.pid != self._drawn_pid:
            self._drawn_pid = view.pid
            picture.show_selection("process", view.pid)
        self.pace.add_cost(began, time.perf_counter())

    def _show_place(self, where: Where) -> None:
        bar = self.query_one(StatusLine)
        if where != bar.where:
            bar.where = where
            bar.rebuild_rows()

    # The lines to type in.

    def _show_log(self) -> None:
        if not self.panes.is_shown("log"):
            self.panes.action_panel("log")
        self.panes.minimize_panel()

    def _ask_place(self, hint: str) -> None:
        if self.panes.mount_others():
            self.call_after_refresh(self._ask_place, hint)
            return
        line = self.query_one("#goto", InputLine)
        line.placeholder = hint
        line.clear()
        # It takes the place of the keys: what is shown stays where it is.
        self.add_class("-asking")
        line.open_line()

    def _leave_goto(self) -> bool:
        if not self.has_class("-asking"):
            return False
        line = self.query_one("#goto", InputLine)
        line.close_line()
        self.remove_class("-asking")
        self.panes.focus_shown()
        return True

    def action_leave(self) -> None:
        """Leave the line for a moment, else the filter, else the zoom."""
        _ = self._leave_goto() or self.filter.drop_words() or self.panes.minimize_panel()

    # What widgets report.

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each letter filters."""
        if event.input.id == "filter":
            self.filter.apply_words(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps the filter, or goes to the moment that was asked for."""
        if event.input.id == "filter":
            self.filter.keep_words()
        elif event.input.id == "goto":
            self._leave_goto()
            self.timeline.go_to_text(event.value)

    def on_panel_chosen(self, event: Panel.Chosen) -> None:
        """A row or an item of a bar was selected."""
        kind, what = event.target
        if kind == "panel":
            self.panes.action_panel(str(what))
        elif kind == "step":
            self.stepping.advance_thread(int(what))
        elif kind == "slot":
            self.selection.choose_slot(int(what))
        elif kind == "finding":
            self.selection.select_finding(str(what))
        elif kind == "process":
            self.selection.select(pid=int(what))
        else:
            self.selection.select(key=str(what))

    def on_findings_panel_page_wanted(self, event: FindingsPanel.PageWanted) -> None:
        """The page of a finding's rule is to be read."""
        event.stop()
        from ipcviz.app.screens.rule import RuleScreen

        self.app.push_screen(RuleScreen(event.rule))

    def on_story_panel_rows_wanted(self, event: StoryPanel.RowsWanted) -> None:
        """The story needs so many rows: it gets them, and the picture the rest."""
        event.stop()
        self.panes.give_story_rows(event.rows, beside=event.panel.id == "side-story")

    def on_picture_needs_room(self, event: Picture.NeedsRoom) -> None:
        """The picture needs so much room: it gets what the others can do without."""
        event.stop()
        self.panes.give_picture_room(event.columns, event.rows)

    def on_picture_selected(self, event: Picture.Selected) -> None:
        """Something in the picture was selected."""
        if event.kind == "process":
            self.selection.select(pid=int(event.key))
        elif event.kind == "object":
            self.selection.select(key=str(event.key))
        elif event.kind == "outsider":
            self.notify("This process is not watched: A watches it too, or says how", timeout=4)

    def on_lanes_panel_row_chosen(self, event: LanesPanel.RowChosen) -> None:
        """A row of the lanes was clicked."""
        event.stop()
        if event.pid:
            self.selection.select(pid=event.pid)
        if event.n:
            self.timeline.go_to_event(event.n)

    def on_lanes_panel_cross_hair_moved(self, event: LanesPanel.CrossHairMoved) -> None:
        """The cross-hair of the lanes is moved by a key."""
        event.stop()
        if event.by < 0:
            self.timeline.action_back()
        elif self.at:
            self.timeline.action_next()

    def on_status_line_sought(self, event: StatusLine.Sought) -> None:
        """The scrubber was moved, or one of its ends clicked."""
        event.stop()
        self.timeline.seek_moment(event.what, event.place)

    def on_output_panel_typed(self, event: OutputPanel.Typed) -> None:
        """Bytes for the command's terminal."""
        self.commands.send_input(event.data)
