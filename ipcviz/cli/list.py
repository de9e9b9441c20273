"""`ipcviz list`: the scenarios that come with ipcviz."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import click
import msgspec

from ipcviz.messages import wrap_text, write_json, write_lines
from ipcviz.scenario import Scenario, allowed_values, explain_missing, load_all
from ipcviz.scenario.course import title_of_topic
from ipcviz.scenario.finished import read_finished
from ipcviz.scenario.parameters import as_text, type_of


@click.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="As JSON, with parameters and what is missing."
)
def list_scenarios(*, as_json: bool) -> None:
    """List the scenarios: what they are called, how long they take, what they need that is not
    here.
    """
    scenarios = load_all()
    if as_json:
        finished = read_finished()
        write_json(
            [msgspec.to_builtins(_collect_facts(scenario, finished)) for scenario in scenarios]
        )
    else:
        write_lines(_format_table(scenarios))


def _collect_facts(scenario: Scenario, finished: frozenset[str]) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "topic": scenario.topic,
        "title": scenario.title,
        "summary": scenario.summary,
        "learn": scenario.learn,
        "reading": scenario.reading,
        "minutes": scenario.minutes,
        "run": scenario.name in finished,
        "folder": str(scenario.folder),
        "default": scenario.default_variant,
        "variants": {
            name: {
                "title": variant.title,
                "language": variant.language,
                "missing": explain_missing(scenario, name),
            }
            for name, variant in scenario.variants.items()
        },
        "parameters": {
            name: {
                "type": type_of(parameter),
                "default": parameter.default,
                "allowed": allowed_values(parameter),
                "help": parameter.help,
            }
            for name, parameter in scenario.parameters.items()
        },
        "schedules": {
            name: {"title": plan.title, "text": plan.text, "variants": plan.variants}
            for name, plan in scenario.schedules.items()
        },
    }


def _format_table(scenarios: list[Scenario]) -> list[str]:
    """One block for each topic: name, minutes, title; below it the variants, the parameters, and
    what is missing.
    """
    width = max((len(scenario.name) for scenario in scenarios), default=0)
    lines: list[str] = []
    for topic, group in groupby(scenarios, key=lambda scenario: scenario.topic):
        lines += [title_of_topic(topic)]
        for scenario in group:
            indent = " " * (width + 12)
            lines.append(f"  {scenario.name:<{width}}  {scenario.minutes:>3} min  {scenario.title}")
            lines += wrap_text("variants: " + ", ".join(scenario.variants), indent, "  ")
            settings = [
                f"{name}={as_text(parameter.default)}"
                for name, parameter in scenario.parameters.items()
            ]
            for option, words in (("--set", settings), ("--schedule", scenario.schedules)):
                if words:
                    lines += wrap_text(" ".join([option, *words]), indent, "  ")
            for name in scenario.variants:
                reason = explain_missing(scenario, name)
                if reason:
                    lines += wrap_text(f"{name} can't run here: {reason}", indent, "  ")
        lines.append("")
    lines.append("Run one with: ipcviz run NAME")
    return lines
