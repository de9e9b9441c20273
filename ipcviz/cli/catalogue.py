"""A scenario on the screen: one that is named, or those that the viewer chooses."""

from __future__ import annotations

from collections.abc import Mapping

from ipcviz.cli.scenarios import choose_settings
from ipcviz.cli.showing import RunOptions, need_terminal, show_session
from ipcviz.errors import UserError
from ipcviz.scenario import (
    Scenario,
    load_all,
    prepare_launch,
    read_schedule,
)
from ipcviz.scenario.finished import add_finished
from ipcviz.scenario.format import Value
from ipcviz.scenario.launch import UNSET
from ipcviz.scenario.plans import find_lesson_order


def run_scenario(
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
        how = how._replace(variables=(*launch.variables, *how.variables), unset=UNSET)
        status = show_session(
            launch.argv, f"{scenario.name} ({launch.variant})", how, launch.cwd, scenario
        )
    if scenario.shipped:
        add_finished(scenario.name)
    return status


def show_catalogue() -> int:
    """Let the viewer choose scenarios, and show each, until they leave the catalogue."""
    from ipcviz.app.catalogue import choose_scenario

    need_terminal()
    message = ""
    scenarios = load_all()
    while True:
        choice, signo = choose_scenario(scenarios, message)
        if choice is None:
            return 128 + signo if signo else 0
        message = ""
        try:
            how = RunOptions(hold=not choice.live)
            status = run_scenario(choice.scenario, choice.variant, {}, how, choice.schedule or None)
        except UserError as error:
            message = "\n".join(filter(None, (error.message, error.details)))
        else:
            if status > 128:
                return status  # a signal is to end all of us
