"""The error that reading or writing a trace can raise."""

from __future__ import annotations


class TraceError(Exception):
    """A trace can't be written or read.

    Attributes:
        message: One sentence: what happened and what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
