"""The panels of the screen: each shows one side of a view, and works only while it can be seen."""

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
