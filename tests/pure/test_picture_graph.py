"""What of a state gets into the picture."""

import struct

import msgspec
import pytest

from ipcviz.app.naming import name_objects
from ipcviz.app.picture.graph import KEPT, build_scene
from ipcviz.app.picture.layout import arrange_scene
from ipcviz.events import (
    Accessed,
    Call,
    EpollEntry,
    Exited,
    Forked,
    Held,
    Level,
    MapEntry,
    Maps,
    MemorySample,
    Message,
    Notifier,
    ObjectInfo,
    Opened,
    Poised,
    Reaped,
    Sample,
    Uses,
    VariableFound,
    VariableInfo,
)
from ipcviz.model.layouts import Field
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import INPUTS, State
from tests import picture_states as systems


def nodes(state, **kw):
    return {n.id: n for n in build_scene(state, **kw).nodes}


def flows(state, **kw):
    return {(e.source, e.target) for e in build_scene(state, **kw).edges if e.kind == "flow"}


def test_a_pipeline_flows_from_file_to_file():
    state = systems.pipeline_full()
    assert flows(state) == {
        ("t:8:100:in", "p:12"),
        ("p:12", "o:pipe:[4711]"),
        ("o:pipe:[4711]", "p:13"),
        ("p:13", "t:8:101:out"),
    }
    found = nodes(state)
    assert found["p:12"].letter == "B"
    assert found["p:12"].lines[0].text == "write(1) P1 full"
    assert found["p:11"].tree
    assert not found["p:12"].tree


def test_full_is_what_blocks_a_writer_and_not_what_equals_the_capacity():
    gauge = nodes(systems.pipeline_full())["o:pipe:[4711]"].gauges[0]
    assert gauge.queued == 62029 < gauge.capacity
    assert gauge.full
    m = systems.pipeline_maker(("cat",), ("wc",))
    m.level(systems.pipe(4711), 65536, writable=True)
    assert not nodes(m.state)["o:pipe:[4711]"].gauges[0].full


def test_a_pipe_that_was_never_looked_at_says_so():
    assert not nodes(systems.ring())["o:pipe:[800]"].gauges[0].known


def test_the_last_stage_writes_to_the_terminal():
    assert ("p:14", "t:88:3:out") in flows(systems.pipeline_three())
    assert ("p:12", "t:88:3:out") not in flows(systems.pipeline_three())


def test_a_forgotten_write_end_is_no_flow():
    edges = {(e.source, e.target, e.kind) for e in build_scene(systems.forgotten_end()).edges}
    assert ("p:71", "o:pipe:[4711]", "hold") in edges
    assert ("o:pipe:[4711]", "p:71", "flow") in edges


def test_a_socket_pair_is_one_tube_with_two_gauges_client_first():
    state = systems.client_server(1)
    tube = nodes(state)["o:socket:[600]"]
    assert [g.backwards for g in tube.gauges] == [False, True]
    assert [g.queued for g in tube.gauges] == [52000, 0]
    assert {("p:40", tube.id), (tube.id, "p:50")} <= flows(state)
    assert "o:socket:[601]" not in nodes(state)


def test_semaphores_stand_in_the_memory_that_holds_them_with_their_waiters():
    block = nodes(systems.mmap_queue())["o:8:300"]
    assert [line.text for line in block.lines] == [
        "M1 0  held by 31",
        "M2 3",
        "M3 0",
        "  ← 32 waits",
    ]
    assert block.kind == "memory"


def test_pending_signals_and_timers_point_at_their_process():
    edges = {
        (e.source, e.target) for e in build_scene(systems.sleep_race()).edges if e.kind == "signal"
    }
    assert edges == {("s:timer:41:14", "p:41"), ("s:signal:41:2", "p:41")}


def test_the_dead_are_marked_then_leave():
    state = systems.ended()
    found = nodes(state)
    assert found["p:12"].letter == "Z"
    assert found["p:12"].lines[0].text == "zombie, killed by SIGPIPE"
    assert found["p:13"].faded
    later = msgspec.structs.replace(state, t=state.t + KEPT)
    assert "p:13" not in nodes(later)
    assert "p:12" in nodes(later)


