"""The events themselves: one typed union from the tracer to every reader."""

from __future__ import annotations

from typing import Literal

from ipcviz.events.accesses import Accessed, VariableFound
from ipcviz.events.arguments import Arguments, WithArguments
from ipcviz.events.base import Base, make_written_default
from ipcviz.events.effects import AnyEffect
from ipcviz.events.facts import MachineFacts, ProcessFacts
from ipcviz.events.lines import Located
from ipcviz.events.locks import Futex, ObjectLocks
from ipcviz.events.notifiers import Notifier
from ipcviz.events.objects import How
from ipcviz.events.outsiders import Outsiders
from ipcviz.events.samples import (
    Fault,
    Level,
    MapEntry,
    MemorySample,
    Orphan,
    PagesSample,
    ProcessSample,
    SemaphoreInfo,
    SemaphoreLevel,
    Surroundings,
    TableEntry,
)
from ipcviz.events.stepping import Held, Poised, Released, Settled, Stepped

SCHEMA = 1
"""Version of the stream's types: raised when an old reader could misread a new stream."""


class Started(Base, tag="started", frozen=True):
    """The session began.

    Attributes:
        schema: `SCHEMA` of the writer.
        version: ipcviz's version.
        argv: The command as given; attached, that of the first process.
        mode: `live` (within a budget), `full` (every call) or `attached`.
        terminal: Whether the command runs on a pseudo-terminal of its own.
        kernel: `uname -r`.
        machine: `uname -m`.
        page_size: Bytes of a memory page.
        missing: What this kernel or these rights do not allow, a sentence each.
        sample_hz: Samples a second that are aimed at.
        began: When the session's time was 0, in seconds since 1970 (UTC); 0 if that was not told.
        host: The machine; None if that was not told.
    """

    schema: int = SCHEMA
    version: str = ""
    argv: tuple[str, ...] = ()
    mode: Literal["live", "full", "attached"] = "live"
    terminal: bool = False
    kernel: str = ""
    machine: str = ""
    page_size: int = 4096
    missing: tuple[str, ...] = ()
    sample_hz: float = 20.0
    began: float = 0.0
    host: MachineFacts | None = None


class Forked(Base, tag="forked", frozen=True):
    """A process came to be; it has its parent's descriptors, mappings and dispositions as they
    were.

    Attributes:
        pid: The new process.
        parent: Its parent (the real one; a launched command's is ipcviz).
        by: The thread that made it; 0 if launched.
        how: fork, vfork, clone, launched or attached.
        shares_files: It shares its parent's descriptor table (CLONE_FILES) and has no copy.
        shares_memory: It shares its parent's memory (vfork, CLONE_VM).
    """

    pid: int
    parent: int
    by: int = 0
    how: How = "fork"
    name: str = ""
    argv: tuple[str, ...] = ()
    shares_files: bool = False
    shares_memory: bool = False


class ThreadCreated(Base, tag="thread-created", frozen=True):
    """A thread came to be in process `pid`, made by thread `by`."""

    pid: int
    tid: int
    by: int = 0
    name: str = ""


class Executed(Base, tag="executed", frozen=True):
    """A process runs another program now (execve(2)): its other threads are gone, close-on-exec
    descriptors are closed, caught signals are back to the default, mappings are gone.

    `former` is the thread that called execve if it was not the leader (it has the leader's id now),
    else 0.
    """

    pid: int
    path: str
    argv: tuple[str, ...] = ()
    name: str = ""
    former: int = 0


class ThreadExited(Base, tag="thread-exited", frozen=True):
    """A thread other than the last one of its process ended."""

    pid: int
    tid: int
    code: int = make_written_default()


