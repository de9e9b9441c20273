"""The command line's entry point: one group, a module for each command, imported when it is called.

Showing a kept trace works without Linux, so nothing of what watches processes may be imported for
it.
"""

from __future__ import annotations

import errno
import gc
import importlib
import sys
import threading
import traceback
from typing import Final

import click
from click.shell_completion import CompletionItem

from ipcviz import __version__, streams
from ipcviz.errors import UserError
from ipcviz.messages import REFUSED, StreamError, keep_report, silence_stream, write_error

COMMANDS: Final = {
    "run": ("ipcviz.cli.run:run", "Run a scenario, or after -- any command, and show it."),
    "attach": ("ipcviz.cli.attach:attach", "Watch processes that run already."),
    "trace": ("ipcviz.cli.trace:trace", "Run a command without a screen and write a trace."),
    "doctor": ("ipcviz.cli.doctor:doctor", "Say why a command hangs, or what a trace shows of it."),
    "explain": ("ipcviz.cli.doctor:explain", "Explain what the doctor has found."),
    "replay": ("ipcviz.cli.replay:replay", "Show a kept trace, or a stream of JSON lines."),
    "record": (
        "ipcviz.cli.record:record",
        "Write a cast of a scenario or a trace; no terminal is needed.",
    ),
    "play": ("ipcviz.cli.play:play", "Play a cast in the terminal, forward and back by chapters."),
    "notes": (
        "ipcviz.cli.notes:notes",
        "Show the teacher's notes to what another terminal shows.",
    ),
    "list": ("ipcviz.cli.list:list_scenarios", "List the scenarios."),
    "check": ("ipcviz.cli.check:check", "Check the scenario in a folder, or a cast."),
    "new": ("ipcviz.cli.new:new", "Make a new scenario in a folder."),
    "bench": ("ipcviz.cli.bench:bench", "Measure what watching costs here."),
}
"""Where each command is, and what it does in a line."""


INTERRUPTED: Final = 130
NO_READER: Final = 141
"""128 + SIGINT, 128 + SIGPIPE: the exit statuses that a shell gives to what these signals end, on
every system.
"""


YOUNG_WHILE_IMPORTING: Final = 50_000
"""Objects made and not freed until Python looks for cycles among them (gc.set_threshold). Imports
make no garbage, but many objects to look through: an eighth of the time until a screen is there.
"""


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
        found = [
            CompletionItem(name, help=text)
            for name, (_, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands and what they do."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="ipcviz")
@click.pass_context
def cli(context: click.Context) -> None:
    """See inter-process communication happen: who talks to whom over what, and who is blocked on
    what, and why.

    Without a command: the catalogue of scenarios.
    """
    if context.invoked_subcommand is None:
        from ipcviz.cli.catalogue import show_catalogue

        sys.exit(show_catalogue())


def main() -> None:
    """Run the command line; an error is one sentence on standard error, and exit status 2."""
    gc.set_threshold(YOUNG_WHILE_IMPORTING)
    streams.occupy_standard_streams()
    threading.excepthook = _report_thread_error
    sys.exit(_run_command())


def _run_command() -> int:
    """Run the command line.

    Returns the exit status, whatever happens: what nobody foresaw is a sentence, too.
    """
    try:
        # Commands leave with their status by `sys.exit`; click returns that of --help and
        # --version.
        return int(cli.main(prog_name="ipcviz", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" See '{context.command_path} --help'." if context is not None else ""
        write_error(f"{error.format_message()}{hint}")
    except UserError as error:
        write_error(error.message, error.details)
    except StreamError as error:
        return _leave_stream(error.error)
    except MemoryError:
        write_error("There is no memory left: see 'ulimit -v' and 'free'.")
    except Exception as error:  # noqa: BLE001 - the last place where it can become a sentence
        if isinstance(error, OSError) and _is_from_help(error):
            return _leave_stream(error)
        write_error(_explain_limit(error) or keep_report(error))
    return REFUSED


def _explain_limit(error: Exception) -> str:
    """A sentence for what comes of a limit, which can happen anywhere; empty if it is something
    else.
    """
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "No further thread can be made: see 'ulimit -u' and 'ulimit -v'."
    if not isinstance(error, OSError):
        return ""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "ipcviz can open no more files: raise the limit ('ulimit -n')."
    if error.errno == errno.EAGAIN:
        return "No further process can be made: see 'ulimit -u'."
    return ""


def _is_from_help(error: OSError) -> bool:
    """Whether it arose where click writes to standard output: the texts of --help and --version are
    its own.
    """
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    return innermost.f_globals.get("__name__") == "click.utils"


def _leave_stream(error: OSError) -> int:
    """Standard output takes nothing more: say so, unless its reader has left.

    Returns the exit status.
    """
    silence_stream(1)
    if error.errno == errno.EPIPE:
        return NO_READER
    write_error(f"Standard output can't be written: {error.strerror}.")
    return REFUSED


def _report_thread_error(hooked: threading.ExceptHookArgs) -> None:
    """What ended a thread that nobody foresaw: a sentence, as for the main thread."""
    if hooked.exc_value is not None and not isinstance(hooked.exc_value, SystemExit):
        write_error(keep_report(hooked.exc_value))
