"""The scenarios of messages and sockets, stepped from first to last."""

from __future__ import annotations

from pathlib import Path

import pytest

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
