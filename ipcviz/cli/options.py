"""Options that several commands share, each written once: a decorator of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from ipcviz.cli.completing import (
    complete_files,
    complete_schedules,
    complete_settings,
    complete_variants,
)
from ipcviz.events.accesses import MOST_VARIABLES, VariableSpec, parse_variable


def read_variables(texts: Sequence[str]) -> tuple[VariableSpec, ...]:
    """The variables that are to be watched, from the command line.

    Raises:
        click.BadParameter: One is none, or there are too many.
    """
    if len(texts) > MOST_VARIABLES:
        raise click.BadParameter(
            f"a processor watches {MOST_VARIABLES} variables at most, and {len(texts)} are named."
        )
    try:
        return tuple(parse_variable(text) for text in texts)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


full_option: Final = click.option(
    "--full", is_flag=True, help="Stop at every data call, whatever it costs."
)
no_seccomp_option: Final = click.option(
    "--no-seccomp",
    is_flag=True,
    help="Put no seccomp filter on the command: every call is stopped at.",
)
watch_option: Final = click.option(
    "--watch",
    "watched",
    multiple=True,
    metavar="[NAME=]SYMBOL|FILE+OFFSET:TYPE",
    callback=lambda _context, _option, texts: read_variables(texts),
    help="See the loads and stores of a variable, with --full or --step; up to four.",
)
save_option: Final = click.option(
    "--save",
    metavar="FILE",
    shell_complete=complete_files,
    default="",
    help="Keep the session in FILE, for 'ipcviz replay'.",
)
schedule_option: Final = click.option(
    "--schedule",
    metavar="NAME|FILE",
    shell_complete=complete_schedules,
    help="Step in this order: one of the scenario's, or a file.",
)
save_schedule_option: Final = click.option(
    "--save-schedule",
    metavar="FILE",
    shell_complete=complete_files,
    default="",
    help="Write the order of the steps to FILE at the end.",
)
variant_option: Final = click.option(
    "--variant",
    metavar="NAME",
    shell_complete=complete_variants,
    help="The way to run a scenario; 'ipcviz list' shows them.",
)
settings_option: Final = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=complete_settings,
    help="A scenario's parameter; may be repeated.",
)
