"""The error that reading or writing a trace can raise."""

from __future__ import annotations

from ipcviz.errors import UserError


class TraceError(UserError):
    """A trace can't be written or read."""
