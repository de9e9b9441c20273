"""Debug registers of aarch64, as asm/hw_breakpoint.h and asm/ptrace.h lay them out."""

from __future__ import annotations

import struct
from unittest import mock

import pytest

from ipcviz.kernel import ptrace, watchpoints
from ipcviz.kernel.arch import AARCH64, X86_64
from ipcviz.kernel.watchpoints import On, Watchpoint, encode_slot, find_touched, set_watchpoints

WATCH, BREAK = 0x403, 0x402


class Processor:
    """A thread whose sets have so many registers; it refuses addresses of the kernel."""

    def __init__(self, rooms):
        self.sets = {
            number: struct.pack("=I4x", room) + bytes(16 * room) for number, room in rooms.items()
        }
        self.writes = []

    def read_register_set(self, tid, number):
        return self.sets.get(number, b"")

    def write_register_set(self, tid, number, data):
        self.writes.append(number)
        slots = list(struct.iter_unpack("=QI4x", data[8:]))
        if any(address >> 63 for address, _ in slots):
            return False
        self.sets[number] = self.sets[number][:8] + data[8:]
        return True

    def used(self, number):
        return [
            (address, control)
            for address, control in struct.iter_unpack("=QI4x", self.sets[number][8:])
            if control
        ]


@pytest.fixture
def processor(monkeypatch):
    made = Processor({WATCH: 2, BREAK: 6})
    monkeypatch.setattr(ptrace, "read_register_set", made.read_register_set)
    monkeypatch.setattr(ptrace, "write_register_set", made.write_register_set)
    return made


@pytest.mark.parametrize(
    ("one", "control"),
    [
        (Watchpoint(0x1000, 1), 0b00000001_11_00_1),
        (Watchpoint(0x1000, 8), 0b11111111_11_00_1),
        (Watchpoint(0x1000, 4, On.STORE), 0b00001111_10_00_1),
        (Watchpoint(0x1000, 1, On.EXECUTION), 0b00001111_00_00_1),
    ],
)
def test_a_control_word(one, control):
    assert encode_slot(one) == control


def test_memory_and_execution_have_registers_of_their_own(processor):
    code, data = Watchpoint(0x400, 1, On.EXECUTION), Watchpoint(0x1000, 8)
    assert set_watchpoints(1, AARCH64, [data, None, code])
    assert processor.used(WATCH) == [(0x1000, encode_slot(data))]
    assert processor.used(BREAK) == [(0x400, encode_slot(code))]
    assert set_watchpoints(1, AARCH64, [])
    assert not processor.used(WATCH)
    assert not processor.used(BREAK)


def test_what_was_never_used_is_not_written(processor):
    assert set_watchpoints(1, AARCH64, [Watchpoint(0x1000, 8)])
    assert processor.writes == [WATCH]


@pytest.mark.parametrize(
    "points",
    [
        [Watchpoint(0x1000, 8)] * 3,
        [Watchpoint(0x1002, 4)],
        [Watchpoint(0x1000, 8), Watchpoint(1 << 63, 8)],
        [Watchpoint(0x1000, 8)] * 5,
    ],
    ids=["it has two", "not aligned", "the kernel's memory", "more than are used"],
)
def test_what_cannot_be_watched_is_refused_as_a_whole(processor, points):
    assert set_watchpoints(1, AARCH64, [Watchpoint(0x2000, 8)])
    assert not set_watchpoints(1, AARCH64, points)
    assert (0x1000, encode_slot(Watchpoint(0x1000, 8))) not in processor.used(WATCH)


def test_a_machine_without_them_gives_none(processor):
    processor.sets = {WATCH: struct.pack("=I4x", 0), BREAK: struct.pack("=I4x", 0)}
    assert not set_watchpoints(1, AARCH64, [Watchpoint(0x1000, 8)])
    assert set_watchpoints(1, AARCH64, [])
    processor.sets = {}
    assert not set_watchpoints(1, AARCH64, []), "the thread is gone"


POINTS = (Watchpoint(0x1000, 8), Watchpoint(0x1010, 4), Watchpoint(0x1000, 8, On.STORE))


@pytest.mark.parametrize(
    ("address", "stores", "touched"),
    [
        (0x1000, False, {0}),
        (0x1007, True, {0, 2}),
        (0x1010, True, {1}),
        # A pair that begins before what it touches.
        (0x0FF8, False, {0}),
        (0x100C, False, {1}),
    ],
)
def test_which_of_them_an_access_touches(address, stores, touched):
    assert find_touched(POINTS, address, stores=stores) == touched


def test_none_is_touched_where_none_watches():
    assert find_touched((), 0x1000, stores=True) == frozenset()


def test_registers_of_x86_64_are_words_of_the_user_area():
    with mock.patch.object(ptrace, "set_user", return_value=True) as put:
        assert set_watchpoints(7, X86_64, [Watchpoint(0x1000, 4, On.STORE)])
    assert [call.args[2] for call in put.call_args_list] == [0, 0x1000, 0b1101 << 16 | 1]
    assert watchpoints.REGISTERS == 4