def test_alike_processes_fold_and_open():
    found = nodes(systems.tree())
    groups = [n for n in found.values() if n.kind == "group"]
    assert [n.title for n in groups] == ["cc1 x9"] * 6
    assert len({n.id for n in groups}) == 6
    opened = nodes(systems.tree(), opened=frozenset({groups[0].id}))
    assert len(opened) == len(found) - 1 + 9


def test_workers_of_one_pipe_fold_into_one_writer():
    found = flows(systems.fan(48))
    assert len(found) == 2
    assert any(source.startswith("g:") for source, _ in found)


def test_an_opened_group_goes_on_with_its_other_edges():
    scene = build_scene(systems.tree())
    ids = {n.id for n in scene.nodes}
    assert all(e.source in ids and e.target in ids for e in scene.edges)


def test_roles_and_hostile_names_are_plain_text():
    state = reduce_all(
        [Forked(t=0, pid=5, parent=1, how="launched", name="[/foo]\x1b[31m", argv=("x", "[pid]\n"))]
    )
    node = nodes(name_objects(state, {}, {5: "[red]\x1b"}))["p:5"]
    assert node.title == "[/foo]\\x1b[31m"
    assert node.heading == "[red]\\x1b"
    assert all(line.text.isprintable() for line in node.lines)


@pytest.mark.parametrize("name", sorted(systems.ALL))
def test_every_prefix_of_every_system_makes_a_sound_scene(name, monkeypatch):
    seen = []
    monkeypatch.setattr(
        systems, "reduce_all", lambda events: seen.extend(events) or reduce_all(events)
    )
    systems.ALL[name]()
    for stop in range(0, len(seen), 7):
        scene = build_scene(reduce_all(seen[:stop]))
        ids = [n.id for n in scene.nodes]
        assert len(ids) == len(set(ids))
        assert all(e.source in ids and e.target in ids for e in scene.edges)


def test_nothing_makes_an_empty_scene():
    assert build_scene(State()).nodes == ()
    gone = reduce_all(
        [
            Forked(t=0, pid=5, parent=1, how="launched"),
            Exited(t=1, pid=5),
            Reaped(t=1, pid=5),
            Forked(t=9, pid=6, parent=1),
        ]
    )
    assert [n.id for n in build_scene(gone).nodes] == ["p:6"]


def test_what_was_open_before_the_session_and_is_unused_is_not_drawn():
    m = systems.Maker()
    m.launch(5, "sh")
    stray = systems.pipe(99)
    m.add(
        systems.Table,
        pid=5,
        entries=(systems.TableEntry(fd=251, ofd=7, object=stray, mode="w"),),
        reason="launched",
    )
    assert "o:pipe:[99]" not in nodes(m.state)
    m.move(5, "write", 251, stray, 10)
    assert ("p:5", "o:pipe:[99]") in flows(m.state)


def test_locks_of_a_run_time_in_private_memory_are_drawn_only_while_somebody_waits():
    m = systems.Maker()
    m.launch(5, "python3")
    own = systems.SemaphoreInfo(key="sem:vm:5:4096", kind="unnamed", offset=4096)
    m.add(systems.SemaphoreOp, pid=5, tid=5, op="post", semaphore=own, value=0)
    assert "m:sem:vm:5:4096" not in nodes(m.state)
    m.add(systems.SemaphoreOp, pid=5, tid=5, op="wait", semaphore=own, value=0)
    assert "m:sem:vm:5:4096" in nodes(m.state)


def test_a_short_lived_process_leaves_sooner_than_a_long_lived_one():
    m = systems.Maker()
    m.launch(5, "sh")
    m.fork(5, 6, "ls")
    m.add(systems.Exited, pid=6)
    m.add(systems.Reaped, pid=6, by=5)
    assert "p:6" in nodes(m.state)
    assert "p:6" not in nodes(msgspec.structs.replace(m.state, t=m.state.t + 0.5))


