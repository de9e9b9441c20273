"""Stops at breakpoints on semaphore functions, and when a wait for a semaphore is over."""

from __future__ import annotations

from ipcviz.events import AnyEffect, Disposition, SemaphoreInfo, SemaphoreOp
from ipcviz.kernel import maps, memory, ptrace, semaphores
from ipcviz.tracer import breakpoints
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampler import Sampler
from ipcviz.tracer.tasks import Task


class SemaphoreStops:
    """Says what threads do with POSIX semaphores.

    Args:
        context: The session's.
        sampler: Is told where semaphores lie.
    """

    def __init__(self, context: Context, sampler: Sampler) -> None:
        self._context = context
        self._sampler = sampler
        self._places: dict[tuple[int, int], SemaphoreInfo] = {}

    def forget_places(self) -> None:
        """Mappings have changed: what lies at an address is to be looked up again."""
        self._places.clear()

    def address(self, task: Task) -> int:
        """Address of the breakpoint that a thread stands at; 0 if the trap is the program's own."""
        process = task.process
        mine = process.breakpoints or process.retired
        registers = ptrace.get_registers(task.tid, self._context.arch) if mine else None
        if registers is None:
            return 0
        address = registers[self._context.arch.pc] - self._context.arch.trap_skip
        return address if address in process.breakpoints or address in process.retired else 0

    def take(self, task: Task, address: int) -> int | None:
        """Say what the thread is about to do, and bring it past the breakpoint.

        Returns:
            None if it stands behind it now; else a wait status that came instead, to be handled as any other.
        """
        registers = ptrace.get_registers(task.tid, self._context.arch)
        if registers is None:
            return None
        if address not in task.process.breakpoints:
            registers[self._context.arch.pc] = address
            ptrace.set_registers(task.tid, self._context.arch, registers)
            return None
        name = task.process.breakpoints[address][1]
        if task.step_over == address:
            task.step_over = 0
        else:
            self._semaphore_op(task, name.removeprefix("sem_"), registers)
        thread = self._context.state.threads.get(task.tid)
        mask = ptrace.get_mask(task.tid) or 0
        if thread is not None and thread.blocked & breakpoints.SIGTRAP_BIT:
            mask |= breakpoints.SIGTRAP_BIT
        status = breakpoints.step_over(task, self._context.arch, registers, address, mask)
        if status is None and self._context.over_budget(task.process, breakpoints=True):
            self._remove(task, f"more than {self._context.config.budget:,.0f} semaphore operations a second")
        return status

    def may_break(self, pid: int) -> bool:
        """Whether breakpoints are harmless to a process: a trap that it ignores or catches would change that.

        Attached, there are none: if we were killed, they would stay behind in the program and end it.
        """
        if self._context.attached:
            return False
        process = self._context.state.processes.get(pid)
        return process is None or ptrace.SIGTRAP not in process.handling

    @staticmethod
    def in_the_way(effects: tuple[AnyEffect, ...]) -> bool:
        """Whether a process has just begun to ignore or catch SIGTRAP: the kernel's forced one would undo that."""
        return any(isinstance(e, Disposition) and e.signo == ptrace.SIGTRAP and e.action != "default" for e in effects)

    def stand_aside(self, task: Task) -> None:
        """Take a process's breakpoints out: it has a use of its own for SIGTRAP."""
        if task.process.breakpoints:
            self._remove(task, "it handles SIGTRAP itself")

    def set_again(self, task: Task) -> None:
        """Put breakpoints back that cost too much: the process has memory now in which others can wait for it.

        CPython makes a semaphore of libc for each of its locks, and uses so many while it starts that it is soon over
        the budget; what it shares with others comes later.
        """
        process = task.process
        if process.breakpoints or not process.retired or not self.may_break(process.pid):
            return
        process.operations.fill()
        for line in maps.read_maps(process.pid) or ():
            if "x" in line.perms and breakpoints.holds_semaphores(line.path):
                readable = f"/proc/{process.pid}/root{line.path}"
                breakpoints.insert(process, task.tid, self._context.arch, readable, line.start, line.offset)
        if process.breakpoints:
            self._context.say_coverage(
                process, full=process.full, reason="it shares memory now: semaphore operations are seen again"
            )

    def _remove(self, task: Task, reason: str) -> None:
        breakpoints.remove_all(task.process, task.tid, self._context.arch)
        self._context.say_coverage(
            task.process, full=task.process.full, reason=f"{reason}: semaphore values are sampled"
        )

    def about(self, task: Task, address: int) -> tuple[str, SemaphoreInfo, int | None] | None:
        """What a thread at a breakpoint is about to do: the operation, the semaphore, its value now.

        None if it has done so already, or if there is no breakpoint any more.
        """
        found = task.process.breakpoints.get(address)
        registers = ptrace.get_registers(task.tid, self._context.arch)
        if found is None or registers is None or task.step_over == address:
            return None
        op = found[1].removeprefix("sem_")
        return op, *self._locate(task.process.pid, op, registers[self._context.arch.arguments[0]])

    def _locate(self, pid: int, op: str, address: int) -> tuple[SemaphoreInfo, int | None]:
        """The semaphore at an address, and its value; None if it has none yet, or can't be read."""
        info = self._places.get((pid, address)) if op != "init" else None
        if info is None:
            line = maps.read_line(pid, address)
            info = semaphores.locate((line,) if line is not None else (), address, pid)
            self._places[pid, address] = info
        raw = memory.read(pid, address, 16)
        return info, semaphores.decode(raw)[0] if raw is not None and len(raw) == 16 and op != "init" else None

    def _semaphore_op(self, task: Task, op: str, registers: list[int]) -> None:
        pid = task.process.pid
        address, second, third = (registers[i] for i in self._context.arch.arguments[:3])
        info, value = self._locate(pid, op, address)
        self._sampler.semaphores.know(info, pid, address)
        t, n = self._context.stamp()
        self._context.emit(
            SemaphoreOp(
                t=t,
                n=n,
                pid=pid,
                tid=task.tid,
                op=op,
                semaphore=info,
                value=value,
                initial=third & 0xFFFFFFFF if op == "init" else None,
                shared=bool(second & 0xFFFFFFFF) if op == "init" else not info.key.startswith("sem:vm:"),
            )
        )
        if op == "destroy":
            self._sampler.semaphores.forget(info.key)
        if value == 0 and op in ("wait", "timedwait", "clockwait"):
            task.semaphore = info.key

    def acquired(self, task: Task) -> None:
        """A thread that waited for a semaphore does something else now: it has it."""
        key, task.semaphore = task.semaphore, ""
        found = self._context.state.semaphores.get(key) if key else None
        if found is not None:
            t, n = self._context.stamp()
            self._context.emit(
                SemaphoreOp(t=t, n=n, pid=task.process.pid, tid=task.tid, op="acquired", semaphore=found.info)
            )
