"""Programs by their names: what runs, and what it was told that it is called (argv[0]). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

COMM_BYTES: Final = 15
"""Bytes of a program's name that the kernel keeps (comm; TASK_COMM_LEN without the end,
linux/sched.h).
"""


def is_named_otherwise(argv: Sequence[str], name: str, path: str = "") -> bool:
    """Whether argv[0] names another program than the one that runs, or none: who executes it may
    write anything there.

    Args:
        argv: Its arguments.
        name: Its comm after execve(2): the last part of the path that was executed.
        path: The program's file, with symbolic links followed; empty if it is not known.
    """
    names = {_make_comm(path), name} - {""}
    if not names:
        return False
    if not argv or _make_comm(argv[0]) in names:
        return not argv
    # Of a script the kernel puts its interpreter there, and the script after it or after its one
    # argument.
    return not any(_make_comm(word) == name for word in argv[1:3])


def _make_comm(path: str) -> str:
    return (
        path.rpartition("/")[2]
        .encode(errors="surrogateescape")[:COMM_BYTES]
        .decode(errors="ignore")
    )
