"""Small functions of the pure floors, each with every case that a condition in it is there for."""

from __future__ import annotations

import struct

import pytest
from pyte.charsets import VT100_MAP

from ipcviz import events as ev
from ipcviz.diagnose.history import History, MadeBy
from ipcviz.diagnose.words import _name_maker, join_and
from ipcviz.events.accesses import _FORMATS, VariableInfo, format_value
from ipcviz.export.colours import _apply_parameters, _Style
from ipcviz.export.screen import CastScreen
from ipcviz.model.channels import Channel, Knot, Laid, Part, Write
from ipcviz.model.draft import _MOST_NAMES, Draft
from ipcviz.model.layouts import MOST_ELEMENTS, Field, read_fields
from ipcviz.model.ledger.knowledge import distrust_channel
from ipcviz.model.ledger.ledger import _count_room, _doubt_part, _drop_laid, _find_likeliest_write
from ipcviz.model.maps import Map
from ipcviz.model.mechanisms.folders import MOST as MOST_FOLDERS
from ipcviz.model.mechanisms.folders import _forget_folders
from ipcviz.model.mechanisms.notifiers import ready_labels
from ipcviz.model.mechanisms.queues import count_message_bytes
from ipcviz.model.query import Mapper, rank_memory
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import (
    CallInProgress,
    Folder,
    FolderUse,
    Hold,
    Object,
    Process,
    Semaphore,
    State,
    Variable,
)
from ipcviz.model.waits.leading import rests_in_pool
from ipcviz.model.waits.outsiders import Side
from ipcviz.model.waits.values import Asleep, SemaphoreTaken, Wait, Why
from ipcviz.narrate.lanes import _describe_call
from ipcviz.narrate.outsiders import describe_outsiders, name_outsiders
from ipcviz.narrate.semaphores import describe_holding, holders_of
from ipcviz.narrate.steps import describe_stand
from ipcviz.scenario.shape import _describe_value
from tests import fakes
from tests.told import did

PIPE = ev.ObjectInfo(key="pipe:[1]", kind="pipe", ino=1)


@pytest.mark.parametrize("encoding", ["int", "uint", "float"])
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_the_value_of_bytes(encoding, size):
    how = {1: "b", 2: "h", 4: "i", 8: "q"}[size]
    if encoding == "float":
        how = {4: "f", 8: "d"}.get(size, "")
    how = how.upper() if encoding == "uint" else how
    for number in (0, 1, 100, -1):
        if how and (number >= 0 or encoding != "uint"):
            assert format_value(encoding, struct.pack(f"<{how}", number)) == str(number)
    if not how:
        assert format_value(encoding, bytes(size)) == bytes(size).hex(" ")
    assert len(_FORMATS) == 10


@pytest.mark.parametrize(
    ("encoding", "raw", "text"),
    [
        ("int", b"", "?"),
        ("bool", b"\0", "false"),
        ("bool", b"\2", "true"),
        ("pointer", bytes(8), "NULL"),
        ("pointer", b"\x10" + bytes(7), "0x10"),
        ("int", b"abc", "61 62 63"),
    ],
)
def test_bytes_that_are_no_number(encoding, raw, text):
    assert format_value(encoding, raw) == text


def hold(pid: int) -> Hold:
    return Hold(pid=pid, tid=0)


@pytest.mark.parametrize(
    ("signals", "unsure", "owners"),
    [(False, "", 1), (True, "", 0), (False, "older", 0), (True, "older", 0)],
)
def test_who_holds_a_semaphore_if_nobody_else_can(signals, unsure, owners):
    info = ev.SemaphoreInfo(key="sem:8:1:0", kind="named", name="/s")
    one = Semaphore(info, "/s", holds=(hold(3),), signals=signals, unsure=unsure)
    assert len(holders_of(one)) == owners
    if signals:
        assert describe_holding(State(), one) == ""


@pytest.mark.parametrize(
    ("semaphore", "owners", "rests"),
    [
        ("sem:vm:5:64", (), True),
        ("sem:vm:5:64", ((5, 6),), False),
        ("sem:8:1:0", (), False),
        ("sem:8:1:0", ((5, 6),), False),
    ],
)
def test_a_worker_rests_on_a_semaphore_of_its_own_that_nobody_owes(semaphore, owners, rests):
    wait = Wait(5, 5, Why.SEMAPHORE, "sem_wait", semaphore=semaphore, facts=SemaphoreTaken(owners))
    assert rests_in_pool(wait) is rests


