"""The main screen: the picture, and around it the panels."""

from __future__ import annotations

import time
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Footer, Input, Static

from ipcviz.app.bars import PANEL_KEYS, PanelBar, ProcessBar, StatusLine
from ipcviz.app.panels import (
    Buffers,
    Descriptors,
    LogPanel,
    MemoryPanel,
    OutputPanel,
    Panel,
    Proc,
    Semaphores,
    Signals,
    StoryPanel,
)
from ipcviz.app.panels.buffers import BUFFERED
from ipcviz.app.panels.output import TypingLine
from ipcviz.app.picture import Picture
from ipcviz.app.screens.help import HelpScreen, plain_help
from ipcviz.app.screens.modals import SignalScreen
from ipcviz.app.screens.moments import MomentsScreen
from ipcviz.app.screens.watching import WatchScreen, all_outsiders
from ipcviz.app.strip import StepStrip
from ipcviz.app.view import View
from ipcviz.events import AnyCommand, Inspect, Peek, Watch
from ipcviz.events import Input as TypedInput
from ipcviz.events.signals import signal_name
from ipcviz.narrate import who

_PANELS: Final[dict[str, type[Panel] | type[OutputPanel]]] = {
    "story": StoryPanel,
    "log": LogPanel,
    "descriptors": Descriptors,
    "buffers": Buffers,
    "semaphores": Semaphores,
    "memory": MemoryPanel,
    "signals": Signals,
    "proc": Proc,
    "output": OutputPanel,
}

_DEAR: Final = 0.015
"""Seconds from which on drawing the picture is dear, and how many times as long it then rests."""
_REST: Final = 4
_CROWDED: Final = (5, 3)
"""From so many living processes on, the picture takes rows of the panel below it; at so many it
gives them back.
"""
_CROWDED_SECONDS: Final = 4.0
"""Not before there have been fewer for so long: each change lays out and styles the whole screen
anew.
"""
_FILTER: Final = "words that must occur, -word for those that must not; Enter keeps"
_TOO_SMALL: Final = (
    "ipcviz needs a terminal of at least 40 columns and 10 rows. What runs goes on. ctrl+q leaves."
)


def _panel_binding(name: str) -> Binding:
    key, title = PANEL_KEYS[name]
    return Binding(
        key,
        f"panel('{name}')",
        title,
        show=False,
        id=f"live.{name}",
        tooltip=f"Show the panel {title}",
    )


def _hidden(key: str, action: str, name: str, id: str, tooltip: str) -> Binding:
    return Binding(key, action, name, show=False, id=id, tooltip=tooltip)


