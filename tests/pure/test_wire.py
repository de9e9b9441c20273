"""Frames survive any way of being cut into pieces."""

from hypothesis import given
from hypothesis import strategies as st

from ipcviz.tracer.wire import Unframer, frame


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_bodies_come_out_whole_and_in_order(bodies, cuts):
    stream = b"".join(frame(body) for body in bodies)
    unframer = Unframer()
    out, position, turn = [], 0, 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        turn += 1
        out += unframer.feed(stream[position : position + size])
        position += size
    assert out == bodies
