"""A live session: a tracer process of its own, its stream, and the commands to it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

import ipcviz.tracer
from ipcviz.events import AnyCommand, Event, Finished, Forked, Quit, Trouble
from ipcviz.events.undecoded import encode_value
from ipcviz.session.errors import SessionError
from ipcviz.session.heap import TRIM_SECONDS, give_back, tie_heap
from ipcviz.tracer.config import AnyConfig, AttachConfig, LaunchConfig
from ipcviz.tracer.wire import Unframer, frame_body

_libc = ctypes.CDLL(None)
CHUNK: Final = 1 << 16
PR_SET_PDEATHSIG: Final = 1
MOST_WAITING: Final = 500
"""Events that may wait to be drained before no more are read: so the tracer sees that its reader is
late.
"""
MOST_AT_FIRST: Final = 5_000
"""As many may wait for the first time: who begins to read when a screen is there is not late."""
BUFFER: Final = 1 << 15
"""Bytes that may be under way from the tracer: some hundred events."""
CLOSE_SECONDS: Final = 10.0


def start_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread that ends with us. Raises SessionError if there can be no more."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        raise SessionError(
            "No further thread can be made: see 'ulimit -u' and 'ulimit -v'."
        ) from None
    return thread


class LiveSession:
    """Launches a command in a tracer process, or attaches to running ones, and gives what it says
    of it.

    Args:
        config: What to launch or attach to, and how to watch it.
        passing: The command uses our standard streams and other descriptors (no terminal of its
            own); else the tracer has none of ours.
    """

    def __init__(self, config: AnyConfig, *, passing: bool = False) -> None:
        self.argv = config.argv
        self._config = config
        self._passing = passing
        self._leaves = isinstance(config, LaunchConfig) and config.leave
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._arrived = threading.Event()
        self._drained = threading.Event()
        self._closing = threading.Event()
        self._tracer: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._most_waiting = MOST_AT_FIRST
        self._last_t = 0.0
        self._last_n = 0
        self._finished_seen = False
        self._left = False
        self._pids: set[int] = set()
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.killed_by = 0
        """The signal that ended the session from outside, 0 if none did."""

    @property
    def finished(self) -> bool:
        """Whether no further event will come."""
        return self._ended.is_set() and not self._events

    def start_tracer(self) -> None:
        """Start the tracer's process, which can get ready while the caller does; nothing is
        launched yet.

        Raises SessionError if there can be none.
        """
        if self._tracer is not None:
            return
        if sys.platform != "linux":
            raise SessionError(
                "ipcviz watches processes on Linux only; 'ipcviz replay' shows a kept trace"
                " anywhere."
            )
        if not os.path.isdir("/proc/self"):
            raise SessionError(
                "/proc is not mounted here, and ipcviz reads everything from it: mount it first."
            )
        tie_heap()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise SessionError(
                f"The tracer process can't be spoken to: {error.strerror}."
            ) from None
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        theirs.set_inheritable(True)
        entry = Path(ipcviz.tracer.__file__).parent / "__main__.py"
        streams = None if self._passing else subprocess.DEVNULL
        try:
            self._tracer = subprocess.Popen(
                [sys.executable, "-P", str(entry), str(theirs.fileno())],
                stdin=streams,
                stdout=streams,
                stderr=None if self._passing else subprocess.DEVNULL,
                close_fds=not self._passing,
                pass_fds=() if self._passing else (theirs.fileno(),),
                start_new_session=not self._passing,
                preexec_fn=self._in_tracer,
                restore_signals=False,
            )
        except OSError as error:
            ours.close()
            hint = ": see 'ulimit -u'" if error.errno == errno.EAGAIN else ""
            raise SessionError(
                f"The tracer process can't be started ({error.strerror}){hint}."
            ) from None
        finally:
            theirs.close()
        self._channel = ours

    def start(self) -> None:
        """Launch the command, or attach, unless that was done.

        Raises SessionError if there can be no tracer.
        """
        if self._reader is not None:
            return
        self.start_tracer()
        assert self._channel is not None
        with contextlib.suppress(OSError):
            # If the tracer is gone already, the end of its stream says so.
            self._channel.sendall(frame_body(encode_value(msgspec.msgpack.Encoder(), self._config)))
        self._reader = start_thread(self._read_stream, "ipcviz stream")

    def _in_tracer(self) -> None:
        """In the tracer's process before it begins: if we are killed, so is it, and with it what it
        launched.

        What was attached to runs on, and must be let go of with care: then the tracer is told to
        end.
        """
        attached = isinstance(self._config, AttachConfig)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM if attached else signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _read_stream(self) -> None:
        """In a thread of its own: take in what the tracer says; however that ends, whoever waits
        for more is told.
        """
        message = "The tracer ended before the command; what it had launched was killed with it."
        if isinstance(self._config, AttachConfig):
            message = (
                "The tracer ended unexpectedly; what it had attached to runs on: attach to it"
                " again."
            )
        try:
            self._receive_events()
        except MemoryError:
            message = (
                "There is no memory left for what the tracer says: see 'ulimit -v' and 'free'."
            )
        finally:
            if not self._finished_seen:
                self._events.append(
                    Trouble(t=self._last_t, n=self._last_n + 1, message=message, fatal=True)
                )
            self._ended.set()
            self._arrived.set()

    def _receive_events(self) -> None:
        """Bytes from the tracer, events into the queue."""
        assert self._channel is not None
        decoder = msgspec.msgpack.Decoder(list[Event])
        unframer = Unframer()
        given_back = time.monotonic()
        while True:
            if time.monotonic() - given_back > TRIM_SECONDS:
                give_back()
                given_back = time.monotonic()
            try:
                data = self._channel.recv(CHUNK)
            except OSError:
                data = b""
            if not data:
                break
            for body in unframer.feed(data):
                events = decoder.decode(body)
                last = events[-1]
                self._last_t, self._last_n = last.t, last.n
                self._finished_seen |= any(
                    isinstance(event, Finished) and not event.left for event in events
                )
                self._pids.update(event.pid for event in events if isinstance(event, Forked))
                if isinstance(last, Finished):
                    self._left = self._leaves and bool(last.detached)
                self._events.extend(events)
                self._arrived.set()
                while len(self._events) > self._most_waiting and not self._closing.is_set():
                    self._drained.clear()
                    if len(self._events) > self._most_waiting:
                        self._drained.wait(0.1)

    def drain(self) -> list[Event]:
        """Everything that came since the last call."""
        self._arrived.clear()
        self._most_waiting = MOST_WAITING
        events = []
        while self._events:
            events.append(self._events.popleft())
        self._drained.set()
        return events

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is something to drain, or the stream has ended; for callers without a
        clock of their own.
        """
        return self._arrived.wait(timeout)

    def is_observed(self, pid: int) -> bool:
        """Whether a process is, or was, one of those observed."""
        return pid in self._pids

    def send(self, command: AnyCommand) -> None:
        """Tell the tracer something; nothing happens if it is gone."""
        if self._channel is None:
            return
        with self._lock, contextlib.suppress(OSError):
            self._channel.sendall(frame_body(msgspec.msgpack.encode(command)))

    def close(self) -> None:
        """End the tracer and with it all that it launched, but for what was to run on when the
        command had ended.
        """
        if self._tracer is None:
            return
        # Nobody may be draining any more: what still comes is taken in all the same.
        self._closing.set()
        self._drained.set()
        if self._left:
            # The tracer stays with it, and has hung up.
            self._tracer = None
            return
        self.send(Quit())
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.shutdown(socket.SHUT_WR)
        try:
            self._tracer.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            # PTRACE_O_EXITKILL takes the children with it.
            self._tracer.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                # What it was left behind with (`ipcviz.kernel.aside`) may keep its last thread;
                # nobody waits for that.
                self._tracer.wait(CLOSE_SECONDS)
        if self._reader is not None:
            self._reader.join(CLOSE_SECONDS)
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._tracer = None