@pytest.mark.parametrize(
    ("futex", "rests"),
    [
        (ev.Futex(key="f", kind="condition"), True),
        (ev.Futex(key="f", kind="semaphore"), True),
        (ev.Futex(key="f", kind="go"), True),
        (ev.Futex(key="f"), True),
        (ev.Futex(key="f", kind="mutex"), False),
        (ev.Futex(key="f", kind="condition", object="8:1"), False),
        (ev.Futex(key="f", kind="condition", owner=6), False),
    ],
)
def test_a_worker_rests_on_a_futex_of_its_own_that_nobody_owes(futex, rests):
    assert rests_in_pool(Wait(5, 5, Why.FUTEX, "futex", facts=Asleep(futex))) is rests


@pytest.mark.parametrize(("why", "rests"), [(Why.FUTEX, True), (Why.EMPTY, False)])
def test_a_futex_of_which_nothing_is_known_is_rested_on(why, rests):
    assert rests_in_pool(Wait(5, 5, why, "futex")) is rests


@pytest.mark.parametrize(
    ("call", "count"),
    [
        (did("mq_timedsend", count=7), 7),
        (did("mq_timedsend"), 0),
        (did("mq_timedsend", count=7, error="EAGAIN"), 0),
        (did("mq_timedreceive", count=64, ret=5), 5),
        (did("mq_timedreceive", count=64, ret=-1), 0),
        (did("msgsnd", count=7), 7),
        (did("write", count=7, ret=7), 0),
        (did("close"), 0),
    ],
)
def test_the_size_of_a_message(call, count):
    assert count_message_bytes(call) == count


OUT = tuple(ev.Outsider(pid=pid, name=f"p{pid}") for pid in (21, 22, 23, 24))


@pytest.mark.parametrize(
    ("holders", "more", "text"),
    [
        (OUT[:1], 0, "p21[21], not watched, has its write end"),
        (OUT[:1], 1, "p21[21] and 1 more, not watched, have its write end"),
        (OUT[:2], 0, "p21[21] and p22[22], not watched, have its write end"),
        ((), 0, "no process that /proc shows has its write end"),
    ],
)
def test_who_has_an_end_that_is_not_watched(holders, more, text):
    side: Side = "w"
    state = State(outsiders=Map({PIPE.key: ev.Outside(PIPE.key, holders, more=more)}))
    assert describe_outsiders(state, PIPE.key, side) == text


def test_who_waits_to_be_accepted_by_one_that_is_not_watched():
    for more, have in ((0, "has"), (2, "have")):
        listens = (ev.Outsider(pid=21, name="p21", how="listens"),)
        state = State(outsiders=Map({PIPE.key: ev.Outside(PIPE.key, listens, more=more)}))
        words = describe_outsiders(state, PIPE.key, "both")
        assert f"not watched, {have} not accepted the connection yet" in words
    assert name_outsiders(OUT[:1]) == "p21[21]"


@pytest.mark.parametrize(
    ("before", "parameters", "style"),
    [
        (_Style(), "31", _Style(foreground="31")),
        (_Style(), "97", _Style(foreground="97")),
        (_Style(), "98", _Style(attributes=frozenset({"98"}))),
        (_Style(), "40", _Style(background="40")),
        (_Style(), "107", _Style(background="107")),
        (_Style(), "108", _Style(attributes=frozenset({"108"}))),
        (_Style(), "38;5;1;4", _Style(foreground="38;5;1", attributes=frozenset({"4"}))),
        (_Style(), "48;2;1;2;3;4", _Style(background="48;2;1;2;3", attributes=frozenset({"4"}))),
        (_Style(foreground="31"), "39", _Style()),
        (_Style(background="41"), "49", _Style()),
        (_Style(foreground="31", background="41"), "39", _Style(background="41")),
        (_Style(foreground="31", background="41"), "49", _Style(foreground="31")),
        (_Style(attributes=frozenset({"1"})), "0;4", _Style(attributes=frozenset({"4"}))),
        (_Style(attributes=frozenset({"1", "4"})), "22", _Style(attributes=frozenset({"4"}))),
        (_Style(), "001", _Style(attributes=frozenset({"1"}))),
    ],
)
def test_the_style_after_a_sequence(before, parameters, style):
    assert _apply_parameters(before, parameters) == style


def shows(text: str) -> list[str]:
    screen = CastScreen(4, 3)
    screen.feed(text)
    return [row.rstrip() for row in screen.display]


