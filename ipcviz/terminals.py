"""A terminal that a full-screen program has taken: its signals in order, output that never waits,
and the way back.

For the screens (`ipcviz.app.driver`) and for the player of casts (`ipcviz.cli.player`); it needs
termios, thus POSIX.

No signal handler does anything here: each signal becomes a byte in a pipe, and the event loop that
reads the pipe acts on it between two other things. So nothing is ever interrupted in the middle,
and no lock is taken twice.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, NamedTuple

ENDING: Final = frozenset(map(int, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)))
"""Signals that end the program, after it has given the terminal back."""
HANG_UP: Final = int(signal.SIGHUP)
_STOP, _CONTINUE, _RESIZE = int(signal.SIGTSTP), int(signal.SIGCONT), int(signal.SIGWINCH)
_TAKEN: Final = (*sorted(ENDING), _STOP, _CONTINUE, _RESIZE)

MOST_PENDING: Final = 4 << 20
"""Characters that may wait for a terminal that takes none; beyond that, what has not begun to be
written is dropped.
"""
_DRAIN_SECONDS: Final = 1.0
"""How long a terminal is given to take the last that is written to it."""


class Came(NamedTuple):
    """Signals that came since the last look.

    Attributes:
        ending: The first of those that end the program; 0 for none.
        stop: The program is to stop: SIGTSTP came, and no SIGCONT after it.
        continued: SIGCONT came.
        resized: SIGWINCH came.
    """

    ending: int
    stop: bool
    continued: bool
    resized: bool


class SignalPipe:
    """The signals of a full-screen program as a pipe to wait for: a context manager, for the main
    thread.

    Signals that were ignored when it began (nohup) stay ignored.

    Attributes:
        ended_by: The signal that ended the program; 0 if none did. Whoever acts on `Came.ending`
            sets it.
    """

    def __init__(self) -> None:
        self.ended_by = 0
        self._pipe = (-1, -1)
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1
        self._unread = bytearray()

    def __enter__(self) -> SignalPipe:
        self._pipe = os.pipe()
        for fd in self._pipe:
            os.set_blocking(fd, False)
        self._wakeup_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for signo in _TAKEN:
            handler = signal.getsignal(signo)
            if handler is not signal.SIG_IGN:
                self._before[signo] = handler
        self.install_handlers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for signo, handler in self._before.items():
            signal.signal(signo, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._fold_signals()
        for fd in self._pipe:
            os.close(fd)

    def install_handlers(self) -> None:
        """Set the handlers, again if somebody else has set others."""
        for signo in self._before:
            signal.signal(signo, _do_nothing)

    def fileno(self) -> int:
        """The descriptor that can be read when a signal has come."""
        return self._pipe[0]

    def read(self) -> Came:
        """What came since the last look, without waiting."""
        self._fetch_signals()
        return self._fold_signals()

    def stop_process(self, give_back: Callable[[], None]) -> None:
        """Stop the process as SIGTSTP does; return when it is continued.

        The order of SIGTSTP and SIGCONT is kept: if SIGCONT came meanwhile, the process does not
        stop. In a process group without a parent that could continue it (an orphaned one) SIGTSTP
        stops nobody, and so it is here.

        Args:
            give_back: Gives the terminal back to who had it before.
        """
        # From here on a SIGCONT that is sent takes this SIGTSTP back: so the kernel does with a
        # pending stop signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
        try:
            signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
            self._fetch_signals()
            if _CONTINUE in self._unread:
                signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # which drops the pending one
                return
            give_back()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
            self.install_handlers()
            self._wake_reader()

    def wait_for_foreground(self, fd: int) -> bool:
        """Stop again as long as we are in the background of the terminal `fd`; whoever uses it
        there is stopped.

        Returns:
            Whether we may use the terminal; not if nobody can bring us to its foreground any more.
        """
        while not _is_foreground(fd):
            before = signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            began = self._fetch_signals()
            signal.pthread_kill(threading.get_ident(), signal.SIGTTOU)
            signal.signal(signal.SIGTTOU, before)
            if not self._was_continued(began) and not _is_foreground(fd):
                return False
        self._wake_reader()
        return True

    def _wake_reader(self) -> None:
        """Make the pipe readable if signals were taken out of it that nobody has acted on."""
        if self._unread:
            with contextlib.suppress(BlockingIOError):
                os.write(self._pipe[1], b"\0")

    def _was_continued(self, since: int) -> bool:
        self._fetch_signals()
        return _CONTINUE in self._unread[since:]

    def _fetch_signals(self) -> int:
        """Move what came from the pipe to `_unread`; how many there are."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._pipe[0], 4096):
                self._unread += data
        return len(self._unread)

    def _fold_signals(self) -> Came:
        came, self._unread = self._unread, bytearray()
        ending = next((signo for signo in came if signo in ENDING), 0)
        stop = came.rfind(_STOP) > came.rfind(_CONTINUE)
        return Came(ending, stop, _CONTINUE in came, _RESIZE in came)


