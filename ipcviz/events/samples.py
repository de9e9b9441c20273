"""Parts of samples: what was read from the kernel at one moment."""

from __future__ import annotations

from typing import Literal

from ipcviz.events.arguments import Arguments, WithArguments
from ipcviz.events.objects import Mode, ObjectInfo, Struct


class Message(Struct, frozen=True):
    """A message that waits in a System V queue: its type, its size in bytes, and its first
    bytes.
    """

    type: int
    size: int
    head: bytes = b""


class Level(Struct, frozen=True):
    """How full an object is, read from the kernel without consuming anything.

    Attributes:
        object: Its key.
        queued: Bytes waiting (FIONREAD), messages in a queue, or connections that a listening
            socket has not accepted.
        unit: Which of these it counts.
        messages: Messages in a queue whose `queued` counts bytes (System V); -1 elsewhere.
        largest: Bytes of the largest message that it takes (mq_msgsize); 0 if unknown.
        payload: Bytes of all messages in a queue whose `queued` counts those; -1 elsewhere.
        notify: The process that is to be told of a message (mq_notify(3)); 0 if none.
        waiting: The first messages in the queue, where they can be copied (msgrcv(2) with
            MSG_COPY).
        quiet: No call was under way when it was read that may have put bytes there or taken some,
            and every thread that holds an end of it stops at each of its calls: `queued` is what
            those that have returned left there.
        capacity: Bytes that it can hold (F_GETPIPE_SZ, SO_SNDBUF of the peer, mq_maxmsg); 0 if
            unknown.
        slots: Page slots in use, where the kernel lets it be known; -1 where not.
        slots_total: Page slots of the ring; 0 if it has none.
        writable: Whether poll(2) says that a write of at least one byte would be taken; None if it
            can't be asked.
        head: The first waiting bytes, copied by tee(2) or MSG_PEEK.
        state: A TCP socket's state: `established`, `close-wait`, ...; of a UNIX socket what was
            shut down of it, or that its peer is gone; empty if unknown or nothing.
        unsent: Bytes written to a TCP socket that the other end has not acknowledged (SIOCOUTQ); -1
            elsewhere.
        unsent_limit: SO_SNDBUF of such a socket; 0 if unknown.
        memory: Bytes that wait in a UDP socket with their bookkeeping, of `capacity`; -1 elsewhere.
        lost: Datagrams that came while a UDP socket had no room, since it was made; 0 elsewhere.
        passed: Descriptors under way in a UNIX socket (SCM_RIGHTS), sent and not received; -1 if
            unknown.
        connecting: Keys of the sockets whose connections a listening UNIX socket has not accepted.
        locked: It could not be read: a call that sleeps has the object locked, as splice(2) does.
            All else is from when it was read last.
    """

    object: str
    queued: int
    capacity: int = 0
    slots: int = -1
    slots_total: int = 0
    writable: bool | None = None
    head: bytes = b""
    unit: Literal["bytes", "messages", "connections"] = "bytes"
    messages: int = -1
    largest: int = 0
    payload: int = -1
    notify: int = 0
    waiting: tuple[Message, ...] = ()
    quiet: bool = False
    state: str = ""
    unsent: int = -1
    unsent_limit: int = 0
    memory: int = -1
    lost: int = 0
    passed: int = -1
    connecting: tuple[str, ...] = ()
    locked: bool = False


