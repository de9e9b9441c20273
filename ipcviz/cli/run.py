"""`ipcviz run`: watch a command or a scenario on the screen; and the catalogue of scenarios."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping

import click

from ipcviz.cli.words import AFTER_DASHES, AfterDashes
from ipcviz.scenario import Scenario, ScenarioError, find, load_all, prepare, read_settings
from ipcviz.scenario.format import Value
from ipcviz.session.live import LiveSession
from ipcviz.trace import TraceError
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.launch import LaunchError, check_command


@click.command(cls=AfterDashes)
@click.option("--pty/--no-pty", default=True, help="Run it on a terminal of its own (default), or on pipes.")
@click.option("--full", is_flag=True, help="Stop at every data call, whatever it costs.")
@click.option("--save", metavar="FILE", default="", help="Keep the session in FILE, for 'ipcviz replay'.")
@click.option("--variant", metavar="NAME", help="The way to run a scenario; 'ipcviz list' shows them.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A scenario's parameter; may be repeated.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(
    context: click.Context,
    *,
    pty: bool,
    full: bool,
    save: str,
    variant: str | None,
    settings: tuple[str, ...],
    command: tuple[str, ...],
) -> None:
    """Run a scenario by name or folder, or after -- any command, and show what its processes say to each other."""
    _need_a_terminal()
    try:
        if not context.meta[AFTER_DASHES]:
            sys.exit(_run_scenario(_one_scenario(command), variant, read_settings(settings), full=full, save=save))
        if variant or settings:
            raise click.UsageError("--variant and --set are for scenarios, not for a command after --.")
        check_command(command)
        sys.exit(_show(command, shlex.join(command), pty=pty, full=full, save=save))
    except LaunchError as error:
        click.echo(f"ipcviz: {error}", err=True)
        sys.exit(2)
    except (ScenarioError, TraceError) as error:
        click.echo(f"ipcviz: {error.message}", err=True)
        sys.exit(2)


def _one_scenario(words: tuple[str, ...]) -> Scenario:
    if len(words) > 1:
        raise ScenarioError(f"Name one scenario, or put -- before a command: ipcviz run -- {shlex.join(words)}")
    try:
        return find(words[0])
    except ScenarioError as error:
        if shutil.which(words[0]):
            raise ScenarioError(f"{error.message} For the command of that name: ipcviz run -- {words[0]}") from None
        raise


def _need_a_terminal() -> None:
    """The screen needs one; say so before anything is launched."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo("ipcviz: the screen needs a terminal; without one use 'ipcviz trace'.", err=True)
        sys.exit(2)


def _show(
    argv: tuple[str, ...],
    title: str,
    *,
    pty: bool = True,
    full: bool = False,
    cwd: str = "",
    scenario: Scenario | None = None,
    save: str = "",
) -> int:
    """Show one session until the viewer leaves it."""
    from ipcviz.app.app import run_app

    size = shutil.get_terminal_size()
    rows = max(size.lines - 6, 10)
    config = LaunchConfig(argv=argv, cwd=cwd, terminal=pty, full=full, rows=rows, columns=size.columns)
    return run_app(LiveSession(config), title, scenario, save)


def _run_scenario(
    scenario: Scenario, variant: str | None, settings: Mapping[str, Value], *, full: bool = False, save: str = ""
) -> int:
    """Make a scenario ready, and show it; what was made for it is removed afterwards."""
    with prepare(scenario, variant, settings) as launch:
        title = f"{scenario.name} ({launch.variant})"
        return _show(launch.argv, title, full=full, cwd=launch.cwd, scenario=scenario, save=save)


def catalogue() -> int:
    """Let the viewer choose scenarios, and show each, until they leave the catalogue."""
    from ipcviz.app.catalogue import choose_scenario

    _need_a_terminal()
    message = ""
    try:
        scenarios = load_all()
    except ScenarioError as error:
        click.echo(f"ipcviz: {error.message}", err=True)
        return 2
    while (choice := choose_scenario(scenarios, message)) is not None:
        message = ""
        try:
            _run_scenario(choice.scenario, choice.variant, {})
        except ScenarioError as error:
            message = error.message
    return 0
