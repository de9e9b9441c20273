"""The scenarios of memory and of lock files, stepped from first to last: what each story tells is
so at the moment at which it is told, and the kernel says the same by another way.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
from pathlib import Path

import pytest

from ipcviz.events import Sample
from ipcviz.scenario import find_scenario, prepare_launch
from tests.integration.lessons import (
    MOST_OPERATIONS,
    ORDERS,
    assert_shown_meanwhile,
    run_lesson,
)

pytestmark = pytest.mark.kernel

SEGV, BUS = 11, 7


class Moment:
    """A moment at which a step was told."""

    def __init__(self, seen):
        self.state, self.event = seen.state, seen.event
        self.pids, self.keys = seen.pids, seen.keys

    def pages(self, role):
        """Letters of the pages of the first mapping that a process may write to."""
        pid = self.pids[role]
        starts = [m.start for m in self.state.mappings.get(pid, ()) if "w" in m.prot]
        rows = [self.state.pages[pid, at].pages for at in starts if (pid, at) in self.state.pages]
        return rows[0].rstrip(".") if rows else ""

    def maps(self, role):
        return [m.start for m in self.state.mappings.get(self.pids[role], ()) if m.shared]

    def bytes(self, label, pid=0):
        return self.state.memory[self.keys[label], pid].sample.data

    def value(self, label):
        return int.from_bytes(self.state.variables[self.keys[label]].value, "little")

    def locks(self, role):
        """The rows of /proc/locks of a process, read here."""
        pid = str(self.pids[role])
        return [r for r in Path("/proc/locks").read_text().splitlines() if pid in r.split()]


def is_mapped_apart(m):
    mine, other = m.maps("producer"), m.maps("consumer")
    return other and (not mine or set(mine).isdisjoint(other))


CLAIMS = {
    "mmap-hello both": is_mapped_apart,
    "mmap-hello sigbus": lambda m: m.event.signo == BUS and m.event.fault.size == 0,
    "mmap-hello between": lambda m: m.state.changes,
    "mmap-shared-private same": lambda m: "c" not in m.pages("b"),
    "mmap-shared-private seen": lambda m: m.bytes("data").startswith(b"first"),
    "mmap-shared-private copied": lambda m: m.pages("b")[0] == "c" and m.pages("b")[1] in "oO",
    "mmap-shared-private own": lambda m: (
        m.bytes("data", m.pids["b"]).startswith(b"of b") and m.bytes("data").startswith(b"again")
    ),
    "mmap-anonymous zero": lambda m: m.value("inside") == 0,
    "mmap-anonymous seen": lambda m: m.value("inside") == 1,
    "mmap-anonymous exec": lambda m: not m.maps("stranger"),
    "mmap-anonymous segv": lambda m: m.event.signo == SEGV and m.event.fault.mapping is None,
    "mmap-pages mapped": lambda m: m.pages("program") == "",
    "mmap-pages one": lambda m: m.pages("program") == "o",
    "mmap-pages three": lambda m: m.pages("program") == "o.o..o",
    "mmap-pages neighbour": lambda m: m.event.signo == SEGV,
    "mmap-pointers reader-maps": lambda m: m.maps("reader"),
    "mmap-pointers by-offset": lambda m: m.value("offset") == 16,
    "mmap-pointers segv": lambda m: m.event.fault.mapping is None,
    "mmap-segv protected": lambda m: m.state.mappings[m.pids["program"]][0].prot == "r--",
    "mmap-segv load": lambda m: m.value("number") == 1,
    "mmap-segv again": lambda m: m.value("number") == 2,
    "posix-shm there": lambda m: m.bytes("segment").startswith(b"Hello World"),
    "posix-shm goes-on": lambda m: m.bytes("segment").startswith(b"Good Evening"),
    "lock-file waits": lambda m: m.locks("a") or m.locks("b"),
    "lock-file dropped": lambda m: not m.locks("a") or not m.locks("b"),
}
"""What must be so at the event that reaches a step."""


def choose_claims(name, claims):
    """The claims of one scenario, by the step's id."""
    return {
        key.partition(" ")[2]: lambda seen, claim=claim: claim(Moment(seen))
        for key, claim in claims.items()
        if key.partition(" ")[0] == name
    }