def test_in_step_mode_who_has_communicated_with_nobody_leaves_with_the_step_after_the_next():
    """Hardly any time passes in steps that follow a schedule, and helpers take the room of those
    that the steps are about.
    """
    m = systems.Maker()
    m.launch(5, "sh")
    thing = systems.pipe(4711)
    m.pipe(5, 3, 4, thing)
    m.fork(5, 6, "mkfifo")
    m.fork(5, 7, "cat")
    m.move(7, "write", 4, thing, 10)
    m.add(Held)
    for pid in (6, 7):
        m.add(systems.Exited, pid=pid)
        m.add(systems.Reaped, pid=pid, by=5)
    soon = msgspec.structs.replace(m.state, step=m.state.step + 1)
    later = msgspec.structs.replace(m.state, step=m.state.step + 2)
    assert {"p:6", "p:7"} <= nodes(m.state).keys()
    assert {"p:6", "p:7"} <= nodes(soon).keys()
    assert "p:6" not in nodes(later)
    assert "p:7" in nodes(later), "what it wrote is still in the pipe"
    assert "p:6" in nodes(msgspec.structs.replace(later, stepping=False)), "a live run has time"


def test_what_went_in_is_at_least_what_came_out_and_what_waits():
    thing = systems.pipe(4711)
    m = systems.pipeline_maker(("cat",), ("gzip",))
    m.move(13, "read", 0, thing, 4096)
    m.level(thing, 65536, writable=False)
    m.wait(12, "write", 1, thing.key)  # its 128 KiB are counted when it returns
    tube = nodes(m.state)["o:pipe:[4711]"]
    assert tube.lines[0].text == "in >=68K, out 4K"
    m.move(13, "read", 0, thing, 65536)  # what waited was read, so it must not be added again
    assert nodes(m.state)["o:pipe:[4711]"].lines[0].text == "in >=68K, out 68K"
    m.move(12, "write", 1, thing, 131072)
    assert nodes(m.state)["o:pipe:[4711]"].lines[0].text == "in 128K, out 68K"


def test_a_pipe_whose_ends_are_all_gone_fades_with_who_used_it():
    thing = systems.pipe(4711)
    m = systems.pipeline_maker(("cat",), ("gzip",))
    m.t += 2
    m.move(12, "write", 1, thing, 100)
    m.move(13, "read", 0, thing, 100)
    before = arrange_scene(build_scene(m.state), (80, 24))
    for pid in (12, 13):
        m.add(Exited, pid=pid)
        m.add(Reaped, pid=pid, by=11)
    scene = build_scene(m.state)
    tube = {n.id: n for n in scene.nodes}["o:pipe:[4711]"]
    assert tube.faded
    assert not [e for e in scene.edges if e.kind == "flow" and tube.id in (e.source, e.target)]
    after = arrange_scene(scene, (80, 24), before)
    assert {i: after.rects[i] for i in ("p:12", tube.id, "p:13")} == {
        i: before.rects[i] for i in ("p:12", tube.id, "p:13")
    }
    assert tube.id not in nodes(msgspec.structs.replace(m.state, t=m.state.t + KEPT))


def test_a_pipe_that_was_closed_by_the_living_just_goes():
    thing = systems.pipe(4711)
    m = systems.pipeline_maker(("cat",), ("gzip",))
    m.move(12, "write", 1, thing, 100)
    m.close(12, 1)
    m.close(13, 0)
    assert "o:pipe:[4711]" not in nodes(m.state)


def test_waiters_have_the_names_of_their_roles_and_a_short_form():
    block = nodes(name_objects(systems.mmap_queue(), {}, {32: "consumer"}))["o:8:300"]
    assert block.lines[3].text == "  ← consumer waits"
    assert block.lines[3].short == "  ← consumer"


def two_with_a_semaphore(initial):
    """Two processes, and a semaphore in memory that both have mapped."""
    m = systems.Maker()
    m.launch(5, "a")
    m.fork(5, 6, "b")
    own = systems.SemaphoreInfo(key="sem:8:9:0", kind="unnamed", object="8:9", offset=0)
    mapped = MapEntry(object=systems.plain(9, "/tmp/q"), start=4096, length=4096, prot="rw-")
    for pid in (5, 6):
        m.add(Maps, pid=pid, entries=(mapped,))
    m.add(systems.SemaphoreOp, pid=5, tid=5, op="init", semaphore=own, initial=initial)
    return m, own


