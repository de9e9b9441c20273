"""Timers that send signals: a part of the signals panel."""

from __future__ import annotations

from typing import Final

from ipcviz.app.panels.panel import Row, fit, row
from ipcviz.app.view import View
from ipcviz.events.signals import signal_name
from ipcviz.model.mechanisms.notifiers import seconds_text
from ipcviz.model.parts import SignalPart
from ipcviz.model.state import POSIX, ArmedTimer, Process
from ipcviz.narrate import who

HELP: Final = (
    "TIMERS: those of alarm, setitimer and timer_create that the selected process has: when each"
    " expires next comes from the calls; of one that was armed before ipcviz looked it is not"
    " known."
)


def timer_rows(view: View, process: Process, width: int) -> list[Row]:
    """A row for each timer of a process."""
    found = {key: timer for (pid, key), timer in view.state.timers.items() if pid == process.pid}
    known = process.surroundings.timers if process.surroundings is not None else ()
    if process.fate != "alive" or not (found or known):
        return []
    rows = [row((fit("  TIMER        SIGNAL       EXPIRES", width), "head"))]
    details = {POSIX + timer.id: timer for timer in known}
    for key in sorted({*found, *details}):
        timer, detail = found.get(key), details.get(key)
        signo = timer.signo if timer is not None else detail.signo if detail is not None else 0
        sends = signal_name(signo) if signo and (detail is None or detail.notify) else "none"
        words = _due(timer, view.now) if timer is not None else "not known"
        if detail is not None:
            words += f"; {detail.clock}"
            words += f"; to {who(view.state, process.pid, detail.tid)}" if detail.tid else ""
        name = f"timer {key - POSIX}" if key >= POSIX else _NAMES.get(key, "timer")
        lit = SignalPart(process.pid, signo) in view.lit
        rows.append(
            row(
                ("*" if lit else " ", "lit-chip" if lit else ""),
                " ",
                (fit(name, 12), "lit" if lit else ""),
                " ",
                (fit(sends, 12), ""),
                " ",
                (fit(words, max(0, width - 28)), "dim"),
            )
        )
    return rows


_NAMES: Final = {14: "real time", 26: "user time", 27: "CPU time"}


def _due(timer: ArmedTimer, now: float) -> str:
    if not timer.armed:
        return "not armed"
    again = f", then every {seconds_text(timer.interval)}" if timer.interval else ""
    if timer.clock:
        return f"after {seconds_text(timer.due)} of {timer.clock}{again}"
    left = timer.due - now
    return (f"in {seconds_text(left)}" if left > 0 else "due now") + again
