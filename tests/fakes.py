"""Sessions that need no kernel: prepared events, and a clock that stands still until it is told."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ipcviz.events import (
    AnyCommand,
    Call,
    Closed,
    Coverage,
    Disposition,
    Duplicated,
    EpollEntry,
    Event,
    Executed,
    Exited,
    Filed,
    Finished,
    Forked,
    Held,
    Level,
    MapEntry,
    Mapped,
    Maps,
    Mask,
    MemorySample,
    NameCreated,
    NameRemoved,
    Notifier,
    ObjectInfo,
    Opened,
    Output,
    PagesSample,
    Poised,
    PosixTimer,
    ProcessSample,
    Reaped,
    Sample,
    SemaphoreInfo,
    SemaphoreLevel,
    SemaphoreOp,
    Sent,
    Settled,
    SignalDelivered,
    Started,
    Stepped,
    Subreaper,
    Surroundings,
    Table,
    TableEntry,
    ThreadSample,
    Timer,
    Waiting,
)


class FakeSession:
    """A session whose events are prepared; `feed` adds some, `commands` keeps what it was told."""

    def __init__(
        self, events: Iterable[Event] = (), argv: tuple[str, ...] = ("sh", "-c", "...")
    ) -> None:
        self.argv = argv
        self.commands: list[AnyCommand] = []
        self.started = False
        self.closed = False
        self.ended = False
        self._queue: list[Event] = list(events)

    @property
    def finished(self) -> bool:
        return self.ended and not self._queue

    def start(self) -> None:
        self.started = True

    def feed(self, *events: Event) -> None:
        self._queue.extend(events)

    def drain(self) -> list[Event]:
        events, self._queue = self._queue, []
        if any(isinstance(e, Finished) and e.left == 0 for e in events):
            self.ended = True
        return events

    def send(self, command: AnyCommand) -> None:
        self.commands.append(command)

    def close(self) -> None:
        self.closed = True


class FrozenClock:
    """A clock in seconds that goes on only when `now` is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def numbered(events: Iterable[Event]) -> list[Event]:
    """The events with their numbers, from 1."""
    return [msgspec.structs.replace(event, n=n) for n, event in enumerate(events, 1)]


TTY = ObjectInfo(key="88:3", kind="terminal", path="/dev/pts/3", dev=88, ino=3)
PIPE = ObjectInfo(key="pipe:[4711]", kind="pipe", path="pipe:[4711]", ino=4711, capacity=65536)
FILE = ObjectInfo(key="8:100", kind="file", path="/tmp/FILE", dev=8, ino=100)
OUT = ObjectInfo(key="8:101", kind="file", path="/tmp/FILE.gz", dev=8, ino=101)
FIFO = ObjectInfo(key="8:200", kind="fifo", path="/tmp/fifo", dev=8, ino=200, capacity=65536)
QUEUE = ObjectInfo(key="8:300", kind="file", path="/tmp/queue.dat", dev=8, ino=300)


def terminal_table(pid: int, t: float) -> Table:
    rows = tuple(TableEntry(fd=fd, ofd=1, object=TTY, mode="rw") for fd in (0, 1, 2))
    return Table(t=t, pid=pid, entries=rows, reason="launched")


def call(
    t: float,
    pid: int,
    name: str,
    *effects: object,
    fd: int | None = None,
    obj: str = "",
    ret: int = 0,
    **kw,
):
    args = dict(kw.pop("args", {}))
    if fd is not None:
        args["fd"] = fd
    return Call(
        t=t,
        began=t,
        pid=pid,
        tid=pid,
        name=name,
        args=args,
        ret=ret,
        object=obj,
        effects=effects,
        **kw,
    )


def dup2(t: float, pid: int, source: int, fd: int) -> Call:
    return call(
        t,
        pid,
        "dup2",
        Duplicated(fd=fd, source=source),
        ret=fd,
        args={"oldfd": source, "newfd": fd},
    )


def close(t: float, pid: int, fd: int, obj: str = "") -> Call:
    return call(t, pid, "close", Closed(fd=fd), fd=fd, obj=obj)


def process(pid: int, name: str, state: str = "S", ppid: int = 11, **kw) -> ProcessSample:
    return ProcessSample(pid=pid, name=name, state=state, ppid=ppid, **kw)


