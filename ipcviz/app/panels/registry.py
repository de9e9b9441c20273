"""The panels that there are: their keys and names, and where each may stand."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ipcviz.app.panels.output import OutputPanel
    from ipcviz.app.panels.panel import Panel
    from ipcviz.app.view import View


class PanelEntry(NamedTuple):
    """A panel that can be chosen.

    Attributes:
        key: The key that shows it.
        title: Its name.
        short: Its name where there is little room.
        place: The module and the name of its widget.
        beside: Whether there may be one more of it beside the picture, where the screen is wide;
            from top to bottom in the order of `PANELS`. The story stands there where the picture
            needs its rows.
        usual: Whether it stands there if the story points at nothing else, as long as it has
            anything to say.
        appears: Whether the bar names it; one that is rare is named only while it has anything to
            say.
    """

    key: str
    title: str
    short: str
    place: str
    beside: bool = False
    usual: bool = False
    appears: Callable[[View], bool] = lambda view: True

    @property
    def kind(self) -> type[Panel] | type[OutputPanel]:
        """Its widget, which is imported when it is asked for: few panels are seen at first."""
        module, _, name = self.place.partition(":")
        found: type[Panel] | type[OutputPanel] = getattr(
            import_module(f"ipcviz.app.panels.{module}"), name
        )
        return found


def _has_findings(view: View) -> bool:
    return bool(view.findings)


PANELS: Final[dict[str, PanelEntry]] = {
    "story": PanelEntry("t", "Story", "Story", "story:StoryPanel"),
    "log": PanelEntry("l", "Log", "Log", "log:LogPanel"),
    "descriptors": PanelEntry(
        "d", "Descriptors", "Descr", "descriptors:Descriptors", beside=True, usual=True
    ),
    "buffers": PanelEntry("u", "Buffers", "Buf", "buffers:Buffers", beside=True, usual=True),
    "semaphores": PanelEntry("m", "Semaphores", "Sem", "semaphores:Semaphores", beside=True),
    "memory": PanelEntry("e", "Memory", "Mem", "memory:MemoryPanel", beside=True),
    "signals": PanelEntry("s", "Signals", "Sig", "signals:SignalsPanel", beside=True),
    "proc": PanelEntry("r", "/proc", "/proc", "proc:Proc", beside=True, usual=True),
    "source": PanelEntry("x", "Source", "Src", "source:SourcePanel", beside=True, usual=True),
    "output": PanelEntry("o", "Output", "Out", "output:OutputPanel"),
    "findings": PanelEntry(
        "F", "Findings", "Find", "findings:FindingsPanel", appears=_has_findings
    ),
}
"""By name, in the order of the bar below the picture."""
