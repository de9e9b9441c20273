"""The error that everything about scenarios raises."""

from __future__ import annotations

from ipcviz.errors import UserError


class ScenarioError(UserError):
    """A scenario can't be found, read, compiled or started: what is wrong, where, and what is
    allowed or what to do.

    A compiler's own words are its `details`.

    Attributes:
        problems: Everything that is wrong with a file, a line each, in the order of the file; empty
            where it is one sentence.
    """

    problems: tuple[str, ...] = ()