def pipeline_start() -> list[Event]:
    """`cat FILE | gzip -c9 > FILE.gz`: from the shell's start until gzip waits for the first
    bytes.
    """
    p = PIPE.key
    return [
        Started(
            t=0, argv=("sh", "-c", "cat FILE | gzip -c9 > FILE.gz"), terminal=True, kernel="6.18"
        ),
        Forked(
            t=0.01,
            pid=11,
            parent=1,
            how="launched",
            name="sh",
            argv=("sh", "-c", "cat FILE | gzip -c9 > FILE.gz"),
        ),
        terminal_table(11, 0.01),
        call(
            0.1,
            11,
            "pipe2",
            Opened(fd=3, ofd=10, object=PIPE, mode="r"),
            Opened(fd=4, ofd=11, object=PIPE, mode="w"),
        ),
        Forked(t=0.2, pid=12, parent=11, by=11),
        close(0.21, 11, 4, p),
        close(0.22, 12, 3, p),
        dup2(0.23, 12, 4, 1),
        close(0.24, 12, 4, p),
        Executed(t=0.3, pid=12, path="/bin/cat", argv=("cat", "FILE"), name="cat"),
        Forked(t=0.32, pid=13, parent=11, by=11),
        close(0.33, 11, 3, p),
        dup2(0.34, 13, 3, 0),
        close(0.35, 13, 3, p),
        call(
            0.36,
            13,
            "openat",
            Opened(fd=3, ofd=14, object=OUT, mode="w"),
            ret=3,
            args={"pathname": "FILE.gz"},
        ),
        dup2(0.37, 13, 3, 1),
        close(0.38, 13, 3, OUT.key),
        Executed(t=0.4, pid=13, path="/bin/gzip", argv=("gzip", "-c9"), name="gzip"),
        Waiting(t=0.41, pid=11, tid=11, call="wait4", args={"pid": -1}),
        Waiting(t=0.42, pid=13, tid=13, call="read", args={"fd": 0, "count": 65536}, object=p),
        call(
            0.5,
            12,
            "openat",
            Opened(fd=3, ofd=15, object=FILE, mode="r"),
            ret=3,
            args={"pathname": "FILE"},
        ),
    ]


def pipeline_flow() -> list[Event]:
    """The same pipeline while bytes flow, until cat is blocked in a write."""
    p = PIPE.key
    return [
        call(0.6, 12, "read", fd=3, obj=FILE.key, ret=131072),
        call(
            0.61,
            12,
            "write",
            fd=1,
            obj=p,
            ret=65536,
            data=b"Call me Ishmael.",
            args={"count": 131072},
        ),
        call(0.62, 13, "read", fd=0, obj=p, ret=32768),
        call(0.7, 13, "write", fd=1, obj=OUT.key, ret=18000),
        Sample(
            t=0.75,
            levels=(
                Level(
                    object=p,
                    queued=62029,
                    capacity=65536,
                    slots=16,
                    slots_total=16,
                    writable=False,
                    head=(
                        b"Call me Ishmael.\nSome years ago\x00\x1b[31mnever mind how long"
                        b" precisely\xff"
                    ),
                ),
            ),
            processes=(
                process(
                    11,
                    "sh",
                    ppid=1,
                    rss=1_800_000,
                    user_time=0.01,
                    minor_faults=210,
                    voluntary_switches=4,
                    threads=(ThreadSample(tid=11, state="S", call="wait4"),),
                ),
                process(
                    12,
                    "cat",
                    rss=1_600_000,
                    user_time=0.05,
                    system_time=0.2,
                    minor_faults=120,
                    voluntary_switches=40,
                    chars_read=131072,
                    chars_written=65536,
                    calls_read=4,
                    calls_write=1,
                ),
                process(
                    13,
                    "gzip",
                    "R",
                    rss=2_100_000,
                    user_time=0.4,
                    minor_faults=180,
                    forced_switches=7,
                ),
            ),
        ),
        Waiting(t=0.8, pid=12, tid=12, call="write", args={"fd": 1, "count": 131072}, object=p),
        Coverage(t=0.9, pid=13, full=False, reason="more than 2,000 calls a second"),
        Output(t=0.95, data=b"gzip: \x1b[1mworking\x1b[0m\r\n"),
    ]


