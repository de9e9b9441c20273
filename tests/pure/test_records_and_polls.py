"""What reads of records and waits for readiness prove: on plain data."""

from __future__ import annotations

import pytest

from ipcviz import events as ev
from ipcviz.diagnose.doctor import Doctor
from ipcviz.diagnose.rules.polls import TURNS
from ipcviz.diagnose.rules.records import Borders
from tests import fakes

WRITER, READER = 12, 13
"""Two processes of `fakes.pipeline_start`, which have the pipe's ends as descriptors 1 and 0."""


def wrote(count: int, ret: int | None = None, error: str = "") -> ev.Call:
    ret = count if ret is None else ret
    return fakes.call(
        2.0, WRITER, "write", fd=1, obj=fakes.PIPE.key, ret=ret, args={"count": count}, error=error
    )


def read(count: int, ret: int) -> ev.Call:
    return fakes.call(2.0, READER, "read", fd=0, obj=fakes.PIPE.key, ret=ret, args={"count": count})


def ended(code: int = 0) -> ev.Exited:
    return ev.Exited(t=3.0, pid=READER, code=code)


def waited(ready: str) -> ev.Call:
    return fakes.call(2.0, READER, "poll", ret=1, args={"count": 1, "ready": ready})


def find(*events: ev.Event) -> list[str]:
    doctor = Doctor()
    doctor.follow_events(fakes.numbered([*fakes.pipeline_start(), *events]))
    return [one.rule for one in doctor.findings]


def test_the_borders_of_a_record_are_those_of_writes() -> None:
    borders = Borders()
    for start, count in ((0, 8), (8, 16), (24, 24)):
        borders.add_write(start, count)
    assert borders.count_pieces(0, 24) == 2
    assert borders.count_pieces(24, 48) == 1
    assert borders.count_pieces(0, 20) == 0
    assert borders.count_pieces(4, 24) == 0
    assert borders.count_pieces(48, 72) == 0


@pytest.mark.parametrize(
    "events",
    [
        # The next read has bytes of two records.
        (wrote(8), read(24, 8), wrote(16), wrote(24), read(24, 24)),
        # The reader failed: the rest was never read; or it was taken for another record.
        (wrote(8), read(24, 8), wrote(16), ended(1)),
        (wrote(8), read(24, 8), wrote(16), read(24, 16), ended(1)),
        # The rest came when it had failed already.
        (wrote(8), read(24, 8), ended(1), wrote(16, -1, "EPIPE")),
        # One write, of which the reader took a part only, without an error.
        (wrote(300000), read(300000, 65536), ended()),
    ],
)
def test_a_part_of_a_record(events: tuple[ev.Event, ...]) -> None:
    assert find(*events) == ["short-read"]


@pytest.mark.parametrize(
    "events",
    [
        # It asks for the rest.
        (wrote(8), read(24, 8), wrote(16), read(16, 16), wrote(24), read(24, 24)),
        # It ends well, with all that was written.
        (wrote(8), read(24, 8), wrote(16), read(24, 16), ended()),
        (wrote(8), read(24, 8), ended(1)),
        # Messages of which none has the size that is asked for; many of which happen to.
        (wrote(8), read(24, 8), wrote(30), read(24, 24), ended(1)),
        (wrote(3), read(24, 3), *[wrote(3)] * 9, read(24, 24), ended(1)),
        # Room as of a buffer.
        (wrote(100), read(4096, 100), wrote(3996), wrote(4096), read(4096, 4096), ended(1)),
        # What is not known: others moved bytes that were not told.
        (wrote(8), read(24, 8), ev.Dropped(t=2.0, events=5), wrote(16), ended(1)),
    ],
)
def test_what_is_no_part_of_a_record(events: tuple[ev.Event, ...]) -> None:
    assert find(*events) == []


def test_a_hang_up_again_and_again() -> None:
    assert find(*[waited("0h")] * TURNS) == []  # it has a writer still
    gone = fakes.close(2.0, WRITER, 1, fakes.PIPE.key)
    assert find(gone, *[waited("0h")] * (TURNS - 1)) == []
    assert find(gone, *[waited("0h")] * TURNS) == ["hang-up-loop"]
    assert find(gone, *[waited("0r")] * TURNS) == ["hang-up-loop"]
    assert find(*[waited("9n")] * TURNS) == ["hang-up-loop"]


@pytest.mark.parametrize(
    "between",
    [
        read(24, 8),
        fakes.close(2.0, READER, 0, fakes.PIPE.key),
        waited("1w"),
        ev.Coverage(t=2.0, pid=READER, full=False),
    ],
)
def test_what_ends_a_loop_of_hang_ups(between: ev.Event) -> None:
    gone = fakes.close(2.0, WRITER, 1, fakes.PIPE.key)
    turns = [waited("0h")] * (TURNS // 2)
    assert find(gone, *turns, between, *turns) == []
