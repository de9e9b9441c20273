"""What the app, the exporters and the tests see of a session: a stream to drain, commands to
send.
"""

from __future__ import annotations

from typing import Protocol

from ipcviz.events import AnyCommand, Event


class Session(Protocol):
    """A live or kept stream of events behind one interface.

    Attributes:
        argv: The command that is observed.
    """

    argv: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether no further event will come: what was observed has ended and everything was
        drained.
        """

    def start(self) -> None:
        """Begin. Raises `ipcviz.session.errors.SessionError` with a sentence if it can't."""

    def drain(self) -> list[Event]:
        """Everything that came since the last call, in order; never blocks; may be called from any
        thread.
        """

    def send(self, command: AnyCommand) -> None:
        """Tell the tracer something; a session that can't do it (a kept trace) ignores it."""

    def close(self) -> None:
        """End the session and everything that it launched, and wait until that is so.

        Idempotent.
        """
