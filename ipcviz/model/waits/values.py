"""What a wait is: why a thread sleeps, on what, until when, who could end that, and how surely.

Values only; `ipcviz.model.waits.rules` makes them, `ipcviz.narrate.waits` puts them into words.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final

from ipcviz.events import FileLock, Futex, Outsider
from ipcviz.model.mechanisms.system_v import Operation
from ipcviz.model.state import Value


class Why(StrEnum):
    """Why a thread sleeps. The values are names that a scenario's `because` takes."""

    EMPTY = "empty"
    """There is nothing to read, or to receive."""
    FULL = "full"
    """There is no room for what it writes, or sends."""
    NO_MESSAGE = "no-message"
    """A System V queue has no message of the type that is wanted."""
    NO_READER = "no-reader"
    """It opens a FIFO that nobody has open for reading."""
    NO_WRITER = "no-writer"
    """It opens a FIFO that nobody has open for writing."""
    OPEN = "open"
    """It opens something else."""
    CONNECTION = "connection"
    """It accepts, and nobody has connected."""
    ANSWER = "answer"
    """It connects, and has no answer yet."""
    BACKLOG = "backlog"
    """It connects, and the backlog of the listener is full."""
    INPUT = "input"
    """It reads from a terminal."""
    DISK = "disk"
    """It waits for a file's bytes."""
    CHILD = "child"
    """It waits for the end of a child."""
    VFORK = "vfork"
    """It waits until its child has executed a program or has exited."""
    SIGNAL = "signal"
    TIME = "time"
    """It sleeps for a time."""
    TIMER = "timer"
    """It reads a timerfd that has not expired."""
    CHANGE = "change"
    """It reads an inotify descriptor, and nothing has happened."""
    READY = "ready"
    """It waits until one of several descriptors is ready."""
    LOCK = "lock"
    """A lock on a file is held."""
    SEMAPHORE = "semaphore"
    MUTEX = "mutex"
    RWLOCK = "rwlock"
    BARRIER = "barrier"
    CONDITION = "condition"
    JOIN = "join"
    """It waits for the end of a thread."""
    RUNTIME = "runtime"
    """It sleeps in a runtime of its own, as Go's."""
    FUTEX = "futex"
    """It sleeps on a futex of which no more is known."""
    UNKNOWN = "unknown"


IDLE: Final = frozenset(
    {Why.INPUT, Why.CONNECTION, Why.SIGNAL, Why.TIME, Why.TIMER, Why.CHANGE, Why.READY}
)
"""Why a thread waits that others need not have to act for: for time, signals, people, readiness."""


class Grade(Enum):
    """How much a doubt weighs."""

    NOTE = "note"
    """Somebody could end the wait against the use that is made of it."""
    DOUBT = "doubt"
    """It is probable, not sure, that only the known wakers could end the wait."""
    OPEN = "open"
    """Not all who could end it are known: nothing may rest on it."""


class Doubt(Enum):
    """Why it is not certain that the known wakers, and nobody else, could end a wait."""

    SAMPLED = "sampled"
    """Its process is only sampled."""
    TIMEOUT = "timeout"
    """It may end by itself, and is made again."""
    RING = "ring"
    """Its process has an io_uring, which moves bytes without a call."""
    MEMORY = "memory"
    """What it waits for is known by what its memory looks like."""
    ADOPTED = "adopted"
    """A process that was there before the watch may have other children."""
    POSTER = "poster"
    """Of all who could post it, who is to is not known."""
    OTHER_OWNERS = "other-owners"
    """Others may have taken the semaphore."""
    HANDLER = "handler"
    """A signal handler of the process may do what ends it."""
    SEEN = "seen"
    """The objects' samples say so, not calls alone."""
    OTHERS_HAVE = "others-have"
    """Others may have the object open."""
    OTHERS_OPEN = "others-open"
    """Others could open the object by its name."""
    OTHERS_USE = "others-use"
    """Others may know the queue's number."""
    TIMER = "timer"
    """A timer of a process in a circle is armed."""
    CHILD = "child"
    """A child of a process in a circle may end and send SIGCHLD."""

    POSTERS = "posters"
    """Who is not watched could post the semaphore."""
    SHARED = "shared"
    """Who is not watched may have the memory that the futex lies in."""
    STRANGERS = "strangers"
    """Who is not watched may have had the pipe once."""

    NOBODY_KNOWN = "nobody-known"
    """Who could end it is not known, or is anybody."""
    UNSEEN = "unseen"
    """Who of those that are watched could is not known."""
    ANY_OF_SEVERAL = "any-of-several"
    """One of several things would do."""
    TIME = "time"
    """Time alone ends it."""
    OUTSIDER = "outsider"
    """A process was found that is not watched and could."""
    FLIGHT = "flight"
    """A descriptor of the object is on its way (SCM_RIGHTS): whoever receives it could."""
    STARTER = "starter"
    """The object was there before the command: who started it may have it still."""
    LEVEL = "level"
    """The last sample found what it waits for: it is about to wake."""
    OWNER_ENDED = "owner-ended"
    """Who took it has ended without giving it back."""
    OWN = "own"
    """It has taken it itself: anybody may give it."""
    UNACCEPTED = "unaccepted"
    """The connection was not accepted yet."""

    @property
    def grade(self) -> Grade:
        """How much it weighs."""
        if self in _NOTES:
            return Grade.NOTE
        return Grade.OPEN if self in _OPEN else Grade.DOUBT

    @property
    def outside(self) -> bool:
        """Whether it is about somebody who is not watched."""
        return self in _OUTSIDE


