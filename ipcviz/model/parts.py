"""Names of a state's parts: what an event changed, and so what a screen marks as changed."""

from __future__ import annotations

import msgspec


class _Part(msgspec.Struct, frozen=True, tag_field="part"):
    """Base of the names. Two are equal if they are of one type and name the same thing."""


class ProcessPart(_Part, tag="process", frozen=True):
    """A process."""

    pid: int


class ThreadPart(_Part, tag="thread", frozen=True):
    """A thread."""

    tid: int


class DescriptorPart(_Part, tag="descriptor", frozen=True):
    """A row of a descriptor table, by the pid of the table's owner and the descriptor's number; it
    may be closed by now.
    """

    table: int
    fd: int


class ObjectPart(_Part, tag="object", frozen=True):
    """An object, by its key."""

    key: str


class SemaphorePart(_Part, tag="semaphore", frozen=True):
    """A semaphore, by its key."""

    key: str


class VariablePart(_Part, tag="variable", frozen=True):
    """A watched variable, by its key."""

    key: str


class LocksPart(_Part, tag="locks", frozen=True):
    """The locks of a file, by the file's key."""

    key: str


class SignalPart(_Part, tag="signal", frozen=True):
    """What a process does with a signal, and what is on its way to it of that number: sendings,
    deliveries, a timer.
    """

    pid: int
    signo: int


class MemoryPart(_Part, tag="memory", frozen=True):
    """Bytes of a mapped object, by the object's key."""

    key: str


class PagesPart(_Part, tag="pages", frozen=True):
    """The pages of a mapping, by the process and the mapping's first address."""

    pid: int
    start: int


class FolderPart(_Part, tag="folder", frozen=True):
    """What was done to a directory, by its path."""

    path: str


Part = (
    ProcessPart
    | ThreadPart
    | DescriptorPart
    | ObjectPart
    | SemaphorePart
    | VariablePart
    | LocksPart
    | SignalPart
    | MemoryPart
    | PagesPart
    | FolderPart
)
