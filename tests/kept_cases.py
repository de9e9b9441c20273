"""Runs of the doctor's programs that are kept in tests/cases, to be examined without a kernel.

For each rule there is one file, compressed with xz: for each of its programs a line about the run,
and below it the stream as `ipcviz trace --jsonl` writes it. What the doctor is to find in all of
them stands in `found.json`, so that a changed sentence is seen.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from ipcviz.diagnose import Doctor, Finding
from ipcviz.events import Event
from tests.doctor_programs import PROGRAMS, RIGHT
from tests.kept_runs import ENDING, encode_events, write_lines

FOLDER: Final = Path(__file__).with_name("cases")
FOUND: Final = FOLDER / "found.json"
OTHERS: Final = "right"
"""The file of programs that no rule has as its own."""


class KeptCase(msgspec.Struct, frozen=True):
    """What is known of a program's run besides its events.

    Attributes:
        program: The program, as `tests.doctor_programs` has it.
        count: How many events follow.
        looks: When it was examined: after how many events, and the moment in session seconds.
    """

    program: str
    count: int
    looks: tuple[tuple[int, float], ...]


def list_programs() -> dict[str, tuple[str, ...]]:
    """The programs by the file that they are kept in: that of the first rule which has them."""
    found: dict[str, tuple[str, ...]] = {}
    known: set[str] = set()
    everything = {rule: (*some.wrong, *some.near) for rule, some in PROGRAMS.items()}
    for name, texts in {**everything, OTHERS: RIGHT}.items():
        found[name] = tuple(dict.fromkeys(text for text in texts if text not in known))
        known.update(texts)
    return found


def write_cases(
    name: str, cases: Sequence[tuple[KeptCase, Sequence[Event]]], places: Mapping[str, str]
) -> None:
    """Write the runs of the programs of one file."""
    lines: list[bytes] = []
    for case, events in cases:
        lines += [msgspec.json.encode(case), *encode_events(events)]
    write_lines(FOLDER / f"{name}{ENDING}", lines, places)


def read_cases(name: str) -> Iterator[tuple[KeptCase, tuple[Event, ...]]]:
    """Read the runs of the programs of one file."""
    lines = iter(lzma.decompress((FOLDER / f"{name}{ENDING}").read_bytes()).splitlines())
    decoder = msgspec.json.Decoder(Event)
    for line in lines:
        case = msgspec.json.decode(line, type=KeptCase)
        yield case, tuple(decoder.decode(next(lines)) for _ in range(case.count))


def examine_case(case: KeptCase, events: Sequence[Event]) -> tuple[Finding, ...]:
    """What the doctor finds in a run, looking when it looked then."""
    doctor, taken = Doctor(), 0
    for count, now in case.looks:
        doctor.follow_events(events[taken:count])
        taken = count
        doctor.examine(now)
    doctor.follow_events(events[taken:])
    return tuple(doctor.findings)


def describe_findings(found: Sequence[Finding]) -> list[str]:
    """What was found, as lines of `found.json`."""
    lines = []
    for one in found:
        lines.append(f"{one.rule}, {'sure' if one.sure else 'probable'}: {one.sentence}")
        lines += [f"  why probable: {one.why_probable}"] if one.why_probable else []
        lines += [f"  mend: {one.mend}", *(f"  evidence: {each.text}" for each in one.evidence)]
    return lines


def read_found() -> dict[str, list[str]]:
    """What is to be found, by program."""
    return msgspec.json.decode(FOUND.read_bytes(), type=dict[str, list[str]])


def write_found() -> None:
    """Write what is found in all runs that are kept."""
    found = {
        case.program: describe_findings(examine_case(case, events))
        for name in list_programs()
        for case, events in read_cases(name)
    }
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