def test_a_block_wants_the_same_room_whoever_waits_and_whatever_is_in_it():
    """Else boxes would move from step to step."""
    m, own = two_with_a_semaphore(1)
    before = nodes(m.state)["o:8:9"]
    m.add(systems.SemaphoreOp, pid=5, tid=5, op="wait", semaphore=own, value=1)
    m.add(Sample, semaphores=(systems.SemaphoreLevel(info=own, value=0, waiters=1),))
    m.add(systems.SemaphoreOp, pid=6, tid=6, op="wait", semaphore=own, value=0)
    m.wait(6, "futex", op="FUTEX_WAIT")
    after = nodes(m.state)["o:8:9"]
    assert [line.text for line in after.lines] == ["M1 0  held by 5", "  ← 6 waits"]
    assert (before.rows, before.cells) == (after.rows, after.cells)
    assert len(before.lines) < len(after.lines) <= after.rows


def test_who_has_taken_from_a_counter_does_not_hold_it():
    """Free slots, say: whoever took some keeps no others out, as the owner of a lock does."""
    m, own = two_with_a_semaphore(2)
    for value in (2, 1):
        m.add(systems.SemaphoreOp, pid=5, tid=5, op="wait", semaphore=own, value=value)
    m.add(systems.SemaphoreOp, pid=6, tid=6, op="wait", semaphore=own, value=0)
    m.wait(6, "futex", op="FUTEX_WAIT")
    after = nodes(m.state)
    taken = after["o:8:9"].lines[0]
    assert (taken.text, taken.short) == ("M1 0  taken by 5", "M1 0")
    waiter = " ".join(line.text for line in after["p:6"].lines)
    assert "is 0" in waiter
    assert "has it" not in waiter


QUEUE = ObjectInfo(key="8:70", kind="file", path="/w/shared.dat")


def mapped_by_two(info, prot="rw-"):
    entry = MapEntry(object=info, start=0x1000 * info.ino + 0x1000, length=4096, prot=prot)
    return [
        Forked(t=0.0, n=1, pid=10, parent=1, how="launched", name="queue"),
        Forked(t=0.0, n=2, pid=11, parent=10, how="fork"),
        *(Maps(t=0.0, n=3 + n, pid=pid, entries=(entry,)) for n, pid in enumerate((10, 11))),
    ]


def test_fields_of_shared_memory_are_drawn_with_their_values_and_changes():
    fields = (Field("size", offset=0), Field("in", offset=4), Field("out", offset=8))
    fields += (Field("slot", offset=12, count=64, counted_by="size"),)
    data = struct.pack("<3i4i", 4, 2, 0, 3, 1, 0, 0)
    sample = MemorySample("8:70", size=4096, data=data, changed=((16, 4),))
    state = reduce_all([*mapped_by_two(QUEUE), Sample(t=0.1, n=9, memory=(sample,))])
    state = name_objects(state, {"8:70": "the queue"}, {}, {"the queue": fields})
    block = nodes(state)["o:8:70"]
    assert block.title == "the queue"
    assert [line.text for line in block.lines] == ["in   2  out 0", "slot 3 1 · ·"]
    assert [line.text[a:b] for line in block.lines for a, b in line.marks] == ["1"]
    assert block.lit


def test_memory_without_fields_shows_its_bytes_and_what_changed():
    data = bytes(40) + b"Hi" + bytes(22)
    sample = MemorySample("8:70", size=4096, data=data, changed=((41, 1),))
    state = reduce_all([*mapped_by_two(QUEUE), Sample(t=0.1, n=9, memory=(sample,))])
    block = nodes(state)["o:8:70"]
    assert [line.text for line in block.lines] == [" 28 48 69 00 00  Hi··", " 2c 00 00 00 00  ····"]
    assert [line.text[a:b] for line in block.lines for a, b in line.marks] == ["69"]
    later = nodes(state, lit=frozenset())["o:8:70"]
    assert not any(line.marks for line in later.lines)


