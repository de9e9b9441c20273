"""What of a machine and of a process hardly ever changes, as samples and the session's first event
carry it.
"""

from __future__ import annotations

from ipcviz.events.objects import Struct


class MachineFacts(Struct, frozen=True):
    """The machine that was watched: what figures of speed depend on, and nothing that names it.

    Attributes:
        cpus: Logical processors.
        usable: Those of them that ipcviz may use (sched_getaffinity(2)).
        memory: Bytes of memory.
        load: Processes that ran or wanted to, on average over the last minute (getloadavg(3)).
        booted: When it was started, in seconds since 1970 (UTC).
    """

    cpus: int
    usable: int
    memory: int
    load: float = 0.0
    booted: float = 0.0


class Limit(Struct, frozen=True):
    """A resource limit of a process (getrlimit(2)); -1 stands for no limit.

    Attributes:
        name: What it limits, by the name in /proc/PID/limits: `open files`, `processes`, `stack
            size`, ...
        soft: What the kernel holds the process to.
        hard: How far the process may raise that itself.
    """

    name: str
    soft: int
    hard: int


class ProcessFacts(Struct, frozen=True):
    """What is read of one process once a second while a viewer looks at it.

    Attributes:
        pid: The process.
        user: The name of its effective user, or the number where the system has no name for it.
        started: When it was started, in seconds since 1970 (UTC).
        nice: Its nice value (nice(2)): from -20, which gets most of the processors, to 19.
        io_class: Its I/O scheduling class (ioprio_get(2)): `none`, `real time`, `best effort`,
            `idle`.
        cpus: The processors that it may run on (sched_getaffinity(2)), in order.
        open_files: How many descriptors its table has; -1 if that can't be read.
        limits: Its resource limits.
    """

    pid: int
    user: str = ""
    started: float = 0.0
    nice: int = 0
    io_class: str = ""
    cpus: tuple[int, ...] = ()
    open_files: int = -1
    limits: tuple[Limit, ...] = ()
