"""Step mode in words: what is about to happen, and what became of it."""

from __future__ import annotations

import pytest

from ipcviz.events import Held, Let, Poised, Released, SemaphoreInfo
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.narrate import NOISE, STEP, TURN, Outcomes, intention, narrate, stands
from tests import fakes, stepped


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
            "to make descriptor 9 a duplicate of 1 (P1, write end)",
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
    assert intention(flow(), poised) == words
    assert stands(flow(), poised) == f"is about {words}"


def test_a_signal_is_sent_to_somebody_by_name():
    event = Poised(
        t=1, pid=12, tid=12, at="entry", call="kill", args={"pid": 13, "signal": "SIGINT"}
    )
    assert intention(flow(), event) == "to send SIGINT to gzip[13]"


def test_where_one_stands_that_did_nothing_of_its_own():
    state = flow()
    assert (
        stands(state, Poised(t=1, pid=13, tid=13, at="return", call="read"))
        == "stands behind its read"
    )
    assert "just born" in stands(state, Poised(t=1, pid=13, tid=13, at="start"))
    assert "own code" in stands(state, Poised(t=1, pid=13, tid=13, at="running"))


def test_only_turns_are_in_the_log():
    state = flow()
    weights = {}
    for event in (
        Held(t=1, reason="P1 full"),
        Released(t=1),
        entry("read"),
        Poised(t=1, pid=13, tid=13, at="return", call="read"),
        Poised(t=1, pid=13, tid=13, at="signal", signo=2, action="handler"),
    ):
        sentence = narrate(event, state, reduce(state, event))
        weights[sentence.text] = sentence.weight
    assert list(weights.values()) == [TURN, TURN, NOISE, STEP, TURN]
    assert "Everything is held: P1 full" in weights


class Stepper:
    def __init__(self, session):
        self.session, self.state, self.outcomes = session, State(), Outcomes(narrate)
        self.drain()

    def drain(self):
        for event in self.session.drain():
            before, self.state = self.state, reduce(self.state, event)
            self.outcomes.feed(event, before, self.state)

    def let(self, tid):
        self.session.send(Let(tid=tid))
        self.drain()
        return self.outcomes.text


def test_what_became_of_each_step_is_said():
    run = Stepper(stepped.pair())
    assert run.let(60) == "writer[60] made the pipe P1: read end 3, write end 4"
    assert run.let(60) == "writer[60] forked reader[61]"
    assert run.let(61) == "reader[61] goes on, and is about to read up to 10 bytes from P1"
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
