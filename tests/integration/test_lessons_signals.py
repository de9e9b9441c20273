"""The scenarios of signals that came last, stepped from first to last: what each story tells is so
at the moment at which it is told, and the kernel says the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ipcviz.model.waits.handlers import find_handler
from ipcviz.model.waits.values import Why
from tests.integration.lessons import ORDERS, assert_on_screen, run_lesson

pytestmark = pytest.mark.kernel

ALRM, STOP = 14, 19


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


def ends(seen):
    """How the writer has the pipe or the FIFO open, by descriptor."""
    name = next(name for name in ("the FIFO", "the pipe") if name in seen.keys)
    return seen.modes("writer", name)


def is_kept_by_a_stopped_one(seen):
    """The writer is in the state T, and the pipe that the reader reads is among its descriptors."""
    writer, reader = seen.pids["writer"], seen.pids["reader"]
    assert read_status(writer, "State") in "Tt"
    wanted = Path(f"/proc/{reader}/fd/0")
    if not wanted.is_fifo():
        wanted = Path(f"/proc/{reader}/fd/3")
    inode = wanted.stat().st_ino
    found = [path.stat().st_ino for path in Path(f"/proc/{writer}/fd").iterdir() if path.exists()]
    assert inode in found


CLAIMS = {
    "unsafe-handler": {
        "interrupted": lambda m: m.thread("program").handlers == (ALRM,),
        "stuck": lambda m: (
            m.waits("program", Why.MUTEX) and find_handler(m.state, m.wait("program")) == ALRM
        ),
        "byte": lambda m: m.event.ret == 1 and m.thread("program").handlers,
        "taken": lambda m: not m.thread("program").handlers and m.event.ret in (1, 128),
    },
    "sigcont": {
        "stopped": lambda m: m.process("writer").stopped_by == STOP,
        "reader-waits": lambda m: m.waits("reader", Why.EMPTY) and "w" in ends(m).values(),
        "told": lambda m: m.process("writer").stopped_by == STOP,
        "continued": lambda m: not m.process("writer").stopped_by,
    },
}
"""What must be so at the event that reaches a step."""
READERS = {
    "unsafe-handler": {"stuck": is_stuck},
    "sigcont": {"reader-waits": is_kept_by_a_stopped_one},
}
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
    ("sigcont", "py", "stopped", set(), "stopped by SIGSTOP\nline 2\nline 3\n"),
    ("sigcont", "sh", "job", set(), "Stopped"),
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


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize(
    ("name", "variant"), [("sigcont", "py"), ("sigcont", "sh"), ("unsafe-handler", "c-self-pipe")]
)
def test_what_is_told_is_so_in_any_order(name, variant, seed):
    lesson = step(name, variant, seed=seed)
    lesson.assert_sound()
    assert lesson.told
