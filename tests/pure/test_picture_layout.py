"""Places: no overlaps, inside, stable, deterministic; and the drawing of them."""

import random
import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcviz.app.naming import name_objects
from ipcviz.app.picture.channels import choose_letters
from ipcviz.app.picture.draw import amount_text, paint_scene
from ipcviz.app.picture.folding import LIMIT, fold_scene
from ipcviz.app.picture.graph import build_scene
from ipcviz.app.picture.layout import arrange_scene
from ipcviz.app.picture.routes import WORK
from ipcviz.app.picture.scene import Edge, Gauge, Node, NodeLine, Scene
from ipcviz.app.text import measure_width
from ipcviz.events import Call, Level, ObjectInfo, Sample
from ipcviz.model.reduce import reduce_all
from tests import picture_states as systems

SIZES = [(80, 24), (80, 14), (120, 36), (40, 10)]


def check(scene, layout):
    for a, b in combinations(layout.rects.values(), 2):
        assert not a.overlaps(b)
    assert set(layout.rects) == {n.id for n in scene.nodes}
    for rect in layout.rects.values():
        assert min(rect.x, rect.y) >= 0
        assert rect.right <= layout.extent[0]
        assert rect.bottom <= layout.extent[1]
    for route in layout.routes.values():
        for x, y in route:
            assert x in range(layout.extent[0])
            assert y in range(layout.extent[1])
            assert not any(
                r.x <= x < r.right and r.y <= y < r.bottom for r in layout.rects.values()
            )
        assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in pairwise(route))


@st.composite
def scenes(draw):
    """Any mixture of processes and things between them, sensible or not."""
    people = draw(st.integers(0, 9))
    things = draw(st.integers(0, 6))
    kinds = ["pipe", "socket", "memory", "file", "semaphore", "signal"]
    nodes = [
        Node(
            id=f"p:{i}",
            kind="process",
            title=draw(
                st.sampled_from(["sh", "[/foo]", "日本語日本語日本語", "a-very-long-name-indeed"])
            ),
            corner=str(i),
            letter="R",
            chip="running",
            lines=(NodeLine("running"),),
            order=(float(i), i),
            parent=f"p:{draw(st.integers(0, i - 1))}" if i and draw(st.booleans()) else "",
            tree=draw(st.booleans()),
        )
        for i in range(people)
    ]
    for i in range(things):
        kind = draw(st.sampled_from(kinds))
        lines = tuple(NodeLine(f"M{k} = {k}") for k in range(draw(st.integers(0, 5))))
        nodes.append(
            Node(
                id=f"o:{i}",
                kind=kind,
                title=f"P{i}",
                lines=lines,
                gauges=(Gauge(5, 9, known=True),),
            )
        )
    edges = {}
    if people and things:
        for _ in range(draw(st.integers(0, 14))):
            a, b = f"p:{draw(st.integers(0, people - 1))}", f"o:{draw(st.integers(0, things - 1))}"
            source, target = (a, b) if draw(st.booleans()) else (b, a)
            edge = Edge(
                source,
                target,
                draw(st.sampled_from(["flow", "hold", "signal"])),
                both=draw(st.booleans()),
            )
            edges[edge.key] = edge
    for node in nodes:
        if node.parent:
            edges[node.parent, node.id, "child"] = Edge(node.parent, node.id, "child")
    return Scene(tuple(nodes), tuple(edges.values()))


@settings(max_examples=25)
@given(scenes(), scenes(), st.sampled_from(SIZES))
def test_boxes_never_overlap_and_lines_go_around_them(first, second, size):
    layout = arrange_scene(first, size)
    check(first, layout)
    after = arrange_scene(second, size, layout)
    check(second, after)
    rows = paint_scene(second, after)
    assert len(rows) == after.extent[1]
    assert all(sum(measure_width(text) for text, _ in row) == after.extent[0] for row in rows)


@settings(max_examples=15)
@given(scenes(), st.sampled_from(SIZES))
def test_the_same_scene_gives_the_same_picture(scene, size):
    assert arrange_scene(scene, size) == arrange_scene(scene, size)
    assert arrange_scene(scene, size, arrange_scene(scene, size)) == arrange_scene(scene, size)


@pytest.mark.parametrize("name", sorted(systems.ALL))
@pytest.mark.parametrize("size", SIZES)
def test_systems_lie_well(name, size):
    scene = build_scene(systems.ALL[name]())
    layout = arrange_scene(scene, size)
    check(scene, layout)
    assert len(layout.routes) >= len([e for e in scene.edges if e.kind == "flow"])
    if size in ((80, 24), (120, 36)):
        assert layout.extent == size, "it has to be scrolled"


