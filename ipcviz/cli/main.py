"""The command line's entry point: one group, a module for each command."""

from __future__ import annotations

import sys

import click

from ipcviz import __version__
from ipcviz.cli.attach import attach
from ipcviz.cli.check import check
from ipcviz.cli.list import list_scenarios
from ipcviz.cli.new import new
from ipcviz.cli.run import catalogue, run
from ipcviz.cli.trace import trace


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ipcviz")
@click.pass_context
def cli(context: click.Context) -> None:
    """See inter-process communication happen: who talks to whom over what, and who is blocked on what, and why.

    Without a command: the catalogue of scenarios.
    """
    if context.invoked_subcommand is None:
        sys.exit(catalogue())


for command in (run, attach, trace, list_scenarios, check, new):
    cli.add_command(command)


def main() -> None:
    """Run the command line; an error is one sentence on standard error, and exit status 2."""
    try:
        sys.exit(cli.main(prog_name="ipcviz", standalone_mode=False))
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        message = error.format_message()
        context = getattr(error, "ctx", None)
        hint = f" See '{context.command_path} --help'." if context is not None else ""
        click.echo(f"ipcviz: {message}{hint}", err=True)
        sys.exit(2)
