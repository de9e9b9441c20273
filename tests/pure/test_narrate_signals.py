"""Signals in words: sent, delivered, taken, handled; why the kernel sent one."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    DeathSignal,
    Disposition,
    Executed,
    Exited,
    Grouped,
    HandlerReturned,
    Mask,
    ProcessSample,
    Sample,
    Sent,
    SignalDelivered,
    Started,
    Surroundings,
    Taken,
)
from ipcviz.narrate import DETAIL, NOISE, TURN
from tests import picture_states as systems
from tests.told import Row, check, did

PTS = 136 << 8 | 3


def system():
    """sh[12] on pts/3 and two children; 13 is in a group of its own."""
    m = systems.Maker()
    m.launch(12, "sh")
    m.fork(12, 13, "cat")
    m.fork(12, 14, "wc")
    m.events.append(did("ioctl", Grouped(12, 12, 12, PTS, 12), fd=0, request="TIOCSCTTY"))
    m.events.append(did("setpgid", Grouped(13, 13, 12, PTS, 12)))
    return m.state


def reach(signo: int, by: int = 12, action: str = "terminate", **more) -> SignalDelivered:
    return SignalDelivered(t=9.0, pid=by, tid=by, signo=signo, action=action, **more)


def handle(signo: int, *flags: str):
    return did("rt_sigaction", Disposition(signo=signo, action="catch", flags=flags))


FATES = [
    Row(reach(15, action="handler"), "SIGTERM reached sh[12]: its handler runs", TURN),
    Row(
        (reach(10, action="handler"), reach(15, action="handler")),
        "SIGTERM reached sh[12]: its handler runs inside that for SIGUSR1",
        TURN,
    ),
    Row(reach(17, action="ignore"), "SIGCHLD reached sh[12]: ignored"),
    Row(reach(3, action="core"), "SIGQUIT reached sh[12]: it ends and dumps core", TURN),
    Row(reach(19, action="stop"), "SIGSTOP reached sh[12]: it stops", TURN),
    Row(reach(18, action="continue"), "SIGCONT reached sh[12]: it goes on", TURN),
    Row(reach(15, action="taken"), "SIGTERM reached sh[12]: taken", TURN),
    Row(
        reach(10, action="handler", interrupted="write", outcome="part"),
        "SIGUSR1 reached sh[12]: its handler runs, and its write comes back with a part",
        TURN,
    ),
    Row(
        (
            handle(10, "SA_RESTART"),
            reach(10, action="handler", interrupted="read", outcome="again"),
        ),
        "SIGUSR1 reached sh[12]: its handler runs; its read goes on afterwards (SA_RESTART)",
        TURN,
    ),
    Row(
        reach(3, action="core", interrupted="read", outcome="EINTR"),
        "SIGQUIT reached sh[12]: it ends and dumps core",
        TURN,
    ),
]

CHILD = {"sender": 13, "action": "ignore"}

SOURCES = [
    Row(reach(17, code="CLD_EXITED", **CHILD), "SIGCHLD (cat[13] exited) reached sh[12]: ignored"),
    Row(
        reach(17, code="CLD_KILLED", **CHILD),
        "SIGCHLD (cat[13] was killed) reached sh[12]: ignored",
    ),
    Row(
        reach(17, code="CLD_DUMPED", **CHILD),
        "SIGCHLD (cat[13] was killed and dumped core) reached sh[12]: ignored",
    ),
    Row(
        reach(17, code="CLD_STOPPED", **CHILD), "SIGCHLD (cat[13] stopped) reached sh[12]: ignored"
    ),
    Row(
        reach(17, code="CLD_CONTINUED", **CHILD),
        "SIGCHLD (cat[13] continued) reached sh[12]: ignored",
    ),
    Row(reach(14), "SIGALRM from its timer reached sh[12]: it ends", TURN),
    Row(reach(14, sender=13, code="SI_USER"), "SIGALRM from cat[13] reached sh[12]: it ends", TURN),
    Row(
        reach(34, code="SI_TIMER", timer=2),
        "SIGRTMIN from its timer 2 reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(34, code="SI_TIMER", timer=0, overrun=1),
        "SIGRTMIN from its timer 0, which expired 1 time more meanwhile, reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(34, code="SI_TIMER", timer=0, overrun=1200),
        "SIGRTMIN from its timer 0, which expired 1,200 times more meanwhile, reached"
        " sh[12]: it ends",
        TURN,
    ),
    Row(reach(15, sender=13, code="SI_USER"), "SIGTERM from cat[13] reached sh[12]: it ends", TURN),
    Row(
        reach(15, sender=77, code="SI_USER"),
        "SIGTERM from process[77], which is not watched, reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(15, sender=77, sender_name="top", code="SI_USER"),
        "SIGTERM from top[77], which is not watched, reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(34, sender=13, code="SI_QUEUE", value=7),
        "SIGRTMIN from cat[13] with the value 7 reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(10, sender=13, code="SI_MESGQ"),
        "SIGUSR1, since cat[13] put a message into an empty queue (mq_notify), reached"
        " sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(10, sender=77, sender_name="mq", code="SI_MESGQ"),
        "SIGUSR1, since mq[77], which is not watched, put a message into an empty queue"
        " (mq_notify), reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(15, code="SI_USER"),
        "SIGTERM from outside its PID namespace reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(8, address=0x4000, code="FPE_INTDIV"),
        "SIGFPE at address 0x4000 reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(29, code="POLL_IN"),
        "SIGIO, since one of its descriptors is ready (O_ASYNC), reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(29, code="SI_KERNEL"),
        "SIGIO, since one of its descriptors is ready (O_ASYNC), reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(23, code="SI_KERNEL"),
        "SIGURG, since urgent data came on one of its sockets, reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(24, code="SI_KERNEL"),
        "SIGXCPU, since it has used up its CPU time limit, reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(28, code="SI_KERNEL", action="ignore"),
        "SIGWINCH, since its terminal has another size, reached sh[12]: ignored",
    ),
    Row(
        reach(11, code="SI_KERNEL"),
        "SIGSEGV, since it used an address that can't be one (the kernel does not say"
        " which), reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(3, code="SI_KERNEL"),
        "SIGQUIT from a key of its terminal pts/3 reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(20, code="SI_KERNEL", action="stop"),
        "SIGTSTP from a key of its terminal pts/3 reached sh[12]: it stops",
        TURN,
    ),
    Row(
        reach(21, 13, code="SI_KERNEL", action="stop"),
        "SIGTTIN, since it read from its terminal pts/3 in the background, reached"
        " cat[13]: it stops",
        TURN,
    ),
    Row(
        reach(22, 13, code="SI_KERNEL", action="stop"),
        "SIGTTOU, since it wanted to write to or change its terminal pts/3 in the"
        " background, reached cat[13]: it stops",
        TURN,
    ),
    Row(
        reach(2, 14, code="SI_KERNEL"),
        "SIGINT from a key of its terminal reached wc[14]: it ends",
        TURN,
    ),
    Row(reach(9, code="SI_KERNEL"), "SIGKILL reached sh[12]: it ends", TURN),
    Row(
        reach(25, sender=12, code="SI_USER"),
        "SIGXFSZ, since it wrote beyond its limit of a file's size, reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(13, sender=12, code="SI_USER"),
        "SIGPIPE, since nobody is left to read what it wrote, reached sh[12]: it ends",
        TURN,
    ),
    Row(
        (did("kill", Sent(12, 13)), reach(13, sender=12, code="SI_USER")),
        "SIGPIPE from sh[12] reached sh[12]: it ends",
        TURN,
    ),
    Row(reach(15), "SIGTERM reached sh[12]: it ends", TURN),
]

HANGUPS = [
    Row(
        reach(1, 12, code="SI_KERNEL"),
        "SIGHUP, since its terminal is gone, reached sh[12]: it ends",
        TURN,
    ),
    Row(
        reach(1, 13, code="SI_KERNEL"),
        "SIGHUP, since its group was stopped, and nobody in its session is left to let it"
        " go on, reached cat[13]: it ends",
        TURN,
    ),
    Row(
        (Exited(t=8.0, pid=12), reach(1, 13, code="SI_KERNEL")),
        "SIGHUP, since the leader of its session, sh[12], has ended, reached cat[13]: it ends",
        TURN,
    ),
    Row(
        (did("setsid", Grouped(14, 14, 99), by=14), reach(1, 14, code="SI_KERNEL")),
        "SIGHUP, since its terminal is gone, or the leader of its session has ended,"
        " reached wc[14]: it ends",
        TURN,
    ),
    Row(
        (
            did("setsid", Grouped(14, 14, 99), by=14),
            reach(19, 14, action="stop"),
            reach(1, 14, code="SI_KERNEL"),
        ),
        "SIGHUP, since its group was stopped, and nobody in its session is left to let it"
        " go on, reached wc[14]: it ends",
        TURN,
    ),
    Row(
        (
            Sample(t=8.0, processes=(ProcessSample(pid=13, state="S", ppid=12, name="cat"),)),
            did("prctl", DeathSignal(signo=15), by=13, option="PR_SET_PDEATHSIG"),
            Exited(t=8.5, pid=12),
            reach(15, 13, sender=12, code="SI_USER"),
        ),
        "SIGTERM, since its parent sh[12] has ended (PR_SET_PDEATHSIG), reached cat[13]: it ends",
        TURN,
    ),
]

SENT = [
    Row(
        did("kill", Sent(13, 15), pid=13, signal="SIGTERM"), "sh[12] sent SIGTERM to cat[13]", TURN
    ),
    Row(
        did("tgkill", Sent(13, 10, tid=131), pid=13, tid=12),
        "sh[12] sent SIGUSR1 to cat[13/131]",
        TURN,
    ),
    Row(
        did("kill", Sent(-1, 15), pid=-1),
        "sh[12] sent SIGTERM to every process that it may signal",
        TURN,
    ),
    Row(
        did("kill", Sent(-13, 15), pid=-13),
        "sh[12] sent SIGTERM to the process group 13 (1 process)",
        TURN,
    ),
    Row(did("kill", Sent(-99, 15), pid=-99), "sh[12] sent SIGTERM to the process group 99", TURN),
    Row(
        did("kill", Sent(0, 15), pid=0),
        "sh[12] sent SIGTERM to its own process group 12 (1 process)",
        TURN,
    ),
    Row(
        did("kill", Sent(0, 15), pid=0, by=77),
        "process[77] sent SIGTERM to its own process group",
        TURN,
    ),
    Row(
        did("rt_sigqueueinfo", Sent(13, 34, value=7), pid=13),
        "sh[12] sent SIGRTMIN to cat[13] with the value 7",
        TURN,
    ),
    Row(
        (did("kill", Sent(13, 10)), did("kill", Sent(13, 10))),
        "sh[12] sent SIGUSR1 to cat[13], where one is pending already: they merge into one",
        TURN,
    ),
    Row(
        (did("kill", Sent(13, 34)), did("kill", Sent(13, 34))),
        "sh[12] sent SIGRTMIN to cat[13]",
        TURN,
    ),
    Row(did("kill", pid=13, signal=0), "sh[12] asked whether cat[13] is there: it is", DETAIL),
    Row(
        did("kill", pid=13, signal=0, error="EPERM"),
        "sh[12] asked whether cat[13] is there: it is, and it may not be signalled (EPERM)",
        DETAIL,
    ),
    Row(
        did("kill", pid=13, signal=0, error="ESRCH"),
        "sh[12] asked whether cat[13] is there: it is not",
        DETAIL,
    ),
    Row(
        did("kill", pid=4000, signal="SIGTERM", error="ESRCH"),
        "sh[12] could not send SIGTERM to process 4000: ESRCH, there is no such process",
    ),
    Row(
        did("kill", pid=-13, signal="SIGTERM", error="EPERM"),
        "sh[12] could not send SIGTERM to the process group 13 (1 process): EPERM, that"
        " is not permitted",
    ),
    Row(
        did("rt_sigqueueinfo", pid=13, signal="SIGRTMIN", error="EAGAIN"),
        "sh[12] could not send SIGRTMIN to cat[13]: EAGAIN, the limit of pending signals"
        " is reached",
    ),
    Row(did("kill", pid=13, error="EINVAL"), "sh[12] could not send a signal to cat[13]: EINVAL"),
    Row(
        did("pidfd_send_signal", pidfd=5, signal="SIGTERM", error="ESRCH"),
        "sh[12] could not send SIGTERM to the process behind descriptor 5: ESRCH, there"
        " is no such process",
    ),
    Row(did("tkill", tid=4000, signal="SIGTERM"), ""),
]


def took(signo: int, **more) -> Taken:
    return Taken(signo=signo, **more)


TAKEN = [
    Row(
        did("rt_sigtimedwait", took(10, code="SI_USER", sender=13), ret=10),
        "sh[12] took SIGUSR1 from cat[13] (sigwait)",
        TURN,
    ),
    Row(
        did("rt_sigtimedwait", took(34, code="SI_TIMER", timer=1, overrun=2), ret=34),
        "sh[12] took SIGRTMIN from its timer 1, which expired 2 times more meanwhile (sigwait)",
        TURN,
    ),
    Row(
        did(
            "rt_sigtimedwait",
            *(took(signo, code="SI_KERNEL") for signo in (3, 20, 10, 12, 15)),
            ret=3,
        ),
        "sh[12] took SIGQUIT from a key of its terminal pts/3, SIGTSTP from a key of its"
        " terminal pts/3, SIGUSR1, SIGUSR2 and 1 more (sigwait)",
        TURN,
    ),
    Row(
        did("rt_sigtimedwait", error="EAGAIN"),
        "sh[12] waited in vain for a signal (sigtimedwait: EAGAIN)",
        DETAIL,
    ),
    Row(did("rt_sigtimedwait", error="EINTR"), ""),
    Row(
        (reach(10, action="handler"), HandlerReturned(t=9.0, pid=12, tid=12)),
        "The handler for SIGUSR1 of sh[12] returned",
    ),
    Row(
        (reach(10, action="handler"), HandlerReturned(t=9.0, pid=12, tid=12, jumped=True)),
        "The handler for SIGUSR1 of sh[12] was left by a jump (siglongjmp)",
    ),
    Row(HandlerReturned(t=9.0, pid=12, tid=12), "The handler of sh[12] returned"),
]


def killed(**more) -> Exited:
    return Exited(t=9.5, pid=13, signo=9, **more)


ENDS = [
    Row(killed(), "cat[13] was killed by SIGKILL, which no watched process was seen to send", TURN),
    Row(killed(sender=14), "cat[13] was killed by SIGKILL, which wc[14] sent", TURN),
    Row(
        killed(forbidden="openat"),
        "cat[13] was killed by SIGKILL, since it called openat, which seccomp's strict"
        " mode forbids",
        TURN,
    ),
    Row(
        (did("kill", Sent(13, 9)), killed()),
        "cat[13] was killed by SIGKILL, which sh[12] sent",
        TURN,
    ),
    Row(
        (did("kill", Sent(-13, 9)), killed()),
        "cat[13] was killed by SIGKILL, which sh[12] sent",
        TURN,
    ),
    Row(
        (did("kill", Sent(-1, 9)), killed(sender=14)),
        "cat[13] was killed by SIGKILL, which sh[12] sent",
        TURN,
    ),
    Row(
        (did("kill", Sent(0, 9)), killed()),
        "cat[13] was killed by SIGKILL, which no watched process was seen to send",
        TURN,
    ),
    Row(
        (did("kill", Sent(0, 9)), Exited(t=9.5, pid=12, signo=9)),
        "sh[12] was killed by SIGKILL, which sh[12] sent",
        TURN,
    ),
    Row(
        (did("kill", Sent(14, 9)), did("kill", Sent(13, 15)), killed()),
        "cat[13] was killed by SIGKILL, which no watched process was seen to send",
        TURN,
    ),
    Row(
        (Sample(t=8.0, surroundings=(Surroundings(pid=13, inner=(1,)),)), killed()),
        "cat[13] was killed by SIGKILL",
        TURN,
    ),
    Row((Started(t=0.0, mode="attached"), killed()), "cat[13] was killed by SIGKILL", TURN),
    Row(Exited(t=9.5, pid=13, signo=15), "cat[13] was killed by SIGTERM", TURN),
]

SET = [
    Row(handle(10), "sh[12] catches SIGUSR1 from now on"),
    Row(handle(10, "SA_RESTART", "SA_RESTORER"), "sh[12] catches SIGUSR1 from now on (SA_RESTART)"),
    Row(did("rt_sigaction", Disposition(10, "ignore")), "sh[12] ignores SIGUSR1 from now on"),
    Row(
        (handle(10), did("rt_sigaction", Disposition(10, "default"))),
        "sh[12] lets SIGUSR1 do its default again",
        DETAIL,
    ),
    Row(did("rt_sigaction", Disposition(10, "default")), ""),
    Row(handle(33), "sh[12] catches signal 33, which its C library keeps to itself", NOISE),
    Row(
        did("rt_sigaction", Disposition(33, "ignore")),
        "sh[12] ignores signal 33, which its C library keeps to itself",
        NOISE,
    ),
    Row(
        (handle(33), did("rt_sigaction", Disposition(33, "default"))),
        "sh[12] does not catch signal 33, which its C library keeps to itself",
        NOISE,
    ),
    Row(did("rt_sigprocmask", Mask(1 << 9)), "sh[12] blocks SIGUSR1", DETAIL),
    Row(
        (did("rt_sigprocmask", Mask(1 << 9)), did("rt_sigprocmask", Mask(1 << 1))),
        "sh[12] blocks SIGINT and unblocks SIGUSR1",
        DETAIL,
    ),
    Row(did("rt_sigprocmask", Mask(0)), ""),
    Row(
        (
            did("rt_sigaction", Disposition(1, "ignore")),
            did("rt_sigprocmask", Mask(1 << 9)),
            Executed(t=9.0, pid=12, path="/bin/ls", argv=("ls",), name="ls"),
        ),
        "sh[12] executes ls, with SIGHUP ignored and SIGUSR1 blocked from before",
        TURN,
    ),
    Row(
        (
            did("rt_sigaction", Disposition(1, "ignore")),
            Executed(t=9.0, pid=12, path="/bin/ls", argv=("ls",), name="ls"),
        ),
        "sh[12] executes ls, with SIGHUP ignored from before",
        TURN,
    ),
]

TABLES = [(table, system) for table in (FATES, SOURCES, HANGUPS, SENT, TAKEN, ENDS, SET)]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)
