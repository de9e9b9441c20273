"""`ipcviz replay`: show a kept trace, or what another machine writes; no Linux is needed for it."""

from __future__ import annotations

import os
import shlex
import sys

import click

from ipcviz.app.collector import postpone_collector
from ipcviz.inputs import open_input
from ipcviz.scenario import Scenario
from ipcviz.scenario.kept import scenario_of
from ipcviz.session.base import Session
from ipcviz.session.kept import KeptSession, LinesSession
from ipcviz.trace import TraceError, TraceReader


@click.command()
@click.argument("file", type=click.Path(path_type=str))
def replay(*, file: str) -> None:
    """Show the trace in FILE as it was at its end, with every panel; FILE may hold JSON lines, or
    be - for a pipe.

    ssh HOST ipcviz trace -o - --jsonl -- COMMAND | ipcviz replay -
    """
    session, title, scenario = _open_session(file)
    _reopen_terminal(file)
    postpone_collector()
    from ipcviz.app.app import run_app

    sys.exit(run_app(session, title, scenario))


def _open_session(file: str) -> tuple[Session, str, Scenario | None]:
    """The session behind a name, its title, its scenario.

    Raises:
        TraceError: There is none.
    """
    if file == "-":
        if os.isatty(0):
            raise TraceError(
                "Standard input is your terminal: pipe 'ipcviz trace -o - --jsonl -- COMMAND'"
                " into it."
            )
        return LinesSession(os.fdopen(os.dup(0), "rb"), "Standard input"), "standard input", None
    try:
        source = open_input(file, streams=True)
        if source.peek(1)[:1] == b"{":
            return LinesSession(source, file), os.path.basename(file), None
        source.close()
    except OSError as error:
        raise TraceError(f"{file} can't be read: {error.strerror}.") from None
    reader = TraceReader(file)
    title = reader.meta.get("title") or shlex.join(reader.argv) or os.path.basename(file)
    return KeptSession(reader), title, scenario_of(reader.meta)


def _reopen_terminal(file: str) -> None:
    """The screen reads keys from standard input; if the stream came from there, open the terminal
    instead.

    Raises:
        TraceError: There is no terminal.
    """
    if file == "-":
        try:
            terminal = os.open("/dev/tty", os.O_RDWR)
        except OSError:
            raise TraceError("The screen needs a terminal, and there is none.") from None
        os.dup2(terminal, 0)
        os.close(terminal)
    if not (os.isatty(0) and os.isatty(1)):
        raise TraceError("The screen needs a terminal, and there is none.")
