"""What is wrong with processes that communicate: findings from states and events. Pure.

The doctor and its rules are imported when they are asked for: a screen is there before.
"""

from typing import TYPE_CHECKING

from ipcviz.diagnose.diagnosis import BETWEEN, Diagnosis
from ipcviz.diagnose.findings import Evidence, Finding, Origin, Party, SourcePlace

if TYPE_CHECKING:
    from ipcviz.diagnose.doctor import Doctor

__all__ = [
    "BETWEEN",
    "Diagnosis",
    "Doctor",
    "Evidence",
    "Finding",
    "Origin",
    "Party",
    "SourcePlace",
]


def __getattr__(name: str) -> object:
    """Import the doctor (PEP 562)."""
    if name != "Doctor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ipcviz.diagnose.doctor import Doctor

    return Doctor
