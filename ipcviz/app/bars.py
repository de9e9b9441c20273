"""The bars: one row each, of items that can be clicked."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import events

from ipcviz.app.panels.panel import Panel, Row, Span, Target, fit
from ipcviz.app.text import visible
from ipcviz.app.view import View
from ipcviz.narrate import signal_name

Item = tuple[tuple[Span, ...], Target | None]


class Bar(Panel, can_focus=False):
    """One row of items, from left to right, as many as there is room for."""

    DEFAULT_CSS = """
    Bar {
        height: 1;
        border: none;
        background: $panel;
        scrollbar-size-vertical: 0;
        overflow: hidden hidden;
        scrollbar-gutter: auto;
    }
    """

    def items(self, view: View, width: int) -> list[Item]:
        """What the bar shows."""
        raise NotImplementedError

    def build(self, view: View, width: int) -> list[Row]:
        """The items in one row, and where each one ends."""
        spans: list[Span] = []
        self._ends: list[tuple[int, Target | None]] = []
        used = 0
        for item, target in self.items(view, width):
            length = sum(len(text) for text, _ in item)
            if used + length > width:
                break
            spans.extend(item)
            used += length
            self._ends.append((used, target))
        return [Row(tuple(spans))]

    def on_click(self, event: events.Click) -> None:
        """A click on an item selects it."""
        event.prevent_default()
        offset = event.get_content_offset(self)
        if offset is None or not self.rows:
            return
        for end, target in self._ends:
            if offset.x < end:
                if target is not None:
                    self.post_message(self.Chosen(target))
                return


class ProcessBar(Bar):
    """The processes, with the digit that selects each."""

    def items(self, view: View, width: int) -> list[Item]:
        """Digit, state and name of each process that has a digit, and how many more there are."""
        found: list[Item] = []
        for pid, digit in sorted(view.slots.items(), key=lambda item: item[1]):
            process = view.state.processes[pid]
            letter, chip = view.chip(pid)
            name = visible(process.name or "process")[:16] + f"[{pid}]"
            if not process.full and process.fate == "alive":
                name += "~"
            if process.fate != "alive":
                end = signal_name(process.exit_signal) if process.exit_signal else str(process.exit_code)
                name += f" {end}" if process.exit_known else " ?"
            chosen = pid == view.pid
            spans: tuple[Span, ...] = (
                (f"{digit}", "dim"),
                (f" {letter} ", "gone-chip" if chip == "gone" else chip),
                (
                    f">{name}<" if chosen else f" {name} ",
                    "chosen" if chosen else "dim" if process.fate == "gone" else "",
                ),
                (" ", ""),
            )
            found.append((spans, ("slot", pid)))
        more = sum(1 for p in view.state.processes.values() if p.fate != "gone" and p.pid not in view.slots)
        if more:
            found.append((((f"+{more} more in /proc", "dim"),), ("panel", "proc")))
        return found or [((("no process yet", "dim"),), None)]


PANEL_KEYS: Final = {
    "story": ("t", "Story"),
    "log": ("l", "Log"),
    "descriptors": ("d", "Descriptors"),
    "buffers": ("u", "Buffers"),
    "semaphores": ("m", "Semaphores"),
    "memory": ("e", "Memory"),
    "signals": ("s", "Signals"),
    "proc": ("r", "/proc"),
    "output": ("o", "Output"),
}
"""The panels below the picture: key and name."""

_SHORT: Final = {
    "Descriptors": "Descr",
    "Buffers": "Buf",
    "Semaphores": "Sem",
    "Memory": "Mem",
    "Signals": "Sig",
    "Output": "Out",
}


class PanelBar(Bar):
    """The panels, with the key that shows each."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.shown = "log"

    def items(self, view: View, width: int) -> list[Item]:
        """Key and name of each panel."""
        found: list[Item] = []
        panels = {name: at for name, at in PANEL_KEYS.items() if name != "story" or view.story is not None}
        short = width < sum(len(title) + 4 for _, title in panels.values())
        for name, (key, title) in panels.items():
            if short:
                title = _SHORT.get(title, title)
            style = "cursor" if name == self.shown else ""
            spans: tuple[Span, ...] = (
                ("[" if name == self.shown else " ", style),
                (key, "chosen"),
                (f" {title}", style if name == self.shown else "dim"),
                ("]" if name == self.shown else " ", style),
            )
            found.append((spans, ("panel", name)))
        return found


class StatusLine(Bar):
    """What is observed, since when, and how it stands."""

    TITLE: ClassVar[str] = "Status"

    def __init__(self, title: str, *, kept: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.kept = kept
        self.command = title
        self.paused = False

    def items(self, view: View, width: int) -> list[Item]:
        """The command at the left; the state, the marks and the time at the right."""
        right: list[Span] = []
        state = view.state
        sampled = sum(1 for p in state.processes.values() if p.fate == "alive" and not p.full)
        if view.behind:
            right.append((f" {view.behind:,} behind ", "bad"))
        if state.dropped:
            right.append((f" {state.dropped:,} dropped ", "bad"))
        if sampled and not state.finished:
            right.append((f" ~{sampled} sampled ", "blocked"))
        if self.kept:
            right.append((" TRACE ", "asleep"))
        if self.paused:
            right.append((" FROZEN ", "lit-chip"))
        if state.command_code is not None:
            end = signal_name(state.command_signal) if state.command_signal else f"exit {state.command_code}"
            good = not state.command_code and not state.command_signal
            right.append((f" {end} ", "running" if good else "bad"))
            if not state.finished:
                alive = sum(1 for p in state.processes.values() if p.fate == "alive")
                right.append((f" {alive} left ", "blocked"))
        elif state.started is None:
            right.append((" starting ", "asleep"))
        elif state.stepping:
            right.append((" step mode ", "held"))
        elif not self.kept:
            right.append((" live ", "running"))
        minutes, seconds = divmod(max(0.0, view.now), 60)
        right.append((f" {int(minutes)}:{seconds:04.1f} ", ""))
        taken = sum(len(text) for text, _ in right)
        left: Span = (fit(f" {self.command}", max(0, width - taken)), "chosen")
        return [((left, *right), None)]
