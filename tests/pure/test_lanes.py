"""The lanes: who did what when, who was asleep meanwhile, and what led from whom to whom."""

from __future__ import annotations

from ipcviz import events as ev
from ipcviz.app.panels.lanes import Drawing, place_lanes
from ipcviz.model.lanes import Arrow, Deed, Sleepers, find_row, fold_deeds, fold_lanes
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate.lanes import narrate_deed
from tests import fakes

LOCK = ev.SemaphoreInfo(key="sem:1:2:0", kind="unnamed", object="1:2")


def read_deeds(events):
    state, sleepers, deeds = State(), Sleepers(State()), []
    for event in events:
        before, state = state, reduce(state, event)
        deed = narrate_deed(event, before, state, sleepers)
        if deed is not None:
            deeds.append(deed)
    return deeds


def number(*events):
    return fakes.numbered(events)


def born(*pids):
    first = ev.Forked(t=0.1, pid=10, parent=1, how="launched", name="main")
    return [first, *(ev.Forked(t=0.2, pid=pid, parent=10, by=10, name="child") for pid in pids)]


def test_bytes_lead_from_the_write_to_the_read_that_took_them():
    deeds = read_deeds(fakes.pipeline())
    written = {deed.n for deed in deeds if deed.words.startswith("write")}
    arrows = [arrow for deed in deeds for arrow in deed.arrows if arrow.leads == "bytes"]
    assert arrows
    assert {arrow.n for arrow in arrows} <= written
    assert all(arrow.source != arrow.target for arrow in arrows)


def test_a_fork_leads_to_the_child_and_an_end_to_who_waited():
    deeds = read_deeds(
        number(
            *born(11),
            ev.Exited(t=0.3, pid=11, code=3),
            ev.Reaped(t=0.4, pid=11, by=10),
            ev.Reaped(t=0.5, pid=10, by=1),
        )
    )
    assert [(d.pid, d.words, d.arrows) for d in deeds] == [
        (10, "begins", ()),
        (10, "fork", (Arrow("birth", 10, 11),)),
        (11, "exit 3", ()),
        (10, "waited for child[11]", (Arrow("end", 11, 10),)),
    ]


def test_a_signal_leads_from_its_sender_to_its_delivery():
    deeds = read_deeds(
        number(
            *born(11),
            ev.SignalDelivered(t=0.3, pid=11, tid=11, signo=10, sender=10, action="handler"),
            ev.SignalDelivered(t=0.4, pid=11, tid=11, signo=10, sender=99, action="handler"),
            ev.SignalDelivered(t=0.5, pid=11, tid=11, signo=17, sender=10, action="ignore"),
            ev.Exited(t=0.6, pid=11, signo=9, sender=10),
        )
    )
    assert [(d.words, d.arrows) for d in deeds[2:]] == [
        ("SIGUSR1: handler runs", (Arrow("signal", 10, 11),)),
        ("SIGUSR1: handler runs", ()),
        ("killed by SIGKILL", (Arrow("signal", 10, 11),)),
    ]


def test_a_post_leads_to_the_waiter_that_it_woke_and_the_wait_is_a_stretch():
    def op(t, name, pid, value=None, initial=None):
        return ev.SemaphoreOp(
            t=t, pid=pid, tid=pid, op=name, semaphore=LOCK, value=value, initial=initial
        )

    deeds = read_deeds(
        number(
            *born(11, 12),
            op(0.3, "init", 10, initial=0),
            op(0.4, "wait", 11, 0),
            ev.Waiting(t=0.5, pid=11, tid=11, call="futex", semaphore=LOCK.key),
            op(0.6, "post", 12, 0),
            op(0.7, "acquired", 11),
        )
    )
    assert deeds[-1].arrows == (Arrow("post", 12, 11),)
    assert deeds[-1].words.endswith(" now")
    assert 11 not in deeds[-1].asleep
    assert deeds[-2].asleep == {11: "B"}


def semop(t, pid, change, number=0):
    return fakes.call(t, pid, "semop", args={"id": 7, "ops": f"[{number}] {change:+d}"})


def asleep_in_semop(t, pid, change=-1):
    return ev.Waiting(
        t=t, pid=pid, tid=pid, call="semop", semaphore="sysv:7:0",
        args={"id": 7, "ops": f"[0] {change:+d}"},
    )  # fmt: skip


SHARED = ev.MapEntry(
    start=0x7000, length=4096, prot="rw-", shared=True,
    object=ev.ObjectInfo(key="1:5", kind="anonymous", path="/dev/zero", dev=1, ino=5),
)  # fmt: skip


def futex(t, pid, op, ret, address=0x7010, tid=0):
    call = fakes.call(t, pid, "futex", ret=ret, args={"op": op, "address": hex(address)})
    return ev.Call(**{name: getattr(call, name) for name in call.__struct_fields__} | {
        "tid": tid or pid
    })  # fmt: skip


