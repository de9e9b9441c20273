"""Groups, sessions, terminals, reapers, namespaces and timers in the state and in words.

Plain data.
"""

from __future__ import annotations

import socket

import pytest

from ipcviz.events import (
    Call,
    Disposition,
    Exited,
    Forked,
    Grouped,
    Orphan,
    PosixTimer,
    ProcessSample,
    Reaped,
    Sample,
    SignalDelivered,
    Started,
    Subreaper,
    Surroundings,
    Timer,
    Waiting,
)
from ipcviz.kernel import procfs
from ipcviz.kernel.arch import X86_64
from ipcviz.kernel.surroundings import parse_timers
from ipcviz.model.mechanisms.families import (
    describe_group,
    describe_namespaces,
    describe_reaper,
    tty_name,
)
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import POSIX, State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate import narrate
from ipcviz.narrate.waits import describe_wait
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.sampling.processes import RawLook
from ipcviz.tracer.sampling.sampler import Sampler

PTS3 = 136 << 8 | 3


def system() -> State:
    return reduce_all(
        [
            Started(t=0.0),
            Forked(t=0.0, pid=10, parent=1, how="launched", name="sh"),
            Sample(
                t=0.1, processes=(ProcessSample(10, "S", "sh", 1, 10, 10, PTS3, foreground=10),)
            ),
            Forked(t=0.2, pid=11, parent=10, name="cat"),
            Forked(t=0.3, pid=12, parent=10, name="wc"),
        ]
    )


def call(name: str, *effects: object, pid: int = 10, t: float = 1.0, **args: int | str) -> Call:
    return Call(t=t, pid=pid, tid=pid, name=name, effects=effects, args=args)  # type: ignore[arg-type]


def told(state: State, event: object) -> str:
    sentence = narrate(event, state, reduce(state, event))  # type: ignore[arg-type]
    assert sentence is not None
    return sentence.text


def test_children_are_in_their_parents_group_until_they_are_moved() -> None:
    state = system()
    words = describe_group(state, state.processes[11])
    assert (
        words
        == "group 10 (led by sh[10], with wc[12]), session 10 (of sh[10]), terminal pts/3 (in the"
        " foreground)"
    )
    event = call("setpgid", Grouped(pid=11, pgrp=11, session=10, tty=PTS3, foreground=10), pid_=11)
    assert told(state, event) == "sh[10] put cat[11] into a group of its own, 11"
    state = reduce(state, event)
    state = reduce(
        state, call("setpgid", Grouped(pid=12, pgrp=11, session=10, tty=PTS3, foreground=10))
    )
    event = call(
        "ioctl", Grouped(pid=10, pgrp=10, session=10, tty=PTS3, foreground=11), request="TIOCSPGRP"
    )
    assert told(state, event) == "sh[10] put the group 11 into the foreground of pts/3"
    state = reduce(state, event)
    assert (
        told(state, event)
        == "sh[10] left the group 11 in the foreground of pts/3, where it was already"
    )
    assert (
        describe_group(state, state.processes[11])
        == "group 11 (leads it, with wc[12]), session 10 (of sh[10]), terminal pts/3 (in the"
        " foreground)"
    )
    assert (
        describe_group(state, state.processes[10])
        == "group 10 (leads it), session 10 (leads it), terminal pts/3 (in the background: group 11"
        " has it)"
    )
    event = call("setsid", Grouped(pid=12, pgrp=12, session=12), pid=12)
    assert (
        told(state, event)
        == "wc[12] began the session 12 and the group 12 in it, without a terminal"
    )
    state = reduce(state, event)
    assert (
        describe_group(state, state.processes[12])
        == "group 12 (leads it), session 12 (leads it), no terminal"
    )


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, ""),
        (PTS3, "pts/3"),
        (137 << 8 | 1, "pts/257"),
        (4 << 8 | 1, "tty1"),
        (4 << 8 | 65, "ttyS1"),
    ],
)
def test_terminals_by_number(number: int, name: str) -> None:
    assert tty_name(number) == name


def test_orphans_are_said_and_have_their_new_parent() -> None:
    state = reduce(system(), Forked(t=0.4, pid=13, parent=11, name="heir"))
    assert describe_reaper(state, state.processes[13]) == ""
    state = reduce(state, call("prctl", Subreaper(enabled=True)))
    assert (
        describe_reaper(state, state.processes[13]) == "its children would go to sh[10] (subreaper)"
    )
    assert describe_reaper(state, state.processes[10]).startswith("gets the orphans")
    event = Exited(t=2.0, pid=11, orphans=(Orphan(pid=13, reaper=10, name="sh"),))
    assert told(state, event) == "cat[11] exited with status 0; its child heir[13] goes to sh[10]"
    assert reduce(state, event).processes[13].parent == 10
    event = Exited(t=2.0, pid=11, signo=9, orphans=(Orphan(pid=13, reaper=1, name="systemd"),))
    ended = (
        "cat[11] was killed by SIGKILL, which no watched process was seen to send; its child"
        " heir[13] goes to "
    )
    assert told(state, event) == f"{ended}systemd[1]"


def test_only_other_namespaces_are_shown() -> None:
    state = reduce(
        system(),
        Sample(t=1.0, surroundings=(Surroundings(11), Surroundings(12, ("pid", "net"), (4, 1)))),
    )
    assert [describe_namespaces(state.processes[pid]) for pid in (10, 11)] == ["", ""]
    assert (
        describe_namespaces(state.processes[12])
        == "in another pid and net namespace, as process 1 there"
    )


