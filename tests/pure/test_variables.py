"""Watched variables: what a person may write, what is lost by a store, and what is said of it."""

from __future__ import annotations

import struct

import pytest

from ipcviz.events import Accessed, Exited, Forked, VariableFound, VariableInfo, VariableSpec
from ipcviz.events.accesses import format_value, parse_variable
from ipcviz.model.mechanisms.variables import find_torn_readers, is_between_stores
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps.schedule import ScheduleError, parse_schedule
from ipcviz.narrate import narrate

A, B = 10, 11
COUNTER = VariableInfo("var:1:7:0", "counter", 4, "int", "int", "1:7", 0)


def number(value):
    return struct.pack("<i", value)


def played(*steps):
    """The states and sentences of a run: (`a`, `load`, before, after) ..."""
    state, sentences = State(), []
    events = [
        Forked(t=0.0, n=1, pid=A, parent=1, how="launched", name="a"),
        Forked(t=0.0, n=2, pid=B, parent=A, how="fork", name="b"),
        VariableFound(t=0.0, n=3, pid=A, variable=COUNTER, address=4096, value=number(0)),
        VariableFound(t=0.0, n=4, pid=B, variable=COUNTER, address=8192, value=number(0)),
    ]
    for n, (who, op, before, after, *more) in enumerate(steps, 5):
        facts = more[0] if more else {"file": "/src/counter.c", "line": 12}
        events.append(
            Accessed(
                t=0.0, n=n, pid=who, tid=who, variable=COUNTER.key, op=op,
                before=number(before), after=number(after), **facts,
            )
        )  # fmt: skip
    for event in events:
        after = reduce(state, event)
        sentence = narrate(event, state, after)
        sentences.append(sentence.text if sentence else "")
        state = after
    return state, sentences[4:]


LOST = ((A, "load", 7, 7), (B, "load", 7, 7), (B, "store", 7, 8), (A, "store", 8, 8))


def test_an_update_that_is_lost_is_told_at_the_store_that_loses_it():
    state, sentences = played(*LOST)
    assert sentences[0] == "a[10] loaded counter: 7 (counter.c:12)"
    assert sentences[2] == "b[11] stored counter: 8 over 7 (counter.c:12)"
    assert sentences[3] == (
        "a[10] stored counter: 8 over 8 (counter.c:12): an update was lost. It had loaded 7 before"
        " b[11] stored 8"
    )
    variable = state.variables[COUNTER.key]
    assert (variable.lost, variable.lost_at, variable.version) == (1, 8, 2)
    assert variable.places[B] == 8192


@pytest.mark.parametrize(
    "steps",
    [
        ((A, "load", 0, 0), (A, "store", 0, 1), (B, "load", 1, 1), (B, "store", 1, 2)),
        # A flag that two set and reset for each other: each has seen the other's value.
        ((A, "store", 0, 1), (B, "load", 1, 1), (B, "store", 1, 0), (A, "store", 0, 1)),
        # Nothing was made of what was loaded: it had stored since.
        ((A, "load", 0, 0), (A, "store", 0, 1), (B, "store", 1, 5), (A, "store", 5, 2)),
        # One instruction loads and stores.
        ((A, "load", 0, 0), (B, "update", 0, 1), (A, "update", 1, 2)),
        # Its own store in between is no other's.
        ((A, "load", 0, 0), (A, "store", 0, 1), (A, "load", 1, 1), (A, "store", 1, 2)),
    ],
)
def test_nothing_is_lost_where_a_store_follows_from_what_is_there(steps):
    state, sentences = played(*steps)
    assert state.variables[COUNTER.key].lost == 0
    assert not any("lost" in sentence for sentence in sentences)


def test_who_has_ended_loses_nothing():
    state, _ = played(*LOST[:3])
    assert A in state.variables[COUNTER.key].loads
    state = reduce(state, Exited(t=1.0, n=9, pid=A))
    assert A not in state.variables[COUNTER.key].loads


@pytest.mark.parametrize(
    ("op", "facts", "said"),
    [
        (
            "update",
            {"instruction": "lock add dword ptr [rax], 1"},
            "loaded and stored counter in one instruction (lock add dword ptr [rax], 1): 8 over 7",
        ),
        ("update", {}, "loaded and stored counter in one instruction: 8 over 7"),
        ("access", {}, "loaded counter, or stored the value that it had: 8"),
        ("store", {}, "stored counter: 8 over 7"),
        (
            "load",
            {"unseen": True, "file": "/src/a.c", "line": 3},
            "loaded counter: 8, which something that is not watched has changed (a.c:3)",
        ),
    ],
)
def test_what_one_instruction_did_in_words(op, facts, said):
    assert played((A, op, 7, 8, facts))[1] == [f"a[10] {said}"]


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("counter", VariableSpec("counter", "counter")),
        ("*shared", VariableSpec("*shared", "*shared")),
        ("queue->slot[2].text", VariableSpec("queue->slot[2].text", "queue->slot[2].text")),
        ("in=queue->in", VariableSpec("in", "queue->in")),
        ("shared.dat+8:int", VariableSpec("shared.dat+8:int", "", "shared.dat", 8, "int")),
        (
            "n = anonymous+0x10:unsigned  long",
            VariableSpec("n", "", "anonymous", 16, "unsigned long"),
        ),
        ("/tmp/a+b+4:char", VariableSpec("/tmp/a+b+4:char", "", "/tmp/a+b", 4, "char")),
    ],
)
def test_a_variable_as_a_person_writes_it(text, spec):
    assert parse_variable(text) == spec


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("shared.dat+8:string", "'string' is no type"),
        ("shared.dat+2:int", "offset 2 is no multiple of the 4 bytes of int"),
        ("a+b", "names no variable"),
        ("", "names no variable"),
        ("queue->", "names no variable"),
    ],
)
def test_what_names_no_variable_is_refused_in_a_sentence(text, why):
    with pytest.raises(ValueError, match=r"\w") as refused:
        parse_variable(text)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("encoding", "raw", "shown"),
    [
        ("int", b"\xff\xff", "-1"),
        ("uint", b"\xff", "255"),
        ("float", struct.pack("<d", 0.25), "0.25"),
        ("bool", b"\x02", "true"),
        ("pointer", bytes(8), "NULL"),
        ("pointer", (4096).to_bytes(8, "little"), "0x1000"),
        ("", b"\x01\x02", "01 02"),
        ("int", b"", "?"),
    ],
)
def test_a_value_as_a_person_writes_it(encoding, raw, shown):
    assert format_value(encoding, raw) == shown


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_number_of_each_size(size):
    for value in (0, 1, 2 ** (8 * size - 1) - 1):
        raw = value.to_bytes(size, "little")
        assert {format_value(kind, raw) for kind in ("int", "uint")} == {str(value)}
    most = bytes([255] * size)
    assert (format_value("int", most), format_value("uint", most)) == ("-1", str(256**size - 1))