class Exited(Base, tag="exited", frozen=True):
    """A process ended: by exit(`code`), or by a signal (`signo` not 0).

    It is a zombie until its parent waits.

    `unknown`: how it ended is not known, since it was only sampled and was gone at the next look.
    `orphans`: its children that still live, and who has them now. `sender`: of SIGKILL, the process
    that was just sending it then; 0 if none was, or the call has been told already. `forbidden`:
    the call that it was killed for, since seccomp's strict mode does not allow it.
    """

    pid: int
    code: int = make_written_default()
    signo: int = 0
    core: bool = False
    unknown: bool = False
    orphans: tuple[Orphan, ...] = ()
    sender: int = 0
    forbidden: str = ""


class Reaped(Base, tag="reaped", frozen=True):
    """A zombie is gone: `by` waited for it (0 if who did is not known)."""

    pid: int
    by: int = 0


class Table(Base, tag="table", frozen=True):
    """A process's descriptor table read whole from /proc; it replaces what was computed.

    `reason` is `launched`, `attached`, `exec`, `sample` or `corrected`. Where the table computed
    from events differed, `differed` lists the descriptors: a bug or a finding, and never hidden.
    """

    pid: int
    entries: tuple[TableEntry, ...]
    reason: str = "sample"
    differed: tuple[int, ...] = ()


class Maps(Base, tag="maps", frozen=True):
    """A process's shared mappings, and private ones of shared files, read from /proc/PID/maps; they
    replace what was computed.
    """

    pid: int
    entries: tuple[MapEntry, ...]


class Call(Base, WithArguments, tag="call", frozen=True):
    """A system call returned.

    Attributes:
        began: When it was entered.
        name: The call's name on this architecture, e.g. `read`, `openat`, `rt_sigaction`.
        args: Its arguments by the names of the manual page; numbers, or text where they are flags,
            paths, signals.
        ret: What it returned; -1 if it failed.
        error: `EAGAIN` and so on if it failed; empty otherwise.
        object: Key of the object behind its descriptor argument, as that was at entry.
        data: The first bytes that it moved (read, write, send, recv, ...).
        effects: What it changed.
        restarted: The kernel will start it again by itself (ERESTARTSYS and the like).
        slept: When its thread was last seen asleep inside it, for calls that move bytes through a
            pipe while others do so too, or had moved nothing when a signal cut it short; 0 if it
            was not looked at or did not sleep.
    """

    pid: int
    tid: int
    name: str
    began: float = 0.0
    args: Arguments = {}
    ret: int = make_written_default()
    error: str = ""
    object: str = ""
    data: bytes = b""
    effects: tuple[AnyEffect, ...] = ()
    restarted: bool = False
    slept: float = 0.0

    @property
    def asked_for_nothing(self) -> bool:
        """Whether it was to move no bytes: that it moved none is no end of file (read(2))."""
        return self.ret == 0 and self.args.get("count", self.args.get("len")) == 0


class Entered(Base, WithArguments, tag="entered", frozen=True):
    """A call that moves bytes through a channel is under way: said before a read of that channel
    returns whose bytes may have to do with it, and if it will never return. It changes nothing but
    what is known of those bytes.

    Attributes:
        call: The call's name.
        began: When it was entered.
        args: Its arguments by name.
        object: Key of the object behind its descriptor argument.
        data: The first bytes that it is about to write.
        slept: See `Call.slept`.
        cut: Its thread has ended inside it: it will never return.
    """

    pid: int
    tid: int
    call: str
    began: float = 0.0
    args: Arguments = {}
    object: str = ""
    data: bytes = b""
    slept: float = 0.0
    cut: bool = False


class Waiting(Base, WithArguments, tag="waiting", frozen=True):
    """A thread sleeps in a call, as /proc/PID/task/TID says: blocked, or waiting on purpose.

    `semaphore` is the key of the semaphore that it sleeps on, where it is known by now: of a System
    V set, the one that keeps its operations from being done. `futex` says more of a wait in
    futex(2), where something is known. `deadline` is when it ends by itself at the latest, in
    session seconds; None if it has no such limit, or if that is not known.
    """

    pid: int
    tid: int
    call: str
    began: float = 0.0
    args: Arguments = {}
    object: str = ""
    state: str = "S"
    wchan: str = ""
    semaphore: str = ""
    futex: Futex | None = None
    deadline: float | None = None


