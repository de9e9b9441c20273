"""What a story tells is so at the moment at which it is told, in whatever order the processes are
let go: by the state, by other readers of the kernel, and on the screen.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ipcviz.model.waits.values import Why
from tests.integration.lessons import ORDERS, assert_on_screen, run_lesson
from tests.integration.readers import read_semaphore

ALRM = 14


def is_armed(s):
    return any(timer.armed for timer in s.state.timers.values())


def blocks_alarm(s):
    return bool(s.thread("sleeper").blocked >> (ALRM - 1) & 1)


CLAIMS = {
    "sleep-race": {
        "caught": lambda s: s.process("sleeper").handling,
        "blocked": lambda s: blocks_alarm(s) and not s.came(ALRM),
        "window": lambda s: not s.came(ALRM) and s.thread("sleeper").waiting is None,
        "waits": lambda s: s.thread("sleeper").waiting is not None and not s.came(ALRM),
        "woken": lambda s: s.came(ALRM)[-1].outcome == "EINTR",
        "lost": lambda s: not is_armed(s) and len(s.came(ALRM)) == 1 and not s.wait("sleeper"),
        "slow": lambda s: is_armed(s) and not blocks_alarm(s),
        "jumped": lambda s: s.event.jumped and blocks_alarm(s),
        "cut": lambda s: not s.thread("sleeper").handlers,
        "for-ever": lambda s: s.thread("sleeper").waiting and not is_armed(s),
    },
    "mmap-queue": {
        "init-lock": lambda s: s.value("_lock") == 1,
        "init-full": lambda s: s.value("_full") == 0,
        "no-slot": lambda s: s.value("_empty") == 0,
        "no-message": lambda s: s.value("_full") == 0,
    },
    "sem-counter": {
        "init": lambda s: s.value("lock") == 1,
        "locked": lambda s: s.value("lock") == 0,
        "kept-out": lambda s: (
            s.value("lock") == 0 and [role for role in ("a", "b") if s.waits(role, Why.SEMAPHORE)]
        ),
        "lost": lambda s: s.state.variables[s.keys["counter"]].lost_at == s.event.n,
    },
}
"""What must be so at the event that reaches a step, by scenario and step."""


def read_signals(pid: int) -> dict[str, int]:
    """The sets of signals of a process's first thread, as /proc/PID/status has them."""
    text = Path(f"/proc/{pid}/status").read_text()
    return {name: int(mask, 16) for name, mask in re.findall(r"^(Sig\w+):\s+(\w{16})$", text, re.M)}


def assert_nothing_pending(s):
    found = read_signals(s.pids["sleeper"])
    assert found["SigCgt"] >> (ALRM - 1) & 1
    assert found["SigPnd"] == 0


def assert_one_waits(s):
    assert read_semaphore(s, "lock") == (0, 1)


def assert_blocked(s):
    assert read_signals(s.pids["sleeper"])["SigBlk"] >> (ALRM - 1) & 1


READERS = {
    "sem-counter": {"kept-out": assert_one_waits},
    "sleep-race": {
        "for-ever": assert_nothing_pending,
        "blocked": assert_blocked,
        "jumped": assert_blocked,
    },
}
SHOWS = {
    ("sleep-race", "lost"): {"for-ever": {"t": ["pause"], "s": ["ALRM"]}},
    ("sleep-race", "cut"): {"cut": {"l": ["left by a jump"], "o": ["SIGINT: I clean up"]}},
    ("mmap-queue", "producer-first"): {"lock": {"m": ["_lock", "_empty", "_full"]}},
    ("sem-counter", "lost"): {"lost": {"t": ["counter"]}},
    ("sem-counter", "locked"): {"kept-out": {"t": ["lock 0", "b waits"], "m": ["HELD BY"]}},
}


def step(name, variant, plan="", **options):
    return run_lesson(
        name, variant, plan, claims=CLAIMS[name], readers=READERS.get(name, {}), **options
    )


@pytest.mark.parametrize(
    ("name", "plan", "variant", "least"),
    [
        ("sleep-race", "lost", "c", 4),
        ("sleep-race", "arrives", "c", 5),
        ("sleep-race", "mended", "c-sigsuspend", 5),
        ("sleep-race", "cut", "c-longjmp", 8),
        ("sleep-race", "jump", "c-longjmp", 5),
        ("mmap-queue", "producer-first", "c", 10),
        ("mmap-queue", "consumer-first", "c", 10),
        ("sem-counter", "lost", "c", 7),
        ("sem-counter", "one-by-one", "c", 6),
        ("sem-counter", "locked", "c-lock", 10),
    ],
)
async def test_what_is_told_is_so_under_each_schedule(name, plan, variant, least):
    lesson = step(name, variant, plan)
    assert not lesson.departed
    lesson.assert_sound()
    lesson.assert_asked()
    assert len(lesson.told) >= least
    await assert_on_screen(lesson, SHOWS.get((name, plan), {}))


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize(
    ("name", "variant", "settings"),
    [
        ("sleep-race", "c", {"seconds": 1}),
        ("sleep-race", "c-sigsuspend", {"seconds": 1}),
        ("sleep-race", "c-longjmp", {"seconds": 1}),
        ("mmap-queue", "c", {"put-delay": 0.0, "get-delay": 0.0, "messages": 3, "slots": 1}),
        ("sem-counter", "c", {"times": 2}),
        ("sem-counter", "c-lock", {"times": 2}),
    ],
)
def test_what_is_told_is_so_in_any_order(name, variant, settings, seed):
    lesson = step(name, variant, seed=seed, settings=settings)
    lesson.assert_sound()
    assert len(lesson.told) >= 3
