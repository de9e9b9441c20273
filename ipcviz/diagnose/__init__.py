"""What is wrong with processes that communicate: findings from states and events. Pure.

The rules are imported when somebody is examined for the first time: a screen is there before.
"""

from ipcviz.diagnose.diagnosis import BETWEEN, Diagnosis
from ipcviz.diagnose.findings import Evidence, Finding, Origin, Party, SourcePlace

__all__ = ["BETWEEN", "Diagnosis", "Evidence", "Finding", "Origin", "Party", "SourcePlace"]
