"""The signals that ipcviz itself gets, by the numbers of the machine that it runs on.

The only module of what a replay loads that may ask the `signal` module for numbers: those of a trace are Linux's
wherever it is shown, and `ipcviz.events.signals` has them. What a system lacks (Windows has neither SIGHUP nor masks)
is left out.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def block_all() -> None:
    """Have no signal handled in the calling thread, so that the main thread is the one that gets them."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def handle_endings(leave: Callable[[], bool]) -> list[int]:
    """Have `leave` called at SIGTERM and SIGHUP, except where those were ignored when we were started.

    Args:
        leave: Begins to end the program; returns False if it can't, and then the signal ends the process at once, as
            without a handler. Called as a signal handler.

    Returns:
        A list that gets the signal's number.
    """
    came: list[int] = []

    def told(signo: int, _: object) -> None:
        if leave():
            came.append(signo)
        else:
            signal.signal(signo, signal.SIG_DFL)
            os.kill(os.getpid(), signo)

    for name in ("SIGTERM", "SIGHUP"):
        signo = getattr(signal, name, None)
        if signo is not None and signal.getsignal(signo) is not signal.SIG_IGN:
            signal.signal(signo, told)
    return came
