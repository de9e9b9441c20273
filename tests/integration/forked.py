"""Sessions whose tracer process is forked from one that has everything imported: importing is most
of what a short run costs. In all else these are the sessions that people have.

`python forked.py FD` is the process that is forked from, FD its end of a socket.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from ipcviz.session.live import BUFFER, PR_SET_PDEATHSIG, LiveSession  # noqa: E402
from ipcviz.tracer import service  # noqa: E402
from ipcviz.tracer.config import AnyConfig  # noqa: E402

MOST = 1 << 20
"""Bytes of an environment and what else a tracer is told, at most."""


class ForkedSession(LiveSession):
    """A live session whose tracer is forked from one that waits for it."""

    def __init__(self, config: AnyConfig) -> None:
        super().__init__(config)
        self._source = _start_source()

    def start_tracer(self) -> None:
        if self._tracer is not None:
            return
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        with theirs:
            self._tracer = self._source.fork_tracer(theirs.fileno())  # type: ignore[assignment]
        self._channel = ours


class ForkedTracer:
    """A tracer that is no child of ours: as much of a subprocess as a session needs.

    Args:
        pidfd: Its descriptor, which is closed when it has ended.
    """

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; how is not known."""
        if self._pidfd >= 0:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("the tracer", timeout or 0.0)
            os.close(self._pidfd)
            self._pidfd = -1
        return 0

    def kill(self) -> None:
        if self._pidfd >= 0:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)


class Source:
    """The process that tracers are forked from; it ends with us, when its socket does. A signal at
    the parent's death would come at the end of the thread that started it (prctl(2)).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._channel, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                restore_signals=False,
            )

    def fork_tracer(self, fd: int) -> ForkedTracer:
        """Fork a tracer that has this descriptor for its socket, and our folder, environment and
        mask of signals.
        """
        told = {
            "cwd": os.getcwd(),
            "environment": dict(os.environ),
            "mask": [int(signo) for signo in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
        }
        with self._lock:
            socket.send_fds(self._channel, [json.dumps(told).encode()], [fd])
            _, fds, _, _ = socket.recv_fds(self._channel, 1, 1)
        return ForkedTracer(fds[0])


@functools.cache
def _start_source() -> Source:
    return Source()


def serve(fd: int) -> None:
    """Fork a tracer for each request until nobody can make one any more."""
    channel = socket.socket(fileno=fd)
    while True:
        data, fds, _, _ = socket.recv_fds(channel, MOST, 1)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            try:
                channel.close()
                _become_tracer(json.loads(data), fds[0])
            except Exception:  # noqa: BLE001 - whatever it is must not come back into our loop
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(fds[0])
        pidfd = os.pidfd_open(pid)
        socket.send_fds(channel, [b"."], [pidfd])
        os.close(pidfd)
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _become_tracer(told: dict, fd: int) -> None:  # type: ignore[type-arg]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["environment"])
    signal.pthread_sigmask(signal.SIG_SETMASK, told["mask"])
    service.main(fd)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
