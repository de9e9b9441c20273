"""The scenarios of semaphores and signals, stepped by their schedules and in any order: what each
story tells is so at the moment at which it is told, and the kernel says the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
from pathlib import Path

import pytest

from ipcviz.cli.driver import Driver
from ipcviz.events import Exited, Let, Output, SignalDelivered
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps import stepping
from ipcviz.model.waits.rules import wait_of
from ipcviz.scenario import Story, explain_missing, find_scenario, prepare_launch, read_schedule
from ipcviz.session.live import LiveSession
from tests.integration.lessons import configure_steps

pytestmark = pytest.mark.kernel

ORDERS = range(int(os.environ.get("IPCVIZ_ORDERS", "1")))
USR1, CHLD, RTMIN = 10, 17, 34
GETVAL, GETNCNT = 12, 14
LIBC = ctypes.CDLL(None)


class Run:
    """A scenario that is stepped: who is who, and what has become of it."""

    def __init__(self, name, variant, settings):
        self.scenario = find_scenario(name)
        if reason := explain_missing(self.scenario, variant):
            pytest.skip(reason)
        self.story, self.state = Story(self.scenario), State()
        self.told, self.events = [], []
        self.launch = prepare_launch(self.scenario, variant, settings)

    @contextlib.contextmanager
    def started(self):
        with self.launch as launch:
            session = LiveSession(configure_steps(launch))
            session.start()
            try:
                yield session
            finally:
                session.close()

    def take(self, event):
        """Take an event, and hold a step that it reaches against the moment."""
        before, self.state = self.state, reduce(self.state, event)
        self.events.append(event)
        move = self.story.feed(event, before, self.state)
        if move is not None and move.step is not None:
            step = self.scenario.story[move.step]
            claim = CLAIMS.get(f"{self.scenario.name} {step.id}")
            assert claim is None or claim(self), f"{step.id} is told and not so: {step.text}"
            self.told.append(step.id)

    def pid(self, role):
        return next(pid for pid, name in self.story.roles.items() if name == role)

    def key(self, label):
        return next(key for key, name in self.story.labels.items() if name == label)

    def value(self, label):
        return self.state.semaphores[self.key(label)].value

    def waits_on(self, role):
        wait = wait_of(self.state, self.pid(role))
        return self.story.labels.get(wait.semaphore, "") if wait else ""

    def output(self):
        return b"".join(e.data for e in self.events if isinstance(e, Output)).decode()

    def count(self, signo):
        """How many signals of a number have been delivered."""
        return sum(isinstance(e, SignalDelivered) and e.signo == signo for e in self.events)

    def read_exit(self, role):
        """(status, signal) with which a process ended."""
        pid = self.pid(role)
        return next(
            (e.code, e.signo) for e in self.events if isinstance(e, Exited) and e.pid == pid
        )

    # What the kernel says, by another way than the tracer's.

    def read_status(self, role, name):
        lines = Path(f"/proc/{self.pid(role)}/status").read_text().splitlines()
        return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))

    def list_alive(self):
        return [pid for pid in self.story.roles if Path(f"/proc/{pid}/maps").exists()]

    def read_semaphore(self, label):
        """(value, waiters) of glibc's sem_t, from the memory of the first process that has it."""
        info = self.state.semaphores[self.key(label)].info
        inode = info.object.rpartition(":")[2]
        for pid in self.list_alive():
            for row in Path(f"/proc/{pid}/maps").read_text().splitlines():
                span, _, offset, _, number, *_ = row.split()
                if number == inode:
                    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                        start = int(span.partition("-")[0], 16)
                        memory.seek(start + info.offset - int(offset, 16))
                        word = int.from_bytes(memory.read(8), "little")
                    return word & 0xFFFFFFFF, word >> 32
        raise AssertionError(f"nobody has {label} mapped")


CLAIMS = {
    "deadlock circle": lambda r: {r.waits_on("a"), r.waits_on("b")} == {"left", "right"},
    "deadlock waits": lambda r: bool(r.waits_on("a")) != bool(r.waits_on("b")),
    "sem-named made": lambda r: r.value("lock") == 1,
    "sem-named waits": lambda r: r.waits_on("second") == "lock",
    "sysv-sem waits": lambda r: r.waits_on("waiter") == "the semaphore",
    "mmap-queue stuck": lambda r: r.waits_on("producer") == "_lock",
    "signal-handlers usr1": lambda r: r.count(USR1) == 1,
    "signal-table blocked": lambda r: (
        r.state.threads[r.pid("receiver")].blocked >> (USR1 - 1) & 1
        and r.state.threads[r.pid("receiver")].blocked >> (RTMIN - 1) & 1
    ),
    "sigchld zombie": lambda r: r.read_status("child 1", "State") in "ZtSRT",
}
"""What must be so at the event that reaches a step."""


def closes_a_circle(run):
    assert run.read_semaphore("left") == (0, 1)
    assert run.read_semaphore("right") == (0, 1)


def is_not_given_back(run):
    assert run.read_semaphore("left") == (0, 1)
    assert not Path(f"/proc/{run.pid('a')}/status").exists()


def waits_for_a_stale_one(run):
    path = Path(f"/dev/shm/sem.{run.state.semaphores[run.key('lock')].info.name.lstrip('/')}")
    word = int.from_bytes(path.read_bytes()[:8], "little")
    assert (word & 0xFFFFFFFF, word >> 32) == (0, 1)