def test_a_schedule_says_whose_load_or_store_is_meant():
    (one, two, three) = parse_schedule(
        "a to load counter\nb to store on the counter\na to update"
    ).lines
    assert (one.kind, one.who, one.operation, one.on) == ("to", "a", "load", "counter")
    assert (two.operation, two.on) == ("store", "the counter")
    assert (three.operation, three.on) == ("update", "")
    with pytest.raises(ScheduleError, match="write 'a to store counter'"):
        parse_schedule("a store on counter")


TEXT = VariableInfo("var:1:7:8", "text", 8, "long", "int", "1:7", 8, group="message")
LENGTH = VariableInfo("var:1:7:16", "length", 4, "int", "int", "1:7", 16, group="message")


def messages(*steps):
    """Sentences of (who, op, variable) steps on a message of two parts."""
    state, said = State(), []
    events = [
        Forked(t=0.0, n=1, pid=A, parent=1, how="launched", name="a"),
        Forked(t=0.0, n=2, pid=B, parent=A, how="fork", name="b"),
        VariableFound(t=0.0, n=3, pid=A, variable=TEXT, address=8, value=number(0) * 2),
        VariableFound(t=0.0, n=4, pid=A, variable=LENGTH, address=16, value=number(0)),
    ]
    events += [
        Accessed(t=0.0, n=n, pid=who, tid=who, variable=info.key, op=op, after=number(n))
        for n, (who, op, info) in enumerate(steps, 5)
    ]
    for event in events:
        after = reduce(state, event)
        sentence = narrate(event, state, after)
        said.append(sentence.text if sentence else "")
        state = after
    return said[4:], state


def test_a_read_between_two_stores_of_one_message_is_told_at_the_second():
    said, state = messages((A, "store", TEXT), (B, "load", LENGTH), (A, "store", LENGTH))
    assert "b[11] loaded from message between two stores" in said[2]
    assert state.changes == (), "all of it is stored: the next store begins a new change"


@pytest.mark.parametrize(
    "steps",
    [
        # Before and after the change.
        ((B, "load", LENGTH), (A, "store", TEXT), (A, "store", LENGTH), (B, "load", TEXT)),
        # Its own.
        ((A, "store", TEXT), (A, "load", TEXT), (A, "store", LENGTH)),
        # The same part once more: the change begins anew.
        ((A, "store", TEXT), (B, "load", TEXT), (A, "store", TEXT), (A, "store", LENGTH)),
    ],
)
def test_other_reads_of_a_message_are_whole(steps):
    said, state = messages(*steps)
    assert not any("between" in sentence for sentence in said)
    assert not state.changes


def test_who_has_ended_in_the_midst_of_a_change_changes_nothing_more():
    _, state = messages((B, "store", TEXT))
    assert state.changes
    assert not reduce(state, Exited(t=1.0, n=9, pid=B)).changes


def test_who_read_parts_of_two_messages_is_told_even_if_it_has_ended():
    _, state = messages((A, "store", TEXT), (B, "load", LENGTH))
    state = reduce(state, Exited(t=1.0, n=8, pid=B))
    store = Accessed(t=1.0, n=9, pid=A, tid=A, variable=LENGTH.key, op="store", after=number(9))
    sentence = narrate(store, state, reduce(state, store))
    assert "b[11] loaded from message between two stores" in sentence.text


def test_a_load_comes_between_two_stores_or_it_does_not():
    _, state = messages((A, "store", TEXT), (B, "load", LENGTH))
    load = Accessed(t=0.0, n=6, pid=B, tid=B, variable=LENGTH.key, op="load", after=number(6))
    assert is_between_stores(state, load)
    _, whole = messages((A, "store", TEXT), (A, "store", LENGTH), (B, "load", LENGTH))
    assert not is_between_stores(whole, load)


def test_of_a_variable_that_is_not_known_nobody_has_read_parts():
    store = Accessed(pid=1, tid=1, variable="none", op="store", before=b"\0", after=b"\1")
    assert find_torn_readers(State(), store) == frozenset()
