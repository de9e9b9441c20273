"""What is left to do of a call that a signal cut short after it had done a part: by table, a row a
call.

A call that moves bytes, messages or events comes back with what it has moved when a signal
interrupts it (signal(7)). Its rest is made of *legs*: calls whose arguments are numbers alone, so
that nothing is to be written into the program's memory. A vector's rest is the rest of the piece
that was cut, and then the pieces behind it where they are:

    writev(fd, iov, 4)                         3 pieces and a bit of the second one were to go ...
       |  cut in piece 1, after `n` bytes of it
       +-- write(fd, iov[1].base + n, iov[1].length - n)
       +-- writev(fd, iov + 2, 2)

A message's control data went with its first bytes, and is not sent again. What came back short by
its own nature has no rest: a descriptor that does not block, a read of a pipe, a stream that ended,
the edge of a datagram.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, Protocol

from ipcviz.events.calls import where

Kind = Literal["pipe", "stream", "unix stream", "datagram", "terminal", "memory", "other"]
"""What lies behind a descriptor, as far as calls on it can end early; `memory` is /dev/zero,
/dev/urandom and such.
"""

MSG_PEEK: Final = 0x2
MSG_DONTWAIT: Final = 0x40
MSG_WAITALL: Final = 0x100
MSG_WAITFORONE: Final = 0x10000
"""linux/socket.h"""
SPLICE_F_NONBLOCK: Final = 2
"""linux/splice.h: of the pipe alone."""
IORING_ENTER_GETEVENTS: Final = 1
"""linux/io_uring.h"""

MESSAGE: Final = 64
"""sizeof(struct mmsghdr)"""
MESSAGE_LENGTH: Final = 56
"""Offset of its msg_len."""
EVENT: Final = 32
"""sizeof(struct io_event), linux/aio_abi.h"""
PIECE: Final = 16
"""sizeof(struct iovec)"""
MOST_PIECES: Final = 1024
"""UIO_MAXIOV (linux/uio.h)"""

Raw = tuple[int, ...]


class File(NamedTuple):
    """What lies behind a descriptor.

    Attributes:
        kind: Its kind.
        blocks: Calls on it wait.
        least: As soon as so many bytes have come a read returns (VMIN of termios(3), SO_RCVLOWAT of
            socket(7)).
    """

    kind: Kind
    blocks: bool
    least: int = 1


class ThreadFacts(Protocol):
    """What else has to be known of the thread whose call it is."""

    def read_file(self, fd: int) -> File:
        """What lies behind a descriptor."""

    def read_words(self, address: int, count: int) -> tuple[int, ...]:
        """Words of 8 bytes in its memory; none if they can't be read."""

    def forget_error(self, fd: int) -> None:
        """Take a pending error from a socket (SO_ERROR)."""


class Leg(NamedTuple):
    """A call that does a part of another one.

    Attributes:
        name: The call.
        args: Its six arguments.
        wanted: The result with which it is done; 0 if every result will do.
        counts: Its result is part of the whole one's.
        into: Address of a number of 32 bits in the program's memory that its result is added to; 0
            for none.
    """

    name: str
    args: Raw
    wanted: int
    counts: bool = True
    into: int = 0


class Rest(NamedTuple):
    """What is left of a call: what the part before counts for the whole result, and the legs to
    come.
    """

    gained: int
    legs: tuple[Leg, ...]


def _pad_args(*args: int) -> Raw:
    return (*args, *([0] * (6 - len(args))))


def _read_pieces(look: ThreadFacts, address: int, count: int) -> list[tuple[int, int]]:
    """A struct iovec array's pieces: where, and how long."""
    words = look.read_words(address, 2 * min(count, MOST_PIECES))
    return list(zip(words[::2], words[1::2], strict=False))


def _skip_done(pieces: list[tuple[int, int]], done: int) -> tuple[int, int, list[tuple[int, int]]]:
    """How many pieces are done after so many bytes, how far the next one is, and what is left of
    all.
    """
    for index, (base, length) in enumerate(pieces):
        if done < length:
            return index, done, [(base + done, length - done), *pieces[index + 1 :]]
        done -= length
    return len(pieces), 0, []


def _has_to_send_all(look: ThreadFacts, fd: int, flags: int = 0) -> bool:
    """Whether a call that sends moves all or waits."""
    found = look.read_file(fd)
    return found.blocks and not flags & MSG_DONTWAIT and found.kind not in ("datagram", "other")


def _count_least(look: ThreadFacts, fd: int, count: int, flags: int = 0) -> int:
    """How many of `count` bytes a call that reads waits for, once the first has come."""
    found = look.read_file(fd)
    if not found.blocks or flags & MSG_DONTWAIT:
        return 0
    if found.kind == "memory":
        return count
    if found.kind == "terminal":
        return min(count, found.least)
    if found.kind not in ("stream", "unix stream") or (
        flags & MSG_PEEK and found.kind == "unix stream"
    ):
        return 0
    return count if flags & MSG_WAITALL else min(count, found.least)


