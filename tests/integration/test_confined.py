"""A program's own use of seccomp(2), alone and observed: strict mode, its filters, what it is told
of them.
"""

from __future__ import annotations

import functools
import os

import pytest

from ipcviz import events as ev
from tests.integration.harness import Bench, Outcome, Programs, by_turns, read_stream

OPTIONS = [
    ("live", ()),
    ("full", ("--full",)),
    ("step", ("--step",)),
    ("always", ("--no-seccomp",)),
]


@functools.cache
def run_alone(bench: Bench, *argv: str) -> Outcome:
    return bench.run(list(argv))


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="the program counts by x86's own instructions"
)
@pytest.mark.parametrize(
    ("bench", "options"),
    by_turns([(options,) for _, options in OPTIONS])
    + by_turns([(options,) for _, options in OPTIONS[1:]]),
    indirect=["bench"],
)
def test_as_alone(bench: Bench, programs: Programs, options: tuple[str, ...]) -> None:
    argv = [programs["confined"]]
    alone = run_alone(bench, *argv)
    assert alone.stdout.startswith(b"mode 0\nstrict\nleft\n0: 700 child exited 7\n")
    assert bench.run(bench.observed(argv, *options)) == alone


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="the program counts by x86's own instructions"
)
def test_what_is_told(bench: Bench, programs: Programs) -> None:
    bench.run(bench.observed([programs["confined"]]))
    events = read_stream(bench.stream)
    calls = [e for e in events if isinstance(e, ev.Call) and e.name in ("prctl", "seccomp")]
    assert {(e.args.get("option"), e.args.get("value")) for e in calls if e.name == "prctl"} >= {
        ("PR_SET_SECCOMP", 1)
    }
    assert {e.args.get("option") for e in calls if e.name == "prctl"} == {"PR_SET_SECCOMP"}, (
        "questions are not told"
    )
    forbidden = [e.forbidden for e in events if isinstance(e, ev.Exited) and e.forbidden]
    assert forbidden == ["exit_group", "getpid", "32-bit system call 20"]
    failed = {e.name for e in events if isinstance(e, ev.Call) and e.error == "ENOSYS"}
    assert failed >= {
        "pipe2",
        "dup",
        "rt_sigprocmask",
        "close",
    }, "what its own filter wants a tracer for"
    assert not any(isinstance(e, ev.Trouble) for e in events)
