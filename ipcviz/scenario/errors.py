"""The error that everything about scenarios raises."""

from __future__ import annotations


class ScenarioError(Exception):
    """A scenario can't be found, read, compiled or started.

    Attributes:
        message: What is wrong, where, and what is allowed or what to do; one sentence, except that a compiler's own
            words may follow on lines of their own.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
