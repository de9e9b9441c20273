"""Signals of ipcviz's own process, on any system.

With `ipcviz.terminals`, which Windows goes without, the only module of what a replay loads that may
ask the `signal` module: the numbers of a trace are Linux's wherever it is shown, and
`ipcviz.events.signals` has their names.
"""

from __future__ import annotations

import signal


def block_all() -> None:
    """Have no signal handled in the calling thread, so that the main thread is the one that gets
    them.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
