"""The command line's entry point: one group, a module for each command, imported when it is called.

Showing a kept trace works without Linux, so nothing of what watches processes may be imported for it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click
from click.shell_completion import CompletionItem

from ipcviz import __version__, streams

COMMANDS: Final = {
    "run": ("ipcviz.cli.run:run", "Run a scenario, or after -- any command, and show it."),
    "attach": ("ipcviz.cli.attach:attach", "Watch processes that run already."),
    "trace": ("ipcviz.cli.trace:trace", "Run a command without a screen and write a trace."),
    "replay": ("ipcviz.cli.replay:replay", "Show a kept trace, or a stream of JSON lines."),
    "record": ("ipcviz.cli.record:record", "Write a cast of a scenario or a trace; no terminal is needed."),
    "play": ("ipcviz.cli.play:play", "Play a cast in the terminal, forward and back by chapters."),
    "list": ("ipcviz.cli.list:list_scenarios", "List the scenarios."),
    "check": ("ipcviz.cli.check:check", "Check the scenario in a folder, or a cast."),
    "new": ("ipcviz.cli.new:new", "Make a new scenario in a folder."),
    "bench": ("ipcviz.cli.bench:bench", "Measure what watching costs here."),
}
"""Where each command is, and what it does in a line."""


class LazyGroup(click.Group):
    """Commands that are imported when they are called; their list needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, and options; no command is imported for it."""
        found = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands and what they do."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ipcviz")
@click.pass_context
def cli(context: click.Context) -> None:
    """See inter-process communication happen: who talks to whom over what, and who is blocked on what, and why.

    Without a command: the catalogue of scenarios.
    """
    if context.invoked_subcommand is None:
        from ipcviz.cli.run import catalogue

        sys.exit(catalogue())


def main() -> None:
    """Run the command line; an error is one sentence on standard error, and exit status 2."""
    streams.occupy()
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