def test_channels_that_run_parallel_are_one():
    m = systems.Maker()
    m.launch(5, "sh")
    m.fork(5, 6, "reader")
    for number in range(10):
        thing = systems.pipe(100 + number)
        m.open(5, 10 + number, thing, "w")
        m.open(6, 10 + number, thing, "r")
    found = nodes(m.state)
    group = next(n for n in found.values() if n.kind == "group")
    assert group.title == "pipe x10"
    assert flows(m.state) == {("p:5", group.id), (group.id, "p:6")}
    assert len(nodes(m.state, opened=frozenset({str(group.select[1])}))) == 12


def test_a_pool_whose_workers_share_everything_folds_where_there_is_no_room():
    m = systems.Maker()
    m.launch(5, "python3")
    shared = [systems.pipe(100 + number) for number in range(9)]
    for number, thing in enumerate(shared):
        m.pipe(5, 10 + 2 * number, 11 + 2 * number, thing)
    for pid in range(6, 12):
        m.fork(5, pid)
        for number in range(len(shared)):
            m.close(pid, 11 + 2 * number)
        m.close(pid, 10 + 2 * (pid - 6))  # no two workers hold the same ones
    assert "python3 x6" in [n.title for n in build_scene(m.state, size=(80, 10)).nodes]


def test_a_shared_eventfd_joins_who_adds_with_who_takes():
    state = systems.eventfd()
    assert flows(state) == {("p:80", "o:eventfd:1"), ("o:eventfd:1", "p:81")}
    node = nodes(state)["o:eventfd:1"]
    assert (node.kind, node.corner, node.lines[0].text) == ("eventfd", "eventfd", "counter 0 ←81")
    assert nodes(state)["p:81"].lines[0].text == "read(3) E1 is 0"
    edges = {(e.source, e.target) for e in build_scene(state).edges if e.kind == "hold"}
    assert edges == {("p:82", "o:eventfd:1")}, "who might end the sleep is there, too"


def test_an_eventfd_that_was_only_inherited_says_nothing():
    """Every child of a program with a main loop has its eventfd until it executes something."""
    m = systems.eventfd_maker()
    m.move(80, "write", 3, systems.EVENTFD, 8)
    m.wait(80, "poll", watched="3r")
    assert "o:eventfd:1" not in nodes(m.state)
    m.move(81, "write", 3, systems.EVENTFD, 8)
    assert flows(m.state) == {("p:81", "o:eventfd:1"), ("o:eventfd:1", "p:80")}


def test_who_sleeps_in_epoll_for_an_eventfd_takes_from_it():
    m = systems.eventfd_maker()
    m.move(81, "write", 3, systems.EVENTFD, 8)
    poll = ObjectInfo(key="epoll:1", kind="epoll", path="anon_inode:[eventpoll]")
    m.open(80, 4, poll, "rw")
    listed = (EpollEntry(fd=3, events=("EPOLLIN",), object=systems.EVENTFD.key),)
    m.add(Sample, notifiers=(Notifier(object=poll.key, listed=listed),))
    m.wait(80, "epoll_wait", 4, poll.key)
    assert flows(m.state) == {("p:81", "o:eventfd:1"), ("o:eventfd:1", "p:80")}
    assert "o:epoll:1" not in nodes(m.state), "a set that one process has is its own affair"


def test_a_timer_is_drawn_once_two_processes_read_it():
    m = systems.eventfd_maker()
    timer = ObjectInfo(key="timerfd:1", kind="timerfd", path="anon_inode:[timerfd]")
    m.open(80, 5, timer, "rw")
    m.fork(80, 83, "third")
    m.move(83, "read", 5, timer, 8)
    assert "o:timerfd:1" not in nodes(m.state)
    m.wait(80, "read", 5, timer.key)
    assert ("o:timerfd:1", "p:80") in flows(m.state)


