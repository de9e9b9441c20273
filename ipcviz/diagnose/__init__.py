"""What is wrong with processes that communicate: findings from states and events. Pure."""

from ipcviz.diagnose.diagnosis import BETWEEN, Diagnosis
from ipcviz.diagnose.doctor import Doctor, find_at
from ipcviz.diagnose.findings import Evidence, Finding, Origin, Party, SourcePlace
from ipcviz.diagnose.moment import CaseMoment

__all__ = [
    "BETWEEN",
    "CaseMoment",
    "Diagnosis",
    "Doctor",
    "Evidence",
    "Finding",
    "Origin",
    "Party",
    "SourcePlace",
    "find_at",
]
