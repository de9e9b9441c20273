"""From a scenario, a variant and settings to what can be launched."""

from __future__ import annotations

import contextlib
import difflib
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from ipcviz.events.accesses import VariableSpec
from ipcviz.scenario.compile import build_programs, without_compiler
from ipcviz.scenario.errors import ScenarioError
from ipcviz.scenario.format import Scenario, Value
from ipcviz.scenario.parameters import as_text, settle_parameters
from ipcviz.scenario.words import fill_placeholders
from ipcviz.scenario.workplace import make_workplace

UNSET: Final = (
    "PYTHONDEVMODE",
    "PYTHONFAULTHANDLER",
    "PYTHONINSPECT",
    "PYTHONUNBUFFERED",
)
"""Variables of the viewer's environment by which Python makes other calls. Scenarios are run
without them, so that a lesson is the same for all.
"""
_INTERPRETERS: Final = {"sh": "sh"}


class Launch(msgspec.Struct, frozen=True):
    """What to launch.

    Attributes:
        argv: The command; its first word is a path or is looked for in PATH.
        cwd: A fresh folder to run it in; it is removed when the `prepare_launch` that made it ends.
        variant: The variant's name.
        values: All parameters' values.
        sources: The programs' files, for showing.
        variables: Those whose loads and stores are to be seen.
    """

    argv: tuple[str, ...]
    cwd: str
    variant: str
    values: dict[str, Value]
    sources: tuple[Path, ...]
    variables: tuple[VariableSpec, ...] = ()


def variables_of(scenario: Scenario) -> tuple[VariableSpec, ...]:
    """The variables that a scenario declares."""
    return tuple(
        VariableSpec(
            label.name, label.symbol, label.memory, label.offset or 0, label.type, label.group
        )
        for label in scenario.objects
        if label.kind == "variable"
    )


def explain_missing(scenario: Scenario, variant: str) -> str:
    """Why a variant can't run on this machine, as the end of a sentence; empty if it can."""
    chosen = scenario.variants[variant]
    reasons = [without_compiler()] if chosen.build else []
    needs = [
        *chosen.needs,
        *(name for key, name in _INTERPRETERS.items() if chosen.language == key),
    ]
    reasons += [
        f"{name} is not installed" for name in dict.fromkeys(needs) if shutil.which(name) is None
    ]
    return "; ".join(reason for reason in reasons if reason)


def choose_variant(scenario: Scenario, variant: str | None) -> str:
    """The variant of that name, or the default.

    Raises:
        ScenarioError: There is none of that name.
    """
    if not variant:
        return scenario.default_variant
    if variant in scenario.variants:
        return variant
    near = difflib.get_close_matches(variant, scenario.variants, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ScenarioError(
        f"{scenario.name!r} has no variant {variant!r}; it has:"
        f" {', '.join(scenario.variants)}.{hint}"
    )


@contextlib.contextmanager
def prepare_launch(
    scenario: Scenario, variant: str | None = None, settings: Mapping[str, Value] | None = None
) -> Iterator[Launch]:
    """Make ready what can be launched, and remove it afterwards.

    Compiling may take a second or two on first use: call it from a worker.

    Args:
        scenario: Which.
        variant: A variant's name; None for the default.
        settings: Parameters by name; texts are read as typed by a person.

    Yields:
        What to launch. All that it has made is removed at the end, so end the processes first.

    Raises:
        ScenarioError: The variant or a parameter is unknown, a value is not allowed, something is
            not installed, or a program does not compile.
    """
    name = choose_variant(scenario, variant)
    values = settle_parameters(scenario, settings or {})
    reason = explain_missing(scenario, name)
    if reason:
        raise ScenarioError(f"Variant {name!r} of {scenario.name!r} can't run here: {reason}.")
    with make_workplace() as place:
        work, spare = place / "work", place / "build"
        work.mkdir()
        spare.mkdir()
        words = {
            "here": str(scenario.folder),
            "build": str(build_programs(scenario, name, spare)),
            "python": sys.executable or "python3",
            "name": place.name,
            **{key: as_text(value) for key, value in values.items()},
        }
        yield Launch(
            argv=tuple(
                fill_placeholders(word, words.__getitem__)
                for word in scenario.variants[name].command
            ),
            cwd=str(work),
            variant=name,
            variables=variables_of(scenario),
            values=values,
            sources=scenario.list_sources(name),
        )
