"""Step mode: every thread is held at its next stop that matters, and goes on when the viewer lets
it.

A thread that was let go is *moving* until it is held again, sleeps in a call, or ends. One that
sleeps in a call is woken by what another one does, or by time, and is held behind that call. So at
every moment each thread is held, blocked or moving, and only one that was let go runs code of its
own.

A call is held at its entry inside the kernel; a signal that comes meanwhile would act inside the
call, and cut it short. But the thread is meant to stand before the call: so it is brought back to
the instruction, and the signal acts there, as on any machine that happens to be slow between two
lines.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ipcviz.events import Breakpoint, Continued, Event, Held, Poised, Released, Settled, Stepped
from ipcviz.events.calls import having
from ipcviz.events.stepping import At
from ipcviz.kernel import procfs, ptrace
from ipcviz.kernel.ptrace import AT_CALL, AT_MARK
from ipcviz.model.steps.breakpoints import describe_breakpoint, find_reached
from ipcviz.model.steps.visible import SHORT_WAIT_SECONDS, is_visible_semaphore
from ipcviz.tracer.calls import deadlines
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.stops.calls import CallStops
from ipcviz.tracer.stops.semaphores import QUIET, SemaphoreStops
from ipcviz.tracer.stops.senders import sender_of
from ipcviz.tracer.stops.signals import SignalStops
from ipcviz.tracer.tasks import Task, TracedProcess

ASLEEP_SECONDS: Final = 0.005
"""How long a moving thread must sleep, at every look, to count as blocked in a call that is not
traced.
"""

COMPUTING_TICKS: Final = 50
STARTING_TICKS: Final = 500
"""How long a moving thread may run its own code before it is held there, and the command before
its first operation: CPU time in ticks of 10 ms (USER_HZ), so that a busy machine does not change
where a thread is held."""

UNDISTURBED: Final = having("restarts") | {"write"}
"""Calls that go on as if nothing had been after PTRACE_INTERRUPT: the kernel starts them again, or
`mend` does.
"""


class Stepping:
    """Holds threads, and lets them go.

    Args:
        context: The session's.
        calls: Takes stops at calls in.
        signals: Takes signals in.
        semaphores: Knows the breakpoints.
        sampler: Looks at everything when all is at rest.
        go: Lets a stopped thread go on, delivering a signal or none.
        take: Handles a stop at a signal or breakpoint as in a live run.
    """

    def __init__(
        self,
        context: Context,
        calls: CallStops,
        signals: SignalStops,
        semaphores: SemaphoreStops,
        sampler: Sampler,
        go: Callable[[Task], None],
        take: Callable[[Task, int], None],
    ) -> None:
        self._context = context
        self._calls = calls
        self._signals = signals
        self._semaphores = semaphores
        self._sampler = sampler
        self._go = go
        self._take_signal = take
        self.tell_again: Callable[[TracedProcess, str], None] = lambda process, reason: None
        """Has every call of a process told again, and says why."""
        self._step = 0
        self._settled = True
        self._queue: deque[int] = deque()
        self._until: tuple[Breakpoint, ...] = ()
        self._tripped: Breakpoint | None = None

    # Commands.

    def begin(self, root: Task) -> None:
        """Hold the command from its first visible operation on."""
        self._say_held("")
        self._say_stepped(root)

    def hold(self, reason: str = "", at: Task | None = None) -> None:
        """Hold every thread: those that run their own code at once, the others at their next stop.

        Args:
            reason: Why, in words; empty if the viewer wanted it.
            at: A thread that is stopped just now and is to be held here.
        """
        if self._context.holding:
            return
        self._say_held(reason)
        for process in list(self._context.processes.values()):
            if not process.full:
                self.tell_again(process, "held: every call is seen")
            for task in process.tasks.values():
                task.moving = False
                if task is not at and process.executed:
                    self._ask(task)
        if at is not None:
            self._hold_here(at)

    def release(self, until: tuple[Breakpoint, ...] = ()) -> None:
        """Let everything go on by itself, until a breakpoint is reached."""
        self._until, self._tripped = until, None
        self._context.notice = self._notice if until else None
        if not self._context.holding:
            return
        self._context.holding = False
        self._settled = True
        self._queue.clear()
        t, n = self._context.stamp()
        self._context.emit(Released(t=t, n=n))
        for task in list(self._context.tasks.values()):
            if task.held is not None:
                self._let_go(task)
            task.moving = False

    def abandon(self) -> None:
        """Hold nothing any more: all that is held is about to be killed."""
        self._context.holding = False
        self._context.notice = None

    def let(self, tid: int) -> None:
        """Let a held thread go on."""
        if not self._context.holding:
            return
        if not self._settled:
            self._queue.append(tid)
            return
        task = self._context.tasks.get(tid)
        if task is None or task.held is None:
            return
        self._step += 1
        self._say_stepped(task)
        self._let_go(task)

    def _say_held(self, reason: str) -> None:
        self._context.holding = True
        self._context.notice, self._tripped = None, None
        self._settled = False
        t, n = self._context.stamp()
        self._context.emit(Held(t=t, n=n, reason=reason))

    def _say_stepped(self, task: Task) -> None:
        self._settled = False
        task.moving, task.used = True, -1
        task.short_waits.begin_step()
        t, n = self._context.stamp()
        self._context.emit(Stepped(t=t, n=n, step=self._step, pid=task.process.pid, tid=task.tid))

    # Breakpoints of a live run.

    def _notice(self, event: Event) -> None:
        if self._tripped is None:
            self._tripped = find_reached(self._until, event, self._context.state)

    def trip(self, at: Task | None = None) -> bool:
        """Hold everything if a breakpoint was reached. Returns whether it was."""
        point = self._tripped
        if point is None or self._context.holding:
            return False
        self.hold(describe_breakpoint(point, self._context.state), at)
        return True

    # Stops.

    def take(self, task: Task, status: int) -> bool:
        """Handle a stop of a thread. Returns False for what is handled as in a live run."""
        if not self._context.holding or not task.process.executed or not os.WIFSTOPPED(status):
            return False
        if status in (AT_CALL, AT_MARK):
            if task.process.foreign:
                return False
            self._call_stop(task, status)
            return True
        signo, event = os.WSTOPSIG(status), status >> 16
        if event == ptrace.EVENT_STOP:
            if signo == ptrace.SIGTRAP:
                return self._trap(task, status)
            task.moving, task.continued = False, 2
            return False
        if event:
            task.held = None  # a thread that is held gets here only if it is killed
            return False
        return self._signal_stop(task, signo, status)

    def _call_stop(self, task: Task, status: int) -> None:
        info = ptrace.syscall_info(task.tid)
        if info is None:
            return
        if task.backing >= 0:
            self._brought_back(task, info)
        elif info.op == ptrace.SYSCALL_INFO_EXIT:
            self._came_back(task)
        else:
            self._entry(task, info, status)

    def _came_back(self, task: Task) -> None:
        name = self._context.names.get(task.passed, "")
        task.passed = -1
        self._calls.at_call(task)
        if task.moving or task.deferred is not None or task.interrupted is not None:
            # Of the latter two what becomes is known at the signal's delivery, before the thread
            # runs any code.
            self._go(task)
        else:
            self._poise(task, "return", AT_CALL, call=name)

    def _entry(self, task: Task, info: ptrace.SyscallInfo, status: int) -> None:
        if task.asked:
            # This stop came in place of the one that it was asked for, whose mark would cut the
            # call short.
            task.asked, task.passed = False, info.number
            self._bring_back(task)
            return
        if status == AT_MARK and task.passed == info.number:
            self._let_in(task, status)
            return
        again = task.rejoins or self._calls.makes_again(task, info.number)
        if not again:
            self._calls.settle(task, info)
        poised = self._about(task, info) if not again else None
        task.passed = task.inside[0] if task.rejoins else info.number
        task.rejoins = False
        if poised is not None:
            self._park(task, poised, status)
        else:
            self._let_in(task, status)

    def _about(self, task: Task, info: ptrace.SyscallInfo) -> Poised | None:
        """What a thread that enters a call is held before; None if that is no turn of its own."""
        name = self._context.names.get(info.number, "")
        if not deadlines.is_short(task.process.pid, task.tid, name, info.args, SHORT_WAIT_SECONDS):
            poised = self._calls.about(task, info)
            if poised is not None:
                task.short_waits.clear()
            return poised
        if task.short_waits.passes(info.number, info.pc):
            return None
        return self._calls.about(task, info, repeated=task.short_waits.repeated)

    def _let_in(self, task: Task, status: int) -> None:
        goes = self._calls.at_mark(task) if status == AT_MARK else self._calls.at_call(task)
        if not goes:
            self._go(task)

    def _trap(self, task: Task, status: int) -> bool:
        """PTRACE_EVENT_STOP: a new thread's first stop, one that was asked for, or the end of a
        group-stop.
        """
        if task.fresh:
            task.fresh = False
            self._poise(task, "start", status)
            return True
        if task.asked:
            task.asked = False
            asleep = task.inside[0] >= 0
            self._signals.undo_stop(task)
            if asleep or task.moving or task.entered is not None:
                task.rejoins = asleep
                self._go(task)
            else:
                self._poise(task, "running", status)
            return True
        again = self._signals.undo_stop(task)
        state = self._context.state.processes.get(task.process.pid)
        if state is not None and state.stopped_by:
            t, n = self._context.stamp()
            self._context.emit(Continued(t=t, n=n, pid=task.process.pid))
        if task.moving or again:
            self._go(task)
        else:
            self._poise(task, "running", status)
        return True

    def _action_of(self, pid: int) -> Callable[[int], str]:
        return lambda signo: self._signals.action(pid, signo)[0]

    def _signal_stop(self, task: Task, signo: int, status: int) -> bool:
        address = self._semaphores.address(task) if signo == ptrace.SIGTRAP else 0
        if address:
            if not self._semaphores.nested(task, address):
                self._calls.settle(task)
            found = self._semaphores.about(task, address)
            if found is None or found[0] in QUIET or not is_visible_semaphore(found[1]):
                return False
            op, semaphore, value = found
            self._park(
                task,
                self._poised(task, "semaphore", op=op, semaphore=semaphore, value=value),
                status,
            )
            return True
        if self._signals.passes(task, signo):
            return False
        info = ptrace.signal_info(task.tid)
        action, _ = self._signals.action(task.process.pid, signo)
        sender, _ = sender_of(self._context, task.process.pid, info, signo)
        self._park(
            task, self._poised(task, "signal", signo=signo, action=action, sender=sender), status
        )
        return True

    # Holding.

    def _poised(self, task: Task, at: At, **what: Any) -> Poised:
        t, n = self._context.stamp()
        return Poised(t=t, n=n, pid=task.process.pid, tid=task.tid, at=at, **what)

    def _poise(self, task: Task, at: At, status: int, call: str = "") -> None:
        self._park(task, self._poised(task, at, call=call), status)

    def _park(self, task: Task, poised: Poised, status: int) -> None:
        task.held = (poised, status)
        task.moving, task.used = False, -1
        task.asleep_since = 0.0
        if poised.at != "entry":
            task.short_waits.clear()
        self._context.emit(poised)

    def _hold_here(self, task: Task) -> None:
        """Hold a thread that a breakpoint has stopped behind an operation."""
        self._poise(task, "running", 0)

    def _ask(self, task: Task) -> None:
        """Ask a thread to stop if it runs its own code, or sleeps in a call whose return would not
        be seen.
        """
        if task.entered is not None or task.asked:
            return
        pid, tid = task.process.pid, task.tid
        task.inside = (-1, ())
        look = procfs.read_stat(pid, tid)
        if look is None or look.state not in "RSD":
            return
        if look.state != "R":
            call = procfs.read_syscall(pid, tid)
            if call is None or call.running:
                return
            name = self._context.names.get(call.number, "")
            if name not in UNDISTURBED and not (
                name == "read" and self._is_pipe(pid, call.args[0])
            ):
                return
            task.inside = (call.number, call.args)
        task.asked = ptrace.interrupt(tid)

    @staticmethod
    def _is_pipe(pid: int, fd: int) -> bool:
        try:
            return stat.S_ISFIFO(os.stat(f"/proc/{pid}/fd/{fd & 0xFFFFFFFF}").st_mode)
        except OSError:
            return False

    # Letting go.

    def _let_go(self, task: Task) -> None:
        assert task.held is not None
        (poised, status), task.held = task.held, None
        if poised.at == "entry":
            if self._signal_comes_first(task):
                self._bring_back(task)
            else:
                self._let_in(task, status)
        elif poised.at in ("signal", "semaphore"):
            self._take_signal(task, os.WSTOPSIG(status))
        else:
            self._go(task)

    def _signal_comes_first(self, task: Task) -> bool:
        """Whether a signal waits that would be delivered before the call if the thread had not been
        held in it.
        """
        look = procfs.read_status(task.process.pid, task.tid)
        if look is None or self._context.arch.original < 0:
            return False
        bits = (look.pending | look.shared_pending) & ~look.blocked
        action = self._action_of(task.process.pid)
        return any(bits >> (signo - 1) & 1 and action(signo) != "ignore" for signo in range(1, 65))

    def _bring_back(self, task: Task) -> None:
        """Leave a call before it begins: its number becomes none, so that the kernel returns at
        once.
        """
        arch = self._context.arch
        registers = ptrace.get_registers(task.tid, arch)
        if registers is None:
            return
        task.backing, task.passed = task.passed, -1
        registers[arch.original] = ptrace.NO_CALL
        ptrace.set_registers(task.tid, arch, registers)
        self._go(task)

    def _brought_back(self, task: Task, info: ptrace.SyscallInfo) -> None:
        if info.op == ptrace.SYSCALL_INFO_EXIT:
            arch = self._context.arch
            registers = ptrace.get_registers(task.tid, arch)
            if registers is not None:
                registers[arch.number] = task.backing
                registers[arch.pc] -= arch.syscall_length
                ptrace.set_registers(task.tid, arch, registers)
            task.backing = -1
        self._go(task)

    # Coming to rest.

    @property
    def unsettled(self) -> bool:
        """Whether what the last step set off may still go on."""
        return self._context.holding and not self._settled

    def settle(self, *, unborn: bool) -> None:
        """See whether all is at rest, and say so once.

        Args:
            unborn: Processes have stopped for the first time whose makers have not told of them
                yet.
        """
        if self._settled or unborn:
            return
        resting = True
        for task in self._context.tasks.values():
            if task.held is None:
                resting &= task.process.executed and self._at_rest(task)
        if not resting:
            return
        self._sampler.look_again()
        self._sampler.sample()
        self._settled = True
        t, n = self._context.stamp()
        self._context.emit(Settled(t=t, n=n, step=self._step))
        self._context.emitter.flush()
        while self._queue and self._settled:
            self.let(self._queue.popleft())

    def _at_rest(self, task: Task) -> bool:
        """Whether a thread that is not held sleeps, or is stopped or dead."""
        now = time.monotonic()
        process = self._context.state.processes.get(task.process.pid)
        if process is not None and process.stopped_by:
            return True
        look = procfs.read_stat(task.process.pid, task.tid)
        if look is None:
            return True
        if look.state in "ZX":
            # Its end is still to come by waitpid, unless it is a leader whose other threads go on.
            return len(task.process.tasks) > 1
        if look.state in "SD":
            if task.moving and (task.entered is None or not task.entered.announced):
                task.asleep_since = task.asleep_since or now
                if task.entered is not None or now - task.asleep_since < ASLEEP_SECONDS:
                    return False
            task.moving = False
            return True
        task.asleep_since = 0.0
        used = look.utime + look.stime
        if task.used < 0:
            task.used = used
        limit = COMPUTING_TICKS if self._step else STARTING_TICKS
        if look.state == "R" and used - task.used > limit and not task.asked:
            task.moving = False
            self._ask(task)
        return False
