"""What was received is told after what was sent, by every way that there is, however the stops come
in.
"""

from __future__ import annotations

from collections import Counter

import pytest

from ipcviz import events as ev
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from tests.integration.harness import Actor, Bench, Programs, by_turns, read_stream
from tests.integration.test_truth_locks import sentences

PUTS = frozenset({"write", "sendto", "mq_timedsend", "msgsnd"})
TAKES = frozenset({"read", "recvfrom", "mq_timedreceive", "msgrcv"})
CHANGES = frozenset({"semop", "semtimedop"})
WAYS = frozenset(
    {"pipe", "unix socket", "tcp socket", "udp socket", "eventfd", "message queue", "system v"}
)


@pytest.mark.parametrize(("actor", "option"), by_turns([("--pty",), ("--full",), ("--step",)]))
def test_a_receive_is_told_after_its_send(
    actor: Actor, option: str, benches: dict[str, Bench], programs: Programs
) -> None:
    bench = benches[actor.name]
    outcome = bench.run(bench.observed([programs["exchanges"]], option), seconds=60.0)
    assert (outcome.status, outcome.stderr) == (0, b"")
    stream = read_stream(bench.stream)
    state, seen, early = State(), set(), []
    sent: Counter[str] = Counter()
    for event in stream:
        state = reduce(state, event)
        if isinstance(event, ev.Entered) and event.call in PUTS:
            # Not over, and told: what is read from here on may come from it.
            sent[_inbox(state, event.object)] += 1 << 40
        if isinstance(event, ev.Entered) and event.call in CHANGES:
            sent[event.object] += 1
        if not isinstance(event, ev.Call) or event.error:
            continue
        if event.name in CHANGES:
            way, key, change = "system v", event.object, 1 if "+1" in str(event.args["ops"]) else -1
        else:
            thing = state.objects.get(event.object)
            if thing is None or thing.info.kind not in WAYS or event.name not in PUTS | TAKES:
                continue
            way, moved = thing.info.kind, event.ret or len(event.data)
            key, change = (
                (_inbox(state, event.object), moved)
                if event.name in PUTS
                else (event.object, -moved)
            )
        seen.add(way)
        sent[key] += change
        if sent[key] < 0:
            early.append((way, event.n))
    assert seen == WAYS
    assert not early

    told = sentences(stream)
    under_way = next(
        i
        for i, text in enumerate(told)
        if "is writing 300,000 bytes to" in text or "in write(" in text
    )
    label = (
        told[under_way]
        .partition(" to " if " to " in told[under_way] else " on ")[2]
        .split()[0]
        .strip(":,;")
    )
    first = next(
        i
        for i, text in enumerate(told)
        if "read 65,536 bytes from" in text and f"from {label} " in text
    )
    assert under_way < first
    assert any("executes /" in text and "/true (argv[0] is -q)" in text for text in told)


def _inbox(state: State, key: str) -> str:
    """Key of the object where what is written to another one is read."""
    thing = state.objects[key]
    return thing.info.peer or thing.sent_to or key if "socket" in thing.info.kind else key
