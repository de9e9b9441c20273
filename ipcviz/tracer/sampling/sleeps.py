"""What a thread sleeps in, with what its wait is about read at that moment: the same for threads
that are stopped at their calls and for those that are sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from ipcviz.events import Futex
from ipcviz.events.arguments import number_in, text_in
from ipcviz.events.calls import CHANGES_SEMAPHORES, LOCKS, OPENS
from ipcviz.kernel import procfs
from ipcviz.kernel.names import AT_FDCWD, fifo_of
from ipcviz.model.mechanisms.sockets import others_of
from ipcviz.model.state import State
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.calls.watched import read_watched
from ipcviz.tracer.sampling.futexes import FutexLooks
from ipcviz.tracer.sampling.notifiers import NotifierLooks
from ipcviz.tracer.sampling.semaphores import SemaphoreLooks


class Looks(Protocol):
    """What is read of the things that threads wait for: the sampler's."""

    semaphores: SemaphoreLooks
    futexes: FutexLooks
    notifiers: NotifierLooks

    def levels_now(self, keys: Iterable[str]) -> None:
        """Sample some objects at once."""

    def sets_now(self, semid: int) -> None:
        """Sample a System V set of semaphores at once."""

    def locks_now(self, keys: Iterable[str]) -> None:
        """Sample the locks on some files at once."""


class Inside(NamedTuple):
    """A call that a thread is inside.

    Attributes:
        pid: The process.
        tid: The thread.
        name: The call.
        raw: Its arguments as the registers have them.
        args: Its arguments by name, decoded.
        object: Key of the object that it is on; empty if there is none.
        semaphore: Key of the semaphore that a wait in futex(2) is known to be for; empty if that is
            to be found.
    """

    pid: int
    tid: int
    name: str
    raw: tuple[int, ...]
    args: dict[str, Word]
    object: str = ""
    semaphore: str = ""


class Sleep(NamedTuple):
    """What a thread sleeps in; `ipcviz.events.Waiting` says what the attributes mean."""

    args: dict[str, Word]
    object: str
    semaphore: str
    wchan: str
    futex: Futex | None


def describe_sleep(
    looks: Looks, state: State, call: Inside, is_asleep: Callable[[], bool]
) -> Sleep | None:
    """What a thread sleeps in; None if it has woken meanwhile.

    What the wait is about is sampled first, so that the reason which the state gives for the wait
    is that of this moment. Then the thread must sleep still: else it has woken between the two, and
    the wait would be told with a reason that ended it.

    Args:
        looks: Who reads what it waits for.
        state: The tracer's own.
        call: What it is inside.
        is_asleep: Whether it still sleeps in this call.
    """
    pid, tid, name = call.pid, call.tid, call.name
    args = {**call.args, **read_watched(tid, name, call.raw)}
    key, semaphore = call.object, ""
    semid = number_in(args, "id")
    if name in CHANGES_SEMAPHORES and semid is not None:
        looks.semaphores.use_system_v(pid, semid)
        looks.sets_now(semid)
        semaphore = looks.semaphores.find_blocking(args)
        key = semaphore or key
    elif name == "futex":
        semaphore = call.semaphore or (
            looks.semaphores.find_key(pid, call.raw[0]) if call.raw else ""
        )
        key = semaphore
    elif name in OPENS:
        key = fifo_of(pid, text_in(args, "path"), args.get("dirfd", AT_FDCWD))
    if key and not semaphore:
        looks.levels_now((key, *others_of(state, name, args, key)))
        if name in LOCKS:
            looks.locks_now((key,))
        if not is_asleep():
            return None
    looks.notifiers.of_wait(pid, name, key, text_in(args, "watched"))
    return Sleep(
        args=args,
        object=key,
        semaphore=semaphore,
        wchan=procfs.read_wchan(pid, tid) or "",
        futex=looks.futexes.read_futex(pid, tid, call.raw) if name == "futex" else None,
    )