FULL = "a\r\nb\r\nc"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (f"{FULL}\x1b[1;1H\x1bM", ["", "a", "b"]),
        (f"{FULL}\x1b[2;1H\x1bMx", ["x", "b", "c"]),
        (f"{FULL}\x1b[2;3r\x1b[1;1H\x1bMx", ["x", "b", "c"]),
        (f"{FULL}\x1b[2;3r\x1b[2;1H\x1bM", ["a", "", "b"]),
        (f"{FULL}\x1b[S", ["b", "c", ""]),
        (f"{FULL}\x1b[0S", ["b", "c", ""]),
        (f"{FULL}\x1b[2S", ["c", "", ""]),
        (f"{FULL}\x1b[T", ["", "a", "b"]),
        (f"{FULL}\x1b[2T", ["", "", "a"]),
        (f"{FULL}\x1b[1;2;3;4;5T", ["a", "b", "c"]),
    ],
)
def test_what_scrolls(text, rows):
    assert shows(text) == rows


def test_the_drawing_characters_are_those_from_the_underline_on():
    plain = "".join(map(chr, range(0x20, 0x5F)))
    drawn = "".join(map(chr, range(0x5F, 0x7F)))
    screen = CastScreen(128, 1)
    screen.feed(f"\x1b(0{plain}{drawn}\x1b(B{drawn}")
    row = screen.display[0].rstrip()
    assert row.startswith(plain)
    assert row[len(plain) : len(plain) + 32] == "".join(VT100_MAP[0x5F:0x7F])
    assert row.endswith(drawn)


@pytest.mark.parametrize(
    ("known", "was_outside", "outside", "changes"),
    [
        (True, False, False, True),
        (True, False, True, True),
        (False, False, False, False),
        (False, False, True, True),
        (False, True, True, False),
        (False, True, False, False),
    ],
)
def test_a_channel_is_only_distrusted_where_that_is_new(known, was_outside, outside, changes):
    channel = Channel(key="c", known=known, outside=was_outside, reason="before")
    draft = make_draft(State(channels=Map({"c": channel})))
    distrust_channel(draft, "c", "now", outside=outside)
    found = draft.channels["c"]
    assert (found.reason == "now") is changes
    assert found.outside is (was_outside or outside)
    assert not found.known


def make_draft(state: State) -> Draft:
    fields = {name: getattr(state, name) for name in state.__struct_fields__}
    return Draft(base=state, **fields)


def write(tid: int, *, n: int = 1, length: int = 10, most: int = -1, head: bytes = b"") -> Write:
    return Write(n, tid, tid, 4, "write", 0.0, 1.0, length, most, head)


def part(tid: int, taken: int = 0, **fields) -> Part:
    return Part(write(tid, **fields), taken)


@pytest.mark.parametrize(
    ("one", "room"),
    [
        (part(1, 3), 7),
        (part(1, 10), 0),
        (part(1, 3, n=0, length=-1, most=8), 5),
        (part(1, 8, n=0, length=-1, most=8), 0),
        (part(1, 3, n=0, length=-1, most=0), -3),
        (part(1, 3, n=0, length=-1), 1 << 62),
    ],
)
def test_how_many_bytes_more_may_come_from_a_write(one, room):
    assert _count_room(one) == room


def test_bytes_that_lie_at_the_front_are_read_first():
    laid = (Laid(1, 0.0, 5), Laid(2, 0.0, 3))
    assert _drop_laid(laid, 2) == (Laid(1, 0.0, 3), Laid(2, 0.0, 3))
    assert _drop_laid(laid, 5) == (Laid(2, 0.0, 3),)


def test_a_part_is_doubted_if_it_is_among_the_rivals():
    one, other = part(1), part(2)
    assert _doubt_part(one, (one,)).guessed
    assert not _doubt_part(one, (other,)).guessed


A, B = part(1, head=b"abcdef"), part(2, head=b"ghijkl")
UNSEEN = part(3)


@pytest.mark.parametrize(
    ("parts", "data", "found", "rivals"),
    [
        ((A, B), b"abcd", A, ()),
        ((A, B), b"ghij", B, ()),
        ((A, B), b"xyz", A, (B,)),
        ((A, B), b"", A, (B,)),
        ((A, UNSEEN), b"xyz", UNSEEN, (A,)),
        ((UNSEEN, A), b"abc", UNSEEN, (A,)),
        ((UNSEEN, A), b"abcd", A, ()),
        ((A, part(2, 3, head=b"ghijkl")), b"xx", part(2, 3, head=b"ghijkl"), (A,)),
        ((part(1, 10),), b"ab", None, ()),
    ],
)
def test_which_write_bytes_most_likely_came_from(parts, data, found, rivals):
    assert _find_likeliest_write(Knot(parts, last=1.0), data) == (found, rivals)


