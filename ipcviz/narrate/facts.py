"""What hardly changes of a process and of the machine, in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from ipcviz.events import Limit, MachineFacts, ProcessFacts
from ipcviz.model.mechanisms.notifiers import format_seconds
from ipcviz.narrate.words import bytes_text

SIZES: Final = frozenset(
    {"stack size", "address space", "locked memory", "queue bytes", "file size", "core file size"}
)
"""Limits that count bytes."""

_YEAR_10000: Final = 253402300800
"""Its first second since 1970."""


def format_date(seconds: float) -> str:
    """A time in seconds since 1970 as `2026-11-29 18:02:11 UTC`, the same wherever it is read.

    `at an unknown time` for what is no time of these eight thousand years.
    """
    if not 0 <= seconds < _YEAR_10000:
        return "at an unknown time"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def describe_facts(facts: ProcessFacts, host: MachineFacts | None, now: float) -> list[str]:
    """A process's facts, a line of words each.

    Args:
        facts: What was read.
        host: The machine; None if it is not known.
        now: The moment that is shown, in seconds since 1970; 0 if it is not known.

    Returns:
        Lines such as `of user www-data, started 2026-11-29 18:02:11 UTC, 3 h before this moment`.
        Of the limits those
        that there are: one that is unlimited is left out.
    """
    started = format_date(facts.started)
    ago = f", {format_seconds(max(0.0, now - facts.started))} before this moment" if now else ""
    lines = [f"of user {facts.user}, started {started}{ago}"]
    runs = (
        "on any CPU"
        if host is not None and len(facts.cpus) == host.cpus
        else f"on CPU {join_ranges(facts.cpus)}"
    )
    sharing = [f"nice {facts.nice}"]
    if facts.io_class not in ("", "none"):
        sharing.append(f"I/O class {facts.io_class}")
    if facts.cpus:
        sharing.append(f"may run {runs}")
    lines.append(", ".join(sharing))
    limits = ", ".join(_describe_limit(limit, facts) for limit in facts.limits if limit.soft >= 0)
    if limits:
        lines.append(f"limits: {limits}")
    return lines


def describe_machine(host: MachineFacts) -> str:
    """A machine's facts: `2 CPUs (1 usable), 23.5G of memory, load 0.8`."""
    cpus = "1 CPU" if host.cpus == 1 else f"{host.cpus} CPUs"
    usable = f" ({host.usable} usable)" if host.usable != host.cpus else ""
    return f"{cpus}{usable}, {bytes_text(host.memory)} of memory, load {host.load:.2f}"


def join_ranges(numbers: Iterable[int]) -> str:
    """Numbers in order as ranges, as taskset(1) writes them: `0-3,8`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _describe_limit(limit: Limit, facts: ProcessFacts) -> str:
    words = f"{limit.name} {_describe_bound(limit.name, limit.soft)}"
    if limit.name == "open files" and facts.open_files >= 0:
        words = f"{words} ({facts.open_files} open)"
    if limit.hard != limit.soft:
        words += f" (at most {_describe_bound(limit.name, limit.hard)})" if limit.hard >= 0 else ""
    return words


def _describe_bound(name: str, value: int) -> str:
    if name in SIZES:
        return bytes_text(value)
    return f"{value:,} s" if name == "CPU time" else f"{value:,}"
