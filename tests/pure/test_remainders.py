"""What is left to do of a call that was cut short: a row a call."""

from __future__ import annotations

import pytest

from ipcviz.kernel.arch import X86_64, call_numbers
from ipcviz.tracer.calls import limits
from ipcviz.tracer.calls.remainders import (
    MSG_DONTWAIT,
    MSG_PEEK,
    MSG_WAITALL,
    MSG_WAITFORONE,
    ROWS,
    SPLICE_F_NONBLOCK,
    File,
    Kind,
    Leg,
    Rest,
    may_be_cut,
    rest_of,
)

PIECES = (0x1000, 100, 0x2000, 50, 0x3000, 200)
"""Three pieces of memory, at 0x900."""
MESSAGE = (0x5000, 16, 0x900, 3, 0, 0)
"""A message with an address and these pieces, at 0x800."""


class Made:
    """A thread whose descriptors are all of one kind."""

    def __init__(
        self, kind: Kind = "stream", *, blocks: bool = True, least: int = 1, control: int = 0
    ) -> None:
        self.kind, self.blocks, self.least, self.control = kind, blocks, least, control
        self.forgotten: list[int] = []

    def read_file(self, fd: int) -> File:
        return File(self.kind, self.blocks, self.least)

    def read_words(self, address: int, count: int) -> tuple[int, ...]:
        message = (*MESSAGE[:4], self.control, 64)
        found = {0x900: PIECES, 0x800: message, 0x838: (30,)}.get(address, ())
        return found[:count]

    def forget_error(self, fd: int) -> None:
        self.forgotten.append(fd)


def six(*args: int) -> tuple[int, ...]:
    return (*args, *([0] * (6 - len(args))))


