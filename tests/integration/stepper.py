"""Steps a command by hand: lets threads go, waits until all is at rest, and keeps what was said."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

import ipcviz.events as ev
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State, Thread
from ipcviz.model.steps import stepping
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig

PATIENCE = 20.0


class Stepper:
    """A command in step mode.

    Args:
        argv: The command.
        hold: Held from the first operation on; else it runs until `hold`.
        cwd: Where it runs.

    Attributes:
        state: The state after the last event.
        events: All events so far.
    """

    def __init__(self, *argv: str, hold: bool = True, cwd: str = "") -> None:
        self.session = LiveSession(LaunchConfig(argv=argv, hold=hold, terminal=True, cwd=cwd))
        self.state = State()
        self.events: list[ev.Event] = []
        self._turn = 0
        self._hold = hold

    def __enter__(self) -> Stepper:
        self.session.start()
        if self._hold:
            self.until(lambda: any(isinstance(e, ev.Settled) for e in self.events))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.session.close()

    @property
    def finished(self) -> bool:
        return self.session.finished

    @property
    def output(self) -> bytes:
        return b"".join(e.data for e in self.events if isinstance(e, ev.Output))

    @property
    def resting(self) -> bool:
        """Whether the last thing said of a step is that all is at rest."""
        for event in reversed(self.events):
            if isinstance(event, ev.Settled):
                return True
            if isinstance(event, ev.Stepped | ev.Held | ev.Released):
                return False
        return False

    def until(self, seen: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Take events in until something is so."""
        deadline = time.monotonic() + seconds
        while True:
            for event in self.session.drain():
                self.state = reduce(self.state, event)
                self.events.append(event)
            if seen():
                return
            assert not self.session.finished, f"it ended before that; last: {self.events[-5:]}"
            assert time.monotonic() < deadline, (
                f"waited in vain; held: {self.poised}; last: {self.events[-5:]}"
            )
            self.session.wait(0.2)

    @property
    def held(self) -> tuple[Thread, ...]:
        return stepping.list_held(self.state)

    @property
    def poised(self) -> dict[str, str]:
        """What each held thread will do, by its name."""
        return {
            stepping.name_thread(self.state, t.tid): stepping.name_operation(t.poised)
            for t in self.held
            if t.poised
        }

    def let(self, name: str) -> list[ev.Event]:
        """Let a thread go by its name; what came of it."""
        tid = stepping.find_thread(self.state, name)
        thread = self.state.threads[tid]
        assert thread.poised is not None, f"{name} is not held: {thread}"
        begin = len(self.events)
        self.session.send(ev.Let(tid=tid))
        self.until(lambda: self.resting_since(begin) or self.session.finished)
        return self.events[begin:]

    def resting_since(self, begin: int) -> bool:
        return any(isinstance(e, ev.Settled) for e in self.events[begin:])

    def next(self) -> list[ev.Event]:
        """Let the thread go whose turn it is."""
        self._turn = stepping.find_next_in_turn(self.state, self._turn)
        return self.let(stepping.name_thread(self.state, self._turn))

    def to(self, name: str, operation: str) -> None:
        """Let a thread go until it stands before an operation."""
        while self.poised.get(name) != operation:
            self.let(name)

    def to_the_end(self, most: int = 5000) -> int:
        """Let all take turns until the end; how many steps that took."""
        for count in range(most):
            if not self.held:
                self.until(lambda: bool(self.held) or self.session.finished)
            if self.session.finished:
                return count
            self.next()
        raise AssertionError(f"no end after {most} steps: {self.poised}")

    def send(self, command: ev.AnyCommand) -> None:
        self.session.send(command)
