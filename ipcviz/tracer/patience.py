"""How the tracer waits for the next stop just after one.

A busy thread's next stop mostly comes within microseconds, so going to sleep for it, and being
woken up, would cost more than everything else about a stop.

* While a CPU is free the tracer stays awake: it offers its CPU to others, and looks again.
* On a *crowded* machine whoever takes up that offer keeps the CPU for milliseconds. There the
  tracer sleeps in waitpid(2), from which the kernel wakes it on the CPU of the thread that has
  stopped. A timer ends that sleep soon: commands, output and samples come to their turn.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from ipcviz.kernel import ptrace

PATIENCE: Final = 200e-6
IMPATIENCE: Final = 20e-6
"""For how many seconds the CPU is offered to others after a stop. Each time that no stop comes, the
tracer waits for half as long the next time, down to the second figure, and each time that one does,
for twice as long: a command that forks does now this, now that."""

LONG_YIELD: Final = 1e-3
"""If an offer of the CPU is taken up for so many seconds, the machine is crowded: a thread that is
watched comes to its next stop sooner, mostly."""
CROWDED_SECONDS: Final = 0.1
"""For how long the machine then counts as crowded."""
ASLEEP_SECONDS: Final = 0.002
"""How long a sleep in waitpid may last."""

Stop = tuple[int, int] | None
"""As `ptrace.wait_for_change` has it."""


class Patience:
    """Waits for stops.

    Args:
        wait: Gives the next stop, if there is one.
        sleeps: Whether the tracer may sleep in waitpid(2).
    """

    def __init__(self, wait: Callable[[], Stop], *, sleeps: bool) -> None:
        self.wait = wait
        """Gives the next stop, if there is one."""
        self._sleeps = sleeps
        self._seconds = PATIENCE
        self._crowded_until = 0.0
        self._ticking = False
        if sleeps:
            # Python's handler does nothing, but there has to be one for the sleep to be ended.
            signal.signal(signal.SIGALRM, lambda *_: None)

    def wait_after_stop(self, *, quick: bool = False) -> Stop:
        """The next stop, just after one; (0, 0) if none comes soon.

        Args:
            quick: Do not sleep: somebody else than the threads is waited for as well.
        """
        now = time.monotonic()
        if now < self._crowded_until and self._sleeps and not quick:
            return self._sleep_until_stop()
        came = self.wait()
        if came is None or came[0]:
            return came
        until = now + self._seconds
        while now < until:
            os.sched_yield()
            came, before, now = self.wait(), now, time.monotonic()
            if now - before > LONG_YIELD:
                self._crowded_until = now + CROWDED_SECONDS
                return came
            if came is None or came[0]:
                self._seconds = min(self._seconds * 2, PATIENCE)
                return came
        self._seconds = max(self._seconds / 2, IMPATIENCE)
        return came

    def _sleep_until_stop(self) -> Stop:
        if not self._ticking:
            self._ticking = True
            signal.setitimer(signal.ITIMER_REAL, ASLEEP_SECONDS, ASLEEP_SECONDS)
        return ptrace.wait_asleep()

    def stop_ticking(self) -> None:
        """The tracer looks after everything else now."""
        if self._ticking:
            self._ticking = False
            signal.setitimer(signal.ITIMER_REAL, 0.0)
