"""Schedules that belong to a scenario: whether they make sense, and finding the one that is asked
for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final

from ipcviz.events.signals import signal_number
from ipcviz.inputs import read_input
from ipcviz.model.steps.schedule import ACCESSES, Line, Schedule, ScheduleError, parse_schedule
from ipcviz.model.steps.visible import ENDS
from ipcviz.scenario.errors import ScenarioError
from ipcviz.scenario.format import Document, Scenario, SchedulePlan, name_default_variant
from ipcviz.scenario.launch import choose_variant
from ipcviz.scenario.lines import Path as KeyPath
from ipcviz.scenario.operations import SEMAPHORE_OPS, list_calls
from ipcviz.scenario.parameters import problem_of_value
from ipcviz.scenario.shape import Problem, suggest_allowed

BEGIN: Final = "begin"
"""Name of the schedule that leads to where a lesson begins."""


def find_begin(scenario: Scenario, variant: str | None = None) -> str:
    """The name of the schedule that leads to where a lesson begins; empty if there is none for this
    variant.

    Args:
        scenario: The scenario.
        variant: What was asked for; None for its default.
    """
    plan = scenario.schedules.get(BEGIN)
    chosen = choose_variant(scenario, variant)
    return BEGIN if plan is not None and (not plan.variants or chosen in plan.variants) else ""


def find_cast(scenario: Scenario, variant: str | None = None) -> str:
    """The name of the schedule that shows a lesson's moment, which its cast follows, too, if none
    is asked for; empty if all are to take turns from where the lesson begins.

    Args:
        scenario: The scenario.
        variant: What was asked for; None for its default.
    """
    plan = scenario.schedules.get(scenario.cast)
    chosen = choose_variant(scenario, variant)
    fits = plan is not None and (not plan.variants or chosen in plan.variants)
    return scenario.cast if fits else ""


def find_lesson_order(scenario: Scenario, variant: str | None = None) -> str:
    """The name of the schedule that is followed step by step if none is asked for: the one that
    shows the lesson's moment, else the one that leads to where the lesson begins; empty if there is
    neither for this variant.

    Args:
        scenario: The scenario.
        variant: What was asked for; None for its default.
    """
    return find_cast(scenario, variant) or find_begin(scenario, variant)


def problems_of_cast(sheet: Document) -> Iterator[Problem]:
    """What is wrong with the schedule that a scenario's cast is to follow."""
    if not sheet.cast:
        return
    plan = sheet.schedules.get(sheet.cast)
    if plan is None:
        hint = suggest_allowed(sheet.cast, sheet.schedules)
        yield Problem(("cast",), f"{sheet.cast!r} is not a schedule{hint}")
        return
    default = name_default_variant(sheet)
    if plan.variants and default not in plan.variants:
        yield Problem(
            ("cast",),
            f"Schedule {sheet.cast!r} is not for {default!r}, the variant that is run if none is"
            " named.",
        )


_OTHERS: Final = ("start", "return", "run", "marker")
"""Operations that are neither calls nor signals nor semaphores'."""
_LARGEST: Final = 1 << 20


def problems_of_schedule(sheet: Document, name: str, plan: SchedulePlan) -> Iterator[Problem]:
    """Everything in a scenario's schedule that makes no sense, or names what is not there."""
    path: KeyPath = ("schedules", name)
    for place, variant in enumerate(plan.variants):
        if variant not in sheet.variants:
            hint = suggest_allowed(variant, sheet.variants)
            yield Problem((*path, "variants", place), f"{variant!r} is not a variant{hint}")
    for key, value in plan.settings.items():
        parameter = sheet.parameters.get(key)
        if parameter is None:
            hint = suggest_allowed(key, sheet.parameters)
            yield Problem((*path, "settings", key), f"{key!r} is not a parameter{hint}")
        elif wrong := problem_of_value(key, parameter, value):
            yield Problem((*path, "settings", key), wrong)
    try:
        schedule = parse_schedule(plan.steps)
    except ScheduleError as error:
        yield Problem((*path, "steps"), f"In line {error.line} of the steps {error.message}.")
        return
    if not schedule.lines:
        yield Problem(
            (*path, "steps"),
            "The schedule has no steps; write at least one, e.g. 'sleeper to pause'.",
        )
    for line in schedule.lines:
        wrong = _problem_of_line(sheet, line)
        if wrong:
            yield Problem((*path, "steps"), f"In line {line.number} of the steps {wrong}")


def _problem_of_line(sheet: Document, line: Line) -> str:
    roles = tuple(role.name for role in sheet.roles)
    labels = tuple(label.name for label in sheet.objects)
    for who in (line.who, *(wanted.get("of", "") for wanted in line.until)):
        name = who.rpartition("/")[0] if who.rpartition("/")[2].isdigit() else who
        if name and name not in roles and not name.replace(".", "").isdigit():
            return f"{name!r} is not a role{suggest_allowed(name, roles)}"
    for on in (line.on, *(wanted.get("on", "") for wanted in line.until)):
        if on and on not in labels:
            return f"{on!r} is not one of the objects{suggest_allowed(on, labels)}"
    for operation in (line.operation, *(wanted.get("call", "") for wanted in line.until)):
        if operation and not _is_known(operation):
            return (
                f"{operation!r} is no operation; use a call, a signal, sem_wait and the like, start"
                " or return."
            )
    return ""


def _is_known(operation: str) -> bool:
    if operation.startswith("SIG"):
        return signal_number(operation) is not None
    semaphores = {f"sem_{op}" for op in SEMAPHORE_OPS}
    return (
        operation in _OTHERS
        or operation in ENDS
        or operation in ACCESSES
        or operation in semaphores
        or operation in list_calls()
    )


def plan_named(scenario: Scenario, name: str) -> SchedulePlan | None:
    """A scenario's schedule by its name or its title; None if it has none of that name."""
    found = scenario.schedules.get(name)
    return found or next((plan for plan in scenario.schedules.values() if plan.title == name), None)


def read_schedule(
    name: str, scenario: Scenario | None = None
) -> tuple[Schedule, SchedulePlan | None]:
    """The schedule of that name, or in the file of that name.

    Args:
        name: A name or title of one of the scenario's, or a file.
        scenario: The scenario that is run, if it is one.

    Returns:
        The schedule, and what the scenario says of it if it is its own.

    Raises:
        ScenarioError: There is none, or it can't be read.
    """
    plan = plan_named(scenario, name) if scenario is not None else None
    if plan is not None:
        return parse_schedule(plan.steps), plan
    try:
        data = read_input(name, _LARGEST + 1)
        text = data.decode()
    except FileNotFoundError:
        raise ScenarioError(_explain_missing(name, scenario)) from None
    except OSError as error:
        raise ScenarioError(f"The schedule {name} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{name} is no schedule: it is not text in UTF-8.") from None
    if len(data) > _LARGEST:
        raise ScenarioError(f"{name} is larger than {_LARGEST:,} bytes; that is no schedule.")
    try:
        return parse_schedule(text), None
    except ScheduleError as error:
        raise ScenarioError(f"{name}:{error.line}: {error.message}.") from None


def _explain_missing(name: str, scenario: Scenario | None) -> str:
    names = list(scenario.schedules) if scenario is not None else []
    if not names:
        what = f", and {scenario.name!r} ships no schedules" if scenario is not None else ""
        return f"There is no schedule {name!r}: no such file{what}."
    near = difflib.get_close_matches(name, names, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"There is no schedule {name!r}, neither a file nor one of the scenario's:"
        f" {', '.join(names)}.{hint}"
    )