def thing(number: int) -> Object:
    info = ev.ObjectInfo(key=f"pipe:[{number}]", kind="pipe", ino=number)
    return Object(info=info, label=f"P{number}")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((), ""),
        ((3,), "3"),
        ((3, 4), "3 or 4"),
        ((3, 4, 5), "3, 4 or 5"),
        ((3, 4, 5, 6), "3, 4, 5 or 6"),
        ((3, 4, 5, 6, 7), "3, 4, 5 or 2 more"),
    ],
)
def test_what_a_poll_waits_for_by_labels(numbers, text):
    call = CallInProgress("poll", {"watched": " ".join(f"{n}r" for n in numbers)}, began=0.0)
    assert ready_labels(State(), 5, call) == text


MAPPED = fakes.QUEUE


def mapper(pid: int, prot: str = "rw-", shared: bool = True) -> Mapper:
    entry = ev.MapEntry(start=0, length=4096, object=MAPPED, prot=prot, shared=shared)
    return Mapper(pid=pid, entry=entry)


@pytest.mark.parametrize(
    ("rows", "rank"),
    [
        ((), 3),
        ((mapper(1),), 3),
        ((mapper(1), mapper(1)), 3),
        ((mapper(1), mapper(2)), 1),
        ((mapper(1, "r--"), mapper(2)), 1),
        ((mapper(1, "r--"), mapper(2, "r--")), 2),
        ((mapper(1, shared=False), mapper(2, shared=False)), 2),
    ],
)
def test_how_much_memory_has_to_do_with_communication(rows, rank):
    assert rank_memory(State(), Object(info=MAPPED, label="m"), rows) == rank
    named = Object(info=MAPPED, label="m", named=True)
    assert rank_memory(State(), named, rows) == 0
    variable = Variable(info=VariableInfo(key="v", name="v", object=MAPPED.key))
    state = State(variables=Map({"v": variable}))
    assert rank_memory(state, Object(info=MAPPED, label="m"), rows) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        ("a" * 40, f"the text {'a' * 40!r}"),
        ("a" * 41, "a text"),
        (3, "the number 3"),
        (0.5, "the number 0.5"),
        ([1], "a list"),
        ({}, "a table"),
        (None, "a date or time"),
    ],
)
def test_a_value_of_a_scenarios_file_in_words(value, text):
    assert _describe_value(value) == text


@pytest.mark.parametrize(
    ("op", "text"),
    [
        ("load", "has just loaded v"),
        ("store", "has just stored v"),
        ("update", "has just loaded and stored v"),
        ("", "has just loaded or stored v"),
    ],
)
def test_where_a_thread_stands_after_an_access(op, text):
    poised = ev.Poised(t=1, pid=5, tid=5, at="access", op=op, object="v")
    state = State(variables=Map({"v": Variable(info=VariableInfo(key="v", name="v"))}))
    label = state.variables["v"].label
    assert describe_stand(state, poised) == text.replace(" v", f" {label}")
    assert describe_stand(State(), poised) == text.replace(" v", " a variable")


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("return", "stands behind its read"),
        ("start", "was just born, and has done nothing yet"),
        ("running", "is held in its own code"),
    ],
)
def test_where_a_thread_stands(at, text):
    assert describe_stand(State(), ev.Poised(t=1, pid=5, tid=5, at=at, call="read")) == text


def test_names_are_counted_until_there_are_too_many():
    draft = make_draft(State())
    assert [draft.number_name(name) for name in ("a", "a", "b")] == [1, 2, 1]
    full = Map({f"process p{n}": 1 for n in range(_MOST_NAMES)})
    draft = make_draft(State(labels=full))
    assert (draft.number_name("new"), draft.number_name("p1")) == (0, 2)
    draft = make_draft(State(labels=full.delete("process p0")))
    assert (draft.number_name("new"), draft.number_name("newer")) == (1, 0)


def field(name: str, **given) -> Field:
    return Field(name=name, **given)


@pytest.mark.parametrize(
    ("kind", "raw", "shown"),
    [
        ("int8", b"\x02", 2),
        ("int8", b"\xff", 0),
        ("uint8", b"\xff", 3),
        ("uint8", b"\x00", 0),
    ],
)
def test_how_many_elements_a_counter_lets_show(kind, raw, shown):
    fields = (
        field("n", type=kind),
        field("all", type="uint8", offset=1, count=3, counted_by="n"),
    )
    found = read_fields(fields, ev.MemorySample(object="m", size=4, data=raw + b"\1\2\3"))
    assert len(found[1].elements) == shown


