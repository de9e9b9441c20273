"""Step mode in words: what is about to happen, and what became of it."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Exited,
    Held,
    Let,
    Marker,
    Poised,
    ProcessSample,
    Released,
    Sample,
    SemaphoreInfo,
    SemaphoreOp,
    Settled,
    SignalDelivered,
    Stepped,
    Waiting,
)
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.narrate import NOISE, STEP, TURN, Outcomes, describe_intention, describe_stand, narrate
from tests import fakes, stepped
from tests import picture_states as systems


def flow():
    return reduce_all(fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow()]))


def entry(call, pid=12, obj="", data=b"", **args):
    return Poised(t=1, pid=pid, tid=pid, at="entry", call=call, object=obj, data=data, args=args)


@pytest.mark.parametrize(
    ("poised", "words"),
    [
        (
            entry("write", obj=fakes.PIPE.key, data=b"abc\n\x1b", fd=1, count=4096),
            'to write 4,096 bytes to P1: "abc\n\x1b"...',
        ),
        (entry("read", 13, fakes.PIPE.key, fd=0, count=10), "to read up to 10 bytes from P1"),
        (entry("close", 12, fakes.PIPE.key, fd=1), "to close descriptor 1 (P1, write end)"),
        (
            entry("dup2", 12, fakes.PIPE.key, fd=1, newfd=9),
            "to make fd 9 a duplicate of 1 (P1, write end)",
        ),
        (entry("pause"), "to wait for a signal (pause)"),
        (
            Poised(t=1, pid=12, tid=12, at="entry", call="nanosleep", repeated=17),
            "to sleep for a time, once more after 17 short waits",
        ),
        (entry("rt_sigprocmask", how="SIG_BLOCK", set=1 << 13), "to block SIGALRM"),
        (entry("rt_sigaction", signal="SIGALRM", new="catch"), "to catch SIGALRM from now on"),
        (entry("openat", path="[/foo]", flags="O_WRONLY|O_CREAT"), "to open [/foo] for writing"),
        (entry("clone", flags="0x1200011"), "to fork (clone)"),
        (entry("clone", flags="0x3d0f00"), "to make a thread"),
        (entry("exit_group", code=3), "to exit with status 3"),
        (entry("bind", fd=3), "to give descriptor 3 the address ?"),
        (entry("some_new_call", fd=3), "to call some_new_call on descriptor 3"),
        (entry("marker", text="half way"), "to pass the marker: half way"),
        (
            Poised(t=1, pid=12, tid=12, at="signal", signo=14, action="handler", sender=13),
            "to run its handler for SIGALRM from gzip[13]",
        ),
        (
            Poised(t=1, pid=12, tid=12, at="signal", signo=13, action="terminate"),
            "to be ended by SIGPIPE",
        ),
        (
            Poised(
                t=1,
                pid=12,
                tid=12,
                at="semaphore",
                op="wait",
                value=0,
                semaphore=SemaphoreInfo(key="s", kind="named"),
            ),
            "to wait for a semaphore (it is 0): sem_wait",
        ),
    ],
)
def test_what_is_about_to_happen(poised, words):
    assert describe_intention(flow(), poised) == words
    assert describe_stand(flow(), poised) == f"is about {words}"


def test_a_signal_is_sent_to_somebody_by_name():
    event = Poised(
        t=1, pid=12, tid=12, at="entry", call="kill", args={"pid": 13, "signal": "SIGINT"}
    )
    assert describe_intention(flow(), event) == "to send SIGINT to gzip[13]"


def test_where_one_stands_that_did_nothing_of_its_own():
    state = flow()
    assert (
        describe_stand(state, Poised(t=1, pid=13, tid=13, at="return", call="read"))
        == "stands behind its read"
    )
    assert "just born" in describe_stand(state, Poised(t=1, pid=13, tid=13, at="start"))
    assert "own code" in describe_stand(state, Poised(t=1, pid=13, tid=13, at="running"))


def test_only_turns_are_in_the_log():
    state = flow()
    weights = {}
    for event in (
        Held(t=1, reason="P1 full"),
        Held(t=1, reason="close", pid=12),
        Released(t=1),
        entry("read"),
        Poised(t=1, pid=13, tid=13, at="return", call="read"),
        Poised(t=1, pid=13, tid=13, at="signal", signo=2, action="handler"),
    ):
        sentence = narrate(event, state, reduce(state, event))
        weights[sentence.text] = sentence.weight
    assert list(weights.values()) == [TURN, TURN, TURN, NOISE, STEP, TURN]
    assert "Everything is held at: P1 full" in weights
    assert "Everything is held at: close by cat[12]" in weights


class Stepper:
    def __init__(self, session):
        self.session, self.state, self.outcomes = session, State(), Outcomes(narrate)
        self.drain()

    def drain(self):
        for event in self.session.drain():
            before, self.state = self.state, reduce(self.state, event)
            self.outcomes.add_event(event, before, self.state)

    def let(self, tid):
        self.session.send(Let(tid=tid))
        self.drain()
        return self.outcomes.text


def test_what_became_of_each_step_is_said():
    run = Stepper(stepped.pair())
    assert run.let(60) == "writer[60] made the pipe P1: read end 3, write end 4"
    assert run.let(60) == "writer[60] forked reader[61]"
    assert run.let(61) == ("reader[61] ran up to its next operation: read up to 10 bytes from P1")
    assert run.let(61) == "reader[61] is blocked in read(3) on P1: it is empty"
    assert run.let(60) == "writer[60] wrote 3 bytes to P1 (fd 4); reader[61] was woken"
    assert (run.outcomes.tid, run.outcomes.step) == (60, 5)
    run.let(61)
    assert run.let(61) == "reader[61] exited with status 0"


def test_a_signal_that_comes_first_and_one_that_became_pending():
    session = stepped.sleeper()
    run = Stepper(session)
    run.let(70)
    session.arrive(70, 14)
    run.drain()
    assert run.let(70) == "sleeper[70] is about to run its handler for SIGALRM first"
    assert run.let(70) == "SIGALRM from its timer reached sleeper[70]: its handler runs"


def test_a_semaphore_that_is_about_to_be_used():
    m = systems.Maker()
    m.launch(12, "ps")
    m.add(SemaphoreOp, pid=12, tid=12, op="init", semaphore=fakes.LOCK, initial=1)
    state = m.state
    for (op, value), words in {
        ("wait", None): "to take M1 (it is 1): sem_wait",
        ("trywait", None): "to try to take M1 (it is 1): sem_trywait",
        ("timedwait", None): "to take M1 (it is 1): sem_timedwait",
        ("post", None): "to post M1 (it is 1)",
        ("init", None): "to initialise the semaphore M1",
        ("destroy", None): "to call sem_destroy on M1 (it is 1)",
    }.items():
        at = Poised(t=1, pid=12, tid=12, at="semaphore", op=op, value=value, semaphore=fakes.LOCK)
        assert describe_intention(state, at) == words
    unborn = Poised(t=1, pid=12, tid=12, at="semaphore", op="init")
    assert describe_intention(state, unborn) == "to initialise a semaphore"
    unknown = Poised(t=1, pid=12, tid=12, at="semaphore", op="wait")
    assert describe_intention(State(), unknown) == "to take a semaphore: sem_wait"
    named = SemaphoreInfo(key="k", kind="named", name="/lock")
    assert (
        describe_intention(
            State(), Poised(t=1, pid=1, tid=1, at="semaphore", op="post", semaphore=named)
        )
        == "to post /lock"
    )


CALLS = [
    (entry("msgsnd", obj=fakes.PIPE.key, data=b"job", count=9), 'put a message into P1: "job"...'),
    (entry("msgsnd", obj=fakes.PIPE.key, data=b"job"), 'put a message into P1: "job"'),
    (entry("msgrcv", obj="msg:3"), "take a message from msg:3"),
    (entry("writev", obj=fakes.PIPE.key, data=b"ab", fd=1), 'write to P1 (writev): "ab"...'),
    (entry("readv", obj=fakes.PIPE.key, fd=0), "read from P1 (readv)"),
    (entry("openat", path="/x", flags="O_RDWR"), "open /x for reading and writing"),
    (entry("openat", path="/x", flags="O_RDONLY"), "open /x for reading"),
    (
        entry("openat", path="/x", flags="O_CREAT|O_EXCL|O_WRONLY"),
        "make /x, if it does not exist, and open it",
    ),
    (entry("fcntl", obj=fakes.PIPE.key, lock="F_WRLCK"), "change a lock on P1: F_WRLCK"),
    (entry("fcntl", obj=fakes.PIPE.key, cmd="F_SETFL"), "change P1: F_SETFL"),
    (entry("fcntl", fd=77, cmd="F_DUPFD_CLOEXEC"), "duplicate descriptor 77"),
    (entry("dup", fd=77), "duplicate descriptor 77"),
    (entry("rt_sigprocmask", how="SIG_UNBLOCK", set=2), "unblock SIGINT"),
    (
        entry("rt_sigprocmask", how="SIG_SETMASK", set="?"),
        "let its mask of blocked signals be ?",
    ),
    (entry("rt_sigaction", signal="SIGINT", new="ignore"), "ignore SIGINT from now on"),
    (entry("rt_sigaction", signal="SIGINT", new="default"), "set SIGINT back to its default"),
    (entry("rt_sigreturn"), "leave its handler"),
    (entry("wait4", pid=-1), "wait for a child"),
    (entry("rt_sigsuspend", mask=2), "wait for a signal, with SIGINT blocked"),
    (entry("rt_sigsuspend", mask=0), "wait for a signal"),
    (entry("dup2", fd=77, newfd=1), "make fd 1 a duplicate of 77"),
    (entry("close", fd=0), "close descriptor 0 (pts/3)"),
    (entry("mmap", obj=fakes.PIPE.key, fd=3), "map P1, shared"),
    (entry("mmap", obj=fakes.PIPE.key, fd=3, flags="MAP_PRIVATE"), "map P1, private"),
    (entry("mmap", fd=-1), "map memory to share with its children"),
    (entry("prctl", option="PR_SET_SECCOMP"), "confine itself (seccomp)"),
    (entry("prctl", option="PR_SET_NAME"), "change how the kernel treats it (PR_SET_NAME)"),
    (entry("listen"), "listen on something"),
    (entry("some_new_call"), "call some_new_call"),
]


@pytest.mark.parametrize(("poised", "words"), CALLS)
def test_calls_that_are_about_to_be_made(poised, words):
    assert describe_intention(flow(), poised) == f"to {words}"


@pytest.mark.parametrize(
    ("args", "target"),
    [
        ({"pid": 13}, "gzip[13]"),
        ({"tid": 13}, "gzip[13]"),
        ({"pid": 0}, "its process group"),
        ({"pid": -13}, "the process group 13"),
        ({"pid": "?"}, "?"),
    ],
)
def test_whom_a_signal_is_about_to_be_sent(args, target):
    at = Poised(t=1, pid=12, tid=12, at="entry", call="kill", args={**args, "signal": "SIGINT"})
    assert describe_intention(flow(), at) == f"to send SIGINT to {target}"
    waits = Poised(t=1, pid=12, tid=12, at="entry", call="wait4", args={"pid": 13})
    assert describe_intention(flow(), waits) == "to wait for gzip[13]"


def test_a_handler_is_left_by_the_signal_that_called_it():
    state = reduce(flow(), SignalDelivered(t=1, pid=12, tid=12, signo=10, action="handler"))
    assert describe_intention(state, entry("rt_sigreturn")) == "to leave its handler for SIGUSR1"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("core", "to be ended by SIGQUIT, with a core dump"),
        ("stop", "to be stopped by SIGQUIT"),
        ("continue", "to be continued by SIGQUIT"),
        ("ignore", "to ignore SIGQUIT"),
        ("other", "to take SIGQUIT"),
    ],
)
def test_a_signal_that_is_about_to_act(action, words):
    at = Poised(t=1, pid=12, tid=12, at="signal", signo=3, action=action, sender=999)
    assert describe_intention(flow(), at) == words


def test_where_else_a_thread_may_be_held():
    state = flow()
    for at, words in (
        (Poised(t=1, pid=12, tid=12, at="return"), "to return from its call"),
        (Poised(t=1, pid=12, tid=12, at="return", call="read"), "to return from read"),
        (Poised(t=1, pid=12, tid=12, at="start"), "to begin"),
        (Poised(t=1, pid=12, tid=12, at="running"), "to go on in its own code"),
    ):
        assert describe_intention(state, at) == words
    held = Poised(t=1, pid=12, tid=12, at="return", call="read")
    sentence = narrate(held, state, reduce(state, held))
    assert sentence is not None
    assert sentence.text == "cat[12] came out of its read, and is held behind it"
    assert (
        describe_stand(state, Poised(t=1, pid=12, tid=12, at="return")) == "stands behind its call"
    )


def test_of_many_things_that_a_step_did_the_first_and_the_last_are_said():
    state, outcomes = flow(), Outcomes(narrate)
    events = [
        Stepped(t=2, step=1, pid=12, tid=12),
        *(Marker(t=2, pid=12, tid=12, text=text) for text in ("one", "two", "three")),
        fakes.call(2, 12, "getpid"),
        Exited(t=2, pid=13, code=0),
        Sample(t=2, processes=(ProcessSample(pid=11, state="t", pending=1 << 9),)),
        Settled(t=2, step=1),
        Marker(t=3, pid=12, tid=12, text="later"),
    ]
    for event in events:
        before, state = state, reduce(state, event)
        outcomes.add_event(event, before, state)
    assert outcomes.text == (
        "cat[12]: one; cat[12]: three; gzip[13] exited with status 0: no reader of P1 is"
        " left; SIGUSR1 is pending for sh[11]"
    )
    outcomes.add_event(Held(t=3), state, state)
    assert (outcomes.text, outcomes.tid) == ("", 0)
    outcomes.add_event(Settled(t=4, step=1), state, state)
    assert outcomes.text == "", "nobody was let go"


def test_of_a_step_in_which_nothing_is_to_be_seen_it_is_said_how_it_stands():
    state, outcomes = flow(), Outcomes(narrate)
    for event in (
        Stepped(t=2, step=1, pid=12, tid=12),
        Waiting(t=2, pid=12, tid=12, call="vfork"),
        Settled(t=2, step=1),
    ):
        before, state = state, reduce(state, event)
        outcomes.add_event(event, before, state)
    assert outcomes.text == "cat[12] goes on"
