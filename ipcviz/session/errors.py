"""The error that a session can raise."""

from __future__ import annotations


class SessionError(Exception):
    """A session can't be started or go on.

    Attributes:
        message: One sentence: what happened and what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