def pipeline_end() -> list[Event]:
    """cat comes to the end, gzip reads end of file, everybody is waited for."""
    p = PIPE.key
    return [
        call(1.0, 12, "write", fd=1, obj=p, ret=131072, args={"count": 131072}),
        close(1.1, 12, 1, p),
        Exited(t=1.2, pid=12, code=0),
        SignalDelivered(
            t=1.21, pid=11, tid=11, signo=17, code="CLD_EXITED", sender=12, action="ignore"
        ),
        Reaped(t=1.22, pid=12, by=11),
        call(1.3, 13, "read", fd=0, obj=p, ret=0),
        Exited(t=1.4, pid=13, code=0),
        Reaped(t=1.41, pid=13, by=11),
        Exited(t=1.5, pid=11, code=0),
        Reaped(t=1.51, pid=11),
        Finished(t=1.52, code=0),
    ]


def pipeline() -> list[Event]:
    return numbered([*pipeline_start(), *pipeline_flow(), *pipeline_end()])


def fifo() -> list[Event]:
    """`gzip < fifo > out & cat FILE > fifo; rm fifo`, until gzip waits in open."""
    return numbered(
        [
            Started(t=0, argv=("sh", "fifo.sh"), terminal=True),
            Forked(t=0.01, pid=21, parent=1, how="launched", name="sh", argv=("sh", "fifo.sh")),
            terminal_table(21, 0.01),
            call(
                0.1,
                21,
                "mknodat",
                NameCreated(path="/tmp/fifo", object=FIFO.key),
                args={"pathname": "/tmp/fifo"},
            ),
            Forked(t=0.2, pid=22, parent=21, by=21),
            Waiting(
                t=0.3,
                pid=22,
                tid=22,
                call="openat",
                args={"pathname": "/tmp/fifo", "flags": "O_RDONLY"},
                object=FIFO.key,
            ),
            Forked(t=0.4, pid=23, parent=21, by=21),
            call(
                0.5,
                23,
                "openat",
                Opened(fd=3, ofd=30, object=FIFO, mode="w"),
                ret=3,
                args={"pathname": "/tmp/fifo", "flags": "O_WRONLY"},
            ),
            call(
                0.51,
                22,
                "openat",
                Opened(fd=3, ofd=31, object=FIFO, mode="r"),
                ret=3,
                args={"pathname": "/tmp/fifo", "flags": "O_RDONLY"},
            ),
            dup2(0.52, 23, 3, 1),
            close(0.53, 23, 3, FIFO.key),
            Executed(t=0.6, pid=23, path="/bin/cat", argv=("cat", "[/foo]", "[pid]"), name="cat"),
            Executed(t=0.61, pid=22, path="/bin/gzip", argv=("gzip", "-c"), name="gzip"),
            call(
                0.7,
                21,
                "unlink",
                NameRemoved(path="/tmp/fifo", object=FIFO.key),
                args={"pathname": "/tmp/fifo"},
            ),
        ]
    )


LOCK = SemaphoreInfo(key="sem:8:300:0", kind="unnamed", object=QUEUE.key, offset=0)
EMPTY = SemaphoreInfo(key="sem:8:300:32", kind="unnamed", object=QUEUE.key, offset=32)
FULL = SemaphoreInfo(key="sem:vm:named:9", kind="named", name="/full")


def mmap_queue() -> list[Event]:
    """A bounded queue in a mapped file with three semaphores: the consumer waits, the producer
    posts.
    """

    def op(
        t: float, pid: int, name: str, sem: SemaphoreInfo, value: int | None, **kw
    ) -> SemaphoreOp:
        return SemaphoreOp(t=t, pid=pid, tid=pid, op=name, semaphore=sem, value=value, **kw)

    return numbered(
        [
            Started(t=0, argv=("./queue",), terminal=True),
            Forked(t=0.01, pid=31, parent=1, how="launched", name="queue", argv=("./queue",)),
            terminal_table(31, 0.01),
            call(0.1, 31, "openat", Opened(fd=3, ofd=40, object=QUEUE, mode="rw"), ret=3),
            call(
                0.2,
                31,
                "mmap",
                Mapped(start=0x7F0000000000, length=4096, object=QUEUE, prot="rw-"),
                fd=3,
            ),
            op(0.3, 31, "init", LOCK, None, initial=1),
            op(0.31, 31, "init", EMPTY, None, initial=4),
            op(0.32, 31, "open", FULL, 0),
            Forked(t=0.4, pid=32, parent=31, by=31, name="consumer"),
            op(0.5, 32, "wait", FULL, 0),
            Waiting(t=0.51, pid=32, tid=32, call="futex", args={"op": "FUTEX_WAIT"}),
            op(0.6, 31, "wait", EMPTY, 4),
            op(0.61, 31, "wait", LOCK, 1),
            op(0.62, 31, "post", LOCK, 0),
            Sample(t=0.63, semaphores=(SemaphoreLevel(info=FULL, value=0, waiters=1),)),
            op(0.7, 31, "post", FULL, 0),
            op(0.71, 32, "acquired", FULL, 0),
        ]
    )


