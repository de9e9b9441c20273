"""What lies in shared memory, field by field, where a scenario has declared it. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from ipcviz.events import MemorySample
from ipcviz.events.accesses import TYPES, format_value

MOST_ELEMENTS: Final = 4096
"""Elements of one field at most; what is shown of an object's bytes ends sooner."""


class Field(msgspec.Struct, frozen=True, gc=False):
    """A place in shared memory that has a name.

    Attributes:
        name: What it is called.
        type: One of `ipcviz.events.accesses.TYPES`.
        offset: Where it begins in the object, in bytes.
        count: How many elements it has; more than one is an array.
        counted_by: Name of the field that says how many of its elements are in use; empty if all
            are.
    """

    name: str
    type: str = "int"
    offset: int = 0
    count: int = 1
    counted_by: str = ""

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return TYPES[self.type][0]

    @property
    def is_text(self) -> bool:
        """Whether it is a text, as C has it: an array of characters up to the first NUL."""
        return self.type == "char" and self.count > 1


class FieldValue(NamedTuple):
    """What was read of a field.

    Attributes:
        field: The field.
        elements: Its elements as a person writes them, in order, as far as they were read; a text
            is one.
        changed: Which of them the last look found changed, by their places.
    """

    field: Field
    elements: tuple[str, ...]
    changed: frozenset[int] = frozenset()


def read_fields(fields: tuple[Field, ...], sample: MemorySample | None) -> tuple[FieldValue, ...]:
    """The values of an object's fields, in their order.

    Args:
        fields: The fields.
        sample: The last look at the object's bytes; None if there was none.
    """
    found: list[FieldValue] = []
    numbers: dict[str, int] = {}
    for field in fields:
        used = min(field.count, MOST_ELEMENTS)
        if field.counted_by in numbers:
            used = max(0, min(used, numbers[field.counted_by]))
        parts = _read_elements(field, used, sample)
        changed = frozenset(at for at in range(len(parts)) if _is_changed(field, at, sample))
        if field.is_text and parts:
            text = b"".join(parts).partition(b"\0")[0].decode("utf-8", "replace")
            found.append(FieldValue(field, (text,), frozenset({0}) if changed else frozenset()))
            continue
        encoding = TYPES[field.type][1]
        if len(parts) == 1 and encoding in ("int", "uint"):
            numbers[field.name] = int.from_bytes(parts[0], "little", signed=encoding == "int")
        found.append(
            FieldValue(field, tuple(format_value(encoding, part) for part in parts), changed)
        )
    return tuple(found)


def _read_elements(field: Field, used: int, sample: MemorySample | None) -> list[bytes]:
    """The bytes of its elements, up to the first that was not read."""
    found: list[bytes] = []
    if sample is None or field.offset < sample.offset:
        return found
    for place in range(used):
        begin = field.offset - sample.offset + place * field.size
        part = sample.data[begin : begin + field.size]
        if len(part) < field.size:
            break
        found.append(part)
    return found


def _is_changed(field: Field, place: int, sample: MemorySample | None) -> bool:
    begin = field.offset + place * field.size
    return sample is not None and any(
        at < begin + field.size and begin < at + length for at, length in sample.changed
    )
