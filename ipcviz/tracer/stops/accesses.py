"""Stops at loads and stores of watched variables, by debug registers (`ipcviz.kernel.watchpoints`).

A variable is watched in each process that has it in its memory, and in each of its threads: debug
registers belong to one thread, are not inherited, and are cleared by execve(2). Where it lies is
looked up when the process executes a program, maps memory, or stores the pointer that leads there:

    shared = mmap(..)      a stop at the call's return: `shared` is still NULL, so the pointer
                           itself is watched
    (the store to shared)  a stop behind it: the variable is found behind the pointer
    shared->counter++      a stop behind each load and store

A register that stops at loads stops at stores, too. Which of them it was tells a second register on
the same place that stops at stores alone, as long as there is one for each variable; else the
instruction, where it can be decoded; else whether the value has changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

import msgspec

from ipcviz.events import Trouble
from ipcviz.events.accesses import (
    Accessed,
    Operation,
    VariableFound,
    VariableInfo,
    VariableSpec,
)
from ipcviz.kernel import instructions, maps, memory, ptrace, source, unwinding, variables
from ipcviz.kernel.maps import MapLine
from ipcviz.kernel.watchpoints import (
    REGISTERS,
    TRAP_HWBKPT,
    On,
    Watchpoint,
    find_touched,
    read_hits,
    set_watchpoints,
)
from ipcviz.tracer.context import Context
from ipcviz.tracer.returns import set_registers
from ipcviz.tracer.tasks import Task, TracedProcess

SIGTRAP_BIT: Final = 1 << ptrace.SIGTRAP - 1
_POINTER: Final = 8
MOST_CODE: Final = 4096
"""Instructions of one process that are remembered."""


class _Executed(NamedTuple):
    """What a thread did that had stopped before it.

    Attributes:
        hits: Places of the watchpoints that it touched.
        instruction: What it did; that of a sequence, by its first one.
    """

    hits: frozenset[int]
    instruction: instructions.Instruction


@dataclass
class _Watched:
    """What of one process is watched.

    Attributes:
        found: Address of each variable that was found, by its place among the declared ones.
        infos: Those variables.
        pointers: Addresses of pointers that lead to others, once they hold something.
        missing: Variables that can't be found in the program that runs: not looked for again.
        points: What the debug registers of its threads are to watch.
        lines: Its mappings; None if they are to be read again.
        code: What is known of instructions, by the address behind them, as long as the mappings
            are these: a loop makes the same accesses again and again.
    """

    found: dict[int, int] = field(default_factory=dict)
    infos: dict[int, VariableInfo] = field(default_factory=dict)
    pointers: dict[int, int] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)
    points: tuple[Watchpoint, ...] = ()
    lines: list[MapLine] | None = None
    code: dict[int, tuple[source.SourcePosition, instructions.Instruction | None]] = field(
        default_factory=dict
    )


class AccessStops:
    """Watches variables, and tells of each load and store.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._specs: tuple[VariableSpec, ...] = context.config.variables[:REGISTERS]
        self._watched: dict[int, _Watched] = {}
        self._values: dict[str, bytes] = {}
        self._refused = False
        self._told: set[str] = set()

    @property
    def active(self) -> bool:
        """Whether loads and stores are seen."""
        return bool(self._specs) and self._context.watches_variables

    # Where variables lie.

    def forget_process(self, pid: int) -> None:
        """A process has ended, or executed a program: what it had in its memory is gone."""
        self._watched.pop(pid, None)

    def inherit_variables(self, parent: int, child: int) -> None:
        """A fork: the child has what its parent has, at the same addresses."""
        known = self._watched.get(parent)
        if known is None:
            return
        self._watched[child] = mine = _Watched(
            dict(known.found), {}, dict(known.pointers), set(known.missing), known.points
        )
        for place, info in known.infos.items():
            address = known.found[place]
            if info.object:
                mine.infos[place] = info
            else:
                private = msgspec.structs.replace(info, key=variables.private_key(child, address))
                self._emit_found(child, place, private, address, mine)

    def locate_variables(self, process: TracedProcess) -> None:
        """A process has mapped memory, executed a program or stored a pointer: find what is not
        found yet, and what is no longer where it was.
        """
        pid = process.pid
        mine = self._watched.setdefault(pid, _Watched())
        lines = maps.read_maps(pid) or []
        mine.lines, mine.code = lines, {}
        root = f"/proc/{pid}/root"
        pointers: dict[int, int] = {}
        for place, spec in enumerate(self._specs):
            if place in mine.missing:
                continue
            at = variables.locate_variable(pid, spec, lines, root)
            if at.info is None:
                mine.found.pop(place, None)
                if at.address:
                    pointers[place] = at.address
                if at.missing:
                    mine.missing.add(place)
                    self._emit_trouble(pid, f"{spec.name} is not watched: {at.missing}.")
                continue
            info = at.info
            if not info.object:
                info = msgspec.structs.replace(info, key=variables.private_key(pid, at.address))
            if mine.found.get(place) != at.address or mine.infos.get(place) != info:
                self._emit_found(pid, place, info, at.address, mine)
        mine.pointers = pointers
        mine.points = self._choose_points(mine)
        for task in process.tasks.values():
            if task.steps.held is not None:
                self.arm_watchpoints(task)

    def _emit_found(
        self, pid: int, place: int, info: VariableInfo, address: int, mine: _Watched
    ) -> None:
        mine.found[place], mine.infos[place] = address, info
        value = memory.read_bytes(pid, address, info.size) or b""
        self._values[info.key] = value
        self._context.emit(VariableFound(pid=pid, variable=info, address=address, value=value))

    def _emit_trouble(self, pid: int, message: str) -> None:
        """Say once what can't be watched."""
        if message not in self._told:
            self._told.add(message)
            self._context.emit(Trouble(pid=pid, message=message))

    def _choose_points(self, mine: _Watched) -> tuple[Watchpoint, ...]:
        """One register for each variable, and a second one that stops at stores alone if there is
        one for all; then pointers.
        """
        places = [
            (mine.found[place], info.size)
            for place, info in sorted(mine.infos.items())
            if place in mine.found
        ]
        points = [Watchpoint(address, size) for address, size in places]
        pointers = dict.fromkeys(mine.pointers.values())
        # Where the thread stops before the instruction, that tells.
        doubles = not self._context.arch.stops_before
        if doubles and len(points) * 2 + len(pointers) <= REGISTERS:
            points += [Watchpoint(address, size, On.STORE) for address, size in places]
        points += [Watchpoint(address, _POINTER, On.STORE) for address in pointers]
        return tuple(points[:REGISTERS])

    # Debug registers.

    def arm_watchpoints(self, task: Task) -> None:
        """Give a stopped thread that is about to go on the watchpoints of its process.

        Not one that blocks or ignores SIGTRAP: the kernel would unblock it there, and set its
        disposition to the default (force_sig_info in kernel/signal.c).
        """
        mine = self._watched.get(task.process.pid)
        points = mine.points if mine is not None and not self._shuts_out(task) else ()
        if points == task.watchpoints:
            return
        tried = task.trying.address if len(points) < REGISTERS else 0
        if set_registers(task.tid, self._context.arch, points, tried):
            if mine is not None and not task.watchpoints:
                self._read_values(task.process.pid, mine)
            task.watchpoints = points
        elif points and not self._refused:
            self._refused = True
            text = (
                "The kernel gives no debug registers: the machine has none, or somebody else uses"
                " them. So loads and stores of variables are not seen; all else is."
            )
            self._context.emit(Trouble(pid=task.process.pid, message=text))
            self._specs = ()

    def tell_taken(self, task: Task) -> None:
        """The program asked for a debug register of its own (perf_event_open(2), HW_BREAKPOINT) and
        got none: say so, if those that variables are watched with could have been its.
        """
        if task.watchpoints:
            process = self._context.state.processes.get(task.process.pid)
            name = process.title if process is not None else f"Process {task.process.pid}"
            self._emit_trouble(
                task.process.pid,
                f"{name} asked for a debug register and got none (ENOSPC): {len(task.watchpoints)}"
                f" of the {REGISTERS} watch variables for ipcviz. Alone it may have got one; watch"
                " fewer variables.",
            )

    def _read_values(self, pid: int, mine: _Watched) -> None:
        """See what variables hold now: a thread that was not watched may have stored them."""
        for place, info in mine.infos.items():
            value = (
                memory.read_bytes(pid, mine.found[place], info.size)
                if place in mine.found
                else None
            )
            if value:
                self._values[info.key] = value

    def _shuts_out(self, task: Task) -> bool:
        state = self._context.state
        thread = state.threads.get(task.tid)
        process = state.processes.get(task.process.pid)
        handling = process.handling.get(ptrace.SIGTRAP) if process is not None else None
        return bool(
            (thread is not None and thread.blocked & SIGTRAP_BIT)
            or (handling is not None and handling.action == "ignore")
        )

    # Stops.

    def handle_trap(self, task: Task) -> tuple[Accessed, ...] | int | None:
        """A thread stands at a SIGTRAP: if one of its watchpoints stopped it, tell what it did.

        Returns:
            The loads and stores of variables; none if it has stored a pointer that leads to one.
            A wait status that came before it could do it. None if no watchpoint on memory stopped
            it.
        """
        points = task.watchpoints
        if not points:
            return None
        info = ptrace.signal_info(task.tid)
        if info is None or info.code != TRAP_HWBKPT:
            return None
        if self._context.arch.stops_before:
            executed = self._execute(task, points, info.address)
            if not isinstance(executed, _Executed):
                return executed
            hits, instruction = executed.hits, executed.instruction
        else:
            hits, instruction = read_hits(task.tid), None
        if not any(number < len(points) for number in hits):
            return None
        hit = [points[number] for number in sorted(hits) if number < len(points)]
        mine = self._watched.get(task.process.pid)
        if mine is None or not hit:
            return ()
        found = []
        for place, address in sorted(mine.found.items()):
            here = [point for point in hit if point.address == address]
            if here and place in mine.infos:
                found.append(
                    self._build_access(task, mine, mine.infos[place], address, here, instruction)
                )
        if any(point.address in mine.pointers.values() for point in hit):
            self.locate_variables(task.process)
        return tuple(found)

    def _execute(
        self, task: Task, points: tuple[Watchpoint, ...], address: int
    ) -> _Executed | int | None:
        """Bring a thread past the instruction that it is stopped before, or past a whole sequence
        that begins with a load-exclusive.

        Its debug registers are taken away meanwhile, and signals wait.

        Args:
            task: The thread, stopped by a debug register.
            points: What its debug registers watch.
            address: What the instruction loads or stores.

        Returns:
            What it has done; a wait status that came instead; None if it is not stopped by one that
            watches memory.
        """
        tid, arch = task.tid, self._context.arch
        registers, mask = ptrace.get_registers(tid, arch), ptrace.get_mask(tid)
        if registers is None or mask is None or address == registers[arch.pc]:
            return None
        pc = registers[arch.pc]
        code = memory.read_bytes(tid, pc, instructions.LONGEST_SEQUENCE) or b""
        if len(code) < instructions.LONGEST_SEQUENCE:
            code = memory.read_bytes(tid, pc, instructions.WORD) or b""
        instruction = instructions.decode_word(code[: instructions.WORD], pc)
        ends = instructions.find_exclusive_ends(code, pc)
        stops = [Watchpoint(end, 1, On.EXECUTION) for end in ends]
        request = ptrace.CONT if ends and set_watchpoints(tid, arch, stops) else ptrace.SINGLESTEP
        if request == ptrace.SINGLESTEP:
            set_watchpoints(tid, arch, ())
        ptrace.set_mask(tid, ptrace.NO_CALL & ~SIGTRAP_BIT)
        resumed = ptrace.resume_thread(tid, request)
        came = ptrace.wait_for_change(tid, block=True) if resumed else None
        if came is None:
            return None  # killed: its end comes by itself
        status = came[1]
        if os.WIFSTOPPED(status):
            ptrace.set_mask(tid, mask)
            set_registers(tid, arch, points, task.trying.address)
        if not os.WIFSTOPPED(status) or status >> 8 != ptrace.SIGTRAP:
            return status
        if ends:
            registers = ptrace.get_registers(tid, arch) or registers
            storing = code[ends[0] - instructions.WORD - pc :]
            stored = (
                request == ptrace.CONT
                and registers[arch.pc] == ends[0]
                and not registers[instructions.find_status_register(storing)]
            )
            last = instructions.decode_word(
                storing[: instructions.WORD], ends[0] - instructions.WORD
            )
            words = f"{instruction.words} ... {last.words}" if stored else instruction.words
            instruction = instruction._replace(words=words, stores=stored)
        hits = find_touched(points, address, stores=instruction.stores)
        return _Executed(hits, instruction)

    def _build_access(
        self,
        task: Task,
        mine: _Watched,
        info: VariableInfo,
        address: int,
        hit: Sequence[Watchpoint],
        instruction: instructions.Instruction | None,
    ) -> Accessed:
        pid = task.process.pid
        after = memory.read_bytes(pid, address, info.size) or b""
        before = self._values.get(info.key, b"")
        self._values[info.key] = after
        where, decoded = self._read_code(task, mine)
        instruction = instruction or decoded
        doubled = any(
            point.on is On.STORE and point.address == address for point in task.watchpoints
        )
        stored = any(point.on is On.STORE for point in hit)
        op: Operation
        if instruction is not None and instruction.loads != instruction.stores:
            op = "store" if instruction.stores else "load"
        elif instruction is not None and instruction.stores:
            op = "update"
        elif doubled:
            op = "store" if stored else "load"
        else:
            op = "store" if before != after else "access"
        event = Accessed(
            pid=pid,
            tid=task.tid,
            variable=info.key,
            op=op,
            before=before,
            after=after,
            # A load leaves the value as it is: if it is another one, somebody else has changed it.
            unseen=op == "load" and before != after,
            file=where.line.file if where.line else "",
            line=where.line.line if where.line else 0,
            instruction=instruction.words if instruction else "",
        )
        self._context.emit(event)
        return event

    def _read_code(
        self, task: Task, mine: _Watched
    ) -> tuple[source.SourcePosition, instructions.Instruction | None]:
        """The source line of the instruction that a thread stands behind, and the instruction."""
        pid, arch = task.process.pid, self._context.arch
        registers = ptrace.get_registers(task.tid, arch)
        if registers is None:
            return source.SourcePosition(None, None), None
        pc = registers[arch.pc]
        if pc in mine.code:
            return mine.code[pc]
        if mine.lines is None:
            mine.lines = maps.read_maps(pid) or []
        find_mapping = partial(maps.line_at, mine.lines)
        where = source.find_source(
            pid, arch, registers, find_mapping, f"/proc/{pid}/root", behind=True
        )
        instruction = None if arch.stops_before else self._decode(pid, pc, where)
        # The line of a caller is that of this call alone.
        if where.is_inner and len(mine.code) < MOST_CODE:
            mine.code[pc] = where, instruction
        return where, instruction

    @staticmethod
    def _decode(pid: int, pc: int, where: source.SourcePosition) -> instructions.Instruction | None:
        """The instruction before an address, decoded from where its function begins."""
        if where.inner is None or not instructions.can_decode():
            return None
        path, address = f"/proc/{pid}/root{where.inner.path}", where.inner.address
        begin = unwinding.find_function(path, address)
        length = 0 if begin is None else address + 1 - begin
        if not 0 < length <= instructions.MAX_FUNCTION:
            return None
        return instructions.decode_last(
            memory.read_bytes(pid, pc - length, length) or b"", pc - length
        )
