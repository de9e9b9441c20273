"""What a shell may complete on the command line: scenarios, their schedules, variants and
parameters.

Nothing here fails: whoever presses the tab key wants no message, so a scenario that can't be read
has no names. Scenarios are imported when a shell asks: every command names these functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ipcviz.cli.words import AFTER_DASHES, WORDS

if TYPE_CHECKING:
    from ipcviz.scenario import Scenario
    from ipcviz.scenario.format import Parameter


def complete_files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, by the shell's own means."""
    return [CompletionItem(incomplete, type="file")]


def complete_scenarios(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of scenarios for the first word, files if none begins so; for a command, files alone.

    Never both: click's script for bash forgets the names when it is told of files.
    """
    words = context.params.get(param.name or "") or ()
    if context.meta.get(AFTER_DASHES) or words:
        return complete_files(context, param, incomplete)
    found = _list_completions(incomplete, ((one.name, one.title) for one in _list_scenarios()))
    return found or complete_files(context, param, incomplete)


def complete_schedules(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Schedules of the scenario that is named, or of all while none is; files if none begins so."""
    rows = (
        (name, plan.title) for one in _list_named(context) for name, plan in one.schedules.items()
    )
    return _list_completions(incomplete, rows) or complete_files(context, param, incomplete)


def complete_variants(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Variants of the scenario that is named, or of all while none is."""
    rows = (
        (name, variant.title)
        for one in _list_named(context)
        for name, variant in one.variants.items()
    )
    return _list_completions(incomplete, rows)


def complete_settings(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """`NAME=VALUE` of the parameters of the scenario that is named, or of all: each choice, or else
    the default.

    A whole word, since shells put a blank behind what they complete.
    """
    from ipcviz.scenario import allowed_values

    rows = (
        (f"{name}={value}", f"{parameter.help} ({allowed_values(parameter)})")
        for one in _list_named(context)
        for name, parameter in one.parameters.items()
        for value in _list_values(parameter)
    )
    return _list_completions(incomplete, rows)


def _list_values(parameter: Parameter) -> tuple[str, ...]:
    from ipcviz.scenario.parameters import as_text, type_of

    kind = type_of(parameter)
    if kind == "flag":
        return ("yes", "no")
    return parameter.choices if kind == "choice" else (as_text(parameter.default),)


def _list_scenarios() -> list[Scenario]:
    from ipcviz.scenario import ScenarioError, load_all

    try:
        return load_all()
    except ScenarioError:
        return []


def _list_named(context: click.Context) -> list[Scenario]:
    """The scenario that is already named on the line; all of them if none is."""
    from ipcviz.scenario import ScenarioError, find_scenario

    known = {one.name: one for one in _list_scenarios()}
    words = context.meta.get(WORDS, ())
    found = [known[word] for word in words if word in known]
    folders = (word for word in words if "/" in word)
    for word in folders if not found else ():
        with contextlib.suppress(ScenarioError):
            found.append(find_scenario(word))
    return found[:1] or list(known.values())


def _list_completions(incomplete: str, rows: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    """Each name that begins so, once, with what is said of it in the first place where it is
    found.
    """
    found: dict[str, CompletionItem] = {}
    for name, text in rows:
        if name.startswith(incomplete) and name not in found:
            found[name] = CompletionItem(name, help=text or None)
    return list(found.values())
