"""Nothing that exists moves unless something came or went, and then as little as can be: sequences
of moments.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcviz.app.naming import name_objects
from ipcviz.app.picture.draw import paint_scene
from ipcviz.app.picture.graph import build_scene
from ipcviz.app.picture.layout import arrange_scene, choose_boxes, keep_layout
from ipcviz.app.picture.places import find_shift
from ipcviz.app.picture.routes import Rect
from ipcviz.events import Call, Sample, Sent
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from tests import fakes
from tests import picture_states as systems
from tests.pure.test_picture_layout import SIZES, check, scenes


def walk(events, size):
    """The picture after each event: its scene, its layout, and whether anything moved with it."""
    state, layout, inside, level = State(), None, False, 0
    for event in events:
        state = reduce(state, event)
        scene = build_scene(name_objects(state, {}, whole=True), size=size, level=level)
        level = scene.level
        scene = choose_boxes(scene, size, layout, inside=inside)
        inside = scene.inside
        now = arrange_scene(scene, size, layout)
        moved = layout is not None and any(
            (now.rects[i].x, now.rects[i].y) != (old.x, old.y)
            for i, old in layout.rects.items()
            if i in now.rects
        )
        yield scene, layout, now, moved
        layout = now


def growing():
    """A pipeline that is made step by step, and writes to files and to the terminal."""
    m = systems.pipeline_maker(("cat", "FILE"), ("sort",), ("gzip", "-c9"))
    source, out, log = (
        systems.plain(100, "/tmp/FILE"),
        systems.plain(101, "/tmp/o"),
        systems.plain(102, "/tmp/log"),
    )
    m.open(12, 3, source, "r")
    m.move(12, "read", 3, source, 4096)
    m.open(13, 5, log, "w")
    m.move(13, "write", 5, log, 10)
    m.move(13, "write", 2, systems.TTY, 10)
    m.open(14, 6, out, "w")
    m.move(14, "write", 6, out, 10)
    for pid in (12, 13, 14):
        m.add(systems.Exited, pid=pid)
        m.add(systems.Reaped, pid=pid, by=11)
    return m.events


SEQUENCES = {
    "pipeline": fakes.pipeline(),
    "fifo": fakes.fifo(),
    "queue": fakes.mmap_queue(),
    "race": fakes.sleep_race(),
    "growing": growing(),
}
MOST = {"pipeline": 2, "fifo": 1, "queue": 2, "race": 1, "growing": 5}
"""Moments at which something may move: the first boxes are placed before it is known what comes."""


@pytest.mark.parametrize("size", [(78, 12), (78, 18), (100, 16), (160, 40)])
@pytest.mark.parametrize("name", SEQUENCES)
def test_something_moves_only_where_no_room_is_left(name, size):
    moves = 0
    for scene, before, now, moved in walk(SEQUENCES[name], size):
        check(scene, now)
        if not moved:
            continue
        moves += 1
        assert now.shape != before.shape, "nothing came or went"
        assert keep_layout(scene, size, before) is None, "there was room"
    assert moves <= MOST[name]


@settings(max_examples=40)
@given(scenes(), scenes(), st.sampled_from(SIZES))
def test_what_is_kept_has_its_place(first, second, size):
    before = arrange_scene(first, size)
    after = keep_layout(second, size, before)
    if after is None:
        return
    check(second, after)
    for node, rect in after.rects.items():
        old = before.rects.get(node)
        if old is not None and (rect.w, rect.h) == (old.w, old.h):
            assert rect == old
        elif old is not None:
            assert rect.w >= old.w
            assert rect.h >= old.h
    assert after.extent == before.extent


def test_a_file_that_is_opened_moves_nobody():
    m = systems.pipeline_maker(("cat",), ("gzip", "-c9"))
    before = arrange_scene(build_scene(m.state), (100, 16))
    thing = systems.plain(55, "/tmp/more")
    m.open(12, 3, thing, "w")
    m.move(12, "write", 3, thing, 10)
    after = arrange_scene(build_scene(m.state), (100, 16), before)
    assert "t:8:55:out" in after.rects
    assert {i: after.rects[i] for i in before.rects} == before.rects


def test_where_all_is_placed_anew_as_many_as_can_be_stay():
    old = {"a": Rect(10, 2, 10, 3), "b": Rect(30, 2, 10, 3), "c": Rect(0, 9, 5, 1)}
    new = {"a": Rect(20, 6, 10, 3), "b": Rect(40, 6, 10, 3), "c": Rect(60, 6, 5, 1)}
    assert find_shift(new, old, (20, 6), (0, 0), (80, 24)) == (-10, -4)
    assert find_shift(new, old, (20, 6), (15, 6), (80, 24)) == (0, 0), "there is no room for it"
    assert find_shift(new, {}, (20, 6), (0, 0), (80, 24)) == (0, 0)


def send_stop(m, pid, target):
    """SIGSTOP, which stays pending."""
    args = {"pid": target}
    m.add(Call, pid=pid, tid=pid, name="kill", args=args, effects=(Sent(target=target, signo=19),))
    m.add(Sample, processes=(fakes.process(target, "cat", pending=1 << 18),))


@pytest.mark.parametrize("size", [(80, 12), (65, 14)])
def test_a_signal_moves_nothing_that_bytes_flow_through_and_is_told_in_its_process(size):
    m = systems.pipeline_maker(("cat",), ("gzip",))
    before = arrange_scene(build_scene(m.state, size=size), size)
    send_stop(m, 11, 12)
    scene = build_scene(m.state, size=size)
    assert "s:signal:12:19" in {n.id for n in scene.nodes}
    assert keep_layout(scene, size, before) is None, "its box has no room beside the others"
    told = choose_boxes(scene, size, before, inside=False)
    after = arrange_scene(told, size, before)
    assert after.rects == before.rects
    assert re.search("pending +(SIG)?STOP", draw(told, size, before))
    resized = choose_boxes(scene, (size[0] - 5, size[1]), before, inside=False)
    assert "signal" not in {n.kind for n in resized.nodes}, "nor does it come with another size"


def test_where_nothing_flows_a_signal_has_its_box():
    m = systems.Maker()
    m.launch(11, "sh")
    m.fork(11, 12, "cat")
    before = arrange_scene(build_scene(m.state, size=(80, 12)), (80, 12))
    send_stop(m, 11, 12)
    scene = choose_boxes(build_scene(m.state, size=(80, 12)), (80, 12), before, inside=False)
    assert "s:signal:12:19" in {n.id for n in scene.nodes}


def written():
    """A process that writes to a terminal, and one that reads a file that another one reads too."""
    m = systems.pipeline_maker(("cat", "FILE"), ("gzip", "-c9"))
    source, out = systems.plain(100, "/tmp/FILE"), systems.plain(101, "/tmp/out.gz")
    m.open(12, 3, source, "r")
    m.move(12, "read", 3, source, 4096)
    m.open(13, 4, out, "w")
    m.move(13, "write", 4, out, 300)
    return m.state


def draw(scene, size, before=None):
    rows = paint_scene(scene, arrange_scene(scene, size, before))
    return "\n".join("".join(text for text, _ in row) for row in rows)


def test_where_room_is_short_files_are_told_in_the_box_of_who_uses_them():
    scene = build_scene(written())
    assert {"t:8:100:in", "t:8:101:out"} <= {n.id for n in scene.nodes}
    roomy = choose_boxes(scene, (100, 24), None, inside=False)
    assert roomy is scene or not roomy.inside
    told = choose_boxes(scene, (60, 8), None, inside=False)
    assert told.inside
    assert not {n.id for n in told.nodes} & {"t:8:100:in", "t:8:101:out"}
    ends = {n.id: [end.text for end in n.ends] for n in told.nodes if n.ends}
    assert "3←FILE 4K" in ends["p:12"]
    assert "4→out.gz 300 B" in ends["p:13"]
    assert "3←FILE" in draw(told, (60, 8))


def test_a_file_of_two_processes_is_a_box_wherever_it_is():
    m = systems.pipeline_maker(("cat",), ("gzip",))
    shared = systems.plain(100, "/tmp/both")
    for pid in (12, 13):
        m.open(pid, 4, shared, "w")
        m.move(pid, "write", 4, shared, 10)
    scene = build_scene(m.state)
    told = choose_boxes(scene, (40, 6), None, inside=False)
    assert "t:8:100:out" in {n.id for n in told.nodes}


def test_what_is_told_inside_stays_there_while_nothing_has_to_be_placed_anew():
    scene = build_scene(written())
    size = (60, 8)
    told = choose_boxes(scene, size, None, inside=False)
    layout = arrange_scene(told, size)
    again = choose_boxes(scene, size, layout, inside=told.inside)
    assert again == told
    assert keep_layout(again, size, layout) is layout


@pytest.mark.parametrize("width", [14, 16, 20, 30])
def test_many_files_in_a_small_box_are_counted(width):
    m = systems.Maker(("tee",))
    m.launch(11, "tee")
    for number in range(6):
        thing = systems.plain(200 + number, f"/tmp/file-{number}")
        m.open(11, 3 + number, thing, "w")
        m.move(11, "write", 3 + number, thing, 10)
    scene = choose_boxes(build_scene(m.state), (width, 4), None, inside=False)
    text = draw(scene, (width, 4))
    assert "+" in text or "…" in text