def test_a_field_has_no_more_elements_than_are_shown():
    fields = (field("all", type="uint8", count=MOST_ELEMENTS + 5),)
    sample = ev.MemorySample(object="m", size=8000, data=bytes(8000))
    assert len(read_fields(fields, sample)[0].elements) == 4096


def folder(at: int, users: int) -> Folder:
    return Folder(
        path="/f", uses=tuple(FolderUse(pid=n, did=("lists",)) for n in range(users)), last_at=at
    )


def test_folders_of_one_process_are_forgotten_first_then_the_oldest():
    own = {f"/own{n}": folder(n, 1) for n in range(3)}
    shared = {f"/s{n}": folder(n, 2) for n in range(MOST_FOLDERS - 1)}
    draft = make_draft(State(folders=Map(own | shared)))
    _forget_folders(draft)
    assert set(draft.folders) == set(shared)
    more = shared | {"/last": folder(MOST_FOLDERS, 2)}
    draft = make_draft(State(folders=Map(own | more)))
    _forget_folders(draft)
    assert len(draft.folders) == MOST_FOLDERS // 2
    assert min(one.last_at for one in draft.folders.values()) == MOST_FOLDERS // 2


def test_who_made_a_descriptor_by_the_name_that_it_had_then():
    made = MadeBy(3, 0.0, 12, "pipe", "pipe:[1]", "sh")
    process = Process(pid=12, parent=1, name="sleep")
    assert _name_maker(process, made) == "sh[12], now sleep,"
    assert _name_maker(Process(pid=12, parent=1, name="sh"), made) == "sh[12]"
    assert _name_maker(process, made._replace(name="")) == "sleep[12]"
    assert _name_maker(None, made).endswith("[12]")


def test_what_no_state_refers_to_is_forgotten():
    history = History()
    made = MadeBy(1, 0.0, 11, "pipe", "pipe:[1]")
    born, ran = ev.Forked(t=0, pid=11, parent=1), ev.Executed(t=0, pid=11, path="/a", argv=("a",))
    history.made, history.found = {1: made, 99: made}, {1, 99}
    history.born, history.executed = {11: born, 99: born}, {11: ran, 99: ran}
    history.awaited = {11: (12,), 99: (12,)}
    state = reduce_all(fakes.pipeline_start())
    ofd = next(iter(state.open_files))
    history.made[ofd], history.found = made, {ofd, 10**9}
    history.made[10**9] = made
    history.forget(state)
    assert (ofd in history.made, 10**9 in history.made) == (True, False)
    assert history.found == {ofd}
    assert 99 not in history.born
    assert (set(history.born), set(history.awaited)) == ({11}, {11})
    assert set(history.executed) == {11}


@pytest.mark.parametrize(
    ("words", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_words_are_joined(words, text):
    assert join_and(words) == text


DUPLICATED = ev.Duplicated(source=3, fd=1)
MADE = (
    ev.Opened(fd=3, ofd=1, object=PIPE, mode="r"),
    ev.Opened(fd=4, ofd=2, object=PIPE, mode="w"),
)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (did("read", fd=3, object=PIPE.key, ret=5), "read 5 P1"),
        (did("read", fd=3, object=PIPE.key, ret=0), "read end of file P1"),
        (did("write", fd=3, object=PIPE.key, ret=0), "write 0 P1"),
        (did("read", fd=3, error="EAGAIN"), "read EAGAIN"),
        (did("mq_timedreceive", fd=3, object=PIPE.key, ret=5), "mq_timedreceive P1"),
        (did("futex", op="FUTEX_WAKE", ret=2), "wakes 2"),
        (did("futex", op="FUTEX_WAIT", ret=0), "is woken"),
        (did("semop", ops="[0] -1"), "semop [0] -1"),
        (did("openat", path="/tmp/f", ret=3), "open f as 3"),
        (did("dup2", DUPLICATED, fd=3, ret=1), "dup2 3 as 1"),
        (did("pipe", *MADE), "pipe 3, 4"),
        (did("kill", signal="SIGTERM"), "kill SIGTERM"),
        (did("rt_sigsuspend"), "sigsuspend"),
        (did("fsync", fd=3, object=PIPE.key), "fsync P1"),
        (did("fsync", fd=3), "fsync 3"),
        (did("fork"), "fork"),
    ],
)
def test_a_call_in_a_lane(call, text):
    assert _describe_call(call, State(objects=Map({PIPE.key: thing(1)}))) == text
