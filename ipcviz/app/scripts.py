"""Where a shell is in its script: no shell says it, so it is concluded from the commands that it
has run.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ipcviz.model.noise import SHELLS

if TYPE_CHECKING:
    from ipcviz.model.state import Process, State

_MOST_LINES: Final = 2_000
_MOST_CHILDREN: Final = 100
_WORD: Final = re.compile(r"[\w./+-]+")


def is_shell(process: Process) -> bool:
    """Whether a process runs a shell."""
    program = os.path.basename(process.argv[0]).lstrip("-") if process.argv else ""
    return program in SHELLS or process.name in SHELLS


def find_script(process: Process | None) -> str:
    """The path of the script that a shell runs; empty if a process is no shell, or runs none that
    has an absolute path.
    """
    if process is None or not process.argv:
        return ""
    if not is_shell(process):
        return ""
    for word in process.argv[1:]:
        if word == "-c":
            return ""
        if not word.startswith("-"):
            return word if word.startswith("/") else ""
    return ""


@lru_cache(maxsize=32)
def guess_line(lines: tuple[str, ...], commands: tuple[tuple[str, ...], ...]) -> int:
    """The line of a script that its last command probably stands in, from 1; 0 if none is like it.

    Each command is looked for behind the one before it, and from the beginning if it is not there:
    then the script goes round in a loop.

    Args:
        lines: The script.
        commands: The arguments of the programs that the shell has run, oldest first.
    """
    words = [_list_words(line) for line in lines[:_MOST_LINES]]
    here = 0
    for argv in commands:
        if not argv:
            continue
        program = os.path.basename(argv[0])
        rest = set(argv[1:])
        scores = [1 + len(rest & found) if program in found else 0 for found in words]
        behind = max(scores[here:], default=0)
        start = here if behind else 0
        best = max(scores[start:], default=0)
        if best:
            here = scores.index(best, start)
        elif argv is commands[-1]:
            return 0
    return here + 1 if commands and words else 0


def _list_words(line: str) -> frozenset[str]:
    code = line.strip()
    return frozenset() if code.startswith("#") else frozenset(_WORD.findall(code))


def list_commands(state: State, process: Process) -> tuple[tuple[str, ...], ...]:
    """What the children of a shell have executed, in the order of their births."""
    children = [
        child
        for child in state.processes.values()
        if child.parent == process.pid and child.executed and child.argv
    ]
    children.sort(key=lambda child: (child.born, child.pid))
    return tuple(child.argv for child in children[-_MOST_CHILDREN:])
