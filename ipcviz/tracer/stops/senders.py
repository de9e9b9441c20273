"""Who sent a signal, and what came with it: from the kernel's siginfo, at a delivery and where a
call takes one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from ipcviz.events import Taken
from ipcviz.events.calls import having
from ipcviz.events.kinds import OVERFLOWS
from ipcviz.events.signals import code_name
from ipcviz.kernel import memory, procfs
from ipcviz.kernel.ptrace import SigInfo, parse_signal_info
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.notifiers import count_events
from ipcviz.tracer.tasks import Entered, Task

TAKERS: Final = having("takes signals")
"""Calls that take pending signals, or tell of events: of reads only those of a signalfd or of
inotify are meant.
"""

SI_TIMER: Final = -2
QUEUED: Final = (-1, SI_TIMER, -3)
"""SI_QUEUE, SI_TIMER, SI_MESGQ: their siginfo has a value."""

_SENT: Final = (0, -1, -3, -4, -6, -60)
"""SI_USER, SI_QUEUE, SI_MESGQ, SI_ASYNCIO, SI_TKILL, SI_ASYNCNL: their siginfo has a sender.

That of SI_TIMER has the timer's number there, that of SI_SIGIO what a descriptor is ready for
(sigaction(2))."""

_SIGCHLD: Final = 17
_SIGINFO: Final = 128
"""Bytes of siginfo_t, and of struct signalfd_siginfo."""
_MOST: Final = 64
"""How many signals that one read of a signalfd gave are looked at."""


def sender_of(context: Context, pid: int, info: SigInfo | None, signo: int) -> tuple[int, str]:
    """The process that sent a signal to process `pid`, and its name if it is none of those watched;
    0 for none.
    """
    if info is None or (info.code not in _SENT and signo != _SIGCHLD):
        return 0, ""
    sender = context.numbers.translate_number(pid, info.pid)
    if not sender or sender in context.state.processes:
        return sender, ""
    return sender, procfs.read_comm(sender) or ""


def killer_of(context: Context, pid: int) -> int:
    """The process that is inside a call which sends SIGKILL to a process, its group or all; 0 if
    none is.
    """
    state = context.state.processes
    group = state[pid].pgrp if pid in state else 0
    for task in context.tasks.values():
        entered = task.entered
        if entered is None or not entered.inside or entered.args.get("signal") != "SIGKILL":
            continue
        target = entered.args.get("pid")
        own = state.get(task.process.pid)
        if target in (pid, -group, -1) or (target == 0 and own is not None and own.pgrp == group):
            return task.process.pid
    return 0


def read_effects(context: Context, task: Task, entered: Entered, result: int) -> tuple[Taken, ...]:
    """What one of the `TAKERS` that returned `result` tells beyond its bytes: effects, and for
    inotify, arguments.
    """
    thing = context.state.objects.get(entered.object)
    if entered.name == "read" and thing is not None and thing.info.kind in OVERFLOWS:
        entered.args.update(count_events(task.tid, entered.raw[1], result))
        return ()
    return tuple(
        read_signals(context, task.process.pid, task.tid, entered.name, entered.raw, result)
    )


def read_signals(
    context: Context, pid: int, tid: int, name: str, raw: tuple[int, ...], result: int
) -> Iterator[Taken]:
    """The signals that a call took, which has returned `result`: rt_sigtimedwait, or read from a
    signalfd.
    """
    if name == "rt_sigtimedwait":
        found = memory.read_bytes(tid, raw[1], _SIGINFO) if raw[1] else None
        info = parse_signal_info(found) if found is not None and len(found) == _SIGINFO else None
        yield _build_taken(context, pid, result, info)
        return
    block = memory.read_bytes(tid, raw[1], min(result, _MOST * _SIGINFO)) or b""
    for at in range(0, len(block) - _SIGINFO + 1, _SIGINFO):
        # linux/signalfd.h: signo, errno, code, pid, uid, fd, tid, band, overrun, ..., int.
        signo, error, code, sender, uid, _, timer, _, overrun = struct.unpack_from(
            "=IiiIIiIII", block, at
        )
        (value,) = struct.unpack_from("=i", block, at + 44)
        if code == SI_TIMER:
            sender, uid = timer, overrun
        yield _build_taken(context, pid, signo, SigInfo(signo, error, code, sender, uid, 0, value))


def _build_taken(context: Context, pid: int, signo: int, info: SigInfo | None) -> Taken:
    sender, name = sender_of(context, pid, info, signo)
    timed = info is not None and info.code == SI_TIMER
    return Taken(
        signo=signo,
        code=code_name(signo, info.code) if info is not None else "",
        sender=sender,
        sender_name=name,
        value=info.value if info is not None and info.code in QUEUED else 0,
        timer=info.pid if info is not None and timed else -1,
        overrun=info.uid if info is not None and timed else 0,
    )
