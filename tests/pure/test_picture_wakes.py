"""An arrow from who has just woken somebody at a semaphore or a futex, where only one can have."""

import pytest

from ipcviz.app.picture.draw import paint_scene
from ipcviz.app.picture.graph import build_scene
from ipcviz.app.picture.layout import arrange_scene
from ipcviz.events import (
    Call,
    Futex,
    Held,
    Mapped,
    Poised,
    SemaphoreInfo,
    SemaphoreOp,
    Settled,
    Stepped,
    Waiting,
)
from tests import picture_states as systems

MEMORY = systems.plain(300, "/tmp/queue.dat")
SEMAPHORE = SemaphoreInfo(key="sem:8:300:0", kind="unnamed", object=MEMORY.key)
FUTEX = Futex(key="futex:8:300:64", object=MEMORY.key, offset=64)
SYSTEM_V = SemaphoreInfo(key="sysv:7:0", kind="system v")
MADE, SLEEPER, WAKER, OTHER = 30, 31, 32, 33
SIZE = (110, 16)


def share() -> systems.Maker:
    """A parent that has made three children; all four have the same memory mapped."""
    m = systems.Maker(("./queue",))
    m.launch(MADE, "queue")
    m.open(MADE, 3, MEMORY, "rw")
    mapped = Mapped(start=0x7F0000000000, length=4096, object=MEMORY, prot="rw-", shared=True)
    m.add(Call, pid=MADE, tid=MADE, name="mmap", args={"fd": 3}, effects=(mapped,))
    for pid, name in ((SLEEPER, "sleeper"), (WAKER, "waker"), (OTHER, "other")):
        m.fork(MADE, pid)
        m.execute(pid, name)
        m.open(pid, 3, MEMORY, "rw")
        m.add(Call, pid=pid, tid=pid, name="mmap", args={"fd": 3}, effects=(mapped,))
    m.add(Held)
    return m


def sleep_in_semaphore(m, pid=SLEEPER):
    m.add(SemaphoreOp, pid=pid, tid=pid, op="wait", semaphore=SEMAPHORE, value=0)
    m.add(Waiting, pid=pid, tid=pid, call="futex", semaphore=SEMAPHORE.key)


def sleep_on_futex(m, pid=SLEEPER):
    args = {"op": "FUTEX_WAIT", "address": "0x7f0000000040"}
    m.add(Waiting, pid=pid, tid=pid, call="futex", args=args, futex=FUTEX)


def sleep_in_semop(m, pid=SLEEPER):
    m.add(
        Waiting,
        pid=pid,
        tid=pid,
        call="semop",
        args={"id": 7, "ops": "[0] -1"},
        semaphore=SYSTEM_V.key,
    )


def post(m, pid=WAKER):
    value = m.state.semaphores[SEMAPHORE.key].value
    m.add(SemaphoreOp, pid=pid, tid=pid, op="post", semaphore=SEMAPHORE, value=value)


def wake_futex(m, pid=WAKER):
    args = {"op": "FUTEX_WAKE", "address": "0x7f0000000040"}
    m.add(Call, pid=pid, tid=pid, name="futex", args=args, ret=1)


def add_by_semop(m, pid=WAKER):
    m.add(Call, pid=pid, tid=pid, name="semop", args={"id": 7, "ops": "[0] +1"})


def come_back(m, call, step, pid=SLEEPER, error=""):
    ret = -4 if error else 0
    m.add(Call, pid=pid, tid=pid, name=call, ret=ret, error=error)
    m.add(Poised, pid=pid, tid=pid, at="return", call=call)
    m.add(Settled, step=step)


def step(m, number, pid=WAKER):
    m.add(Stepped, step=number, pid=pid, tid=pid)


def show(state):
    scene = build_scene(state, size=SIZE)
    layout = arrange_scene(scene, SIZE)
    return scene, ["".join(t for t, _ in row) for row in paint_scene(scene, layout)]


def list_wakes(state):
    return {(e.source, e.target, e.wakes) for e in show(state)[0].edges if e.wakes}


def find_line(scene, pid):
    return next(n for n in scene.nodes if n.id == f"p:{pid}").lines[0].text


@pytest.mark.parametrize(
    ("sleep", "wake", "call"),
    [(sleep_in_semaphore, post, "futex"), (sleep_on_futex, wake_futex, "futex")],
)
def test_a_wake_goes_through_the_memory_to_who_was_woken(sleep, wake, call):
    m = share()
    sleep(m)
    step(m, 1)
    wake(m)
    come_back(m, call, 1)
    scene, rows = show(m.state)
    node = f"o:{MEMORY.key}"
    assert {(e.wakes, *sorted({e.source, e.target})) for e in scene.edges if e.wakes} == {
        (node, node, f"p:{WAKER}"),
        (f"p:{SLEEPER}", node, f"p:{SLEEPER}"),
    }
    assert find_line(scene, SLEEPER) == "woken by 32"
    assert any("woken by 32" in row for row in rows)
    assert not any("waits" in line.text for n in scene.nodes if n.id == node for line in n.lines)
    step(m, 2)
    m.add(Settled, step=2)
    assert not list_wakes(m.state)


def test_a_semop_wakes_through_its_semaphore():
    m = share()
    m.add(SemaphoreOp, pid=MADE, tid=MADE, op="init", semaphore=SYSTEM_V, initial=0)
    sleep_in_semop(m)
    step(m, 1)
    add_by_semop(m)
    come_back(m, "semop", 1)
    assert find_line(show(m.state)[0], SLEEPER) == "woken by 32"
    assert {wakes for _, _, wakes in list_wakes(m.state)} == {"m:sysv:7:0", f"p:{SLEEPER}"}


def test_of_two_wakers_none_is_told():
    m = share()
    sleep_on_futex(m)
    step(m, 1)
    wake_futex(m)
    wake_futex(m, OTHER)
    come_back(m, "futex", 1)
    assert not list_wakes(m.state)
    m = share()
    sleep_in_semaphore(m)
    step(m, 1)
    post(m)
    post(m, OTHER)
    come_back(m, "futex", 1)
    assert not list_wakes(m.state)


def test_who_gave_up_was_woken_by_nobody():
    m = share()
    sleep_on_futex(m)
    step(m, 1)
    wake_futex(m)
    come_back(m, "futex", 1, error="EINTR")
    assert not list_wakes(m.state)


def test_while_everything_runs_a_wake_is_shown_for_a_moment():
    m = share()
    m.events = [event for event in m.events if not isinstance(event, Held)]
    sleep_on_futex(m)
    wake_futex(m)
    m.add(Call, pid=SLEEPER, tid=SLEEPER, name="futex", ret=0)
    assert len(list_wakes(m.state)) == 2
    m.t += 1.5
    m.move(WAKER, "write", 3, MEMORY, 1)
    assert not list_wakes(m.state)


def test_a_line_of_one_cell_with_two_arrows_says_both_ways():
    found = 0
    for width in range(40, 60):
        scene = build_scene(systems.mmap_queue(), size=(width, 12))
        layout = arrange_scene(scene, (width, 12))
        rows = ["".join(t for t, _ in row) for row in paint_scene(scene, layout)]
        for edge in scene.edges:
            route = layout.routes.get(edge.key, ())
            if edge.both and len(route) == 1:
                found += 1
                assert rows[route[0][1]][route[0][0]] in "↔↕"
    assert found
