"""A player for casts: a raw terminal, and nothing that survives it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import time
import tty
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from ipcviz.export.cast import CLEAR, PLAIN, Cast
from ipcviz.export.playing import HELP, Tape, keys_of, size_of

_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE: Final = "\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_COMPLETE: Final = "\x1b[?2026l"
"""After each write: whatever the cast held back is shown."""
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_WAKING: Final = (int(signal.SIGWINCH), int(signal.SIGTSTP), int(signal.SIGCONT))
_DIGITS: Final = 6
"""Digits of a chapter's number."""


class _Ended(BaseException):
    """A signal that ends us: the terminal comes first."""

    def __init__(self, signo: int) -> None:
        super().__init__(signo)
        self.signo = signo


class Player:
    """Plays a cast on the terminal at descriptors 0 and 1.

    Args:
        cast: What to play.
    """

    def __init__(self, cast: Cast) -> None:
        self._tape = Tape(cast)
        self._size = size_of(cast)
        self._over = ""
        """What is shown instead of the cast: `help`, `blank`, `small`, or nothing."""
        self._number: str | None = None
        """Digits of the chapter that is being asked for."""
        self._due: float | None = None
        """When the next event is due, while it plays by itself."""
        self._before: list[Any] = []
        self._status: int | None = None

    def run(self) -> int:
        """Play until the viewer leaves.

        Returns:
            The exit status: 0, or 130 after ctrl+c. A signal that ends us ends us, after the terminal is as it was.
        """
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            with self._signals(woken), self._terminal():
                self._show(self._tape.go(0))
                while self._status is None:
                    self._wait(wake)
        except _Ended as ended:
            signal.signal(ended.signo, signal.SIG_DFL)
            os.kill(os.getpid(), ended.signo)
        except OSError:
            # The terminal is gone, and with it whoever could be told.
            return 2
        finally:
            os.close(wake)
            os.close(woken)
        return self._status or 0

    # The terminal.

    @contextlib.contextmanager
    def _signals(self, woken: int) -> Iterator[None]:
        """Those that would end us put the terminal in order first; a new size wakes us."""

        def end(signo: int, _: FrameType | None) -> None:
            raise _Ended(signo)

        handlers: dict[int, Any] = {}
        for signo in map(int, _ENDING):
            if signal.getsignal(signo) is not signal.SIG_IGN:
                handlers[signo] = signal.signal(signo, end)
        for signo in _WAKING:
            handlers[signo] = signal.signal(signo, lambda *_: None)
        before = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            for signo, handler in handlers.items():
                signal.signal(signo, handler)

    @contextlib.contextmanager
    def _terminal(self) -> Iterator[None]:
        self._before = termios.tcgetattr(0)
        try:
            self._take_terminal()
            yield
        finally:
            # A second signal must not come between.
            for signo in _ENDING:
                signal.signal(signo, signal.SIG_IGN)
            self._give_terminal()

    def _take_terminal(self) -> None:
        tty.setraw(0, termios.TCSADRAIN)
        self._write(_ENTER)

    def _give_terminal(self) -> None:
        with contextlib.suppress(OSError, termios.error):
            self._write(_LEAVE)
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(1, data) :]

    def _suspend(self) -> None:
        """Stop as any program does at ctrl+z, with the terminal as it was; go on when we are continued."""
        self._give_terminal()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)
        self._take_terminal()
        self._redraw()

    # What happens.

    def _wait(self, wake: int) -> None:
        """Wait for a key, a signal, or the next event's time, and do what is to be done."""
        timeout = None if self._due is None else max(0.0, self._due - time.monotonic())
        ready, _, _ = select.select((0, wake), (), (), timeout)
        if wake in ready:
            came = os.read(wake, 4096)
            if signal.SIGTSTP in came:
                self._suspend()
            elif signal.SIGCONT in came:
                # Whoever had the terminal meanwhile may have left it in another mode.
                self._take_terminal()
                self._redraw()
            else:
                self._redraw()
        if 0 in ready:
            try:
                data = os.read(0, 4096)
            except OSError:
                data = b""
            if not data:
                self._status = 0
            for key in keys_of(data):
                self._press(key)
        elif self._due is not None and not ready:
            self._tick()

    def _press(self, key: str) -> None:
        if key == "interrupt":
            self._status = 130
        elif key == "suspend":
            self._suspend()
        elif key == "q" and self._number is None:
            self._status = 0
        elif self._over == "small":
            return
        elif self._over:
            self._over = ""
            self._redraw()
        elif self._number is not None:
            self._digit(key)
        else:
            self._act(key)

    def _act(self, key: str) -> None:
        tape = self._tape
        moves = {"next": 1, "enter": 1, "back": -1}
        if key in moves:
            self._stop()
            self._show(tape.go(tape.chapter + moves[key]))
        elif key in ("first", "last"):
            self._stop()
            self._show(tape.go(0 if key == "first" else len(tape.chapters) - 1))
        elif key == "play":
            if self._due is not None:
                self._stop()
            elif not tape.at_end:
                self._due = time.monotonic() + tape.wait()
            self._show("")
        elif key == "g":
            self._stop()
            self._number = ""
            self._show("")
        elif key in ("?", "blank"):
            self._stop()
            self._over = "help" if key == "?" else "blank"
            self._redraw()

    def _digit(self, key: str) -> None:
        """A key while a chapter's number is being typed."""
        assert self._number is not None
        if key.isdecimal() and key.isascii():
            self._number = (self._number + key)[-_DIGITS:]
            self._show("")
            return
        number, self._number = self._number, None
        if key == "enter" and number:
            self._tape.go(int(number) - self._tape.first)
        self._redraw()

    def _stop(self) -> None:
        self._due = None

    def _tick(self) -> None:
        """The next event's time has come."""
        tape = self._tape
        began = self._due or 0.0
        text = tape.step()
        while not tape.at_end and tape.wait() <= 0:
            text += tape.step()
        # From one due time to the next, so that the length is right however long drawing takes.
        self._due = None if tape.at_end else max(began + tape.wait(), time.monotonic() - 1.0)
        self._show(text)

    # What is shown.

    def _redraw(self) -> None:
        """Everything anew: the size is another, or something else was shown."""
        columns, rows = _terminal_size()
        if columns and (columns < self._size[0] or rows < self._size[1]):
            self._stop()
            self._over = "small"
        elif self._over == "small":
            self._over = ""
        if self._over == "small":
            need = "x".join(map(str, self._size))
            self._write(
                f"{PLAIN}{CLEAR}This cast is {need}, the terminal {columns}x{rows}.\r\n"
                f"Make it larger, or its font smaller. q leaves.{_COMPLETE}"
            )
        elif self._over:
            text = HELP.replace("\n", "\r\n") if self._over == "help" else ""
            self._write(f"{PLAIN}{CLEAR}{text}\x1b[?25l{_COMPLETE}")
        else:
            self._show(self._tape.again())

    def _show(self, text: str) -> None:
        """Write a part of the cast, and below it where we are, if there is a row for that."""
        columns, rows = _terminal_size()
        if not self._over and columns and (columns < self._size[0] or rows < self._size[1]):
            self._redraw()
            return
        below = ""
        if rows > self._size[1] or self._number is not None:
            below = f"\x1b[{rows or self._size[1]};1H{PLAIN}\x1b[2K{self._where()[: max(columns, 20) - 1]}"
        # The cast's own cursor stays where it is: what we write comes before and after it.
        self._write(f"{text}\x1b7{below}\x1b8{_COMPLETE}" if below else f"{text}{_COMPLETE}")

    def _where(self) -> str:
        tape = self._tape
        last = len(tape.chapters) - 1 + tape.first
        if self._number is not None:
            return f" go to chapter ({tape.first} to {last}): {self._number}"
        label = tape.chapters[tape.chapter].label if tape.chapters else ""
        playing = " playing" if self._due is not None else ""
        return f" {tape.chapter + tape.first}/{last}{playing} {label}  (? keys)"


def _terminal_size() -> tuple[int, int]:
    """Columns and rows; 0 if the terminal does not say."""
    try:
        size = os.get_terminal_size(1)
    except OSError:
        return 0, 0
    return size.columns, size.lines
