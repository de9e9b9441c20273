"""`ipcviz bench`: what watching costs on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from ipcviz.bench.measure import Machine, Measurement, read_machine
from ipcviz.messages import write_line
from ipcviz.narrate.facts import describe_machine
from ipcviz.outputs import find_place, write_file

FORMATS = {"s": "{:.2f} s", "ms": "{:.1f} ms", "us": "{:.1f} us", "1/s": "{:,.0f} a second"}


WHAT = ("live", "full", "sample", "semaphores", "events", "doctor", "startup", "past", "ui")
"""All that can be measured."""


MODULES = (
    "import ipcviz.tracer.service, ipcviz.cli.main, ipcviz.cli.run, ipcviz.app.app, textual.widgets"
)
"""All that a start imports."""


class Report(msgspec.Struct, frozen=True):
    """What is written as JSON."""

    machine: Machine
    measurements: list[Measurement]


@click.command()
@click.option(
    "--json",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the figures there too.",
)
@click.option(
    "--pairs",
    default=5,
    show_default=True,
    type=click.IntRange(min=1, max=1000),
    help="Pairs of each measurement.",
)
@click.option(
    "--quick", is_flag=True, help="A tenth of the work: figures that say little, in seconds."
)
@click.argument(
    "what",
    nargs=-1,
    type=click.Choice(WHAT),
)
def bench(*, target: Path | None, pairs: int, quick: bool, what: tuple[str, ...]) -> None:
    """Measure what watching costs here, in pairs: against doing without, and against strace, lsfd
    and lsof.

    WHAT is one or more of live, full, sample, semaphores, events, doctor, startup, past, ui; all
    but past and ui if none is named.
    """
    if target is not None:
        find_place(target)
    # Before anything runs: the measurements themselves are load.
    where = read_machine()
    found: list[Measurement] = []
    facts = describe_machine(where.facts)
    write_line(f"Linux {where.kernel}, {where.machine}, Python {where.python}, {facts}")
    what = what or tuple(one for one in WHAT if one not in ("past", "ui"))
    with _as_installed():
        for one in _measure_parts(what, pairs, 10 if quick else 1):
            found.append(one)
            write_line(describe_measurement(one))
    if target is not None:
        write_file(
            target, msgspec.json.format(msgspec.json.encode(Report(where, found)), indent=2) + b"\n"
        )


@contextmanager
def _as_installed() -> Iterator[None]:
    """Have modules compiled beforehand, as pip does when it installs; where that is not kept, each
    start does it anew.

    That is so with PYTHONDONTWRITEBYTECODE, and takes longer than the rest of a start.
    """
    if not sys.dont_write_bytecode:
        yield
        return
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="ipcviz-bench-") as place:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = place
        try:
            subprocess.run((sys.executable, "-c", MODULES), check=True)
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _measure_parts(what: tuple[str, ...], pairs: int, part: int) -> Iterator[Measurement]:
    from ipcviz.bench import sampling, screen, stream, verdicts, watching

    if "live" in what:
        yield watching.measure_live(pairs, 3_000_000 // part)
        yield watching.measure_crowd(pairs, 1000 // part)
        yield watching.measure_locks(pairs, 80_000 // part)
    if "full" in what:
        yield from watching.measure_full(pairs, 20_000 // part)
    if "events" in what:
        yield from stream.measure_rates(
            pairs, watching.watch_command(watching.build_pipeline(20_000 // part), full=True).events
        )
    if "sample" in what:
        yield from sampling.measure_sampling(pairs, 100, 11)
        yield from sampling.measure_sampling(pairs, 1000 // part, 11)
        yield from sampling.measure_sampling(pairs, 1, 10_000 // part)
    if "semaphores" in what:
        yield watching.measure_semaphores(pairs, 2000 // part)
    if "doctor" in what:
        yield verdicts.measure_rules(pairs, 2500 // part)
        yield verdicts.measure_verdicts(pairs, 100, 10)
    if "startup" in what:
        yield screen.measure_startup(pairs)
    if "past" in what:
        from ipcviz.bench import past

        yield past.measure_seeking(1_000_000 // part)
    if "ui" in what:
        yield screen.measure_frames(seconds=10.0 / part)
        yield screen.measure_keys(200 // part)


def describe_measurement(one: Measurement) -> str:
    """A measurement in a line."""
    if one.skipped:
        return f"{one.name}: skipped, {one.skipped}"
    words = f"{one.name}: {FORMATS[one.unit].format(one.ours)}"
    if one.against:
        words += f", {one.against} {FORMATS[one.unit].format(one.theirs)}, ratio {one.ratio:.2f}"
    if one.promise:
        words += f" (promised at most {one.promise:g}: {'kept' if one.kept else 'NOT KEPT'})"
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in one.facts.items())
    return f"{words}; {facts}" if facts else words
