"""The app's hold on the terminal: keys, output and signals, all by the event loop.

Textual's own driver acts on SIGTSTP and SIGCONT inside their handlers, where it takes a lock that
the interrupted code may hold; at SIGCONT it takes the terminal's raw state for the one to go back
to. Here no handler does anything (`ipcviz.terminals`), nothing is written by another thread, and
what the terminal was like is noted once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from codecs import getincrementaldecoder
from typing import Any, Final, TypeVar

from textual import constants, events
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

from ipcviz.app.textual_internals import (
    BoundedSize,
    KeyParseError,
    KeyParser,
    read_size,
    reports_its_size,
)
from ipcviz.terminals import HANG_UP, SignalPipe, TerminalOutput, get_terminal, set_terminal

T = TypeVar("T")

_KITTY_FLAGS: Final = 0b11001
"""Of kitty's keyboard protocol: keys without ambiguity, all of them as escape codes, with their
text.
"""
_ENTER: Final = (
    "\x1b[?1049h"  # the other screen
    "\x1b[?1000h\x1b[?1003h\x1b[?1015h\x1b[?1006h"  # the mouse
    "\x1b[?25l"  # no cursor
    "\x1b[?1004h"  # tell of the focus
    "\x1b[?2004h"  # tell what is pasted
    "\x1b[?7l"  # no wrapping
)
_ASK: Final = "\x1b[?2026$p\x1b[?2048$p"
"""Whether it can hold back a frame until it is complete, and tell of its size."""
_LEAVE: Final = (
    "\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?2004l\x1b[?2048l\x1b[?1016l"
    "\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1000l\x1b[?1004l"
)
_LEAVE_SCREEN: Final = "\x1b[?1049l\x1b[?25h"
_READ: Final = 4096
_COOKED: Final = termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG
"""Local modes that are off while we have the terminal: keys come at once, unseen, and all of them
(termios(3)).
"""
_CHANGED_INPUT: Final = termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR
"""Input modes that are off: ctrl+s and ctrl+q are keys, and Enter is told from ctrl+j."""


class TerminalDriver(BoundedSize, LinuxDriver):
    """Textual's driver for a terminal, without its threads and its signal handlers.

    Attributes:
        signals: Where signals arrive; a subclass made by `run_on_terminal` sets it.
    """

    signals: SignalPipe

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.signals.install_handlers()  # in place of the handlers that the line above has set
        self._screen_fd = next((fd for fd in (1, 2, 0) if os.isatty(fd)), 1)
        self._output: TerminalOutput | None = None
        self._asked_keyboard = False
        self._active = False
        self._event_loop, self._host, self._verbose = asyncio.get_running_loop(), app, debug
        self._parser = KeyParser(debug)
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._event_loop.add_reader(self.signals.fileno(), self._read_signals)

    # Output.

    def write(self, data: str) -> None:
        """Write to the terminal, which may take it later."""
        if self._output is None:
            return
        self._output.write(data)
        if self._output.pending:
            self._event_loop.add_writer(self._output.fileno(), self._write_on)

    def _write_on(self) -> None:
        """The terminal takes more."""
        output = self._output
        if output is None:
            return
        output.flush()
        if not output.pending:
            self._event_loop.remove_writer(output.fileno())
            if output.lost:
                output.lost = False
                self._draw_anew()

    def _draw_anew(self) -> None:
        self.write("\x1b[0m\x1b[2J")
        self._host.refresh(layout=True)

    # To take the terminal, and to give it back.

    def start_application_mode(self) -> None:
        """Take the terminal, and listen to its keys."""
        self._active = True
        self.attrs_before = get_terminal(self.fileno)
        self._claim_terminal()
        self._send_size()
        self._event_loop.add_reader(self.fileno, self._read_keys)

    def _claim_terminal(self) -> None:
        """Set the terminal to what the screens need; also if it is so already."""
        if self._output is None:
            self._output = TerminalOutput(self._screen_fd)
        if self.attrs_before is not None:
            attributes = [*self.attrs_before[:6], [*self.attrs_before[6]]]
            attributes[tty.LFLAG] &= ~_COOKED
            attributes[tty.IFLAG] &= ~_CHANGED_INPUT
            attributes[tty.CC][termios.VMIN] = 1
            set_terminal(self.fileno, attributes)
        keyboard = ""
        if not constants.DISABLE_KITTY_KEY:
            # The terminal has a stack of keyboard modes: ours must not be on it twice.
            keyboard = "\x1b[<u" if self._asked_keyboard else ""
            keyboard += f"\x1b[>{_KITTY_FLAGS}u"
            self._asked_keyboard = True
        ask = _ASK if self.input_tty and os.environ.get("TERM_PROGRAM") != "Apple_Terminal" else ""
        self.write(f"{_ENTER}{keyboard}{ask}")

    def _give_terminal(self) -> None:
        """Give the terminal back as it was, and wait a moment until it has taken that."""
        if self._output is None:
            return
        output, self._output = self._output, None
        self._event_loop.remove_writer(output.fileno())
        output.drop_pending()
        keyboard = "\x1b[<u" if self._asked_keyboard else ""
        self._asked_keyboard = False
        output.write(f"{_LEAVE}{keyboard}{_LEAVE_SCREEN}")
        output.close()
        set_terminal(self.fileno, self.attrs_before)

    def disable_input(self) -> None:
        """Listen to the keys no more; those that were typed already are dropped."""
        if self._event_loop.remove_reader(self.fileno):
            with contextlib.suppress(termios.error):
                termios.tcflush(self.fileno, termios.TCIFLUSH)

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        self._active = False
        self.disable_input()
        self._give_terminal()

    def close(self) -> None:
        """Nothing is left to be closed."""
        self._event_loop.remove_reader(self.signals.fileno())

    # Keys.

    def _read_keys(self) -> None:
        try:
            data = os.read(self.fileno, _READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # The terminal is gone, and nobody may have told us: we are not in its session, or
            # SIGHUP is ignored.
            self._event_loop.remove_reader(self.fileno)
            self._end_app(HANG_UP)
            return
        text = self._decode(data)
        if text:
            self._pass_on(text)
        # An escape that nothing follows is the key Escape.
        self._event_loop.call_later(constants.ESCAPE_DELAY + 0.01, self._tick_parser)

    def _pass_on(self, text: str) -> None:
        try:
            for message in self._parser.feed(text):
                self.process_message(message)
        except KeyParseError:
            self._parser = KeyParser(self._verbose)
        self._tick_parser()

    def _tick_parser(self) -> None:
        for message in self._parser.tick():
            self.process_message(message)

    # Signals.

    def _read_signals(self) -> None:
        came = self.signals.read()
        if came.ending:
            self._end_app(came.ending)
        elif came.stop:
            self._stop_process()
        elif came.continued:
            self._go_on()
        elif came.resized and not reports_its_size(self):
            self._send_size()

    def _end_app(self, signo: int) -> None:
        """Leave as if the viewer did."""
        if not self.signals.ended_by:
            self.signals.ended_by = signo
            self._host.exit()

    def _stop_process(self) -> None:
        """Stop as any program does at SIGTSTP, with the terminal as it was."""
        self.signals.stop_process(self._give_terminal)
        self._go_on()

    def _go_on(self) -> None:
        """Take the terminal: we were continued, and whoever had it meanwhile may have left it in
        another mode.
        """
        if not self._active:
            return
        if not self.signals.wait_for_foreground(self.fileno):
            self._end_app(HANG_UP)
            return
        self._claim_terminal()
        self._send_size()
        self._draw_anew()

    def _send_size(self) -> None:
        size = Size(*read_size(self))
        self.send_message(events.Resize(size, size))


def run_on_terminal(app: App[T], signals: SignalPipe) -> T | None:
    """Run an app on our terminal; `signals.ended_by` says afterwards whether a signal ended it.

    Returns:
        What the app returned.
    """
    app.driver_class = type("TerminalDriver", (TerminalDriver,), {"signals": signals})
    return app.run()