class Resumed(Base, tag="resumed", frozen=True):
    """A thread that was waiting no longer is, seen by a sample (where its call is traced, `Call`
    says it first).
    """

    pid: int
    tid: int


class SignalDelivered(Base, tag="signal-delivered", frozen=True):
    """A signal reached a thread.

    Attributes:
        signo: Which.
        code: si_code by name: `SI_USER`, `SI_KERNEL`, `CLD_EXITED`, `SEGV_MAPERR`, ...
        sender: si_pid, where the kernel gives one; 0 otherwise.
        sender_name: The sender's name, if that is no process that is watched.
        action: What it does: `handler`, `ignore`, `terminate`, `core`, `stop`, `continue`; in the
            state also `taken`: it was not delivered, a call took it (sigwait, a read of a
            signalfd).
        address: Fault address, for SIGSEGV, SIGBUS and the like.
        interrupted: Name of the call that it cut short; empty if none.
        outcome: What becomes of that call: `EINTR`; `part`, it returns what it had moved; `again`,
            the kernel makes it again. Empty if that is not known, or if the process ends.
        timer: Number of the POSIX timer that sent it (SI_TIMER); -1 if none did.
        overrun: How often that timer has expired since without a signal of its own.
        fault: What lies at that address, for SIGSEGV and SIGBUS that the processor raised.
    """

    pid: int
    tid: int
    signo: int
    code: str = ""
    sender: int = 0
    sender_name: str = ""
    action: str = "handler"
    address: int = 0
    interrupted: str = ""
    outcome: Literal["", "EINTR", "part", "again"] = ""
    value: int = 0
    timer: int = -1
    overrun: int = 0
    fault: Fault | None = None


class HandlerReturned(Base, tag="handler-returned", frozen=True):
    """A signal handler was left: it returned to what it had interrupted (rt_sigreturn), or `jumped`
    elsewhere, as siglongjmp(3) does.
    """

    pid: int
    tid: int
    blocked: int = make_written_default()
    jumped: bool = False


class Stopped(Base, tag="stopped", frozen=True):
    """A process was stopped by a signal (SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU): a group-stop."""

    pid: int
    signo: int


class Continued(Base, tag="continued", frozen=True):
    """A stopped process runs again (SIGCONT)."""

    pid: int


class SemaphoreOp(Base, tag="semaphore-op", frozen=True):
    """A thread entered a semaphore function of libc, seen by a breakpoint at its first instruction.

    Attributes:
        op: The function without `sem_`: init, wait, trywait, timedwait, clockwait, post, getvalue,
            close, destroy. `open` is known from the system calls that it makes, once they are made.
            Computed are `acquired` (a wait that had to sleep is over), `gave-up` (it is over for
            another reason), and `overtaken` (a thread that had found the semaphore above 0 has to
            sleep, since another one was quicker), and `missed` (the same of sem_trywait: it did not
            get it) and `gained` (one that had found it at 0 got it: another one gave it then).
        value: The value just before; None if it could not be read.
        initial: What sem_init sets it to.
        shared: It is not for the threads of one process alone.
        error: Why a wait was given up: `ETIMEDOUT`, `EINTR`.
    """

    pid: int
    tid: int
    op: str
    semaphore: SemaphoreInfo
    value: int | None = None
    initial: int | None = None
    shared: bool = True
    error: str = ""


class Marker(Base, tag="marker", frozen=True):
    """A program left a marker: it tested for the path `/.ipcviz/step/TEXT`."""

    pid: int
    tid: int
    text: str


class Output(Base, tag="output", frozen=True):
    """The command wrote this to its terminal. `dropped` bytes before it were not kept."""

    data: bytes
    dropped: int = 0


