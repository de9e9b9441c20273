"""Signals in the picture: timers and what became of them, what is at the door, chips in boxes."""

import pytest

from ipcviz.app.picture.draw import paint_scene
from ipcviz.app.picture.graph import KEPT, build_scene
from ipcviz.app.picture.layout import arrange_scene
from ipcviz.events import (
    Disposition,
    Forked,
    HandlerReturned,
    Held,
    Mask,
    Poised,
    Sent,
    SignalDelivered,
    Stepped,
    Timer,
    Waiting,
)
from ipcviz.model.reduce import reduce_all
from tests import fakes

ABOUT = frozenset({"signals"})


def state_of(*events):
    born = Forked(t=0.0, pid=41, parent=1, how="launched", name="sleeper", argv=("./sleeper",))
    return reduce_all(fakes.numbered([born, *events]))


def catching(t, pid, signo):
    return fakes.call(t, pid, "rt_sigaction", Disposition(signo=signo, action="catch"))


def delivered(t, signo, **kw):
    return SignalDelivered(t=t, pid=41, tid=41, signo=signo, action="handler", **kw)


def alarm(t, seconds):
    return fakes.call(t, 41, "alarm", Timer(signo=14, seconds=seconds))


def texts(state, node, **kw):
    scene = build_scene(state, **kw)
    found = next((n for n in scene.nodes if n.id == node), None)
    return [line.text for line in found.lines] if found is not None else None


def chips(state, **kw):
    box = next(n for n in build_scene(state, **kw).nodes if n.id == "p:41")
    return {line.text: [word for word, _ in line.chips] for line in box.lines if line.chips}


def draw(state, size=(80, 12), **kw):
    scene = build_scene(state, size=size, **kw)
    rows = paint_scene(scene, arrange_scene(scene, size))
    return "\n".join("".join(text for text, _ in row) for row in rows)


def test_a_timer_stays_where_it_was_with_what_became_of_it():
    timer = "s:timer:41:14"
    steps = [
        Held(t=0.05),
        Stepped(t=0.1, pid=41, tid=41, step=3),
        catching(0.11, 41, 14),
        alarm(0.2, 1.0),
    ]
    armed = state_of(*steps)
    assert texts(armed, timer) == ["armed at step 3", "fires in 1.0 s"]
    after = [*steps, Stepped(t=1.2, pid=41, tid=41, step=5), delivered(1.25, 14)]
    fired = state_of(*after)
    assert texts(fired, timer) == ["armed at step 3", "fired at step 5", "nothing armed now"]
    scenes = [build_scene(state, about=ABOUT) for state in (armed, fired)]
    assert scenes[0].compute_shape() == scenes[1].compute_shape()
    off = state_of(*steps, Stepped(t=0.3, pid=41, tid=41, step=4), alarm(0.4, 0))
    assert texts(off, timer)[1:] == ["cancelled at step 4", "nothing armed now"]
    again = state_of(*after, alarm(1.3, 2.0))
    assert texts(again, timer) == ["armed at step 5", "fires in 2.0 s"]


def test_a_timer_that_comes_again_is_counted():
    every = fakes.call(0.2, 41, "setitimer", Timer(signo=14, seconds=1.0, interval=1.0))
    state = state_of(catching(0.1, 41, 14), every, delivered(1.2, 14), delivered(2.2, 14))
    assert texts(state, "s:timer:41:14") == ["has fired 2 times", "fires in 1.0 s"]


def test_a_timer_that_is_over_is_told_to_who_waits_for_a_signal_and_else_for_a_moment():
    timer = "s:timer:41:14"
    events = [catching(0.1, 41, 14), alarm(0.2, 1.0), delivered(1.2, 14)]
    returned = HandlerReturned(t=1.21, pid=41, tid=41)
    assert texts(state_of(*events, returned), timer) == ["fired just now", "nothing armed now"]
    late = fakes.call(1.3 + KEPT, 41, "getpid")
    assert texts(state_of(*events, returned, late), timer) is None
    waiting = Waiting(t=1.4 + KEPT, pid=41, tid=41, call="pause")
    found = texts(state_of(*events, returned, late, waiting), timer)
    assert found == ["fired 3.2 s ago", "nothing armed now"]


