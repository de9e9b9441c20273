"""The scenarios of pipes, stepped from first to last by each schedule: what each story tells is so
at the moment at which it is told, and the kernel says the same.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import select
import signal
import struct
import termios
from pathlib import Path

import pytest

import ipcviz.events as ev
from ipcviz.model.ledger.provenance import waiting_ranges
from ipcviz.model.mechanisms.notifiers import list_found
from ipcviz.model.waits.values import Why
from ipcviz.scenario import find_scenario
from tests.integration.lessons import ORDERS, assert_on_screen, run_lesson
from tests.integration.ordered import waiting_in

pytestmark = pytest.mark.kernel


def descriptors_of_pipe(pid):
    """The numbers of a process's descriptors that are a pipe, read from /proc here."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{number}")
        if target.startswith("pipe:"):
            found[int(number)] = target
    return found


def step(name, variant, plan):
    """Step a scenario by a schedule. Returns the ids of the steps told, with the descriptors that
    /proc said its living processes had of pipes, while all were held behind the step.
    """
    tables = {}

    def read_tables(told):
        def read(seen):
            tables[told] = {
                role: descriptors_of_pipe(pid)
                for role, pid in seen.pids.items()
                if seen.state.processes[pid].fate == "alive"
            }

        return read

    ids = [one.id for one in find_scenario(name).story]
    lesson = run_lesson(name, variant, plan, readers={told: read_tables(told) for told in ids})
    assert not lesson.departed
    return {told: tables.get(told, {}) for told in lesson.told}


@pytest.mark.parametrize("variant", ["py", "c"])
@pytest.mark.parametrize("plan", ["child-first", "parent-first"])
def test_pipe_fork(variant, plan):
    told = step("pipe-fork", variant, plan)
    assert {"pipe", "fork", "child-out", "child-read", "parent-in", "read", "end"} <= told.keys()
    assert ("sleeps" in told) == (plan == "parent-first")
    tables = told["fork"]
    (pipe,) = set(tables["parent"].values())
    assert tables["parent"] == tables["child"], "four descriptors of one pipe"
    assert list(tables["parent"].values()) == [pipe, pipe]
    tables = told["child-out"]
    assert tables["child"][1] == pipe
    tables = told["parent-in"]
    assert tables["parent"][0] == pipe
    tables = told["child-read"]
    if plan == "parent-first":
        assert 0 in tables["parent"], "the parent's end is as it was"


@pytest.mark.parametrize(
    ("variant", "plan"),
    [("py", "forgotten"), ("c", "forgotten"), ("py-closed", "closed"), ("c-closed", "closed")],
)
def test_pipe_eof(variant, plan):
    told = step("pipe-eof", variant, plan)
    assert {"pipe", "writer", "reader", "written", "executed", "got", "gone"} <= told.keys()
    tables = told["executed"]
    forgotten = plan == "forgotten"
    assert len(tables["cat"]) == (2 if forgotten else 1)
    assert ("waits" in told) == forgotten
    assert ("eof" in told) == (not forgotten)
    if forgotten:
        tables = told["waits"]
        assert len(tables["cat"]) == 2, "cat itself has the write end"
        assert "writer" not in tables
        assert not tables["parent"]
    else:
        assert "end" in told


