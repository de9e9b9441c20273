"""Make the kept runs of the scenarios anew: `python -m tests.make_traces [NAME...]`.

It is run in the root of a checkout, on Linux. Each scenario is stepped in its default variant by
each of its schedules; the run that reaches most of the story is kept (see `tests.kept_runs`). The
kernel's numbers in it are those of `ipcviz.export.names`, so that a run made anew differs in little
but times.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ipcviz.scenario import Scenario, find_scenario, load_all
from ipcviz.scenario.kept import sources_of
from ipcviz.scenario.plans import BEGIN
from tests.integration.lessons import Lesson, run_lesson
from tests.kept_runs import FOLDER, KeptRun, write_run

CHECKOUT: Final = Path(__file__).parents[1]
_HOME: Final = "/home/ann/ipcviz"
"""Where the checkout seems to be in every run."""

_SETTINGS: Final = {"fifo-gzip": {"size": 1}}
"""Parameters with which a scenario does the same in fewer operations."""


def list_plans(scenario: Scenario, variant: str) -> Iterator[str]:
    """List the schedules that a variant can be stepped by; an empty name, the last one, stands for
    all in turns.
    """
    for name, plan in scenario.schedules.items():
        if name != BEGIN and (not plan.variants or variant in plan.variants):
            yield name
    yield ""


def run_best(scenario: Scenario) -> tuple[str, Lesson]:
    """Step a scenario by each of its schedules: the one that tells most, and what became of it."""
    variant = scenario.default_variant
    runs = [
        (plan, run_lesson(scenario.name, variant, plan, settings=_SETTINGS.get(scenario.name)))
        for plan in list_plans(scenario, variant)
    ]
    return max(runs, key=lambda run: len(run[1].told))


def name_places() -> Mapping[str, str]:
    """What the folders of this checkout and this interpreter are called in a run: the longest
    first, since one may lie in another.
    """
    found = {str(CHECKOUT): _HOME, sys.base_prefix: "/usr/local", str(Path.home()): "/home/ann"}
    for folder in sys.path:
        if folder.startswith("/") and not folder.startswith(("/usr/", *found)):
            found[folder] = f"{_HOME}/lib"
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def main() -> None:
    """Make those that are named, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or [one.name for one in load_all()]:
        scenario = find_scenario(name)
        plan, lesson = run_best(scenario)
        run = KeptRun(
            scenario=name,
            variant=lesson.variant,
            schedule=plan,
            told=tuple(lesson.told),
            sources=dict(sources_of(scenario)),
        )
        path = write_run(run, lesson.events, name_places())
        steps = f"{len(lesson.told)} of {len(scenario.story)} parts of the story"
        print(
            f"{path.name}: {plan or 'all in turns'}: {steps}, {lesson.operations} operations,"
            f" {len(lesson.events):,} events, {path.stat().st_size:,} bytes",
            flush=True,
        )


if __name__ == "__main__":
    main()
