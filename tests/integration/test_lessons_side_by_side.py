"""All means side by side: the scenario stepped from first to last, and its programs alone."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ipcviz.events as ev
from ipcviz.model.waits.values import Why
from ipcviz.scenario import find_scenario, prepare_launch
from tests.integration.harness import contents, kernel_objects, list_left_objects
from tests.integration.lessons import ORDERS, assert_on_screen, assert_shown_meanwhile, run_lesson

pytestmark = pytest.mark.kernel

SENT = "mq_timedsend"
TRANSFERS = (
    *("write", "read", "readv", "pwrite64", "pread64", "preadv", "preadv2"),
    *(SENT, "mq_timedreceive"),
)
MEANS = ("pipe", "fifo", "unix", "tcp", "queue", "file", "mapped", "memory")


def list_carried(seen, *labels):
    """(role, bytes) of the calls that have carried data through some objects, the sender's first.

    A send that is under way counts: a thread that is woken in the middle of it may be back, and be
    told of, before it returns.
    """
    keys = {seen.keys[label] for label in labels if label in seen.keys}
    roles = {seen.pids[role]: role for role in ("sender", "receiver")}
    found, under_way = [], {}
    for event in seen.events:
        if not isinstance(event, ev.Call | ev.Entered) or event.object not in keys:
            continue
        if isinstance(event, ev.Entered):
            under_way[event.tid] = (roles[event.pid], len(event.data))
        elif event.name in TRANSFERS:
            under_way.pop(event.tid, None)
            # mq_send returns 0, and has put the whole message in.
            found.append((roles[event.pid], len(event.data) if event.name == SENT else event.ret))
    return sorted([*found, *under_way.values()], reverse=True)


TWICE = [("sender", 64), ("receiver", 64)]


def is_mapped_by_both(seen):
    """/proc says so, while all are held."""
    for role in ("sender", "receiver"):
        lines = Path(f"/proc/{seen.pids[role]}/maps").read_text().splitlines()
        assert [line for line in lines if "/mapped (deleted)" in line and "rw-s" in line]


def sleeps_in_futex(seen):
    """The kernel says so, while the receiver is asleep."""
    number = Path(f"/proc/{seen.pids['receiver']}/syscall").read_text().split()[0]
    assert Path(f"/proc/{seen.pids['receiver']}/wchan").read_text().startswith("futex")
    assert number != "running"


CLAIMS = {
    "waits": lambda s: s.waits("receiver", Why.EMPTY),
    "pipe-in": lambda s: list_carried(s, "pipe") == TWICE[:1],
    "pipe-out": lambda s: list_carried(s, "pipe") == TWICE,
    "fifo": lambda s: list_carried(s, "FIFO") == TWICE,
    "unix": lambda s: list_carried(s, "UNIX 1", "UNIX 2") == TWICE,
    "tcp": lambda s: list_carried(s, "TCP 1", "TCP 2") == TWICE,
    "queue": lambda s: list_carried(s, "queue") == TWICE,
    "file-in": lambda s: list_carried(s, "file") == TWICE[:1],
    "file-told": lambda s: s.event.op == "post",
    "file-out": lambda s: list_carried(s, "file") == TWICE,
    "mapped-in": lambda s: not list_carried(s, "mapped"),
    "mapped-out": lambda s: not list_carried(s, "mapped"),
    "memory-waits": lambda s: s.waits("receiver", Why.SEMAPHORE),
    "memory-woken": lambda s: s.waits("receiver", Why.SEMAPHORE),
    "memory-out": lambda s: s.event.op == "post",
}
READERS = {"mapped-in": is_mapped_by_both}
SLEEPS = {"waits", "memory-waits", "memory-woken"}


@pytest.mark.parametrize(
    ("variant", "plan", "untold"),
    [("py", "", SLEEPS), ("c", "", SLEEPS), ("py", "asleep", ()), ("c", "asleep", ())],
)
def test_what_carries_a_message(variant, plan, untold):
    readers = READERS | ({"memory-waits": sleeps_in_futex} if plan else {})
    lesson = run_lesson("hierarchy", variant, plan, claims=CLAIMS, readers=readers)
    lesson.assert_whole(*untold)
    assert lesson.state.finished
    assert 15 <= lesson.operations <= 60
    rows = [line.split() for line in lesson.output.splitlines()]
    counts = {" ".join(row[:-5]): row[-5:-3] for row in rows if row[-1:] == ["█" * 15]}
    assert len(counts) == 6
    assert all(count == ["2", "2+0"] for count in counts.values()), counts
    shared = [row[2:4] for row in rows if row[:2] in (["mapped", "file"], ["shared", "memory"])]
    assert shared == [["0", "0+1"], ["0", "0+1"]]
    assert all(len(line) <= 80 for line in lesson.output.splitlines())


def test_the_kernel_has_a_part_where_somebody_sleeps():
    lesson = run_lesson("hierarchy", "c", "asleep")
    told = lesson.told
    woken = [
        event
        for event in lesson.events
        if isinstance(event, ev.Call)
        and event.name == "futex"
        and event.n > told["memory-waits"]
        and event.args["op"].startswith("FUTEX_WAKE")
    ]
    assert woken[0].ret == 1, "one sleeper was woken, and by a call"


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize("variant", ["py", "c"])
def test_what_is_told_is_so_in_any_order(variant, seed):
    lesson = run_lesson("hierarchy", variant, seed=seed, claims=CLAIMS)
    lesson.assert_sound()
    assert set(lesson.told) >= set(CLAIMS) - SLEEPS


async def test_the_receiver_asleep_is_on_the_screen():
    lesson = run_lesson("hierarchy", "c", "asleep")
    shows = {
        "waits": {"t": ["receiver is blocked in read(3) on pipe: it is empty"]},
        "memory-waits": {"t": ["memory-full"], "m": ["memory-full"]},
        "end": {"o": ["shared memory", "0+1"]},
    }
    await assert_on_screen(lesson, shows)


def run_alone(variant, folder, **settings):
    """(result, rows of the saved figures) of a variant without ipcviz."""
    saved = folder / settings.pop("save", "figures.json")
    scenario = find_scenario("hierarchy")
    before = kernel_objects(os.geteuid())
    with prepare_launch(scenario, variant, {"save": str(saved), **settings}) as launch:
        done = subprocess.run(
            launch.argv, cwd=launch.cwd, capture_output=True, text=True, timeout=60, check=False
        )
        assert not contents(Path(launch.cwd))
    assert not list_left_objects(os.geteuid(), before)
    text = saved.read_text() if saved.exists() else ""
    if saved.suffix == ".csv":
        return done, list(csv.DictReader(text.splitlines()))
    return done, json.loads(text or "[]")


@pytest.mark.parametrize("variant", ["py-measure", "c-measure"])
def test_measured_alone(variant, tmp_path):
    sizes = {"sizes": "1,1048576", "messages": 30, "rounds": 2}
    done, rows = run_alone(variant, tmp_path, **sizes)
    assert done.returncode == 0, done.stderr
    ways = [(row["mode"], row["size"], row["means"]) for row in rows]
    assert ways == [
        (mode, size, means)
        for mode in ("stream", "answer")
        for size in (1, 1 << 20)
        for means in MEANS
    ]
    for row in rows:
        there = 1 if row["mode"] == "stream" else 2
        shared = row["means"] in ("mapped", "memory")
        assert row["copies_by_kernel"] == (0 if shared else 2 * there)
        assert row["copies_by_program"] == (there if shared else 0)
        assert 0 < row["least"] <= row["per_second"] <= row["most"]
        if row["size"] == 1:
            assert row["calls"] == (0 if shared else 2 * there)
        if row["size"] == 1 and row["mode"] == "answer":
            assert row["switches"] > 0.5, "each side sleeps while the other one is at work"
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert "round trips per second by the size of a message" in done.stdout
    for number in (1, 2):
        assert f"round {number} of 2: round trips per second, with an answer" in done.stdout
    assert "ipcviz" not in done.stdout


def test_figures_as_a_table(tmp_path):
    done, rows = run_alone("py", tmp_path, save="figures.csv")
    assert done.returncode == 0, done.stderr
    assert [row["means"] for row in rows] == list(MEANS)
    assert {row["per_second"] for row in rows} == {""}, "one message is no measurement"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"save": "figures.txt"}, "must end in .json or .csv"),
        ({"save": "none/figures.csv"}, "No such file or directory"),
        ({"sizes": "0,1"}, "give one to six, from 1 to 1048576 bytes"),
    ],
)
def test_what_can_not_be_measured(settings, says, tmp_path):
    done, rows = run_alone("py-measure", tmp_path, **settings)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not rows


def test_watched_it_shows_counts_and_no_times():
    settings = {"sizes": "1,64", "messages": 3}
    lesson = run_lesson("hierarchy", "c-measure", then="run", settings=settings)
    assert "neither is shown" in lesson.output
    assert f"run it alone: {sys.executable}" in lesson.output
    assert "per second" not in lesson.output
    assert_shown_meanwhile(lesson, "compare", b"        1      2", 1)