@pytest.mark.parametrize(
    ("name", "raw", "result", "legs"),
    [
        ("write", six(3, 0x10, 500), 100, [("write", six(3, 0x74, 400), 400)]),
        (
            "writev",
            six(3, 0x900, 3),
            120,
            [("write", six(3, 0x2014, 30), 30), ("writev", six(3, 0x920, 1), 200)],
        ),
        ("writev", six(3, 0x900, 3), 100, [("writev", six(3, 0x910, 2), 250)]),
        (
            "sendto",
            (3, 0x10, 500, 0x4000, 9, 8),
            100,
            [("sendto", (3, 0x74, 400, 0x4000, 9, 8), 400)],
        ),
        (
            "sendmsg",
            six(3, 0x800, 0x4000),
            120,
            [
                ("sendto", (3, 0x2014, 30, 0x4000, 0x5000, 16), 30),
                ("sendto", (3, 0x3000, 200, 0x4000, 0x5000, 16), 200),
            ],
        ),
        ("sendfile", six(3, 4, 0x10, 500), 100, [("sendfile", six(3, 4, 0x10, 400), 400)]),
        (
            "splice",
            (4, 0, 3, 0, 500, 0),
            100,
            [("splice", (4, 0, 3, 0, 400, SPLICE_F_NONBLOCK), 400)],
        ),
        (
            "recvfrom",
            six(3, 0x10, 500, MSG_WAITALL),
            100,
            [("recvfrom", six(3, 0x74, 400, MSG_WAITALL), 400)],
        ),
        (
            "recvmsg",
            six(3, 0x800, MSG_WAITALL),
            120,
            [
                ("recvfrom", six(3, 0x2014, 30, MSG_WAITALL), 30),
                ("recvfrom", six(3, 0x3000, 200, MSG_WAITALL), 200),
            ],
        ),
        ("recvmmsg", six(3, 0x4000, 5, 0), 2, [("recvmmsg", six(3, 0x4080, 3, 0), 3)]),
        ("sendmmsg", six(3, 0x4000, 5, 0), 2, [("sendmmsg", six(3, 0x4080, 3, 0), 3)]),
        ("getrandom", six(0x10, 500, 1), 100, [("getrandom", six(0x74, 400, 1), 400)]),
        (
            "io_getevents",
            six(7, 3, 8, 0x100, 0x200),
            2,
            [("io_getevents", six(7, 1, 6, 0x140, 0x200), 1)],
        ),
        (
            "io_pgetevents",
            (7, 3, 8, 0x100, 0x200, 9),
            2,
            [("io_pgetevents", (7, 1, 6, 0x140, 0x200, 9), 1)],
        ),
        ("io_uring_enter", (5, 4, 2, 1, 0, 8), 4, [("io_uring_enter", (5, 0, 2, 1, 0, 8), 0)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_rest_is_made(
    name: str, raw: tuple[int, ...], result: int, legs: list[tuple[object, ...]]
) -> None:
    assert rest_of(name, raw, result, Made()) == Rest(result, tuple(Leg(*leg) for leg in legs))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "raw", "result", "look"),
    [
        ("write", six(3, 0x10, 500), 100, Made("pipe", blocks=False)),
        ("write", six(3, 0x10, 500), 500, Made("pipe")),
        ("write", six(3, 0x10, 500), 100, Made("other")),
        ("writev", six(3, 0x900, 3), 350, Made()),
        ("sendto", six(3, 0x10, 500, MSG_DONTWAIT), 100, Made()),
        ("sendfile", six(3, 4, 0x10, 500), 100, Made("pipe")),
        ("splice", (4, 0, 3, 0, 500, 0), 100, Made("pipe")),
        ("read", six(3, 0x10, 500), 100, Made("pipe")),
        ("read", six(3, 0x10, 500), 100, Made("stream")),
        ("recvfrom", six(3, 0x10, 500), 100, Made()),
        ("recvfrom", six(3, 0x10, 500, MSG_WAITALL), 0, Made()),
        ("recvfrom", six(3, 0x10, 500, MSG_WAITALL), 100, Made("datagram")),
        ("recvfrom", six(3, 0x10, 500, MSG_WAITALL | MSG_PEEK), 100, Made("unix stream")),
        ("recvmsg", six(3, 0x800, MSG_WAITALL), 120, Made("unix stream", control=0x700)),
        ("recvmmsg", six(3, 0x4000, 5, MSG_WAITFORONE), 2, Made()),
        ("io_getevents", six(7, 2, 8, 0x100), 2, Made()),
        ("copy_file_range", (3, 0, 4, 0, 500, 0), 100, Made("other")),
    ],
)
def test_what_is_short_by_itself_has_no_rest(
    name: str, raw: tuple[int, ...], result: int, look: Made
) -> None:
    assert rest_of(name, raw, result, look) is None


def test_reads_wait_for_as_much_as_they_are_told_to() -> None:
    raw = six(3, 0x10, 500)
    found = rest_of("read", raw, 5, Made("terminal", least=20))
    assert found == Rest(5, (Leg("read", six(3, 0x15, 15), 15),))
    assert rest_of("read", raw, 20, Made("terminal", least=20)) is None
    found = rest_of("read", raw, 100, Made("memory"))
    assert found == Rest(100, (Leg("read", six(3, 0x74, 400), 400),))


def test_a_message_that_was_cut_is_sent_to_its_end_before_the_next_one() -> None:
    found = rest_of("sendmmsg", six(3, 0x7C0 + 64, 3, 0), 1, Made())
    assert found is not None
    into = 0x800 + 56
    assert found.legs == (
        Leg("sendto", (3, 0x101E, 70, 0, 0x5000, 16), 70, False, into),
        Leg("sendto", (3, 0x2000, 50, 0, 0x5000, 16), 50, False, into),
        Leg("sendto", (3, 0x3000, 200, 0, 0x5000, 16), 200, False, into),
        Leg("sendmmsg", six(3, 0x840, 2, 0), 2),
    )


def test_the_time_of_recvmmsg_is_looked_at_after_each_message() -> None:
    found = rest_of("recvmmsg", six(3, 0x4000, 4, 0, 0x100), 2, look := Made())
    assert found is not None
    assert [leg.args[:3] for leg in found.legs] == [(3, 0x4080, 1), (3, 0x40C0, 1)]
    assert look.forgotten == [3]


def test_every_row_is_a_call_of_the_architecture() -> None:
    numbers = call_numbers(X86_64.table)
    assert set(ROWS) <= set(numbers)
    assert set(limits.EXPIRED) <= set(numbers)
    assert set(limits.EXPIRED) >= limits.ANEW
    assert not may_be_cut("nanosleep", six(1, 2), 5)
