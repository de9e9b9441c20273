"""Frames survive any way of being cut into pieces."""

import os

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ipcviz import events as ev
from ipcviz.events.undecoded import encode_value, escape_text, restore_text
from ipcviz.tracer.wire import Unframer, frame_body


@given(
    st.lists(st.binary(max_size=300), max_size=8),
    st.lists(st.integers(1, 50), min_size=1, max_size=20),
)
def test_bodies_come_out_whole_and_in_order(bodies, cuts):
    stream = b"".join(frame_body(body) for body in bodies)
    unframer = Unframer()
    out, position, turn = [], 0, 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        turn += 1
        out += unframer.feed(stream[position : position + size])
        position += size
    assert out == bodies


@given(st.binary(min_size=1, max_size=20))
def test_any_name_that_linux_allows_goes_through(raw):
    """Also what is no UTF-8: it comes back as it was, in texts, in tuples and in what an event is
    made of.
    """
    name = os.fsdecode(raw)
    event = ev.Executed(t=1.0, n=1, pid=2, path=f"/tmp/{name}", argv=(name, "b"), name=name)
    call = ev.Call(
        t=1.0,
        n=2,
        pid=2,
        tid=2,
        name="open",
        began=0.5,
        args={"path": name, "n": 3},
        ret=3,
        data=raw,
    )
    got = msgspec.msgpack.decode(
        encode_value(msgspec.msgpack.Encoder(), [event, call]), type=list[ev.Event]
    )
    assert (restore_text(got[0].path), tuple(map(restore_text, got[0].argv))) == (
        event.path,
        event.argv,
    )
    assert (restore_text(got[1].args["path"]), got[1].args["n"], got[1].data) == (name, 3, raw)
    msgspec.json.encode(got)


def test_a_message_shows_the_byte():
    assert escape_text(os.fsdecode(b"caf\xc3\xa9 \xff")) == "café \\xff"
    assert escape_text("a\x1b[2J\n") == "a\\x1b[2J\\n"
    (kept,) = msgspec.msgpack.decode(
        encode_value(msgspec.msgpack.Encoder(), [os.fsdecode(b"\x80\xff")])
    )
    assert escape_text(kept) == "\\x80\\xff"