_NOTES: Final = frozenset({Doubt.POSTERS, Doubt.SHARED, Doubt.STRANGERS})
_OPEN: Final = frozenset(
    {
        Doubt.NOBODY_KNOWN, Doubt.ANY_OF_SEVERAL, Doubt.TIME, Doubt.OUTSIDER, Doubt.FLIGHT,
        Doubt.STARTER, Doubt.LEVEL, Doubt.OWNER_ENDED, Doubt.OWN, Doubt.UNACCEPTED, Doubt.UNSEEN,
    }
)  # fmt: skip
_OUTSIDE: Final = _NOTES | {
    Doubt.ADOPTED, Doubt.OTHERS_HAVE, Doubt.OTHERS_OPEN, Doubt.OTHERS_USE, Doubt.NOBODY_KNOWN,
    Doubt.ANY_OF_SEVERAL, Doubt.OUTSIDER, Doubt.STARTER, Doubt.UNACCEPTED,
}  # fmt: skip


class Doubted(Value, frozen=True):
    """A doubt, and what it is about.

    Attributes:
        doubt: Which.
        about: Key of the object or the semaphore; empty if it is about none.
    """

    doubt: Doubt
    about: str = ""


class Waker(Value, frozen=True):
    """Somebody who could end a wait.

    Attributes:
        pid: The process.
        tid: The one thread of it that could; 0 for any.
        doubt: Why it is not certain that this one could; None if it is.
    """

    pid: int
    tid: int = 0
    doubt: Doubt | None = None


class Wakers(Value, frozen=True):
    """Who could end a wait.

    Attributes:
        known: Those that are known, by pid and tid; one tuple for all who wait for the same.
        doubts: Why it is not certain that it is these and nobody else.
        since: Since when nothing was seen that could have ended it, in session seconds. What calls
            alone do not tell has to last before anything can be said.
        at_once: Calls alone tell it: it need not last.
        any_of: Any of them could, and nothing tells which of them is meant to.
    """

    known: tuple[Waker, ...] = ()
    doubts: tuple[Doubted, ...] = ()
    since: float = 0.0
    at_once: bool = False
    any_of: bool = False

    @property
    def complete(self) -> bool:
        """Whether only these could end it, as far as is known: surely if there are no `doubts`."""
        if not self.doubts:
            return bool(self.known)
        return bool(self.known) and not any(one.doubt in _OPEN for one in self.doubts)

    @property
    def only_watched(self) -> bool:
        """Whether nobody who is not watched could end it, signals not counted."""
        return not any(one.doubt.outside for one in self.doubts)


class Buffer(Value, frozen=True):
    """Bytes, room or an other end that is waited for.

    Attributes:
        needs: Which end of the object a waker has to have: `r` or `w`; both of a socket.
        source: Key of the object whose holders could end it: the pipe itself, or the socket at the
            other end; empty if that is not known.
    """

    needs: str
    source: str = ""


class WantedMessage(Value, frozen=True):
    """What a call on a System V queue wants (msgop(2)).

    Attributes:
        type: The type of message that is wanted; None if it is not known, or if one is sent.
        excepted: Any other type is wanted (MSG_EXCEPT).
        size: The bytes for which room is wanted; None if one is received.
    """

    type: int | None = None
    excepted: bool = False
    size: int | None = None


