"""What a held thread is about to do, against the conditions of a story."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Accessed,
    Level,
    ObjectInfo,
    Opened,
    Poised,
    Sample,
    SemaphoreLevel,
    VariableFound,
    VariableInfo,
    Waiting,
)
from ipcviz.model.maps import Map
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate import describe_intention
from ipcviz.scenario import When, find_scenario
from ipcviz.scenario.foresight import may_answer, may_meet
from ipcviz.scenario.recognise import Recognised
from tests import fakes

CAST = Recognised(
    roles=Map({5: "producer", 6: "consumer"}),
    labels=Map({fakes.EMPTY.key: "_empty", fakes.QUEUE.key: "shared.dat"}),
)


def entry(call, pid=5, obj="", **args):
    """A thread before a call; `pid_` is that call's own argument."""
    args = {name.removesuffix("_"): value for name, value in args.items()}
    return Poised(t=1, pid=pid, tid=pid, at="entry", call=call, object=obj, args=args)


def semaphore(op, value, info=fakes.EMPTY, pid=5):
    return Poised(t=1, pid=pid, tid=pid, at="semaphore", op=op, value=value, semaphore=info)


def signal(signo, action="handler"):
    return Poised(t=1, pid=5, tid=5, at="signal", signo=signo, action=action)


@pytest.mark.parametrize(
    ("when", "poised", "expected"),
    [
        (When(call="write", role="producer"), entry("write"), True),
        (When(call="write", role="consumer"), entry("write"), False),
        (When(call="write", result=0), entry("write"), True),
        (When(call=("read", "write")), entry("pause"), False),
        (
            When(call="ftruncate", object="shared.dat"),
            entry("ftruncate", obj=fakes.QUEUE.key),
            True,
        ),
        (When(call="ftruncate", object="shared.dat"), entry("ftruncate", obj="other"), False),
        (When(call="unlink", object="shared.dat"), entry("unlink", path="/tmp/shared.dat"), True),
        (
            When(call="rt_sigaction", args={"new": "catch"}),
            entry("rt_sigaction", new="ignore"),
            False,
        ),
        (When(call="read", blocked=True), entry("read"), True),
        (When(op="wait", object="_empty", value=0), semaphore("wait", 0), True),
        (When(op="wait", object="_empty", value=0), semaphore("wait", 2), False),
        (When(op="post", object="_empty"), semaphore("wait", 0), False),
        (When(event="signal-delivered", signal="SIGALRM"), signal(14), True),
        (When(event="signal-delivered", signal="SIGALRM"), signal(2), False),
        (When(event="exited"), entry("exit_group"), True),
        (When(event="exited", signal="SIGTERM"), signal(15, "terminate"), True),
        (When(event="exited", signal="SIGTERM"), signal(13, "terminate"), False),
        (When(event="exited", signal="SIGTERM"), entry("exit_group", code=1), False),
        (When(event="exited", code=1), signal(15, "terminate"), False),
        (When(event="exited", code=1), entry("exit_group", code=257), True),
        (When(event="exited", code=1), entry("exit_group", code=0), False),
        (When(event="forked"), entry("clone"), True),
        (When(marker="half *"), entry("marker", text="half way"), True),
        (When(marker="half *"), entry("marker", text="done"), False),
        (When(event="reaped"), entry("wait4"), True),
        (When(event="handler-returned"), signal(14), False),
        (When(event="handler-returned", jumped=True), signal(14), True),
        (When(event="handler-returned", jumped=True), signal(14, "terminate"), False),
        (When(op="open", object="_empty"), entry("openat", path="/dev/shm/sem.x"), True),
        (When(op="open", object="_empty"), entry("openat", path="/tmp/sem.x"), False),
        (When(event="exited", role="consumer"), entry("kill", pid_=6, signal="SIGKILL"), True),
        (When(event="exited", role="consumer"), entry("kill", pid_=7, signal="SIGKILL"), False),
        (When(event="exited", role="consumer"), entry("kill", pid_=6, signal="SIGTERM"), False),
        (
            When(event="exited", role="consumer", signal="SIGTERM"),
            entry("kill", pid_=6, signal="SIGKILL"),
            False,
        ),
    ],
)
def test_what_may_meet_a_condition(when, poised, expected):
    assert may_meet(when, find_scenario("mmap-queue"), CAST, poised) is expected


def test_a_question_is_answered_by_the_step_that_it_stands_before():
    scenario = find_scenario("mmap-queue")
    asked = scenario.questions[0]
    assert asked.before == "no-slot"
    assert may_answer(asked, scenario, CAST, semaphore("wait", 0), State())
    assert not may_answer(asked, scenario, CAST, semaphore("wait", 3), State())


def test_what_counts_is_the_value_now_and_not_the_one_when_the_thread_came_there():
    scenario = find_scenario("mmap-queue")
    level = SemaphoreLevel(info=fakes.EMPTY, value=0)
    state = reduce(State(), Sample(t=1, semaphores=(level,)))
    assert may_answer(scenario.questions[0], scenario, CAST, semaphore("wait", 3), state)
    assert "(it is 0)" in describe_intention(state, semaphore("wait", 3))