def asleep_on_futex(t, pid, key="futex:1:5:16", private=False, kind="mutex"):
    object = key.removeprefix("futex:").rpartition(":")[0] if "vm" not in key else ""
    word = ev.Futex(key=key, object=object, offset=16, private=private, kind=kind)
    return ev.Waiting(t=t, pid=pid, tid=pid, call="futex", futex=word)


def mapped(*pids):
    return [ev.Maps(t=0.25, pid=pid, entries=(SHARED,)) for pid in pids]


def woken(*more):
    """The arrows of wakes: from whom to whom, and the number of the event that it began with."""
    deeds = read_deeds(number(*born(11, 12, 13), *mapped(10, 11, 12, 13), *more))
    arrows = [arrow for deed in deeds for arrow in deed.arrows if arrow.leads == "wake"]
    assert all(arrow.sure for arrow in arrows)
    return [(arrow.source, arrow.target, arrow.n) for arrow in arrows]


FIRST = 9
"""Number of the event behind those of the births and mappings."""


def test_a_semop_leads_to_the_waiter_that_it_woke():
    assert woken(asleep_in_semop(1, 11), semop(2, 12, +1), semop(2.1, 11, -1)) == [
        (12, 11, FIRST + 1)
    ]
    assert woken(asleep_in_semop(1, 11, 0), semop(2, 12, -1), semop(2.1, 11, 0)) == [
        (12, 11, FIRST + 1)
    ]
    assert woken(semop(1, 12, +1), semop(2, 11, -1)) == [], "who did not sleep was not woken"
    assert woken(asleep_in_semop(1, 11), semop(2, 12, -1), semop(3, 11, -1)) == []


def test_two_that_are_woken_by_two_are_not_told_apart():
    both = (asleep_in_semop(1, 11), asleep_in_semop(1, 13))
    backs = (semop(3, 11, -1), semop(3.1, 13, -1))
    assert woken(*both, semop(2, 12, +1), semop(2.1, 10, +1), *backs) == []
    # One of them gives enough for both; or each comes back before the next is given.
    assert woken(*both, semop(2, 12, +2), *backs) == [(12, 11, FIRST + 2), (12, 13, FIRST + 2)]
    assert woken(*both, semop(2, 12, +1), backs[0], semop(3.05, 10, +1), backs[1]) == [
        (12, 11, FIRST + 2),
        (10, 13, FIRST + 4),
    ]


def test_what_somebody_else_may_have_taken_has_woken_nobody_for_certain():
    assert (
        woken(asleep_in_semop(1, 11), semop(2, 12, +1), semop(2.1, 10, -1), semop(3, 11, -1)) == []
    )


def test_the_wake_of_a_shared_futex_leads_to_who_comes_back():
    back = futex(3, 11, "FUTEX_WAIT", 0)
    wake = futex(2, 12, "FUTEX_WAKE", 1)
    assert woken(asleep_on_futex(1, 11), wake, back) == [(12, 11, FIRST + 1)]
    for other in (
        futex(2, 12, "FUTEX_WAKE", 0),
        futex(2, 12, "FUTEX_WAKE|PRIVATE", 1),
        futex(2, 12, "FUTEX_WAKE", 1, address=0x7020),
        futex(2, 12, "FUTEX_WAKE", 1, address=0x9010),
    ):
        assert woken(asleep_on_futex(1, 11), other, back) == []
    assert woken(wake, back) == []


def test_one_wake_wakes_as_many_as_it_says():
    sleep = (asleep_on_futex(1, 11), asleep_on_futex(1, 13))
    back, later = futex(3, 11, "FUTEX_WAIT", 0), futex(5, 13, "FUTEX_WAIT", 0)
    first, second = futex(2, 12, "FUTEX_WAKE", 1), futex(4, 10, "FUTEX_WAKE", 1)
    assert woken(*sleep, first, back, second, later) == [(12, 11, FIRST + 2), (10, 13, FIRST + 4)]
    assert woken(*sleep, first, second, back, later) == []
    all_of_them = futex(2, 12, "FUTEX_WAKE", 2)
    assert woken(*sleep, all_of_them, back, later) == [(12, 11, FIRST + 2), (12, 13, FIRST + 2)]
    again = futex(2.5, 12, "FUTEX_WAKE", 1)
    assert woken(*sleep, first, again, back, later) == [(12, 11, 0)], "which one is not known"


