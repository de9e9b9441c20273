"""Processes that do what they are told, one call at a time, while they are observed
(tests/programs/orders.c).
"""

from __future__ import annotations

import array
import collections
import contextlib
import ctypes
import dataclasses
import fcntl
import functools
import os
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path

from ipcviz import events as ev
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig

BORN, PIPE, DUP, DUP2, CLOSE, FORK, WRITE, READ, KILL, EXEC, CLOEXEC, DUP_CLOEXEC, REAP = range(13)
RESIZE, SPLICE, TEE, NAMED = range(13, 17)
CONTROL, ANSWERS = 200, 201
OURS = frozenset({0, 1, 2, CONTROL, ANSWERS})
ORDER, ANSWER = struct.Struct("iiiii"), struct.Struct("iiiiiiq")
PATIENCE = 20.0
_libc = ctypes.CDLL(None, use_errno=True)


@functools.lru_cache(maxsize=64)
def written(number: int, count: int) -> bytes:
    """The bytes that the order with this number writes: other than those of any other order."""
    start = number * 1000003
    words = [(start + i) * 2654435761 & 0xFFFFFFFF for i in range(count)]
    return bytes((x >> 15 ^ x >> 24) & 0xFF for x in words)


@dataclasses.dataclass
class Done:
    """An order that was carried out."""

    number: int
    op: int
    args: tuple[int, int, int]
    result: int
    error: int
    data: bytes = b""


@dataclasses.dataclass
class Worker:
    """A process that takes orders."""

    id: int
    control: int
    pid: int = 0
    born: bool = False
    dead: bool = False
    dying: bool = False
    busy: tuple[int, int, tuple[int, int, int]] | None = None
    answers: int = 0
    done: list[Done] = dataclasses.field(default_factory=list)
    writes: list[int] = dataclasses.field(default_factory=list)

    @property
    def idle(self) -> bool:
        return self.born and not self.dead and not self.dying and self.busy is None


