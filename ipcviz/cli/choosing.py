"""Which running processes are meant: by their numbers and names, or chosen from a table."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from ipcviz.tracer.attached.attach import AttachError, check_processes
from ipcviz.tracer.running import RunningProcess, list_running

if TYPE_CHECKING:
    from ipcviz.app.picker import Picked

_LONGEST_PID: Final = 20
"""Digits beyond those of any number of the kernel's; int() takes only some thousand."""


class Found(NamedTuple):
    """What the words of the command line name.

    Attributes:
        pids: The processes.
        search: What the table is searched for, if they name no process or several.
        why_not_alone: Why they do not say which processes are meant, as a sentence; empty if they
            do.
    """

    pids: tuple[int, ...]
    search: str = ""
    why_not_alone: str = ""

    @property
    def ask(self) -> bool:
        """Whether somebody has to choose."""
        return bool(self.why_not_alone)


def find_processes(words: Sequence[str]) -> Found:
    """The processes that numbers and names stand for.

    Args:
        words: Process numbers, and names of programs.

    Raises:
        click.UsageError: A name that no process of the user has.
    """
    if not words:
        return Found(
            (),
            why_not_alone="Name the processes by their PIDs or names: 'ps -e' lists them.",
        )
    pids: list[int] = []
    listed: tuple[RunningProcess, ...] | None = None
    for word in words:
        if len(word) <= _LONGEST_PID and word.isascii() and word.removeprefix("-").isdecimal():
            pids.append(int(word))
            continue
        if listed is None:
            listed = list_running((os.getpid(),))
        named = [process.pid for process in listed if process.is_called(word)]
        if not named:
            raise click.UsageError(
                f"No process of yours is called {word}: 'ps -e' lists those that there are."
            )
        if len(named) > 1:
            numbers = ", ".join(map(str, sorted(named)[:8])) + (", ..." if len(named) > 8 else "")
            why = f"{len(named)} processes are called {word} ({numbers}): name one by its PID."
            return Found((), search=word, why_not_alone=why)
        pids += named
    return Found(tuple(dict.fromkeys(pids)))


def let_choose(
    search: str, *, trace: bool = False, tree: bool = False, examining: bool = False
) -> Picked | None:
    """Show the table of the user's processes; None if the viewer left without a choice.

    Args:
        search: The words that it is searched for at first.
        trace: Calls are to be traced, until the viewer says otherwise.
        tree: Descendants are meant too, until the viewer says otherwise.
        examining: They are to be examined by the doctor, and not watched.
    """
    from ipcviz.app.driver import run_on_terminal
    from ipcviz.app.picker import ExaminedPicker, Picker
    from ipcviz.terminals import SignalPipe

    spare = (os.getpid(),)

    def explain_refusal(pids: tuple[int, ...], trace: bool) -> str:
        try:
            check_processes(pids, trace=trace, spare=spare)
        except AttachError as error:
            return str(error)
        return ""

    kind = ExaminedPicker if examining else Picker
    picker = kind(partial(list_running, spare), explain_refusal, search, trace=trace, tree=tree)
    with SignalPipe() as signals:
        picked = run_on_terminal(picker, signals)
    if signals.ended_by:
        sys.exit(128 + signals.ended_by)
    return picked


def is_on_terminal() -> bool:
    """Whether there is somebody who could choose."""
    return os.isatty(0) and os.isatty(1)