class SemaphoreInfo(Struct, frozen=True):
    """A semaphore's identity.

    Attributes:
        key: `sem:DEV:INO:OFFSET` for one in shared memory, `sem:vm:PID:ADDRESS` for one in private
            memory, `sysv:ID:INDEX` for one of a System V set.
        kind: `named` (sem_open), `unnamed` (sem_init), `system v` (semget).
        name: `/name` for a named one, `0xKEY[3]` or `sem ID[3]` for System V; empty for unnamed
            ones.
        object: Key of the mapped object that holds it; empty if it is private memory or System V.
        offset: Byte offset within that object, or its address if the memory is private.
        heap: It lies in private memory that the program has allocated, and not among its variables:
            most of those are the locks of an interpreter.
    """

    key: str
    kind: Literal["named", "unnamed", "system v"]
    name: str = ""
    object: str = ""
    offset: int = 0
    heap: bool = False

    @property
    def private(self) -> bool:
        """Whether it lies in memory that its process does not share, as an interpreter's or a
        library's own locks do.
        """
        return self.kind == "unnamed" and not self.object


class SemaphoreLevel(Struct, frozen=True):
    """A semaphore's value and waiters, read from memory (glibc's sem_t) or by semctl(2).

    Attributes:
        info: Which one.
        value: Its value; -1 if what lies there is no semaphore any more: it was destroyed unseen.
        waiters: Threads that wait for it to grow; -1 if it can't be read.
        waiters_zero: Processes that wait for zero (System V only).
        last_pid: The process of the last semop (GETPID; System V only), 0 if there was none.
    """

    info: SemaphoreInfo
    value: int
    waiters: int = -1
    waiters_zero: int = 0
    last_pid: int = 0


class ThreadSample(Struct, WithArguments, frozen=True):
    """One thread as /proc/PID/task/TID shows it.

    Attributes:
        tid: The thread.
        state: The state letter of /proc/PID/stat: R, S, D, T, t, Z, X.
        call: Name of the call that it is inside; empty if it runs in user mode or could not be
            read.
        args: That call's arguments by name (see `Call.args`).
        object: Key of the object behind the call's descriptor argument, if it has one.
        wchan: The kernel function that it sleeps in, only for colour: the names change between
            kernels.
        blocked: Its signal mask.
        pending: Signals pending for this thread.
    """

    tid: int
    state: str
    call: str = ""
    args: Arguments = {}
    object: str = ""
    wchan: str = ""
    blocked: int = 0
    pending: int = 0


class ProcessSample(Struct, frozen=True):
    """One process as /proc/PID shows it (proc(5)).

    Times in seconds, memory in bytes. `chars_*` and `calls_*` are rchar, wchar, syscr, syscw of
    /proc/PID/io.
    """

    pid: int
    state: str
    name: str = ""
    ppid: int = 0
    pgrp: int = 0
    session: int = 0
    tty: int = 0
    foreground: int = 0
    """Foreground process group of the controlling terminal (tpgid); 0 if it has none."""
    user_time: float = 0.0
    system_time: float = 0.0
    rss: int = 0
    shared: int = 0
    minor_faults: int = 0
    major_faults: int = 0
    voluntary_switches: int = 0
    forced_switches: int = 0
    chars_read: int = 0
    chars_written: int = 0
    calls_read: int = 0
    calls_write: int = 0
    pending: int = 0
    """Signals pending for the process as a whole (ShdPnd)."""
    ignored: int = 0
    caught: int = 0
    threads: tuple[ThreadSample, ...] = ()
    tracer: int = 0
    """Another process that traces it (TracerPid), gdb or strace say; 0 if none does."""


class PosixTimer(Struct, frozen=True):
    """A timer that a process has made (timer_create(2)), as /proc/PID/timers shows it: not whether
    it is armed.

    Attributes:
        id: The kernel's number for it.
        signo: The signal that it sends.
        clock: `CLOCK_MONOTONIC`, ...
        notify: It sends one; false for one that is only asked (SIGEV_NONE).
        tid: The thread that is to get it; 0 for the process.
    """

    id: int
    signo: int
    clock: str = ""
    notify: bool = True
    tid: int = 0