class Children(Value, frozen=True):
    """The living children whose end a call is about, in the order of their births."""

    pids: tuple[int, ...]


class WantedSignals(Value, frozen=True):
    """The signals that would end a wait.

    Attributes:
        wanted: Their set, as a mask; None if it is not known.
        caught: Whether any are caught at all; None of a call that takes signals from a set.
        kept: Those that are pending, and that the call's mask keeps away.
    """

    wanted: int | None
    caught: bool | None = None
    kept: int = 0


class WatchedDescriptor(Value, frozen=True):
    """One descriptor that poll, select or epoll waits for.

    Attributes:
        key: The object; empty if it is not known any more.
        fd: The descriptor.
        events: Letters as `ipcviz.model.mechanisms.notifiers.format_events` has them.
    """

    key: str
    fd: int
    events: str


class Ready(Value, frozen=True):
    """The descriptors of which one is to be ready."""

    things: tuple[WatchedDescriptor, ...]


class ConflictingLocks(Value, frozen=True):
    """The locks on a file that are in the way.

    Attributes:
        found: The locks.
        owners: The processes that have them, as far as is known, ascending.
    """

    found: tuple[FileLock, ...]
    owners: tuple[int, ...] = ()


class SemaphoreTaken(Value, frozen=True):
    """A semaphore that is waited for.

    Attributes:
        owners: (process, thread) of those that have taken it and can give it back, ascending; the
            thread is 0 of a System V semaphore.
        operations: What a semop wants, of a System V set.
        copied: The futex, if the semaphore lies in memory that fork has copied.
    """

    owners: tuple[tuple[int, int], ...] = ()
    operations: tuple[Operation, ...] = ()
    copied: Futex | None = None


class Asleep(Value, frozen=True):
    """A futex that is waited for.

    Attributes:
        futex: What is known of it.
        word: What its word was when it was gone to sleep on; None if that is not known.
    """

    futex: Futex
    word: int | None = None


class Connecting(Value, frozen=True):
    """A connection that is asked for: its address, and the key of the socket that listens there."""

    address: str
    listener: str = ""


Facts = (
    Buffer
    | WantedMessage
    | Children
    | WantedSignals
    | Ready
    | ConflictingLocks
    | SemaphoreTaken
    | Asleep
    | Connecting
    | None
)


class Wait(Value, frozen=True):
    """What a thread sleeps in, why, and who could end that.

    Attributes:
        tid: The thread.
        pid: Its process.
        why: Why it sleeps.
        call: The call's name, or the C library's function where that is known: `sem_wait`,
            `pthread_join`.
        fd: Its descriptor argument; -1 if it has none.
        object: Key of the object that it waits on; empty if there is none.
        semaphore: Key of the semaphore that it waits on; empty if there is none.
        facts: What else tells why, by mechanism; None if nothing does.
        since: When the call was entered, in session seconds.
        deadline: When it ends by itself at the latest, in session seconds; None if never, or if
            that is not known.
        length: How many seconds it lasts at most in all; None if it has no limit, or if that is not
            known.
        limited: Time alone ends it.
        wakers: Who could end it; None if that was not asked for.
        outsiders: Those who are not watched and could end it, by pid, as far as they were looked
            for.
    """

    tid: int
    pid: int
    why: Why
    call: str
    fd: int = -1
    object: str = ""
    semaphore: str = ""
    facts: Facts = None
    since: float = 0.0
    deadline: float | None = None
    length: int | str | None = None
    limited: bool = False
    wakers: Wakers | None = None
    outsiders: tuple[Outsider, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether it waits for time, a signal, a person or readiness: nobody need act for it."""
        return self.why in IDLE

    @property
    def blocked(self) -> bool:
        """Whether somebody else must act: waiting for one's child is what a shell does all day."""
        return self.why not in IDLE and self.why is not Why.CHILD

    @property
    def waker_pids(self) -> tuple[int, ...]:
        """The processes that are known to be able to end it, ascending.

        Not those of which only some could, and nothing tells which.
        """
        if self.wakers is None:
            return ()
        return tuple(sorted({one.pid for one in self.wakers.known if one.doubt not in _UNNAMED}))


_UNNAMED: Final = frozenset({Doubt.POSTER, Doubt.MEMORY, Doubt.OTHERS_USE})