def step_lesson(name, variant, plan="", settings=None, claims=CLAIMS):
    """(ids of the steps that were told, output, state, events) of a run to its end."""
    lesson = run_lesson(name, variant, plan, settings=settings, claims=choose_claims(name, claims))
    assert not lesson.departed, lesson.departed
    assert lesson.state.finished
    assert {step.id for step in lesson.scenario.story} == lesson.told.keys() | lesson.skipped.keys()
    if not variant.endswith("-left"):
        lesson.assert_sound()
    lesson.assert_asked()
    assert lesson.length <= MOST_OPERATIONS
    return list(lesson.told), lesson.output, lesson.state, lesson.events


QUICK = {"mmap-hello": {"delay": 0.05}, "lock-file": {"rest": 0.05}, "mmap-pages": {"megabytes": 4}}
RUNS = [
    ("mmap-hello", "c", "between", {"between", "read"}, ""),
    ("mmap-hello", "py", "between", {"between", "read"}, ""),
    ("mmap-hello", "c", "in-turn", {"both", "read"}, "consumer: 'Hello World'"),
    ("mmap-hello", "c-unsized", "unsized", {"map-unsized", "sigbus"}, "status 135"),
    ("mmap-shared-private", "c", "", {"copied", "own", "sync"}, "the file: 'again' in page 0"),
    ("mmap-shared-private", "py", "", {"copied", "own", "sync"}, "the file: 'again' in page 0"),
    ("mmap-anonymous", "c", "", {"seen", "segv"}, "parent: beside = 0, inside = 1"),
    ("mmap-anonymous", "py-zero", "", {"seen", "segv"}, "parent: beside = 0, inside = 1"),
    ("mmap-pages", "c", "", {"one", "three", "clean"}, "pages 2 and 5: 2 faults"),
    ("mmap-pages", "py", "", {"one", "three", "clean"}, "pages 2 and 5: 2 faults"),
    ("mmap-pages", "c-unmap", "", {"refused"}, "Invalid argument"),
    ("mmap-pages", "c-unmap", "one-page-too-many", {"leftover", "neighbour"}, ""),
    ("mmap-pointers", "c", "", {"by-pointer", "segv"}, "ended by signal 11"),
    ("mmap-pointers", "c-rubbish", "", {"rubbish"}, "by the pointer: something else"),
    ("mmap-pointers", "c-offset", "", {"by-offset"}, "by the offset:  Hello World"),
    ("mmap-segv", "c", "", {"killed"}, "may only be read"),
    ("mmap-segv", "c-handler", "", {"handled", "mended", "again"}, "the number is 2"),
    ("posix-shm", "c", "", {"unlinked", "refused", "goes-on", "gone"}, "goes on"),
    ("posix-shm", "py", "", {"unlinked", "refused", "goes-on", "gone"}, "goes on"),
    ("sysv-shm", "c", "", {"nobody", "marked", "gone"}, "contains: 'Hello World'"),
    ("sysv-shm", "py-left", "", {"nobody", "left"}, "contains: 'Hello World'"),
    ("persistence", "py", "", {"found-file", "found-posix"}, "anonymous  gone"),
    ("mmap-vs-write", "c", "", {"write", "map", "updates-map"}, "Take the counts"),
    ("lock-file", "c", "both", {"free", "both"}, "b is inside"),
    ("lock-file", "py", "both", {"free", "both"}, "b is inside"),
    ("lock-file", "c-excl", "one", {"refused"}, "b is inside"),
    ("lock-file", "c-excl", "stale", {"crashed", "stale"}, "b gives up"),
    ("lock-file", "py-flock", "given-back", {"waits", "given-back"}, "b is inside"),
    ("lock-file", "c-fcntl", "dropped", {"dropped", "both"}, "b is inside"),
    ("lock-file", "c-notes", "", {"wrong-file", "both"}, "b is inside"),
]


