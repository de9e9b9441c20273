"""The scenarios of semaphores and signals, stepped by their schedules and in any order: what each
story tells is so at the moment at which it is told, and the kernel says the same.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from ipcviz.events import Exited
from tests.integration.harness import NO_USER
from tests.integration.lessons import MOST_OPERATIONS, ORDERS, run_lesson
from tests.integration.readers import read_semaphore

pytestmark = pytest.mark.kernel

USR1, RTMIN = 10, 34
GETVAL, GETNCNT = 12, 14
LIBC = ctypes.CDLL(None)


def waits_on(seen, role):
    """The semaphore that a process waits for; empty if it waits for none."""
    wait = seen.wait(role)
    labels = {key: label for label, key in seen.keys.items()}
    return labels.get(wait.semaphore, "") if wait else ""


def read_exit(lesson, pid):
    """(status, signal) with which a process ended."""
    return next((e.code, e.signo) for e in lesson.events if isinstance(e, Exited) and e.pid == pid)


# What the kernel says, by another way than the tracer's.


def is_taken_and_wanted(*labels):
    """A reader of the kernel: each of these semaphores is 0, and one waits for it."""

    def read(seen):
        assert [read_semaphore(seen, label) for label in labels] == [(0, 1) for _ in labels]

    return read


def is_not_given_back(seen):
    is_taken_and_wanted("left")(seen)
    assert not Path(f"/proc/{seen.pids['a']}/status").exists()


def is_stale(seen):
    name = seen.state.semaphores[seen.keys["lock"]].info.name.lstrip("/")
    word = int.from_bytes(Path(f"/dev/shm/sem.{name}").read_bytes()[:8], "little")
    assert (word & 0xFFFFFFFF, word >> 32) == (0, 1)


def has_a_dead_holder(seen):
    _, number, index = seen.keys["the semaphore"].split(":")
    assert LIBC.semctl(int(number), int(index), GETVAL) == 0
    assert LIBC.semctl(int(number), int(index), GETNCNT) == 1


def has_two_zombies(seen):
    states = [
        at.read_text().rpartition(")")[2].split()[0]
        for role in ("child 1", "child 2", "child 3")
        if (at := Path(f"/proc/{seen.pids[role]}/stat")).exists()
    ]
    assert states == ["Z", "Z"]


CLAIMS = {
    "deadlock": {
        "circle": lambda s: {waits_on(s, "a"), waits_on(s, "b")} == {"left", "right"},
        "waits": lambda s: bool(waits_on(s, "a")) != bool(waits_on(s, "b")),
    },
    "sem-named": {
        "made": lambda s: s.value("lock") == 1,
        "waits": lambda s: waits_on(s, "second") == "lock",
    },
    "sysv-sem": {"waits": lambda s: waits_on(s, "waiter") == "the semaphore"},
    "mmap-queue": {"stuck": lambda s: waits_on(s, "producer") == "_lock"},
    "signal-handlers": {"usr1": lambda s: len(s.came(USR1)) == 1},
    "signal-table": {
        "blocked": lambda s: all(
            s.thread("receiver").blocked >> (signo - 1) & 1 for signo in (USR1, RTMIN)
        )
    },
    "sigchld": {
        "zombie": lambda s: any(
            role.startswith("child") and s.process(role).fate == "zombie" for role in s.pids
        )
    },
    "eintr": {},
}
"""What must be so at the event that reaches a step."""


def says(*lines):
    def check(lesson):
        assert lesson.output.splitlines()[-len(lines) :] == list(lines)

    return check


def gave_up(lesson):
    assert read_exit(lesson, lesson.pids["reader"]) == (1, 0)


def has_letters_in_the_total(lesson):
    assert "1936942445 messages in all" in lesson.output  # "mess"


def got(*numbers):
    def check(lesson):
        words = [line.split()[-1] for line in lesson.output.splitlines() if "got" in line]
        assert words == [str(n) for n in numbers]

    return check


def caught_on_top(lesson):
    assert lesson.output.splitlines()[:2] == ["caught SIGINT", "caught SIGUSR1"]


def has_the_wrong_name(lesson):
    """SIGINT was caught as well, and its handler has printed the other one's name."""
    assert lesson.output.count("caught SIGUSR1\n") == 2
    assert "caught SIGINT" not in lesson.output


def is_told(_):
    """What is to be seen is in the story, and in what reads the kernel."""