def test_a_fifo_open_for_both_keeps_its_directions_whoever_was_last():
    thing = ObjectInfo(key="8:9", kind="fifo", path="/tmp/f", dev=8, ino=9)
    m = systems.Maker(("./x",))
    m.launch(90, "x")
    m.open(90, 3, thing, "rw")
    for pid in (91, 92, 93):
        m.fork(90, pid)
    m.move(91, "write", 3, thing, 5)
    m.move(92, "write", 3, thing, 5)
    m.move(93, "read", 3, thing, 5)
    assert flows(m.state) == {("p:91", "o:8:9"), ("p:92", "o:8:9"), ("o:8:9", "p:93")}


def test_a_watched_variable_is_drawn_where_it_lies():
    """Its value, what others hold a copy of, and who stored it last; in the box what was done."""
    shared = ObjectInfo(key="1:7", kind="shared memory", path="/dev/zero (deleted)")
    info = VariableInfo("var:1:7:0", "counter", 4, "int", "int", "1:7", 0)
    private = VariableInfo("var:vm:10:64", "turn", 4, "int", "int")
    mapped = MapEntry(object=shared, start=4096, length=4096, prot="rw-")
    events = (
        Forked(t=0.0, n=1, pid=10, parent=1, how="launched", name="counter"),
        Forked(t=0.0, n=2, pid=11, parent=10, how="fork"),
        Maps(t=0.0, n=3, pid=10, entries=(mapped,)),
        Maps(t=0.0, n=4, pid=11, entries=(mapped,)),
        VariableFound(t=0.0, n=5, pid=10, variable=info, address=4096, value=bytes(4)),
        VariableFound(t=0.0, n=6, pid=11, variable=info, address=4096, value=bytes(4)),
        VariableFound(t=0.0, n=7, pid=10, variable=private, address=64, value=bytes(4)),
        Accessed(t=0.1, n=8, pid=11, tid=11, variable=info.key, op="load", after=bytes(4)),
        Accessed(t=0.2, n=9, pid=10, tid=10, variable=info.key, op="store", after=b"\1\0\0\0"),
        Poised(t=0.2, n=10, pid=10, tid=10, at="access", op="store", object=info.key),
    )
    state = reduce_all(events)
    found = nodes(name_objects(state, {}, {10: "a", 11: "b"}))
    assert [line.text for line in found["o:1:7"].lines] == [
        "counter = 1",
        "b loaded 0",
        "stored by a",
    ]
    assert found["p:10"].lines[0].text == "stored counter: 1"
    assert [line.text for line in found["v:var:vm:10:64"].lines] == ["turn = 0"]


def system_v_queue() -> systems.Maker:
    """A sender that has put a message into a System V queue, and a child that knows it."""
    m = systems.Maker()
    m.launch(10, "sender")
    queue = ObjectInfo(key="msg:3", kind="message queue", path="msg 3", ino=3, detail="System V")
    m.add(Call, pid=10, tid=10, name="msgget", args={}, ret=3, effects=(Uses(object=queue),))
    args = {"id": 3, "count": 4, "msg": "type 1"}
    m.add(Call, pid=10, tid=10, name="msgsnd", args=args, object=queue.key, data=b"bill")
    m.fork(10, 11)
    waiting = (Message(type=1, size=4, head=b"bill"),)
    level = Level(object=queue.key, queued=4, capacity=16384, messages=1, waiting=waiting)
    m.add(Sample, levels=(level,))
    return m


def test_a_queue_without_descriptors_is_in_the_picture():
    m = system_v_queue()
    assert [line.text for line in nodes(m.state)["o:msg:3"].messages] == ["type 1 4 B bill"]
    assert ("p:10", "o:msg:3") in flows(m.state)
    m.wait(11, "msgrcv", thing="msg:3", id=3, type=2)
    assert flows(m.state) == {("p:10", "o:msg:3"), ("o:msg:3", "p:11")}
    edges = build_scene(m.state).edges
    kinds = {edge.kind for edge in edges if "o:msg:3" in (edge.source, edge.target)}
    assert kinds == {"flow"}, "that each could do the other, too, is not said"


