"""The scenarios of messages and sockets, stepped from first to last."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from ipcviz.model.mechanisms.datagrams import list_waiting
from ipcviz.model.waits.values import Why
from tests.integration.lessons import ORDERS, assert_on_screen, run_lesson
from tests.integration.test_lessons_memory import step_lesson

pytestmark = pytest.mark.kernel

LISTENS = "00010000"  # __SO_ACCEPTCON among the flags of /proc/net/unix


def has_listener(_):
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()]
    return any(row[-1] == "demo_socket" and row[3] == LISTENS for row in rows)


CLAIMS = {
    "unix-stream connected": has_listener,
    "unix-stream refused": lambda m: m.event.error == "EADDRINUSE",
}
SERVED = {"listen", "connected", "sent", "accepted", "handler", "read", "answer", "end"}
RUNS = [
    ("unix-stream", "py", "", SERVED, "client: hello from the server"),
    ("unix-stream", "c", "", SERVED, "client: hello from the server"),
    ("unix-stream", "c", "half", SERVED, "one read returned 100 bytes"),
    ("unix-stream", "py-stale", "", {"refused"}, "bind: Address already in use"),
    ("unix-stream", "c-stale", "", {"refused"}, "bind: Address already in use"),
    ("unix-stream", "py-unlink", "", SERVED | {"removed"}, "client: hello from the server"),
    ("unix-stream", "c-unlink", "", SERVED | {"removed"}, "client: hello from the server"),
]


@pytest.mark.parametrize(
    ("name", "variant", "plan", "wanted", "says"),
    RUNS,
    ids=[" ".join(run[:3]).strip() for run in RUNS],
)
def test_what_a_lesson_must_show(name, variant, plan, wanted, says):
    told, output, _, _ = step_lesson(name, variant, plan, claims=CLAIMS)
    assert wanted <= set(told)
    assert says in output


@pytest.mark.parametrize(("variant", "plan"), [("c", "early"), ("py", "early-py")])
def test_a_client_is_connected_and_has_written_before_accept(variant, plan):
    told, output, _, _ = step_lesson("unix-stream", variant, plan, claims=CLAIMS)
    assert told.index("connected") < told.index("sent") < told.index("accepted")
    assert "returned 200 bytes" in output


# unix-datagram


def read_blocked_call(pid):
    """The number of the call that a process is blocked in, as the kernel says here."""
    return int(Path(f"/proc/{pid}/syscall").read_text().split()[0])


def waiting_letters(seen):
    """The letters that wait in the mailbox, the next one first."""
    (box,) = {
        file.object
        for file in seen.state.open_files.values()
        if seen.state.objects[file.object].info.kind == "unix socket"
        and seen.state.datagrams.get(file.object)
    }
    return [one.head for one in list_waiting(seen.state, seen.state.objects[box])]


def sender_sleeps(seen):
    assert read_blocked_call(seen.pids["sender"]) == SENDTO
    letters = waiting_letters(seen)
    assert letters[:3] == [b"Dear reader, how do you do?", b"no", b"yes"]


SENDTO = 44 if platform.machine() == "x86_64" else 206
DATAGRAM_CLAIMS = {
    "first": lambda s: s.event.ret == 27,
    "full": lambda s: s.waits("sender", Why.FULL),
    "peeked": lambda s: s.event.ret == 27 and s.event.data == b"D",
    "cut": lambda s: s.event.data == b"Dear reade",
    "whole": lambda s: s.event.data == b"Dear reader, how do you do?",
    "gone": lambda s: s.event.data == b"no",
    "borders": lambda s: s.event.data == b"yes",
    "empty": lambda s: s.event.ret == 0 and not s.event.error,
}


@pytest.mark.parametrize(
    ("variant", "plan", "untold"),
    [
        ("py", "full", {"pair", "peeked", "whole"}),
        ("py-pair", "full", {"bound", "peeked", "whole", "unlinked"}),
        ("py-peek", "full", {"pair", "cut", "gone"}),
        ("py", "at-once", {"pair", "peeked", "whole", "full", "room"}),
    ],
)
def test_unix_datagram(variant, plan, untold):
    readers = {"full": sender_sleeps}
    lesson = run_lesson("unix-datagram", variant, plan, claims=DATAGRAM_CLAIMS, readers=readers)
    lesson.assert_whole(*untold)
    whole = variant == "py-peek"
    assert ("27 bytes: Dear reader, how do you do?" in lesson.output) == whole


async def test_letters_that_wait_are_on_the_screen():
    lesson = run_lesson("unix-datagram", "py", "full")
    shows = {
        "full": {"t": ["27 B Dear", "2 B no", "full"], "u": ["Dear reader, how do you do?"]},
        "cut": {"t": ["read 10 of 27 bytes", "2 B no"]},
    }
    await assert_on_screen(lesson, shows)


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize("variant", ["py", "py-peek"])
def test_letters_in_any_order(variant, seed):
    settings = {"letters": 8, "rest": 0}
    lesson = run_lesson(
        "unix-datagram", variant, seed=seed, settings=settings, claims=DATAGRAM_CLAIMS
    )
    lesson.assert_sound()
    assert {"first", "borders", "empty"} <= lesson.told.keys()
