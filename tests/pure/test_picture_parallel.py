"""Objects that run side by side between the same processes: a list where there is no room for a box
of each.
"""

from ipcviz.app.changes import RecentChanges
from ipcviz.app.picture.draw import paint_scene
from ipcviz.app.picture.graph import build_scene
from ipcviz.app.picture.layout import arrange_scene
from ipcviz.events import ObjectInfo, Sample
from ipcviz.model.parts import ObjectPart
from ipcviz.model.reduce import reduce, reduce_all
from tests import picture_states as systems

CLASS = (79, 12)
"""What the picture has of 80x24 in step mode."""


KINDS = ("pipe", "fifo", "message queue", "eventfd", "timerfd")


def thing(number: int) -> ObjectInfo:
    """One of several objects, each of another kind than the one before."""
    kind = KINDS[number % len(KINDS)]
    path = f"/tmp/{kind.split()[0]}{number}"
    return ObjectInfo(key=f"9:{number}", kind=kind, path=path, ino=number, capacity=65536)


def exchange(count: int, *, used: int = 0) -> systems.Maker:
    """A sender and a receiver, and so many objects between them, of which the first were used."""
    m = systems.Maker(("sh",))
    m.launch(10, "sh")
    m.fork(10, 11, "sender")
    m.fork(10, 12, "receiver")
    for number in range(count):
        m.open(11, 20 + number, thing(number), "w")
        m.open(12, 40 + number, thing(number), "r")
    for number in range(used):
        m.move(11, "write", 20 + number, thing(number), 64)
        m.move(12, "read", 40 + number, thing(number), 64)
    return m


def show(state, size=CLASS, **kw):
    scene = build_scene(state, size=size, **kw)
    layout = arrange_scene(scene, size)
    return scene, layout, ["".join(t for t, _ in row) for row in paint_scene(scene, layout)]


def find_list(scene):
    return next((n for n in scene.nodes if n.kind == "list"), None)


def test_what_has_room_for_boxes_has_them():
    for count, size in ((3, CLASS), (4, (79, 16))):
        assert find_list(show(exchange(count, used=count).state, size)[0]) is None


def test_objects_between_two_processes_are_one_list_with_a_row_each():
    m = exchange(5, used=5)
    m.level(thing(1), 300)
    scene, layout, rows = show(m.state)
    found = find_list(scene)
    assert [n for n in scene.nodes if n.kind != "process"] == [found]
    assert found.title == "5 objects"
    assert {(e.source, e.target) for e in scene.edges if e.kind == "flow"} == {
        ("p:11", found.id),
        (found.id, "p:12"),
    }
    assert layout.extent == CLASS
    assert any("21 fifo1   300 B 41" in row for row in rows), "\n".join(rows)


def test_a_list_has_its_size_whatever_is_in_it():
    sizes = set()
    for queued in (0, 64, 65536):
        m = exchange(5, used=5)
        m.level(thing(1), queued)
        node = find_list(build_scene(m.state, size=CLASS))
        sizes.add((node.id, node.rows, node.cells))
    assert len(sizes) == 1


def test_what_changed_has_its_mark_and_a_full_pipe_is_strong():
    m = exchange(5, used=5)
    m.level(thing(0), 65536, writable=False)
    m.wait(11, "write", 20, thing(0).key)
    scene, _, rows = show(m.state, lit=frozenset({ObjectPart(thing(1).key)}))
    lines = find_list(scene).lines
    assert [line.text[0] for line in lines] == [" ", "*", " ", " ", " "]
    assert [line.style for line in lines] == ["strong", "text", "text", "text", "text"]
    assert any("64K" in row for row in rows)


def test_alike_objects_share_a_row_where_there_are_more_than_rows():
    m = exchange(20, used=20)
    scene, _, rows = show(m.state)
    found = find_list(scene)
    assert found.rows == len(KINDS)
    assert "pipe x4" in "\n".join(rows)
    assert find_list(show(m.state, (79, 24))[0]).rows == 20
    assert find_list(show(m.state, opened=frozenset({found.id}))[0]) is None


def test_a_third_who_has_an_object_open_keeps_it_out_of_the_list():
    m = exchange(6, used=6)
    m.open(10, 9, thing(0), "r")
    scene = build_scene(m.state, size=CLASS)
    assert find_list(scene).title == "5 objects"
    assert any(n.kind == "pipe" for n in scene.nodes)


def test_bytes_that_came_and_went_in_one_step_leave_their_pipe_marked():
    m = exchange(1)
    m.level(thing(0), 0)
    state = reduce_all(m.events)
    changes, count = RecentChanges(), len(m.events)
    m.move(11, "write", 20, thing(0), 64)
    m.move(12, "read", 40, thing(0), 64)
    m.level(thing(0), 0)
    for event in m.events[count:]:
        after = reduce(state, event)
        changes.add(event, state, after)
        state = after
    assert isinstance(m.events[-1], Sample)
    assert ObjectPart(thing(0).key) in changes.lit


def test_who_is_left_alone_with_its_objects_has_them_in_a_list():
    m = exchange(8, used=8)
    m.add(systems.Exited, pid=12)
    m.add(systems.Reaped, pid=12, by=10)
    m.t += 10
    m.wait(11, "read", 20)
    scene, layout, _ = show(m.state)
    assert find_list(scene) is not None
    assert layout.extent == CLASS


def test_who_has_ended_takes_no_object_out_of_the_list_while_its_box_is_still_shown():
    m = exchange(8, used=5)
    m.add(systems.Exited, pid=12)
    m.add(systems.Reaped, pid=12, by=10)
    scene, layout, _ = show(m.state)
    assert "p:12" in {n.id for n in scene.nodes}, "it is shown for a moment"
    assert find_list(scene).title == "8 objects"
    assert layout.extent == CLASS


def test_a_list_leaves_the_rows_of_what_one_of_both_has_alone_and_hides_nobody():
    m = exchange(9, used=9)
    own = thing(91)
    m.open(11, 60, own, "w")
    m.move(11, "write", 60, own, 64)
    scene, layout, rows = show(m.state)
    assert {f"o:{own.key}", find_list(scene).id} <= {n.id for n in scene.nodes}
    assert layout.extent == CLASS, "\n".join(rows)
    assert find_list(show(m.state, (79, 18))[0]).rows == 9