def ask_pipe(seen, role):
    """What the kernel says of the pipe by the writer's own end, opened here for a moment: bytes in
    it, bytes that it has room for, and whether more can be written.
    """
    fd = min(fd for fd, mode in seen.modes(role, "the pipe").items() if mode == "w")
    end = os.open(f"/proc/{seen.pids[role]}/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        (queued,) = struct.unpack("i", fcntl.ioctl(end, termios.FIONREAD, bytes(4)))
        asked = select.poll()
        asked.register(end, select.POLLOUT)
        return queued, fcntl.fcntl(end, fcntl.F_GETPIPE_SZ), bool(asked.poll(0))
    finally:
        os.close(end)


def level(seen):
    """(bytes, capacity, pages in use, pages) of the pipe on the screen."""
    found = seen.object("the pipe").level
    return found.queued, found.capacity, found.slots, found.slots_total


def is_in_order(seen):
    """The pipe's own bytes, copied out of it, are those that the ledger says, in this order."""
    pid = seen.pids["reader"]
    (fd,) = seen.modes("reader", "the pipe")
    runs = [(letter, len(list(run))) for letter, run in itertools.groupby(waiting_in(pid, fd))]
    roles = {pid: role for role, pid in seen.pids.items()}
    told = [
        (ord(roles[one.write.pid]), one.length, one.sure)
        for one in waiting_ranges(seen.state, seen.keys["the pipe"])
    ]
    assert told == [(letter, count, True) for letter, count in runs]
    assert len(told) > 1


def holds_whole_messages(seen):
    queued, _, _ = ask_pipe(seen, "a")
    assert queued
    assert queued % select.PIPE_BUF == 0


def has_no_room(seen):
    """A write end of pipe 2, opened here, takes nothing; one of pipe 1 does."""
    ready = []
    for name in ("pipe 1", "pipe 2"):
        for fd in seen.modes("browser", name):
            end = os.open(f"/proc/{seen.pids['browser']}/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK)
            asked = select.poll()
            asked.register(end, select.POLLOUT)
            ready += [name for _ in asked.poll(0)]
            os.close(end)
    assert ready == ["pipe 1"]


def has_lost_one(seen):
    states = [
        Path(f"/proc/{seen.pids[role]}/stat").read_text().rpartition(")")[2].split()[0]
        for role in ("renderer 1", "renderer 2")
    ]
    assert states[0] != "Z"
    assert states[1] == "Z"


def has_no_end_of_its_own(seen):
    """The shell is in wait4, and has no pipe open: who brings the bytes is not the shell."""
    assert not descriptors_of_pipe(seen.pids["shell"])
    assert descriptors_of_pipe(seen.pids["cat"])


def list_ready(seen):
    """Which of its three pipes the consumer could read without sleeping, asked here."""
    asked, names = select.poll(), {}
    try:
        for name in ("pipe 1", "pipe 2", "pipe 3"):
            for fd in seen.modes("consumer", name):
                end = os.open(f"/proc/{seen.pids['consumer']}/fd/{fd}", os.O_RDONLY)
                names[end] = name
                asked.register(end, select.POLLIN)
        return [names[end] for end, _ in asked.poll(0)]
    finally:
        for end in names:
            os.close(end)


def sleeps_beside(seen):
    assert list_ready(seen) == ["pipe 3"]
    assert seen.waits("consumer", Why.EMPTY)


def has_one_ready(seen):
    call = next(e for e in seen.events[::-1] if isinstance(e, ev.Call) and "ready" in e.args)
    found = [thing.info.key for thing, _, _ in list_found(seen.state, call)]
    assert found == [seen.keys[name] for name in list_ready(seen)]
    assert call.ret == len(found)


def has_no_reader(seen):
    """Opened without blocking, a write end of a pipe that nobody reads fails with EPIPE."""
    fd = min(fd for fd, mode in seen.modes("writer", "the pipe").items() if mode == "w")
    old = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    end = os.open(f"/proc/{seen.pids['writer']}/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(BrokenPipeError):
            os.write(end, b"x")
    finally:
        os.close(end)
        signal.signal(signal.SIGPIPE, old)


def is_full_of(count):
    def read(seen):
        assert ask_pipe(seen, "writer") == (count, 16384, False)
        assert level(seen) == (count, 16384, 4, 4)

    return read


CLAIMS = {
    "pipe-fork": {
        "sleeps": lambda m: m.waits("parent", Why.EMPTY),
        "read": lambda m: m.event.data == b"5000\n",
    },
    "pipe-eof": {"waits": lambda m: m.waits("cat", Why.EMPTY)},
    "shell-pipeline": {
        "fork-cat": lambda m: len(m.modes("cat", "the pipe")) == 2,
        "cat-stdout": lambda m: m.modes("cat", "the pipe")[1] == "w",
        "gzip-stdin": lambda m: m.modes("gzip", "the pipe")[0] == "r",
        "wait": lambda m: m.waits("shell", Why.CHILD) and not m.modes("shell", "the pipe"),
        "full": lambda m: m.waits("cat", Why.FULL),
        # All run by then. cat's end closes the pipe, and is told later: gzip can be quicker.
        "eof": lambda m: (
            not [r for r in m.pids if r != "cat" and "w" in m.modes(r, "the pipe").values()]
        ),
    },
    "pipe-blocking": {
        "empty": lambda m: (
            m.waits("reader", Why.EMPTY) and "w" in m.modes("writer", "the pipe").values()
        ),
        "full": lambda m: m.waits("writer", Why.FULL),
        "half": lambda m: m.waits("writer", Why.FULL),
        "goes-on": lambda m: m.event.ret == 4096,
        "goes-on-half": lambda m: m.event.ret == 2049,
        "eof": lambda m: "w" not in {*m.modes("writer", "the pipe").values()},
    },
    "sigpipe": {
        "ignored": lambda m: not m.came(signal.SIGPIPE),
        "epipe": lambda m: (
            not [role for role in m.pids if "r" in m.modes(role, "the pipe").values()]
        ),
        "dropped": lambda m: [e.error for e in m.calls("writer", "write")][-1] == "EPIPE",
        "killed": lambda m: m.event.signo == signal.SIGPIPE,
    },
    "browser": {
        "meet": lambda m: "w" in m.modes("browser", "pipe 1").values(),
        "busy": lambda m: m.wait("browser") is None,
        "epipe": lambda m: m.process("renderer 2").fate != "alive",
        "goes-on": lambda m: m.process("renderer 1").fate == "alive",
    },
    "select-poll": {
        "pipes": lambda m: len(m.modes("consumer", "pipe 1")) == 1,
        "wrong": lambda m: m.waits("consumer", Why.EMPTY),
        "beside": lambda m: m.waits("consumer", Why.EMPTY),
        "asks": lambda m: m.waits("consumer", Why.READY),
        "took": lambda m: m.event.ret > 0,
    },
    "connect2": {
        "left": lambda m: (
            m.modes("connect2", "the pipe") == m.modes("p1", "the pipe")
            and len(m.modes("p1", "the pipe")) == 2
        ),
        "p1": lambda m: m.modes("p1", "the pipe") == {1: "w"},
        "p2": lambda m: m.modes("p2", "the pipe") == {0: "r"},
        "closed": lambda m: len(m.modes("connect2", "the pipe")) < 2,
        "stuck": lambda m: m.waits("p2", Why.EMPTY) and m.waits("connect2", Why.CHILD),
        "eof": lambda m: "w" not in m.modes("connect2", "the pipe").values(),
    },
    "pipe-atomicity": {
        "part": lambda m: m.waits("a", Why.FULL) or m.waits("b", Why.FULL),
        "waits": lambda m: m.waits("a", Why.FULL) or m.waits("b", Why.FULL),
        "mixed": lambda m: all(e.args["count"] > select.PIPE_BUF for e in m.calls("a", "write")),
    },
}
"""What must be so at the event that reaches a step, by scenario."""
READERS = {
    "shell-pipeline": {"wait": has_no_end_of_its_own},
    "pipe-blocking": {"full": is_full_of(4 * 4096), "half": is_full_of(4 * 2049)},
    "sigpipe": {"epipe": has_no_reader},
    "browser": {"busy": has_no_room, "epipe": has_lost_one},
    "select-poll": {"beside": sleeps_beside, "ready": has_one_ready},
    "pipe-atomicity": {"waits": holds_whole_messages, "part": is_in_order, "behind": is_in_order},
}
"""What the kernel says while all are held behind a step."""
LINES = "\n".join(f"consumer: hello from producer {number}" for number in (1, 2, 3))
RUNS = [
    ("pipe-fork", "c", "child-first", "sleeps", "the number is 5000"),
    ("shell-pipeline", "sh", "flow", "", "status of the pipeline: 0\n200000 file"),
    ("pipe-blocking", "py", "full", "empty half goes-on-half", "writer: 24576 bytes in all"),
    ("pipe-blocking", "c", "full", "empty half goes-on-half", "writer: 24576 bytes in all"),
    ("pipe-blocking", "py-half", "half", "empty full goes-on", "writer: 12294 bytes in all"),
    ("pipe-blocking", "c-half", "half", "empty full goes-on", "writer: 12294 bytes in all"),
    ("pipe-blocking", "c", "reader-first", "full half goes-on goes-on-half", "reader: 4096 bytes"),
    ("connect2", "py", "connected", "waits stuck", "3\nboth have ended"),
    ("connect2", "c", "connected", "waits stuck", "3\nboth have ended"),
    ("select-poll", "py", "beside", "list asks ready took eof", LINES),
    ("select-poll", "c", "beside", "list asks ready took eof", LINES),
    ("select-poll", "py-select", "ready", "list wrong beside", "consumer: hello from producer 3"),
    ("select-poll", "c-select", "ready", "list wrong beside", "consumer: hello from producer 3"),
    ("select-poll", "py-poll", "ready", "list wrong beside", "consumer: hello from producer 3"),
    ("select-poll", "c-poll", "ready", "list wrong beside", "consumer: hello from producer 3"),
    ("select-poll", "py-epoll", "ready", "wrong beside", "consumer: hello from producer 3"),
    ("select-poll", "c-epoll", "ready", "wrong beside", "consumer: hello from producer 3"),
    ("browser", "py", "crash", "", "browser: the renderer of pipe2 ended with -11"),
    ("sigpipe", "sh", "left", "ignored dropped sees", "yes ended with status 141, head with 0"),
    ("sigpipe", "sh", "asleep", "ignored dropped sees", "yes ended with status 141, head with 0"),
    ("sigpipe", "sh-ignored", "left", "killed", "yes ended with status 1, head with 0"),
    ("sigpipe", "sh-ignored", "asleep", "killed", "Broken pipe"),
    ("sigpipe", "py", "left", "ignored dropped sees", "the writer was ended by signal 13"),
    ("sigpipe", "py-ignored", "left", "killed", "its status is 1"),
    (
        "pipe-atomicity",
        "py",
        "mixed",
        "waits whole",
        "5000 a, 904 b, 904 a, 4096 b, 4096 a, 5000 b",
    ),
    ("pipe-atomicity", "c", "mixed", "waits whole", "5000 a, 904 b, 904 a, 4096 b, 4096 a, 5000 b"),
    ("pipe-atomicity", "c", "luck", "part behind waits mixed", "5000 a, 5000 b"),
    ("pipe-atomicity", "py-whole", "whole", "part behind mixed", "each message is whole"),
    ("pipe-atomicity", "c-whole", "whole", "part behind mixed", "each message is whole"),
]
"""Scenario, variant, schedule, steps that can't be reached with these, what is printed."""


@pytest.mark.parametrize(
    ("name", "variant", "plan", "untold", "says"), RUNS, ids=[" ".join(run[:3]) for run in RUNS]
)
def test_what_a_schedule_must_show(name, variant, plan, untold, says):
    lesson = run_lesson(name, variant, plan, claims=CLAIMS.get(name), readers=READERS.get(name))
    lesson.assert_whole(*untold.split())
    assert says in lesson.output


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("pipe-fork", "c"),
        ("pipe-eof", "c"),
        ("shell-pipeline", "sh"),
        ("pipe-blocking", "c-half"),
        ("browser", "py"),
        ("select-poll", "c"),
        ("select-poll", "c-epoll"),
        ("sigpipe", "sh"),
        ("sigpipe", "py-ignored"),
        ("connect2", "c-forgets"),
        ("pipe-atomicity", "c"),
        ("pipe-atomicity", "c-whole"),
    ],
)
def test_what_is_told_is_so_in_any_order(name, variant, seed):
    lesson = run_lesson(name, variant, seed=seed, claims=CLAIMS[name])
    lesson.assert_sound()
    assert lesson.told


def is_stuck(seen):
    """Read in /proc: the parent sleeps with both ends, the right program with its own."""
    for role, numbers in (("connect2", 2), ("p2", 1)):
        pid = seen.pids[role]
        assert len(descriptors_of_pipe(pid)) == numbers
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert state == "S"


@pytest.mark.parametrize("variant", ["py-forgets", "c-forgets"])
async def test_a_parent_that_forgets_its_ends_closes_a_circle(variant):
    lesson = run_lesson(
        "connect2",
        variant,
        "forgotten",
        claims=CLAIMS["connect2"],
        readers={"stuck": is_stuck},
    )
    lesson.assert_sound()
    steps = {step.id for step in lesson.scenario.story}
    assert lesson.told.keys() == steps - {"closed", "eof", "end"}
    assert list(lesson.told)[-3:] == ["waits", "reaped", "stuck"]
    await assert_on_screen(lesson, {"stuck": {"t": ["connect2 and p2 wait for each other"]}})


async def test_the_panel_says_bytes_and_pages():
    lesson = run_lesson("pipe-blocking", "c-half", "half")
    shows = {"half": {"u": ["8,196/16,384 4/4p"]}, "eof": {"u": ["0/16,384 0/4p"]}}
    await assert_on_screen(lesson, shows)


async def test_whose_bytes_are_in_the_pipe_is_said_as_far_as_it_is_known():
    lesson = run_lesson("pipe-atomicity", "c", "mixed")
    shows = {
        "part": {
            "u": ["5,904/8,192 2/2p", "Whose: a 5,000 B, b 904 B"],
            "t": ["bbaaa", "of a 4.9K, b 904"],
        },
        "behind": {"u": ["Whose: a 5,000 B, b 904 B, a 904 B"], "t": ["abb", "bba"]},
        "read": {
            "u": ["Whose: b 4,096 B and a 4,096 B, in whatever order"],
            "t": ["??????", "of b 4K, a 4K"],
        },
        "mixed": {"t": ["A message in pieces"]},
    }
    await assert_on_screen(lesson, shows)


async def test_the_log_names_what_is_ready():
    lesson = run_lesson("select-poll", "c-poll", "ready")
    words = "consumer found 1 descriptor ready in poll: pipe 3 (fd 5, readable)"
    await assert_on_screen(lesson, {"ready": {"l": [words]}})