def test_a_futex_of_one_process_and_one_of_a_semaphore_are_no_rows():
    own = asleep_on_futex(1, 11, key="futex:vm:11:28688")
    rows = read_deeds(number(*born(11), *mapped(11), own, futex(2, 11, "FUTEX_WAKE", 1, tid=99)))
    assert [deed.pid for deed in rows] == [10, 10]
    semaphore = asleep_on_futex(1, 11, kind="semaphore")
    wake = futex(2, 10, "FUTEX_WAKE", 1)
    rows = read_deeds(number(*born(11), *mapped(10, 11), semaphore, wake))
    assert len(rows) == 2
    rows = read_deeds(number(*born(11), *mapped(10, 11), asleep_on_futex(1, 11), wake))
    assert [(deed.pid, deed.letter) for deed in rows[2:]] == [(11, "B"), (10, "")]
    assert rows[-1].words == "wakes 1"


def make_deed(n, pid, words="write 1", same="write", **fields):
    given = {"arrows": (), "asleep": {}, "alive": frozenset({10, 11, 12}), **fields}
    return Deed(n=n, t=n / 10, step=0, pid=pid, words=words, same=same, **given)


def test_what_says_the_same_is_one_row():
    rows = fold_deeds([make_deed(1, 10), make_deed(2, 10), make_deed(3, 11), make_deed(4, 10)])
    assert [(row.n, row.pid, row.times) for row in rows] == [(2, 10, 2), (3, 11, 1), (4, 10, 1)]
    led = make_deed(2, 10, arrows=(Arrow("bytes", 11, 10, 1),))
    assert len(fold_deeds([make_deed(1, 10), led])) == 2


def test_the_moment_is_the_last_row_that_has_happened():
    rows = [make_deed(3, 10), make_deed(7, 11)]
    assert [find_row(rows, n) for n in (2, 3, 6, 7, 9)] == [-1, 0, 0, 1, 1]


def test_many_share_lanes_by_their_names_and_the_chosen_one_has_its_own():
    names = {1: "server", **{pid: f"worker {pid}" for pid in range(2, 52)}}
    assert [lane.name for lane in fold_lanes(names, 6)] == ["server", "worker x50"]
    assert [lane.name for lane in fold_lanes(names, 6, 7)] == ["server", "worker x49", "worker 7"]
    other = {pid: f"p{pid}" for pid in range(50)}
    lanes = fold_lanes(other, 4, 40)
    assert [lane.name for lane in lanes] == ["p0", "p1", "p40", "47 others"]
    assert sum(len(lane.pids) for lane in lanes) == 50
    assert [lane.name for lane in fold_lanes({1: "a", 2: "b"}, 1, 2)] == ["2 others"]


def draw(deeds, names, at=0, width=60, chosen=0):
    lanes = fold_lanes(names, width // 12, chosen)
    drawing = Drawing(lanes, place_lanes(len(lanes), 8, width), width, names)
    return [row.text.rstrip() for row in drawing.draw_all(deeds, at, chosen)]


NAMES = {10: "main", 11: "a", 12: "b"}


def test_arrows_are_drawn_from_lane_to_lane_and_bars_where_somebody_is_blocked():
    deeds = [
        make_deed(1, 10, "fork", arrows=(Arrow("birth", 10, 12),)),
        make_deed(2, 11, "write 5"),
        make_deed(3, 12, "read 5", arrows=(Arrow("bytes", 11, 12, 2),), asleep={10: "S"}),
        make_deed(4, 10, "read 1", arrows=(Arrow("bytes", 12, 10, 3),), asleep={11: "B"}),
        make_deed(5, 11, "read P1 empty", letter="B", asleep={11: "B"}),
    ]
    head, *rows = draw(deeds, NAMES, at=2)
    assert head == "        main             a                b"
    assert rows[0] == "  0.100 fork " + "─" * 12 + "┼" + "─" * 15 + "→●"
    assert rows[1].startswith("* 0.200 │                write 5")
    assert "───────────────→ read 5" in rows[2]
    assert rows[2].startswith("> 0.300 :")
    assert "read 1 ←" in rows[3]
    assert "B read P1 empty" in rows[4]
    assert rows[3].startswith("* 0.400")


def test_in_a_lane_of_many_the_number_says_who():
    deeds = [make_deed(1, 12, "read 5", alive=frozenset(range(10, 30)))]
    names = {10: "main", **{pid: f"worker {pid}" for pid in range(11, 30)}}
    head, row = draw(deeds, names)
    assert head.split() == ["main", "worker", "x19"]
    assert row.endswith("12: read 5")


def test_hostile_names_and_narrow_widths_break_no_row():
    deeds = [
        make_deed(1, 10, "\x1b]0;mine\x07", arrows=(Arrow("birth", 10, 12),)),
        make_deed(2, 12, "漢字" * 30, arrows=(Arrow("signal", 10, 12),), letter="B"),
        make_deed(3, 77, "nobody's"),
    ]
    names = {10: "[/b]\n", 11: "漢字" * 20, 12: "b"}
    for width in (1, 5, 10, 20, 40, 200):
        for row in draw(deeds, names, width=width):
            assert "\x1b" not in row
            assert "\n" not in row
