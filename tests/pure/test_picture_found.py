"""What a finding speaks of, in the picture: boxes, lines, descriptors; also in groups."""

import pytest

from ipcviz.app.picture.draw import paint_scene
from ipcviz.app.picture.found import FOUND
from ipcviz.app.picture.graph import build_scene
from ipcviz.app.picture.inside import tell_ends_inside
from ipcviz.app.picture.layout import arrange_scene
from ipcviz.diagnose import Finding, Party
from ipcviz.model.query import list_holders
from tests import picture_states as systems


def finding(*pids, objects=(), descriptors=()):
    parties = tuple(Party(pid, "a") for pid in pids)
    return Finding("r", True, "s", "m", processes=parties, objects=objects, descriptors=descriptors)


def found(scene):
    return {n.id for n in scene.nodes if n.found}


def test_boxes_lines_and_descriptors_are_marked():
    one = finding(12, objects=("pipe:[4711]",), descriptors=((12, 1),))
    scene = build_scene(systems.pipeline_full(), finding=one)
    assert found(scene) == {"p:12", "o:pipe:[4711]"}
    marked = [(e.source, e.target, e.fds) for e in scene.edges if e.found]
    assert marked == [("p:12", "o:pipe:[4711]", "!1")]
    rows = paint_scene(scene, arrange_scene(scene, (100, 20)))
    lit = " ".join(text for runs in rows for text, style in runs if style == FOUND)
    assert all(mark in lit for mark in ("!1", "!cat", "!P1")), lit


def test_an_end_that_is_only_open_is_marked_before_others_are_left_out():
    state = systems.forgotten_end()
    held = [
        (key, one.pid, one.fd)
        for key, holders in list_holders(state).items()
        for one in holders
        if any(e.kind == "hold" and e.source == f"p:{one.pid}" for e in build_scene(state).edges)
    ]
    key, pid, fd = next(one for one in held if one[0].startswith("pipe"))
    scene = build_scene(state, finding=finding(pid, objects=(key,), descriptors=((pid, fd),)))
    text = "\n".join(
        "".join(part for part, _ in runs)
        for runs in paint_scene(scene, arrange_scene(scene, (80, 24)))
    )
    assert f"!{fd}" in text


def test_the_object_behind_a_descriptor_is_marked_where_no_other_is_named():
    scene = build_scene(systems.pipeline_full(), finding=finding(12, descriptors=((12, 1),)))
    assert "o:pipe:[4711]" in found(scene)


@pytest.mark.parametrize("size", [(80, 12), (24, 8), (10, 3)])
def test_a_group_is_marked_for_one_that_is_in_it(size):
    state = systems.tree()
    pid = max(state.processes)
    scene = build_scene(state, size=size, finding=finding(pid))
    assert f"p:{pid}" not in {n.id for n in scene.nodes}
    assert [n.kind for n in scene.nodes if n.found] == ["group"]
    paint_scene(scene, arrange_scene(scene, size))


def test_what_has_no_place_is_no_trouble():
    scene = build_scene(systems.ended(), finding=finding(99, objects=("gone",)))
    assert found(scene) == set()


def test_a_file_that_is_told_in_a_box_is_marked_there():
    scene = build_scene(systems.pipeline_full(), finding=finding(13, objects=("8:101",)))
    told = tell_ends_inside(scene)
    (end,) = next(n for n in told.nodes if n.id == "p:13").ends
    assert end.text.startswith("!1→FILE.gz")
    rows = paint_scene(told, arrange_scene(told, (100, 20)))
    lit = " ".join(text for runs in rows for text, style in runs if style == FOUND)
    assert "!1→FILE.gz" in lit
