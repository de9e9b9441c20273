"""The picker: a table of the user's running processes, searched as one types, to choose which to
watch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ipcviz.app.base import BaseApp
from ipcviz.app.footer import KeyFooter
from ipcviz.app.text import argv_text, clip_text, fit_text, make_visible
from ipcviz.app.themes import register_themes
from ipcviz.model.mechanisms.notifiers import format_seconds

if TYPE_CHECKING:
    from ipcviz.tracer.running import RunningProcess

REFRESH: Final = 1.0
"""Seconds between two looks at the processes."""

ROOMY: Final = 110
"""Columns from which a row has room for the command line, too."""


class Picked(NamedTuple):
    """What the viewer wants to watch.

    Attributes:
        pids: Which processes.
        trace: Their calls are to be traced.
        tree: Their descendants are to be watched, too.
    """

    pids: tuple[int, ...]
    trace: bool
    tree: bool


class SearchLine(Input):
    """What is searched for; a space before any word marks the process with the cursor.

    The key is looked at here and not by a binding of the app: the app does not know yet what was
    typed just before it.
    """

    class Marked(Message):
        """The process with the cursor is to be marked."""

    def on_key(self, event: events.Key) -> None:
        """A space marks while nothing is searched for; else it stands between words."""
        if event.key == "space" and not self.value:
            event.prevent_default()
            event.stop()
            self.post_message(self.Marked())


class Picker(BaseApp[Picked | None]):
    """Choose running processes.

    Args:
        list_running: Gives the processes, the youngest first; it may take its time, and is called
            in a thread.
        explain_refusal: Why these processes can't be watched, as a sentence; empty if they can.
        wanted: Words to search for at the beginning.
        trace: Calls are to be traced, until the viewer says otherwise.
        tree: Descendants are to be watched too, until the viewer says otherwise.
    """

    TITLE = "ipcviz"
    DOES: ClassVar[str] = "watches"
    """What is done with what is chosen."""
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "watch",
            "Watch",
            id="picker.watch",
            tooltip="Watch what is marked, or this",
            priority=True,
        ),
        Binding(
            "tab",
            "mark",
            "Mark",
            id="picker.mark",
            tooltip="Mark this process, to watch several",
            priority=True,
        ),
        Binding(
            "ctrl+t",
            "trace",
            "Trace calls",
            id="picker.trace",
            tooltip="Stop them at each call",
            priority=True,
        ),
        Binding(
            "ctrl+r",
            "tree",
            "Descendants",
            id="picker.tree",
            tooltip="What they fork, too",
            priority=True,
        ),
        Binding(
            "down",
            "move(1)",
            "Down",
            show=False,
            id="picker.down",
            tooltip="The next process",
            priority=True,
        ),
        Binding(
            "up",
            "move(-1)",
            "Up",
            show=False,
            id="picker.up",
            tooltip="The process before",
            priority=True,
        ),
        Binding(
            "pagedown",
            "page(1)",
            "Page down",
            show=False,
            id="picker.next",
            tooltip="A page on",
            priority=True,
        ),
        Binding(
            "pageup",
            "page(-1)",
            "Page up",
            show=False,
            id="picker.last",
            tooltip="A page back",
            priority=True,
        ),
        Binding(
            "escape",
            "clear",
            "Clear",
            show=False,
            id="picker.clear",
            tooltip="Forget the words and the marks",
        ),
        Binding("ctrl+q", "quit", "Quit", id="picker.quit", tooltip="Leave ipcviz", priority=True),
    ]
    CSS = """
    #search { height: 1; border: none; padding: 0 1; background: $panel; }
    #head { height: 1; padding: 0 1; color: $text-muted; text-style: bold; background: $surface; }
    #list {
        height: 1fr; border: none; padding: 0 1; background: $surface;
        scrollbar-size-vertical: 1;
    }
    #list:focus { border: none; }
    #about { height: 6; padding: 0 1; border-top: solid $panel-border; background: $surface; }
    #too-small { display: none; }
    Screen.-tiny Input, Screen.-tiny #head, Screen.-tiny #list { display: none; }
    Screen.-tiny #about, Screen.-tiny KeyFooter { display: none; }
    Screen.-tiny #too-small { display: block; }
    Screen.-low #about { display: none; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (40, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (14, "-high")]

    def __init__(
        self,
        list_running: Callable[[], tuple[RunningProcess, ...]],
        explain_refusal: Callable[[tuple[int, ...], bool], str],
        wanted: str = "",
        *,
        trace: bool = False,
        tree: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        register_themes(self)
        self._list_running = list_running
        self._explain_refusal = explain_refusal
        self._wanted = wanted
        self._clock = clock
        self.traces_calls, self.descendants = trace, tree
        self.processes: tuple[RunningProcess, ...] = ()
        self.marked: dict[int, float] = {}
        """Marked processes, and when they were started: a number is given anew."""
        self._shown: tuple[RunningProcess, ...] = ()

    def compose(self) -> ComposeResult:
        """A line to search, the table, and more about the process with the cursor."""
        yield SearchLine(
            self._wanted,
            placeholder="Type to search: name, command, user, number",
            id="search",
            compact=True,
        )
        yield Static(id="head")
        yield OptionList(id="list", compact=True)
        yield Static(id="about")
        yield Static("ipcviz needs a terminal of at least 40 columns.", id="too-small")
        yield KeyFooter(palette=False)

    async def on_mount(self) -> None:
        """Show all, and look again once a second."""
        self.query_one(OptionList).can_focus = False
        self.query_one(Input).focus()
        await self.refresh_processes()
        self.set_interval(REFRESH, self._refresh_soon, name="processes")

    def _refresh_soon(self) -> None:
        self.run_worker(self.refresh_processes(), group="processes", exclusive=True)

    async def refresh_processes(self) -> None:
        """Read the processes anew and show them."""
        self.processes = await asyncio.to_thread(self._list_running)
        started = {process.pid: process.started for process in self.processes}
        self.marked = {
            pid: since for pid, since in self.marked.items() if started.get(pid) == since
        }
        self.show_processes()

    def show_processes(self) -> None:
        """List the processes in which all words of the search occur; the cursor stays on its
        process.
        """
        words = self.query_one(Input).value.lower().split()
        before = self.chosen
        found = (process for process in self.processes if process.has_words(words))
        # Who is called so comes before who only has the word in its command line.
        self._shown = tuple(
            sorted(found, key=lambda process: not any(map(process.is_called, words)))
        )
        table = self.query_one(OptionList)
        top = table.scroll_offset.y
        width = max(20, self.size.width - 3)
        table.clear_options()
        rows = [
            Option(self._build_row(process, width), id=str(process.pid)) for process in self._shown
        ]
        table.add_options(rows or [Option(Content("No process has these words"), disabled=True)])
        at = next(
            (i for i, p in enumerate(self._shown) if before is not None and p.pid == before.pid), 0
        )
        table.highlighted = at if self._shown else None
        if before is not None:
            table.scroll_to(y=top, animate=False)
        self._show_head(width)
        self._show_about()

    def _build_row(self, process: RunningProcess, width: int) -> Content:
        age = format_seconds(max(0.0, self._clock() - process.started))
        mark = "*" if process.pid in self.marked else " "
        row = (
            f"{mark} {process.pid:>7} {fit_text(make_visible(process.user), 8)}"
            f" {fit_text(make_visible(process.name), 15)} {age:>7}"
        )
        row += f" {process.threads:>7}  "
        left = width - len(row) if width < ROOMY else 34
        row += fit_text(make_visible(process.blocked_in), max(0, left))
        if width >= ROOMY:
            row += f"  {fit_text(argv_text(process.command), max(0, width - len(row) - 2))}"
        row = clip_text(row, width)
        return Content.styled(row, "bold") if process.pid in self.marked else Content(row)

    def _show_head(self, width: int) -> None:
        head = f"  {'PID':>7} {'USER':8} {'NAME':15} {'AGE':>7} {'THREADS':>7}  {'BLOCKED IN':34}"
        if width >= ROOMY:
            head += "  COMMAND"
        self.query_one("#head", Static).update(Content(head[:width]))

    def _show_about(self) -> None:
        """The command line of the process with the cursor, and how it would be watched."""
        process = self.chosen
        cells = max(20, self.size.width - 2)
        command = argv_text(process.command, cells * 2) if process is not None else ""
        count = f"{len(self._shown)} of {len(self.processes)} processes."
        self.query_one("#about", Static).update(
            Content(f"{command}\n{count} {self._describe_choice()}")
        )

    def _describe_choice(self) -> str:
        """What Enter does, in two sentences."""
        marked = len(self.marked)
        what = "this process"
        if marked:
            what = "the marked process" if marked == 1 else f"the {marked} marked processes"
        if self.descendants:
            what += " and what it forks" if marked <= 1 else " and what they fork"
        alone = marked <= 1 and not self.descendants
        if self.traces_calls:
            how = "It stops at each of its calls." if alone else "They stop at each of their calls."
        else:
            how = f"Nothing is stopped: {'it is' if alone else 'they are'} only looked at."
        return f"Enter {self.DOES} {what}. {how}"

    @property
    def chosen(self) -> RunningProcess | None:
        """The process with the cursor."""
        at = self.query_one(OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def on_resize(self) -> None:
        """The rows are as wide as the terminal."""
        if self.processes:
            self.show_processes()

    def on_input_changed(self) -> None:
        """Each letter searches."""
        self.show_processes()

    def on_option_list_option_highlighted(self) -> None:
        """The cursor moved."""
        self._show_about()

    def on_option_list_option_selected(self) -> None:
        """A click on a process that has the cursor."""
        self.action_watch()

    def action_watch(self) -> None:
        """Watch the marked processes, or the one with the cursor; say why if that is refused."""
        process = self.chosen
        pids = tuple(self.marked) or ((process.pid,) if process is not None else ())
        if not pids:
            return
        refusal = self._explain_refusal(pids, self.traces_calls)
        if refusal:
            self.notify(refusal, severity="error", markup=False, timeout=10)
        else:
            self.exit(Picked(pids, self.traces_calls, self.descendants))

    def action_mark(self) -> None:
        """Mark the process with the cursor, or take the mark away, and go on to the next."""
        process = self.chosen
        if process is None:
            return
        if self.marked.pop(process.pid, None) is None:
            self.marked[process.pid] = process.started
        self.show_processes()
        self.action_move(1)

    def on_search_line_marked(self) -> None:
        """A space marks, too."""
        self.action_mark()

    def action_trace(self) -> None:
        """Change whether calls are traced."""
        self.traces_calls = not self.traces_calls
        self._show_about()

    def action_tree(self) -> None:
        """Change whether descendants are watched."""
        self.descendants = not self.descendants
        self._show_about()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        table = self.query_one(OptionList)
        if by > 0:
            table.action_cursor_down()
        else:
            table.action_cursor_up()

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        table = self.query_one(OptionList)
        if table.highlighted is not None:
            table.highlighted = min(
                max(0, table.highlighted + by * table.size.height), len(self._shown) - 1
            )

    def action_clear(self) -> None:
        """Forget the words and the marks."""
        self.marked.clear()
        self.query_one(Input).clear()
        self.show_processes()


class ExaminedPicker(Picker):
    """Choose running processes that the doctor examines: by samples, with their descendants."""

    DOES = "examines"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "watch",
            "Examine",
            id="picker.examine",
            tooltip="Examine what is marked, or this",
            priority=True,
        ),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """How they are looked at is not the viewer's to say."""
        if action in ("trace", "tree"):
            return False
        return super().check_action(action, parameters)
