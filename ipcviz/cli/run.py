"""`ipcviz run`: watch a command or a scenario on the screen."""

from __future__ import annotations

import shutil
import sys

import click

from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--pty/--no-pty", default=True, help="Run it on a terminal of its own (default), or on pipes.")
@click.option("--full", is_flag=True, help="Stop at every data call, whatever it costs.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(*, pty: bool, full: bool, command: tuple[str, ...]) -> None:
    """Run COMMAND (after --) or a scenario by name, and show what its processes say to each other."""
    size = shutil.get_terminal_size()
    config = LaunchConfig(argv=command, terminal=pty, full=full, rows=max(size.lines - 6, 10), columns=size.columns)
    from ipcviz.app.app import run_app

    sys.exit(run_app(LiveSession(config), " ".join(command)))


def catalogue() -> int:
    """The catalogue of scenarios."""
    raise click.UsageError("name a command: ipcviz run -- CMD ARG...")
