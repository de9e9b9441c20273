"""What is wrong with processes that communicate: findings from states and events. Pure."""

from ipcviz.diagnose.doctor import Doctor, find_at
from ipcviz.diagnose.findings import Evidence, Finding, Origin, Party, Place
from ipcviz.diagnose.moment import Moment

__all__ = ["Doctor", "Evidence", "Finding", "Moment", "Origin", "Party", "Place", "find_at"]
