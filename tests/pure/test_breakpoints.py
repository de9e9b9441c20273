"""What a live run ends at: events, calls, objects, and what has become true of them."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Breakpoint,
    Call,
    Exited,
    Level,
    Resumed,
    Sample,
    SemaphoreInfo,
    SemaphoreLevel,
    SemaphoreOp,
    SignalDelivered,
    Waiting,
)
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.steps.breakpoints import describe_breakpoint, find_reached
from tests import fakes

PIPE = fakes.PIPE.key
LOCK = SemaphoreInfo(key="sem:1:2:0", kind="named", name="/lock")
BEGUN = reduce_all(fakes.pipeline_start())
T = BEGUN.t + 1
STATE = reduce(BEGUN, Resumed(t=T, n=899, pid=13, tid=13))  # gzip no longer waits for bytes


def read(ret: int = 0, count: int = 512, error: str = "") -> Call:
    args = {"fd": 0, "count": count}
    return Call(
        t=T,
        n=900,
        pid=13,
        tid=13,
        name="read",
        args=args,
        ret=ret,
        error=error,
        object=PIPE,
        began=T,
    )


def level(
    queued: int, capacity: int = 65536, slots: int = -1, slots_total: int = 0, key: str = PIPE
) -> Sample:
    one = Level(object=key, queued=queued, capacity=capacity, slots=slots, slots_total=slots_total)
    return Sample(t=T, n=900, levels=(one,))


def waits(name: str, fd: int, pid: int) -> Waiting:
    return Waiting(
        t=T, n=900, pid=pid, tid=pid, call=name, args={"fd": fd, "count": 1}, object=PIPE, began=T
    )


def semaphore(op: str = "post", value: int = 0) -> SemaphoreOp:
    return SemaphoreOp(t=T, n=900, pid=12, tid=12, op=op, semaphore=LOCK, value=value)


KILLED = SignalDelivered(t=T, n=900, pid=12, tid=12, signo=13, action="kill")

REACHED = {
    "any event": (Breakpoint(), KILLED),
    "the event": (Breakpoint(event="signal-delivered"), KILLED),
    "the signal": (Breakpoint(signo=13), KILLED),
    "the process": (Breakpoint(pid=13), read()),
    "the call": (Breakpoint(event="call", call="read"), read()),
    "a wait in the call": (Breakpoint(call="write"), waits("write", 1, 12)),
    "the semaphore's operation": (Breakpoint(call="post", object=LOCK.key), semaphore()),
    "a call on the object": (Breakpoint(object=PIPE), read()),
    "a sample of the object": (Breakpoint(object=PIPE), level(1)),
    "a sample of the semaphore": (
        Breakpoint(object=LOCK.key),
        Sample(t=T, n=900, semaphores=(SemaphoreLevel(info=LOCK, value=1),)),
    ),
    "end of file": (Breakpoint(object=PIPE, condition="end"), read()),
    "end of file of anything": (Breakpoint(condition="end"), read()),
    "full by its bytes": (Breakpoint(object=PIPE, condition="full"), level(65536)),
    "full by its pages": (
        Breakpoint(object=PIPE, condition="full"),
        level(62029, slots=16, slots_total=16),
    ),
    "empty": (Breakpoint(object=PIPE, condition="empty"), level(0)),
    "empty, since a reader waits": (
        Breakpoint(object=PIPE, condition="empty"),
        waits("read", 0, 13),
    ),
    "somebody waits": (Breakpoint(object=PIPE, condition="blocked"), waits("read", 0, 13)),
    "a semaphore at 0": (Breakpoint(object=LOCK.key, condition="zero"), semaphore("wait", 0)),
}
PASSED = {
    "another event": (Breakpoint(event="exited"), KILLED),
    "another signal": (Breakpoint(signo=9), KILLED),
    "no signal at all": (Breakpoint(signo=9), read()),
    "another process": (Breakpoint(pid=12), read()),
    "another call": (Breakpoint(call="write"), read()),
    "an event that is no call": (Breakpoint(call="read"), Exited(t=T, n=900, pid=12)),
    "another object": (Breakpoint(object="pipe:[1]"), read()),
    "an event of no object": (Breakpoint(object=PIPE), KILLED),
    "another object's end": (Breakpoint(object="pipe:[1]", condition="end"), read()),
    "bytes were read": (Breakpoint(object=PIPE, condition="end"), read(ret=1)),
    "nothing was asked for": (Breakpoint(object=PIPE, condition="end"), read(count=0)),
    "it failed": (Breakpoint(object=PIPE, condition="end"), read(ret=0, error="EINTR")),
    "no read": (Breakpoint(object=PIPE, condition="end"), waits("read", 0, 13)),
    "one byte less than full": (Breakpoint(object=PIPE, condition="full"), level(65535)),
    "a page less than full": (
        Breakpoint(object=PIPE, condition="full"),
        level(62029, slots=15, slots_total=16),
    ),
    "of unknown capacity": (Breakpoint(object=PIPE, condition="full"), level(9, capacity=0)),
    "not empty": (Breakpoint(object=PIPE, condition="empty"), level(1)),
    "empty of what is not known": (
        Breakpoint(object="pipe:[1]", condition="empty"),
        level(0, key="pipe:[1]"),
    ),
    "nobody waits": (Breakpoint(object=PIPE, condition="blocked"), level(0)),
    "a semaphore at 1": (Breakpoint(object=LOCK.key, condition="zero"), semaphore("post", 1)),
    "no semaphore": (Breakpoint(object=PIPE, condition="zero"), read()),
}


@pytest.mark.parametrize(("point", "event"), REACHED.values(), ids=REACHED)
def test_reached(point, event):
    assert find_reached((Breakpoint(event="forked"), point), event, reduce(STATE, event)) == point


@pytest.mark.parametrize(("point", "event"), PASSED.values(), ids=PASSED)
def test_passed(point, event):
    assert find_reached((point,), event, reduce(STATE, event)) is None


def test_a_blocked_writer_makes_it_full_whatever_the_figures():
    state = reduce(STATE, waits("write", 1, 12))
    point = Breakpoint(object=PIPE, condition="full")
    assert find_reached((point,), level(60000), reduce(state, level(60000))) == point


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (Breakpoint(), "anything"),
        (Breakpoint(event="signal-delivered"), "signal delivered"),
        (Breakpoint(signo=13), "SIGPIPE"),
        (
            Breakpoint(pid=13, call="read", object=PIPE, condition="end"),
            "read P1 end of file",
        ),
        (Breakpoint(event="sample", object=PIPE, condition="full"), "P1 full"),
        (Breakpoint(event="sample", call="read"), "read"),
        (Breakpoint(object=LOCK.key, condition="zero"), "/lock value 0"),
        (Breakpoint(object="pipe:[1]", condition="empty"), "pipe:[1] empty"),
        (Breakpoint(pid=99), "anything"),
    ],
)
def test_in_words(point, words):
    assert describe_breakpoint(point, reduce(STATE, semaphore())) == words
