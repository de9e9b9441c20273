"""Events of loads and stores: variables in memory that are watched, and who loads and stores
them.
"""

from __future__ import annotations

import re
import struct
from typing import Final, Literal

from ipcviz.events.base import Base
from ipcviz.events.objects import Struct

Operation = Literal["load", "store", "update", "access"]
"""What one instruction did to a variable: `update` is a load and a store in one (`incl`, `lock
xadd`); `access` is one of which it is not known whether it stored, since the value is the same.
"""

Encoding = Literal["int", "uint", "float", "bool", "pointer", ""]
"""What the bytes of a variable mean; empty: no more than bytes."""

TYPES: Final[dict[str, tuple[int, Encoding]]] = {
    "bool": (1, "bool"),
    "char": (1, "int"),
    "signed char": (1, "int"),
    "short": (2, "int"),
    "int": (4, "int"),
    "long": (8, "int"),
    "long long": (8, "int"),
    "unsigned char": (1, "uint"),
    "unsigned short": (2, "uint"),
    "unsigned": (4, "uint"),
    "unsigned int": (4, "uint"),
    "unsigned long": (8, "uint"),
    "size_t": (8, "uint"),
    "int8": (1, "int"),
    "int16": (2, "int"),
    "int32": (4, "int"),
    "int64": (8, "int"),
    "uint8": (1, "uint"),
    "uint16": (2, "uint"),
    "uint32": (4, "uint"),
    "uint64": (8, "uint"),
    "float": (4, "float"),
    "double": (8, "float"),
    "pointer": (8, "pointer"),
}
"""Types that a variable can be declared with: bytes, and what these mean."""

MOST_VARIABLES: Final = 4
"""How many variables can be watched at once: a processor's debug registers (x86-64)."""

_PLACE: Final = re.compile(r"(?P<memory>.+)\+(?P<offset>\d+|0x[0-9a-fA-F]+):(?P<type>[\w ]+)$")
_SYMBOL: Final = re.compile(r"\*?[A-Za-z_]\w*(?:(?:\.|->)[A-Za-z_]\w*|\[\d+\])*$")


class VariableSpec(Struct, frozen=True):
    """A variable that is to be watched, as a person names it.

    Attributes:
        name: What it is called in sentences and pictures.
        symbol: A global or static variable of the program, or what is reached from it:
            `counter`, `*shared`, `queue->in`. Its debug information says where it lies and what it
            is. Empty if `memory` says where.
        memory: The shared memory that it lies in: the end of its file's path, or `anonymous` for
            memory without a file (MAP_SHARED|MAP_ANONYMOUS).
        offset: Where it begins there, in bytes.
        type: One of `TYPES`.
        group: What it belongs to together with others of the same group: a message, say, whose
            text and length have to fit each other. Empty for none.
    """

    name: str
    symbol: str = ""
    memory: str = ""
    offset: int = 0
    type: str = "int"
    group: str = ""


def parse_variable(text: str) -> VariableSpec:
    """Read `SYMBOL`, `FILE+OFFSET:TYPE` or either behind `NAME=`.

    Raises:
        ValueError: It is neither. The message is one sentence that says what is allowed.
    """
    name, equals, rest = text.partition("=")
    if not equals:
        name, rest = "", text
    name, rest = name.strip(), rest.strip()
    if found := _PLACE.match(rest):
        kind = " ".join(found["type"].split())
        if kind not in TYPES:
            raise ValueError(f"{kind!r} is no type; write one of {', '.join(TYPES)}")
        offset = int(found["offset"], 0)
        if offset % TYPES[kind][0]:
            raise ValueError(
                f"offset {offset} is no multiple of the {TYPES[kind][0]} bytes of {kind}, and the"
                " processor watches no other places"
            )
        return VariableSpec(name or rest, "", found["memory"], offset, kind)
    if _SYMBOL.match(rest):
        return VariableSpec(name or rest, rest)
    raise ValueError(
        f"{text!r} names no variable; write SYMBOL (counter, *shared, queue->in), or"
        " FILE+OFFSET:TYPE (shared.dat+8:int, anonymous+0:long)"
    )


class VariableInfo(Struct, frozen=True):
    """A variable that was found in memory.

    Attributes:
        key: `var:OBJECT:OFFSET` in shared memory, where OBJECT is its key; the same for all who
            have it mapped. `var:vm:PID:ADDRESS` in memory that one process alone has.
        name: What it is called.
        size: In bytes: 1, 2, 4 or 8.
        type: As a programmer writes it; empty if it is not known.
        encoding: What its bytes mean.
        object: Key of the shared memory that it lies in; empty if private.
        offset: Where it begins there.
        group: What it belongs to together with others.
    """

    key: str
    name: str
    size: int = 4
    type: str = ""
    encoding: Encoding = "int"
    object: str = ""
    offset: int = 0
    group: str = ""


class VariableFound(Base, tag="variable", frozen=True):
    """From here on this process's loads and stores of a variable are seen.

    Attributes:
        variable: Which one.
        address: Where it lies in the process's memory.
        value: Its bytes now; empty if they could not be read.
    """

    pid: int
    variable: VariableInfo
    address: int
    value: bytes = b""


class Accessed(Base, tag="accessed", frozen=True):
    """A thread has loaded or stored a variable.

    Attributes:
        variable: Its key.
        op: What one instruction did to it.
        before: Its bytes before that.
        after: Its bytes after that.
        unseen: It had changed meanwhile by something that is not watched: the kernel (read(2) into
            it), a process or thread that is not, or another mapping.
        file: The source file of the instruction, or of the nearest caller that has one; empty if
            none is known.
        line: The line there, from 1; 0 if none is known.
        instruction: The instruction as an assembler writes it; empty if it was not decoded.
    """

    pid: int
    tid: int
    variable: str
    op: Operation
    before: bytes = b""
    after: bytes = b""
    unseen: bool = False
    file: str = ""
    line: int = 0
    instruction: str = ""


_FORMATS: Final = {
    ("int", 1): "<b",
    ("int", 2): "<h",
    ("int", 4): "<i",
    ("int", 8): "<q",
    ("uint", 1): "<B",
    ("uint", 2): "<H",
    ("uint", 4): "<I",
    ("uint", 8): "<Q",
    ("float", 4): "<f",
    ("float", 8): "<d",
}


def format_value(encoding: Encoding, raw: bytes) -> str:
    """The value that bytes of memory stand for, as a person writes it: `7`, `0.5`, `true`.

    Args:
        encoding: What they mean.
        raw: The bytes, little-endian; empty for a value that is not known.
    """
    if not raw:
        return "?"
    if encoding == "bool":
        return "true" if any(raw) else "false"
    if encoding == "pointer":
        return hex(int.from_bytes(raw, "little")) if any(raw) else "NULL"
    how = _FORMATS.get((encoding, len(raw)))
    if how is None:
        return raw.hex(" ")
    value = struct.unpack(how, raw)[0]
    return f"{value:g}" if encoding == "float" else str(value)
