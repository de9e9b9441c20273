"""Parameters: their types, and what the viewer set, validated."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Final

from ipcviz.scenario.errors import ScenarioError
from ipcviz.scenario.format import Document, Parameter, ParameterType, Value

_YES: Final = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}
_NAMES: Final = {
    "integer": "a whole number",
    "number": "a number",
    "flag": "yes or no",
    "text": "text",
}


def type_of(parameter: Parameter) -> ParameterType:
    """A parameter's type: the one given, or that of its default."""
    if parameter.type:
        return parameter.type
    if parameter.choices:
        return "choice"
    if isinstance(parameter.default, bool):
        return "flag"
    if isinstance(parameter.default, int):
        return "integer"
    return "number" if isinstance(parameter.default, float) else "text"


def allowed_values(parameter: Parameter) -> str:
    """What a parameter can be, in words: `a whole number from 1 to 64`, `stack or ring`."""
    kind = type_of(parameter)
    if kind == "choice":
        return " or ".join(parameter.choices)
    words = _NAMES[kind]
    if parameter.min is not None:
        words += f" from {parameter.min:.15g}"
    if parameter.max is not None:
        words += (
            f" up to {parameter.max:.15g}" if parameter.min is None else f" to {parameter.max:.15g}"
        )
    return words


def problem_of_value(name: str, parameter: Parameter, value: Value) -> str:
    """A sentence that says why a parameter can't have this value; empty if it can."""
    kind = type_of(parameter)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "choice": isinstance(value, str) and value in parameter.choices,
        "flag": isinstance(value, bool),
        "integer": isinstance(value, int) and number,
        "number": number and math.isfinite(float(value)) if number else False,
        "text": isinstance(value, str) and "\0" not in value,
    }[kind]
    if fits and kind in ("integer", "number") and not isinstance(value, str):
        low = -math.inf if parameter.min is None else parameter.min
        high = math.inf if parameter.max is None else parameter.max
        fits = low <= value <= high
    return (
        ""
        if fits
        else f"{name} can't be {as_text(value)!r}: it must be {allowed_values(parameter)}."
    )


def as_text(value: Value) -> str:
    """A value as a program gets it: `yes` and `no` for flags, numbers without needless digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def read_value(name: str, parameter: Parameter, text: str) -> Value:
    """A value as typed by a person. Raises ScenarioError with a sentence if it is not allowed."""
    kind = type_of(parameter)
    value: Value = text
    try:
        if kind == "integer":
            value = int(text)
        elif kind == "number":
            value = float(text)
        elif kind == "flag":
            value = _YES.get(text.lower(), text)
    except ValueError:
        pass
    wrong = problem_of_value(name, parameter, value)
    if wrong:
        raise ScenarioError(wrong)
    return value


def read_settings(pairs: tuple[str, ...] | list[str]) -> dict[str, str]:
    """`name=value` words of `--set` as a table. Raises ScenarioError if one has no `=`."""
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ScenarioError(f"--set needs name=value, not {pair!r}.")
        settings[name.strip()] = value
    return settings


def settle_parameters(sheet: Document, settings: Mapping[str, Value]) -> dict[str, Value]:
    """All parameters' values: the defaults, and what was set, read and checked.

    Args:
        sheet: The scenario.
        settings: By name; texts are read as a person types them.

    Raises:
        ScenarioError: A name is unknown, or a value is not allowed.
    """
    values = {name: parameter.default for name, parameter in sheet.parameters.items()}
    for name, value in settings.items():
        parameter = sheet.parameters.get(name)
        if parameter is None:
            near = difflib.get_close_matches(name, values, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ScenarioError(
                f"{sheet.title!r} has no parameter {name!r}; it has:"
                f" {', '.join(values) or 'none'}.{hint}"
            )
        if isinstance(value, str):
            values[name] = read_value(name, parameter, value)
            continue
        wrong = problem_of_value(name, parameter, value)
        if wrong:
            raise ScenarioError(wrong)
        values[name] = value
    return values