def test_what_a_timer_sent_stays_at_the_door_while_it_is_pending():
    sample = fakes.process(41, "sleeper", pending=1 << 13)
    state = state_of(
        catching(0.1, 41, 14),
        fakes.call(0.12, 41, "rt_sigprocmask", Mask(blocked=1 << 13)),
        alarm(0.2, 1.0),
        fakes.Sample(t=1.4, processes=(sample,)),
    )
    assert texts(state, "s:timer:41:14") == ["fired, is blocked"]
    edge = next(e for e in build_scene(state).edges if e.kind == "signal")
    assert edge.at_door
    assert "▐" in draw(state)
    assert "→" not in draw(state)


def test_a_sent_signal_is_at_the_door_and_goes_in_when_its_handler_runs():
    child = Forked(t=0.2, pid=42, parent=41, by=41)
    kill = fakes.call(0.3, 42, "kill", Sent(target=41, signo=10), args={"pid": 41})
    block = fakes.call(0.15, 41, "rt_sigprocmask", Mask(blocked=1 << 9))
    sample = fakes.process(41, "sleeper", pending=1 << 9)
    seen = [catching(0.1, 41, 10), block, child, kill]
    pending = state_of(*seen, fakes.Sample(t=0.4, processes=(sample,)))
    assert texts(pending, "s:signal:41:10") == ["pending: blocked"]
    doors = {
        (e.source, e.target): e.at_door for e in build_scene(pending).edges if e.kind != "child"
    }
    assert doors == {("p:42", "s:signal:41:10"): False, ("s:signal:41:10", "p:41"): True}
    inside = state_of(*seen, delivered(0.5, 10, sender=42))
    assert texts(inside, "s:signal:41:10") == ["its handler runs"]
    assert not any(e.at_door for e in build_scene(inside).edges)
    left = state_of(*seen, delivered(0.5, 10, sender=42), HandlerReturned(t=0.6, pid=41, tid=41))
    assert texts(left, "s:signal:41:10") is None


def test_a_box_has_the_sets_as_chips_in_rows_that_are_always_there():
    plain = state_of(catching(0.1, 41, 14))
    assert chips(plain) == {}
    assert chips(plain, about=ABOUT) == {"caught": ["SIGALRM"]}
    blocked = state_of(
        catching(0.1, 41, 14), fakes.call(0.12, 41, "rt_sigprocmask", Mask(blocked=1 << 13))
    )
    assert chips(blocked, about=ABOUT) == {"caught": ["SIGALRM"], "blocked": ["SIGALRM"]}
    rows = {n.rows for s in (plain, blocked) for n in build_scene(s, about=ABOUT).nodes}
    assert rows == {4}


def test_handlers_inside_handlers_are_told_from_the_outermost_in():
    state = state_of(
        catching(0.1, 41, 14), catching(0.1, 41, 10), delivered(0.2, 14), delivered(0.3, 10)
    )
    assert chips(state)["handler"] == ["SIGALRM", "> SIGUSR1"]
    assert "handler  SIGALRM   > SIGUSR1 " in draw(state)


def test_a_signal_that_a_held_thread_stands_before_is_pending_to_who_looks():
    state = state_of(
        Held(t=0.05),
        catching(0.1, 41, 14),
        alarm(0.2, 1.0),
        Poised(t=1.3, pid=41, tid=41, at="signal", signo=14, action="handler"),
    )
    assert chips(state)["pending"] == ["SIGALRM"]
    assert texts(state, "s:timer:41:14")[-1] == "fired, is pending"


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((40, 16), "blocked  SIGUSR1   SIGUSR2 "),
        ((26, 16), "blocked  USR1   USR2 "),
        ((22, 16), "blocked USR1 USR2"),
    ],
)
def test_signals_are_named_as_far_as_that_can_be(size, shown):
    mask = sum(1 << n for n in (9, 11))
    state = state_of(fakes.call(0.1, 41, "rt_sigprocmask", Mask(blocked=mask)))
    assert shown in draw(state, size=size, about=ABOUT)


@pytest.mark.parametrize("cells", [8, 12, 20, 30])
def test_chips_that_have_no_room_are_counted(cells):
    mask = sum(1 << n for n in (0, 1, 9, 11, 13))
    state = state_of(fakes.call(0.1, 41, "rt_sigprocmask", Mask(blocked=mask)))
    shown = draw(state, size=(cells + 4, 10), about=ABOUT)
    assert "blocked" in shown or cells < 12
    assert all(len(row) == cells + 4 for row in shown.split("\n"))
