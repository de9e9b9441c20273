"""What descriptors that only tell of events hold: eventfd, timerfd, signalfd, pidfd, inotify,
epoll.
"""

from __future__ import annotations

from ipcviz.events.objects import Struct


class EpollEntry(Struct, frozen=True):
    """A line of an epoll set's interest list (epoll_ctl(2)).

    Attributes:
        fd: The number that the descriptor had when it was put in.
        events: `EPOLLIN`, `EPOLLOUT`, `EPOLLET`, ...; EPOLLERR and EPOLLHUP are always meant.
        object: Key of the object behind it; empty if the process has it behind no descriptor any
            more.
        data: What the program gave with it, and epoll_wait gives back; -1 if unknown.
    """

    fd: int
    events: tuple[str, ...] = ()
    object: str = ""
    data: int = -1


class InotifyWatch(Struct, frozen=True):
    """A file or directory that an inotify descriptor watches (inotify(7)).

    Attributes:
        wd: The watch's number.
        object: Key of what is watched, `DEV:INO`.
        path: Its path where a call or a descriptor told it; empty otherwise, since the kernel keeps
            the inode alone.
        events: `IN_MOVED_TO`, `IN_CREATE`, ...
    """

    wd: int
    object: str = ""
    path: str = ""
    events: tuple[str, ...] = ()


class Notifier(Struct, frozen=True):
    """What /proc/PID/fdinfo says of a descriptor that tells of events (proc(5)).

    Attributes:
        object: Its key.
        count: eventfd: the counter; timerfd: expirations that were not read yet; -1 elsewhere.
        semaphore: eventfd: a read takes 1, and not all (EFD_SEMAPHORE).
        clock: timerfd: `CLOCK_MONOTONIC`, ...
        due: timerfd: when it expires next, in session seconds; None if it is not armed.
        interval: timerfd: seconds between expirations after that one; 0 if it is the last.
        mask: signalfd: the signals that can be read from it.
        pid: pidfd: its process; -1 once that is gone.
        listed: epoll: the interest list, at most `LISTED`.
        watches: inotify: the watches, at most `LISTED`.
        more: Those beyond that many.
    """

    object: str
    count: int = -1
    semaphore: bool = False
    clock: str = ""
    due: float | None = None
    interval: float = 0.0
    mask: int = 0
    pid: int = 0
    listed: tuple[EpollEntry, ...] = ()
    watches: tuple[InotifyWatch, ...] = ()
    more: int = 0


LISTED = 64
"""How many lines of an epoll set or an inotify descriptor are told."""
