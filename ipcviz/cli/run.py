"""`ipcviz run`: watch a command or a scenario on the screen; and the catalogue of scenarios."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from typing import NamedTuple

import click

from ipcviz.cli.completing import (
    complete_scenarios,
)
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
from ipcviz.cli.words import AFTER_DASHES, AfterDashes, check_outputs, choose_settings
from ipcviz.errors import UserError
from ipcviz.events import Resize
from ipcviz.events.accesses import MOST_VARIABLES, VariableSpec
from ipcviz.messages import exit_with_error
from ipcviz.model.steps.schedule import Schedule
from ipcviz.scenario import (
    Scenario,
    ScenarioError,
    find_scenario,
    load_all,
    prepare_launch,
    read_schedule,
    read_settings,
)
from ipcviz.scenario.finished import add_finished
from ipcviz.scenario.format import Value
from ipcviz.scenario.launch import UNSET
from ipcviz.scenario.plans import find_lesson_order
from ipcviz.session.live import LiveSession
from ipcviz.sizes import terminal_size
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.launch import check_command


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
    _need_a_terminal()
    if schedule and step is False:
        raise click.UsageError(
            "A schedule is followed step by step, and --live lets everything run."
        )
    check_outputs(save, save_schedule)
    if not context.meta[AFTER_DASHES]:
        scenario = _one_scenario(command)
        how = RunOptions(
            full=full,
            seccomp=not no_seccomp,
            hold=step is not False,
            save=save,
            save_steps=save_schedule,
            variables=watched,
        )
        sys.exit(_run_scenario(scenario, variant, read_settings(settings), how, schedule))
    if variant or settings:
        raise click.UsageError("--variant and --set are for scenarios, not for a command after --.")
    check_command(command)
    order = (read_schedule(schedule)[0], schedule) if schedule else None
    hold = bool(step or order or save_schedule)
    if watched and not (full or hold):
        raise click.UsageError(
            "--watch stops at each load and store, so it goes with --full, --step or a schedule."
        )
    how = RunOptions(pty, full, not no_seccomp, hold, save, save_schedule, order, watched)
    sys.exit(_show_session(command, shlex.join(command), how))


def _one_scenario(words: tuple[str, ...]) -> Scenario:
    if len(words) > 1:
        raise ScenarioError(
            f"Name one scenario, or put -- before a command: ipcviz run -- {shlex.join(words)}"
        )
    try:
        return find_scenario(words[0])
    except ScenarioError as error:
        if shutil.which(words[0]):
            raise ScenarioError(
                f"{error.message} For the command of that name: ipcviz run -- {words[0]}"
            ) from None
        raise


def _need_a_terminal() -> None:
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
    """

    pty: bool = True
    full: bool = False
    seccomp: bool = True
    hold: bool = False
    save: str = ""
    save_steps: str = ""
    order: tuple[Schedule, str] | None = None
    variables: tuple[VariableSpec, ...] = ()


def _show_session(
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
        unset=UNSET if scenario is not None else (),
    )
    session = LiveSession(config)
    session.start_tracer()
    # Takes as long as the tracer needs to be ready.
    from ipcviz.app.app import run_app

    return run_app(session, title, scenario, how.save, how.order, how.save_steps)


def _run_scenario(
    scenario: Scenario,
    variant: str | None,
    settings: Mapping[str, Value],
    how: RunOptions,
    schedule: str | None = None,
) -> int:
    """Make a scenario ready, and show it; what was made for it is removed afterwards."""
    asked = schedule or ""
    if how.hold and not asked:
        schedule = find_lesson_order(scenario, variant)
    order, plan = read_schedule(schedule, scenario) if schedule else (None, None)
    if order is not None:
        title = plan.title if plan is not None else asked
        # A title says what will happen: nobody has asked for that of the lesson's own order.
        how = how._replace(order=(order, title if asked else ""))
    variant, values = choose_settings(scenario, variant, settings, plan)
    with prepare_launch(scenario, variant, values) as launch:
        how = how._replace(variables=(*launch.variables, *how.variables))
        status = _show_session(
            launch.argv, f"{scenario.name} ({launch.variant})", how, launch.cwd, scenario
        )
    if scenario.shipped:
        add_finished(scenario.name)
    return status


def show_catalogue() -> int:
    """Let the viewer choose scenarios, and show each, until they leave the catalogue."""
    from ipcviz.app.catalogue import choose_scenario

    _need_a_terminal()
    message = ""
    scenarios = load_all()
    while True:
        choice, signo = choose_scenario(scenarios, message)
        if choice is None:
            return 128 + signo if signo else 0
        message = ""
        try:
            how = RunOptions(hold=not choice.live)
            status = _run_scenario(
                choice.scenario, choice.variant, {}, how, choice.schedule or None
            )
        except UserError as error:
            message = "\n".join(filter(None, (error.message, error.details)))
        else:
            if status > 128:
                return status  # a signal is to end all of us
