"""Processes that are not watched and have an end of what watched ones have open, or a lock that one
waits for.
"""

from __future__ import annotations

from typing import Literal

from ipcviz.events.base import Base
from ipcviz.events.objects import Mode, Struct


class Outsider(Struct, frozen=True):
    """A process that is not watched, as a look through all of /proc found it.

    Attributes:
        pid: The process.
        name: Its command name (comm).
        fd: By which of its descriptors it has the object; of several the first.
        mode: How it can use that.
        how: It has an `end` of the object, which of a socket is the other end; it `listens` where a
            connection waits to be accepted; or it has a `lock` on the file.
    """

    pid: int
    name: str = ""
    fd: int = -1
    mode: Mode = "rw"
    how: Literal["end", "listens", "lock"] = "end"


class Outside(Struct, frozen=True):
    """Who of those that are not watched has an object of the watched ones.

    Attributes:
        object: The object's key; of a connected socket that of the watched end.
        holders: Those who were found, by pid; at most `MOST_HOLDERS`.
        more: How many more were found.
        hidden: How many processes could not be looked at, since they are other users' or hide
            themselves: one of those may have it, too.
    """

    object: str
    holders: tuple[Outsider, ...] = ()
    more: int = 0
    hidden: int = 0


MOST_HOLDERS = 16
"""How many of an object's outsiders are told by name."""


class Outsiders(Base, tag="outsiders", frozen=True):
    """A look through all processes found these, or found that they have it no more; it replaces
    what was told before.

    It is made when a thread has waited for a while for what somebody else may have, and of what was
    there before the session began.
    """

    found: tuple[Outside, ...] = ()
