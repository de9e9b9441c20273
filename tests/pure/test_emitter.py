"""Emitting an event: one call, which numbers it and gives it the time."""

import socket

import pytest

from ipcviz.events import Marker
from ipcviz.events.base import UNTIMED
from ipcviz.tracer.emitter import Emitter


@pytest.fixture
def emitter():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Emitter(ours)


def test_an_event_has_its_number_and_the_time_from_the_emitter(emitter):
    first, second = (Marker(pid=1, tid=1, text=text) for text in ("a", "b"))
    assert first.t == UNTIMED
    before = emitter.now()
    emitter.emit(first)
    emitter.emit(second)
    assert before <= first.t <= second.t <= emitter.now()
    assert (first.n, second.n) == (1, 2)


def test_the_time_of_a_stop_is_kept(emitter):
    event = Marker(t=0.25, pid=1, tid=1, text="a")
    emitter.emit(event)
    assert event.t == 0.25
