"""Showing a command on the screen until the viewer leaves it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ipcviz.app.collector import postpone_collector
from ipcviz.events import Resize
from ipcviz.events.accesses import MOST_VARIABLES, VariableSpec
from ipcviz.messages import exit_with_error
from ipcviz.session.live import LiveSession
from ipcviz.sizes import terminal_size
from ipcviz.tracer.config import LaunchConfig

if TYPE_CHECKING:
    from ipcviz.model.steps.schedule import Schedule
    from ipcviz.scenario import Scenario


def need_terminal() -> None:
    """The screen needs one; say so before anything is launched."""
    if not (os.isatty(0) and os.isatty(1)):
        exit_with_error("The screen needs a terminal; without one use 'ipcviz trace'.")


class RunOptions(NamedTuple):
    """How a command is run and shown.

    Attributes:
        pty: It has a terminal of its own.
        full: It is stopped at every data call, whatever that costs.
        seccomp: Its calls are marked by a seccomp filter; else it is stopped at every call.
        hold: It is held at its first operation.
        save: A file to keep the session in.
        save_steps: A file for the steps that were made.
        order: In which order threads go on, and what that is called; empty for a lesson's own.
        variables: Those whose loads and stores are to be seen.
        unset: Environment variables that it is not given.
    """

    pty: bool = True
    full: bool = False
    seccomp: bool = True
    hold: bool = False
    save: str = ""
    save_steps: str = ""
    order: tuple[Schedule, str] | None = None
    variables: tuple[VariableSpec, ...] = ()
    unset: tuple[str, ...] = ()


def show_session(
    argv: tuple[str, ...],
    title: str,
    how: RunOptions,
    cwd: str = "",
    scenario: Scenario | None = None,
) -> int:
    """Show one session until the viewer leaves it."""
    size = terminal_size()
    its = Resize.make_for_screen(size.lines, size.columns)
    config = LaunchConfig(
        argv=argv,
        cwd=cwd,
        terminal=how.pty,
        full=how.full,
        seccomp=how.seccomp,
        rows=its.rows,
        columns=its.columns,
        hold=how.hold,
        variables=how.variables[:MOST_VARIABLES],
        unset=how.unset,
    )
    session = LiveSession(config)
    return show_live(session, title, scenario, how)


def show_live(
    session: LiveSession,
    title: str,
    scenario: Scenario | None = None,
    how: RunOptions | None = None,
) -> int:
    """Start a session, and show it until the viewer leaves it.

    The tracer gets ready, and launches or attaches, while the screen is imported: each takes about
    as long as the other. Raises SessionError if the session can't be started.
    """
    how = how or RunOptions()
    session.start()
    postpone_collector()
    from ipcviz.app.app import run_app

    return run_app(session, title, scenario, how.save, how.order, how.save_steps)
