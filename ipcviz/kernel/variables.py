"""Where the variables that are to be watched lie in a process's memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from ipcviz.events.accesses import TYPES, Encoding, VariableInfo, VariableSpec
from ipcviz.kernel import debug_info, elf, memory
from ipcviz.kernel.maps import DELETED, MapLine, identify_mapping, line_at
from ipcviz.kernel.watchpoints import is_aligned

ANONYMOUS: Final = "anonymous"
"""What shared memory without a file is called in a variable's declaration."""
MAX_LIBRARIES: Final = 32
"""Mapped files that are searched for a symbol: the program and its libraries."""


class Place(NamedTuple):
    """Where a variable lies, or why that is not known yet.

    Attributes:
        info: The variable; None as long as it is not found.
        address: In the process's memory; of a pointer on the way that is NULL, if `info` is None.
        missing: In words, why it is not found, if nothing that the process does can change that;
            else empty.
    """

    info: VariableInfo | None = None
    address: int = 0
    missing: str = ""


def locate_variable(pid: int, spec: VariableSpec, lines: Sequence[MapLine], root: str) -> Place:
    """Find a variable in a process's memory as it is now.

    Args:
        pid: The process.
        spec: The variable.
        lines: Its mappings (/proc/PID/maps).
        root: Its root folder as we see it; empty if it is ours.
    """
    if spec.symbol:
        return _locate_symbol(pid, spec, lines, root)
    size, encoding = TYPES[spec.type]
    for line in lines:
        if not line.shared or not _is_called(line, spec.memory):
            continue
        at = spec.offset - line.offset
        if 0 <= at <= line.end - line.start - size:
            return _make_place(spec, line, line.start + at, size, spec.type, encoding)
    return Place()


def _is_called(line: MapLine, name: str) -> bool:
    path = line.path.removesuffix(DELETED)
    if name == ANONYMOUS:
        return path == "/dev/zero" or path.startswith("/memfd:")
    return path == name or path.endswith("/" + name.lstrip("/"))


def _make_place(
    spec: VariableSpec, line: MapLine, address: int, size: int, kind: str, encoding: Encoding
) -> Place:
    if not is_aligned(address, size):
        return Place(
            missing=f"{size} bytes at {address:#x} can't be watched: the processor watches 1, 2, 4"
            " or 8 bytes at a multiple of that"
        )
    if line.shared:
        key = identify_mapping(line).key
        offset = address - line.start + line.offset
        name = f"var:{key}:{offset}"
        return Place(
            VariableInfo(name, spec.name, size, kind, encoding, key, offset, spec.group), address
        )
    return Place(VariableInfo("", spec.name, size, kind, encoding, group=spec.group), address)


def _locate_symbol(pid: int, spec: VariableSpec, lines: Sequence[MapLine], root: str) -> Place:
    searched: set[str] = set()
    for line in lines:
        if "x" not in line.perms or not line.path.startswith("/") or line.path in searched:
            continue
        if len(searched) >= MAX_LIBRARIES:
            break
        searched.add(line.path)
        path = root + line.path
        variable = debug_info.find_variable(path, spec.symbol)
        bias = None if variable is None else _load_bias(path, line)
        if variable is None or bias is None:
            continue
        return _follow_pointers(pid, spec, variable, variable.address + bias, lines)
    program = os.fsencode(next(iter(searched), "the program")).decode(errors="replace")
    return Place(
        missing=f"{program} has no debug information about {spec.symbol}: compile it with -g, and"
        " name a global or static variable"
    )


def _load_bias(path: str, line: MapLine) -> int | None:
    """How far a file is loaded from the addresses that it has itself."""
    for segment in elf.executable_segments(path):
        if segment.offset // 4096 * 4096 <= line.offset < segment.offset + segment.filesz:
            return line.start - line.offset + segment.offset - segment.vaddr
    return None


def _follow_pointers(
    pid: int,
    spec: VariableSpec,
    variable: debug_info.Variable,
    address: int,
    lines: Sequence[MapLine],
) -> Place:
    for hop in variable.hops:
        pointer = memory.read_u64(pid, address)
        if not pointer or line_at(lines, pointer + hop) is None:
            return Place(None, address)
        address = pointer + hop
    line = line_at(lines, address)
    if line is None:
        return Place()
    encoding: Encoding = variable.encoding if variable.encoding in _ENCODINGS else ""  # type: ignore[assignment]
    return _make_place(spec, line, address, variable.size, variable.type, encoding)


_ENCODINGS: Final = frozenset({"int", "uint", "float", "bool", "pointer"})


def private_key(pid: int, address: int) -> str:
    """The key of a variable that one process alone has."""
    return f"var:vm:{pid}:{address}"
