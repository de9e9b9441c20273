"""Asking the kernel what it may not answer for long: in a thread of its own, which is left behind
if no answer comes.

A pipe is locked while splice(2), sendfile(2) or tee(2) wait with it, and while bytes are copied
from or to memory that somebody has still to give (userfaultfd, FUSE). Whoever asks it anything then
sleeps for as long, and no signal wakes it (`pipe_lock` in fs/pipe.c, `lock_sock` in
net/core/sock.c, `iolock` of a UNIX stream). If what the holder waits for stands at a stop of the
tracer's, that is for ever.

    tracer thread ask ----> waits ----> 2 ms: asleep, and no signal could wake it ----> 4 ms: goes
    on without
                      |                                                                        :
    helper ioctl(borrowed) ......................... locked by a splice ............ ioctl returns,
    closes

What the helper has borrowed it gives back as soon as it comes out, before it does anything else
(`check_wanted`). Nobody misses an end of file or SIGPIPE by it meanwhile: to close a pipe's last
end, to read and to write take the same lock. Its table of descriptors is its own, so that what it
is left behind with is in no other thread's way, and what others hold open (the session's socket)
ends with them.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, cast

T = TypeVar("T")

SLICE_SECONDS: Final = 0.002
"""After how long it is looked at what keeps an answer, again and again."""
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0
"""How long a thing is not asked again after it gave no answer: twice as long each time."""
MOST_LEFT: Final = 64
"""Of so many threads at most that are left behind: with more, nothing is asked until one comes
back.
"""

CLOSE_RANGE: Final = 436
CLOSE_RANGE_UNSHARE: Final = 2
"""linux/close_range.h (Linux 5.9): before, the table is shared, which is harmless until the
tracer's end.
"""

_NO_PAUSE: Final = (0.0, 0.0)

_libc = ctypes.CDLL(None, use_errno=True)


class UnwantedError(Exception):
    """Nobody waits for this answer any more."""


class _Helper:
    """A thread that makes one call after the other for the tracer's."""

    def __init__(self) -> None:
        self.left = False
        self.answers: list[object] = []
        """What the questions gave that it has come out of so far, in their order."""
        self._looks: Sequence[Callable[[], object]] = ()
        self._error: BaseException | None = None
        self._begin, self._done = threading.Lock(), threading.Lock()
        self._begin.acquire()
        self._done.acquire()
        self._tid = 0
        thread = threading.Thread(target=self._answer_questions, name="ipcviz aside", daemon=True)
        # Signals are the tracer's thread's, which reads them from a descriptor: all other threads
        # block them.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _answer_questions(self) -> None:
        self._tid = threading.get_native_id()
        _have_own_table()
        _current.helper = self
        while True:
            self._begin.acquire()
            try:
                for look in self._looks:
                    check_wanted()
                    self.answers.append(look())
            except BaseException as error:  # noqa: BLE001 (it is raised again where the question was asked)
                self._error = error
            self._done.release()

    def ask_questions(self, looks: Sequence[Callable[[], object]]) -> int:
        """Have it ask questions, one after the other.

        Returns:
            How many it has come out of: all, or it is left behind with the next one.
        """
        self._looks, self.answers, self._error, self.left = looks, [], None, False
        self._begin.release()
        before = -1
        while not self._done.acquire(timeout=SLICE_SECONDS):
            # 'D': no signal wakes it. A thread that only waits for its turn on a busy machine is no
            # such, nor one that by now sleeps in another question.
            made = len(self.answers)
            asleep = _read_thread_state(self._tid) == "D"
            if asleep and made == before:
                self.left = True
                return made
            before = made if asleep else -1
        return len(looks)

    def raise_error(self) -> None:
        """Raise what a question raised, if one did: those behind it were not asked."""
        if self._error is not None:
            raise self._error

    def has_returned(self) -> bool:
        """Whether a helper that was left behind has come out, and can make another call."""
        return self._done.acquire(blocking=False)


_current = threading.local()


def _read_thread_state(tid: int) -> str:
    try:
        with open(f"/proc/self/task/{tid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1].decode("ascii")
    except OSError:
        return ""


def _have_own_table() -> None:
    """Have a table of descriptors that is this thread's alone, with nothing in it but three of
    /dev/null.
    """
    if _libc.syscall(CLOSE_RANGE, 3, 0xFFFFFFFF, CLOSE_RANGE_UNSHARE) != 0:
        return
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number, inheritable=False)
    os.close(null)


class Aside:
    """Asks things of the kernel by a helper, and remembers what gave no answer."""

    def __init__(self) -> None:
        self._idle: list[_Helper] = []
        self._left: dict[str, _Helper] = {}
        self._pauses: dict[str, tuple[float, float]] = {}
        """Until when, and how long, a thing is left alone."""

    def ask(self, key: str, look: Callable[[], T]) -> T | None:
        """What one look gives; None if there is no answer: see `ask_all`."""
        return self.ask_all(((key, look),)).get(key)

    def ask_all(self, questions: Iterable[tuple[str, Callable[[], T]]]) -> dict[str, T]:
        """Ask about many things in one go: handing one question to the other thread takes longer
        than most answers.

        Args:
            questions: Each the thing that is asked about, and what makes the calls. That runs in
                another thread, with another table of descriptors, maybe long after this has
                returned: it uses nothing that is others', and calls `check_wanted` after each call
                that may wait.

        Returns:
            The answers by thing, without those that the kernel gives no answer about now, or gave
            none about lately.
        """
        for name in [name for name, helper in self._left.items() if helper.has_returned()]:
            self._idle.append(self._left.pop(name))
        now = time.monotonic()
        rest = [
            (key, look)
            for key, look in questions
            if key not in self._left and self._pauses.get(key, _NO_PAUSE)[0] <= now
        ]
        found: dict[str, T] = {}
        while rest and len(self._left) < MOST_LEFT:
            helper = self._idle.pop() if self._idle else _Helper()
            made = helper.ask_questions([look for _, look in rest])
            for (key, _), answer in zip(rest[:made], helper.answers, strict=False):
                self._pauses.pop(key, None)
                found[key] = cast("T", answer)
            if made == len(rest):
                self._idle.append(helper)
                helper.raise_error()
                break
            key = rest[made][0]
            self._left[key] = helper
            pause = min(2 * self._pauses.get(key, _NO_PAUSE)[1], LONGEST_PAUSE_SECONDS)
            pause = pause or FIRST_PAUSE_SECONDS
            self._pauses[key] = (time.monotonic() + pause, pause)
            rest = rest[made + 1 :]
        return found

    def is_in_use(self, key: str) -> bool:
        """Whether a thing has not answered when it was asked last."""
        return key in self._pauses


def check_wanted() -> None:
    """After a call that may have waited long: raises UnwantedError if nobody waits for the answer
    any more.
    """
    helper = getattr(_current, "helper", None)
    if helper is not None and helper.left:
        raise UnwantedError
