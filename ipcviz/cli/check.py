"""`ipcviz check`: whether a folder is a scenario."""

from __future__ import annotations

import sys

import click

from ipcviz.scenario import ScenarioError, load, missing


@click.command()
@click.argument("path", type=click.Path(path_type=str))
def check(*, path: str) -> None:
    """Check the scenario in the folder PATH: keys, names, programs. Exit status 2 if something is wrong."""
    try:
        scenario = load(path)
    except ScenarioError as error:
        click.echo(f"ipcviz: {error.message}", err=True)
        sys.exit(2)
    click.echo(
        f"{scenario.name}: {scenario.title!r}, {_count(scenario.variants, 'variant')}, "
        f"{_count(scenario.parameters, 'parameter')}, {_count(scenario.story, 'step')}, "
        f"{_count(scenario.questions, 'question')}, {_count(scenario.schedules, 'schedule')}: nothing wrong found."
    )
    for name in scenario.variants:
        reason = missing(scenario, name)
        if reason:
            click.echo(f"Variant {name!r} can't run on this machine: {reason}.")


def _count(things: object, what: str) -> str:
    number = len(things) if hasattr(things, "__len__") else 0
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
