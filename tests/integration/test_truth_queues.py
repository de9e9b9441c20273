"""Message queues of both kinds, against msgctl and mq_getattr, and the sentences about what passed
through them.
"""

from __future__ import annotations

import os

from ipcviz import events as ev
from ipcviz.model.query import list_holders
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.waits import describe_wait, explain_wait
from tests.integration.harness import Bench, Programs
from tests.integration.test_truth_locks import MODES, sentences
from tests.integration.watched import Watched


@MODES
def test_queues(bench: Bench, programs: Programs, options: tuple[str, ...]) -> None:
    name = f"/ipcviz-truth-{os.getpid()}-{bench.actor.name}-{len(options)}"
    with Watched(bench, [programs["truth_queues"], name], ("queued",), *options) as run:
        facts = run.at("queued")
        key = f"msg:{facts['id']}"

        def complete(state: State) -> bool:
            blocked = [
                wait_of(state, facts[who], list_holders(state)) for who in ("receiver", "sender")
            ]
            queues = [state.object_at(facts["pid"], facts[which]) for which in ("full", "told")]
            levels = [
                found.level for found in (*queues, state.objects.get(key)) if found is not None
            ]
            reason = explain_wait(state, blocked[0]) if blocked[0] else ""
            return all(blocked) and "other" in reason and len(levels) == 3 and None not in levels

        state = run.until(complete)
        level = state.objects[key].level
        assert level is not None
        assert (level.queued, level.capacity, level.messages) == (
            facts["bytes"],
            facts["limit"],
            facts["messages"],
        )
        if level.waiting:  # a kernel with MSG_COPY
            assert level.waiting == (
                ev.Message(type=5, size=4, head=b"five"),
                ev.Message(type=7, size=6, head=b"seven\n"),
                ev.Message(type=5, size=10, head=b"five again"),
            )
        held = list_holders(state)
        wait = wait_of(state, facts["receiver"], held)
        assert wait is not None
        assert (wait.call, wait.object, wait.waker_pids) == ("msgrcv", key, (facts["pid"],))
        assert (
            describe_wait(state, wait)
            == f"msgrcv on msg {facts['id']}, no message of type 9: 3 others wait"
        )
        full, told = (state.object_at(facts["pid"], facts[which]) for which in ("full", "told"))
        assert full is not None
        assert told is not None
        assert full.level is not None
        assert told.level is not None
        assert (full.level.queued, full.level.capacity, full.level.largest) == (
            facts["count"],
            3,
            32,
        )
        assert full.level.payload == 10
        assert (told.level.notify, told.level.payload) == (facts["pid"], 0)
        wait = wait_of(state, facts["sender"], held)
        assert wait is not None
        assert (wait.call, wait.object, explain_wait(state, wait)) == (
            "mq_timedsend",
            full.info.key,
            "full: 3 of 3 messages",
        )
        run.release("queued")
        assert run.finish() == 0, "looking at the messages took none"
        assert run.state.objects[key].unlinked
        assert key not in list_holders(run.state)
    log = sentences(run.events)

    def said(*words: str) -> bool:
        return any(all(word in line for word in words) for line in log)

    assert said("got the System V queue", f"(id {facts['id']}) for no key (IPC_PRIVATE)")
    assert said("put a message of 4 bytes, type 5 into msg", ': "five"')
    assert said("took a message of 6 bytes, type 7 from msg", ': "seven\n"')
    assert said(f"truth_queues[{facts['receiver']}] took a message of 4 bytes, type 9", ': "nine"')
    assert said("put a message of 4 bytes, priority 30 into", ': "high"')
    assert said("took a message of 4 bytes, priority 30 from", ': "high"')
    assert said("asks to be notified by SIGURG when a message comes into")
    assert said(
        "took a message of 6 bytes, type 3",
        ': "longer"; it fills the buffer, and what did not fit, if anything, is lost (MSG_NOERROR)',
    )
    assert said("the limit of msg", "(IPC_SET): it takes 24 bytes now")
    assert said("set the status flags behind descriptor", ": nonblock")
    assert said("got EAGAIN from mq_timedreceive", "the queue is empty, and the call does not wait")
    assert said("removed the System V queue")
    assert (run.state.objects[key].bytes_in, run.state.objects[key].bytes_out) == (44, 30)
