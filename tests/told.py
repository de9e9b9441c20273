"""Tables of sentences: an event in a state, and what is said of it."""

from __future__ import annotations

from typing import NamedTuple

from ipcviz.events import Call, Event
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate import STEP, Sentence, narrate


class Row(NamedTuple):
    """A sentence that is expected.

    Attributes:
        event: What happens; of several events the last is the one that is told.
        text: The sentence; empty if nothing is said.
        weight: How much it weighs.
    """

    event: Event | tuple[Event, ...]
    text: str
    weight: int = STEP


def did(name: str, *effects: object, by: int = 12, tid: int = 0, **fields) -> Call:
    """A call that process `by` made; what is no field of `Call` is an argument of it.

    It failed, and returned -1, where `error` is given.
    """
    own = {key: fields.pop(key) for key in ("object", "data", "ret", "error") if key in fields}
    if own.get("error"):
        own.setdefault("ret", -1)
    return Call(
        t=9.0, began=9.0, pid=by, tid=tid or by, name=name, args=fields, effects=effects, **own
    )


def tell(before: State, *events: Event) -> Sentence | None:
    """What is said of the last of the events."""
    sentence = None
    for event in events:
        after = reduce(before, event)
        sentence, before = narrate(event, before, after), after
    return sentence


def check(before: State, row: Row) -> None:
    """Hold a row to what is said in a state."""
    events = row.event if isinstance(row.event, tuple) else (row.event,)
    sentence = tell(before, *events)
    if not row.text:
        assert sentence is None
    else:
        assert sentence is not None
        assert (sentence.text, sentence.weight) == (row.text, row.weight)
