"""The error that a session can raise."""

from __future__ import annotations

from ipcviz.errors import UserError


class SessionError(UserError):
    """A session can't be started or go on."""
