"""The system's state at one moment, as the kernel's three tables and what hangs on them.

Everything here is an immutable value: a `State` can be kept, compared and shown while the next ones
are made, and two states share what did not change. `ipcviz.model.reduce` makes the next one,
`ipcviz.model.query` answers questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from ipcviz.events import (
    FileLock,
    Futex,
    Level,
    Located,
    MapEntry,
    MemorySample,
    Mode,
    Notifier,
    ObjectInfo,
    Outside,
    PagesSample,
    Poised,
    ProcessFacts,
    ProcessSample,
    SemaphoreInfo,
    SignalDelivered,
    Started,
    Surroundings,
)
from ipcviz.events.accesses import VariableInfo
from ipcviz.events.arguments import Arguments, WithArguments
from ipcviz.model.channels import Channel, Read
from ipcviz.model.ends import Ends
from ipcviz.model.layouts import Field
from ipcviz.model.maps import Map
from ipcviz.model.parts import Part

Fate = Literal["alive", "zombie", "gone"]


class Value(msgspec.Struct, frozen=True, gc=False):
    """Base of the state's parts: immutable.

    Python's cycle collector need not know them: a value refers only to such as were there before
    it, so there are no cycles to find; with them, it went through the whole state again and again.
    """


class Wake(Value, frozen=True):
    """A call that can have woken a thread that sleeps; with no process, several unknown ones.

    Attributes:
        pid: Whose call it was.
        n: Number of its event.
        step: In step mode: the step that it was in.
        key: The semaphore, or the futex, that it was about.
        left: How many it may have woken besides those that are known.
        t: When a thread came back that it has woken; 0 as long as none has.
    """

    pid: int = 0
    n: int = 0
    step: int = 0
    key: str = ""
    left: int = 1
    t: float = 0.0


class CallInProgress(Value, WithArguments, frozen=True):
    """The call that a thread is inside; `Waiting` says what the attributes mean.

    Attributes:
        wakes: What has happened since that can have woken it.
    """

    name: str
    args: Arguments = {}
    object: str = ""
    began: float = 0.0
    futex: Futex | None = None
    deadline: float | None = None
    wakes: tuple[Wake, ...] = ()


class Thread(Value, frozen=True):
    """A thread.

    Attributes:
        tid: Its id.
        pid: Its process.
        name: Its name (comm), if it differs from the process's.
        state: The state letter of /proc: R, S, D, T, Z, X; `?` before the first look.
        waiting: The call that it sleeps in; None if it runs, as far as is known.
        blocked: Its signal mask.
        own_mask: The one that it comes back to after a call that has a mask of its own; None in
            others, or if unknown.
        pending: Signals pending for this thread alone.
        handlers: Signals whose handlers it is inside, outermost first.
        semaphore: Key of the semaphore that it is waiting for, empty if none.
        wchan: The kernel function that it sleeps in.
        alive: False after its exit.
        number: Which thread of its process it is, in the order of their births; the leader is 1.
        poised: In step mode: where it is held, and what it will do; None if it runs or is blocked.
        source: The source line that it is on, while it is held or blocked; None if it runs, or if
            that was not read or is not known.
        woken: What has ended its last sleep on a semaphore or a futex, and when; None if that is
            not certain.
    """

    tid: int
    pid: int
    name: str = ""
    state: str = "?"
    waiting: CallInProgress | None = None
    blocked: int = 0
    own_mask: int | None = None
    pending: int = 0
    handlers: tuple[int, ...] = ()
    semaphore: str = ""
    wchan: str = ""
    alive: bool = True
    number: int = 1
    poised: Poised | None = None
    source: Located | None = None
    woken: Wake | None = None


class Handling(Value, frozen=True):
    """What a process does with a signal."""

    action: Literal["default", "ignore", "catch"]
    flags: tuple[str, ...] = ()
    mask: int = 0


class Process(Value, frozen=True):
    """A process.

    Attributes:
        pid: Its id.
        parent: Its parent's.
        how: fork, vfork, clone, launched or attached.
        name: The name of its program (comm or the last part of argv[0]).
        argv: Its arguments; those of its parent until it executes a program of its own.
        executed: Whether it has executed a program since it came to be.
        threads: Ids of its living threads, the leader first.
        table: Whose descriptor table it uses: its own pid, or the one that it shares (CLONE_FILES).
        shares: Whether it has shared that table with another process since it executed its program.
        born: When it came to be, in session seconds.
        died: When it ended; None while it lives.
        died_step: How many steps had been made then in step mode.
        fate: alive, zombie (ended, not waited for) or gone.
        exit_code: What it passed to exit, if it exited.
        exit_signal: The signal that ended it, 0 if none did.
        exit_known: Whether how it ended is known; a process that was only sampled can be gone at
            the next look.
        stopped_by: The signal that holds it in a group-stop, 0 if it is not stopped.
        handling: Dispositions by signal number, where they differ from the default.
        sample: The last look at /proc; None before the first.
        stirred: When that found it changed last: it had made calls, or used CPU time.
        full: Whether its data calls are all traced; if not, its figures are samples.
        calls: Traced calls so far.
        ring: It has an io_uring: bytes may move without a call of its own.
        pgrp: Its process group.
        session: Its session.
        tty: Device number of its controlling terminal, as /proc/PID/stat has it; 0 if it has none.
        foreground: The foreground process group of that terminal; 0 if there is none.
        subreaper: It was seen to ask for the orphans among its descendants.
        death_signal: The signal that it was seen to ask for when its parent ends; 0 for none.
        surroundings: Its namespaces and POSIX timers; None before the first look.
        facts: Its user, limits and the like; None if no viewer looked at it so closely.
        fault: The last invalid memory access of its threads (SIGSEGV, SIGBUS); None if there was
            none.
        located: What was last told of the source lines of the program that runs; None if nothing
            was.
        lineage: Its place in the family, the same in every run of the same schedule: `1` for the
            command, `1.2` for its second child.
        children: How many processes it has made.
        made_threads: How many threads it has had, the leader among them.
        own_name: What it calls itself (`model.names`): `checkpointer`, `mp.py`; its program's name
            if it says nothing.
        number: Which one it is of those that have had this name, 1 for the first; 0 if that is not
            known.
        label: What it is called on the screen, its role or its name and number; empty where nobody
            has named it.
    """

    pid: int
    parent: int = 0
    how: str = "fork"
    name: str = ""
    argv: tuple[str, ...] = ()
    executed: bool = False
    threads: tuple[int, ...] = ()
    table: int = 0
    shares: bool = False
    born: float = 0.0
    died: float | None = None
    died_step: int = 0
    fate: Fate = "alive"
    exit_code: int = 0
    exit_signal: int = 0
    exit_known: bool = True
    stopped_by: int = 0
    handling: Map[int, Handling] = Map()
    sample: ProcessSample | None = None
    stirred: float = 0.0
    full: bool = True
    calls: int = 0
    ring: bool = False
    fault: SignalDelivered | None = None
    pgrp: int = 0
    session: int = 0
    tty: int = 0
    foreground: int = 0
    subreaper: bool = False
    death_signal: int = 0
    surroundings: Surroundings | None = None
    facts: ProcessFacts | None = None
    located: Located | None = None
    lineage: str = ""
    children: int = 0
    made_threads: int = 1
    own_name: str = ""
    number: int = 0
    label: str = ""

    @property
    def title_words(self) -> tuple[str, ...]:
        """Its arguments, or what it has written over them."""
        written = self.surroundings.title if self.surroundings is not None else ()
        return written or self.argv

    @property
    def called(self) -> str:
        """What sentences call it: its label, else its own name and PID."""
        return self.label or f"{self.own_name or self.name or 'process'}[{self.pid}]"

    @property
    def title(self) -> str:
        """The same for where its PID stands beside it: its label, else its own name."""
        return self.label or self.own_name or self.name or "process"


class Descriptor(Value, frozen=True):
    """A row of a process's descriptor table.

    Attributes:
        fd: Its number.
        ofd: The open file description behind it.
        cloexec: FD_CLOEXEC.
        how: Where it came from: `opened`, `dup of 3`, `inherited from 12`, `received over S2`,
            `found`.
        sender: Process that passed it, if it was received; 0 if that is not known.
        since: When it came to be, in session seconds.
        used: Whether a traced call has moved data through it since it came to be, in the program
            that runs now.
        took: Whether one has taken data out.
        put: Whether one has put data in.
    """

    fd: int
    ofd: int
    cloexec: bool = False
    how: str = "opened"
    sender: int = 0
    since: float = 0.0
    used: bool = False
    took: bool = False
    put: bool = False


class OpenFile(Value, frozen=True):
    """An open file description: shared by dup, fork and SCM_RIGHTS; gone when the last descriptor
    is closed.

    Attributes:
        ofd: Its number, given by ipcviz: the kernel shows none.
        object: Key of the object behind it.
        mode: How it may be used.
        flags: Status flags beyond the mode.
        offset: File offset at the last look; 0 for what has none.
        opened_by: The process that opened it; 0 if it was there before.
        references: How many descriptors of watched processes refer to it.
        outside: It was sent to somebody who is not watched, or came from there (SCM_RIGHTS,
            pidfd_getfd).
    """

    ofd: int
    object: str
    mode: Mode
    flags: tuple[str, ...] = ()
    offset: int = 0
    opened_by: int = 0
    references: int = 0
    outside: bool = False


class Object(Value, frozen=True):
    """What bytes go through or lie in: a pipe, a FIFO, a socket, a file, a queue, a segment.

    Attributes:
        info: Identity and kind.
        label: A short name for the screen: P1, F1, S1, or the last part of a path.
        level: How full it was at the last look; None if it was never looked at or has no level.
        level_at: When that was.
        bytes_in: Bytes written into it: by traced calls, and as far as sampled /proc/PID/io can be
            laid to it.
        bytes_out: Bytes read from it, likewise.
        inputs: Of `bytes_in`, what each process has written, in the order of their first writes: as
            soon as there are two. The first `INPUTS` processes; what others wrote is in none.
        last_writer: The process whose traced call wrote last; 0 if none.
        last_reader: The process whose traced call read last; 0 if none.
        writer_left: Who was the last to have a write end of a pipe or FIFO, while nobody has one; 0
            if unknown.
        reader_left: Who was the last to have a read end, likewise.
        exact: False once a process that holds it was only sampled: then bytes_in and bytes_out lag
            behind by up to a sample, and are lower bounds where /proc/PID/io could not be laid to
            one object.
        written: Bytes that had been written into a pipe or FIFO by the last look, at least: those
            that had been read, and those that waited. A write that sleeps is part of it, and of
            `bytes_in` only when it returns.
        opened_at: When it was first seen.
        unlinked: Its name was removed.
        first_seen_by: The process that it was first seen in.
        notifier: What fdinfo said last of it, if it is one of those that only tell of events.
        sent_to: Key of the watched socket that a datagram was sent to last, by its address; empty
            if none was.
        shut: The directions that shutdown(2) was seen to end of a socket: `r`, `w`, `rw`; `closed`
            once nobody that is watched has it open any more; empty else.
        limited: A timeout was seen to be set for it (SO_RCVTIMEO, SO_SNDTIMEO).
        named: A scenario names it.
        fields: What lies where in it, as far as the scenario has declared it.
    """

    info: ObjectInfo
    label: str
    level: Level | None = None
    level_at: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    inputs: tuple[tuple[int, int], ...] = ()
    last_writer: int = 0
    last_reader: int = 0
    writer_left: int = 0
    reader_left: int = 0
    exact: bool = True
    written: int = 0
    opened_at: float = 0.0
    unlinked: bool = False
    first_seen_by: int = 0
    notifier: Notifier | None = None
    sent_to: str = ""
    shut: str = ""
    limited: bool = False
    named: bool = False
    fields: tuple[Field, ...] = ()

    @property
    def sort_key(self) -> tuple[float, str, int, str]:
        """What objects are sorted by, alike in each run: age, then name. A map has no order of its
        own, and both ends of a socket pair may have one name.
        """
        return self.opened_at, self.label, self.info.ino, self.info.key


class Traffic(Value, frozen=True):
    """That a process has moved data through an object, or had it mapped, and shared: it stays known
    after the process's end.

    Attributes:
        fds: The descriptors by which it did, in the order of their first use; the first few.
        took: It has taken data out.
        put: It has put data in.
        mapped: It has had the object mapped, shared with others.
    """

    fds: tuple[int, ...] = ()
    took: bool = False
    put: bool = False
    mapped: bool = False


class Flight(Value, frozen=True):
    """A message with descriptors that was sent through a UNIX socket and not received yet
    (SCM_RIGHTS).

    It holds their open file descriptions as a descriptor would.

    Attributes:
        n: Number of the event of the call that sent it.
        t: When that was.
        pid: The process that sent it.
        fds: The descriptors' numbers there.
        ofds: The open file descriptions, as far as they are known.
    """

    n: int
    t: float
    pid: int
    fds: tuple[int, ...]
    ofds: tuple[int, ...] = ()


class Datagram(Value, frozen=True):
    """A datagram, or a packet of SOCK_SEQPACKET, that was sent and not received yet: its length and
    first bytes.
    """

    length: int
    head: bytes = b""


class Posted(Value, frozen=True):
    """A message that was put into a POSIX queue and not taken out yet.

    Attributes:
        pid: The process that sent it.
        priority: Higher ones are taken first.
        length: Its bytes.
        head: The first of them.
    """

    pid: int
    priority: int
    length: int
    head: bytes = b""


Did = Literal["watches", "lists", "reads", "takes", "puts"]
"""What a process did to a directory: watched it (inotify), listed it (getdents64), opened files
of it for reading, removed names from it or moved them out, put names or bytes into it."""


class FolderUse(Value, frozen=True):
    """What one process has done to a directory."""

    pid: int
    did: tuple[Did, ...] = ()


class Folder(Value, frozen=True):
    """A directory that traced calls have used.

    Attributes:
        path: Its path, symbolic links followed.
        uses: By whom, in the order in which they came; those that have ended stay.
        last: What was done to it last, by `last_pid`, with the name `last_name`, at `last_at`.
    """

    path: str
    uses: tuple[FolderUse, ...] = ()
    last: Did = "lists"
    last_pid: int = 0
    last_name: str = ""
    last_at: float = 0.0


class Hold(Value, frozen=True):
    """What a thread has taken of a semaphore and not given back; of a System V one, a process.

    Attributes:
        pid: The process.
        tid: The thread; 0 for System V.
        count: How much.
        undo: The kernel gives so much of it back when the process ends (SEM_UNDO).
        ended: It has ended since.
        since: When it took the first of that; 0 if that is not known.
    """

    pid: int
    tid: int
    count: int = 1
    undo: int = 0
    ended: bool = False
    since: float = 0.0


class Semaphore(Value, frozen=True):
    """A semaphore.

    Attributes:
        info: Identity and kind.
        label: A short name: `/name`, `_full` where the scenario names it, else M1, M2, ...
        value: Its value at the last look; None if it could not be read.
        waiters: Threads that wait for it; -1 if unknown.
        waiters_zero: Processes that wait for zero (System V).
        at: When that was.
        last_pid: Who touched it last, 0 if unknown.
        last_op: With which operation: wait, post, ...
        operations: Operations seen.
        initial: What it was set to; None if that was not seen.
        holds: Who took it and has not given it back, oldest first, as far as their operations were
            seen.
        signals: Somebody gave it who had not taken it: it tells others of something, and nobody
            holds it.
        unsure: Why it can't be told who holds it, or whether others do too; empty if it can.
        operated_at: When the last operation was seen.
        unlinked: Its name was removed (sem_unlink): nobody can open it any more.
    """

    info: SemaphoreInfo
    label: str
    value: int | None = None
    waiters: int = -1
    waiters_zero: int = 0
    at: float = 0.0
    last_pid: int = 0
    last_op: str = ""
    operations: int = 0
    initial: int | None = None
    holds: tuple[Hold, ...] = ()
    signals: bool = False
    unsure: str = ""
    operated_at: float = 0.0
    unlinked: bool = False


class Access(Value, frozen=True):
    """A load or a store that was seen.

    Attributes:
        n: Number of its event.
        pid: Of the process.
        tid: Of the thread.
        value: The bytes that it loaded or stored.
        version: How many stores the variable had seen then, this one among them.
    """

    n: int
    pid: int
    tid: int
    value: bytes
    version: int


class Change(Value, frozen=True):
    """Stores of a thread to several variables of one group, not all of which it has stored yet.

    Attributes:
        tid: The thread.
        group: What the variables belong to.
        stored: Those that it has stored so far, by key.
        readers: Threads that have loaded one of the group meanwhile, each as (pid, tid): they may
            end before the change does.
    """

    tid: int
    group: str
    stored: frozenset[str]
    readers: frozenset[tuple[int, int]] = frozenset()


class Variable(Value, frozen=True):
    """A variable whose loads and stores are seen.

    Attributes:
        info: Which one.
        places: Its address in each process that has it.
        value: Its bytes after what was seen last.
        version: How many stores were seen.
        loads: By thread, what it loaded last, until it stores.
        stores: The latest stores, oldest first.
        last_load: The last load of all.
        lost: How many updates were lost.
        lost_at: Number of the event of the store that lost the last of them; 0 if none was.
    """

    info: VariableInfo
    places: Map[int, int] = Map()
    value: bytes = b""
    version: int = 0
    loads: Map[int, Access] = Map()
    stores: tuple[Access, ...] = ()
    last_load: Access | None = None
    lost: int = 0
    lost_at: int = 0

    @property
    def label(self) -> str:
        """What it is called."""
        return self.info.name


class Memory(Value, frozen=True):
    """Some bytes of a mapped object, or of a process's private copy of it.

    Attributes:
        sample: The last look.
        at: When that was.
        changed_at: When a look last found bytes that differed.
    """

    sample: MemorySample
    at: float = 0.0
    changed_at: float = 0.0


class SignalSent(Value, frozen=True):
    """One sending of a signal, and what is known to have become of it."""

    t: float
    sender: int
    target: int
    tid: int
    signo: int
    delivered: float | None = None
    coalesced: bool = False
    """It was already pending when this one was sent, and standard signals do not queue: it merged
    with that one.
    """
    lost: bool = False
    """A later look found it pending no more, and no delivery was seen: a call took it that is not
    traced.
    """


class ArmedTimer(Value, frozen=True):
    """A timer of a process that will send a signal.

    Attributes:
        signo: Which.
        due: When, in session seconds; after so many seconds of CPU time, if that is its clock.
        interval: Seconds between expirations after that one; 0 if it is the last.
        id: Number of a POSIX timer (timer_create); -1 for alarm and setitimer.
        clock: What it counts, if that is not real time: `CPU time`.
        armed: It will expire; a POSIX timer is made first and armed later.
        since: When it was armed, in session seconds.
        step: How many steps had been made then.
        fired: How many times it has expired since, as far as its signals were delivered.
    """

    signo: int
    due: float
    interval: float = 0.0
    id: int = -1
    clock: str = ""
    armed: bool = True
    since: float = 0.0
    step: int = 0
    fired: int = 0


class PastTimer(Value, frozen=True):
    """What became of a timer that is armed no more.

    Attributes:
        signo: Which signal it was to send.
        since: When it had been armed, in session seconds.
        step: How many steps had been made then.
        over: When it was over: its last signal was delivered, or it was cancelled.
        over_step: How many steps had been made then.
        fired: How many times it had expired; 0 if it was cancelled before it did.
        cancelled: It was disarmed or removed.
    """

    signo: int
    since: float
    step: int
    over: float
    over_step: int
    fired: int = 0
    cancelled: bool = False


NO_DESCRIPTORS: Final[Map[int, Descriptor]] = Map()


class StateFields(msgspec.Struct, gc=False):
    """What is known at one moment, and the ways from a descriptor to what is behind it.

    `State` is this, immutable; `ipcviz.model.draft.Draft` is this while an event is applied. A new
    field is declared here, and nowhere else.

    The kernel's way: a process's descriptor table has a row for each number (`Descriptor`); the row
    refers to an open file description (`OpenFile`), which other rows may refer to, too; that is of
    an object (`Object`). Each method below takes so much of it as its name says, and gives None, or
    what is empty, where something is not known.

    Attributes:
        t: The moment, in session seconds.
        n: Number of the last event that went into it.
        started: The session's first event, or None before it.
        root: The launched command's process, or the first that was attached to; 0 before it.
        processes: By pid; the latest that are gone stay, with `fate` gone
            (`ipcviz.model.forgetting`).
        threads: By tid; those of processes that are gone are dropped.
        tables: Descriptor tables by owner pid, then by descriptor number.
        open_files: By ofd; only those that some descriptor refers to.
        ends: How many of those each object has for reading, for writing, for both, and by O_PATH;
            by its key.
        objects: By key; the latest stay after their last descriptor is closed.
        semaphores: By key.
        variables: Those whose loads and stores are seen, by key.
        changes: Changes of several variables of one group that are under way.
        traffic: What each process has used for communication in its last program, by pid and then
            by the object's key; dropped with the process or the object. The tracer has no use for
            it (`keep_ledger`).
        uses: Keys of the System V message queues that each process has used, by pid.
        bound: Keys of the sockets that others reach by a name: `unix /run/x`, `tcp 127.0.0.1:80`,
            `udp ...`.
        flights: Messages with descriptors that wait to be received, oldest first, by the key of the
            receiving socket.
        datagrams: Those that wait to be received, oldest first, by the key of the receiving socket,
            as far as they were seen being sent.
        posted: Messages that wait in POSIX queues, the next to be taken first, by the queue's key,
            as far as they were seen being sent.
        locks: File locks, held and waited for, by the key of the file.
        outsiders: Who of those that are not watched has an object, as the last look for that found,
            by its key.
        mappings: Shared mappings, and private ones of files that others use, by pid.
        pages: States of the pages of those, by pid and address.
        memory: Bytes of what is mapped: by object key, and 0 for the object's own or the pid whose
            private copy it is.
        folders: Directories that traced calls have used, by path; the most recent few hundred.
        channels: The byte ledger of each channel, by the key of the object that is read from.
        reads: Where the bytes of the latest reads of channels came from, oldest first, at most
            `READS_KEPT`.
        keep_ledger: Whether these two are kept: the tracer has no use for them.
        sent: The latest sendings of signals, oldest first, at most `SENT_KEPT`.
        delivered: The latest deliveries, oldest first, at most `SENT_KEPT`.
        timers: Timers by (pid, signo); those of timer_create by (pid, `POSIX` + id).
        past_timers: What became of the last timer that was armed under the same key, if it is armed
            no more; dropped with the process.
        labels: How many labels of each letter were given out, and how many processes have had
            each name.
        command_code: The launched command's exit status, None while it runs.
        command_signal: The signal that ended it, 0 if none did.
        finished: Nothing observed is left.
        dropped: Events left out of the stream because its reader was slow.
        stepping: Every thread is held, and goes on only when it is let go.
        step: How many times one was let go.
        moved: The thread that was let go last; 0 before the first step.
        moving: The thread that was let go and has not come to rest yet; 0 if all are at rest.
        changed: The parts that the last event changed, in the order in which it did.
    """

    t: float = 0.0
    n: int = 0
    started: Started | None = None
    root: int = 0
    processes: Map[int, Process] = Map()
    threads: Map[int, Thread] = Map()
    tables: Map[int, Map[int, Descriptor]] = Map()
    open_files: Map[int, OpenFile] = Map()
    ends: Ends = Map()
    objects: Map[str, Object] = Map()
    semaphores: Map[str, Semaphore] = Map()
    variables: Map[str, Variable] = Map()
    changes: tuple[Change, ...] = ()
    mappings: Map[int, tuple[MapEntry, ...]] = Map()
    traffic: Map[int, Map[str, Traffic]] = Map()
    uses: Map[int, tuple[str, ...]] = Map()
    bound: Map[str, str] = Map()
    flights: Map[str, tuple[Flight, ...]] = Map()
    datagrams: Map[str, tuple[Datagram, ...]] = Map()
    posted: Map[str, tuple[Posted, ...]] = Map()
    locks: Map[str, tuple[FileLock, ...]] = Map()
    outsiders: Map[str, Outside] = Map()
    pages: Map[tuple[int, int], PagesSample] = Map()
    memory: Map[tuple[str, int], Memory] = Map()
    folders: Map[str, Folder] = Map()
    channels: Map[str, Channel] = Map()
    reads: tuple[Read, ...] = ()
    keep_ledger: bool = True
    sent: tuple[SignalSent, ...] = ()
    delivered: tuple[SignalDelivered, ...] = ()
    timers: Map[tuple[int, int], ArmedTimer] = Map()
    past_timers: Map[tuple[int, int], PastTimer] = Map()
    labels: Map[str, int] = Map()
    command_code: int | None = None
    command_signal: int = 0
    finished: bool = False
    dropped: int = 0
    stepping: bool = False
    step: int = 0
    moved: int = 0
    moving: int = 0
    changed: tuple[Part, ...] = ()

    def descriptors_of(self, pid: int) -> Map[int, Descriptor]:
        """A process's descriptor table, by number."""
        process = self.processes.get(pid)
        return self.tables.get(process.table, NO_DESCRIPTORS) if process else NO_DESCRIPTORS

    def find_descriptor(self, pid: int, fd: int) -> Descriptor | None:
        """The row of a process's descriptor table."""
        process = self.processes.get(pid)
        rows = self.tables.get(process.table) if process is not None else None
        return rows.get(fd) if rows is not None else None

    def description_of(self, descriptor: Descriptor | None) -> OpenFile | None:
        """The open file description that a descriptor refers to."""
        return self.open_files.get(descriptor.ofd) if descriptor is not None else None

    def find_description(self, pid: int, fd: int) -> OpenFile | None:
        """The open file description behind a process's descriptor."""
        return self.description_of(self.find_descriptor(pid, fd))

    def object_of(self, description: OpenFile | None) -> Object | None:
        """The object that an open file description is of."""
        return self.objects.get(description.object) if description is not None else None

    def object_at(self, pid: int, fd: int) -> Object | None:
        """The object behind a process's descriptor, by way of its open file description."""
        return self.object_of(self.find_description(pid, fd))

    def object_key_at(self, pid: int, fd: int) -> str:
        """The key of the object behind a process's descriptor; empty if nothing is known there."""
        description = self.find_description(pid, fd)
        return description.object if description is not None else ""

    def descriptions_of(self, pid: int) -> Iterator[tuple[Descriptor, OpenFile]]:
        """What a process has open: each descriptor with its open file description, in no order."""
        for descriptor in self.descriptors_of(pid).values():
            description = self.open_files.get(descriptor.ofd)
            if description is not None:
                yield descriptor, description

    def references_to(self, ofd: int) -> Iterator[tuple[Process, Descriptor]]:
        """Who refers to an open file description, and by which descriptors: several after dup(2),
        fork(2) or SCM_RIGHTS. Only living processes; in no order.
        """
        for process in self.processes.values():
            if process.fate == "alive":
                for descriptor in self.descriptors_of(process.pid).values():
                    if descriptor.ofd == ofd:
                        yield process, descriptor

    def object_keys_of(self, pid: int) -> set[str]:
        """The keys of the objects that a process has open."""
        return {description.object for _, description in self.descriptions_of(pid)}


# mypy forbids a frozen class on one that is not: here the unfrozen one is never used as such.
class State(StateFields, frozen=True):  # type: ignore[misc]
    """What is known at one moment: an immutable value. `StateFields` lists what it has."""


POSIX = 1000
"""Added to the number of a POSIX timer, where timers are told apart by their signals."""

INPUTS = 16
"""Of how many writers of an object it is counted what each has written."""

SENT_KEPT = 200
"""How many sendings and deliveries a state remembers."""
