"""Why a thread waits, in the sentence that tells of it."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Disposition,
    EpollEntry,
    FileLock,
    Futex,
    Grouped,
    InotifyWatch,
    Level,
    Locks,
    Mask,
    Notifier,
    ObjectInfo,
    Opened,
    ProcessSample,
    Sample,
    SemaphoreInfo,
    SemaphoreLevel,
    Timer,
    Uses,
    Waiting,
)
from ipcviz.narrate import DETAIL, TURN
from tests import picture_states as systems
from tests.told import Row, check, did

P = systems.pipe(1)
FILE = systems.plain(9, "/tmp/words")
JOBS = ObjectInfo(key="18:7", kind="message queue", path="/jobs", ino=7)
MSG = ObjectInfo(key="msg:3", kind="message queue", path="msg 3", ino=3, detail="System V")
KINDS = ("eventfd", "timerfd", "signalfd", "pidfd", "inotify", "epoll")
FD = {kind: 10 + index for index, kind in enumerate(KINDS)}
SET = SemaphoreInfo(key="sysv:5:0", kind="system v", name="0x5e5e[0]")


def system():
    """sh[12] with a pipe (3, 4), a file (5), a queue (6), one descriptor of each kind that tells of
    events (10 to 15), and three children, of which 14 is in a group of its own.
    """
    m = systems.Maker()
    m.launch(12, "sh")
    m.pipe(12, 3, 4, P)
    m.open(12, 5, FILE, "rw")
    m.open(12, 6, JOBS, "rw")
    for kind in KINDS:
        m.open(12, FD[kind], ObjectInfo(key=f"anon:{kind}", kind=kind), "rw")
    for pid in (13, 14, 15):
        m.fork(12, pid, "cat")
    m.events.append(did("setpgid", Grouped(14, 14, 12), pid=14))
    m.events.append(did("setpgid", Grouped(13, 12, 12), pid=13))
    m.events.append(did("setpgid", Grouped(12, 12, 12), pid=12))
    m.events.append(did("msgget", Uses(object=MSG), ret=3, key=7))
    return m.state


def wait(
    call: str,
    thing: str = "",
    *,
    futex: Futex | None = None,
    semaphore: str = "",
    deadline: float | None = None,
    **args,
) -> Waiting:
    return Waiting(
        t=10.0,
        began=10.0,
        pid=12,
        tid=12,
        call=call,
        args=args,
        object=thing,
        futex=futex,
        semaphore=semaphore,
        deadline=deadline,
    )


def level(thing: str, queued: int, **more) -> Sample:
    return Sample(t=9.5, levels=(Level(object=thing, queued=queued, **more),))


def holds(kind: str, **facts) -> Sample:
    return Sample(t=9.5, notifiers=(Notifier(f"anon:{kind}", **facts),))


PIPES = [
    Row(
        (
            level(P.key, 62029, capacity=65536, slots=16, slots_total=16, writable=False),
            wait("write", P.key, fd=4),
        ),
        "sh[12] is blocked in write(4) on P1: it is full: 62,029 B in 16 of 16 pages",
        TURN,
    ),
    Row(
        (level(P.key, 9, capacity=65536, writable=True), wait("write", P.key, fd=4)),
        "sh[12] is blocked in write(4) on P1, for room: 9 B waiting",
        TURN,
    ),
    Row(
        (level(P.key, 9, writable=False), wait("write", P.key, fd=4)),
        "sh[12] is blocked in write(4) on P1: it is full: 9 B",
        TURN,
    ),
    Row(wait("read", FILE.key, fd=5), "sh[12] is blocked in read(5) on words, for the disk", TURN),
    Row(
        wait("write", FILE.key, fd=5), "sh[12] is blocked in write(5) on words, for the disk", TURN
    ),
]

MESSAGES = [
    Row(
        (level(JOBS.key, 10, capacity=10, unit="messages"), wait("mq_timedsend", JOBS.key, fd=6)),
        "sh[12] is blocked in mq_timedsend(6) on jobs: it is full: 10 of 10 messages",
        TURN,
    ),
    Row(
        wait("mq_timedreceive", JOBS.key, fd=6),
        "sh[12] is blocked in mq_timedreceive(6) on jobs: it is empty",
        TURN,
    ),
    Row(
        wait("msgsnd", MSG.key, id=3, count=30),
        "sh[12] is blocked in msgsnd on msg 3: it is full",
        TURN,
    ),
    Row(
        (level(MSG.key, 40, capacity=64, messages=2), wait("msgsnd", MSG.key, id=3, count=30)),
        "sh[12] is blocked in msgsnd on msg 3: no room for 30 B: 40 of 64 B are taken",
        TURN,
    ),
    Row(
        (level(MSG.key, 40, capacity=64, messages=2), wait("msgsnd", MSG.key, id=3, count=24)),
        "sh[12] is blocked in msgsnd on msg 3, for room",
        TURN,
    ),
    Row(
        (
            level(MSG.key, 0, capacity=64, messages=64, writable=False),
            wait("msgsnd", MSG.key, id=3, count=0),
        ),
        "sh[12] is blocked in msgsnd on msg 3: it is full: 64 messages",
        TURN,
    ),
    Row(
        wait("msgrcv", MSG.key, id=3, type=0),
        "sh[12] is blocked in msgrcv on msg 3: it is empty",
        TURN,
    ),
    Row(
        wait("msgrcv", MSG.key, id=3, type=9),
        "sh[12] is blocked in msgrcv on msg 3: no message of type 9",
        TURN,
    ),
    Row(
        (level(MSG.key, 0, messages=0), wait("msgrcv", MSG.key, id=3, type=0)),
        "sh[12] is blocked in msgrcv on msg 3: it is empty",
        TURN,
    ),
    Row(
        (level(MSG.key, 0, messages=0), wait("msgrcv", MSG.key, id=3, type=9)),
        "sh[12] is blocked in msgrcv on msg 3: it is empty, and it wants message of type 9",
        TURN,
    ),
    Row(
        (level(MSG.key, 5, messages=1), wait("msgrcv", MSG.key, id=3, type=9)),
        "sh[12] is blocked in msgrcv on msg 3: no message of type 9: 1 other waits",
        TURN,
    ),
    Row(
        (level(MSG.key, 5, messages=3), wait("msgrcv", MSG.key, id=3, type=-2)),
        "sh[12] is blocked in msgrcv on msg 3: no message of a type up to 2: 3 others wait",
        TURN,
    ),
    Row(
        (level(MSG.key, 5, messages=3), wait("msgrcv", MSG.key, id=3, type=9, flags="MSG_EXCEPT")),
        "sh[12] is blocked in msgrcv on msg 3: no message of another type than 9: 3 others wait",
        TURN,
    ),
]


def semop(ops: str, value: int | None = 0) -> tuple:
    seen = Sample(t=9.5, semaphores=(SemaphoreLevel(info=SET, value=value or 0),))
    return (
        *((seen,) if value is not None else ()),
        wait("semop", id=5, ops=ops, semaphore=SET.key),
    )


SEMAPHORES = [
    Row(
        semop("[0] -1"),
        "sh[12] is blocked in semop on 0x5e5e[0]: its value is 0, and it wants -1",
        TURN,
    ),
    Row(
        semop("[0] 0", 2),
        "sh[12] is blocked in semop on 0x5e5e[0]: its value is 2, and it waits for 0",
        TURN,
    ),
    Row(
        semop("[0] -2, [1] +1", 1),
        "sh[12] is blocked in semop on 0x5e5e[0]: its value is 1, and it wants -2, in one"
        " with 1 more",
        TURN,
    ),
    Row(semop("[0] -1", None), "sh[12] is blocked in semop: System V semaphores: [0] -1", TURN),
    Row(
        semop("[1] -1"),
        "sh[12] is blocked in semop on 0x5e5e[0]: System V semaphores: [1] -1",
        TURN,
    ),
]

CHILDREN = [
    Row(
        wait("wait4", pid=-1),
        "sh[12] waits in wait4, for a child: cat[13], cat[14] or cat[15]",
        TURN,
    ),
    Row(wait("wait4", pid=13), "sh[12] waits in wait4, for a child: cat[13]", TURN),
    Row(wait("wait4", pid=-14), "sh[12] waits in wait4, for a child: cat[14]", TURN),
    Row(wait("wait4", pid=0), "sh[12] waits in wait4, for a child: cat[13]", TURN),
    Row(wait("waitid", which=1, pid=15), "sh[12] waits in waitid, for a child: cat[15]", TURN),
    Row(wait("waitid", which=2, pid=14), "sh[12] waits in waitid, for a child: cat[14]", TURN),
    Row(
        (holds("pidfd", pid=15), wait("waitid", which=3, pid=FD["pidfd"])),
        "sh[12] waits in waitid, for a child: cat[15]",
        TURN,
    ),
    Row(
        wait("waitid", which=3, pid=FD["pidfd"]),
        "sh[12] waits in waitid, for a child: cat[13], cat[14] or cat[15]",
        TURN,
    ),
    Row(
        wait("waitid", which=0, pid=0),
        "sh[12] waits in waitid, for a child: cat[13], cat[14] or cat[15]",
        TURN,
    ),
]

CATCHES = did("rt_sigaction", Disposition(10, "catch"))
PENDING = Sample(t=9.5, processes=(ProcessSample(pid=12, state="S", name="sh", pending=1 << 9),))

SIGNALS = [
    Row((CATCHES, wait("pause")), "sh[12] waits in pause, for a signal: SIGUSR1", DETAIL),
    Row(
        (CATCHES, did("rt_sigprocmask", Mask(1 << 9)), wait("pause")),
        "sh[12] waits in pause, for a signal: what it catches is blocked",
        DETAIL,
    ),
    Row(
        (CATCHES, did("rt_sigprocmask", Mask(1 << 9)), PENDING, wait("pause")),
        "sh[12] waits in pause, for a signal: it catches none, so only one that ends it;"
        " SIGUSR1 is pending, but blocked",
        DETAIL,
    ),
    Row(
        (CATCHES, did("rt_sigprocmask", Mask(1 << 9)), wait("rt_sigsuspend", mask=0)),
        "sh[12] waits in rt_sigsuspend, for a signal: SIGUSR1",
        DETAIL,
    ),
    Row(
        wait("rt_sigtimedwait", set=1 << 9 | 1 << 14),
        "sh[12] waits in rt_sigtimedwait, for a signal: SIGUSR1 or SIGTERM",
        DETAIL,
    ),
    Row(wait("rt_sigtimedwait", set="?"), "sh[12] waits in rt_sigtimedwait, for a signal", DETAIL),
    Row(
        wait("rt_sigtimedwait", set=0b1111),
        "sh[12] waits in rt_sigtimedwait, for a signal: SIGHUP or 3 more",
        DETAIL,
    ),
]

LIMITS = [
    Row(
        wait("read", P.key, fd=3, deadline=11.5),
        "sh[12] is blocked in read(3) on P1: it is empty, at most 1.5 s more",
        TURN,
    ),
    Row(
        wait("read", P.key, fd=3, deadline=9.0),
        "sh[12] is blocked in read(3) on P1: it is empty, its time is up",
        TURN,
    ),
    Row(
        wait("nanosleep", deadline=12.0),
        "sh[12] waits in nanosleep, for time to pass: 2 s more",
        DETAIL,
    ),
    Row(
        wait("nanosleep", deadline=9.0),
        "sh[12] waits in nanosleep, for time to pass: its time is up",
        DETAIL,
    ),
    Row(wait("nanosleep", limit=5), "sh[12] waits in nanosleep, for time to pass: 5 s", DETAIL),
    Row(
        wait("poll", watched="3r", limit=5),
        "sh[12] waits in poll, for P1 (readable), 5 s at most",
        DETAIL,
    ),
    Row(
        (CATCHES, did("alarm", Timer(signo=10, seconds=3.0)), wait("read", P.key, fd=3)),
        "sh[12] is blocked in read(3) on P1: it is empty, SIGUSR1 in 2 s",
        TURN,
    ),
    Row(
        (
            CATCHES,
            did("alarm", Timer(signo=10, seconds=3.0)),
            wait("read", P.key, fd=3, deadline=11.0),
        ),
        "sh[12] is blocked in read(3) on P1: it is empty, at most 1 s more",
        TURN,
    ),
    Row(
        (
            CATCHES,
            did("alarm", Timer(signo=10, seconds=3.0)),
            wait("read", P.key, fd=3, deadline=19.0),
        ),
        "sh[12] is blocked in read(3) on P1: it is empty, at most 9 s more, SIGUSR1 in 2 s",
        TURN,
    ),
    Row(
        (
            CATCHES,
            did("setitimer", Timer(signo=10, seconds=3.0, interval=1.0)),
            wait("read", P.key, fd=3),
        ),
        "sh[12] is blocked in read(3) on P1: it is empty",
        TURN,
    ),
    Row(
        (did("rt_sigprocmask", Mask(1 << 9)), CATCHES, wait("ppoll", watched="3r", mask=0)),
        "sh[12] waits in ppoll, for P1 (readable) (under a signal mask of its own)",
        DETAIL,
    ),
]

READY = [
    Row(
        wait("poll", watched="3r 4w 5x"),
        "sh[12] waits in poll, for P1 (readable), P1 (writable) or words (in an"
        " exceptional condition)",
        DETAIL,
    ),
    Row(
        wait("poll", watched="99r"),
        "sh[12] waits in poll, for descriptor 99, not known any more",
        DETAIL,
    ),
    Row(wait("poll", watched=""), "sh[12] waits in poll, until a descriptor is ready", DETAIL),
    Row(
        wait("poll", watched="", limit=5),
        "sh[12] waits in poll, until time is up, 5 s at most",
        DETAIL,
    ),
    Row(
        wait("poll", watched="3r 4w 5r 6r 10r 11r 12r 13r"),
        "sh[12] waits in poll, for one of P1 (readable), P1 (writable), words (readable),"
        " jobs (readable), E1 (readable) and 3 more",
        DETAIL,
    ),
    Row(
        (holds("timerfd", due=12.5), wait("poll", watched="11r")),
        "sh[12] waits in poll, for T1 (a timer, 2.5 s left)",
        DETAIL,
    ),
    Row(
        (holds("timerfd"), wait("poll", watched="11r")),
        "sh[12] waits in poll, for T1 (a timer, not armed)",
        DETAIL,
    ),
    Row(
        (holds("timerfd", count=3), wait("poll", watched="11r")),
        "sh[12] waits in poll, for T1 (a timer, expired 3 times)",
        DETAIL,
    ),
    Row(
        (holds("timerfd", count=1), wait("poll", watched="11r")),
        "sh[12] waits in poll, for T1 (a timer, expired once)",
        DETAIL,
    ),
    Row(
        (holds("timerfd", due=9.0), wait("poll", watched="11r")),
        "sh[12] waits in poll, for T1 (a timer, due now)",
        DETAIL,
    ),
    Row(
        (holds("signalfd", mask=1 << 9 | 1 << 14), wait("poll", watched="12r")),
        "sh[12] waits in poll, for SG1 (SIGUSR1 or SIGTERM)",
        DETAIL,
    ),
    Row(
        (holds("pidfd", pid=13), wait("poll", watched="13r")),
        "sh[12] waits in poll, for PD1 (the end of cat[13])",
        DETAIL,
    ),
    Row(
        (holds("eventfd", count=0), wait("poll", watched="10r")),
        "sh[12] waits in poll, for E1 (an eventfd at 0)",
        DETAIL,
    ),
    Row(
        (holds("eventfd", count=0), wait("poll", watched="10w")),
        "sh[12] waits in poll, for E1 (writable)",
        DETAIL,
    ),
    Row(
        (
            holds(
                "inotify",
                watches=(
                    InotifyWatch(1, "8:50"),
                    InotifyWatch(2, path="/s"),
                    InotifyWatch(3, path="/t"),
                ),
            ),
            wait("poll", watched="14r"),
        ),
        "sh[12] waits in poll, for IN1 (a change in inode 50, /s and 1 more)",
        DETAIL,
    ),
    Row(
        (
            holds(
                "epoll",
                listed=(
                    EpollEntry(3, ("EPOLLIN",), P.key),
                    EpollEntry(4, ("EPOLLOUT", "EPOLLET"), P.key),
                ),
            ),
            wait("epoll_wait", "anon:epoll", fd=15),
        ),
        "sh[12] waits in epoll_wait(15) on EP1, for P1 (readable) or P1 (writable, edge-triggered)",
        TURN,
    ),
    Row(
        (
            holds(
                "epoll",
                listed=(EpollEntry(3, ("EPOLLONESHOT",), P.key), EpollEntry(77, ("EPOLLIN",))),
            ),
            wait("epoll_wait", "anon:epoll", fd=15),
        ),
        "sh[12] waits in epoll_wait(15) on EP1, for P1 (has told once, EPOLLONESHOT, and"
        " is switched off) or descriptor 77, not known any more",
        TURN,
    ),
]

READS = [
    Row(
        wait("read", "anon:eventfd", fd=10),
        "sh[12] is blocked in read(10) on E1: its counter is 0",
        TURN,
    ),
    Row(
        wait("write", "anon:eventfd", fd=10),
        "sh[12] is blocked in write(10) on E1: its counter can't hold that much more",
        TURN,
    ),
    Row(
        (holds("timerfd", due=12.5), wait("read", "anon:timerfd", fd=11)),
        "sh[12] waits in read(11) on T1, until it expires (2.5 s left)",
        TURN,
    ),
    Row(
        wait("read", "anon:timerfd", fd=11),
        "sh[12] waits in read(11) on T1, until it expires",
        TURN,
    ),
    Row(
        (holds("signalfd", mask=1 << 9), wait("read", "anon:signalfd", fd=12)),
        "sh[12] waits in read(12) on SG1, until SIGUSR1 comes",
        TURN,
    ),
    Row(
        (holds("signalfd", mask=0), wait("read", "anon:signalfd", fd=12)),
        "sh[12] waits in read(12) on SG1, until no signal comes",
        TURN,
    ),
    Row(
        wait("read", "anon:signalfd", fd=12),
        "sh[12] waits in read(12) on SG1, until a signal comes",
        TURN,
    ),
    Row(
        (
            holds("inotify", watches=(InotifyWatch(2, path="/s"),)),
            wait("read", "anon:inotify", fd=14),
        ),
        "sh[12] waits in read(14) on IN1, until something happens in /s",
        TURN,
    ),
    Row(
        wait("read", "anon:inotify", fd=14),
        "sh[12] waits in read(14) on IN1, until something happens to what it watches",
        TURN,
    ),
]


def locked(*locks: FileLock):
    return did("flock", Locks(object=FILE.key, locks=locks), by=13)


def flock(kind: str, mode: str, pid: int, **more) -> FileLock:
    return FileLock(kind=kind, mode=mode, pid=pid, **more)


FCNTL = {"fd": 5, "cmd": "F_SETLKW", "lock": "F_WRLCK"}

LOCKS = [
    Row(
        wait("flock", FILE.key, fd=5, operation="LOCK_EX"),
        "sh[12] is blocked in flock(5) on words: the lock is held",
        TURN,
    ),
    Row(
        (locked(flock("posix", "w", 13)), wait("fcntl", FILE.key, **FCNTL)),
        "sh[12] is blocked in fcntl(5) on words: held exclusively by cat[13]",
        TURN,
    ),
    Row(
        (
            locked(flock("posix", "r", 13), flock("posix", "r", 14)),
            wait("fcntl", FILE.key, **FCNTL),
        ),
        "sh[12] is blocked in fcntl(5) on words: held shared by cat[13], cat[14]",
        TURN,
    ),
    Row(
        (
            locked(*(flock("posix", "r", pid) for pid in (13, 14, 15, 77))),
            wait("fcntl", FILE.key, **FCNTL),
        ),
        "sh[12] is blocked in fcntl(5) on words: held shared by cat[13], cat[14], cat[15]"
        " and 1 more",
        TURN,
    ),
    Row(
        (
            did("openat", Opened(fd=20, ofd=900, object=FILE, mode="rw"), ret=20),
            locked(flock("flock", "w", 12, ofd=900)),
            wait("flock", FILE.key, fd=5, operation="LOCK_EX"),
        ),
        "sh[12] is blocked in flock(5) on words: held exclusively by sh[12] itself, by"
        " another open file description; sh[12] waits for what it has itself",
        TURN,
    ),
]


def futex(kind: str = "mutex", **facts) -> Waiting:
    return wait("futex", futex=Futex(key="futex:vm:12:64", private=True, kind=kind, **facts))


def seen(**facts) -> Sample:
    return Sample(
        t=10.5, futexes=(Futex(key="futex:vm:12:64", private=True, kind="mutex", **facts),)
    )


FUTEXES = [
    Row(
        futex(owner=13, sure=True),
        "sh[12] is blocked in pthread_mutex_lock: a mutex held by cat[13]",
        TURN,
    ),
    Row(futex("condition"), "sh[12] is blocked in futex: probably a condition variable", TURN),
    Row(
        futex("rwlock", asks="write", readers=2),
        "sh[12] is blocked in pthread_rwlock_wrlock: probably a read-write lock that 2"
        " readers have",
        TURN,
    ),
    Row(
        futex("barrier", arrived=2, parties=5),
        "sh[12] is blocked in pthread_barrier_wait: probably a barrier: 2 of 5 have come",
        TURN,
    ),
    Row(
        futex(former=99),
        "sh[12] is blocked in pthread_mutex_lock: a mutex whose owner, thread 99, has ended",
        TURN,
    ),
    Row(
        (futex(owner=13), seen(owner=14), futex(owner=14)),
        "sh[12] is blocked in pthread_mutex_lock: a mutex held by cat[14]",
        TURN,
    ),
]

TABLES = [
    (table, system)
    for table in (
        PIPES,
        MESSAGES,
        SEMAPHORES,
        CHILDREN,
        SIGNALS,
        LIMITS,
        READY,
        READS,
        LOCKS,
        FUTEXES,
    )
]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)
