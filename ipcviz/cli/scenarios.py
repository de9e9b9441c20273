"""What commands share about scenarios: which one is named, and how it is run."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping

from ipcviz.scenario import Scenario, ScenarioError, SchedulePlan, choose_variant, find_scenario
from ipcviz.scenario.format import Value


def is_scenario(word: str) -> bool:
    """Whether a word names a scenario."""
    try:
        find_scenario(word)
    except ScenarioError:
        return False
    return True


def scenario_named(words: tuple[str, ...], *, sure: bool = False) -> Scenario | None:
    """The scenario that a single word names; None if it names none, and so may be a command.

    Args:
        words: What was given without dashes before it.
        sure: It is meant as a scenario: what else was given is for those, as a rule.

    Raises:
        ScenarioError: It can only be meant as a scenario, and is none.
    """
    if len(words) != 1:
        return None
    try:
        return find_scenario(words[0])
    except ScenarioError:
        if sure and shutil.which(words[0]) is None:
            raise
        return None


def require_scenario(words: tuple[str, ...]) -> Scenario:
    """The scenario that a command line names. Raises ScenarioError if it names none."""
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


def choose_settings(
    scenario: Scenario,
    variant: str | None,
    settings: Mapping[str, Value],
    plan: SchedulePlan | None,
) -> tuple[str | None, dict[str, Value]]:
    """The variant and the settings for a scenario's schedule; what the viewer chose goes before
    what it suggests.

    Raises:
        ScenarioError: The schedule is not for the variant that was chosen.
    """
    if plan is None:
        return variant, dict(settings)
    if variant and plan.variants and choose_variant(scenario, variant) not in plan.variants:
        raise ScenarioError(
            f"The schedule {plan.title!r} is for the variants {', '.join(plan.variants)}."
        )
    if not variant and plan.variants and scenario.default_variant not in plan.variants:
        variant = plan.variants[0]
    return variant, {**plan.settings, **settings}
