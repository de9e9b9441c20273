"""The scenarios of signals that came last, stepped from first to last: what each story tells is so
at the moment at which it is told, and the kernel says the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ipcviz.model.waits.handlers import find_handler
from ipcviz.model.waits.values import Why
from tests.integration.lessons import assert_on_screen, run_lesson

pytestmark = pytest.mark.kernel

ALRM = 14


def read_status(pid, name):
    """A row of /proc/PID/status, read here."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def is_stuck(seen):
    """The only thread of the process sleeps in futex, inside its handler."""
    pid = seen.pids["program"]
    assert read_status(pid, "Threads") == "1"
    assert Path(f"/proc/{pid}/wchan").read_text().startswith("futex")
    blocked = int(read_status(pid, "SigBlk"), 16)
    assert blocked >> (ALRM - 1) & 1, "it is in the handler of SIGALRM"


CLAIMS = {
    "unsafe-handler": {
        "interrupted": lambda m: m.thread("program").handlers == (ALRM,),
        "stuck": lambda m: (
            m.waits("program", Why.MUTEX) and find_handler(m.state, m.wait("program")) == ALRM
        ),
        "byte": lambda m: m.event.ret == 1 and m.thread("program").handlers,
        "taken": lambda m: not m.thread("program").handlers and m.event.ret in (1, 128),
    },
}
"""What must be so at the event that reaches a step."""
READERS = {"unsafe-handler": {"stuck": is_stuck}}
"""What reads the kernel while all are held behind a step."""


def step(name, variant, plan="", **more):
    return run_lesson(
        name, variant, plan, claims=CLAIMS[name], readers=READERS.get(name, {}), **more
    )


def told(lesson):
    """Its steps in the order in which they were told."""
    return sorted(lesson.told, key=lesson.told.__getitem__)


RUNS = [
    (
        "unsafe-handler",
        "c-self-pipe",
        "self-pipe",
        {"signalfd", "stuck"},
        "tick 1\ntick 2\n",
    ),
    (
        "unsafe-handler",
        "c-signalfd",
        "signalfd",
        {"pipe", "handler", "interrupted", "stuck", "byte"},
        "tick 1\ntick 2\n",
    ),
]


@pytest.mark.parametrize(
    ("name", "variant", "plan", "untold", "says"), RUNS, ids=[" ".join(run[:3]) for run in RUNS]
)
def test_what_a_lesson_must_show(name, variant, plan, untold, says):
    lesson = step(name, variant, plan)
    lesson.assert_whole(*untold)
    assert says in lesson.output


async def test_a_handler_gets_stuck_in_malloc():
    # Its ticks come at any instruction; nearly always one of the first three comes inside malloc.
    lesson = step("unsafe-handler", "c", "stuck", then="turns")
    assert lesson.stuck
    lesson.assert_sound()
    assert told(lesson)[:4] == ["thread", "handler", "alarm", "interrupted"]
    assert told(lesson)[-1] == "stuck"
    own = ("nobody but itself", "handler for SIGALRM")
    await assert_on_screen(lesson, {"stuck": {"t": own}}, (120, 36))
