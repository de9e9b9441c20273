"""The root of the errors that are one sentence for whoever uses ipcviz."""

from __future__ import annotations


class UserError(Exception):
    """What was asked for can't be done.

    Attributes:
        message: One sentence: what happened and what to do.
        details: Lines that follow it as they are: what another program said. Mostly none.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