def sleep_race() -> list[Event]:
    """sleep made of alarm and pause: SIGALRM comes before pause, and the wake-up is lost."""
    return numbered(
        [
            Started(t=0, argv=("./sleep2", "1"), terminal=True),
            Forked(t=0.01, pid=41, parent=1, how="launched", name="sleep2", argv=("./sleep2", "1")),
            terminal_table(41, 0.01),
            call(
                0.1,
                41,
                "rt_sigaction",
                Disposition(signo=14, action="catch", flags=("SA_RESTART",)),
            ),
            call(0.11, 41, "rt_sigaction", Disposition(signo=13, action="ignore")),
            call(0.12, 41, "rt_sigprocmask", Mask(blocked=1 << 1)),
            call(0.2, 41, "alarm", Timer(signo=14, seconds=1.0)),
            Forked(t=0.3, pid=42, parent=41, by=41),
            call(0.4, 42, "kill", Sent(target=41, signo=2), args={"pid": 41, "sig": "SIGINT"}),
            call(0.41, 42, "kill", Sent(target=41, signo=2), args={"pid": 41, "sig": "SIGINT"}),
            SignalDelivered(t=1.2, pid=41, tid=41, signo=14, code="SI_KERNEL", action="handler"),
            Waiting(t=1.3, pid=41, tid=41, call="pause"),
        ]
    )


def stepped() -> list[Event]:
    """A shell and its child at a pipe, by single steps: the child blocks in a read, the write wakes
    it.
    """
    p = PIPE.key

    def poised(t: float, pid: int, name: str) -> Poised:
        return Poised(
            t=t,
            pid=pid,
            tid=pid,
            at="entry",
            call=name,
            args={"fd": 3 if name == "read" else 4},
            object=p,
        )

    return numbered(
        [
            Started(t=0, argv=("sh",), terminal=True),
            Forked(t=0.01, pid=51, parent=1, how="launched", name="sh", argv=("sh",)),
            terminal_table(51, 0.01),
            call(
                0.1,
                51,
                "pipe2",
                Opened(fd=3, ofd=10, object=PIPE, mode="r"),
                Opened(fd=4, ofd=11, object=PIPE, mode="w"),
            ),
            Forked(t=0.2, pid=52, parent=51, by=51),
            Held(t=0.3),
            poised(0.31, 51, "write"),
            poised(0.32, 52, "read"),
            Settled(t=0.33, step=0),
            Stepped(t=2.0, step=1, pid=52, tid=52),
            Waiting(t=2.01, pid=52, tid=52, call="read", args={"fd": 3}, object=p),
            Settled(t=2.02, step=1),
            Stepped(t=4.0, step=2, pid=51, tid=51),
            call(4.01, 51, "write", fd=4, obj=p, ret=6, data=b"hello\n", args={"count": 6}),
            Sample(t=4.02, levels=(Level(object=p, queued=6, capacity=65536),)),
            Poised(t=4.03, pid=52, tid=52, at="return", call="read", object=p),
            poised(4.04, 51, "close"),
            Settled(t=4.05, step=2),
            Stepped(t=6.0, step=3, pid=52, tid=52),
            call(6.01, 52, "read", fd=3, obj=p, ret=6, args={"count": 4096}),
            Sample(t=6.02, levels=(Level(object=p, queued=0, capacity=65536),)),
            poised(6.03, 52, "read"),
            Settled(t=6.04, step=3),
        ]
    )


