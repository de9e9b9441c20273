"""What the stream leaves out: the defaults of its types, which are not written.

A trace of last year says nothing of a field that had its default then. If that default were
another one today, the trace would say what nobody has seen; so a change of one that is listed here
needs a new number of the schema (`ipcviz.events.stream.SCHEMA`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from ipcviz import events

KEPT = Path(__file__).parent / "schema_defaults.json"


def list_defaults() -> dict[str, dict[str, Any]]:
    """The defaults of each type of the stream that are left out, by type and field."""
    found: dict[str, dict[str, Any]] = {}
    for name in dir(events):
        kind = getattr(events, name)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__struct_fields__:
            defaults = {
                field.name: msgspec.to_builtins(field.default)
                for field in msgspec.structs.fields(kind)
                if field.default is not msgspec.NODEFAULT
            }
            if defaults:
                found[name] = defaults
    return found


def test_what_is_left_out_means_what_it_meant():
    kept = json.loads(KEPT.read_text())
    now = json.loads(msgspec.json.encode(list_defaults()))
    changed = [
        f"{kind}.{field}: {value!r}, now {now[kind][field]!r}"
        for kind, fields in kept.items()
        for field, value in fields.items()
        if field in now.get(kind, {}) and now[kind][field] != value
    ]
    assert not changed
    new = sorted(
        {f"{k}.{f}" for k in now for f in now[k]} - {f"{k}.{f}" for k in kept for f in kept[k]}
    )
    assert not new, f"add these to {KEPT.name}"
