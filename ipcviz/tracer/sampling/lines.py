"""The source lines of threads at rest: in step mode of all, else of the process that a viewer has
selected.

A thread that is held tells its registers. Of one that was let into a call while it was watched in
step mode they are kept, since the kernel tells a sleeping thread's stack pointer and program
counter alone.

    held, or at the entry of a call      its registers, and its memory
    blocked in a call, registers kept    those, and its memory
    blocked in a call                    stack pointer and program counter, and its memory
    a Python                             its interpreter's frames, from its memory

What one reading costs is bounded: it is made once for each place that a thread is at, and not any
more where the program has no lines, or where to read them takes too long.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from ipcviz.events.lines import Language, Located, Missing
from ipcviz.kernel import maps, procfs, ptrace, python_frames, source
from ipcviz.kernel.debug_info import SourceLine
from ipcviz.kernel.python_frames import MOST_TEXT, PythonLine
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Task, TracedProcess

EVERY: Final = 0.5
"""Seconds between two readings of the selected process, outside of step mode."""
MOST_SECONDS: Final = 1.0
"""CPU time that a reading may take, but for a program's first: there its debug information is
parsed."""
MOST_FAILURES: Final = 20
"""Readings in a row that may find no frames of a Python interpreter: it has none while it starts.
"""
_BEHIND: Final = frozenset({"entry", "return", "semaphore", "access"})
"""Where a thread is held so that the instruction which it is about is behind it."""


@dataclass
class _ProgramLines:
    """What is known of the lines of the program that a process runs.

    Attributes:
        language: Where lines are read from.
        missing: Why there are none; empty if there are.
        readings: How many were made.
        failures: How many in a row have found nothing.
    """

    language: Language = "compiled"
    missing: Missing = ""
    readings: int = 0
    failures: int = 0


class LineLooks:
    """Reads source lines.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._programs: dict[int, _ProgramLines] = {}
        self._chosen = 0
        self._due = 0.0

    def choose_process(self, pid: int) -> None:
        """Read the lines of this process's blocked threads from now on; of none with 0."""
        self._chosen, self._due = pid, 0.0

    def forget(self, pid: int) -> None:
        """A process has ended, or runs another program."""
        self._programs.pop(pid, None)

    def read_at_rest(self) -> None:
        """Step mode, all is at rest: emit the lines of the threads that have moved."""
        for process in list(self._context.processes.values()):
            self._read_process(process)

    def read_chosen(self) -> None:
        """A live run: emit the lines of the selected process's threads that have been blocked for
        more than a sample.
        """
        process = self._context.processes.get(self._chosen)
        now = time.monotonic()
        if process is None or now < self._due or self._context.holding:
            return
        self._due = now + EVERY
        self._read_process(process)

    def _read_process(self, process: TracedProcess) -> None:
        pid = process.pid
        if process.foreign or not process.executed:
            return
        moved = [task for task in process.tasks.values() if self._note_place(task)]
        program = self._find_program(pid) if moved else None
        if program is None or program.missing:
            return
        began = time.thread_time()
        if program.language == "python":
            self._read_python(pid, program, moved)
        else:
            for task in moved:
                self._read_compiled(task)
        program.readings += 1
        if program.readings > 1 and time.thread_time() - began > MOST_SECONDS:
            self._give_up(pid, program, "time")

    def _note_place(self, task: Task) -> bool:
        """Whether a thread is at rest at another place than when it was last asked about."""
        place: object = None
        if self._context.holding:
            place = task.steps.held or task.entered
        if place is None:
            # The state has what the samples say that it is blocked in.
            thread = self._context.state.threads.get(task.tid)
            place = thread.waiting if thread is not None else None
        if place is task.located:
            return False
        task.located = place
        return place is not None

    def _find_program(self, pid: int) -> _ProgramLines | None:
        """What is known of the lines of a process's program; None if it is gone."""
        program = self._programs.get(pid)
        if program is not None:
            return program
        lines = maps.read_maps(pid)
        if not lines:
            return None
        program = self._programs[pid] = _ProgramLines()
        if python_frames.runs_python(pid, lines):
            program.language = "python"
            if not python_frames.can_read_frames():
                self._give_up(pid, program, "pystack")
        elif not source.has_debug_info(lines, f"/proc/{pid}/root"):
            self._give_up(pid, program, "debug information")
        return program

    def _give_up(self, pid: int, program: _ProgramLines, missing: Missing) -> None:
        program.missing = missing
        self._context.emit(Located(pid=pid, tid=pid, language=program.language, missing=missing))

    def _read_python(self, pid: int, program: _ProgramLines, tasks: Iterable[Task]) -> None:
        before = {task.tid: self._read_call(task) for task in tasks}
        found = python_frames.read_lines(pid)
        program.failures = program.failures + 1 if found is None else 0
        if program.failures > MOST_FAILURES:
            self._give_up(pid, program, "frames")
        for task in tasks:
            line = (found or {}).get(task.tid)
            call = before[task.tid]
            stayed = call is not None and not call.running and self._read_call(task) == call
            if line is not None and (self._context.holding or stayed):
                self._emit(task, line, "python")

    def _read_call(self, task: Task) -> procfs.SyscallLine | None:
        """What a thread sleeps in that nobody holds: if it is the same afterwards, it has not run
        meanwhile.
        """
        if self._context.holding:
            return None
        return procfs.read_syscall(task.process.pid, task.tid)

    def _read_compiled(self, task: Task) -> None:
        pid, tid, arch = task.process.pid, task.tid, self._context.arch
        find_mapping, root = partial(maps.read_line, pid), f"/proc/{pid}/root"
        held, registers = task.steps.held, task.steps.registers
        behind = True
        if held is not None:
            registers = ptrace.get_registers(tid, arch)
            behind = held.poised.at in _BEHIND
            if held.poised.at == "semaphore":
                behind = arch.trap_skip > 0
        if registers is not None:
            found = source.find_source(pid, arch, registers, find_mapping, root, behind=behind)
            line = found.line
        elif held is None:
            line = source.find_blocked_source(pid, tid, arch, find_mapping, root)
        else:
            line = None  # It has been killed.
        if line is not None:
            self._emit(task, line, "compiled")

    def _emit(self, task: Task, line: SourceLine | PythonLine, language: Language) -> None:
        self._context.emit(
            Located(
                pid=task.process.pid,
                tid=task.tid,
                file=line.file[:MOST_TEXT],
                line=line.line,
                function=line.function[:MOST_TEXT],
                language=language,
            )
        )
