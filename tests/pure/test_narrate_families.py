"""Groups, sessions, terminals, namespaces, orphans, confinement and timers, in words."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    DeathSignal,
    Disposition,
    Exited,
    Grouped,
    ObjectInfo,
    Opened,
    Orphan,
    Reaped,
    Subreaper,
    Timer,
)
from ipcviz.narrate import DETAIL, TURN
from tests import picture_states as systems
from tests.told import Row, check, did

PTS = 136 << 8 | 3


def grouped(pid: int, pgrp: int, session: int = 12, tty: int = 0, foreground: int = 0) -> Grouped:
    return Grouped(pid=pid, pgrp=pgrp, session=session, tty=tty, foreground=foreground)


def system():
    """A shell that leads its group and session on pts/3, and four children."""
    m = systems.Maker()
    m.launch(12, "sh")
    for pid in range(13, 17):
        m.fork(12, pid, f"job{pid}")
    own = Grouped(pid=12, pgrp=12, session=12, tty=PTS, foreground=12)
    m.events.append(did("ioctl", own, fd=0, request="TIOCSCTTY"))
    return m.state


GROUPS = [
    Row(
        did("setsid", grouped(13, 13, 13), by=13, ret=13),
        "job13[13] began the session 13 and the group 13 in it, without a terminal",
        TURN,
    ),
    Row(
        did("setpgid", grouped(13, 13), pid=13, pgid=0),
        "sh[12] put job13[13] into a group of its own, 13",
    ),
    Row(
        did("setpgid", grouped(13, 13), by=13, pid=0, pgid=0),
        "job13[13] put itself into a group of its own, 13",
    ),
    Row(did("setpgid", grouped(14, 13), pid=14, pgid=13), "sh[12] put job14[14] into the group 13"),
    Row(
        (did("setpgid", grouped(14, 13), pid=14, pgid=13), did("setpgid", grouped(14, 13), by=14)),
        "job14[14] put itself into the group 13, where it was already",
        DETAIL,
    ),
    Row(did("setpgid", pid=14, pgid=99, error="EPERM"), "sh[12] got EPERM from setpgid", DETAIL),
    Row(
        did("ioctl", grouped(12, 12, 12, PTS, 13), fd=0, request="TIOCSPGRP"),
        "sh[12] put the group 13 into the foreground of pts/3",
    ),
    Row(
        did("ioctl", grouped(12, 12, 12, PTS, 12), fd=0, request="TIOCSPGRP"),
        "sh[12] left the group 12 in the foreground of pts/3, where it was already",
        DETAIL,
    ),
    Row(
        did("ioctl", grouped(12, 12, 12, PTS, 12), fd=0, request="TIOCSCTTY"),
        "sh[12] made pts/3 the controlling terminal of its session",
        TURN,
    ),
    Row(
        did("ioctl", grouped(12, 12, 12), fd=0, request="TIOCSCTTY"),
        "sh[12] made a terminal the controlling terminal of its session",
        TURN,
    ),
    Row(
        did("ioctl", grouped(12, 12, 12), fd=0, request="TIOCNOTTY"),
        "sh[12] gave up its controlling terminal",
    ),
]

REAPERS = [
    Row(
        did("prctl", Subreaper(enabled=True), option="PR_SET_CHILD_SUBREAPER", value=1),
        "sh[12] gets the orphans among its descendants from now on (subreaper)",
    ),
    Row(
        did("prctl", Subreaper(enabled=False), option="PR_SET_CHILD_SUBREAPER", value=0),
        "sh[12] does not get orphans any more",
    ),
    Row(
        did("prctl", DeathSignal(signo=15), option="PR_SET_PDEATHSIG", value=15),
        "sh[12] asked for SIGTERM at its parent's end (PR_SET_PDEATHSIG)",
    ),
    Row(
        did("prctl", DeathSignal(signo=0), option="PR_SET_PDEATHSIG", value=0),
        "sh[12] asked for no signal at its parent's end any more (PR_SET_PDEATHSIG)",
    ),
    Row(
        Exited(t=9.0, pid=13, orphans=(Orphan(pid=14, reaper=12),)),
        "job13[13] exited with status 0; its child job14[14] goes to sh[12]",
        TURN,
    ),
    Row(
        Exited(
            t=9.0, pid=13, orphans=(Orphan(pid=14, reaper=1, name="init"), Orphan(15, 1, "init"))
        ),
        "job13[13] exited with status 0; its children job14[14], job15[15] go to init[1]",
        TURN,
    ),
    Row(
        Exited(t=9.0, pid=12, orphans=tuple(Orphan(pid=pid, reaper=7) for pid in range(13, 17))),
        "sh[12] exited with status 0; its children job13[13], job14[14], job15[15] and 1"
        " more go to process[7]",
        TURN,
    ),
    Row(
        (Exited(t=8.0, pid=13), Reaped(t=9.0, pid=13, by=12)),
        "sh[12] waited for job13[13]: it is gone",
    ),
    Row((Exited(t=8.0, pid=13), Reaped(t=9.0, pid=13)), "job13[13] was waited for: it is gone"),
    Row(
        (Exited(t=8.0, pid=13), Reaped(t=9.0, pid=13, by=777)),
        "job13[13] was waited for: it is gone",
    ),
    Row(
        (
            did("rt_sigaction", Disposition(signo=17, action="ignore")),
            Exited(t=8.0, pid=13),
            Reaped(t=9.0, pid=13),
        ),
        "job13[13] is gone without a wait: its parent sh[12] ignores SIGCHLD",
    ),
    Row(
        (
            did("rt_sigaction", Disposition(signo=17, action="catch", flags=("SA_NOCLDWAIT",))),
            Exited(t=8.0, pid=13),
            Reaped(t=9.0, pid=13),
        ),
        "job13[13] is gone without a wait: its parent sh[12] has set SA_NOCLDWAIT",
    ),
    Row(
        (
            did("rt_sigaction", Disposition(signo=17, action="catch", flags=("SA_RESTART",))),
            Exited(t=8.0, pid=13),
            Reaped(t=9.0, pid=13),
        ),
        "job13[13] was waited for: it is gone",
    ),
]

NAMESPACES = [
    Row(
        did("unshare", flags="CLONE_NEWPID|CLONE_NEWNS"),
        "sh[12] left what it shared and has its own PID namespace for its children, mount"
        " namespace (unshare)",
        TURN,
    ),
    Row(
        did("unshare", flags="CLONE_FILES|CLONE_FS|CLONE_SYSVSEM"),
        "sh[12] left what it shared and has its own descriptor table, working directory,"
        " System V undo values (unshare)",
        TURN,
    ),
    Row(
        did("unshare", flags="CLONE_NEWUSER|CLONE_NEWNEW"),
        "sh[12] left what it shared and has its own user namespace, CLONE_NEWNEW (unshare)",
        TURN,
    ),
    Row(
        did("setns", fd=4, type="CLONE_NEWNET"),
        "sh[12] entered another network namespace (setns)",
        TURN,
    ),
    Row(did("setns", fd=4, type=0), "sh[12] entered another namespace (setns)", TURN),
    Row(
        did("unshare", flags="CLONE_NEWUSER", error="EPERM"),
        "sh[12] got EPERM from unshare",
        DETAIL,
    ),
]

DEBUGGERS = [
    Row(did("ptrace", request="PTRACE_TRACEME"), "sh[12] asked to be traced by its parent", TURN),
    Row(did("ptrace", request="PTRACE_ATTACH", pid=13), "sh[12] began to trace job13[13]", TURN),
    Row(did("ptrace", request="PTRACE_SEIZE", pid=999), "sh[12] began to trace process 999", TURN),
    Row(
        did("ptrace", request="PTRACE_TRACEME", error="EPERM"),
        "sh[12] got EPERM from ptrace (PTRACE_TRACEME): ipcviz traces it already, and a"
        " process has one tracer",
        TURN,
    ),
    Row(
        did("ptrace", request="PTRACE_SEIZE", pid=13, error="EPERM"),
        "sh[12] got EPERM from ptrace (PTRACE_SEIZE): ipcviz traces job13[13] already,"
        " and a process has one tracer",
        TURN,
    ),
    Row(
        did("ptrace", request="PTRACE_SEIZE", pid=999, error="EPERM"),
        "sh[12] got EPERM from ptrace (PTRACE_SEIZE)",
        TURN,
    ),
    Row(
        did("ptrace", request="PTRACE_SEIZE", pid=13, error="ESRCH"),
        "sh[12] got ESRCH from ptrace (PTRACE_SEIZE)",
        TURN,
    ),
    Row(did("ptrace", request="PTRACE_CONT", pid=13), ""),
]

LISTENER = Opened(
    fd=5,
    ofd=9,
    object=ObjectInfo(key="anon:9", kind="anonymous inode", detail="seccomp notify"),
    mode="rw",
)

CONFINED = [
    Row(
        did("prctl", option="PR_SET_SECCOMP", value=1),
        "sh[12] may only read, write, exit and leave handlers from now on (strict seccomp)",
        TURN,
    ),
    Row(
        did("prctl", option="PR_SET_SECCOMP", value=2),
        "sh[12] has the kernel filter its calls from now on (seccomp)",
    ),
    Row(did("prctl", option="PR_SET_SECCOMP", value=3), ""),
    Row(
        did("prctl", option="PR_SET_SECCOMP", value=1, error="EINVAL"),
        "sh[12] got EINVAL from prctl, which was to confine it (seccomp)",
    ),
    Row(did("prctl", option="PR_SET_NAME", value=1), ""),
    Row(
        did("seccomp", operation="SECCOMP_SET_MODE_STRICT"),
        "sh[12] may only read, write, exit and leave handlers from now on (strict seccomp)",
        TURN,
    ),
    Row(
        did("seccomp", operation="SECCOMP_SET_MODE_FILTER"),
        "sh[12] has the kernel filter its calls from now on (seccomp)",
    ),
    Row(
        did("seccomp", LISTENER, operation="SECCOMP_SET_MODE_FILTER", ret=5),
        "sh[12] has the kernel filter its calls from now on (seccomp), and made the"
        " seccomp listener X1: descriptor 5",
    ),
    Row(
        did("seccomp", operation="SECCOMP_SET_MODE_FILTER", error="EACCES"),
        "sh[12] got EACCES from seccomp, which was to confine it (seccomp)",
    ),
]

MADE = did("timer_create", Timer(signo=10, seconds=0.0, id=2, clock="CPU time", change="made"))

TIMERS = [
    Row(did("alarm", Timer(signo=14, seconds=2.5)), "sh[12] armed a timer: SIGALRM in 2.5 s", TURN),
    Row(
        did("setitimer", Timer(signo=27, seconds=1.0, interval=0.25, clock="CPU time")),
        "sh[12] armed a timer: SIGPROF in 1 s of CPU time, and again every 0.25 s",
        TURN,
    ),
    Row(did("alarm", Timer(signo=14, seconds=0.0)), "sh[12] disarmed its timer for SIGALRM"),
    Row(MADE, "sh[12] made the timer 2 of CPU time: it sends SIGUSR1 when it expires"),
    Row(
        did("timer_create", Timer(signo=34, seconds=0.0, id=3, change="made")),
        "sh[12] made the timer 3: it sends SIGRTMIN when it expires",
    ),
    Row(
        did("timer_create", Timer(signo=32, seconds=0.0, id=3, change="made")),
        "sh[12] made the timer 3: it starts a thread (SIGEV_THREAD, by glibc's signal 32)"
        " when it expires",
    ),
    Row(
        (MADE, did("timer_settime", Timer(signo=0, seconds=3.0, interval=1.0, id=2))),
        "sh[12] armed the timer 2: SIGUSR1 in 3 s of CPU time, and again every 1 s",
        TURN,
    ),
    Row(
        did("timer_settime", Timer(signo=0, seconds=3.0, id=7)),
        "sh[12] armed the timer 7: a signal in 3 s",
        TURN,
    ),
    Row(
        (MADE, did("timer_settime", Timer(signo=0, seconds=0.0, id=2))),
        "sh[12] disarmed the timer 2",
    ),
    Row(
        (MADE, did("timer_delete", Timer(signo=0, seconds=0.0, id=2, change="removed"))),
        "sh[12] removed the timer 2",
    ),
]

TABLES = [(table, system) for table in (GROUPS, REAPERS, NAMESPACES, DEBUGGERS, CONFINED, TIMERS)]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)
