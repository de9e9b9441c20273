"""The scenarios of named pipes, stepped from first to last: what each story tells is so at the
moment at which it is told, and the kernel says the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipcviz.model.waits.values import Why
from tests.integration.lessons import ORDERS, run_lesson

pytestmark = pytest.mark.kernel

OPENAT = 257 if os.uname().machine == "x86_64" else 56


def list_fifos(pid):
    """The numbers of a process's descriptors that are a FIFO, read from /proc here."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        path = Path(f"/proc/{pid}/fd/{number}")
        if path.is_fifo() and not os.readlink(path).startswith("pipe:"):
            found.append(int(number))
    return found


def sleeps_in_open(role):
    """A reader of the kernel: the process is in openat, and has no descriptor of a FIFO."""

    def read(seen):
        pid = seen.pids[role]
        assert not list_fifos(pid)
        assert Path(f"/proc/{pid}/syscall").read_text().split()[0] == str(OPENAT)

    return read


def has_met(seen):
    """Each of the two has one descriptor of the FIFO."""
    assert len(list_fifos(seen.pids["reader"])) == 1
    assert len(list_fifos(seen.pids["writer"])) <= 1


def has_no_position(seen):
    """The seeker's file is a FIFO, of 0 bytes, and its position is 0 by /proc."""
    pid = seen.pids["seeker"]
    (fd,) = list_fifos(pid)
    assert Path(f"/proc/{pid}/fd/{fd}").stat().st_size == 0
    assert "pos:\t0\n" in Path(f"/proc/{pid}/fdinfo/{fd}").read_text()


def has_a_writer(seen):
    """Somebody has the FIFO open for writing, by the flags in /proc."""
    flags = [
        next(line.split()[1] for line in info.read_text().splitlines() if "flags" in line)
        for pid in seen.pids.values()
        if seen.state.processes[pid].fate == "alive"
        for info in (Path(f"/proc/{pid}/fdinfo/{number}") for number in list_fifos(pid))
    ]
    assert any(int(word, 8) & os.O_ACCMODE == os.O_WRONLY for word in flags)


def is_one_descriptor(seen):
    """The reader has read from one descriptor of the FIFO all the time, and has it open."""
    fds = {
        call.args["fd"]
        for call in seen.calls("reader", "read")
        if call.object == seen.keys["the FIFO"]
    }
    return fds == set(seen.modes("reader", "the FIFO"))


def is_armed(seen):
    return any(timer.armed for timer in seen.state.timers.values())


def is_empty_on_the_disk(seen):
    """Bytes are in the FIFO, and the file of its name has none."""
    name = Path(f"/proc/{seen.pids['shell']}/cwd/pipe")
    assert name.is_fifo()
    assert (name.stat().st_size, name.stat().st_blocks) == (0, 0)
    assert seen.object("the FIFO").level.queued > 0


CLAIMS = {
    "fifo-gzip": {
        "blocked": lambda m: m.waits("gzip", Why.NO_WRITER) and not m.modes("gzip", "the FIFO"),
        "writer": lambda m: "w" in m.modes("cat", "the FIFO").values(),
        "reader": lambda m: "r" in m.modes("gzip", "the FIFO").values(),
        "full": lambda m: m.waits("cat", Why.FULL),
    },
    "fifo-rendezvous": {
        "made": lambda m: not any(o.info.kind == "pipe" for o in m.state.objects.values()),
        "nobody": lambda m: m.event.error == "ENXIO",
        "reader-waits": lambda m: (
            m.waits("reader", Why.NO_WRITER) and not m.modes("reader", "the FIFO")
        ),
        "writer-waits": lambda m: (
            m.waits("writer", Why.NO_READER) and not m.modes("writer", "the FIFO")
        ),
        "reader-open": lambda m: list(m.modes("reader", "the FIFO").values()) == ["r"],
        "writer-open": lambda m: list(m.modes("writer", "the FIFO").values()) == ["w"],
    },
    "fifo-timeout": {
        "waits": lambda m: m.waits("reader", Why.NO_WRITER),
        "early": lambda m: not m.wait("reader") and not is_armed(m),
        "rings": lambda m: not m.modes("reader", "the FIFO"),
        "eintr": lambda m: not m.modes("reader", "the FIFO"),
        "restarted": lambda m: m.waits("reader", Why.NO_WRITER) and not is_armed(m),
        "opened": lambda m: list(m.modes("reader", "the FIFO").values()) == ["r"],
        "read-waits": lambda m: m.waits("reader", Why.EMPTY),
        "read-eintr": lambda m: m.modes("reader", "the FIFO"),
        "got": lambda m: m.event.ret == 7,
    },
    "fifo-tail": {
        "kept": lambda m: "w" in m.modes("shell", "the FIFO").values(),
        "no-eof": lambda m: m.waits("reader", Why.EMPTY),
        "reads-on": lambda m: not m.waits("reader", Why.EMPTY) and is_one_descriptor(m),
        "nobody": lambda m: m.waits("writer", Why.NO_READER) and not m.modes("writer", "the FIFO"),
        "same": is_one_descriptor,
        "other": lambda m: m.event.ret == 4 and "reader" in m.pids,
    },
    "fifo-adapter": {
        "espipe": lambda m: list(m.modes("seeker", "the FIFO").values()) == ["r"],
        "gives-up": lambda m: (
            not any(call.object == m.keys["the FIFO"] for call in m.calls("seeker", "read"))
        ),
        "seeks": lambda m: m.event.ret == 10_000 - 6,
    },
}
"""What must be so at the event that reaches a step."""
READERS = {
    "fifo-gzip": {"blocked": sleeps_in_open("gzip"), "flow": is_empty_on_the_disk},
    "fifo-rendezvous": {
        "reader-waits": sleeps_in_open("reader"),
        "writer-waits": sleeps_in_open("writer"),
        "reader-open": has_met,
    },
    "fifo-timeout": {
        "waits": sleeps_in_open("reader"),
        "restarted": sleeps_in_open("reader"),
    },
    "fifo-tail": {"no-eof": has_a_writer, "nobody": sleeps_in_open("writer")},
    "fifo-adapter": {"espipe": has_no_position},
}
"""What reads the kernel while all are held behind a step."""