@pytest.mark.parametrize(
    ("name", "variant", "plan", "wanted", "says"),
    RUNS,
    ids=[" ".join(run[:3]).strip() for run in RUNS],
)
def test_what_a_lesson_must_show(name, variant, plan, wanted, says):
    told, output, _, _ = step_lesson(name, variant, plan, QUICK.get(name))
    assert wanted <= set(told)
    assert says in output


def test_a_reader_between_two_stores_gets_parts_of_both():
    _, output, _, _ = step_lesson("mmap-hello", "c", "between")
    first = output.partition("consumer: '")[2].partition("'")[0]
    assert len(first) == len("Hello World")
    assert first.startswith("Good Ev")


def test_what_becomes_of_a_segment():
    _, _, _, events = step_lesson("sysv-shm", "c")
    seen = [
        (sample.attached, sample.removed)
        for event in events
        if isinstance(event, Sample)
        for sample in event.memory
        if sample.object.startswith("shm:") and not sample.pid
    ]
    assert (1, False) in seen
    assert (0, False) in seen, "detached, and still there"
    assert seen[-1] == (0, True), "removed, and gone with the last"
    changed = [
        sample.changed
        for event in events
        if isinstance(event, Sample)
        for sample in event.memory
        if sample.object.startswith("shm:")
    ]
    assert changed[-1] == (), "what the second run finds, nobody has changed"


def compare_alone(variant, **settings):
    """What the comparison of a mapping and write() prints without ipcviz."""
    wanted = {"large": 64, "many": 1000, "rounds": 2, **settings}
    with prepare_launch(find_scenario("mmap-vs-write"), variant, wanted) as launch:
        done = subprocess.run(
            launch.argv, cwd=launch.cwd, capture_output=True, text=True, timeout=60, check=True
        )
        assert not list(Path(launch.cwd).iterdir())
    return done.stdout


@pytest.mark.parametrize("variant", ["py-measure", "c-measure"])
def test_a_mapping_and_write_are_measured_alone(variant):
    text = compare_alone(variant)
    assert "ipcviz" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    _, curve = text.split("microseconds per update, by the number of updates\n")
    head, write, mapped, last = curve.splitlines()
    assert head.split() == ["1", "10", "100", "1,000"]
    for row, way in ((write, "write"), (mapped, "map")):
        assert row.split()[0] == way
        assert re.search(r" [▁-█]{4}$", row)
    assert last.startswith("the mapping is ")


def test_a_mapping_and_write_as_figures():
    rows = json.loads(compare_alone("py-measure", form="json"))
    table = list(csv.DictReader(compare_alone("py-measure", form="csv").splitlines()))
    assert [row["way"] for row in rows] == [row["way"] for row in table] == ["write", "map"] * 5
    for row in rows:
        assert row["least_s"] <= row["median_s"] <= row["most_s"]
        pieces = row["updates"] or 1  # 64 KiB in pieces of 64 KiB
        assert row["calls"] == (pieces if row["way"] == "write" else 0)


def test_a_mapping_and_write_when_watched_show_counts_and_no_times():
    settings = {"large": 64, "many": 3}
    lesson = run_lesson("mmap-vs-write", "c-measure", then="run", settings=settings)
    assert "no times are shown" in lesson.output
    assert "To measure, run it alone: " in lesson.output
    assert " ms " not in lesson.output
    assert_shown_meanwhile(lesson, "compare", b"pass                write", 2)


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("mmap-hello", "c"),
        ("mmap-shared-private", "c"),
        ("mmap-anonymous", "c"),
        ("mmap-pages", "c"),
        ("mmap-pointers", "c"),
        ("mmap-segv", "c-handler"),
        ("sysv-shm", "c"),
        ("persistence", "py"),
        ("mmap-vs-write", "c"),
        ("posix-shm", "c"),
        ("lock-file", "c"),
        ("lock-file", "c-excl"),
        ("lock-file", "c-flock"),
        ("lock-file", "c-fcntl"),
    ],
)
def test_what_is_told_is_so_in_any_order(name, variant, seed):
    settings = QUICK.get(name, {})
    claims = choose_claims(name, CLAIMS)
    lesson = run_lesson(name, variant, seed=seed, settings=settings, claims=claims)
    lesson.assert_sound()
    assert lesson.told
