"""What a held thread is about to do, against the conditions of a story."""

from __future__ import annotations

import pytest

from ipcviz.events import Poised, Sample, SemaphoreLevel
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
        (When(event="forked"), entry("clone"), True),
        (When(marker="half *"), entry("marker", text="half way"), True),
        (When(marker="half *"), entry("marker", text="done"), False),
        (When(event="reaped"), entry("wait4"), True),
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