def test_a_pipeline_reads_from_left_to_right():
    scene = build_scene(systems.pipeline_full())
    rects = arrange_scene(scene, (80, 24)).rects
    line = [rects[i] for i in ("t:8:100:in", "p:12", "o:pipe:[4711]", "p:13", "t:8:101:out")]
    assert all(a.right <= b.x for a, b in pairwise(line))
    assert len({r.middle for r in line}) == 1
    assert rects["p:11"].bottom <= rects["p:12"].y


def test_what_stays_does_not_move_when_others_go():
    m = systems.pipeline_maker(("yes",), ("head", "-1"))
    before = arrange_scene(build_scene(m.state), (80, 24))
    m.add(systems.Exited, pid=13)
    m.add(systems.Reaped, pid=13, by=11)
    scene = build_scene(m.state)
    after = arrange_scene(scene, (80, 24), before)
    assert after.rects["p:11"] == before.rects["p:11"]
    assert after.rects["p:12"] == before.rects["p:12"]
    m.t += 10
    m.add(systems.Exited, pid=12)
    last = arrange_scene(build_scene(m.state), (80, 24), after)
    assert "p:13" not in last.rects
    assert last.rects["p:11"] == before.rects["p:11"]


def test_what_stays_does_not_move_when_others_come():
    m = systems.Maker()
    m.launch(1, "make")
    for pid in (2, 3):
        m.fork(1, pid, f"cc{pid}")
    m.wait(1, "wait4")
    before = arrange_scene(build_scene(m.state), (160, 40))
    m.fork(3, 8, "as")
    m.fork(1, 9, "ld")
    after = arrange_scene(build_scene(m.state), (160, 40), before)
    assert {i: after.rects[i] for i in before.rects} == before.rects
    assert "p:9" in after.rects


def test_amounts_and_words_are_drawn():
    scene = build_scene(systems.pipeline_full())
    text = "\n".join(
        "".join(t for t, _ in row) for row in paint_scene(scene, arrange_scene(scene, (120, 30)))
    )
    assert "62,029/65,536" in text
    assert "full" in text
    assert "█" in text
    assert "write(1) P1 full" in text


def draw(state, size=(80, 14)):
    scene = build_scene(state)
    rows = paint_scene(scene, arrange_scene(scene, size))
    return "\n".join("".join(text for text, _ in row) for row in rows)


def test_each_line_has_its_descriptor_at_the_process():
    text = draw(systems.pipeline_full())
    assert "│3→" not in text
    for end in ("─→3│", "│1─→", "─→0│"):
        assert end in text, text
    connection = draw(systems.client_server(1), (100, 14))
    assert "│3──" in connection
    assert "──4│" in connection


def test_who_has_both_ends_of_a_pipe_is_seen_before_and_after_it_uses_one():
    m = systems.Maker()
    m.launch(5, "sh")
    thing = systems.pipe(77)
    m.open(5, 3, thing, "r")
    m.open(5, 4, thing, "w")
    text = draw(m.state)
    assert "3 r 4 w" in text or "3r4w" in text, text
    assert "→" not in text, "nobody has used it"
    m.move(5, "write", 4, thing, 10)
    text = draw(m.state)
    assert "4─" in text, text
    assert "→" in text, text
    assert "also has 3 r P1" in text, text


def test_a_forgotten_write_end_is_told_in_the_box_of_who_has_it():
    text = draw(systems.forgotten_end())
    child = next(row for row in text.splitlines() if "also" in row)
    assert "also has 4 w P1" in child
    assert child.index("also") > 40, "the child, at the right"
    assert "+--" not in text


@pytest.mark.parametrize("count", range(1, 12))
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 10)])
def test_descriptors_never_hide_an_arrow(count, size):
    m = systems.Maker()
    m.launch(5, "main")
    for number in range(count):
        thing = systems.pipe(100 + number)
        m.open(5, 10 + number, thing, "w")
        m.move(5, "write", 10 + number, thing, 9)
        m.fork(5, 20 + number, f"r{number}")
        m.close(5 if number % 2 else 20 + number, 10 + number)
        m.open(20 + number, 3, thing, "r")
        m.move(20 + number, "read", 3, thing, 9)
    scene = build_scene(m.state, size=size)
    layout = arrange_scene(scene, size)
    text = "\n".join("".join(t for t, _ in row) for row in paint_scene(scene, layout))
    ends = {e.target for e in scene.edges if e.kind == "flow" and e.key in layout.routes}
    assert sum(text.count(arrow) for arrow in "→←↑↓") >= len(ends)


