"""What a finding is: a fault, who is in it, what proves it, and how it is mended. Values only."""

from __future__ import annotations

import msgspec


class Plain(msgspec.Struct, frozen=True):
    """Base of what a finding consists of: immutable, and JSON as it is."""


class SourcePlace(Plain, frozen=True):
    """A source line, from 1, of a file as the compiler or the interpreter names it."""

    file: str
    line: int
    function: str = ""


class Party(Plain, frozen=True):
    """A process that a finding is about.

    Attributes:
        pid: The process.
        name: The name of its program.
        argv: Its arguments.
        place: The source line that it waits at; None if that is not known.
    """

    pid: int
    name: str
    argv: tuple[str, ...] = ()
    place: SourcePlace | None = None


class Origin(Plain, frozen=True):
    """Where a descriptor came from.

    Attributes:
        pid: Whose descriptor it is.
        fd: Its number.
        object: Key of the object behind it.
        call: The call that made its open file description; empty if that was not seen.
        by: The process that made the call.
        n: Number of that call's event; 0 if it was not seen.
        t: When that was, in session seconds.
        passed: The processes that it was passed on by fork, from `by` down to `pid`.
        words: All that as a sentence.
    """

    pid: int
    fd: int
    object: str
    call: str = ""
    by: int = 0
    n: int = 0
    t: float = 0.0
    passed: tuple[int, ...] = ()
    words: str = ""


class Evidence(Plain, frozen=True):
    """One fact that a finding rests on, which anybody can check.

    Attributes:
        text: The fact.
        n: Number of the event that tells it; 0 if it is a figure of the moment.
    """

    text: str
    n: int = 0


class Finding(Plain, frozen=True):
    """A fault that was found.

    Attributes:
        rule: The rule's name: `ipcviz explain RULE` tells more.
        sure: Whether the kernel's state and the events prove it; else it is probable.
        sentence: What is wrong, as a sentence.
        mend: What to do, as a sentence.
        t: When it became true, as far as known, in session seconds.
        n: Number of the last event then.
        processes: Who is in it; the first is the one whose program is to be mended, if known.
        objects: Keys of the objects and semaphores.
        descriptors: (process, descriptor) of the ends that it is about.
        evidence: What proves it.
        origins: Where the descriptors came from.
        why_probable: What would have to be known for it to be sure; empty if it is.
        about: What tells it from others of the same rule.
    """

    rule: str
    sure: bool
    sentence: str
    mend: str
    t: float = 0.0
    n: int = 0
    processes: tuple[Party, ...] = ()
    objects: tuple[str, ...] = ()
    descriptors: tuple[tuple[int, int], ...] = ()
    evidence: tuple[Evidence, ...] = ()
    origins: tuple[Origin, ...] = ()
    why_probable: str = ""
    about: str = ""

    @property
    def key(self) -> tuple[str, tuple[int, ...], str]:
        """Which finding it is: found again a moment later, it is the same one."""
        return self.rule, tuple(sorted(one.pid for one in self.processes)), self.about

    @property
    def name(self) -> str:
        """Its key as one word, for who can only pass words on."""
        rule, pids, about = self.key
        return f"{rule}:{','.join(map(str, pids))}:{about}"

    @property
    def place(self) -> SourcePlace | None:
        """The first source line that is known."""
        return next((one.place for one in self.processes if one.place is not None), None)