def _do_nothing(*_: object) -> None:
    """A handler; that it is there has Python write the signal's number to the pipe."""


def _is_foreground(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True  # not our controlling terminal: nobody stops us there


class TerminalOutput:
    """What is written to a terminal, without ever waiting for it.

    A terminal that nobody reads (a connection that hangs) holds up whoever writes to it, and with
    them their keys and signals. This writes what the terminal takes, and keeps the rest until it
    takes more.

    Args:
        fd: A descriptor of the terminal; it is left open.

    Attributes:
        gone: The terminal is no more; all that is written is dropped.
        lost: Something was dropped because too much waited: once `flush` says so, the screen is to
            be drawn anew.
    """

    def __init__(self, fd: int) -> None:
        self.gone = False
        self.lost = False
        self._fd = _open_anew(fd)
        self._parts: collections.deque[bytes] = collections.deque()
        self._pending = 0

    def fileno(self) -> int:
        """The descriptor that can be written when `pending` can go on."""
        return self._fd

    @property
    def pending(self) -> bool:
        """Whether something waits for the terminal."""
        return bool(self._parts)

    def write(self, text: str) -> None:
        """Write as much as the terminal takes now, and keep the rest."""
        if self.gone or not text:
            return
        data = text.encode("utf-8", "replace")
        if self._pending + len(data) > MOST_PENDING:
            self.lost |= self.drop_pending()
        self._parts.append(data)
        self._pending += len(data)
        self.flush()

    def flush(self) -> None:
        """Write what the terminal takes now."""
        try:
            while self._parts:
                part = self._parts.popleft()
                written = 0
                try:
                    written = os.write(self._fd, part)
                finally:
                    if written < len(part):
                        self._parts.appendleft(part[written:])
                self._pending -= written
        except BlockingIOError:
            return
        except OSError:
            self.gone = True
            self._parts.clear()
            self._pending = 0

    def drop_pending(self) -> bool:
        """Drop what waits, but for the rest of what has begun: it could end in the middle of a
        sequence.

        Returns:
            Whether anything was dropped.
        """
        dropped = len(self._parts) > 1
        while len(self._parts) > 1:
            self._pending -= len(self._parts.pop())
        return dropped

    def drain(self) -> None:
        """Wait until all is written, or for a moment."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._parts and (left := deadline - time.monotonic()) > 0:
            select.select((), (self._fd,), (), left)
            self.flush()

    def close(self) -> None:
        """Write the last, as far as the terminal takes it within a moment; nothing may be written
        afterwards.
        """
        self.drain()
        self.gone = True
        os.close(self._fd)


def _open_anew(fd: int) -> int:
    """The terminal of a descriptor, opened once more.

    O_NONBLOCK belongs to the open file description, which a shell shares with us: it needs one of
    our own. Where the terminal can't be opened (it is another user's), a copy of the descriptor,
    whose writes may wait.
    """
    with contextlib.suppress(OSError):
        for name in _names_of(fd):
            with contextlib.suppress(OSError):
                own = os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
                if os.path.samestat(os.fstat(own), os.fstat(fd)) or name == "/dev/tty":
                    return own
                os.close(own)
    return os.dup(fd)


def _names_of(fd: int) -> Iterator[str]:
    name = os.ttyname(fd)
    yield name
    # The controlling terminal may be opened by whoever has it, whatever its permissions; but is it
    # this one?
    with open("/dev/tty", "rb", buffering=0) as controlling:
        if os.ttyname(controlling.fileno()) == name:
            yield "/dev/tty"


def set_terminal(fd: int, attributes: list[Any] | None) -> None:
    """Set a terminal's attributes (tcsetattr(3)) at once, if it is still there."""
    if attributes is not None:
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(fd, termios.TCSANOW, attributes)


def get_terminal(fd: int) -> list[Any] | None:
    """A terminal's attributes (tcgetattr(3)); None if it has none."""
    try:
        return termios.tcgetattr(fd)
    except (termios.error, OSError):
        return None
