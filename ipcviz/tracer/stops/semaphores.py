"""Stops at breakpoints on semaphore functions, and when a wait for a semaphore is over."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Final

from ipcviz.events import AnyEffect, Closed, Disposition, Filed, Mapped, SemaphoreInfo, SemaphoreOp
from ipcviz.events.calls import CHANGES_SEMAPHORES, having, where
from ipcviz.kernel import elf, futexes, maps, memory, procfs, ptrace, semaphores
from ipcviz.kernel.maps import SHM
from ipcviz.kernel.watchpoints import TRAP_HWBKPT
from ipcviz.tracer import returns
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.stops import breakpoints
from ipcviz.tracer.stops.outcomes import RESUME, Outcome, handle_instead
from ipcviz.tracer.tasks import Entered, SemaphoreWait, Task

WAITS: Final = frozenset({"wait", "timedwait", "clockwait"})
QUIET: Final = frozenset({"getvalue", "close"})
"""Operations that no other process can notice."""

_MAPPINGS: Final = having("maps")
"""Calls after which another semaphore may lie at an address."""
_NAMES: Final = where(lambda call: call.names in ("removes", "links") and call.on != "queue")
"""Calls after which the same one may have another name."""
_SEGMENTS: Final = where(lambda call: call.on == "segment" and call.name in _MAPPINGS)
_SYSTEM_V: Final = where(lambda call: call.on == "semaphores")
_FILE: Final = "sem."
"""What the names of semaphores' files in /dev/shm begin with (glibc,
sysdeps/pthread/sem_routines.c).
"""
_GIVEN_UP: Final = frozenset({errno.ETIMEDOUT, errno.EINTR})
_LONGEST: Final = 512
"""Bytes of code of sem_timedwait in musl, at most."""
_ALREADY_RUNNING: Final = 3
"""Samples in a row that find a thread running before one that was never seen asleep counts as
having its semaphore.
"""


class SemaphoreStops:
    """Says what threads do with POSIX semaphores.

    Args:
        context: The session's.
        sampler: Is told where semaphores lie.
    """

    def __init__(self, context: Context, sampler: Sampler) -> None:
        self._context = context
        self._sampler = sampler
        self._places: dict[int, dict[int, SemaphoreInfo]] = {}
        self._lines: dict[int, list[maps.MapLine]] = {}

    def forget_places(self, pid: int = 0) -> None:
        """Mappings have changed, a process's or any: what lies at an address is to be looked up
        again.
        """
        if pid:
            self._places.pop(pid, None)
            self._lines.pop(pid, None)
        else:
            self._places.clear()
            self._lines.clear()

    def find_breakpoint(self, task: Task) -> int:
        """Address of the breakpoint that a thread stands at; 0 if the trap is the program's own."""
        process = task.process
        if task.trying.address and _has_returned(task):
            return task.trying.address
        mine = process.breakpoints or process.retired
        registers = ptrace.get_registers(task.tid, self._context.arch) if mine else None
        if registers is None:
            return 0
        address = registers[self._context.arch.pc] - self._context.arch.trap_skip
        return address if address in process.breakpoints or address in process.retired else 0

    def leave_copy(self, task: Task) -> None:
        """A thread's instruction has failed (SIGSEGV, SIGBUS): if that was a copy, it is where the
        copy was made.
        """
        if not task.process.copied:
            return
        registers = ptrace.get_registers(task.tid, self._context.arch)
        place = (
            breakpoints.own_place(task.process, registers[self._context.arch.pc])
            if registers is not None
            else 0
        )
        if registers is not None and place:
            registers[self._context.arch.pc] = place
            ptrace.set_registers(task.tid, self._context.arch, registers)
            task.step_over = place

    def pass_breakpoint(self, task: Task, address: int) -> Outcome:
        """Emit what a thread is about to do, and bring it past the breakpoint, if no other stop
        comes instead.
        """
        status = self._pass_breakpoint(task, address)
        return RESUME if status is None else handle_instead(status)

    def _pass_breakpoint(self, task: Task, address: int) -> int | None:
        """The same: a wait status that came instead, or None."""
        registers = ptrace.get_registers(task.tid, self._context.arch)
        if registers is None:
            return None
        if address == task.trying.address:
            self._end_trywait(task, registers)
            return None
        if address not in task.process.breakpoints:
            registers[self._context.arch.pc] = address
            ptrace.set_registers(task.tid, self._context.arch, registers)
            return None
        original, name, _ = task.process.breakpoints[address]
        if task.step_over == address:
            task.step_over = 0
        elif not self.is_nested(task, address):
            self._begin_trywait(
                task,
                name,
                registers,
                *self._semaphore_op(task, name.removeprefix("sem_"), registers),
            )
        elif name == "sem_trywait" and task.wait.timed:
            place = registers[self._context.arch.arguments[0]]
            task.wait.refused = self._locate_semaphore(task.process.pid, "trywait", place)[1] == 0
        thread = self._context.state.threads.get(task.tid)
        trap_blocked = thread is not None and thread.blocked & breakpoints.SIGTRAP_BIT
        slot = breakpoints.leads_to(self._context.arch, original, address)
        slot = slot or breakpoints.prepare_detour(
            task.process, task.tid, self._context.arch, address
        )
        status = None
        if slot and not trap_blocked:
            ptrace.set_pc(task.tid, self._context.arch, registers, slot)
        else:
            mask = ptrace.get_mask(task.tid) or 0
            if trap_blocked:
                mask |= breakpoints.SIGTRAP_BIT
            status = breakpoints.step_over(task, self._context.arch, registers, address, mask)
        if status is None and self._context.breakpoints_over_budget(task.process):
            self._remove_breakpoints(
                task, f"more than {self._context.config.budget:,.0f} semaphore operations a second"
            )
        return status

    def is_nested(self, task: Task, address: int) -> bool:
        """Whether a thread at a breakpoint is inside another of the functions, which has been told:
        musl's sem_wait goes on as sem_timedwait without a time, and that calls sem_trywait again
        and again.
        """
        places = task.process.breakpoints
        name = places[address][1] if address in places else ""
        if name not in ("sem_timedwait", "sem_trywait"):
            return False
        registers = ptrace.get_registers(task.tid, self._context.arch)
        if registers is None:
            return False
        if name == "sem_timedwait":
            return registers[self._context.arch.arguments[1]] == 0
        back = breakpoints.return_address(task.tid, self._context.arch, registers)
        return any(
            found[1] == "sem_timedwait" and 0 < back - place < _LONGEST
            for place, found in places.items()
        )

    def may_break(self, pid: int) -> bool:
        """Whether breakpoints are harmless to a process: a trap that it ignores or catches would
        change that.

        Attached, there are none: if we were killed, they would stay behind in the program and end
        it.
        """
        if not self._context.policy.may_touch:
            return False
        process = self._context.state.processes.get(pid)
        return process is None or ptrace.SIGTRAP not in process.handling

    def prepare_load(self, task: Task, info: ptrace.SyscallInfo) -> Entered | None:
        """A thread is about to map a library.

        Returns the call if its address is wanted, for `handle_load`.
        """
        process = task.process
        path = (
            procfs.read_link(process.pid, info.args[4] & 0x7FFFFFFF)
            if self._context.policy.may_touch
            else None
        )
        if not path or not self._is_wanted_file(task, path):
            return None
        return Entered("mmap", info.number, info.args, {}, self._context.emitter.now(), path=path)

    def handle_load(self, task: Task, path: str, start: int, offset: int) -> None:
        """A thread has mapped a file executable in which the functions may be, and something calls
        them.
        """
        process = task.process
        if self.may_break(process.pid):
            readable = f"/proc/{process.pid}/root{path}"
            breakpoints.insert_breakpoints(
                process, task.tid, self._context.arch, readable, start, offset
            )

    def _is_wanted_file(self, task: Task, path: str) -> bool:
        """Whether breakpoints belong into a file that is mapped executable.

        If it is the first that calls the functions, they are set in what has them already.
        """
        process = task.process
        if breakpoints.holds_semaphores(path):
            return process.calls_semaphores
        if not process.calls_semaphores and elf.may_call(
            f"/proc/{process.pid}/root{path}", breakpoints.FUNCTIONS
        ):
            process.calls_semaphores = True
            self._set_where_mapped(task)
        return False

    def _set_where_mapped(self, task: Task) -> None:
        for line in maps.read_maps(task.process.pid) or ():
            if "x" in line.perms and breakpoints.holds_semaphores(line.path):
                self.handle_load(task, line.path, line.start, line.offset)

    @staticmethod
    def has_to_load(kind: elf.ElfClass | None) -> bool:
        """Whether a program of this kind has none of the functions before it maps libraries."""
        return (
            kind is not None
            and not kind.static
            and not breakpoints.holds_semaphores(kind.interpreter)
        )

    def handle_execve(self, task: Task, program: str, kind: elf.ElfClass | None) -> None:
        """A process runs a new program (a path to it).

        The kernel itself has mapped a static one, and musl's loader.
        """
        process = task.process
        if kind is None or not self._context.policy.may_touch:
            return
        process.calls_semaphores = kind.static or elf.may_call(program, breakpoints.FUNCTIONS)
        if kind.static:
            if elf.function_addresses(program, breakpoints.FUNCTIONS) and self.may_break(
                process.pid
            ):
                for line in maps.read_maps(process.pid) or ():
                    if "x" in line.perms and line.path.startswith("/"):
                        breakpoints.insert_breakpoints(
                            process, task.tid, self._context.arch, program, line.start, line.offset
                        )
        elif breakpoints.holds_semaphores(kind.interpreter) and process.calls_semaphores:
            self._set_where_mapped(task)

    @staticmethod
    def in_the_way(effects: tuple[AnyEffect, ...]) -> bool:
        """Whether a process has just begun to ignore or catch SIGTRAP: the kernel's forced one
        would undo that.
        """
        return any(
            isinstance(e, Disposition) and e.signo == ptrace.SIGTRAP and e.action != "default"
            for e in effects
        )

    def stand_aside(self, task: Task) -> None:
        """Take a process's breakpoints out: it has a use of its own for SIGTRAP."""
        if task.process.breakpoints:
            self._remove_breakpoints(task, "it handles SIGTRAP itself")

    def set_again(self, task: Task) -> None:
        """Put breakpoints back that cost too much: the process has memory now in which others can
        wait for it.

        CPython makes a semaphore of libc for each of its locks, and uses so many while it starts
        that it is soon over the budget; what it shares with others comes later.
        """
        process = task.process
        if process.breakpoints or not process.retired or not self.may_break(process.pid):
            return
        process.operations.fill()
        self._set_where_mapped(task)
        if process.breakpoints:
            self._context.set_coverage(
                process,
                full=process.full,
                reason="it shares memory now",
                semaphores=True,
            )

    def _remove_breakpoints(self, task: Task, reason: str) -> None:
        breakpoints.remove_all(task.process, task.tid, self._context.arch)
        self._context.set_coverage(
            task.process,
            full=task.process.full,
            reason=reason,
            semaphores=False,
        )

    def find_operation(
        self, task: Task, address: int
    ) -> tuple[str, SemaphoreInfo, int | None] | None:
        """What a thread at a breakpoint is about to do: the operation, the semaphore, its value
        now.

        None if it has done so already, or if there is no breakpoint any more.
        """
        found = task.process.breakpoints.get(address)
        registers = ptrace.get_registers(task.tid, self._context.arch)
        if (
            found is None
            or registers is None
            or task.step_over == address
            or self.is_nested(task, address)
        ):
            return None
        op = found[1].removeprefix("sem_")
        return op, *self._locate_semaphore(
            task.process.pid, op, registers[self._context.arch.arguments[0]]
        )

    def _locate_semaphore(
        self, pid: int, op: str, address: int
    ) -> tuple[SemaphoreInfo, int | None]:
        """The semaphore at an address, and its value; None if it has none yet, or can't be read."""
        places = self._places.setdefault(pid, {})
        info = places.get(address) if op != "init" else None
        if info is None:
            lines = self._lines.setdefault(pid, [])
            line = maps.line_at(lines, address)
            if line is None:
                line = maps.read_line(pid, address)
                if line is not None:
                    lines.append(line)
            info = semaphores.locate_semaphore((line,) if line is not None else (), address, pid)
            info = places[address] = self._sampler.semaphores.restore_name(info)
        raw = memory.read_bytes(pid, address, 16)
        return info, (
            semaphores.decode_semaphore(raw)[0]
            if raw is not None and len(raw) == 16 and op != "init"
            else None
        )

    def _semaphore_op(
        self, task: Task, op: str, registers: list[int]
    ) -> tuple[SemaphoreInfo, int | None]:
        """Say what a thread is about to do. Returns to which semaphore, and its value now."""
        pid = task.process.pid
        address, second, third = (registers[i] for i in self._context.arch.arguments[:3])
        info, value = self._locate_semaphore(pid, op, address)
        self._sampler.semaphores.add_semaphore(info, pid, address)
        self._context.emit(
            SemaphoreOp(
                pid=pid,
                tid=task.tid,
                op=op,
                semaphore=info,
                value=value,
                initial=third & 0xFFFFFFFF if op == "init" else None,
                shared=(
                    bool(second & 0xFFFFFFFF)
                    if op == "init"
                    else not info.key.startswith("sem:vm:")
                ),
            )
        )
        if op == "destroy":
            self._sampler.semaphores.forget_semaphore(info.key)
        task.took = (info.key, address) if value and op in WAITS else ("", 0)
        if value == 0 and op in WAITS:
            self._begin_wait(task, info.key, address)
            task.wait.timed = op != "wait"
        return info, value

    # Waits.

    def _begin_wait(self, task: Task, key: str, address: int) -> None:
        task.semaphore = key
        task.wait = SemaphoreWait(address=address, depth=self._count_handlers(task))

    def _begin_trywait(
        self, task: Task, name: str, registers: list[int], info: SemaphoreInfo, value: int | None
    ) -> None:
        """A thread is about to do something: see what becomes of sem_trywait, where others may be
        quicker.

        Not of semaphores on a program's heap: an interpreter takes its locks so, thousands in a
        second.
        """
        arch = self._context.arch
        if task.trying.address:
            returns.set_registers(task.tid, arch, task.watchpoints)
            task.trying = returns.NOTHING
        thread = self._context.state.threads.get(task.tid)
        blocked = thread is not None and thread.blocked & breakpoints.SIGTRAP_BIT
        if name != "sem_trywait" or value is None or info.heap or blocked:
            return
        back = breakpoints.return_address(task.tid, arch, registers)
        if returns.set_registers(task.tid, arch, task.watchpoints, back):
            task.trying = returns.Trying(
                back, registers[arch.sp] + arch.return_room, info.key, found=value > 0
            )

    def _end_trywait(self, task: Task, registers: list[int]) -> None:
        """A thread has come to where sem_trywait returns to."""
        trying, arch = task.trying, self._context.arch
        if registers[arch.sp] != trying.sp:
            return  # a handler's that ran in between
        task.trying = returns.NOTHING
        returns.set_registers(task.tid, arch, task.watchpoints)
        found = self._context.state.semaphores.get(trying.key)
        got = not registers[arch.result] & 0xFFFFFFFF
        if found is not None and got != trying.found:
            self._emit_operation(task, "gained" if got else "missed", found.info)

    def _count_handlers(self, task: Task) -> int:
        """Handlers of signals that a thread is inside."""
        thread = self._context.state.threads.get(task.tid)
        return len(thread.handlers) if thread is not None else 0

    def enters_futex(self, task: Task, raw: tuple[int, ...]) -> None:
        """A thread that waits for a semaphore, or has just found one above 0, is let into
        futex(2).
        """
        if not task.semaphore:
            key, address = task.took
            found = self._context.state.semaphores.get(key)
            task.took = ("", 0)
            if raw[0] != address or not futexes.is_wait(raw[1]) or found is None:
                return
            self._emit_operation(task, "overtaken", found.info)
            self._begin_wait(task, key, address)
        task.wait.slept = task.wait.sleeps = True
        task.wait.error, task.wait.refused = 0, False

    def leaves_futex(self, task: Task, error: int) -> None:
        """It comes out of it, with an error number (0 if it was woken).

        EINTR may still mean that the kernel makes the call again: that shows later.
        """
        task.wait.sleeps = False
        task.wait.error = error
        if error == errno.ETIMEDOUT:
            self.end_wait(task)

    def end_wait(self, task: Task) -> None:
        """A thread that waited for a semaphore does something else now: it has it, or has given up.

        What it does in a handler that has run meanwhile says nothing of that.
        """
        if not task.semaphore or self._count_handlers(task) > task.wait.depth:
            return
        key, task.semaphore = task.semaphore, ""
        found = self._context.state.semaphores.get(key)
        if found is None:
            return
        error = task.wait.error or (errno.ETIMEDOUT if task.wait.refused else 0)
        failed = error in _GIVEN_UP
        name = errno.errorcode[error] if failed else ""
        self._emit_operation(task, "gave-up" if failed else "acquired", found.info, error=name)

    def seen_running(self, task: Task) -> None:
        """A sample found a thread that waits for a semaphore outside of futex(2)."""
        task.wait.running += 1
        if (
            (task.wait.slept or task.wait.running > _ALREADY_RUNNING)
            and not task.wait.sleeps
            and not task.wait.error
        ):
            self.end_wait(task)

    def end_thread(self, task: Task) -> None:
        """A thread ends: if it was woken, it had its semaphore; one that is killed in its sleep
        never had it.
        """
        if task.wait.slept and not task.wait.sleeps and not task.wait.error:
            self.end_wait(task)
        task.semaphore = ""

    def _emit_operation(
        self,
        task: Task,
        op: str,
        info: SemaphoreInfo,
        value: int | None = None,
        initial: int | None = None,
        error: str = "",
    ) -> None:
        self._context.emit(
            SemaphoreOp(
                pid=task.process.pid,
                tid=task.tid,
                op=op,
                semaphore=info,
                value=value,
                initial=initial,
                error=error,
            )
        )

    def waits_unseen(self, task: Task) -> None:
        """A thread sleeps on a semaphore, and nothing was seen of that but its sleep: say so, once
        for each program.
        """
        process = task.process
        if process.breakpoints or process.retired or process.blind:
            return
        if not self._context.policy.may_touch:
            return
        process.blind = True
        reason = "libc's functions were not found in it, as in a static program without symbols"
        if not process.calls_semaphores:
            reason = "nothing that it has loaded calls libc's functions by their names"
        if not self.may_break(process.pid):
            reason = "it handles SIGTRAP itself"
        self._context.set_coverage(process, full=process.full, reason=reason, semaphores=False)

    # What system calls tell of semaphores.

    def after_call(
        self, task: Task, entered: Entered, result: int, effects: Iterable[AnyEffect]
    ) -> None:
        """A call has succeeded: semaphores may lie elsewhere now, or have been opened, named, or
        removed.
        """
        name, pid, looks = entered.name, task.process.pid, self._sampler.semaphores
        if name in _MAPPINGS:
            self.forget_places(pid)
        elif name in _NAMES:
            self.forget_places()
        for effect in effects:
            if isinstance(effect, Closed) and entered.object:
                self._emit_opened(task, entered.object)
            elif isinstance(effect, Filed) and effect.action == "linked" and _is_named(effect):
                looks.note_link(effect.object, "/" + effect.name.removeprefix(_FILE))
        if name == "mmap":
            self._handle_mapping(task, entered, result, effects)
        elif name in _SEGMENTS:
            looks.add_named(pid)
        elif name == "semctl" and entered.args.get("cmd") == "IPC_RMID":
            looks.forget_set(entered.raw[0])
        elif name in _SYSTEM_V:
            semid = result if name == "semget" else entered.raw[0]
            looks.use_system_v(pid, semid)
            if name not in CHANGES_SEMAPHORES:
                self._sampler.sets_now(semid)

    def _emit_opened(self, task: Task, key: str) -> None:
        """sem_open ends with closing the semaphore's file, which is mapped by then."""
        thing = self._context.state.objects.get(key)
        if thing is None or not thing.info.path.startswith(SHM + _FILE):
            return
        found = self._sampler.semaphores.read_opened(task.process.pid, key)
        if found is not None:
            info, value, made = found
            self._emit_operation(task, "open", info, value, value if made else None)

    def _handle_mapping(
        self, task: Task, entered: Entered, result: int, effects: Iterable[AnyEffect]
    ) -> None:
        prot, flags, offset = entered.raw[2], entered.raw[3], entered.raw[5]
        process = task.process
        if flags & 1:
            if any(isinstance(e, Mapped) and e.object.path.startswith(SHM) for e in effects):
                self._sampler.semaphores.add_named_at(process.pid, result)
            if prot & 2:
                self.set_again(task)
        thing = self._context.state.objects.get(entered.object)
        path = (
            thing.info.path
            if thing is not None and prot & 4 and self._context.policy.may_touch
            else ""
        )
        if path and self._is_wanted_file(task, path):
            self.handle_load(task, path, result, offset)


def _has_returned(task: Task) -> bool:
    """Whether the trap that a thread stands at is that of its debug register."""
    info = ptrace.signal_info(task.tid)
    return info is not None and info.code == TRAP_HWBKPT


def _is_named(effect: Filed) -> bool:
    """Whether a name is one of those that glibc gives the files of named semaphores."""
    return effect.folder + "/" == SHM and effect.name.startswith(_FILE)
