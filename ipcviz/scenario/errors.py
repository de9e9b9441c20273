"""The error that everything about scenarios raises."""

from __future__ import annotations

from ipcviz.errors import UserError


class ScenarioError(UserError):
    """A scenario can't be found, read, compiled or started: what is wrong, where, and what is
    allowed or what to do.

    A compiler's own words are its `details`.
    """
