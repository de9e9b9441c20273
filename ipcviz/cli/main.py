"""The command line's entry point: one group, a module for each command."""

from __future__ import annotations

import sys

import click

from ipcviz import __version__
from ipcviz.cli.run import run
from ipcviz.cli.trace import trace


class Sentence(click.ClickException):
    """An error for the user: one sentence on stderr, exit status 2."""

    exit_code = 2


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ipcviz")
@click.pass_context
def cli(context: click.Context) -> None:
    """See inter-process communication happen: who talks to whom over what, and who is blocked on what, and why."""
    if context.invoked_subcommand is None:
        from ipcviz.cli.run import catalogue

        sys.exit(catalogue())


cli.add_command(run)
cli.add_command(trace)


def main() -> None:
    """Run the command line."""
    cli.main(prog_name="ipcviz")
