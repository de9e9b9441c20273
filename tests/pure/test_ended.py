"""What is left when all has ended: the system as it last was, and one sentence about the run."""

import pytest
from msgspec.structs import replace

from ipcviz.app.picture.draw import paint_scene
from ipcviz.app.picture.graph import build_scene
from ipcviz.app.picture.layout import arrange_scene
from ipcviz.events import (
    Exited,
    Forked,
    Mapped,
    ObjectInfo,
    Reaped,
    SemaphoreInfo,
    SemaphoreOp,
    Sent,
)
from ipcviz.model.forgetting import EVERY, KEPT
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import State
from ipcviz.narrate.summary import summarize_run
from ipcviz.narrate.words import bytes_text
from tests import fakes

PIPE = "o:pipe:[4711]"
OWN = SemaphoreInfo(key="sem:vm:41:4096", kind="unnamed", offset=4096)


def ended():
    return reduce_all(fakes.pipeline())


def draw(state, size=(80, 14)):
    scene = build_scene(state, size=size)
    rows = paint_scene(scene, arrange_scene(scene, size))
    return "\n".join("".join(text for text, _ in row) for row in rows)


def test_the_system_stays_as_it_last_was_and_faded():
    state = ended()
    scene = build_scene(replace(state, t=state.t + 1000))
    assert {n.title for n in scene.nodes if n.kind == "process"} >= {"cat", "gzip"}
    assert all(n.faded and not n.lit for n in scene.nodes)
    flows = {(e.source, e.target) for e in scene.edges if e.kind == "flow"}
    assert {("p:12", PIPE), (PIPE, "p:13")} <= flows
    assert all(e.faded for e in scene.edges)
    pipe = next(n for n in scene.nodes if n.id == PIPE)
    assert pipe.lines[0].text.endswith("went through")
    assert pipe.lines[0].short in draw(state)
    assert "full" not in draw(state)


def test_while_one_lives_nothing_is_a_ghost():
    state = reduce_all(fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow()]))
    assert not any(n.ended for n in build_scene(state).nodes)
    assert summarize_run(state) == ""
    assert not any(n.ended for n in build_scene(State()).nodes)


def mapped(t, pid, number, prot):
    thing = ObjectInfo(key=f"8:{number}", kind="file", path=f"/{number}", ino=number)
    effect = Mapped(start=number << 12, length=4096, object=thing, prot=prot, shared=True)
    return fakes.call(t, pid, "mmap", effect)


def test_what_was_mapped_for_writing_stays_joined_and_a_library_does_not():
    events = [
        Forked(t=0.0, pid=41, parent=1, how="launched", name="a"),
        mapped(0.1, 41, 200, "rw-"),
        mapped(0.1, 41, 201, "r--"),
        Forked(t=0.2, pid=42, parent=41, by=41),
        Exited(t=0.3, pid=42, code=0),
        Reaped(t=0.3, pid=42),
        Exited(t=0.4, pid=41, code=0),
        Reaped(t=0.4, pid=41),
    ]
    scene = build_scene(reduce_all(fakes.numbered(events)))
    assert "o:8:201" not in {n.id for n in scene.nodes}
    ends = {i for e in scene.edges if e.kind == "flow" for i in (e.source, e.target)}
    assert ends == {"o:8:200", "p:41", "p:42"}


def killed():
    return reduce_all(
        fakes.numbered(
            [
                Forked(t=0.0, pid=41, parent=1, how="launched", name="a"),
                Forked(t=0.1, pid=42, parent=41, by=41),
                fakes.call(0.2, 41, "kill", Sent(target=42, signo=15)),
                Exited(t=0.3, pid=42, signo=15),
                Reaped(t=0.3, pid=42),
                Exited(t=0.5, pid=41, code=3),
            ]
        )
    )


def test_signals_are_counted_between_who_sent_and_who_got_them():
    scene = build_scene(killed())
    found = {n.id: [line.text for line in n.lines] for n in scene.nodes}
    assert found["s:signal:42:15:41"] == ["sent once", "ended it"]
    edges = {(e.source, e.target) for e in scene.edges if e.kind == "signal"}
    assert edges == {("p:41", "s:signal:42:15:41"), ("s:signal:42:15:41", "p:42")}


def test_one_sentence_sums_a_run_up():
    assert summarize_run(killed()) == (
        "In 0.50 s 1 signal was sent and delivered; a[41] exited with status 3 and a[42] was ended"
        " by SIGTERM."
    )
    text = summarize_run(ended())
    assert "went through 1 pipe" in text
    assert text.endswith("all 3 processes exited with status 0.")
    alone = [
        Forked(t=0.0, pid=41, parent=1, how="launched", name="a"),
        # An interpreter's own lock.
        SemaphoreOp(pid=41, tid=41, op="post", semaphore=OWN, value=0),
        Exited(t=0.25, pid=41, code=0),
    ]
    assert summarize_run(reduce_all(fakes.numbered(alone))) == (
        "In 0.25 s nothing was passed from one process to another; a[41] exited with status 0."
    )


def test_what_is_known_of_who_used_what_does_not_grow_for_ever():
    events = []
    for pid in range(100, 100 + KEPT + 3 * EVERY):
        events += [
            Forked(t=pid, pid=pid, parent=1, name="a"),
            mapped(pid, pid, pid, "rw-"),
            Exited(t=pid, pid=pid, code=0),
            Reaped(t=pid, pid=pid),
        ]
    assert len(reduce_all(fakes.numbered(events)).traffic) <= KEPT + EVERY


def test_what_was_over_long_before_is_left_out_unless_it_had_to_do_with_the_last():
    def one(start, end, pid, *calls):
        return [
            Forked(t=start, pid=pid, parent=11, by=11, name=f"p{pid}"),
            *calls,
            Exited(t=end, pid=pid, code=0),
            Reaped(t=end, pid=pid),
        ]

    events = [
        Forked(t=0.0, pid=11, parent=1, how="launched", name="sh"),
        *one(0.1, 0.2, 12),
        *one(0.3, 0.4, 13, mapped(0.35, 13, 200, "rw-")),
        *one(60.0, 61.0, 14, mapped(60.5, 14, 200, "rw-")),
        Exited(t=62.0, pid=11, code=0),
    ]
    scene = build_scene(reduce_all(fakes.numbered(events)))
    found = {n.id for n in scene.nodes if n.kind == "process"}
    # A mapped file is no channel: who had it mapped long ago is not part of what was last.
    assert found == {"p:11", "p:14"}


@pytest.mark.parametrize(("exact", "words"), [(True, " s "), (False, " s at least ")])
def test_an_amount_of_which_not_all_was_seen_is_a_lower_bound(exact, words):
    state = ended()
    pipe = state.objects["pipe:[4711]"]
    pipe = replace(pipe, exact=exact, written=0, bytes_out=pipe.bytes_in)
    text = summarize_run(replace(state, objects=state.objects.set(pipe.info.key, pipe)))
    before, _, _ = text.partition(" went through")
    assert f"{words}{bytes_text(pipe.bytes_in)}" in before
