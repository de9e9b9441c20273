"""Many processes on a small screen: what folds, what goes on in the next row, and what is still
said.
"""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcviz.app.picture.bands import find_pipelines
from ipcviz.app.picture.draw import paint_scene
from ipcviz.app.picture.folding import _build_group_node, fold_scene
from ipcviz.app.picture.graph import build_scene
from ipcviz.app.picture.layout import arrange_scene
from ipcviz.app.picture.scene import Node, NodeLine, Scene
from tests import picture_states as systems

CLASS = (80, 13)
"""What the picture has of 80x24 with many processes."""
BESIDE = (60, 19)
"""What it has of 120x36 beside the panels."""


def text(scene, layout):
    return "\n".join("".join(t for t, _ in row) for row in paint_scene(scene, layout))


def pipeline(stages, names=("cat", "sort", "base64")):
    return systems.pipeline_maker(*[(names[i % len(names)],) for i in range(stages)])


def blocked(stages):
    """Every other stage can't write, the ones between have nothing to read."""
    m = pipeline(stages)
    for number in range(stages - 1):
        thing = systems.pipe(4711 + number)
        m.level(thing, 65536 if number % 2 == 0 else 0, writable=number % 2 == 1)
        if number % 2 == 0:
            m.wait(12 + number, "write", 1, thing.key)
    return m


def server(clients):
    """A server and its clients, all of one name and parent, each with a connection of its own."""
    m = systems.Maker(("sh",))
    m.launch(30, "sh")
    m.fork(30, 31, "python3")
    listening = systems.ObjectInfo(
        key="socket:[500]", kind="unix socket", path="/tmp/door", ino=500, detail="stream listening"
    )
    m.open(31, 3, listening, "rw")
    for number in range(clients):
        here, there = f"socket:[{600 + 2 * number}]", f"socket:[{601 + 2 * number}]"
        own = {"kind": "unix socket", "detail": "stream", "capacity": 212992}
        m.fork(30, 40 + number, "python3")
        m.open(
            40 + number,
            3,
            systems.ObjectInfo(key=here, ino=600 + 2 * number, peer=there, **own),
            "rw",
        )
        far = systems.ObjectInfo(
            key=there, path="/tmp/door", ino=601 + 2 * number, peer=here, **own
        )
        m.open(31, 4 + number, far, "rw")
    m.wait(30, "wait4")
    return m.state


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 30), st.sampled_from([CLASS, (80, 9), BESIDE, (120, 36), (40, 8)]))
def test_a_long_pipeline_goes_on_in_the_next_row_and_reads_like_a_text(stages, size):
    scene = build_scene(pipeline(stages).state, size=size)
    layout = arrange_scene(scene, size)
    order = sorted(
        (f"p:{12 + i}" for i in range(stages)), key=lambda i: (layout.rects[i].y, layout.rects[i].x)
    )
    assert order == [f"p:{12 + i}" for i in range(stages)]
    assert layout.extent[0] == size[0], "it has to be scrolled to the side"
    assert all(e.key in layout.routes for e in scene.edges if e.kind == "flow")
    assert all(e.key in layout.routes or e.key in layout.untold for e in scene.edges)


@pytest.mark.parametrize(
    ("stages", "size"), [(5, (80, 9)), (8, CLASS), (12, CLASS), (8, BESIDE), (12, BESIDE)]
)
def test_all_of_a_pipeline_is_seen_and_who_is_blocked_on_what(stages, size):
    scene = build_scene(blocked(stages).state, size=size)
    layout = arrange_scene(scene, size)
    assert layout.extent == size
    assert min(layout.rects[f"p:{12 + i}"].h for i in range(stages)) >= 3, (
        "a stage is folded to a line"
    )
    shown = text(scene, layout)
    for number in range(0, stages - 1, 2):
        assert f"P{number + 1} full" in shown or f"write(1) P{number + 1}" in shown
    for number in range(stages - 1):
        assert f"P{number + 1} " in shown
    assert all(name in shown for name in ("cat", "sort", "base64"))


def test_the_lines_from_a_shell_to_the_later_rows_are_left_out_on_purpose():
    scene = build_scene(pipeline(8).state, size=CLASS)
    layout = arrange_scene(scene, CLASS)
    first = {i for i in layout.rects if layout.rects[i].y == layout.rects["p:12"].y}
    assert layout.untold == {
        ("p:11", f"p:{n}", "child") for n in range(12, 20) if f"p:{n}" not in first
    }


def test_a_chain_is_what_no_other_process_hangs_on():
    m = pipeline(5)
    assert len(find_pipelines(build_scene(m.state))) == 1
    log = systems.plain(900, "/tmp/log")
    m.open(14, 9, log, "w")
    m.move(14, "write", 9, log, 10)
    assert len(find_pipelines(build_scene(m.state))) == 1
    m.fork(14, 30, "helper")
    m.move(30, "write", 1, systems.pipe(4713), 10)
    assert not find_pipelines(build_scene(m.state))
    assert not find_pipelines(build_scene(systems.fan()))
    assert not find_pipelines(build_scene(systems.ring()))


