"""Runs of the scenarios that are kept in tests/runs, to be shown without a kernel.

A file is the stream as `ipcviz trace --jsonl` writes it, below one line about the run, compressed
with xz. The story is not in it: it is told anew by the scenario as it is now.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from ipcviz.events import Event, Started
from ipcviz.export.names import Names

FOLDER: Final = Path(__file__).with_name("runs")
ENDING: Final = ".jsonl.xz"


class KeptRun(msgspec.Struct, frozen=True):
    """What is known of a run besides its events.

    Attributes:
        scenario: The scenario's name.
        variant: Which of its variants.
        schedule: The schedule by which it was stepped; empty if all took turns.
        told: The parts of the story that were reached, by their ids, in that order.
        sources: The programs as they were then, by file.
    """

    scenario: str
    variant: str
    schedule: str
    told: tuple[str, ...]
    sources: dict[str, str]


def write_run(run: KeptRun, events: Iterable[Event], places: Mapping[str, str]) -> Path:
    """Write a run, with names of its own for what the kernel has numbered. Returns its file.

    Args:
        run: What is known of it.
        events: All that was seen.
        places: Folders of this machine, and what they are called instead.
    """
    path = FOLDER / f"{run.scenario}{ENDING}"
    write_lines(path, [msgspec.json.encode(run), *encode_events(events)], places)
    return path


def encode_events(events: Iterable[Event]) -> list[bytes]:
    """A line for each event, with names of its own for what the kernel has numbered."""
    return [msgspec.json.encode(_forget_machine(e)) for e in Names().rename_events(events)]


def write_lines(path: Path, lines: Iterable[bytes], places: Mapping[str, str]) -> None:
    """Write lines, compressed, with names of their own for folders of this machine."""
    text = b"\n".join(lines) + b"\n"
    for place, name in places.items():
        text = text.replace(place.encode(), name.encode())
    path.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


def _forget_machine(event: Event) -> Event:
    """An event without what is the machine's alone, and when it was."""
    if isinstance(event, Started):
        return msgspec.structs.replace(event, began=0.0, host=None)
    return event


@cache
def read_run(name: str) -> tuple[KeptRun, tuple[Event, ...]]:
    """Read the run of a scenario, and its events."""
    first, *rest = lzma.decompress((FOLDER / f"{name}{ENDING}").read_bytes()).splitlines()
    decoder = msgspec.json.Decoder(Event)
    return msgspec.json.decode(first, type=KeptRun), tuple(decoder.decode(line) for line in rest)