def test_timers_are_made_armed_expire_and_go() -> None:
    key = (10, POSIX + 3)
    state = reduce(
        system(), call("timer_create", Timer(signo=34, seconds=0.0, id=3, change="made"))
    )
    assert (state.timers[key].signo, state.timers[key].armed) == (34, False)
    event = call("timer_settime", Timer(signo=0, seconds=2.0, id=3), t=5.0)
    assert told(state, event) == "sh[10] armed the timer 3: SIGRTMIN in 2 s"
    state = reduce(state, event)
    assert (state.timers[key].signo, state.timers[key].due, state.timers[key].armed) == (
        34,
        7.0,
        True,
    )
    event = SignalDelivered(t=7.0, pid=10, tid=10, signo=34, code="SI_TIMER", timer=3, overrun=2)
    assert (
        told(state, event)
        == "SIGRTMIN from its timer 3, which expired 2 times more meanwhile, reached sh[10]: its"
        " handler runs"
    )
    state = reduce(state, event)
    assert not state.timers[key].armed
    state = reduce(
        state, call("timer_settime", Timer(signo=0, seconds=1.0, interval=4.0, id=3), t=8.0)
    )
    state = reduce(
        state, SignalDelivered(t=9.0, pid=10, tid=10, signo=34, code="SI_TIMER", timer=3)
    )
    assert (state.timers[key].due, state.timers[key].armed) == (13.0, True)
    state = reduce(state, call("timer_delete", Timer(signo=0, seconds=0.0, id=3, change="removed")))
    assert key not in state.timers


def test_cpu_time_is_no_moment() -> None:
    state = reduce(
        system(),
        call("setitimer", Timer(signo=27, seconds=2.0, interval=1.0, clock="CPU time"), t=50.0),
    )
    assert state.timers[10, 27].due == 2.0
    state = reduce(state, SignalDelivered(t=90.0, pid=10, tid=10, signo=27, code="SI_KERNEL"))
    assert state.timers[10, 27].due == 1.0
    event = call("setitimer", Timer(signo=27, seconds=0.0))
    assert told(state, event) == "sh[10] disarmed its timer for SIGPROF"
    assert not reduce(state, event).timers


def test_lines_of_timers() -> None:
    text = (
        "ID: 1\nsignal: 12/0000000000000007\nnotify: signal/tid.77\nClockID: 0\nID: 0\nsignal:"
        " 34/0000000000000007\nnotify: none/pid.70\nClockID: 1\nID: x\nsignal: 1/0\nClockID: 1\n"
    )
    assert parse_timers(text) == (
        PosixTimer(id=0, signo=34, clock="CLOCK_MONOTONIC", notify=False),
        PosixTimer(id=1, signo=12, clock="CLOCK_REALTIME", tid=77),
    )
    assert parse_timers("") == ()


def waiting(state: State, call_name: str, **args: int | str) -> str:
    state = reduce(state, Waiting(t=2.0, pid=10, tid=10, call=call_name, args=args))
    wait = wait_of(state, 10)
    assert wait is not None
    return describe_wait(state, wait)


def test_which_child_is_waited_for() -> None:
    state = reduce(system(), call("setpgid", Grouped(pid=12, pgrp=12, session=10)))
    assert waiting(state, "wait4", pid=-1) == "wait4, for a child: cat[11] or wc[12]"
    assert waiting(state, "wait4", pid=11) == "wait4, for a child: cat[11]"
    assert waiting(state, "wait4", pid=-12) == "wait4, for a child: wc[12]"
    assert waiting(state, "wait4", pid=0) == "wait4, for a child: cat[11]"
    assert waiting(state, "waitid", which=1, pid=12) == "waitid, for a child: wc[12]"
    assert waiting(state, "waitid", which=0, pid=0) == "waitid, for a child: cat[11] or wc[12]"


def test_which_signals_are_waited_for() -> None:
    usr1 = 1 << 9
    state = reduce(system(), call("rt_sigaction", Disposition(signo=10, action="catch")))
    assert (
        waiting(state, "rt_sigtimedwait", set=usr1 | 1 << 14)
        == "rt_sigtimedwait, for a signal: SIGUSR1 or SIGTERM"
    )
    assert waiting(state, "pause") == "pause, for a signal: SIGUSR1"
    sent = ProcessSample(10, "S", "sh", 1, pending=usr1, caught=usr1)
    state = reduce(state, Sample(t=1.5, processes=(sent,)))
    words = (
        "rt_sigsuspend, for a signal: what it catches is blocked; SIGUSR1 is pending, but blocked"
    )
    assert waiting(state, "rt_sigsuspend", mask=usr1) == words
    assert "it catches none" in waiting(system(), "pause")


def test_a_sample_looks_only_at_the_dead_who_were_not_waited_for(monkeypatch):
    """Where many end they would be most of what it looks at."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours))
        for pid, how in ((10, "launched"), (11, "fork"), (12, "fork")):
            context.emit(Forked(pid=pid, parent=10, how=how))
        sampler, looked_at = Sampler(context), []
        for pid in (11, 12):
            context.emit(Exited(pid=pid))
            sampler.end_process(pid)
        context.emit(Reaped(pid=11, by=10))
        monkeypatch.setattr(procfs, "read_stat", lambda pid, tid=0: "Z")

        def look(pid):
            looked_at.append(pid)
            return RawLook(pid, b"", b"", b"", ())

        monkeypatch.setattr(sampler, "read_process", look)
        sampler.sample()
        assert looked_at == [12]