@settings(max_examples=12, deadline=None)
@given(st.integers(4, 14), st.data())
def test_files_beside_a_pipeline_and_a_second_writer_do_not_make_it_wide(stages, data):
    m = pipeline(stages)
    for number in data.draw(st.sets(st.integers(0, stages - 1), max_size=3)):
        log = systems.plain(900 + number, f"/tmp/log{number}")
        m.open(12 + number, 9, log, "w")
        m.move(12 + number, "write", 9, log, 10)
    if data.draw(st.booleans()):
        helped = data.draw(st.integers(0, stages - 2))
        m.fork(12 + helped, 40, "helper")
        m.move(40, "write", 1, systems.pipe(4711 + helped), 10)
    scene = build_scene(m.state, size=CLASS)
    layout = arrange_scene(scene, CLASS)
    assert layout.extent[0] == CLASS[0]
    assert sum(e.kind == "flow" and e.key not in layout.routes for e in scene.edges) <= 1
    for one, other in combinations(layout.rects.values(), 2):
        assert not one.overlaps(other)


def test_who_only_waits_above_others_folds_to_a_line_before_any_stage_does():
    scene = build_scene(systems.pipeline_full(), size=(80, 9))
    rects = arrange_scene(scene, (80, 9)).rects
    assert rects["p:11"].h == 1
    assert rects["p:12"].h == rects["p:13"].h == 5


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 14), st.data())
def test_nothing_moves_because_of_who_is_blocked_or_how_full_it_is(stages, data):
    m = pipeline(stages)
    before = arrange_scene(build_scene(m.state, size=CLASS), CLASS)
    for number in range(stages - 1):
        thing = systems.pipe(4711 + number)
        m.level(thing, data.draw(st.integers(0, 65536)), writable=data.draw(st.booleans()))
        if data.draw(st.booleans()):
            m.wait(12 + number, "write", 1, thing.key)
    after = arrange_scene(build_scene(m.state, size=CLASS), CLASS)
    assert (after.rects, after.routes) == (before.rects, before.routes)


@pytest.mark.parametrize("clients", [3, 6, 10])
@pytest.mark.parametrize("size", [CLASS, BESIDE])
def test_every_client_of_a_star_has_its_row_with_both_directions(clients, size):
    scene = build_scene(server(clients), size=size)
    layout = arrange_scene(scene, size)
    assert layout.extent == size
    shown = text(scene, layout)
    assert all(e.key in layout.routes for e in scene.edges), "lines are left out"
    for number in range(clients):
        rect = layout.rects[f"p:{40 + number}"]
        assert "python3" in shown.splitlines()[rect.y]
        assert "░" in shown.splitlines()[rect.middle]
    assert shown.count("←░") >= clients


def test_a_server_is_not_grouped_with_its_clients():
    scene = build_scene(server(28), size=CLASS)
    titles = {n.id: n.title for n in scene.nodes}
    assert titles["p:31"] == "python3"
    group = next(i for i, title in titles.items() if title == "python3 x28")
    sockets = next(i for i, title in titles.items() if title == "socket x28")
    assert {(e.source, e.target) for e in scene.edges if e.kind == "flow"} >= {
        (group, sockets),
        (sockets, "p:31"),
    }


def test_another_size_folds_anew():
    state = server(10)
    assert any(n.kind == "group" for n in build_scene(state, size=(80, 9)).nodes)
    assert not any(n.kind == "group" for n in build_scene(state, size=CLASS).nodes)


def test_who_is_blocked_stands_out_of_a_group_by_name():
    members = [
        Node(
            id=f"p:{n}",
            kind="process",
            title="renderer",
            label=f"renderer {n}",
            letter="B" if n == 3 else "S",
            chip="blocked" if n == 3 else "asleep",
            lines=(NodeLine("read(0) S2 empty" if n == 3 else "futex: waits"),),
            parent="p:1",
            tree=True,
            select=("process", n),
        )
        for n in range(2, 32)
    ]
    top = Node(id="p:1", kind="process", title="browser", letter="S", select=("process", 1))
    scene = fold_scene(Scene((top, *members)))
    group = next(n for n in scene.nodes if n.kind == "group")
    assert group.title == "renderer x30"
    assert group.lines[1] == NodeLine(
        "renderer 3: read(0) S2 empty", "strong", short="renderer 3 blocked"
    )


def make_parts(*labels):
    return [
        Node(
            id=f"p:{n}", kind="process", title="python", letter="R", parent="p:0", label=label,
            lines=(NodeLine("running", "text"),), order=(n, n),
        )
        for n, label in enumerate(labels, 1)
    ]  # fmt: skip


def test_a_group_is_called_by_the_role_of_all_its_members():
    def name(*labels):
        return _build_group_node("g", make_parts(*labels), [], {}).title

    assert name("worker", "worker") == "worker x2"
    assert name("", "") == "python x2"
    assert name("python", "python 2") == "python x2"


@pytest.mark.parametrize("most", range(1, 15))
@pytest.mark.parametrize("level", range(7))
def test_those_with_different_roles_are_not_folded_together(level, most):
    """The same program plays both, among many others of it."""
    parts = make_parts("sender", "receiver", *(f"python {n}" for n in range(40)))
    folded = fold_scene(Scene(tuple(parts)), most=most, room=14, level=level)
    assert {"sender", "receiver"} <= {n.label for n in folded.nodes if n.kind == "process"}
    assert len(folded.nodes) < 15