class Sample(Base, tag="sample", frozen=True):
    """What was read at one moment; only what changed since the last sample."""

    levels: tuple[Level, ...] = ()
    processes: tuple[ProcessSample, ...] = ()
    semaphores: tuple[SemaphoreLevel, ...] = ()
    locks: tuple[ObjectLocks, ...] = ()
    futexes: tuple[Futex, ...] = ()
    """Futexes that threads sleep on and that have another owner now."""
    pages: tuple[PagesSample, ...] = ()
    memory: tuple[MemorySample, ...] = ()
    notifiers: tuple[Notifier, ...] = ()
    surroundings: tuple[Surroundings, ...] = ()
    facts: tuple[ProcessFacts, ...] = ()
    """Of the process that a viewer looks at."""


class Coverage(Base, tag="coverage", frozen=True):
    """From here on, a process's data calls are traced in full, or only sampled, and why.

    `semaphores` says the same of what it does with POSIX semaphores; None if nothing changes about
    that. `calls` says it of its structural calls and of signals: false if they are only counted
    from here on (`Counted`) and its tables are read from /proc; None if nothing changes about that.
    """

    pid: int
    full: bool
    reason: str = ""
    semaphores: bool | None = None
    calls: bool | None = None


class Counted(Base, tag="counted", frozen=True):
    """Stops of a process that were too many to be told one by one, since the last such event.

    Attributes:
        pid: The process.
        calls: How many calls of each name it made.
        signals: How many signals of each number were delivered to it.
        errors: The error (a name of errno(3)) of one call of each name, the first, if that one
            failed. Of the others it is not known.
    """

    pid: int
    calls: dict[str, int] = {}
    signals: dict[int, int] = {}
    errors: dict[str, str] = {}


class OpenedOutside(Base, tag="opened-outside", frozen=True):
    """Somebody that is not watched has opened a FIFO that until then only watched processes had
    open.

    Attributes:
        object: Its key.
        pid: Who; 0 if that is not known. `name` is the name of its program then.
    """

    object: str
    pid: int = 0
    name: str = ""


class Dropped(Base, tag="dropped", frozen=True):
    """The stream's reader was too slow: `events` events of data calls were left out here."""

    events: int


class Trouble(Base, tag="trouble", frozen=True):
    """Something could not be seen or done: one sentence for the viewer.

    `fatal` ends the session.
    """

    message: str
    pid: int = 0
    fatal: bool = False


class EndForced(Base, tag="end-forced", frozen=True):
    """The session is ended from outside while processes still live: by its viewer, a signal to
    ipcviz, or a time limit.

    What follows is not what they would have done by themselves: what was launched is killed, what
    was attached to is let go of. `living` processes were there.
    """

    living: int = 0


class Finished(Base, tag="finished", frozen=True):
    """The command ended, with the status it would have given a shell; `signo` if a signal ended it.

    Other processes may still be there: `left` of them. A later `Finished` with `left` 0 ends the
    stream; `detached` processes run on without being watched, if it was to end with the command. In
    a session that attached, nothing was launched: `code` is 0.
    """

    code: int
    signo: int = 0
    left: int = 0
    detached: int = 0


Event = (
    Started
    | Forked
    | ThreadCreated
    | Executed
    | ThreadExited
    | Exited
    | Reaped
    | Table
    | Maps
    | Call
    | Entered
    | Waiting
    | Resumed
    | SignalDelivered
    | HandlerReturned
    | Stopped
    | Continued
    | SemaphoreOp
    | VariableFound
    | Accessed
    | Marker
    | Held
    | Released
    | Poised
    | Stepped
    | Settled
    | Located
    | Output
    | Sample
    | Coverage
    | Counted
    | OpenedOutside
    | Outsiders
    | Dropped
    | EndForced
    | Trouble
    | Finished
)
