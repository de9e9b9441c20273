"""Whose bytes were read, and whose wait, in words."""

from __future__ import annotations

from ipcviz.events import Call, Coverage, Entered, Forked, Stepped, Waiting
from ipcviz.model.reduce import reduce
from ipcviz.narrate import TURN, describe_interleaving, describe_waiting_bytes, narrate
from tests.pure.test_ledger import KEY, PACKETS, Story


class Told(Story):
    """A story whose last sentence is kept."""

    def say(self, kind, t=0.0, **fields):
        before = self.state
        n = super().say(kind, t, **fields)
        event = kind(t=self.t, n=n, **fields)
        assert reduce(before, event) == self.state
        self.sentence = narrate(event, before, self.state)
        return n

    @property
    def text(self) -> str:
        return self.sentence.text if self.sentence else ""

    @property
    def whose(self) -> str:
        return describe_waiting_bytes(self.state, KEY)


def test_one_writer_and_several():
    told = Told(11, 12)
    told.write(10, 3000)
    told.read(12, 1000)
    assert told.text == "p12[12] read 1,000 bytes from P1 (fd 3), of what sh[10] wrote"
    first = told.sentence.group
    told.read(12, 500)
    assert told.sentence.group == first
    told.write(11, 96)
    told.write(11, 4)
    told.write(10, 1)
    assert told.whose == "sh[10] 1,500 B, p11[11] 100 B, sh[10] 1 B"
    told.read(12, 1600)
    assert told.text.endswith(": 1,500 bytes that sh[10] wrote, then 100 bytes that p11[11] wrote")
    assert told.sentence.group != first
    told.read(10, 1)
    assert told.text == "sh[10] read 1 byte from P1 (fd 3), of what it wrote itself"
    assert told.whose == ""


def test_in_step_mode_the_steps_are_named():
    told = Told(11, 12)
    for step in (7, 9):
        told.say(Stepped, pid=11, tid=11, step=step)
        told.write(11, 5)
    told.read(12, 2)
    assert told.text.endswith(", of what p11[11] wrote in step 7")
    told.read(12, 8)
    assert told.text.endswith(
        ": 3 bytes that p11[11] wrote in step 7, then 5 bytes that p11[11] wrote in step 9"
    )


def test_what_is_not_certain_is_marked():
    told = Told(11, 12)
    told.write(10, 4, b"aaaa", began=10.0, t=13.0)
    told.write(11, 4, b"bbbb", began=11.0, t=14.0)
    assert told.whose == "sh[10] 4 B and p11[11] 4 B, in whatever order"
    told.read(12, 4, b"bbbb")
    assert told.text.endswith(", probably of what p11[11] wrote")
    assert told.whose == "sh[10] 4 B, probably"


def test_what_is_not_known_is_not_said():
    told = Told(11, 12)
    told.write(10, 4)
    told.say(Coverage, pid=11, full=False, reason="busy")
    assert told.whose == f"not known since {told.t:.1f} s: p11[11] is only sampled"
    told.read(12, 4)
    assert told.text == "p12[12] read 4 bytes from P1 (fd 3)"


def test_a_write_that_goes_on():
    told = Told(11, 12)
    told.write(10, 4)
    args = {"fd": 4, "count": 100_000}
    told.say(Waiting, pid=11, tid=11, call="write", began=told.t + 0.5, args=args, object=KEY)
    assert told.whose == "sh[10] 4 B, p11[11] a part of a write that goes on"
    told = Told(11)
    told.write(11, 4)
    told.say(Waiting, pid=11, tid=11, call="write", began=told.t + 0.5, args=args, object=KEY)
    assert told.whose == "p11[11] 4 B and more of a write that goes on"


def test_an_interleaved_write_is_told():
    told = Told(11, 12)
    told.say(
        Entered, pid=11, tid=11, call="write", began=5.5, args={"fd": 4, "count": 90000}, object=KEY
    )
    told.read(12, 100)
    told.write(10, 5000)
    args, late = {"fd": 4, "count": 90000}, told.t + 0.1
    told.say(
        Call, pid=11, tid=11, name="write", ret=90000, object=KEY, args=args, began=5.5, slept=late
    )
    assert told.text == "p11[11] wrote 90,000 bytes to P1 (fd 4); bytes of sh[10] came in between"
    assert told.sentence.weight == TURN
    words = "bytes of sh[10] came in between those that p11[11] wrote by one call"
    assert describe_interleaving(told.state, KEY) == words


def test_bytes_that_speak_for_an_interleaved_write():
    told = Told(11, 12)
    told.say(
        Entered, pid=11, tid=11, call="write", began=5.5, args={"fd": 4, "count": 90000}, object=KEY
    )
    told.read(12, 100)
    told.write(10, 8, b"listen!\n")
    told.read(12, 8, b"listen!\n")
    assert told.text.endswith(", probably of what sh[10] wrote")
    told.read(12, 100)
    assert told.text.endswith("; probably bytes of sh[10] lay inside of one write of p11[11]")


def test_a_child_has_a_name_before_its_program():
    told = Told()
    told.say(Forked, pid=11, parent=10, by=10)
    told.write(11, 2)
    assert told.whose == "sh[11] 2 B"


def test_of_many_who_wrote_three_are_named():
    told = Told(11, 12, 13)
    for pid in (10, 11, 13):
        told.write(pid, 2)
    told.read(12, 6)
    assert told.text.endswith(
        ": 2 bytes that sh[10] wrote, then 2 bytes that p11[11] wrote, then 2 bytes that p13[13]"
        " wrote"
    )
    for pid in (10, 11, 13, 10):
        told.write(pid, 2)
    told.read(12, 8)
    assert told.text.endswith("then 2 bytes that p13[13] wrote and 1 more")


def test_of_writes_that_went_in_in_parts_nobody_can_tell_how_much_was_read():
    """Two writers sleep in a full pipe, each with a part of its bytes in it."""
    told = Told(11, 12)
    told.write(10, 5000, b"a" * 64)
    args = {"fd": 4, "count": 5000}
    for pid in (11, 10):
        told.say(Waiting, pid=pid, tid=pid, call="write", began=told.t, args=args, object=KEY)
    asleep = told.t
    told.read(12, 6808, b"a" * 64)
    words = ": 5,000 bytes that sh[10] wrote, then 1,808 bytes that sh[10] or p11[11] wrote"
    assert told.text.endswith(words)
    for pid in (11, 10):
        told.write(pid, 5000, began=asleep - 3, slept=asleep)
    assert told.whose == "8,192 B of p11[11] and sh[10], nobody can tell how many of each"
    told.read(12, 8192, b"b" * 64)
    assert told.text.endswith(", of what sh[10] or p11[11] wrote")
    assert told.whose == ""


def test_three_stretches_are_named_and_the_others_counted():
    for count, more in ((3, ""), (4, " and 1 more"), (5, " and 2 more")):
        told = Told(11, 12)
        for number in range(count):
            told.write(10 + number % 2, 5)
        told.read(12, 5 * count)
        assert told.text.count(", then ") == 2
        assert told.text.endswith("that sh[10] wrote" + more)


def test_what_is_gone_of_a_packet_is_counted():
    for dropped, words in ((1, "1 more byte"), (2, "2 more bytes")):
        told = Told(11, 12, effects=PACKETS, name="pipe2")
        told.call(10, "write", fd=4, ret=4 + dropped, object=KEY, args={"count": 4 + dropped})
        told.call(12, "read", fd=3, ret=4, object=KEY, args={"count": 4})
        assert "had no room and " + ("is" if dropped == 1 else "are") + " gone" in told.text, words
