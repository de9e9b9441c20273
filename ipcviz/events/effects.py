"""Effects: changes of state that an event brought with it."""

from __future__ import annotations

from typing import Literal

import msgspec

from ipcviz.events.locks import FileLock
from ipcviz.events.objects import Mode, ObjectInfo


class Effect(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="effect"):
    """Base of the effects; the wire names the type in `effect`."""


class Opened(Effect, tag="opened", frozen=True):
    """A descriptor now refers to a new open file description (`ofd` is numbered by the tracer)."""

    fd: int
    ofd: int
    object: ObjectInfo
    mode: Mode
    flags: tuple[str, ...] = ()
    """Status flags beyond the mode: `append`, `nonblock`, `direct`, ..."""
    cloexec: bool = False
    alone: bool = False
    """Of a FIFO: nobody that is not watched has it open, or had since it was made."""


class Passed(Effect, tag="passed", frozen=True):
    """Descriptors `fds` of the caller are under way through a socket (SCM_RIGHTS), until they are
    received there.

    `to` is the address that they were sent to, if the socket need not be connected.
    """

    fds: tuple[int, ...]
    to: str = ""


class Identified(Effect, tag="identified", frozen=True):
    """More is known of an object than when it was opened: a socket has a name, a peer, another
    state now.
    """

    object: ObjectInfo


class Duplicated(Effect, tag="duplicated", frozen=True):
    """Descriptor `fd` now shares the open file description of `source`; what `fd` held before is
    closed.
    """

    fd: int
    source: int
    cloexec: bool = False


class Closed(Effect, tag="closed", frozen=True):
    """A descriptor was closed."""

    fd: int


class CloseOnExec(Effect, tag="close-on-exec", frozen=True):
    """A descriptor's FD_CLOEXEC was set or cleared."""

    fd: int
    cloexec: bool


class StatusFlags(Effect, tag="status-flags", frozen=True):
    """The status flags of the open file description behind `fd` changed (shared by all its
    descriptors).
    """

    fd: int
    flags: tuple[str, ...]


class Capacity(Effect, tag="capacity", frozen=True):
    """An object's capacity in bytes was changed (F_SETPIPE_SZ, SO_SNDBUF, ...)."""

    object: str
    capacity: int


class Mapped(Effect, tag="mapped", frozen=True):
    """A mapping that other processes can share, or a private one of a file that is IPC here.

    `size` is how many bytes the object had at that moment; -1 if that is not known.
    """

    start: int
    length: int
    object: ObjectInfo
    offset: int = 0
    prot: str = "r--"
    shared: bool = True
    size: int = -1


class Unmapped(Effect, tag="unmapped", frozen=True):
    """A range is no longer mapped."""

    start: int
    length: int


class Protected(Effect, tag="protected", frozen=True):
    """The protection of a range that holds shared mappings changed (mprotect(2))."""

    start: int
    length: int
    prot: str


class Disposition(Effect, tag="disposition", frozen=True):
    """What a process does with a signal (sigaction(2))."""

    signo: int
    action: Literal["default", "ignore", "catch"]
    flags: tuple[str, ...] = ()
    mask: int = 0


class Mask(Effect, tag="mask", frozen=True):
    """The calling thread's blocked signals are now these."""

    blocked: int


class Sent(Effect, tag="sent", frozen=True):
    """A signal was sent: to a process (`tid` 0), a thread, a group (`target` negative) or by a
    timer.
    """

    target: int
    signo: int
    tid: int = 0
    value: int = 0


class Taken(Effect, tag="taken", frozen=True):
    """A pending signal was taken by a call (sigwait, a read of a signalfd), and so was not
    delivered.

    The fields are those of `SignalDelivered`.
    """

    signo: int
    code: str = ""
    sender: int = 0
    sender_name: str = ""
    value: int = 0
    timer: int = -1
    overrun: int = 0


class NameCreated(Effect, tag="name-created", frozen=True):
    """A name that processes can meet at appeared: mkfifo, sem_open, shm_open, mq_open, bind, link,
    rename.
    """

    path: str
    object: str = ""


class NameRemoved(Effect, tag="name-removed", frozen=True):
    """A name was removed (unlink, shm_unlink, mq_unlink, rename away)."""

    path: str
    object: str = ""


class Filed(Effect, tag="filed", frozen=True):
    """A name in a directory was moved, made further, removed or exchanged; or the directory is
    watched (inotify).

    Attributes:
        action: What happened.
        folder: Path of the directory, symbolic links followed: where it moved to.
        name: The name in it; empty if the directory itself is meant.
        source: Path of the directory that it was in before, or that its other name is in.
        source_name: That name.
        object: Key of what is named.
        replaced: Key of what had the new name before; empty if nothing had.
    """

    action: Literal["moved", "linked", "removed", "exchanged", "watched"]
    folder: str
    name: str = ""
    source: str = ""
    source_name: str = ""
    object: str = ""
    replaced: str = ""


class Timer(Effect, tag="timer", frozen=True):
    """A timer that will send `signo` was armed for `seconds` from now; 0 seconds disarms it.

    Attributes:
        signo: The signal; 0 for one of timer_create's, whose signal was said when it was made.
        seconds: Until it expires first.
        interval: Between expirations after that; 0 if it is the last.
        id: Number of a POSIX timer; -1 for alarm and setitimer, of which each process has one for
            each signal.
        clock: What it counts, if that is not real time: `CPU time`.
        change: Whether it was armed (or disarmed), or made (timer_create) or removed
            (timer_delete).
    """

    signo: int
    seconds: float
    interval: float = 0.0
    id: int = -1
    clock: str = ""
    change: Literal["set", "made", "removed"] = "set"


class Grouped(Effect, tag="grouped", frozen=True):
    """A process's group, session or terminal, or that terminal's foreground group, changed.

    That is by setsid(2), setpgid(2), or ioctl_tty(2): TIOCSCTTY, TIOCNOTTY, TIOCSPGRP.
    """

    pid: int
    pgrp: int
    session: int
    tty: int = 0
    foreground: int = 0


class Subreaper(Effect, tag="subreaper", frozen=True):
    """The process gets the orphans among its descendants from now on, or no longer (prctl(2))."""

    enabled: bool


class DeathSignal(Effect, tag="death-signal", frozen=True):
    """The process gets this signal when its parent ends; 0 for none (PR_SET_PDEATHSIG of
    prctl(2)).
    """

    signo: int


class Locks(Effect, tag="locks", frozen=True):
    """The locks on a file are these now, as /proc/locks has them at the return of a call that could
    change them.
    """

    object: str
    locks: tuple[FileLock, ...] = ()


class Uses(Effect, tag="uses", frozen=True):
    """The process uses an object that has no descriptor: a System V message queue."""

    object: ObjectInfo


class WorkingDirectory(Effect, tag="working-directory", frozen=True):
    """The process changed its working directory."""

    path: str


AnyEffect = (
    Opened
    | Passed
    | Identified
    | Duplicated
    | Closed
    | CloseOnExec
    | StatusFlags
    | Capacity
    | Mapped
    | Unmapped
    | Protected
    | Disposition
    | Mask
    | Sent
    | Taken
    | NameCreated
    | NameRemoved
    | Filed
    | Timer
    | Grouped
    | Subreaper
    | DeathSignal
    | Locks
    | Uses
    | WorkingDirectory
)