COUNTER = VariableInfo(key="v", name="counter", type="int", size=4)


def state_after(*accesses):
    """The state after loads and stores: each of a thread and an operation."""
    state = reduce(
        State(),
        VariableFound(t=0, n=1, pid=5, variable=COUNTER, address=4096, value=bytes(4)),
    )
    for n, (tid, op) in enumerate(accesses, 2):
        event = Accessed(t=0, n=n, pid=tid, tid=tid, variable="v", op=op, after=bytes(4))
        state = reduce(state, event)
    return state


@pytest.mark.parametrize(
    ("accesses", "op", "lost", "expected"),
    [
        ([], "load", False, True),
        ([], "store", False, False),
        ([(5, "load")], "load", False, True),
        ([(5, "load")], "store", False, True),
        ([(5, "load")], "store", True, False),
        ([(5, "load"), (6, "load")], "store", True, False),
        ([(5, "load"), (6, "load"), (6, "store")], "store", True, True),
        ([(6, "store"), (5, "load")], "store", True, False),
    ],
)
def test_a_store_is_foreseen_once_the_thread_has_loaded(accesses, op, lost, expected):
    cast = Recognised(roles=Map({5: "a", 6: "b"}), labels=Map({"v": "counter"}))
    scenario, state = find_scenario("sem-counter"), state_after(*accesses)
    poised = Poised(t=1, pid=5, tid=5, at="access", op="load", object="v")
    when = When(op=op, object="counter", lost=lost)
    assert may_meet(when, scenario, cast, poised, state) is expected


def test_a_path_means_what_somebody_has_open_there():
    path = "/dev/shm/ipcviz-x"
    segment = ObjectInfo(key="1:2", kind="shared memory", path=path)
    made = Opened(fd=3, ofd=10, object=segment, mode="rw")
    state = reduce(State(), fakes.call(0, 6, "openat", made))
    cast = Recognised(roles=Map({5: "user"}), labels=Map({"1:2": "segment"}))
    when = When(role="user", call="openat", object="segment")
    scenario = find_scenario("posix-shm")
    assert may_meet(when, scenario, cast, entry("openat", path=path), state)
    assert not may_meet(when, scenario, cast, entry("openat", path="/dev/shm/other"), state)


@pytest.mark.parametrize(
    ("call", "has_it", "sleeps", "expected"),
    [
        ("close", True, True, True),
        ("exit_group", True, True, True),
        ("close", True, False, False),
        ("close", False, True, False),
        ("write", True, True, False),
    ],
)
def test_who_closes_a_write_end_may_bring_the_end_of_file(call, has_it, sleeps, expected):
    state = reduce(State(), fakes.call(0, 6, "pipe2", READ_END))
    if has_it:
        state = reduce(state, fakes.call(0, 5, "pipe2", WRITE_END))
    if sleeps:
        args = {"fd": 3}
        asleep = Waiting(t=1, pid=6, tid=6, call="read", args=args, object=fakes.PIPE.key)
        state = reduce(state, asleep)
    roles = Map({5: "writer", 6: "cat"})
    cast = Recognised(roles=roles, labels=Map({fakes.PIPE.key: "the pipe"}))
    when = When(role="cat", call="read", object="the pipe", result=0)
    poised = entry(call, obj=fakes.PIPE.key, fd=4)
    assert may_meet(when, find_scenario("pipe-eof"), cast, poised, state) is expected


READ_END = Opened(fd=3, ofd=10, object=fakes.PIPE, mode="r")
WRITE_END = Opened(fd=4, ofd=11, object=fakes.PIPE, mode="w")


@pytest.mark.parametrize(
    ("ends", "queued", "because", "expected"),
    [
        ((READ_END, WRITE_END), 0, "empty", True),
        ((READ_END, WRITE_END), 9, "empty", False),
        ((READ_END, WRITE_END), 9, ("empty", "full"), True),
        ((READ_END, WRITE_END), 9, "", True),
        ((READ_END,), 0, "empty", False),
    ],
)
def test_a_read_waits_for_bytes_only_if_none_are_there_and_some_may_come(
    ends, queued, because, expected
):
    state = reduce(State(), fakes.call(0, 6, "pipe2", *ends))
    level = Level(object=fakes.PIPE.key, queued=queued, unit="bytes", capacity=65536)
    state = reduce(state, Sample(t=1, levels=(level,)))
    cast = Recognised(roles=Map({6: "reader"}), labels=Map({fakes.PIPE.key: "the pipe"}))
    when = When(role="reader", call="read", because=because, blocked=True, object="the pipe")
    poised = entry("read", pid=6, obj=fakes.PIPE.key, fd=3)
    assert may_meet(when, find_scenario("pipe-eof"), cast, poised, state) is expected