def ended_writers(*amounts: int) -> State:
    """A parent read what its children wrote into one pipe; all have exited."""
    p = systems.pipe(4711)
    m = systems.Maker(("sh",))
    m.launch(20, "sh")
    m.pipe(20, 3, 4, p)
    for number, amount in enumerate(amounts):
        m.fork(20, 21 + number, "worker")
        m.move(21 + number, "write", 4, p, amount)
        m.move(20, "read", 3, p, amount)
    m.move(21, "write", 4, p, 1000)
    for pid in range(21, 21 + len(amounts)):
        m.add(Exited, pid=pid, code=0)
        m.add(Reaped, pid=pid, by=20)
    m.add(Exited, pid=20, code=0)
    return name_objects(m.state, {}, whole=True)


def test_once_all_have_ended_each_writer_has_its_total():
    found = nodes(ended_writers(5000, 300))
    lines = [line.text for line in found["o:pipe:[4711]"].lines]
    assert lines == ["6.2K went through", "of worker 5.9K, worker 2 300 B"]
    assert found["p:21"].lines[0].text == "exit 0, wrote 5.9K"
    assert found["p:22"].lines[0].text == "exit 0, wrote 300 B"
    assert "wrote" not in found["p:20"].lines[0].text


def test_of_one_writer_the_total_is_that_of_the_pipe():
    found = nodes(ended_writers(5000))
    assert [line.text for line in found["o:pipe:[4711]"].lines] == ["5.9K went through"]
    assert found["p:21"].lines[0].text == "exit 0"


def test_of_many_writers_the_first_are_named_and_their_number_is_bounded():
    state = ended_writers(*([100] * 40))
    inputs = state.objects["pipe:[4711]"].inputs
    assert len(inputs) == INPUTS
    assert inputs[0] == (21, 1100)
    found = nodes(state, opened=frozenset({"g:p:20:worker"}))
    assert found["o:pipe:[4711]"].lines[1].text.endswith(f"worker 3 100 B, +{INPUTS - 3}")


@pytest.mark.parametrize(
    ("kind", "stays"), [("shared memory", True), ("anonymous memory", False), ("memfd", False)]
)
def test_memory_with_a_name_is_drawn_when_nobody_has_it(kind, stays):
    """The kernel keeps what has a name of its own, whatever a scenario calls it."""
    segment = ObjectInfo(key="shm:7", kind=kind, ino=7)
    gone = [Maps(t=1.0, n=5 + n, pid=pid, entries=()) for n, pid in enumerate((10, 11))]
    state = reduce_all([*mapped_by_two(segment), *gone])
    left = name_objects(state, {segment.key: "segment"})
    assert ("o:shm:7" in nodes(left)) == stays
    if stays:
        assert "nobody has it now" in {line.text for line in nodes(left)["o:shm:7"].lines}
    assert "o:shm:7" not in nodes(state), "no scenario names it"


def test_a_script_is_called_without_its_folder_where_there_is_no_room():
    m = systems.Maker()
    m.launch(11, "python3", "/home/ann/demo/number.py", "7")
    line = nodes(m.state)["p:11"].lines[-1]
    assert (line.text, line.short) == ("python3 /home/ann/demo/number.py 7", "python3 number.py 7")


def two_producers():
    """A consumer that reads from two pipes, and the producers that it has forked: the second has
    inherited the read end of the first one's pipe.
    """
    first, second = systems.pipe(71), systems.pipe(72)
    m = systems.Maker(("./consumer",))
    m.launch(20, "consumer")
    m.pipe(20, 3, 4, first)
    m.fork(20, 21, "producer")
    m.close(20, 4)
    m.pipe(20, 4, 5, second)
    m.fork(20, 22, "producer")
    m.close(20, 5)
    return m


