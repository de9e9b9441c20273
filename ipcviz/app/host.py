"""What the screens need of the app that they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ipcviz.app.feed import Feed
    from ipcviz.app.replay import Replay


class Host(Protocol):
    """An app that shows a session."""

    @property
    def feed(self) -> Feed | Replay:
        """Where its moments come from."""

    @property
    def command(self) -> str:
        """What it shows, for the status line."""
