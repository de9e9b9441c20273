"""The source panel: the text of a process's program, with the line that it is on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from textual import events

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Late, Panel, Row, fit_value
from ipcviz.app.picture.words import find_line
from ipcviz.app.scripts import find_script, guess_line, list_commands
from ipcviz.app.sources import SourceTexts
from ipcviz.app.text import make_visible
from ipcviz.events import Located
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.model.state import Process

_MOST_TABS: Final = 8
"""Other processes that the border names at most."""
CONTEXT: Final = 3
"""Lines that are in sight on either side of the current one, where there is room."""

_MISSING: Final = {
    "debug information": "has no debug information: compile it with -g, and its source is here.",
    "pystack": "is a Python, and its lines are read by pystack: pip install pystack.",
    "frames": "is a Python whose frames pystack can't read.",
    "time": "has lines that take too long to read: no more of them are read.",
}


class SourcePanel(Panel):
    """The source of the process that moved last, or of the selected one."""

    TITLE = "Source"
    HELP_TEXT: ClassVar[str] = (
        "The source of a process, with the line that it is on: `>` marks it. It is the line of the"
        " call that it is about to make, has come back from, or is blocked in; of what it calls"
        " in libraries nothing is shown. In step mode the panel follows the process that has moved"
        " last, until another one is selected; else it shows the selected process while that is"
        " blocked. `<` marks lines that others are on. Compiled programs need debug information"
        " (cc -g); optimised ones may be a line off. Python is read by pystack. Of a shell's script"
        " nobody tells the line: `~` marks where the last command stands that it has run, which is"
        " only about where it is. Where several processes have source, the border has a tab for"
        " each: a click on one selects it, and so do the brackets."
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.texts = SourceTexts()
        self._selected = 0
        self._step = -1
        self._follows = True
        self._place: tuple[str, int] = ("", 0)
        self._tabs: list[tuple[int, str]] = []

    # Which process.

    def choose_process(self, view: View) -> Process | None:
        """The process whose source is shown: in step mode the one that moved, or another one where
        that one has none.
        """
        moved = view.state.threads.get(view.state.moved) if view.state.stepping else None
        if not self._follows or moved is None:
            return view.process
        mover = view.state.processes.get(moved.pid)
        if self.find_place(view, mover) is not None:
            return mover
        return next((one for one in view.processes if self.find_place(view, one)), mover)

    def _note_choice(self, view: View) -> None:
        """A step makes the panel follow who moves; a selection makes it show what is selected."""
        if view.state.step != self._step:
            self._follows = True
        elif view.pid != self._selected:
            self._follows = False
        self._step, self._selected = view.state.step, view.pid

    # Making rows.

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether there is a source line, or a script, to be shown."""
        return has_source(view)

    def title_of(self, view: View) -> str:
        """The file, the line and the function, and of whom."""
        process = self.choose_process(view)
        located = self.find_place(view, process)
        self._tabs = []
        if process is None or located is None:
            return self.TITLE
        place = f"{os.path.basename(located.file) or located.file}:{located.line}"
        known = located.function and not _is_guess(located)
        function = f" in {located.function}" if known else ""
        about = ", about (by the commands that it has run)" if _is_guess(located) else ""
        title = f"Source: {place}{function}{about}, {_name_of(view, process)}"
        others = self._list_tabs(view, process)
        self._tabs = [(process.pid, title), *others]
        return title + "".join(words for _, words in others)

    def find_place(self, view: View, process: Process | None) -> Located | None:
        """The line that a process is on; of a shell's script the likeliest one, of the language
        `shell`.
        """
        located = find_line(view.state, process)
        script = find_script(process) if located is None else ""
        if not script or process is None or process.fate != "alive":
            return located
        lines = self.texts.read_text(script).lines
        line = guess_line(lines, list_commands(view.state, process))
        if not line:
            return None
        return Located(t=view.now, pid=process.pid, tid=0, file=script, line=line, function=_GUESS)

    def _list_tabs(self, view: View, chosen: Process) -> list[tuple[int, str]]:
        """A tab for each other process that has source: its pid, and its words in the border."""
        tabs = []
        for process in view.processes:
            located = self.find_place(view, process) if process.pid != chosen.pid else None
            if located is not None:
                place = f"{os.path.basename(located.file)}:{located.line}"
                about = "~" if _is_guess(located) else ""
                tabs.append((process.pid, f" | {_name_of(view, process)} {about}{place}"))
            if len(tabs) == _MOST_TABS:
                break
        return tabs

    def on_click(self, event: events.Click) -> None:
        """A click on a tab selects its process."""
        if event.y != 0:
            return
        end = 1
        for pid, words in self._tabs:
            end += cell_len(make_visible(words))
            if event.x < end:
                event.prevent_default()
                self._follows = False
                self.post_message(self.Chosen(("process", pid)))
                return

    def rebuild_rows(self) -> None:
        """Make the rows anew; a new line is brought onto the screen."""
        if self.view is None:
            return
        self._note_choice(self.view)
        super().rebuild_rows()
        located = self.find_place(self.view, self.choose_process(self.view))
        place = (located.file, located.line) if located is not None else ("", 0)
        if place != self._place:
            self._place = place
            self._bring_into_sight(place[1] - 1)

    def on_resize(self) -> None:
        """Another height: the line stays in sight."""
        super().on_resize()
        self._bring_into_sight(self._place[1] - 1)

    def _bring_into_sight(self, y: int) -> None:
        if y < 0:
            self.scroll_to(y=0, animate=False, immediate=True, force=True)
            return
        height = self.scrollable_content_region.height
        context = min(CONTEXT, max(0, (height - 1) // 2))
        top = self.scroll_offset.y
        if not top + context <= y < top + height - context:
            target = max(0, y - max(context, height // 2))
            self.scroll_to(y=target, animate=False, immediate=True, force=True)

    def build_rows(self, view: View, width: int) -> Sequence[Late]:
        """The lines of the file, or why there are none."""
        process = self.choose_process(view)
        located = self.find_place(view, process)
        if process is None or located is None:
            return _sentence(explain_missing(view, process), width)
        text = self.texts.read_text(located.file)
        if text.trouble:
            return _sentence(text.trouble, width)
        if located.line > len(text.lines):
            count = f"{len(text.lines):,} line{'s' if len(text.lines) != 1 else ''}"
            return _sentence(f"{located.file} has {count}, and no line {located.line}.", width)
        others = _find_others(view, located, process)
        digits = len(str(len(text.lines)))
        mark = "~" if _is_guess(located) else ">"
        rows = []
        for number, line in enumerate(text.lines, 1):
            lead = f"{number:>{digits}} "
            if number == located.line:
                rows.append(
                    Row(
                        (
                            (f"{mark}{lead}", "lit-chip"),
                            (fit_value(line, width - digits - 2), "cursor"),
                        )
                    )
                )
            elif number in others:
                rows.append(
                    Row((("<", "chosen"), (lead, "dim"), (line, ""), (others[number], "dim")))
                )
            else:
                rows.append(Row(((f" {lead}", "dim"), (line, ""))))
        return rows


_GUESS: Final = "\0guess"
"""Stands for the function of a place that was concluded."""


def _is_guess(located: Located) -> bool:
    return located.function == _GUESS


def has_source(view: View) -> bool:
    """Whether a source line of any living process was read, or, in step mode, a shell runs a
    script: while all runs nothing is read before the viewer asks for it.
    """
    stepping = view.state.stepping
    return any(
        (process.located is not None and process.located.file)
        or (stepping and find_script(process))
        for process in view.state.processes.values()
        if process.fate == "alive"
    )


def explain_missing(view: View, process: Process | None) -> str:
    """Why there is no source line to be shown of a process, in a sentence."""
    if process is None:
        return "Select a process to see its source."
    name = _name_of(view, process)
    if process.fate != "alive":
        return f"{name} has ended."
    known = process.located
    if known is not None and known.missing:
        return f"{name} {_MISSING[known.missing]}"
    threads = [view.state.threads.get(tid) for tid in process.threads]
    rests = any(thread and (thread.poised or thread.waiting) for thread in threads)
    if not rests:
        return f"{name} runs: its line is read when it is held (space) or blocked."
    if known is None:
        return f"No line of {name} has been read: that needs a moment."
    return f"{name} is in code of which no source line is known."


def _name_of(view: View, process: Process) -> str:
    return view.roles.get(process.pid) or name_process(view.state, process.pid)


def _find_others(view: View, located: Located, process: Process) -> dict[int, str]:
    """Which lines of the same file others are on, with who they are."""
    found: dict[int, list[str]] = {}
    for thread in view.state.threads.values():
        line, other = thread.source, view.state.processes.get(thread.pid)
        if line is None or other is None or line.file != located.file:
            continue
        if other.pid != process.pid and line.line != located.line:
            found.setdefault(line.line, []).append(_name_of(view, other))
    return {number: make_visible(f"  {', '.join(names[:3])}") for number, names in found.items()}


def _sentence(text: str, width: int) -> list[Row]:
    return [Row(((line, "dim"),)) for line in wrap_text(text, width)]
