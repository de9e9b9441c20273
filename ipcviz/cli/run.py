"""`ipcviz run`: watch a command or a scenario on the screen."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from ipcviz.cli.completing import complete_scenarios
from ipcviz.cli.options import (
    full_option,
    no_seccomp_option,
    save_option,
    save_schedule_option,
    schedule_option,
    settings_option,
    variant_option,
    watch_option,
)
from ipcviz.cli.showing import RunOptions, need_terminal, show_session
from ipcviz.cli.words import AFTER_DASHES, AfterDashes, check_outputs
from ipcviz.events.accesses import VariableSpec
from ipcviz.tracer.executable import check_command

if TYPE_CHECKING:
    from ipcviz.model.steps.schedule import Schedule


@click.command(cls=AfterDashes)
@click.option(
    "--pty/--no-pty", default=True, help="Run it on a terminal of its own (default), or on pipes."
)
@full_option
@no_seccomp_option
@save_option
@click.option(
    "--step/--live",
    default=None,
    help="Hold every thread (default for a scenario), or let all run.",
)
@schedule_option
@save_schedule_option
@variant_option
@settings_option
@watch_option
@click.argument(
    "command", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=complete_scenarios
)
@click.pass_context
def run(
    context: click.Context,
    *,
    pty: bool,
    full: bool,
    no_seccomp: bool,
    save: str,
    step: bool | None,
    schedule: str | None,
    save_schedule: str,
    variant: str | None,
    settings: tuple[str, ...],
    watched: tuple[VariableSpec, ...],
    command: tuple[str, ...],
) -> None:
    """Run a scenario by name or folder, or after -- any command, and show what its processes say to
    each other.
    """
    need_terminal()
    if schedule and step is False:
        raise click.UsageError(
            "A schedule is followed step by step, and --live lets everything run."
        )
    check_outputs(save, save_schedule)
    if not context.meta[AFTER_DASHES]:
        # Commands go without scenarios, which take a sixth of the time until the screen is there.
        from ipcviz.cli.catalogue import run_scenario
        from ipcviz.cli.scenarios import require_scenario
        from ipcviz.scenario import read_settings

        scenario = require_scenario(command)
        how = RunOptions(
            full=full,
            seccomp=not no_seccomp,
            hold=step is not False,
            save=save,
            save_steps=save_schedule,
            variables=watched,
        )
        sys.exit(run_scenario(scenario, variant, read_settings(settings), how, schedule))
    if variant or settings:
        raise click.UsageError("--variant and --set are for scenarios, not for a command after --.")
    check_command(command)
    order: tuple[Schedule, str] | None = None
    if schedule:
        from ipcviz.scenario import read_schedule

        order = (read_schedule(schedule)[0], schedule)
    hold = bool(step or order or save_schedule)
    if watched and not (full or hold):
        raise click.UsageError(
            "--watch stops at each load and store, so it goes with --full, --step or a schedule."
        )
    how = RunOptions(pty, full, not no_seccomp, hold, save, save_schedule, order, watched)
    sys.exit(show_session(command, shlex.join(command), how))
