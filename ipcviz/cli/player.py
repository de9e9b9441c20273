"""A player for casts: a terminal in raw mode, painted from an interpreted screen, and nothing that
survives it.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import time
import tty
from typing import Final

from ipcviz.export.playing import HELP, Tape, keys_of
from ipcviz.terminals import HANG_UP, SignalPipe, TerminalOutput, get_terminal, set_terminal

_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE: Final = "\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_CLEAR: Final = "\x1b[0m\x1b[2J"
_HOLD, _COMPLETE = "\x1b[?2026h", "\x1b[?2026l"
"""Around what is painted: a terminal that can shows it when it is complete."""
_SLICE: Final = 0.02
"""Seconds of work between two looks at the keys."""
_FRAME: Final = 0.05
"""Seconds between two pictures while there is work."""
_DIGITS: Final = 6
"""Digits of a chapter's number."""


class Player:
    """Plays a cast on the terminal at descriptors 0 and 1.

    Args:
        tape: What to play.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._over = ""
        """What is shown instead of the cast: `help`, `blank`, or nothing."""
        self._number: str | None = None
        """Digits of the chapter that is being asked for."""
        self._began: float | None = None
        """While it plays by itself: the moment at which the cast would have begun."""
        self._status: int | None = None
        self._painted: list[str] = []
        """The terminal's rows as they were painted last."""
        self._painted_at = 0.0
        self._stale = True
        """Whether something else is to be painted."""
        self._before = get_terminal(0)
        self._output: TerminalOutput | None = None

    def run(self) -> int:
        """Play until the viewer leaves.

        Returns:
            The exit status: 0; 130 after ctrl+c; 128 + n if a signal ended it, or 129 if the
                terminal went away.
        """
        with SignalPipe() as signals:
            try:
                self._enter_raw_mode()
                while self._status is None:
                    self._wait_for_input(signals)
            finally:
                self._give_terminal()
        return self._status

    # The terminal.

    def _enter_raw_mode(self) -> None:
        if self._output is None:
            self._output = TerminalOutput(1)
        if self._before is not None:
            # Raw, as cfmakeraw(3) has it; from what it was before, not from what it may be now.
            raw = [*self._before[:6], [*self._before[6]]]
            raw[tty.IFLAG] &= ~(
                termios.BRKINT
                | termios.ICRNL
                | termios.INPCK
                | termios.ISTRIP
                | termios.IXON
                | termios.INLCR
            )
            raw[tty.OFLAG] &= ~termios.OPOST
            raw[tty.LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
            raw[tty.CC][termios.VMIN], raw[tty.CC][termios.VTIME] = 1, 0
            set_terminal(0, raw)
        self._output.write(_ENTER)
        self._forget_screen()

    def _give_terminal(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.drop_pending()
            output.write(_LEAVE)
            output.close()
        set_terminal(0, self._before)

    def _forget_screen(self) -> None:
        """Paint all anew: something else may be on the screen."""
        self._painted, self._stale = [], True

    def _stop_process(self, signals: SignalPipe) -> None:
        """Stop as any program does at SIGTSTP, with the terminal as it was; go on when we are
        continued.
        """
        signals.stop_process(self._give_terminal)
        self._go_on(signals)

    def _go_on(self, signals: SignalPipe) -> None:
        """We were continued: whoever had the terminal meanwhile may have left it in another
        mode.
        """
        self._pause_play()
        if signals.wait_for_foreground(0):
            self._enter_raw_mode()
        else:
            self._status = 128 + HANG_UP

    # What happens.

    def _wait_for_input(self, signals: SignalPipe) -> None:
        """Wait for a key, a signal, or the next event's time, and do what is to be done; if nothing
        is, work ahead.
        """
        tape, output = self._tape, self._output
        assert output is not None
        if (
            self._stale
            and not output.pending
            and (not tape.busy or time.monotonic() >= self._painted_at + _FRAME)
        ):
            self._paint_rows(output)
        written = (output.fileno(),) if output.pending else ()
        ready, writable, _ = select.select(
            (0, signals.fileno()), written, (), self._compute_timeout()
        )
        if writable:
            output.flush()
        if output.lost:
            output.lost = False
            self._forget_screen()
        if output.gone:
            self._status = 128 + HANG_UP
        if ready:
            self._handle_ready(ready, signals)
        if self._status is None:
            self._advance_tape()

    def _compute_timeout(self) -> float | None:
        """How long there is nothing to do: seconds, or None if only a key or a signal can change
        that.
        """
        if self._tape.busy or not self._tape.idle:
            return 0.0
        if self._began is None or self._tape.next_time is None:
            return None
        return max(0.0, self._began + self._tape.next_time - time.monotonic())

    def _handle_ready(self, ready: list[int], signals: SignalPipe) -> None:
        if signals.fileno() in ready:
            came = signals.read()
            if came.ending:
                self._status = 128 + came.ending
                return
            if came.stop:
                self._stop_process(signals)
            elif came.continued:
                self._go_on(signals)
            elif came.resized:
                self._forget_screen()
        if 0 in ready and self._status is None:
            try:
                data = os.read(0, 4096)
            except OSError:
                data = b""
            if not data:
                self._status = 128 + HANG_UP
            for key in keys_of(data):
                self._handle_key(key)

    def _advance_tape(self) -> None:
        """Do a slice of the work; go on by the clock if it plays by itself."""
        tape = self._tape
        if self._began is not None:
            due = tape.next_time
            if tape.at_end:
                self._pause_play()
            elif due is not None and not tape.busy and self._began + due <= time.monotonic():
                # From one due time to the next, so that the length is right however long drawing
                # takes.
                tape.go_to_time(time.monotonic() - self._began)
        was_busy = tape.busy
        if was_busy or not tape.idle:
            self._stale |= tape.do_work(_SLICE) or was_busy

    def _handle_key(self, key: str) -> None:
        self._stale = True
        if key == "interrupt":
            self._status = 130
        elif key == "suspend":
            # To the whole group, as the terminal does: whoever started us may wait for us in it.
            os.killpg(os.getpgrp(), signal.SIGTSTP)
        elif key == "q" and self._number is None:
            self._status = 0
        elif self._over:
            self._over = ""
        elif self._number is not None:
            self._handle_digit(key)
        else:
            self._do_action(key)

    def _do_action(self, key: str) -> None:
        tape = self._tape
        moves = {"next": 1, "enter": 1, "back": -1}
        if key in moves:
            self._pause_play()
            tape.go_to_chapter(tape.chapter + moves[key])
        elif key == "first":
            self._pause_play()
            tape.go_to_chapter(0)
        elif key == "last":
            self._pause_play()
            tape.go_to_end()
        elif key == "escape":
            tape.stay_here()
        elif key == "play":
            if self._began is not None:
                self._pause_play()
            elif not tape.at_end:
                tape.stay_here()
                self._began = time.monotonic() - tape.time
        elif key == "g":
            self._pause_play()
            self._number = ""
        elif key in ("?", "blank"):
            self._pause_play()
            self._over = "help" if key == "?" else "blank"

    def _handle_digit(self, key: str) -> None:
        """A key while a chapter's number is being typed."""
        assert self._number is not None
        if key.isdecimal() and key.isascii():
            self._number = (self._number + key)[-_DIGITS:]
            return
        number, self._number = self._number, None
        if key == "enter" and number:
            self._tape.go_to_chapter(int(number) - self._tape.first)

    def _pause_play(self) -> None:
        self._began = None

    # What is shown.

    def _paint_rows(self, output: TerminalOutput) -> None:
        """Paint the rows that are not as they were, and put the cursor where the cast has it."""
        columns, rows = _terminal_size()
        screen = self._tape.screen
        cut = columns < screen.columns or rows < screen.lines
        own_row = rows > screen.lines or cut
        height = min(screen.lines, rows - own_row)
        place = screen.place
        # Of a screen that is too high the part with the cursor is shown.
        first = max(0, min((place[1] if place else 1) - height, screen.lines - height))
        if self._over:
            lines = HELP.split("\n") if self._over == "help" else []
            shown, place = [line[:columns] for line in lines[:rows]], None
        else:
            shown = screen.format_rows(first, height, columns) if height > 0 else []
        shown += [""] * (rows - len(shown))
        if not self._over and (own_row or self._number is not None or self._tape.busy):
            shown[-1] = self._describe_place(columns, rows, cut=cut)[: max(0, columns - 1)]
        parts = [
            f"\x1b[{y};1H\x1b[0m\x1b[2K{row}"
            for y, row in enumerate(shown, 1)
            if len(self._painted) < y or self._painted[y - 1] != row
        ]
        clear = "" if self._painted else _CLEAR
        cursor = "\x1b[?25l"
        if place is not None and place[0] <= columns and 0 < place[1] - first <= height:
            cursor = f"\x1b[{place[1] - first};{place[0]}H\x1b[?25h"
        output.write(f"{_HOLD}\x1b[?25l{clear}{''.join(parts)}{cursor}{_COMPLETE}")
        self._painted, self._painted_at, self._stale = shown, time.monotonic(), False

    def _describe_place(self, columns: int, rows: int, *, cut: bool) -> str:
        tape = self._tape
        last = len(tape.chapters) - 1 + tape.first
        if self._number is not None:
            return f" go to chapter ({tape.first} to {last}): {self._number}"
        if tape.busy and self._began is None:
            return f" on the way: {tape.share:.0%}  (Escape stays here)"
        chapters = tape.chapters
        label = chapters[tape.chapter].label if chapters else ""
        label = label if label.isascii() else "".join(c if c.isprintable() else "?" for c in label)
        playing = " playing" if self._began is not None else ""
        more = "" if tape.complete else "+"
        size = (
            f" cut: the cast is {tape.screen.columns}x{tape.screen.lines}, the terminal"
            f" {columns}x{rows};"
        )
        return (
            f" {tape.chapter + tape.first}/{last}{more}{playing}{size if cut else ''} {label}  (?"
            " keys)"
        )


def _terminal_size() -> tuple[int, int]:
    """Columns and rows; 80 and 24 if the terminal does not say."""
    try:
        size = os.get_terminal_size(1)
    except OSError:
        return 80, 24
    return size.columns or 80, size.lines or 24
