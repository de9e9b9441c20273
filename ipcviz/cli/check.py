"""`ipcviz check`: whether a folder is a scenario, or a file a cast that every player takes."""

from __future__ import annotations

import os
import stat
import sys

import click

from ipcviz.cli.words import describe_cast_error
from ipcviz.export import CastError, check_cast
from ipcviz.export.unshown import find_unshown
from ipcviz.messages import REFUSED, exit_with_error, write_error, write_line, write_lines
from ipcviz.scenario import ScenarioError, explain_missing, load_scenario
from ipcviz.scenario.loader import list_missing
from ipcviz.scenario.reasons import find_phrases


@click.command()
@click.argument("path", type=click.Path(path_type=str))
def check(*, path: str) -> None:
    """Check the scenario in the folder PATH (keys, names, programs), or the cast in the file PATH
    (asciicast).

    Exit status 0 if nothing wrong was found, else 2. Each thing that is wrong is said with its
    line; of a cast it is the first. What a scenario is missing for a lesson is said as well, and is
    no error.
    """
    if _is_folder(path):
        _check_scenario(path)
    else:
        _check_cast(path)


def _is_folder(path: str) -> bool:
    """Whether a scenario is meant: a folder, or a name of nothing."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return True


def _check_cast(path: str) -> None:
    try:
        cast = check_cast(path)
    except CastError as error:
        exit_with_error(describe_cast_error(path, error))
    markers = sum(event.code == "m" for event in cast.events)
    chapters = f"{markers:,} chapters" if markers else "no chapters"
    write_line(
        f"{path}: asciicast {cast.version}, {cast.width}x{cast.height}, {cast.duration:,.1f} s,"
        f" {chapters}: nothing wrong found."
    )
    for what, times, line in find_unshown(cast.events):
        where = f", first in line {line}" if line else ""
        write_line(f"'ipcviz play' can't show {what}: {times:,}{where}.")


def _check_scenario(path: str) -> None:
    try:
        scenario = load_scenario(path)
    except ScenarioError as error:
        for problem in error.problems or (error.message,):
            write_error(problem)
        sys.exit(REFUSED)
    write_line(
        f"{scenario.name}: {scenario.title!r}, {_format_count(scenario.variants, 'variant')},"
        f" {_format_count(scenario.parameters, 'parameter')},"
        f" {_format_count(scenario.story, 'step')},"
        f" {_format_count(scenario.questions, 'question')},"
        f" {_format_count(scenario.schedules, 'schedule')}: nothing wrong found."
    )
    write_lines(list_missing(scenario))
    for name in scenario.variants:
        reason = explain_missing(scenario, name)
        if reason:
            write_line(f"Variant {name!r} can't run on this machine: {reason}.")
    for step, words, names in find_phrases(scenario):
        instead = " or ".join(repr(name) for name in names)
        write_line(
            f"Step {step}: because = {words!r} is how the screen once put it; write {instead}."
        )


def _format_count(things: object, what: str) -> str:
    number = len(things) if hasattr(things, "__len__") else 0
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
