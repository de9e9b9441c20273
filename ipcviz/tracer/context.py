"""What the parts of the tracer share while one session runs."""

from __future__ import annotations

import time
from typing import Final

from ipcviz.events import Breakpoint, Counted, Coverage, Event, Exited, Forked, Sample
from ipcviz.events.kinds import CONNECTIONLESS
from ipcviz.kernel import descriptors, procfs
from ipcviz.kernel.arch import Arch, call_names
from ipcviz.model.state import State
from ipcviz.tracer.budget import Budget, Price
from ipcviz.tracer.calls.plans import errno_name
from ipcviz.tracer.config import AnyConfig
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.exchanges import Exchanges
from ipcviz.tracer.moving import Moving
from ipcviz.tracer.numbers import Numbers
from ipcviz.tracer.tasks import Task, TracedProcess
from ipcviz.tracer.tripwire import Tripwire

LATE: Final = "there is more to tell than can be shown in time"
SESSION_CALLS: Final = 2.0
"""Data calls a second that are told of all processes together, as so many times one process's
budget.
"""
LEAST_SHARE: Final = 10.0
"""Data calls a second that there is to be room for of each process: where there are so many
processes that there is not, a new one is not stopped at its data calls from the start."""
BIRTHS: Final = 20.0
"""How many new processes a second may be made, where there are so many, by those whose data calls
are told: at each fork they stop at its entry and its return, too."""
CALLS_SECONDS: Final = 0.75
"""How many seconds' worth of these may be made at once."""
SESSION_MARKS: Final = 4.0
"""The same of structural calls and signals."""
MARKS_SECONDS: Final = 2.0
"""How many seconds' worth of structural calls may be made at once: to start a large program takes
some thousand.
"""

_TELL_OF_PARENTS: Final = frozenset({Forked, Exited, Sample})