def shared_memory() -> list[Event]:
    """The queue in a file, mapped shared by two processes and private by one of them, while bytes
    change.
    """
    shared, private, other = 0x7F0000000000, 0x7F0000100000, 0x7F5500000000
    text = bytes(range(32)) + b"job 1: [/foo] bar" + bytes(207)
    later = text[:32] + b"job 2:" + text[38:]

    def pages(pid: int, start: int, letters: str) -> PagesSample:
        return PagesSample(
            pid=pid,
            start=start,
            pages=letters,
            total=300,
            rss=8192,
            pss=4096,
            shared_dirty=4096,
            private_dirty=0,
        )

    def entry(start: int, prot: str, kind: bool) -> MapEntry:
        return MapEntry(start=start, length=300 * 4096, object=QUEUE, prot=prot, shared=kind)

    return numbered(
        [
            *mmap_queue(),
            Maps(t=1, pid=31, entries=(entry(shared, "rw-", True), entry(private, "rw-", False))),
            Maps(t=1.01, pid=32, entries=(entry(other, "r--", True),)),
            Sample(
                t=1.1,
                pages=(
                    pages(31, shared, "OO.o" + "." * 252),
                    pages(31, private, "Oc.." + "." * 252),
                    pages(32, other, "OO.." + "." * 252),
                ),
                memory=(
                    MemorySample(object=QUEUE.key, size=300 * 4096, data=text),
                    MemorySample(
                        object=QUEUE.key,
                        pid=31,
                        size=300 * 4096,
                        offset=4096,
                        data=b"mine" + bytes(60),
                    ),
                ),
            ),
            Sample(
                t=1.2,
                memory=(
                    MemorySample(
                        object=QUEUE.key,
                        size=300 * 4096,
                        data=later,
                        changed=((4, 1), (31, 2), (36, 1), (9000, 3)),
                    ),
                ),
            ),
        ]
    )


def notified() -> list[Event]:
    """`lpd` waits in epoll for a timer and an eventfd, watches a directory, and `lpr` moves a file
    into it.
    """
    timer, counter, epoll = (
        ObjectInfo(key=f"anon:{ofd}", kind=kind)  # type: ignore[arg-type]
        for ofd, kind in ((3, "timerfd"), (4, "eventfd"), (5, "epoll"))
    )
    rows = [TableEntry(fd=0, ofd=1, object=TTY, mode="rw")]
    rows += [
        TableEntry(fd=4 + n, ofd=3 + n, object=o, mode="rw")
        for n, o in enumerate((timer, counter, epoll))
    ]
    listed = (
        EpollEntry(fd=4, events=("EPOLLIN",), object=timer.key),
        EpollEntry(fd=5, events=("EPOLLIN", "EPOLLET"), object=counter.key),
        EpollEntry(fd=9, events=("EPOLLOUT",)),
    )
    tty = 136 << 8 | 3
    timers = (
        PosixTimer(id=0, signo=34, clock="CLOCK_MONOTONIC"),
        PosixTimer(id=1, signo=10, clock="CLOCK_REALTIME", tid=11),
    )
    moved = Filed("moved", "/s/queue", "j1", "/s/tmp", "j1", "8:7")
    return numbered(
        [
            Started(t=0, argv=("lpd",), terminal=True),
            Forked(t=0.0, pid=11, parent=1, how="launched", name="lpd", argv=("lpd",)),
            Table(t=0.0, pid=11, entries=tuple(rows), reason="launched"),
            call(0.1, 11, "prctl", Subreaper(enabled=True)),
            call(0.1, 11, "inotify_add_watch", Filed("watched", "/s/queue"), ret=1),
            call(0.2, 11, "timer_create", Timer(signo=34, seconds=0.0, id=0, change="made")),
            call(0.5, 11, "timer_settime", Timer(signo=0, seconds=2.0, interval=3.0, id=0)),
            Forked(t=0.6, pid=12, parent=11, by=11, name="lpr"),
            call(0.7, 12, "rename", moved, args={"old": "tmp/j1", "new": "queue/j1"}),
            Sample(
                t=1.0,
                processes=(
                    process(11, "lpd", ppid=1, pgrp=11, session=11, tty=tty, foreground=11),
                ),
                notifiers=(
                    Notifier("anon:3", count=0, due=2.5, clock="CLOCK_MONOTONIC"),
                    Notifier("anon:4", count=3),
                    Notifier("anon:5", listed=listed),
                ),
                surroundings=(Surroundings(11, ("pid",), (1,), timers),),
            ),
        ]
    )
