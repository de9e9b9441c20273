"""The scenarios of files, stepped from first to last. Lock files are among those of memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.lessons import ORDERS, assert_on_screen, run_lesson

pytestmark = pytest.mark.kernel


# spool


def read_spool(seen):
    """What is in the spool folder now, read here: the text of each file by its name."""
    folder = Path(f"/proc/{seen.pids['main']}/cwd/spool")
    return {path.name: path.read_text() for path in folder.iterdir()}


WHOLE = "user anna\nprint df1\n"
LETTER = "Dear Anna, ...\n"


def is_half(seen):
    assert read_spool(seen) == {"cf1": "user anna\n", "df1": LETTER}


def is_renamed(seen):
    assert read_spool(seen) == {"cf1": WHOLE, "df1": LETTER}


def is_not_in_sight(seen):
    assert set(read_spool(seen)) <= {"tf1", "df1"}


def has_survived(seen):
    assert read_spool(seen) == {"cf1": WHOLE, "df1": LETTER}


SPOOL_CLAIMS = {
    "seen-half": lambda s: s.event.data == b"user anna\n",
    "whole": lambda s: WHOLE.encode().endswith(s.event.data) and s.event.data,
    "printed": lambda s: s.event.data == LETTER.encode(),
    "killed": lambda s: s.process("daemon").fate != "alive",
    "again": lambda s: s.modes("daemon 2", "control file"),
}
FOLDERS = {"hour", "day"}
NOT_KILLED = {"killed", "again"}
JOB = {"data", "half", "seen-half", "complete", "renamed", "whole", "printed", "done"}


@pytest.mark.parametrize(
    ("variant", "plan", "readers", "untold"),
    [
        ("py", "half", {"seen-half": is_half}, {"renamed", "whole", "printed"} | NOT_KILLED),
        (
            "py-rename",
            "killed",
            {"half": is_not_in_sight, "renamed": is_renamed, "killed": has_survived},
            {"seen-half"},
        ),
        ("py-cron", "hours", {}, JOB | NOT_KILLED),
    ],
)
def test_spool(variant, plan, readers, untold):
    lesson = run_lesson("spool", variant, plan, claims=SPOOL_CLAIMS, readers=readers)
    lesson.assert_whole(*untold, *(FOLDERS if variant != "py-cron" else ()))
    told = lesson.output.count(LETTER)
    assert told == {"py": 0, "py-rename": 2, "py-cron": 0}[variant], "at least once"
    if variant == "py-cron":
        assert lesson.output.count("hourly: rotate the logs\n") == 2
        assert lesson.output.count("daily: make a backup\n") == 1


@pytest.mark.parametrize(
    ("variant", "plan", "untold"),
    [
        ("sh", "half-sh", {"renamed", "whole", "printed"}),
        ("sh-rename", "renamed-sh", {"seen-half"}),
        ("sh-rename", "", {"seen-half"}),
    ],
)
def test_a_spool_of_the_shell(variant, plan, untold):
    lesson = run_lesson("spool", variant, plan, claims=SPOOL_CLAIMS)
    lesson.assert_whole(*untold, *NOT_KILLED, *FOLDERS)


async def test_half_a_job_is_on_the_screen():
    lesson = run_lesson("spool", "py", "half")
    shows = {"seen-half": {"t": ["daemon read 10 bytes from control file"]}}
    await assert_on_screen(lesson, shows)


@pytest.mark.parametrize("seed", ORDERS)
def test_a_renamed_job_is_whole_in_any_order(seed):
    settings = {"pause": 0.01}
    lesson = run_lesson("spool", "py-rename", seed=seed, settings=settings, claims=SPOOL_CLAIMS)
    lesson.assert_whole("seen-half", *NOT_KILLED, *FOLDERS)


# proc-files


def read_state(seen):
    """The letter of the worker's state, read here; empty if there is no such process."""
    try:
        text = Path(f"/proc/{seen.pids['worker']}/stat").read_text()
    except FileNotFoundError:
        return ""
    return text.rpartition(")")[2].split()[0]


def has_no_blocks(seen):
    file = os.stat("/proc/loadavg")
    assert (file.st_size, file.st_blocks) == (0, 0)


def sleeps(seen):
    assert read_state(seen) == "S"
    assert b"State:\tS" in seen.calls("reader", "pread64")[-1].data


def is_zombie(seen):
    assert read_state(seen) == "Z"
    assert seen.process("worker").fate == "zombie"


def is_gone(seen):
    assert read_state(seen) == ""


def differs(seen):
    """The newest process of the second read is another one than that of the first."""
    lines = [e.data for e in seen.events if getattr(e, "object", "") == seen.keys["loadavg"]]
    first, *_, last = [line.split()[-1] for line in lines if line]
    return first != last


PROC_CLAIMS = {
    "first": lambda s: s.event.data.count(b".") == 3,
    "again": differs,
    "killed": lambda s: s.event.signo,
    "gone": lambda s: s.event.error == "ESRCH" and s.modes("reader", "status"),
}
PROC_READERS = {"open": has_no_blocks, "zombie": is_zombie, "gone": is_gone, "no-folder": is_gone}


@pytest.mark.parametrize(
    ("variant", "plan", "untold"),
    [("py", "states", {"no-folder"}), ("sh", "files", {"zombie", "gone"})],
)
def test_proc_files(variant, plan, untold):
    readers = {**PROC_READERS, **({"state": sleeps} if variant == "py" else {})}
    lesson = run_lesson("proc-files", variant, plan, claims=PROC_CLAIMS, readers=readers)
    lesson.assert_whole(*untold)
    assert ("Z (zombie)" in lesson.output) == (variant == "py")


async def test_a_published_state_is_on_the_screen():
    lesson = run_lesson("proc-files", "py", "states")
    shows = {
        "first": {"t": ["from loadavg"]},
        "gone": {"t": ["ESRCH"], "d": ["status"]},
    }
    await assert_on_screen(lesson, shows)


@pytest.mark.parametrize("seed", ORDERS)
def test_proc_in_any_order(seed):
    lesson = run_lesson("proc-files", "py", seed=seed, claims=PROC_CLAIMS)
    lesson.assert_whole("no-folder")