def waits_for_a_dead_holder(run):
    _, number, index = run.key("the semaphore").split(":")
    assert LIBC.semctl(int(number), int(index), GETVAL) == 0
    assert LIBC.semctl(int(number), int(index), GETNCNT) == 1


def has_a_dead_lock(run):
    assert run.read_semaphore("_lock") == (0, 1)


def has_two_zombies(run):
    states = [run.state.processes.get(run.pid(f"child {n}")) for n in (1, 2, 3)]
    assert len([found for found in states if found is not None]) >= 2
    zombies = [
        n
        for n in (1, 2, 3)
        if (at := Path(f"/proc/{run.pid(f'child {n}')}/stat")).exists()
        and at.read_text().rpartition(")")[2].split()[0] == "Z"
    ]
    assert len(zombies) == 2


def says(*lines):
    def check(run):
        assert run.output().splitlines()[-len(lines) :] == list(lines)

    return check


def gave_up(run):
    assert run.read_exit("reader") == (1, 0)


def has_letters_in_the_total(run):
    assert "1936942445 messages in all" in run.output()  # "mess"


def got(*numbers):
    def check(run):
        words = [line.split()[-1] for line in run.output().splitlines() if "got" in line]
        assert words == [str(n) for n in numbers]

    return check


def caught_on_top(run):
    assert run.output().splitlines()[:2] == ["caught SIGINT", "caught SIGUSR1"]


LESSONS = [
    ("deadlock", "c", "circle", ["waits", "circle"], closes_a_circle),
    ("deadlock", "py", "circle", ["waits", "circle"], closes_a_circle),
    ("deadlock", "c", "killed", ["circle", "killed"], is_not_given_back),
    ("deadlock", "c", "luck", ["first", "end"], says("left 110, right 90")),
    ("deadlock", "c-order", "mended", ["waits", "end"], says("left 110, right 90")),
    ("deadlock", "py-order", "mended", ["waits", "end"], says("left 110, right 90")),
    ("sem-named", "c", "stale", ["made", "crash", "old", "waits"], waits_for_a_stale_one),
    ("sem-named", "py", "stale", ["made", "crash", "old", "waits"], waits_for_a_stale_one),
    (
        "sem-named",
        "c-excl",
        "mended",
        ["made", "crash", "exclusive", "works", "end"],
        says("the second run has ended with status 0"),
    ),
    ("sysv-sem", "c", "stuck", ["held", "waits", "killed"], waits_for_a_dead_holder),
    ("sysv-sem", "py", "stuck", ["held", "waits", "killed"], waits_for_a_dead_holder),
    (
        "sysv-sem",
        "c-undo",
        "undone",
        ["held", "waits", "undone", "removed"],
        says("value 0, 1 waiting", "value 1: the other one had its turn"),
    ),
    (
        "sysv-sem",
        "py-undo",
        "undone",
        ["held", "waits", "undone", "removed"],
        says("value 0, 1 waiting", "value 1: the other one had its turn"),
    ),
    ("mmap-queue", "c", "stack", ["no-slot", "consumer-ends"], got(3, 4, 2, 1)),
    ("mmap-queue", "c-ring", "ring", ["no-slot", "consumer-ends"], got(1, 2, 3, 4)),
    ("mmap-queue", "c-past", "past", ["past", "consumer-ends"], has_letters_in_the_total),
    ("mmap-queue", "py-past", "past", ["past", "consumer-ends"], has_letters_in_the_total),
    ("mmap-queue", "c", "killed", ["killed", "stuck"], has_a_dead_lock),
    (
        "signal-handlers",
        "c",
        "one-by-one",
        ["pause", "usr1", "eintr", "back", "int", "term", "status"],
        says("status 143: 128 and the signal's number"),
    ),
    ("signal-handlers", "c", "nested", ["usr1", "nested", "back", "term"], caught_on_top),
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
    ("sigchld", "c", "zombies", ["blocked", "zombie", "merged", "sleeps"], has_two_zombies),
    ("sigchld", "py", "zombies", ["zombie", "merged", "sleeps"], has_two_zombies),
    ("sigchld", "c-loop", "all", ["merged", "second-wait", "end"], says("3 of 3 waited for")),
    ("sigchld", "py-loop", "all", ["merged", "second-wait", "end"], says("3 of 3 waited for")),
]


@pytest.mark.parametrize(("name", "variant", "plan", "told", "then"), LESSONS)
def test_a_schedule_shows_what_it_says(name, variant, plan, told, then):
    schedule, found = read_schedule(plan, find_scenario(name))
    run = Run(name, variant, found.settings)
    with run.started() as session:
        driver = Driver(session, schedule, Story(run.scenario), patience=20)
        for event in driver.iterate_events():
            run.take(event)
        assert driver.departed == ""
        assert [step for step in run.told if step in told] == told
        then(run)


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
    choose = random.Random(seed)
    run = Run(name, variant, settings)
    with run.started() as session:
        let, quiet = 0, 0
        while not session.finished and quiet < 40 and let < 150:
            events = session.drain()
            for event in events:
                run.take(event)
            held = stepping.list_held(run.state)
            resting = run.state.stepping and not run.state.moving
            if resting and held and events:
                session.send(Let(tid=choose.choice(held).tid))
                let += 1
            quiet = 0 if events else quiet + 1
            session.wait(0.05)
    assert let >= 5
    left = {run.scenario.story[place].id for place in run.story.pending}
    over = run.state.finished
    assert not over or not left