def look(pid: int) -> str:
    """The state letter of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Ordered:
    """An observed family of processes that take orders, and the state that the stream tells.

    Args:
        program: The compiled program.
        folder: An empty folder.
        full: Trace every data call.
        budget: Data calls a second of one process before it is only sampled.
    """

    def __init__(self, program: str, folder: Path, *, full: bool, budget: float = 1000.0) -> None:
        self._folder = folder
        self._number = 0
        self._made = 0
        self._left = b""
        self.workers: dict[int, Worker] = {}
        self.state = State()
        self.events: list[ev.Event] = []
        self.heard: collections.Counter[int] = collections.Counter()
        """How many answers of each process the stream has told of."""
        os.mkfifo(folder / "answers")
        self._answers = os.open(folder / "answers", os.O_RDWR | os.O_NONBLOCK)
        self._session = LiveSession(
            LaunchConfig(argv=(program, "0"), cwd=str(folder), full=full, budget=budget)
        )
        self.root = self._new_worker()

    def __enter__(self) -> Ordered:
        self._session.start()
        self.settle()
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()
        for worker in self.workers.values():
            os.close(worker.control)
        os.close(self._answers)

    # Orders.

    def _new_worker(self) -> Worker:
        id, self._made = self._made, self._made + 1
        path = self._folder / f"orders.{id}"
        os.mkfifo(path)
        worker = self.workers[id] = Worker(id, os.open(path, os.O_RDWR | os.O_NONBLOCK))
        return worker

    def order(self, worker: Worker, op: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        """Tell an idle worker to do something, and don't wait for it; the order's number."""
        assert worker.idle
        self._number += 1
        worker.busy = (self._number, op, (a, b, c))
        if op == WRITE:
            worker.writes.append(self._number)
        if op == KILL:
            next(w for w in self.workers.values() if w.pid == a).dying = True
        os.write(worker.control, ORDER.pack(self._number, op, a, b, c))
        return self._number

    def fork(self, worker: Worker) -> Worker:
        """Tell an idle worker to fork; the child, which is not there yet."""
        child = self._new_worker()
        self.order(worker, FORK, child.id)
        return child

    def kill(self, worker: Worker) -> None:
        """Kill a worker from outside."""
        worker.dying = True
        if worker.pid and not worker.dead:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)

    def clear(self) -> None:
        """Kill all but the root, and forget them and what was told of them."""
        for worker in self.living:
            self.kill(worker)
        self.settle()
        self.order(self.root, REAP)
        self.settle()
        for worker in [w for w in self.workers.values() if w is not self.root]:
            os.close(worker.control)
            (self._folder / f"orders.{worker.id}").unlink()
            del self.workers[worker.id]
        self.read()
        self.events.clear()

    @property
    def living(self) -> list[Worker]:
        """Those that are there, but for the root."""
        return [w for w in self.workers.values() if w.born and not w.dead and w is not self.root]

    def _hear(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            self._left += os.read(self._answers, 1 << 16)
        heard = False
        while len(self._left) >= ANSWER.size:
            id, pid, number, op, result, error, buffer = ANSWER.unpack(self._left[: ANSWER.size])
            self._left = self._left[ANSWER.size :]
            worker = self.workers[id]
            worker.answers += 1
            heard = True
            if op == BORN:
                worker.pid, worker.born = pid, True
                continue
            assert worker.busy is not None
            assert worker.busy[:2] == (number, op)
            data = b""
            if op == READ and result > 0:
                with (
                    contextlib.suppress(OSError),
                    open(f"/proc/{pid}/mem", "rb", buffering=0) as memory,
                ):
                    memory.seek(buffer)
                    data = memory.read(result)
            worker.done.append(Done(number, op, worker.busy[2], result, error, data))
            worker.busy = None
        return heard

    def settle(self) -> None:
        """Wait until every worker waits for orders, sleeps inside a call, or is dead."""
        deadline = time.monotonic() + PATIENCE
        calm = 0
        while calm < 2:
            assert time.monotonic() < deadline, self.workers
            if self._hear():
                calm = 0
                continue
            calm = calm + 1 if all(self._at_rest(w) for w in self.workers.values()) else 0
            if calm < 2:
                select.select([self._answers], (), (), 0.001)

    def _at_rest(self, worker: Worker) -> bool:
        if worker.dead:
            return True
        if not worker.born:
            # Its maker may be dead before it could make it.
            return any(
                w.dead and w.busy and w.busy[1] == FORK and w.busy[2][0] == worker.id
                for w in self.workers.values()
            )
        letter = look(worker.pid)
        if letter in ("", "Z", "X"):
            worker.dead = True
            return False
        if worker.dying or (worker.busy and worker.busy[1] not in (READ, WRITE)):
            # Others never block, though wait4 shows as asleep for a moment even with WNOHANG.
            return False
        waiting = array.array("i", [0])
        fcntl.ioctl(worker.control, termios.FIONREAD, waiting)
        return letter == "S" and not waiting[0]

    # What the stream tells.

    def read(self) -> None:
        """Take in what has come."""
        for event in self._session.drain():
            self.events.append(event)
            if (
                isinstance(event, ev.Call)
                and event.name == "write"
                and event.args.get("fd") == ANSWERS
            ):
                self.heard[event.pid] += 1
            self.state = reduce(self.state, event)

    def catch_up(self) -> None:
        """Wait until the stream has told of all answers."""
        deadline = time.monotonic() + PATIENCE
        while any(self.heard[w.pid] != w.answers for w in self.workers.values()):
            assert time.monotonic() < deadline
            self.wait(0.05)

    def wait(self, seconds: float) -> None:
        """Wait a moment for more to come, and take it in."""
        self._session.wait(seconds)
        self.read()


# What the kernel says.


@contextlib.contextmanager
def reading(pid: int, fd: int) -> Iterator[int]:
    """A further read end of a process's pipe."""
    end = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield end
    finally:
        os.close(end)


def queued(pid: int, fd: int) -> int:
    """FIONREAD of a process's pipe."""
    found = array.array("i", [0])
    with reading(pid, fd) as end:
        fcntl.ioctl(end, termios.FIONREAD, found)
    return found[0]


def waiting_in(pid: int, fd: int) -> bytes:
    """A copy of all bytes in a process's pipe (tee(2))."""
    source, target = os.pipe()
    try:
        fcntl.fcntl(target, 1031, 1 << 20)  # F_SETPIPE_SZ
        with reading(pid, fd) as end:
            count = _libc.tee(end, target, ctypes.c_size_t(1 << 20), 2)  # SPLICE_F_NONBLOCK
        return os.read(source, count) if count > 0 else b""
    finally:
        os.close(source)
        os.close(target)


def ring(pid: int, fd: int) -> tuple[int, int]:
    """Bytes that a process's pipe can hold, and its slots in use: a pipe of one slot takes one of
    them at a time.
    """
    source, target = os.pipe()
    one, slot = os.pipe2(os.O_NONBLOCK)
    try:
        fcntl.fcntl(target, 1031, 1 << 20)
        fcntl.fcntl(slot, 1031, 4096)
        with reading(pid, fd) as end:
            capacity = fcntl.fcntl(end, 1032)
            left = max(0, _libc.tee(end, target, ctypes.c_size_t(1 << 20), 2))
        slots = 0
        while left:
            moved = os.splice(source, slot, 1 << 20)
            os.read(one, moved)
            left, slots = left - moved, slots + 1
        return capacity, slots
    finally:
        for number in (source, target, one, slot):
            os.close(number)
