"""The panels of the screen: each shows one side of a view, and works only while it can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcviz.late import import_late

if TYPE_CHECKING:
    from ipcviz.app.panels.buffers import Buffers
    from ipcviz.app.panels.descriptors import Descriptors
    from ipcviz.app.panels.log import LogPanel
    from ipcviz.app.panels.memory import MemoryPanel
    from ipcviz.app.panels.output import OutputPanel
    from ipcviz.app.panels.panel import Panel
    from ipcviz.app.panels.proc import Proc
    from ipcviz.app.panels.semaphores import Semaphores
    from ipcviz.app.panels.signals import SignalsPanel
    from ipcviz.app.panels.source import SourcePanel
    from ipcviz.app.panels.story import StoryPanel
else:
    __getattr__ = import_late(
        __name__,
        {
            "Buffers": "buffers",
            "Descriptors": "descriptors",
            "LogPanel": "log",
            "MemoryPanel": "memory",
            "OutputPanel": "output",
            "Panel": "panel",
            "Proc": "proc",
            "Semaphores": "semaphores",
            "SignalsPanel": "signals",
            "SourcePanel": "source",
            "StoryPanel": "story",
        },
    )

__all__ = [
    "Buffers",
    "Descriptors",
    "LogPanel",
    "MemoryPanel",
    "OutputPanel",
    "Panel",
    "Proc",
    "Semaphores",
    "SignalsPanel",
    "SourcePanel",
    "StoryPanel",
]
