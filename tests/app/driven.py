"""An app on a terminal of some size, whose clock and session the test moves."""

from __future__ import annotations


class Driven:
    """The app, its pilot, its prepared session, and its clock that stands still."""

    def __init__(self, app, pilot, session, clock):
        self.app, self.pilot, self.session, self.clock = app, pilot, session, clock

    async def frame(self, seconds: float = 0.0) -> None:
        """Show what has come, all of it: a busy machine takes in a part in one frame."""
        self.clock.now += seconds
        self.app.run_frame()
        while self.app.feed.behind:
            self.app.run_frame()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()
