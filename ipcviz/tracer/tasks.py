"""What the tracer remembers of each thread and process that it drives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from ipcviz.events import AnyEffect, Poised
from ipcviz.kernel.watchpoints import Watchpoint
from ipcviz.model.ledger.directions import NOWHERE, Directions
from ipcviz.model.steps.visible import ShortWaits
from ipcviz.tracer.budget import Budget
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.calls.remainders import Leg
from ipcviz.tracer.returns import NOTHING, Trying


class Entered(msgspec.Struct):
    """A call that a thread has entered and not left.

    There is one for each call that is looked at: as a struct it is made in a quarter of the time
    that a dataclass takes.

    Attributes:
        name: The call.
        number: Its number.
        raw: Its argument registers.
        args: Its arguments decoded.
        began: When it was let in, in session seconds.
        object: Key of the object behind its descriptor argument at entry.
        data: The first bytes that it is about to move out of the process.
        announced: It was said to be waiting.
        losing: What it is about to do to names, as far as it can be seen only before it is done.
        told: Its entry was seen, and its return will be told of. If not, it is known only to be
            mended.
        mended: It was made again after something cut it short that is not to be felt (see
            `ipcviz.tracer.stops.mend`).
        carried: What earlier parts of it have moved: bytes, messages or events.
        legs: The calls by which its rest is made, the one under way first; none if it is made again
            as it was.
        making: The number of the call that is made for it now.
        since: From when its time limit counts, in session seconds; 0 for `began`.
        until: When its time limit is up, in session seconds; 0 if it has none or the kernel keeps
            it.
        between: That limit ends it only between two legs.
        back: Its thread stands before it, or a leg of it, and has not entered it yet.
        last: What the kernel has returned for its last part.
        code: With which code of the kernel's, below zero, it was first cut short; 0 if it had moved
            something.
        plain: It moves bytes through its descriptor and has no other effect.
        ends: From and into which channels it moves bytes.
        path: The dynamic linker makes it, to map a library that breakpoints belong into: the
            library's path.
        inside: It was let in: until then it stands at its entry, however long.
    """

    name: str
    number: int
    raw: tuple[int, ...]
    args: dict[str, Word]
    began: float
    object: str = ""
    data: bytes = b""
    announced: bool = False
    losing: tuple[AnyEffect, ...] = ()
    told: bool = True
    mended: bool = False
    carried: int = 0
    legs: tuple[Leg, ...] = ()
    making: int = -1
    since: float = 0.0
    until: float = 0.0
    between: bool = False
    back: bool = False
    last: int = 0
    code: int = 0
    plain: bool = False
    ends: Directions = NOWHERE
    inside: bool = False
    path: str = ""

    def begin_again(self, now: float) -> None:
        """A signal that is felt has cut it short before it moved anything, and the kernel makes it
        anew.
        """
        self.since, self.until, self.between, self.legs = now, 0.0, False, ()

    def is_made_by(self, number: int) -> bool:
        """Whether a call of this number, made where it was cut short, is it or a leg of it."""
        return number == (self.making if self.back else self.number)


@dataclass(slots=True)
class SemaphoreWait:
    """How a thread's wait for a POSIX semaphore goes.

    Attributes:
        address: Of the semaphore, in its process.
        depth: Handlers of signals that it was inside when it began.
        slept: It has been inside futex(2) for it.
        sleeps: It is.
        error: Error number with which that last returned, 0 if it did not fail.
        running: Samples in a row that found it running.
        timed: It ends at some time.
        refused: Such a one, where the function tries by another (musl): it was 0 at the last try,
            and no sleep followed. If none does, its time was up already.
    """

    address: int = 0
    depth: int = 0
    slept: bool = False
    sleeps: bool = False
    error: int = 0
    running: int = 0
    timed: bool = False
    refused: bool = False


class HeldAt(NamedTuple):
    """Where a thread is held.

    Attributes:
        poised: What was emitted of it.
        status: The wait status of that stop; 0 if a breakpoint of the run has stopped it.
    """

    poised: Poised
    status: int


@dataclass(slots=True)
class StepState:
    """Where a thread is in step mode.

    It is *held*; or *moving*, since it was let go and has neither been held again nor blocked; or
    neither, since it sleeps in a call or was never let go.

    Attributes:
        held: Where it is held; None if it was let go.
        moving: It moves.
        passed: The number of the call that it was let into; -1 if it is in none.
        backing: The number of the call that it is brought back to before; -1 if it is not.
        rejoins: It makes the call again that it was asked out of.
        used: Its CPU time in ticks of 10 ms when it was first seen running since it was let go; or
            -1.
        registers: Its general registers at the entry of the call that it was let into; None if
            it is in none, or was let into it outside of step mode.
        short_waits: What it has waited for a moment alone since it was let go.
        asleep_since: Since when it has been seen asleep, by CLOCK_MONOTONIC; 0 if it was not.
    """

    held: HeldAt | None = None
    moving: bool = False
    passed: int = -1
    backing: int = -1
    rejoins: bool = False
    used: int = -1
    registers: list[int] | None = None
    short_waits: ShortWaits = field(default_factory=ShortWaits)
    asleep_since: float = 0.0

    def forget_program(self) -> None:
        """Its thread runs another program, and is in no call of the one before."""
        self.held, self.passed, self.backing, self.registers = None, -1, -1, None


@dataclass(slots=True)
class CatchState:
    """How a thread that was attached to is brought to stop at its calls, and what that costs it.

    Attributes:
        caught: It was resumed so that it stops at its next call.
        looks: Samples that have looked at it.
        moves: It was seen asleep in a call that comes back with a part if it is cut short.
        switches: Its context switches at the last look; -1 before it.
        returned: When its last call returned, by CLOCK_MONOTONIC; 0 if that was not seen.
        counted_since: Since when, by the same clock, the following three are counted.
        calls: Calls that it stopped at.
        outside: How long it was between two of them, in seconds.
        ticks: Its CPU time until then.
    """

    caught: bool = False
    looks: int = 0
    moves: bool = False
    switches: int = -1
    returned: float = 0.0
    counted_since: float = 0.0
    calls: int = 0
    outside: float = 0.0
    ticks: int = 0


@dataclass(slots=True)
class Task:
    """A traced thread.

    Attributes:
        tid: Its id.
        process: Its process.
        entered: The call that it is inside, if its entry was seen.
        interrupted: The call that a signal cut short, with the kernel's restart code, until what
            becomes of it shows.
        deferred: A call that a signal ended early and its result (-EINTR, or a part of a write),
            held back until that signal is known.
        ended: It was asked to come out of a call whose time limit is up.
        continued: 2 while it is stopped by a signal of job control, 1 until what continued it is
            over.
        decided: A signal that stops it has come since its last call, so what that returns is
            certain: whatever comes before it runs on, no signal cuts that call short any more.
        asleep: How often it had gone to sleep when a sample last found it in a call with a time
            limit whose entry was not seen, and since when it slept, in session seconds; both 0 if
            none did.
        sampled_call: What a sample last said that it waits in, for calls whose entry was not seen.
        step_over: Address of a breakpoint that it has to run over once without counting it.
        semaphore: Key of the semaphore that it waits for.
        wait: How that goes.
        took: Key and address of the semaphore that it has just taken, if it found it above 0.
        watchpoints: Variables in its memory that its debug registers watch.
        trying: sem_trywait that it is inside, until it has returned.
        redirected: Signals on their way to it that another thread had taken, with their siginfo.
        frames: Of each handler that it is inside, outermost first, from where to where its stack
            can be.
        alternate: From where to where the stack is that handlers with SA_ONSTACK run on; both 0 if
            there is none.
        stops: It was resumed so that it stops at each data call.
        within: It stands inside a call, or was let go on from there: at which stop it was, its
            entry or a fork, say.
        asked: It was asked to stop (PTRACE_INTERRUPT), and has not yet.
        inside: The number and arguments of the call that it slept in when it was asked; -1 if it
            ran.
        fresh: It was made by a traced thread, and has not had its first stop.
        counted: The number of a call that was only counted, and whose return is looked at all the
            same; -1 if none is.
        no_new_privs: It has asked for no_new_privs itself, or whoever made it had (prctl(2)).
        strict: It is in seccomp's strict mode, for which a filter stands.
        steps: Where it is in step mode.
        located: What it was held at or blocked in when its source line was read last.
        catching: Attached: how it is brought to stop at its calls.
    """

    tid: int
    process: TracedProcess
    entered: Entered | None = None
    interrupted: tuple[Entered, int] | None = None
    deferred: tuple[Entered, int] | None = None
    ended: bool = False
    continued: int = 0
    decided: bool = False
    asleep: tuple[int, float] = (0, 0.0)
    sampled_call: tuple[object, ...] = ()
    step_over: int = 0
    semaphore: str = ""
    wait: SemaphoreWait = field(default_factory=lambda: SemaphoreWait())
    took: tuple[str, int] = ("", 0)
    watchpoints: tuple[Watchpoint, ...] = ()
    trying: Trying = NOTHING
    redirected: dict[int, bytes] = field(default_factory=dict)
    frames: list[tuple[int, int]] = field(default_factory=list)
    alternate: tuple[int, int] = (0, 0)
    stops: bool = False
    within: bool = False
    asked: bool = False
    inside: tuple[int, tuple[int, ...]] = (-1, ())
    fresh: bool = False
    counted: int = -1
    no_new_privs: bool = False
    strict: bool = False
    located: object = None
    steps: StepState = field(default_factory=StepState)
    catching: CatchState = field(default_factory=CatchState)

    def forget_program(self) -> None:
        """It runs another program: where it was in the one before is nothing any more."""
        self.entered = self.interrupted = self.deferred = None
        self.decided = False
        self.semaphore, self.frames, self.sampled_call = "", [], ()
        self.alternate = (0, 0)
        self.steps.forget_program()


@dataclass(slots=True)
class TracedProcess:
    """A traced process.

    Attributes:
        pid: Its id.
        tasks: Its threads by id.
        full: Data calls are traced.
        foreign: It runs a program of another architecture: its calls can't be decoded.
        breakpoints: By address: the original bytes, the function's name, the address of their copy
            (0 if none).
        retired: Addresses of breakpoints that were taken out.
        copied: Addresses of breakpoints whose instruction has been copied to where it is executed
            instead, and how many bytes of the copy a jump back follows; 0 if none does.
        calls_semaphores: Its program, or something that it has loaded, may call those functions.
        calls: The budget for its data calls.
        marks: The budget for its structural calls and the signals that it is delivered.
        operations: The budget for its semaphore operations.
        quiet_since: Since when a sampled process has been below the budget.
        seen_calls: Its read and write calls at the last look at /proc/PID/io, and when that was
            (`seen_at`).
        executed: It has executed the command (the launched process's first moments are ours).
        blind: It was said that what it does with semaphores is not seen.
        loader: Where the code of the dynamic linker lies, from and to which address: calls from
            there are not the program's own. None if it was not looked for since the last exec.
        linking: Breakpoints that tell when the dynamic linker has loaded all: addresses, and the
            words that were there. While there are any, threads stop at marked calls alone.
        linked: How many times one of them was reached.
        loading: When (CLOCK_MONOTONIC) the dynamic linker last made a call that is not told, if no
            thread has been at another call since; else 0.
        ending: Its last thread, or its leader, has begun to exit: its descriptors may be closed
            already.
        catching: Attached: not all of its threads stop at calls yet.
        doubted: There were calls that it was not stopped at, its own or of those that it descends
            from: its descriptor table may have what no call has told of.
        nests: It has changed a namespace: what it makes may be in a PID namespace of its own.
        shares_files: It shares, or once shared, its descriptor table with another process.
        closing: When (CLOCK_MONOTONIC) it was last let into a close that had been told already; 0
            if it is past that.
        foretold: When (CLOCK_MONOTONIC) a thread of it was last let into a call whose effects had
            been told already; 0 once one of them has been at another call.
        left_behind: Its memory is a copy, made by fork, of that of a process with these other
            threads: the process by thread.
        copiers: The threads that made the copies: its own first thread goes on where they were.
        alone: It has had one thread alone since it was made.
        forbidden: The call that it is killed for, in seccomp's strict mode.
        why_sampled: Why it is not traced in full from the start.
        counting: Its structural calls are over their budget, too: they and its signals are only
            counted, and what it has is read from /proc.
        counted: Calls that were only counted and are not told yet, by number.
        counted_errors: Error numbers of those of them that were looked at, the first of each kind,
            and failed.
        counted_signals: The same of signals.
        counted_at: When (CLOCK_MONOTONIC) they were told last.
        passed: How many stops were passed by so, in all; and how many they were at the last look
            (`seen_passed`).
        actions_unseen: It may have set what it does with signals by a call that was only counted:
            flags of its handlers are not known.
        actions_stale: It has done so since /proc was asked.
    """

    pid: int
    calls: Budget
    operations: Budget
    marks: Budget
    tasks: dict[int, Task] = field(default_factory=dict)
    full: bool = True
    foreign: bool = False
    breakpoints: dict[int, tuple[bytes, str, int]] = field(default_factory=dict)
    retired: set[int] = field(default_factory=set)
    copied: dict[int, int] = field(default_factory=dict)
    calls_semaphores: bool = False
    doubted: bool = False
    nests: bool = False
    shares_files: bool = False
    closing: float = 0.0
    foretold: float = 0.0
    quiet_since: float = 0.0
    seen_calls: int = 0
    seen_at: float = 0.0
    executed: bool = True
    blind: bool = False
    loader: tuple[int, int] | None = None
    loading: float = 0.0
    linking: dict[int, bytes] = field(default_factory=dict)
    linked: int = 0
    ending: bool = False
    catching: bool = False
    left_behind: dict[int, int] = field(default_factory=dict)
    copiers: frozenset[int] = frozenset()
    alone: bool = True
    forbidden: str = ""
    why_sampled: str = ""
    counting: bool = False
    counted: dict[int, int] = field(default_factory=dict)
    counted_errors: dict[int, int] = field(default_factory=dict)
    counted_signals: dict[int, int] = field(default_factory=dict)
    counted_at: float = 0.0
    passed: int = 0
    seen_passed: int = 0
    actions_unseen: bool = False
    actions_stale: bool = False

    def inherit_breakpoints(self, maker: TracedProcess, *, shared: bool = False) -> None:
        """The process has the memory of the one that made it, or a copy of it, and all that is in
        there.
        """
        self.calls_semaphores, self.blind = maker.calls_semaphores, maker.blind
        if shared:
            self.breakpoints, self.retired, self.copied = (
                maker.breakpoints,
                maker.retired,
                maker.copied,
            )
        else:
            self.breakpoints, self.retired, self.copied = (
                dict(maker.breakpoints),
                set(maker.retired),
                dict(maker.copied),
            )

    def copy_memory(self, maker: TracedProcess, by: int) -> None:
        """The process has a copy of the memory of the one that made it, by its thread `by`, and
        none of its others.
        """
        others = (tid for tid in maker.tasks if tid != by)
        self.left_behind = {**maker.left_behind, **dict.fromkeys(others, maker.pid)}
        self.copiers = maker.copiers | {by}

    def forget_program(self) -> None:
        """It runs another program, in other memory."""
        self.loader, self.loading, self.linking, self.ending = None, 0.0, {}, False
        self.breakpoints, self.retired, self.copied = {}, set(), {}
        self.calls_semaphores = self.blind = False
        self.actions_unseen = self.actions_stale = False
        self.left_behind, self.copiers, self.alone = {}, frozenset(), True