class Surroundings(Struct, frozen=True):
    """What of a process is read rarely.

    Attributes:
        pid: The process.
        namespaces: Which of its namespaces are not ours: `pid`, `net`, `mnt`, `ipc`, `user`.
        inner: Its ids in PID namespaces within ours, outermost first.
        timers: Its POSIX timers.
        title: What it has written over its arguments (setproctitle(3)), as the words of
            /proc/PID/cmdline, the first few; empty if those are the arguments that it was given.
    """

    pid: int
    namespaces: tuple[str, ...] = ()
    inner: tuple[int, ...] = ()
    timers: tuple[PosixTimer, ...] = ()
    title: tuple[str, ...] = ()


class Orphan(Struct, frozen=True):
    """A child that a process left behind when it ended: the kernel has given it to a reaper
    (prctl(2)).

    `name` is the reaper's, which may be no process that is watched.
    """

    pid: int
    reaper: int
    name: str = ""


class TableEntry(Struct, frozen=True):
    """One row of a descriptor table read whole; `ofd` equal in two rows means one open file
    description.
    """

    fd: int
    ofd: int
    object: ObjectInfo
    mode: Mode
    flags: tuple[str, ...] = ()
    cloexec: bool = False
    offset: int = 0


class MapEntry(Struct, frozen=True):
    """A mapping of a process by which it can communicate, from /proc/PID/maps: shared, or private
    of a shared file.
    """

    start: int
    length: int
    object: ObjectInfo
    offset: int = 0
    prot: str = "r--"
    shared: bool = True


class PagesSample(Struct, frozen=True):
    """The states of a mapping's pages, from /proc/PID/pagemap, and what /proc/PID/smaps counts.

    Attributes:
        pid: The process.
        start: Address of the mapping.
        pages: A letter for each of the first pages: `.` not in this process's page table, `o` a
            page of the object that this process alone has there, `O` one that others have too, `c`
            a private copy (copied on write), `C` a private copy that a fork still shares, `z`
            swapped out.
        total: Pages of the mapping; more than `pages` has letters if it is long.
        rss: Bytes in the page table; -1 before the first look at smaps, as all that follow.
        pss: The same, each page divided by the processes that have it.
        shared_dirty: Bytes written and in more than one page table.
        private_dirty: Bytes written and in this page table alone.
        huge: Bytes in huge pages (MAP_HUGETLB, SHM_HUGETLB, MFD_HUGETLB), which the others leave
            out.
    """

    pid: int
    start: int
    pages: str
    total: int
    rss: int = -1
    pss: int = -1
    shared_dirty: int = -1
    private_dirty: int = -1
    huge: int = 0


class MemorySample(Struct, frozen=True):
    """Bytes of a mapped object, read without touching a page that no process has touched.

    Attributes:
        object: Its key.
        pid: 0 for the object's own bytes; the process whose private copies these are otherwise.
        size: Bytes of the object; -1 if unknown.
        offset: Where in the object `data` begins.
        data: Some of its bytes; empty if no process has touched the pages there.
        changed: Ranges (offset in the object, length) that differ from the look before, at most 32.
        more: There were more.
        attached: How often a System V segment is attached (nattch); -1 for others.
        removed: A System V segment that goes with its last attachment (IPC_RMID); where `attached`
            is 0 it is gone.
    """

    object: str
    pid: int = 0
    size: int = -1
    offset: int = 0
    data: bytes = b""
    changed: tuple[tuple[int, int], ...] = ()
    more: bool = False
    attached: int = -1
    removed: bool = False


class Fault(Struct, frozen=True):
    """Where a fault address lies (SIGSEGV, SIGBUS).

    Attributes:
        mapping: The mapping that it lies in, of whatever kind; None if nothing is mapped there.
        size: Bytes of the mapped object; -1 if unknown or none.
        execution: The thread was about to execute what lies there.
        stack: The thread's stack ends there, and its stack pointer has gone beyond: how large the
            stack is, in bytes; 0 if that is not what happened.
    """

    mapping: MapEntry | None = None
    size: int = -1
    execution: bool = False
    stack: int = 0