class Context:
    """One session's traced processes, its stream, and its numbers.

    Args:
        arch: This machine's.
        config: Modes and budgets.
        emitter: Where events go.
    """

    def __init__(self, arch: Arch, config: AnyConfig, emitter: Emitter) -> None:
        self.arch = arch
        self.config = config
        self.emitter = emitter
        self.names = call_names(arch.table)
        self.processes: dict[int, TracedProcess] = {}
        self.tasks: dict[int, Task] = {}
        self.parents: set[int] = set()
        """Processes that are, or were once, the parent of a watched one."""
        self.numbers = Numbers()
        self.policy = config.policy
        """What may be done with the processes, and what is known of them."""
        self.session_calls = Budget(
            config.budget * SESSION_CALLS, config.budget * SESSION_CALLS * CALLS_SECONDS
        )
        """What all processes together may make of data calls."""
        self.session_marks = Budget(
            config.budget * SESSION_MARKS, config.budget * SESSION_MARKS * MARKS_SECONDS
        )
        """The same of structural calls and signals."""
        self._births = Budget(BIRTHS)
        self.price = Price()
        """What each stop costs that one of the budgets pays for."""
        self.stops_always = False
        """Whether threads stop at every call, since there is no filter that marks some: then none
        can be passed by.
        """
        self.holding = False
        """Step mode: threads stop at all calls, and are held there."""
        self.tripwire = Tripwire()
        """The breakpoints that are waited for."""
        self.go_first = not self.watches_variables
        """Whether threads are resumed before what they did is emitted: nobody means to hold them
        there, and no variable in their memory is watched."""
        self.imposes_no_new_privs = False
        """What was launched has no_new_privs because our filter needs it, and would not have it
        alone.
        """
        self._ofd = 0
        self._asked_of = emitter.state
        self._keys: dict[tuple[int, int], str] = {}
        """What `object_of` found in that state."""
        self.moving = Moving(lambda: self.state, emitter.now, _is_asleep, self.emit)
        """The calls under way that move bytes through channels."""
        self.exchanges = Exchanges(lambda: self.state, _is_asleep, self.emit)
        """The calls under way that send by other ways."""

    @property
    def state(self) -> State:
        """The state after the last event."""
        return self.emitter.state

    @property
    def watches_variables(self) -> bool:
        """Whether loads and stores of variables are seen: some are named, and it is step mode, was
        when the command began, or every call is stopped at.
        """
        config = self.config
        return bool(config.variables) and (config.full or config.hold or self.holding)

    def set_holding(self, *, holding: bool) -> None:
        """Hold threads at their stops from here on, or no more."""
        self.holding = holding
        self._choose_order()

    def wait_for(self, points: tuple[Breakpoint, ...]) -> None:
        """Wait for these breakpoints, and for no others."""
        self.tripwire.arm_points(points)
        self._choose_order()

    def _choose_order(self) -> None:
        self.go_first = not (self.holding or self.tripwire.points or self.watches_variables)

    def now(self) -> float:
        """Session seconds."""
        return self.emitter.now()

    def emit(self, event: Event) -> None:
        """Number an event, give it the time if it has none, and take it into the state and the
        stream.
        """
        self.emitter.emit(event)
        if event.__class__ in _TELL_OF_PARENTS:
            self._note_parents(event)
        if self.tripwire.points:
            self.tripwire.check_event(event, self.emitter.state)

    def _note_parents(self, event: Event) -> None:
        if isinstance(event, Forked):
            self.parents.add(event.parent)
        elif isinstance(event, Exited):
            self.parents.update(orphan.reaper for orphan in event.orphans)
        elif isinstance(event, Sample):
            self.parents.update(row.ppid for row in event.processes)

    def next_ofd(self) -> int:
        """A new number for an open file description."""
        self._ofd += 1
        return self._ofd

    def object_of(self, pid: int, fd: int) -> str:
        """Key of the object behind a process's descriptor; empty if there is none."""
        state = self.emitter.state
        if state is not self._asked_of:
            self._asked_of = state
            self._keys.clear()
        key = self._keys.get((pid, fd))
        if key is None:
            found = state.object_at(pid, fd)
            key = self._keys[pid, fd] = found.info.key if found is not None else ""
        return key

    def same_as(self, pid: int, fd: int, key: str) -> int:
        """Number of the known open file description of that object that a descriptor shares (kcmp);
        0 if none.
        """
        for process in self.state.processes.values():
            if process.fate != "alive":
                continue
            for other, descriptor in self.state.descriptors_of(process.pid).items():
                found = self.state.open_files.get(descriptor.ofd)
                if (
                    found is not None
                    # An anonymous inode's key is its description's number, and a new one was just
                    # made up.
                    and (
                        found.object == key
                        or (key.startswith("anon:") and found.object.startswith("anon:"))
                    )
                    and (process.pid, other) != (pid, fd)
                    and descriptors.same_description(pid, fd, process.pid, other)
                ):
                    return descriptor.ofd
        return 0

    def under_way(self, key: str) -> tuple[tuple[int, str], ...]:
        """Open file descriptions that wait in a socket to be received, those sent first first:
        numbers and objects.
        """
        files = self.state.open_files
        flights = self.state.flights.get(key, ())
        return tuple(
            (ofd, files[ofd].object) for flight in flights for ofd in flight.ofds if ofd in files
        )

    def is_unbound(self, key: str) -> bool:
        """Whether nothing is known of a UDP socket's own address."""
        thing = self.state.objects.get(key)
        return thing is not None and thing.info.kind in CONNECTIONLESS and not thing.info.local

    def stops_at_all_calls(self, pid: int) -> bool:
        """Whether every thread of a process stops at each data call that it makes, from where it is
        now.
        """
        process = self.processes.get(pid)
        return (
            process is not None
            and process.full
            and process.executed
            and not process.foreign
            and all(task.stops for task in process.tasks.values())
        )

    def new_process(self, pid: int) -> TracedProcess:
        """A process with full budgets."""
        rate = self.config.budget
        return TracedProcess(
            pid,
            calls=Budget(rate),
            operations=Budget(rate),
            marks=Budget(rate, rate * MARKS_SECONDS),
        )

    def breakpoints_over_budget(self, process: TracedProcess) -> bool:
        """Count a breakpoint of a process; True if it reaches too many of them to stop at each."""
        return not (self.config.full or self.holding or process.operations.spend(self.price.units))

    def calls_over_budget(self, process: TracedProcess) -> str:
        """Count a data call of a process; why there are too many of them to stop at each, empty if
        there are not.
        """
        if self.config.full or self.holding:
            return ""
        if not process.calls.spend(self.price.units):
            return f"more than {self.config.budget:,.0f} data calls a second"
        if process.full:
            if not self.session_calls.spend(self.price.units):
                return (
                    f"all processes together make more than {self.session_calls.rate:,.0f} data"
                    " calls a second"
                )
            if self.emitter.late:
                return LATE
        return ""

    def too_many_processes(self) -> str:
        """Why a new process is not to be stopped at each data call from its start on; empty if it
        may be.
        """
        if self.config.full or self.holding or self.stops_always or not self.policy.from_start:
            return ""
        most = self.session_calls.rate / LEAST_SHARE
        return f"there are more than {most:,.0f} processes" if len(self.processes) > most else ""

    def births_over_budget(self) -> bool:
        """Count a process made where there are too many of them; True if more are made than those
        who make them can be stopped for at their data calls.
        """
        return not self._births.spend(self.price.units)

    def marks_over_budget(self, process: TracedProcess) -> str:
        """Count a structural call of a process, or a signal; why there are too many, empty if there
        are not.
        """
        if self.config.full or self.holding or self.stops_always:
            return ""
        if not process.marks.spend(self.price.units):
            return f"more than {self.config.budget:,.0f} calls and signals a second"
        if not self.session_marks.spend(self.price.units):
            return (
                f"all processes together make more than {self.session_marks.rate:,.0f} calls and"
                " signals a second"
            )
        return LATE if self.emitter.late else ""

    def count_marks(self, process: TracedProcess, reason: str) -> None:
        """From here on a process's structural calls and signals are only counted."""
        process.counting = process.doubted = True
        process.counted_at = time.monotonic()
        for task in process.tasks.values():
            task.frames.clear()
        self.set_coverage(process, full=False, reason=reason, calls=False)

    def emit_counted(self, process: TracedProcess) -> None:
        """Say how many stops of a process were only counted, if any were."""
        process.counted_at = time.monotonic()
        if not process.counted and not process.counted_signals:
            return
        calls = {
            self.names.get(number, f"call {number}"): times
            for number, times in process.counted.items()
        }
        signals = dict(process.counted_signals)
        errors = {
            self.names.get(number, f"call {number}"): errno_name(code)
            for number, code in process.counted_errors.items()
        }
        process.counted.clear()
        process.counted_errors.clear()
        process.counted_signals.clear()
        self.emit(Counted(pid=process.pid, calls=calls, signals=signals, errors=errors))

    def set_coverage(
        self,
        process: TracedProcess,
        *,
        full: bool,
        reason: str,
        semaphores: bool | None = None,
        calls: bool | None = None,
    ) -> None:
        """From here on a process's data calls are all traced, or not; and what it does with
        semaphores.
        """
        process.full = full
        process.catching = False
        process.doubted |= not full
        for _, file in self.state.descriptions_of(process.pid):
            self.moving.touch_channel(file.object)
        process.quiet_since = 0.0
        if full:
            process.calls.fill()
            if process.counting:
                process.counting, calls = False, True
                process.marks.fill()
        self.emit(
            Coverage(
                pid=process.pid,
                full=full,
                reason=reason,
                semaphores=semaphores,
                calls=calls,
            )
        )


def _is_asleep(pid: int, tid: int) -> bool:
    look = procfs.read_stat(pid, tid)
    return look is not None and look.state == "S"