class LiveScreen(MomentsScreen):
    """Picture, panels, bars."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(_panel_binding(name) for name in PANEL_KEYS),
        Binding(
            "z",
            "zoom",
            "Zoom",
            id="live.zoom",
            tooltip="The panel with the focus takes the whole screen, or not",
        ),
        Binding("enter", "zoom", "Zoom", show=False, id="live.zoom-enter", tooltip="As z"),
        Binding(
            "v", "picture", "Picture", show=False, id="live.picture", tooltip="Move to the picture"
        ),
        *(
            Binding(
                f"shift+{way}",
                f"walk({right},{down})",
                f"Go {way}",
                show=False,
                id=f"live.go-{way}",
                tooltip=f"Select what is next to the selection in the picture: {way}",
            )
            for way, right, down in (
                ("left", -1, 0),
                ("right", 1, 0),
                ("up", 0, -1),
                ("down", 0, 1),
            )
        ),
        Binding(
            "slash",
            "filter",
            "Filter",
            show=False,
            id="live.filter",
            tooltip="Filter the log by words",
            priority=True,
        ),
        Binding("i", "type", "Type", id="live.type", tooltip="Type to the command", priority=True),
        _hidden(
            "A",
            "watch",
            "Watch too",
            "live.watch",
            "Processes that are not watched: watch one of them too",
        ),
        Binding(
            "K",
            "signal",
            "Signal",
            id="live.signal",
            tooltip="Send a signal to the selected process",
        ),
        Binding(
            "right_square_bracket",
            "process(1)",
            "Next process",
            show=False,
            id="live.next",
            tooltip="Next process",
        ),
        Binding(
            "left_square_bracket",
            "process(-1)",
            "Process before",
            show=False,
            id="live.back",
            tooltip="Process before",
        ),
        *(
            Binding(
                str(n),
                f"slot({n})",
                f"Process {n}",
                show=False,
                id=f"live.slot-{n}",
                tooltip=f"Select process {n}",
            )
            for n in range(1, 10)
        ),
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
    ALLOW_IN_MAXIMIZED_VIEW = "#bars, #filter, #goto, Footer, #too-small"

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
        & #panels { height: 1fr; min-height: 4; }
        & #panels > * { height: 1fr; }
        & #side { display: none; width: 1fr; border-left: solid $panel-border; }
        & #side > Descriptors { height: 1fr; }
        & #side > Buffers { height: 1fr; }
        & #side > Proc { height: 1fr; }
        &.-wide #side { display: block; }
        &.-wide.-low #side > Proc { display: none; }
        &.-crowded Picture { height: 1.6fr; }
        /* Of the terminal, not of what is left: a step told in two lines takes a row of the log,
           and nothing moves. */
        &.-low Picture { height: 38vh; max-height: 65%; }
        &.-low #panels { min-height: 3; }
        &.-crowded.-low Picture { height: 55vh; }
        &.-stepping.-low Picture { height: 38vh; }
        & #filter, & #goto {
            display: none; height: 1; border: none; background: $row-cursor; padding: 0 1;
        }
        & #filter.-on, & #goto.-on { display: block; }
        &.-asking Footer { display: none; }
        & .-maximized { height: 1fr; width: 1fr; }
        & Footer { background: $panel; }
    }
    """

    def __init__(self, title: str, *, story: bool = False, kept: bool = False) -> None:
        super().__init__()
        self.kept = kept
        self.command = title
        self.first = "story" if story else "log"
        self.chosen_pid = 0
        self.chosen_object = ""
        self._peeked = ""
        self._inspected = 0
        self._draw_again = 0.0
        self.patient = False
        """Whether everything is drawn every time, whatever it costs: for pictures that are kept."""
        self._drawn_pid = 0
        self._stepping = False
        self._crowded_at = float("-inf")

    def expect(self, size: Size) -> None:
        """Have the classes for a terminal's size before anything is mounted, and not all styles
        worked out again.
        """
        both = ((size.width, self.HORIZONTAL_BREAKPOINTS), (size.height, self.VERTICAL_BREAKPOINTS))
        for length, breakpoints in both:
            self.add_class(max((at, name) for at, name in breakpoints if at <= length)[1])

    def compose(self) -> ComposeResult:
        """Bars at the edges, picture above panels, further panels at the right where there is
        room.
        """
        with Vertical(id="bars"):
            yield StatusLine(self.command, kept=self.kept, id="status")
            yield ProcessBar(id="processes")
            strip = StepStrip(id="steps")
            strip.steps, strip.asked = self.steps, self.asked
            yield strip
        with Horizontal(id="main"):
            with Vertical(id="left"):
                yield Picture(id="picture")
                bar = PanelBar(id="panel-bar")
                bar.shown = self.first
                yield bar
                with ContentSwitcher(initial=self.first, id="panels"):
                    for name, panel in _PANELS.items():
                        yield panel(id=name)
            with Vertical(id="side"):
                yield Descriptors(id="side-descriptors")
                yield Buffers(id="side-buffers")
                yield Proc(id="side-proc")
        yield Input(placeholder=_FILTER, id="filter", compact=True)
        yield Input(id="goto", compact=True, restrict=r"[0-9.,]*s?")
        yield Static(Content(_TOO_SMALL), id="too-small")
        yield Footer()

    def on_mount(self) -> None:
        """The panel below the picture has the focus; there is none where the viewer has left
        already.
        """
        for panel in self.query(f"#{self.first}"):
            panel.focus()

    # Taking a view in.

    def selected(self, view: View) -> View:
        """A view with what is selected in it."""
        return view.select(*self._selection(view))

    def _selection(self, view: View) -> tuple[int, str]:
        """What is selected: by the viewer, else the command's first process and the first buffer
        that is in use.
        """
        pid = self.chosen_pid if self.chosen_pid in view.state.processes else view.state.root
        if self.chosen_object in view.state.objects:
            return pid, self.chosen_object
        held = [
            o
            for o in view.state.objects.values()
            if o.info.kind in BUFFERED and o.info.key in view.holders
        ]
        return pid, min(held, key=lambda o: (o.opened_at, o.label)).info.key if held else ""

    def watch_view(self, view: View | None) -> None:
        """Every panel takes the view; those that can't be seen only remember it."""
        if view is None or not self.is_mounted:
            return
        if view.state.stepping is not self._stepping:
            self._stepping = view.state.stepping
            self.set_class(self._stepping, "-stepping")
            self.refresh_bindings()
        if not view.past:
            self.reveal(view)
        living = sum(p.fate == "alive" for p in view.state.processes.values())
        if living >= _CROWDED[0]:
            self._crowded_at = view.now
            self.set_class(True, "-crowded")
        elif living <= _CROWDED[1] and (
            view.past or view.now - self._crowded_at >= _CROWDED_SECONDS
        ):
            self.set_class(False, "-crowded")
        with self.app.batch_update():
            for panel in self.query(Panel):
                panel.show_view(view)
            picture = self.query_one(Picture)
            if picture.display and self.query_one("#left").display:
                self._draw(picture, view)
        self._peek(view)

    def _draw(self, picture: Picture, view: View) -> None:
        """Have the picture drawn; one that costs much is drawn less often, so that the keys go on
        working.
        """
        began = time.perf_counter()
        if began < self._draw_again and not (view.past or view.state.finished or self.patient):
            return
        picture.lit = view.lit
        picture.roles = view.roles
        picture.state = view.state
        if view.pid != self._drawn_pid:
            self._drawn_pid = view.pid
            picture.show_selection("process", view.pid)
        cost = time.perf_counter() - began
        self._draw_again = began + cost * _REST if cost > _DEAR else 0.0

    def _peek(self, view: View) -> None:
        """Have the waiting bytes copied, and the facts of a process read, only while somebody looks
        at them.
        """
        if view.past:
            return
        seen = any(panel.visible_now for panel in self.query(Buffers))
        wanted = view.object if seen else ""
        if wanted != self._peeked:
            self._peeked = wanted
            self.send(Peek(object=wanted))
        looks_at = view.pid if any(panel.visible_now for panel in self.query(Proc)) else 0
        if looks_at != self._inspected:
            self._inspected = looks_at
            self.send(Inspect(pid=looks_at))

    def send(self, command: AnyCommand) -> None:
        """Tell the tracer something."""
        self.app.feed.session.send(command)  # type: ignore[attr-defined]

    # Selecting.

    def select(self, pid: int = 0, key: str = "") -> None:
        """Select a process or an object; every panel follows."""
        if pid:
            self.chosen_pid = pid
        if key:
            self.chosen_object = key
        if self.view is not None:
            self.view = self.view.select(*self._selection(self.view))

    def on_panel_chosen(self, event: Panel.Chosen) -> None:
        """A row or an item of a bar was selected."""
        kind, what = event.target
        if kind == "panel":
            self.action_panel(str(what))
        elif kind == "step":
            self.advance_thread(int(what))
        elif kind == "slot" and self.now.stepping and not self.at:
            self.advance(int(what))
        elif kind == "slot" or kind == "process":
            self.select(pid=int(what))
        else:
            self.select(key=str(what))

    def on_picture_selected(self, event: Picture.Selected) -> None:
        """Something in the picture was selected."""
        if event.kind == "process":
            self.select(pid=int(event.key))
        elif event.kind == "object":
            self.select(key=str(event.key))
        elif event.kind == "outsider":
            self.notify("This process is not watched: A watches it too, or says how", timeout=4)

    def action_slot(self, digit: int) -> None:
        """Select a process by its digit; in step mode, let it go on by one operation."""
        if self.view is None:
            return
        for pid, slot in self.view.slots.items():
            if slot == digit:
                if self.now.stepping and not self.at:
                    self.advance(pid)
                else:
                    self.select(pid=pid)
                return
        self.notify(f"No process has the digit {digit}", timeout=2)

    def action_process(self, by: int) -> None:
        """Select the next process, or the one before."""
        if self.view is None or not self.view.processes:
            return
        pids = [process.pid for process in self.view.processes]
        here = pids.index(self.view.pid) if self.view.pid in pids else 0
        self.select(pid=pids[(here + by) % len(pids)])

    # Panels.

    def action_panel(self, name: str) -> None:
        """Show a panel: where it stands already, else below the picture."""
        if name == "story" and self.first != "story":
            self.notify("This is no scenario: the log tells what happens", timeout=2)
            return
        if self.maximized is not None:
            self.minimize()
        found = self.query(f"#side-{name}")
        if found and found.first(Panel).visible_now:
            self.set_focus(found.first(Panel))
            return
        self.query_one("#panels", ContentSwitcher).current = name
        bar = self.query_one(PanelBar)
        bar.shown = name
        bar.rebuild()
        panel = self.query_one(f"#{name}")
        # At once, not with the next refresh: the key that was pressed next belongs to this panel
        # already.
        self.set_focus(panel.panel if isinstance(panel, OutputPanel) else panel)

    def action_zoom(self) -> None:
        """The panel with the focus takes the whole screen, or gives it back."""
        if self.maximized is not None:
            self.minimize()
            return
        widget: Widget | None = self.focused
        while widget is not None and not isinstance(widget, (Panel, OutputPanel, Picture)):
            widget = widget.parent if isinstance(widget.parent, Widget) else None
        if widget is not None and isinstance(widget.parent, OutputPanel):
            widget = widget.parent
        if widget is not None and widget.display:
            self.maximize(widget, container=False)

    def action_picture(self) -> None:
        """Move to the picture."""
        self.query_one(Picture).focus()

    def action_walk(self, right: int, down: int) -> None:
        """Select what is next to the selection in the picture, without moving the focus."""
        self.query_one(Picture).action_go(right, down)

    def action_filter(self) -> None:
        """Filter the log."""
        if not self.query_one("#log").display or self.maximized not in (
            None,
            self.query_one("#log"),
        ):
            self.action_panel("log")
        line = self.query_one("#filter", Input)
        if self.maximized is not None:
            self.minimize()
        line.add_class("-on")
        self.set_focus(line)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each letter filters."""
        if event.input.id == "filter":
            self.query_one(LogPanel).filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps the filter, or goes to the moment that was asked for."""
        if event.input.id == "filter":
            event.input.remove_class("-on")
            self.query_one(LogPanel).focus()
        elif event.input.id == "goto":
            text = event.value
            self._leave_goto()
            self.asked_for(text)

    def _leave_goto(self) -> None:
        line = self.query_one("#goto", Input)
        line.remove_class("-on")
        self.remove_class("-asking")
        self._focus_panel()

    def _focus_panel(self) -> None:
        """The panel below the picture gets the focus, or the one that has the whole screen."""
        panel = self.maximized or self.query_one(
            f"#{self.query_one('#panels', ContentSwitcher).current}"
        )
        self.set_focus(panel.panel if isinstance(panel, OutputPanel) else panel)

    def action_leave(self) -> None:
        """Leave the line for a moment, then the filter, then the zoom."""
        if self.query_one("#goto").has_class("-on"):
            self._leave_goto()
            return
        line = self.query_one("#filter", Input)
        if line.has_class("-on") or line.value:
            line.clear()
            line.remove_class("-on")
            self.query_one(LogPanel).focus()
        elif self.maximized is not None:
            self.minimize()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What opens an input line works at once, so that the next key belongs to it, but not
        within such a line.
        """
        if action in ("type", "filter") and isinstance(self.focused, Input):
            return False
        if action in ("type", "signal"):
            return not self.kept
        return super().check_action(action, parameters)

    # Talking to what runs.

    def action_type(self) -> None:
        """Type to the command."""
        if self.nobody_there():
            return
        if self.view is not None and self.view.state.finished:
            self.notify("The command has ended: nobody reads its terminal", timeout=3)
            return
        self.action_panel("output")
        self.set_focus(self.query_one(TypingLine))

    def nobody_there(self) -> bool:
        """Say so if nothing runs here that could be told anything."""
        if self.kept:
            self.notify("This is what was seen; nothing runs here", timeout=3)
        elif self.at:
            self.notify("This is the past: End goes back to now", timeout=3)
        return self.kept or bool(self.at)

    def on_output_panel_typed(self, event: OutputPanel.Typed) -> None:
        """Bytes for the command's terminal."""
        self.send(TypedInput(data=event.data))

    def action_signal(self) -> None:
        """Choose a signal and send it to the selected process."""
        view = self.view
        if self.nobody_there():
            return
        if view is None or view.process is None or view.process.fate != "alive":
            self.notify("The selected process has ended: select one that lives", timeout=3)
            return
        pid, name = view.pid, who(view.state, view.pid)

        def chosen(signo: int | None) -> None:
            if signo:
                self.steps.sent(pid, signo)
                self.notify(f"{signal_name(signo)} to {name}", timeout=2)

        self.app.push_screen(SignalScreen(name), chosen)

    def action_watch(self, pid: int = 0) -> None:
        """Choose a process that is not watched, and watch it too; with a `pid` that one."""
        state = self.now
        if self.kept:
            self.notify("This is what was seen; nothing can be watched here", timeout=3)
            return
        can = state.started is not None and state.started.mode == "attached" and not state.finished

        def chosen(pid: int | None) -> None:
            if pid:
                self.send(Watch(pid=pid))

        if pid and can:
            chosen(pid)
        elif all_outsiders(state):
            self.app.push_screen(WatchScreen(state, can=can), chosen)
        else:
            self.notify(
                "No process was found that is not watched and has what those have that are",
                timeout=4,
            )

    def help_screen(self) -> HelpScreen:
        """Help for this screen, that of the panel with the focus first."""
        widget: Widget | None = self.focused
        while widget is not None and not getattr(widget, "HELP_TEXT", ""):
            widget = widget.parent if isinstance(widget.parent, Widget) else None
        picture = ("Picture", plain_help(Picture.HELP))
        steps = (StepStrip.TITLE, StepStrip.HELP_TEXT)
        panels = [picture, steps, *((panel.TITLE, panel.HELP_TEXT) for panel in _PANELS.values())]
        first = (
            (getattr(widget, "TITLE", ""), getattr(widget, "HELP_TEXT", ""))
            if widget is not None
            else None
        )
        if isinstance(self.focused, Picture):
            first = picture
        return HelpScreen(first=first if first in panels else None, panels=panels)
