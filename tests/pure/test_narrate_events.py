"""What is no call, in words: processes, waits, markers, how much is seen, and the session's end."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Closed,
    CloseOnExec,
    Continued,
    Coverage,
    Dropped,
    EndForced,
    Entered,
    Executed,
    Exited,
    Finished,
    Forked,
    Level,
    Marker,
    ObjectInfo,
    OpenedOutside,
    Output,
    Sample,
    Started,
    Stopped,
    Table,
    ThreadCreated,
    ThreadExited,
    Trouble,
    Waiting,
)
from ipcviz.narrate import DETAIL, TURN
from tests import picture_states as systems
from tests.told import Row, check, did, tell

P = systems.pipe(1)
QUEUE = ObjectInfo(key="18:7", kind="message queue", path="/jobs", ino=7)
FIFO = ObjectInfo(key="8:11", kind="fifo", path="/tmp/fifo", dev=8, ino=11)


def maker() -> systems.Maker:
    """sh[12] and cat[13] have a pipe behind 3 and 4, a queue behind 5 and a FIFO behind 6."""
    m = systems.Maker()
    m.launch(12, "sh")
    m.pipe(12, 3, 4, P)
    m.open(12, 5, QUEUE, "rw")
    m.open(12, 6, FIFO, "r")
    m.fork(12, 13, "cat")
    return m


def system():
    return maker().state


def forked(how: str, **more) -> Forked:
    return Forked(t=9.0, pid=20, parent=12, by=12, how=how, name="cat", **more)


PROCESSES = [
    Row(
        Started(t=0.0, argv=("sh", "-c", "a | b"), terminal=True),
        "Started sh -c 'a | b', on a terminal of its own",
        TURN,
    ),
    Row(Started(t=0.0, argv=("nginx",), mode="attached"), "Attached to nginx", TURN),
    Row(forked("launched"), "cat[20] was launched", TURN),
    Row(forked("attached"), "cat[20] is watched from now on", TURN),
    Row(forked("fork"), "sh[12] forked cat[20]", TURN),
    Row(forked("vfork"), "sh[12] vforked cat[20] and waits until that executes or exits", TURN),
    Row(
        forked("clone", shares_files=True),
        "sh[12] cloned cat[20], which shares its descriptor table",
        TURN,
    ),
    Row(ThreadCreated(t=9.0, pid=12, tid=21, by=12), "sh[12] made the thread 21"),
    Row(ThreadExited(t=9.0, pid=12, tid=21), "Thread 21 of sh[12] ended"),
    Row(Stopped(t=9.0, pid=13, signo=20), "cat[13] was stopped by SIGTSTP", TURN),
    Row(Continued(t=9.0, pid=13), "cat[13] was continued", TURN),
    Row(Marker(t=9.0, pid=13, tid=13, text="half way"), "cat[13]: half way", TURN),
    Row(Table(t=9.0, pid=13, entries=(), reason="exec"), ""),
    Row(
        Table(t=9.0, pid=13, entries=(), reason="corrected", differed=(3, 4)),
        "cat[13]: descriptors 3, 4 are not what the calls seen so far had made of them",
    ),
]


def executed(*argv: str, path: str = "/bin/ls", name: str = "ls") -> Executed:
    return Executed(t=9.0, pid=13, path=path, argv=argv, name=name)


def cloexec(*fds: int):
    return tuple(did("fcntl", CloseOnExec(fd=fd, cloexec=True), by=13, fd=fd) for fd in fds)


EXECUTED = [
    Row(executed("ls", "a b"), "cat[13] executes ls 'a b'", TURN),
    Row(executed(), "cat[13] executes /bin/ls without arguments, not even argv[0]", TURN),
    Row(
        executed(path="", name="ls"),
        "cat[13] executes ls without arguments, not even argv[0]",
        TURN,
    ),
    Row(
        executed("-sh", path="/bin/bash", name="bash"),
        "cat[13] executes /bin/bash (argv[0] is -sh)",
        TURN,
    ),
    Row(
        executed("other", "-l", path="/bin/bash", name="bash"),
        "cat[13] executes /bin/bash -l (argv[0] is other)",
        TURN,
    ),
    Row(
        (*cloexec(5), executed("ls")),
        "cat[13] executes ls: 1 close-on-exec descriptor is closed",
        TURN,
    ),
    Row(
        (*cloexec(5, 6), executed("ls")),
        "cat[13] executes ls: 2 close-on-exec descriptors are closed",
        TURN,
    ),
    Row(
        (did("close", Closed(fd=4)), *cloexec(4), executed("ls")),
        "cat[13] executes ls: 1 close-on-exec descriptor is closed; no writer of P1 is left",
        TURN,
    ),
]

ENDS = [
    Row(Exited(t=9.0, pid=13, code=3), "cat[13] exited with status 3", TURN),
    Row(
        Exited(t=9.0, pid=13, unknown=True),
        "cat[13] is gone; how it ended is not known, since it was only sampled",
        TURN,
    ),
    Row(
        Exited(t=9.0, pid=13, signo=11, core=True),
        "cat[13] was killed by SIGSEGV (core dumped)",
        TURN,
    ),
    Row(Finished(t=9.0, code=0), "The command ended with status 0", TURN),
    Row(Finished(t=9.0, code=0, signo=15), "The command was ended by SIGTERM", TURN),
    Row(
        Finished(t=9.0, code=1, left=2),
        "The command ended with status 1; 2 of its processes still run",
        TURN,
    ),
    Row(
        (Exited(t=8.0, pid=12, code=0), Finished(t=9.0, code=0)),
        "The command ended with status 0",
        TURN,
    ),
    Row(
        (Started(t=0.0, mode="attached"), Finished(t=9.0, code=0)),
        "Nothing that was attached to is left",
        TURN,
    ),
    Row(
        (Started(t=0.0, mode="attached"), Finished(t=9.0, code=0, detached=1)),
        "Detached: 1 process runs on",
        TURN,
    ),
    Row(
        (Started(t=0.0, mode="attached"), Finished(t=9.0, code=0, detached=2)),
        "Detached: 2 processes run on",
        TURN,
    ),
    Row(EndForced(t=9.0, living=1), "ipcviz was left: 1 process that still lived is killed", TURN),
    Row(
        EndForced(t=9.0, living=2), "ipcviz was left: 2 processes that still lived are killed", TURN
    ),
    Row(
        (Started(t=0.0, mode="attached"), EndForced(t=9.0, living=2)),
        "ipcviz was left: 2 processes that still lived are let go of",
        TURN,
    ),
    Row(Trouble(t=9.0, message="The kernel has no more room"), "The kernel has no more room", TURN),
    Row(
        Dropped(t=9.0, events=12_000),
        "12,000 events of data calls were left out here: there were too many to show",
        TURN,
    ),
    Row(Output(t=9.0, data=b"hello"), ""),
    Row(
        OpenedOutside(t=9.0, object=FIFO.key, pid=77, name="cat"),
        "cat[77], who is not watched, opened the FIFO fifo",
        TURN,
    ),
    Row(
        OpenedOutside(t=9.0, object=FIFO.key, pid=77),
        "process[77], who is not watched, opened the FIFO fifo",
        TURN,
    ),
    Row(OpenedOutside(t=9.0, object="8:1"), "Somebody, who is not watched, opened a FIFO", TURN),
]


def coverage(**more) -> Coverage:
    return Coverage(t=9.0, pid=13, **{"full": False, **more})


COVERAGE = [
    Row(coverage(full=True), "Every call of cat[13] is traced again", TURN),
    Row(
        coverage(reason="2,000 calls a second"),
        "cat[13] is only sampled from here on (2,000 calls a second): its counts are lower bounds",
        TURN,
    ),
    Row(coverage(), "cat[13] is only sampled from here on: its counts are lower bounds", TURN),
    Row(
        coverage(calls=False, reason="a storm"),
        "Calls and signals of cat[13] are only counted from here on (a storm): what it"
        " has open is sampled",
        TURN,
    ),
    Row(
        coverage(calls=False),
        "Calls and signals of cat[13] are only counted from here on: what it has open is sampled",
        TURN,
    ),
    Row(
        coverage(semaphores=False, reason="too many"),
        "What cat[13] does with POSIX semaphores is not seen from here on, their values"
        " are sampled: too many",
        TURN,
    ),
    Row(
        coverage(full=True, semaphores=True),
        "What cat[13] does with POSIX semaphores is seen again",
        TURN,
    ),
]


def entered(call: str, **more) -> Entered:
    args = more.pop("args", {"fd": 4, "count": 100_000})
    return Entered(t=9.0, pid=13, tid=13, call=call, args=args, **{"object": P.key, **more})


UNDER_WAY = [
    Row(
        entered("write"),
        "cat[13] is writing 100,000 bytes to P1 (fd 4): its write has not returned yet",
    ),
    Row(
        entered("writev", args={"fd": 4}),
        "cat[13] is writing to P1 (fd 4): its writev has not returned yet",
    ),
    Row(
        entered("sendto", args={"count": 5}),
        "cat[13] is sending 5 bytes to P1: its sendto has not returned yet",
    ),
    Row(
        entered("mq_timedsend", object=QUEUE.key, args={"fd": 5, "count": 3}),
        "cat[13] is sending to jobs (fd 5): its mq_timedsend has not returned yet",
    ),
    Row(entered("write", cut=True), ""),
    Row(entered("read"), ""),
    Row(entered("write", object="pipe:[9]"), ""),
]


def waiting(call: str, thing: str = "", **args) -> Waiting:
    return Waiting(t=9.0, began=9.0, pid=13, tid=13, call=call, args=args, object=thing)


WAITS = [
    Row(waiting("read", P.key, fd=3), "cat[13] is blocked in read(3) on P1: it is empty", TURN),
    Row(waiting("write", P.key, fd=4), "cat[13] is blocked in write(4) on P1: it is full", TURN),
    Row(
        (
            Sample(t=8.0, levels=(Level(P.key, 60000, 65536, writable=False),)),
            waiting("write", P.key, fd=4),
        ),
        "cat[13] is blocked in write(4) on P1: it is full: 60,000 B of 65,536 B",
        TURN,
    ),
    Row(waiting("wait4", pid=-1), "cat[13] waits in wait4, for a child", TURN),
    Row(
        waiting("pause"),
        "cat[13] waits in pause, for a signal: it catches none, so only one that ends it",
        DETAIL,
    ),
    Row(waiting("nanosleep"), "cat[13] waits in nanosleep, for time to pass", DETAIL),
    Row(
        waiting("openat", FIFO.key, path="/tmp/fifo", flags="O_RDONLY"),
        "cat[13] is blocked in openat on fifo: no writer has it open",
        TURN,
    ),
    Row(
        waiting("openat", path="/nfs/x", flags="O_RDONLY"),
        "cat[13] is blocked in openat of /nfs/x: opening",
        TURN,
    ),
    Row(
        waiting("read", systems.TTY.key, fd=0), "cat[13] waits in read(0) on pts/3, for input", TURN
    ),
    Row(waiting("poll", watched="3r"), "cat[13] waits in poll, for P1 (readable)", DETAIL),
    Row(waiting("some_call"), "cat[13] is blocked in some_call", TURN),
    Row(
        Waiting(t=9.0, pid=99, tid=99, call="read"),
        "process[99] is blocked in read: it is empty",
        TURN,
    ),
]

TABLES = [(table, system) for table in (PROCESSES, EXECUTED, ENDS, COVERAGE, UNDER_WAY, WAITS)]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)


def test_a_wait_with_a_limit_recurs():
    plain = tell(system(), waiting("poll", watched="3r"))
    limited = tell(system(), waiting("poll", watched="3r", timeout=1000, limit=1.0))
    assert plain is not None
    assert limited is not None
    assert (plain.recurs, limited.recurs) == (False, True)