def _continue_write(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    if not _has_to_send_all(look, raw[0]):
        return None
    rest = raw[2] - done
    return Rest(done, (Leg("write", _pad_args(raw[0], raw[1] + done, rest), rest),))


def _continue_writev(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    if not _has_to_send_all(look, raw[0]):
        return None
    pieces = _read_pieces(look, raw[1], raw[2])
    index, into, rest = _skip_done(pieces, done)
    legs = []
    if into:
        (base, length), *rest = rest
        legs.append(Leg("write", _pad_args(raw[0], base, length), length))
        index += 1
    if rest:
        array = raw[1] + PIECE * index
        legs.append(
            Leg(
                "writev",
                _pad_args(raw[0], array, len(pieces) - index),
                sum(length for _, length in rest),
            )
        )
    return Rest(done, tuple(legs))


def _continue_sendto(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    if not _has_to_send_all(look, raw[0], raw[3]):
        return None
    rest = raw[2] - done
    return Rest(done, (Leg("sendto", (raw[0], raw[1] + done, rest, *raw[3:6]), rest),))


def _message_legs(
    look: ThreadFacts, fd: int, header: int, flags: int, done: int, into: int = 0
) -> tuple[Leg, ...]:
    """The rest of one message to a stream, piece by piece; its control data has gone already."""
    words = look.read_words(header, 4)
    if len(words) < 4:
        return ()
    name, length = words[0], words[1] & 0xFFFFFFFF
    _, _, rest = _skip_done(_read_pieces(look, words[2], words[3]), done)
    return tuple(
        Leg("sendto", (fd, base, size, flags, name, length), size, not into, into)
        for base, size in rest
        if size
    )


def _continue_sendmsg(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    if not _has_to_send_all(look, raw[0], raw[2]):
        return None
    return Rest(done, _message_legs(look, raw[0], raw[1], raw[2], done))


def _continue_sendmmsg(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    found = look.read_file(raw[0])
    if not found.blocks or raw[3] & MSG_DONTWAIT or found.kind == "other":
        return None
    legs: tuple[Leg, ...] = ()
    if found.kind != "datagram":
        last = raw[1] + MESSAGE * (done - 1)
        place = last + MESSAGE_LENGTH
        words = look.read_words(place, 1)
        sent = words[0] & 0xFFFFFFFF if words else 0
        legs = _message_legs(look, raw[0], last, raw[3], sent, place)
    if done < raw[2]:
        rest = raw[2] - done
        legs = (
            *legs,
            Leg("sendmmsg", _pad_args(raw[0], raw[1] + MESSAGE * done, rest, raw[3]), rest),
        )
    return Rest(done, legs)


def _continue_sendfile(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    if look.read_file(raw[0]).kind == "pipe" or not _has_to_send_all(look, raw[0]):
        return None  # into a pipe it moves what has room, and is done
    rest = raw[3] - done
    return Rest(done, (Leg("sendfile", _pad_args(*raw[:3], rest), rest),))


def _continue_splice(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    if look.read_file(raw[2]).kind == "pipe" or not _has_to_send_all(look, raw[2]):
        return None
    rest = raw[4] - done
    # It would not have waited for more to come into the pipe, having moved something.
    return Rest(done, (Leg("splice", (*raw[:4], rest, raw[5] | SPLICE_F_NONBLOCK), rest),))


def _continue_read(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    rest = _count_least(look, raw[0], raw[2]) - done
    return Rest(done, (Leg("read", _pad_args(raw[0], raw[1] + done, rest), rest),))


def _continue_readv(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    pieces = _read_pieces(look, raw[1], raw[2])
    left = _count_least(look, raw[0], sum(length for _, length in pieces)) - done
    legs = []
    for base, length in _skip_done(pieces, done)[2]:
        size = min(length, left)
        if size > 0:
            legs.append(Leg("read", _pad_args(raw[0], base, size), size))
        left -= size
    return Rest(done, tuple(legs))


def _continue_recvfrom(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    least = _count_least(look, raw[0], raw[2], raw[3])
    if raw[3] & MSG_PEEK:
        return Rest(0, (Leg("recvfrom", raw, least),)) if done < least else None
    rest = least - done
    return Rest(done, (Leg("recvfrom", _pad_args(raw[0], raw[1] + done, rest, raw[3]), rest),))


def _continue_recvmsg(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    words = look.read_words(raw[1], 6)
    if (
        len(words) < 6
        or raw[2] & MSG_PEEK
        or (words[4] and look.read_file(raw[0]).kind == "unix stream")
    ):
        # Descriptors may be on their way with the rest, for which only another message has room.
        return None
    pieces = _read_pieces(look, words[2], words[3])
    left = _count_least(look, raw[0], sum(length for _, length in pieces), raw[2]) - done
    legs = []
    for base, length in _skip_done(pieces, done)[2]:
        size = min(length, left)
        if size > 0:
            legs.append(Leg("recvfrom", _pad_args(raw[0], base, size, raw[2]), size))
        left -= size
    return Rest(done, tuple(legs))


def _continue_recvmmsg(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    if (
        raw[3] & MSG_DONTWAIT
        or (done and raw[3] & MSG_WAITFORONE)
        or not look.read_file(raw[0]).blocks
    ):
        return None
    if done:
        # The kernel keeps what interrupted it as the socket's error, for the next call to return
        # (do_recvmmsg).
        look.forget_error(raw[0])
    if raw[4]:
        return Rest(done, messages_one_by_one(raw, done))
    rest = raw[2] - done
    return Rest(
        done, (Leg("recvmmsg", _pad_args(raw[0], raw[1] + MESSAGE * done, rest, raw[3]), rest),)
    )


def messages_one_by_one(raw: Raw, done: int) -> tuple[Leg, ...]:
    """recvmmsg(2) with a time limit: whether that is up is asked after each message, and there
    alone.
    """

    def leg(place: int, count: int, flags: int) -> Leg:
        return Leg("recvmmsg", _pad_args(raw[0], raw[1] + MESSAGE * place, count, flags), count)

    if raw[3] & MSG_WAITFORONE:
        first = leg(done, 1, raw[3])
        rest = raw[2] - done - 1
        return (first, leg(done + 1, rest, raw[3] | MSG_DONTWAIT)) if rest else (first,)
    return tuple(leg(place, 1, raw[3]) for place in range(done, raw[2]))


def _continue_getrandom(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    rest = raw[1] - done
    return Rest(done, (Leg("getrandom", _pad_args(raw[0] + done, rest, raw[2]), rest),))


def _make_getevents(name: str) -> Row:
    def rest(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
        least = raw[1] - done
        args = (raw[0], least, raw[2] - done, raw[3] + EVENT * done, *raw[4:6])
        return Rest(done, (Leg(name, args, least),)) if least > 0 else None

    return rest


def _continue_uring(raw: Raw, done: int, look: ThreadFacts) -> Rest | None:
    if not raw[3] & IORING_ENTER_GETEVENTS or not raw[2]:
        return None
    # What was to be submitted is; how many it still waits for the kernel counts itself.
    return Rest(done, (Leg("io_uring_enter", (raw[0], 0, *raw[2:6]), 0),))


SENDS: Final = where(
    lambda call: (
        call.expired == "EAGAIN"
        and call.flow in ("puts", "transfers")
        and call.arguments[0][0] in ("fd", "fd_out")
    )
)
"""Those that put bytes into what their first argument is a descriptor of."""


Row = Callable[[Raw, int, ThreadFacts], Rest | None]

ROWS: Final[dict[str, tuple[int, Row]]] = {
    "write": (2, _continue_write),
    "writev": (-1, _continue_writev),
    "sendto": (2, _continue_sendto),
    "sendmsg": (-1, _continue_sendmsg),
    "sendmmsg": (-1, _continue_sendmmsg),
    "sendfile": (3, _continue_sendfile),
    "splice": (4, _continue_splice),
    "read": (2, _continue_read),
    "readv": (-1, _continue_readv),
    "recvfrom": (2, _continue_recvfrom),
    "recvmsg": (-1, _continue_recvmsg),
    "recvmmsg": (2, _continue_recvmmsg),
    "getrandom": (1, _continue_getrandom),
    "io_getevents": (1, _make_getevents("io_getevents")),
    "io_pgetevents": (1, _make_getevents("io_pgetevents")),
    "io_uring_enter": (-1, _continue_uring),
}
"""Calls that return a part if they are cut short: which argument says how much is wanted (-1 if
none says it alone), and what makes the rest. Not among them are those that stop for nothing but
a fatal signal (files' reads and writes, copy_file_range, process_vm_readv) and those that move
what there is and are done (tee, vmsplice, reads of pipes)."""


def may_be_cut(name: str, raw: Raw, result: int) -> bool:
    """Whether a call that returned `result` may have done more, as far as its arguments tell."""
    row = ROWS.get(name)
    return row is not None and result > 0 and (row[0] < 0 or result < raw[row[0]])


def rest_of(name: str, raw: Raw, result: int, look: ThreadFacts) -> Rest | None:
    """What is left of a call that a signal has cut short; None if it has done all that it would
    have done alone.
    """
    if not may_be_cut(name, raw, result):
        return None
    found = ROWS[name][1](raw, result, look)
    if found is None or not found.legs:
        return None
    return (
        found if all(leg.wanted > 0 or leg.name == "io_uring_enter" for leg in found.legs) else None
    )


_WORD: Final = struct.Struct("=Q")


def unpack_words(data: bytes) -> tuple[int, ...]:
    """The words of 8 bytes that some memory holds."""
    return tuple(value for (value,) in _WORD.iter_unpack(data[: len(data) // 8 * 8]))
