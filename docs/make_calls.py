"""Make docs/calls.md anew: `python -m docs.make_calls` in the root of a checkout, with ipcviz's
dependencies.

The page is made from `ipcviz.events.calls` and `ipcviz.events.kinds`: what all floors know of each
system call and of each kind of object. A test asserts that it is up to date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ipcviz.events import calls, kinds
from ipcviz.events.calls import SystemCall
from ipcviz.events.kinds import KindOfObject

PAGE = Path(__file__).with_name("calls.md")

_WAITS: Mapping[str, str] = {
    "ready": "until a descriptor is ready",
    "signal": "for a signal",
    "time": "for time to pass",
    "child": "for a child",
    "connection": "for a connection",
    "peer": "for the other end to accept",
    "lock": "for a lock",
    "disk": "for the disk",
    "semaphore": "for semaphores",
    "message": "for a message",
    "room": "for room in a queue",
    "word": "for a word in memory to change",
    "program": "until the child executes or ends",
    "completion": "for what was asked for before",
}
_FLOWS: Mapping[str, str] = {
    "takes": "takes {} out",
    "puts": "puts {} in",
    "transfers": "moves {} on",
}
_DESCRIPTORS: Mapping[str, str] = {
    "new": "makes a descriptor",
    "pair": "makes two descriptors",
    "duplicate": "makes a duplicate",
    "received": "can receive descriptors",
    "sent": "can send descriptors",
}
_NAMES: Mapping[str, str] = {
    "opens": "opens a name",
    "looks at": "looks at a name",
    "makes": "makes a name",
    "links": "gives a second name",
    "removes": "removes a name",
    "renames": "renames",
}
_FAMILIES: Mapping[str, str] = {
    "birth": "makes a process or thread",
    "program": "executes a program",
    "end": "ends the process",
}


def make_page() -> str:
    """The whole page."""
    return "\n".join((*_calls(), "", *_kinds())) + "\n"


def _calls() -> Iterator[str]:
    yield "# System calls"
    yield ""
    yield "<!-- Made by docs/make_calls.py from ipcviz/events: change those. -->"
    yield ""
    yield (
        f"ipcviz knows {len(calls.CALLS)} system calls. Another one passes unseen."
        " The columns are those of `ipcviz.events.calls`, which explains them."
    )
    yield ""
    yield from _rows(
        ("call", "arguments", "stopped at", "what it does", "waits", "a step", "besides"),
        map(_call, calls.CALLS.values()),
    )
    yield ""
    yield "*Besides* are traits:"
    yield ""
    yield from _traits(calls.TRAITS.items())


def _call(call: SystemCall) -> tuple[str, ...]:
    moved = "messages" if call.on == "queue" or call.returns == "messages" else "bytes"
    does = (
        _FLOWS.get(call.flow, "").format(moved),
        _DESCRIPTORS.get(call.descriptors, ""),
        _NAMES.get(call.names, ""),
        _FAMILIES.get(call.family, ""),
    )
    return (
        f"`{call.name}`",
        ", ".join(name for name, _ in call.arguments),
        call.stops,
        ", ".join(filter(None, does)),
        _WAITS.get(call.waits, ""),
        call.visible,
        ", ".join(trait for trait in calls.TRAITS if trait in call.traits),
    )


def _kinds() -> Iterator[str]:
    yield "# Kinds of objects"
    yield ""
    yield from _rows(
        ("kind", "short names", "in sentences", "drawn as", "besides"),
        map(_kind, kinds.KINDS.values()),
    )
    yield ""
    yield "*Besides* are traits:"
    yield ""
    yield from _traits(kinds.TRAITS.items())


def _kind(kind: KindOfObject) -> tuple[str, ...]:
    return (
        kind.name,
        f"{kind.letter}1, {kind.letter}2, ..." if kind.letter else "its name",
        kind.noun,
        kind.shape,
        ", ".join(trait for trait in kinds.TRAITS if trait in kind.traits),
    )


def _rows(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + " --- |" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _traits(traits: Iterable[tuple[str, str]]) -> Iterator[str]:
    for trait, meaning in traits:
        yield f"* *{trait}*: {meaning}"


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
