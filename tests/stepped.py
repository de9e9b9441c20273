"""A session that is stepped without a kernel: processes with prepared operations, let go one at a
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ipcviz.events import (
    AnyCommand,
    Call,
    Event,
    Exited,
    Finished,
    Forked,
    HandlerReturned,
    Held,
    HoldAll,
    Let,
    Poised,
    ProcessSample,
    Released,
    RunUntil,
    Sample,
    SemaphoreOp,
    SendSignal,
    Settled,
    SignalDelivered,
    Started,
    Stepped,
    Timer,
    Waiting,
)
from tests import fakes


class Op(NamedTuple):
    """One operation: what it is, and what becomes of it.

    Attributes:
        name: A call, or `sem_wait` and the like.
        on: Key of its object, or the semaphore's.
        becomes: `returns`, `blocks`, `wakes 12`, `forks 12`, `exits`.
        value: The semaphore's value.
    """

    name: str
    on: str = ""
    becomes: str = "returns"
    value: int | None = None
    effects: tuple = ()
    data: bytes = b""
    args: dict = {}


class SteppedSession(fakes.FakeSession):
    """Plays prepared operations of processes as the tracer does in step mode."""

    def __init__(
        self,
        programs: dict[int, Sequence[Op]],
        names: dict[int, str] | None = None,
        before: Sequence[Event] = (),
        *,
        held: bool = True,
    ) -> None:
        super().__init__(argv=("demo",))
        self.programs = {pid: list(program) for pid, program in programs.items()}
        self.names = names or {}
        self.at: dict[int, int] = {}
        self.blocked: set[int] = set()
        self.ready: set[int] = set()
        self.handling: dict[int, int] = {}
        self.pending: dict[int, list[int]] = {}
        self.stands: dict[int, Poised] = {}
        self.step, self.t, self.n, self.held = 0, 0.0, 0, held
        root = next(iter(programs))
        self._say(Started(t=0, argv=("demo",), terminal=True))
        self._say(
            Forked(t=0, pid=root, parent=1, how="launched", name=self.names.get(root, "demo"))
        )
        for event in before:
            self._say(event)
        self.at[root] = 0
        if held:
            self._say(Held(t=0))
            self._say(Stepped(t=0, step=0, pid=root, tid=root))
            self._poise(root)
            self._say(Settled(t=0, step=0))

    def _say(self, event: Event) -> None:
        self.t += 0.001
        self.n += 1
        self.feed(msgspec.structs.replace(event, t=self.t, n=self.n))

    def wait(self, timeout: float | None = None) -> bool:
        return bool(self._queue)

    def send(self, command: AnyCommand) -> None:
        super().send(command)
        if isinstance(command, Let) and self.held and command.tid in self.stands:
            self._let(command.tid)
        elif isinstance(command, HoldAll) and not self.held:
            self.held = True
            self._say(Held(t=0))
            for pid in self.at:
                self._poise(pid)
            self._say(Settled(t=0, step=self.step))
        elif isinstance(command, RunUntil) and self.held:
            self.held = False
            self.stands.clear()
            self._say(Released(t=0))
        elif isinstance(command, SendSignal):
            self.arrive(command.pid, command.signo)

    def arrive(self, pid: int, signo: int) -> None:
        """A signal becomes pending."""
        self.pending.setdefault(pid, []).append(signo)
        mask = sum(1 << (s - 1) for s in self.pending[pid])
        self._say(Sample(t=0, processes=(ProcessSample(pid=pid, state="t", pending=mask),)))

    def wake(self, pid: int) -> None:
        """A blocked process is woken: held behind its call."""
        self.blocked.discard(pid)
        op = self.programs[pid][self.at[pid] - 1]
        self._say(Call(t=0, pid=pid, tid=pid, name=op.name, object=op.on, ret=1, args=op.args))
        self.stands[pid] = Poised(t=0, pid=pid, tid=pid, at="return", call=op.name, object=op.on)
        self._say(self.stands[pid])

    def _poise(self, pid: int) -> None:
        if pid in self.blocked or self.at[pid] >= len(self.programs[pid]):
            return
        op = self.programs[pid][self.at[pid]]
        if op.name.startswith("sem_"):
            poised = Poised(
                t=0,
                pid=pid,
                tid=pid,
                at="semaphore",
                op=op.name[4:],
                semaphore=_SEMAPHORES[op.on],
                value=op.value,
            )
        else:
            poised = Poised(
                t=0,
                pid=pid,
                tid=pid,
                at="entry",
                call=op.name,
                object=op.on,
                args=op.args,
                data=op.data,
            )
        self.stands[pid] = poised
        self._say(poised)

    def _let(self, pid: int) -> None:
        poised = self.stands.pop(pid)
        self.step += 1
        self._say(Stepped(t=0, step=self.step, pid=pid, tid=pid))
        self._move(pid, poised)
        self._say(Settled(t=0, step=self.step))

    def _move(self, pid: int, poised: Poised) -> None:
        if poised.at == "signal":
            self._say(
                SignalDelivered(t=0, pid=pid, tid=pid, signo=poised.signo, action=poised.action)
            )
            if poised.action == "terminate":
                self._end(pid, signo=poised.signo)
                return
            self._say(HandlerReturned(t=0, pid=pid, tid=pid))
            self._say(Sample(t=0, processes=(ProcessSample(pid=pid, state="t"),)))
            self._poise(pid)
            return
        if poised.at == "entry" and self.pending.get(pid):
            signo = self.pending[pid].pop(0)
            action = "handler" if self.handling.get(pid) == signo else "terminate"
            self.stands[pid] = Poised(
                t=0, pid=pid, tid=pid, at="signal", signo=signo, action=action
            )
            self._say(self.stands[pid])
            return
        if poised.at in ("return", "start"):
            self._poise(pid)
            return
        op = self.programs[pid][self.at[pid]]
        self.at[pid] += 1
        becomes, _, other = op.becomes.partition(" ")
        if becomes == "blocks" and pid in self.ready:
            becomes = "returns"
        if op.name.startswith("sem_"):
            semaphore = _SEMAPHORES[op.on]
            self._say(
                SemaphoreOp(
                    t=0, pid=pid, tid=pid, op=op.name[4:], semaphore=semaphore, value=op.value
                )
            )
        elif becomes == "exits":
            self._end(pid)
            return
        elif becomes != "blocks":
            effects = op.effects
            if any(isinstance(e, Timer) for e in effects):
                self.handling[pid] = effects[0].signo
            ret = int(other) if becomes == "forks" else len(op.data)
            self._say(
                Call(
                    t=0,
                    pid=pid,
                    tid=pid,
                    name=op.name,
                    object=op.on,
                    ret=ret,
                    effects=effects,
                    args=op.args,
                    data=op.data,
                )
            )
        if becomes == "blocks":
            self.blocked.add(pid)
            self._say(Waiting(t=0, pid=pid, tid=pid, call=op.name, object=op.on, args=op.args))
            return
        if becomes == "forks":
            child = int(other)
            self._say(Forked(t=0, pid=child, parent=pid, by=pid, name=self.names.get(child, "")))
            self.at[child] = 0
            self.stands[child] = Poised(t=0, pid=child, tid=child, at="start")
            self._say(self.stands[child])
        if becomes == "wakes" and int(other) in self.blocked:
            self.wake(int(other))
        elif becomes == "wakes":
            self.ready.add(int(other))
        self._poise(pid)

    def _end(self, pid: int, signo: int = 0) -> None:
        self._say(Exited(t=0, pid=pid, signo=signo))
        del self.at[pid]
        if not self.at:
            self._say(Finished(t=0, code=0, signo=signo))


_SEMAPHORES = {"lock": fakes.LOCK, "empty": fakes.EMPTY, "full": fakes.FULL}


def pair() -> SteppedSession:
    """A parent that writes and a child that reads: the read blocks, unless the parent wrote
    first.
    """
    pipe = fakes.PIPE.key
    from ipcviz.events import Opened

    made = (
        Opened(fd=3, ofd=10, object=fakes.PIPE, mode="r"),
        Opened(fd=4, ofd=11, object=fakes.PIPE, mode="w"),
    )
    return SteppedSession(
        {
            60: [
                Op("pipe2", effects=made),
                Op("fork", becomes="forks 61"),
                Op("write", pipe, "wakes 61", data=b"one", args={"fd": 4, "count": 3}),
                Op("exit_group", becomes="exits"),
            ],
            61: [
                Op("read", pipe, "blocks", args={"fd": 3, "count": 10}),
                Op("exit_group", becomes="exits"),
            ],
        },
        {60: "writer", 61: "reader"},
    )


def sleeper() -> SteppedSession:
    """alarm and pause, as in the lost wake-up; SIGALRM comes when the test says so."""
    return SteppedSession(
        {
            70: [
                Op("alarm", effects=(Timer(signo=14, seconds=1.0),)),
                Op("pause", becomes="blocks"),
                Op("exit_group", becomes="exits"),
            ]
        },
        {70: "sleeper"},
    )
