"""The panels that there are: their keys and names, and where each may stand."""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.app.panels.buffers import Buffers
from ipcviz.app.panels.descriptors import Descriptors
from ipcviz.app.panels.findings import FindingsPanel
from ipcviz.app.panels.log import LogPanel
from ipcviz.app.panels.memory import MemoryPanel
from ipcviz.app.panels.output import OutputPanel
from ipcviz.app.panels.panel import Panel
from ipcviz.app.panels.proc import Proc
from ipcviz.app.panels.semaphores import Semaphores
from ipcviz.app.panels.signals import SignalsPanel
from ipcviz.app.panels.source import SourcePanel
from ipcviz.app.panels.story import StoryPanel


class PanelEntry(NamedTuple):
    """A panel that can be chosen.

    Attributes:
        key: The key that shows it.
        title: Its name.
        short: Its name where there is little room.
        kind: Its widget.
        beside: Whether there may be one more of it beside the picture, where the screen is wide;
            from top to bottom in the order of `PANELS`. The story stands there where the picture
            needs its rows.
        usual: Whether it stands there if the story points at nothing else, as long as it has
            anything to say.
        rare: Whether the bar names it only while it has anything to say.
    """

    key: str
    title: str
    short: str
    kind: type[Panel] | type[OutputPanel]
    beside: bool = False
    usual: bool = False
    rare: bool = False


PANELS: Final[dict[str, PanelEntry]] = {
    "story": PanelEntry("t", "Story", "Story", StoryPanel),
    "log": PanelEntry("l", "Log", "Log", LogPanel),
    "descriptors": PanelEntry("d", "Descriptors", "Descr", Descriptors, beside=True, usual=True),
    "buffers": PanelEntry("u", "Buffers", "Buf", Buffers, beside=True, usual=True),
    "semaphores": PanelEntry("m", "Semaphores", "Sem", Semaphores, beside=True),
    "memory": PanelEntry("e", "Memory", "Mem", MemoryPanel, beside=True),
    "signals": PanelEntry("s", "Signals", "Sig", SignalsPanel, beside=True),
    "proc": PanelEntry("r", "/proc", "/proc", Proc, beside=True, usual=True),
    "source": PanelEntry("x", "Source", "Src", SourcePanel, beside=True, usual=True),
    "output": PanelEntry("o", "Output", "Out", OutputPanel),
    "findings": PanelEntry("F", "Findings", "Find", FindingsPanel, rare=True),
}
"""By name, in the order of the bar below the picture."""