def write_by_turns():
    """Two writers of one pipe, named by their programs: 3,000 bytes, 9,000 and 1,000 again."""
    m = systems.Maker()
    thing = systems.pipe(77)
    m.launch(5, "sh")
    m.pipe(5, 3, 4, thing)
    for pid, name in ((6, "first"), (7, "second"), (8, "reader")):
        m.fork(5, pid, name)
    for pid, fds in ((6, (3,)), (7, (3,)), (8, (4,)), (5, (3, 4))):
        m.close(pid, *fds)
    for pid, count in ((6, 3000), (7, 9000), (6, 1000)):
        m.move(pid, "write", 4, thing, count)
    m.level(thing, 65536 // 2)
    m.wait(5, "wait4")
    return m, thing


def test_a_tube_is_filled_by_whose_bytes_wait_the_next_ones_at_the_readers_end():
    m, thing = write_by_turns()
    text = draw(name_objects(m.state, {}, {}, whole=True), (100, 14))
    filled = re.search("░+([fs]+)─+→3", text)
    assert filled, text
    assert re.fullmatch("f+s{6,}f+", filled[1]), "the write that came first is read first"
    assert "of first 3.9K, second 8.8K" in text
    m.move(8, "read", 3, thing, 3000)
    m.level(thing, 65536 // 2)
    text = draw(name_objects(m.state, {}, {}, whole=True), (100, 14))
    assert re.search("░+f+s+─+→3", text), text


def test_one_writer_needs_no_letter():
    text = draw(systems.pipeline_full())
    assert "██████" in text
    assert "of cat" not in text


@pytest.mark.parametrize(
    ("names", "letters"),
    [
        (("producer", "consumer"), "pc"),
        (("a", "ab", "abc", "aa"), "abcd"),
        (("worker", "worker 2"), "w2"),
        (("w.py 2", "w.py 3", "cat"), "23c"),
        (("[/foo]", "é"), "fa"),
    ],
)
def test_each_writer_has_a_letter_of_its_own(names, letters):
    found = choose_letters(dict(enumerate(names)))
    assert "".join(found.values()) == letters


def send_messages():
    m = systems.Maker()
    queue = ObjectInfo(key="0:1", kind="message queue", path="/tasks", ino=1)
    m.launch(5, "sender")
    m.fork(5, 6, "worker")
    m.open(5, 3, queue, "w")
    m.open(6, 3, queue, "r")
    for priority, data in ((0, b"paint"), (5, b"roof"), (0, b"mow"), (5, b"\x1b[31m")):
        args = {"fd": 3, "count": len(data), "priority": priority}
        m.add(Call, pid=5, tid=5, name="mq_timedsend", args=args, object=queue.key, data=data)
    return m, queue


def test_a_message_queue_shows_its_messages_the_next_to_be_taken_first():
    m, queue = send_messages()
    m.add(Sample, levels=(Level(object=queue.key, queued=4, capacity=10, unit="messages"),))
    text = draw(m.state, (100, 14))
    rows = [row for row in text.splitlines() if "prio" in row]
    assert ["roof" in row for row in rows] == [True, False, False], text
    assert "prio 5 4 B roof" in rows[0]
    assert "prio 5 5 B \\x1b[31m" in rows[1]
    assert "prio 0 5 B paint +1" in rows[2]
    m.add(Call, pid=6, tid=6, name="mq_timedreceive", args={"fd": 3}, object=queue.key, ret=4)
    m.add(Sample, levels=(Level(object=queue.key, queued=3, capacity=10, unit="messages"),))
    text = draw(m.state, (100, 14))
    assert "roof" not in text
    assert "prio 0 3 B mow" in text


def test_to_read_about_a_queue_takes_no_message():
    m, queue = send_messages()
    m.add(Call, pid=6, tid=6, name="read", args={"fd": 3}, object=queue.key, ret=60)
    assert len(m.state.posted[queue.key]) == 4
    assert m.state.objects[queue.key].bytes_out == 0


@pytest.mark.parametrize(
    ("ret", "taken", "data"), [(99, 5, b""), (4, 9, b""), (4, 5, b"door"), (4, 0, b"roof")]
)
def test_messages_that_nobody_saw_being_sent_are_counted_and_not_guessed(ret, taken, data):
    m, queue = send_messages()
    args = {"fd": 3, "taken": taken}
    m.add(
        Call, pid=6, tid=6, name="mq_timedreceive", args=args, object=queue.key, ret=ret, data=data
    )
    assert not m.state.posted[queue.key], "it was there before"
    m.add(Sample, levels=(Level(object=queue.key, queued=4, capacity=10, unit="messages"),))
    assert "prio" not in draw(m.state, (100, 14))
    assert "4 of 10" in draw(m.state, (100, 14))


def test_a_queue_that_holds_something_is_never_drawn_empty():
    m = systems.pipeline_maker(("cat",), ("wc",))
    m.level(systems.pipe(4711), 1)
    scene = build_scene(reduce_all(m.events))
    text = "\n".join(
        "".join(t for t, _ in row) for row in paint_scene(scene, arrange_scene(scene, (80, 24)))
    )
    assert text.count("█") == 1


def crowd(processes, pipes, seed=1):
    """Many processes and pipes between any two of them."""
    pick = random.Random(seed)
    m = systems.Maker(("crowd",))
    m.launch(1000, "crowd")
    for number in range(1, processes):
        parent = 1000 + pick.randrange(number)
        m.fork(parent, 1000 + number, f"w{number % 7}")
    for number in range(pipes):
        thing = systems.pipe(7000 + number)
        a, b = pick.sample(range(1000, 1000 + processes), 2)
        m.open(a, 10 + number, thing, "w")
        m.open(b, 10 + number, thing, "r")
    return m.state


@pytest.mark.parametrize(("processes", "pipes"), [(100, 300), (500, 0), (20, 100), (3, 200)])
@pytest.mark.parametrize("size", SIZES)
def test_however_large_a_system_is_the_work_for_its_picture_is_bounded(processes, pipes, size):
    state, other = crowd(processes, pipes), crowd(processes, pipes, seed=2)
    opened: frozenset[str] = frozenset()
    layout, level = None, 0
    for moment in (state, other, state, other):
        scene = build_scene(moment, size=size, level=level, opened=opened)
        layout, level = arrange_scene(scene, size, layout), scene.level
        assert len(scene.nodes) <= LIMIT
        assert layout.work <= WORK
        check(scene, layout)
        opened |= {str(n.select[1]) for n in scene.nodes if n.kind == "group"}


@settings(max_examples=20)
@given(scenes(), scenes(), st.integers(1, 12), st.integers(4, 20))
def test_folding_keeps_every_process_and_joins_only_what_is_there(first, second, most, room):
    level = 0
    for scene in (first, second, first):
        folded = fold_scene(scene, most=most, room=room, level=level)
        level = folded.level
        ids = {n.id for n in folded.nodes}
        assert len(ids) == len(folded.nodes) <= len(scene.nodes)
        assert all(e.source in ids and e.target in ids for e in folded.edges)
        assert all(n.parent in ids or not n.parent for n in folded.nodes)
        shown = sum(n.kind == "process" for n in folded.nodes)
        grouped = sum(
            int(n.title.strip("+ more").rpartition("x")[2])
            for n in folded.nodes
            if n.letter and n.kind == "group"
        )
        assert shown + grouped <= sum(n.kind == "process" for n in scene.nodes)


def test_what_is_folded_does_not_unfold_and_fold_by_turns():
    levels = set()
    level = 0
    for number in [30, 29, 31, 30, 28, 31]:
        scene = build_scene(crowd(number, 0), size=(60, 10), level=level)
        level = scene.level
        levels.add(level)
    assert len(levels) == 1


def test_a_chain_of_many_stages_stays_a_chain():
    scene = build_scene(systems.pipeline_maker(*[("cat",)] * 12).state, size=(80, 10))
    assert sum(n.kind == "process" for n in scene.nodes) == 13
    assert not [n for n in scene.nodes if n.kind == "group"]


def test_a_make_folds_by_what_its_processes_do():
    m = systems.Maker(("make", "-j16"))
    m.launch(10, "make", "-j16")
    for number in range(16):
        pid, thing = 20 + 4 * number, systems.pipe(100 + number)
        m.fork(10, pid, "sh")
        m.fork(pid, pid + 1, "gcc")
        m.pipe(pid + 1, 3, 4, thing)
        m.fork(pid + 1, pid + 2, "cc1")
        m.close(pid + 2, 3)
        m.fork(pid + 1, pid + 3, "as")
        m.close(pid + 3, 4)
        m.close(pid + 1, 3, 4)
    titles = [n.title for n in build_scene(m.state, size=(80, 10)).nodes]
    assert sorted(titles) == ["as x16", "cc1 x16", "gcc x16", "make", "pipe x16", "sh x16"]


def test_places_that_were_left_by_others_are_given_up_when_the_rest_would_have_to_be_scrolled_to():
    size = (60, 6)
    crowded = arrange_scene(build_scene(systems.client_server(9), most=99), size)
    assert crowded.extent[1] > size[1]
    late = arrange_scene(build_scene(systems.pipeline_full()), size, crowded)
    assert late.extent[1] == size[1]


@pytest.mark.parametrize("cells", range(1, 12))
def test_that_a_level_was_not_read_is_a_whole_word(cells):
    text = amount_text(Gauge(known=False), cells)
    assert text in ("not seen yet", "unseen", "-")
    assert len(text) <= cells