TRANSFERRED = says("left 110, right 90")
TAKEN_OVER = says("value 0, 1 waiting", "value 1: the other one had its turn")
LESSONS = [
    ("deadlock", "c", "circle", ["waits", "circle"], is_told),
    ("deadlock", "py", "circle", ["waits", "circle"], is_told),
    ("deadlock", "c", "killed", ["circle", "killed", "still"], is_told),
    ("deadlock", "c", "luck", ["first", "end"], TRANSFERRED),
    ("deadlock", "c-order", "mended", ["waits", "end"], TRANSFERRED),
    ("deadlock", "py-order", "mended", ["waits", "end"], TRANSFERRED),
    ("sem-named", "c", "stale", ["made", "crash", "old", "waits"], is_told),
    ("sem-named", "py", "stale", ["made", "crash", "old", "waits"], is_told),
    (
        "sem-named",
        "c-excl",
        "mended",
        ["made", "crash", "exclusive", "works", "end"],
        says("the second run has ended with status 0"),
    ),
    ("sysv-sem", "c", "stuck", ["held", "waits", "killed"], is_told),
    ("sysv-sem", "py", "stuck", ["held", "waits", "killed"], is_told),
    ("sysv-sem", "c-undo", "undone", ["held", "waits", "undone", "removed"], TAKEN_OVER),
    ("sysv-sem", "py-undo", "undone", ["held", "waits", "undone", "removed"], TAKEN_OVER),
    ("mmap-queue", "c", "stack", ["no-slot", "consumer-ends"], got(2, 3, 1)),
    ("mmap-queue", "c", "empty", ["no-message", "consumer-ends"], got(1, 2, 3)),
    ("mmap-queue", "py-ring", "empty", ["no-message", "consumer-ends"], got(1, 2, 3)),
    ("mmap-queue", "c-ring", "ring", ["no-slot", "consumer-ends"], got(1, 2, 3)),
    ("mmap-queue", "c-past", "past", ["past", "consumer-ends"], has_letters_in_the_total),
    ("mmap-queue", "py-past", "past", ["past", "consumer-ends"], has_letters_in_the_total),
    ("mmap-queue", "c", "killed", ["killed", "stuck"], is_told),
    (
        "signal-handlers",
        "c",
        "one-by-one",
        ["pause", "usr1", "eintr", "back", "int", "term", "status"],
        says("status 143: 128 and the signal's number"),
    ),
    ("signal-handlers", "c", "nested", ["usr1", "nested", "back", "term"], caught_on_top),
    ("signal-handlers", "py", "one-by-one", ["pause", "usr1", "int", "term"], is_told),
    ("signal-handlers", "c-name", "one-by-one", ["usr1", "int", "term"], has_the_wrong_name),
    (
        "signal-table",
        "py",
        "all-sent",
        ["ignored", "blocked", "merged", "sent", "taken", "taken-rt", "empty"],
        says("taken: SIGUSR1", *["taken: SIGRTMIN"] * 5),
    ),
    ("eintr", "c", "interrupted", ["asleep", "delivered", "eintr", "given-up"], gave_up),
    ("eintr", "c-restart", "restarted", ["delivered", "data"], says("read 5 bytes: hello")),
    ("eintr", "c-retry", "restarted", ["eintr", "again", "data"], says("read 5 bytes: hello")),
    ("eintr", "py", "restarted", ["eintr", "again", "data"], says("read 5 bytes: hello")),
    ("sigchld", "c", "zombies", ["blocked", "zombie", "merged", "sleeps"], is_told),
    ("sigchld", "py", "zombies", ["zombie", "merged", "sleeps"], is_told),
    ("sigchld", "c-loop", "all", ["merged", "second-wait", "end"], says("3 of 3 waited for")),
    ("sigchld", "py-loop", "all", ["merged", "second-wait", "end"], says("3 of 3 waited for")),
]
READERS = {
    ("deadlock", "circle"): {"circle": is_taken_and_wanted("left", "right")},
    ("sem-named", "stale"): {"waits": is_stale},
    ("mmap-queue", "killed"): {"stuck": is_taken_and_wanted("_lock")},
    ("sigchld", "zombies"): {"sleeps": has_two_zombies},
}
"""What reads the kernel while all are held behind a step, by scenario and schedule."""
AT_THE_END = {
    ("deadlock", "killed"): is_not_given_back,
    ("sysv-sem", "stuck"): has_a_dead_holder,
}
"""What reads it behind the last line of the schedule."""


@pytest.mark.parametrize(
    ("name", "variant", "plan", "told", "then"), LESSONS, ids=[" ".join(row[:3]) for row in LESSONS]
)
def test_a_schedule_shows_what_it_says(name, variant, plan, told, then):
    lesson = run_lesson(
        name,
        variant,
        plan,
        claims=CLAIMS[name],
        readers=READERS.get((name, plan)),
        at_end=AT_THE_END.get((name, plan)),
    )
    assert lesson.departed == ""
    lesson.assert_sound()
    lesson.assert_asked()
    assert lesson.length <= MOST_OPERATIONS
    assert [step for step in lesson.told if step in told] == told
    then(lesson)


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize(
    ("name", "variant", "settings"),
    [
        ("deadlock", "c", {"window": 0}),
        ("deadlock", "c-order", {"window": 0}),
        ("sem-named", "c", {}),
        ("sysv-sem", "c-undo", {"seconds": 0}),
        ("signal-handlers", "c", {"seconds": 0}),
        ("signal-table", "py", {}),
        ("eintr", "c-retry", {"seconds": 0}),
        ("sigchld", "c-loop", {}),
    ],
)
def test_what_is_told_is_so_in_any_order(name, variant, settings, seed):
    lesson = run_lesson(name, variant, seed=seed, settings=settings, claims=CLAIMS[name])
    lesson.assert_sound()
    assert lesson.operations >= 5


AS_USER = """
from tests.integration.lessons import run_lesson
lesson = run_lesson("sem-named", "c-mode")
lesson.assert_sound()
lesson.assert_asked()
print(*lesson.told)
print(lesson.output)
"""


def test_a_mode_that_lets_nobody_in_refuses_its_own_user(benches):
    """Root may open everything: so the lesson is run as an ordinary user."""
    if "user" not in benches:
        pytest.skip(NO_USER)
    done = benches["user"].run([sys.executable, "-c", AS_USER])
    assert done.status == 0, done.stderr
    told, *output = done.stdout.decode().splitlines()
    assert told.split() == ["start", "made", "taken", "crash", "second", "refused", "end"]
    assert "sem_open: Permission denied" in output
    assert not done.objects