def test_who_has_both_ends_stands_where_the_only_free_side_is():
    scene = build_scene(two_producers().state, size=(78, 14))
    layout = arrange_scene(scene, (78, 14))
    flows = {(e.source, e.target) for e in scene.edges if e.kind == "flow"}
    assert flows == {("o:pipe:[71]", "p:20"), ("o:pipe:[72]", "p:20")}
    for producer, thing in (("p:21", "o:pipe:[71]"), ("p:22", "o:pipe:[72]")):
        assert layout.rects[producer].right < layout.rects[thing].x < layout.rects["p:20"].x


def test_an_end_that_a_child_got_at_its_birth_is_no_flow_until_it_is_used():
    m = two_producers()
    m.wait(22, "read", 3, "pipe:[71]")
    scene = build_scene(m.state, size=(78, 14))
    assert ("o:pipe:[71]", "p:22", "flow") in {e.key for e in scene.edges}


def test_the_maker_of_a_pipe_for_its_child_is_no_reader_of_it():
    m = systems.Maker(("sh",))
    m.launch(20, "sh")
    m.pipe(20, 3, 4, systems.pipe(71))
    m.fork(20, 21, "cat")
    m.dup(21, 4, 1)
    m.close(21, 3, 4)
    scene = build_scene(m.state, size=(78, 14))
    assert not [e for e in scene.edges if e.kind in ("flow", "past") and e.target == "p:20"]


def paired(*used):
    """A parent and its child that have both ends of a socket pair open; `used` have sent by their
    own one.
    """
    ends = [
        systems.ObjectInfo(
            key=f"socket:[{n}]", kind="unix socket", detail="stream", ino=n, peer=f"socket:[{o}]"
        )
        for n, o in ((80, 81), (81, 80))
    ]
    m = systems.Maker(("./pair",))
    m.launch(20, "pair")
    for fd, end in zip((3, 4), ends, strict=True):
        m.open(20, fd, end, "rw")
    m.fork(20, 21, "pair")
    for pid in used:
        m.move(pid, "sendto", pid - 17, ends[pid - 20], 1)
    return m.state


def test_a_pair_whose_ends_have_one_name_has_it_once():
    scene = build_scene(name_objects(paired(), {"socket:[80]": "turns", "socket:[81]": "turns"}))
    assert next(n for n in scene.nodes if n.kind == "socket").title == "turns"


@pytest.mark.parametrize(("used", "sides"), [((), 0), ((20,), 1), ((20, 21), 2)])
def test_who_has_both_ends_of_a_pair_stands_at_the_one_that_it_uses(used, sides):
    scene = build_scene(paired(*used))
    flows = {(e.source, e.target, e.fds) for e in scene.edges if e.kind == "flow"}
    assert len(flows) == sides
    assert flows <= {("p:20", "o:socket:[80]", "3"), ("o:socket:[80]", "p:21", "4")}


def passed_note(*, again: bool):
    """A server has opened a file that nobody reads, and a client has a descriptor of it: received
    over a socket, or of its own open.
    """
    note = systems.plain(100, "/tmp/note")
    m = systems.Maker(("server",))
    m.launch(20, "server")
    m.fork(20, 21, "client")
    ofd = m.open(20, 5, note, "r")
    if again:
        m.open(21, 4, note, "r")
    else:
        opened = Opened(fd=4, ofd=ofd, object=note, mode="r")
        m.add(Call, pid=21, tid=21, name="recvmsg", ret=1, effects=(opened,))
    return m


def test_both_descriptors_of_a_passed_file_lead_to_one_box():
    scene = build_scene(passed_note(again=False).state)
    box = next(n for n in scene.nodes if n.kind == "file")
    assert [line.text for line in box.lines] == ["one open file"]
    lines = {(e.source, e.target): e.fds for e in scene.edges if e.kind == "flow"}
    assert lines == {(box.id, "p:20"): "5", (box.id, "p:21"): "4"}


def test_a_file_that_each_has_opened_for_itself_is_not_shared():
    scene = build_scene(passed_note(again=True).state)
    assert not [n for n in scene.nodes if n.kind == "file"], "nobody has read it"


def test_a_passed_file_has_no_box_for_two_once_one_has_closed_it():
    m = passed_note(again=False)
    m.close(20, 5)
    assert "file" not in {n.kind for n in build_scene(m.state).nodes}