def step(name, variant, plan="", **more):
    return run_lesson(
        name, variant, plan, claims=CLAIMS[name], readers=READERS.get(name, {}), **more
    )


UNTOLD_AT_ONCE = {
    "waits",
    "rings",
    "early",
    "eintr",
    "out-of-time",
    "restarted",
    "read-waits",
    "read-eintr",
}
TOO_EARLY = UNTOLD_AT_ONCE - {"waits", "early"}
NO_FIFO_TO_SEEK = {"seeker-open", "espipe", "gives-up", "sigpipe"}
READ = "read: at last\n"
MET = "reader: so we have met\nreader: end of file\n"
QUICK = {"fifo-timeout": {"limit": 1}}
RUNS = [
    ("fifo-gzip", "sh", "meet", set(), "the same bytes came out\n"),
    ("fifo-rendezvous", "py", "reader-first", {"nobody", "writer-waits"}, MET),
    ("fifo-rendezvous", "c", "reader-first", {"nobody", "writer-waits"}, MET),
    ("fifo-rendezvous", "c", "writer-first", {"nobody", "reader-waits"}, MET),
    ("fifo-rendezvous", "py-nonblock", "nobody", {"writer-waits"}, MET),
    ("fifo-rendezvous", "c-nonblock", "nobody", {"writer-waits"}, MET),
    ("fifo-timeout", "c-sigaction", "too-late", {"early", "restarted"}, f"I try again\n{READ}"),
    (
        "fifo-timeout",
        "py-raise",
        "give-up",
        {"early", "restarted", "opened", "read-waits", "read-eintr", "got"},
        "it was not there in time: I give up\n",
    ),
    (
        "fifo-timeout",
        "c",
        "restarted",
        {"early", "eintr", "out-of-time", "read-waits", "read-eintr"},
        READ,
    ),
    ("fifo-timeout", "py", "restarted", {"early", "out-of-time", "read-waits", "read-eintr"}, READ),
    ("fifo-timeout", "c", "in-time", UNTOLD_AT_ONCE, READ),
    ("fifo-timeout", "c", "too-early", TOO_EARLY, READ),
    ("fifo-timeout", "py", "too-early", TOO_EARLY, READ),
    ("fifo-tail", "sh", "ends", {"kept", "no-eof", "reads-on", "same"}, "one\ntwo\n"),
    ("fifo-tail", "sh-tail", "reads-on", {"kept", "no-eof", "nobody", "other"}, "one\ntwo\n"),
    ("fifo-adapter", "sh", "reads", {"seeks"}, "2000 lines\n"),
    ("fifo-adapter", "sh", "seeks", {"seeks"}, "Illegal seek\nstatus of gzip: 141\n"),
    ("fifo-adapter", "py", "seeks", {"seeks"}, "Illegal seek\nstatus of gzip: -13\n"),
    ("fifo-adapter", "sh-file", "copy", NO_FIFO_TO_SEEK, "the last line is 2000\n"),
    ("fifo-tail", "sh-keep", "kept", {"reads-on", "nobody", "same", "other"}, "one\ntwo\n"),
]


LEFT_TO_CHANCE = {("fifo-adapter", "reads"): {"sigpipe"}}
"""Steps behind the end of a schedule, where all run: gzip may have written all by then."""


@pytest.mark.parametrize(
    ("name", "variant", "plan", "untold", "says"), RUNS, ids=[" ".join(run[:3]) for run in RUNS]
)
def test_what_a_lesson_must_show(name, variant, plan, untold, says):
    lesson = step(name, variant, plan, settings=QUICK.get(name))
    lesson.assert_whole(*untold, *(LEFT_TO_CHANCE.get((name, plan), set()) & lesson.skipped.keys()))
    assert says in lesson.output


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("fifo-gzip", "sh"),
        ("fifo-rendezvous", "c"),
        ("fifo-rendezvous", "c-nonblock"),
        ("fifo-timeout", "c"),
        ("fifo-timeout", "c-sigaction"),
        ("fifo-tail", "sh"),
        ("fifo-tail", "sh-tail"),
        ("fifo-tail", "sh-keep"),
        ("fifo-adapter", "sh"),
    ],
)
def test_what_is_told_is_so_in_any_order(name, variant, seed):
    lesson = step(name, variant, seed=seed, settings=QUICK.get(name))
    lesson.assert_sound()
    assert lesson.told
