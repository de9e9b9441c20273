"""Loads and stores of watched variables in sentences."""

from __future__ import annotations

from ipcviz.events.accesses import Accessed, VariableFound, format_value
from ipcviz.model.mechanisms.variables import find_lost_updates, find_torn_readers
from ipcviz.model.state import State, Variable
from ipcviz.narrate.sentence import STEP, TURN, Sentence
from ipcviz.narrate.words import name_process


def narrate_variable_found(event: VariableFound, before: State, after: State) -> Sentence | None:
    """`counter is watched in a: 0 now`."""
    info = event.variable
    value = format_value(info.encoding, event.value)
    kind = f", {info.type}" if info.type else ""
    text = (
        f"Loads and stores of {info.name}{kind} by {name_process(after, event.pid)} are seen from"
        f" here on: it is {value} now"
    )
    return Sentence(event.n, event.t, event.pid, text, STEP, "memory", (info.key,))


def narrate_access(event: Accessed, before: State, after: State) -> Sentence | None:
    """What a thread did to a variable, where in its source, and what was lost by it."""
    variable = before.variables.get(event.variable) or after.variables.get(event.variable)
    if variable is None:
        return None
    lost = find_lost_updates(variable, event)
    text = (
        f"{name_process(after, event.pid)}"
        f" {_describe_access(event, variable)}{_describe_place(event)}"
    )
    if lost:
        last = lost[-1]
        loaded = variable.loads.get(event.tid)
        had = format_value(variable.info.encoding, loaded.value) if loaded is not None else "?"
        text += (
            f": an update was lost. It had loaded {had} before {name_process(after, last.pid)}"
            f" stored {format_value(variable.info.encoding, last.value)}"
        )
    readers = find_torn_readers(before, event)
    if readers:
        names = ", ".join(sorted(name_process(after, pid, tid) for pid, tid in readers))
        text += (
            f": {names} loaded from {variable.info.group} between two stores, and has parts of"
            " two states"
        )
    weight = TURN if lost or readers else STEP
    return Sentence(event.n, event.t, event.pid, text, weight, "memory", (event.variable,))


def _describe_access(event: Accessed, variable: Variable) -> str:
    name, encoding = variable.info.name, variable.info.encoding
    now, old = format_value(encoding, event.after), format_value(encoding, event.before)
    if event.op == "load":
        changed = ", which something that is not watched has changed" if event.unseen else ""
        return f"loaded {name}: {now}{changed}"
    if event.op == "store":
        return f"stored {name}: {now} over {old}"
    if event.op == "update":
        how = f" ({event.instruction})" if event.instruction else ""
        return f"loaded and stored {name} in one instruction{how}: {now} over {old}"
    return f"loaded {name}, or stored the value that it had: {now}"


def _describe_place(event: Accessed) -> str:
    return f" ({event.file.rpartition('/')[2]}:{event.line})" if event.line else ""
