"""Schedules on the real kernel: the scenarios' own do what their titles say, and what was stepped
can be repeated.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ipcviz.cli.driver import TURNS, Driver
from ipcviz.events import Output, Settled, Stepped
from ipcviz.model.steps.schedule import parse_schedule
from ipcviz.scenario import Story, explain_missing, find_scenario, prepare_launch, read_schedule
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration.lessons import configure_steps


def stepped(config, schedule, story=None):
    """(driver, events) of a run that a schedule drove."""
    session = LiveSession(config)
    session.start()
    try:
        driver = Driver(session, schedule, story, patience=20)
        events = list(driver.iterate_events())
    finally:
        session.close()
    return driver, events


def played(name, variant, plan_name):
    """(driver, story ids, output) of one of a scenario's own schedules."""
    scenario = find_scenario(name)
    if reason := explain_missing(scenario, variant):
        pytest.skip(reason)
    schedule, plan = read_schedule(plan_name, scenario)
    story = Story(scenario)
    with prepare_launch(scenario, variant, plan.settings) as launch:
        config = configure_steps(launch)
        driver, events = stepped(config, schedule, story)
    ids = [scenario.story[place].id for place in story.progress.reached]
    assert driver.departed == ""
    assert driver.scheduler.place >= len(schedule.lines) - 1
    return driver, ids, b"".join(e.data for e in events if isinstance(e, Output)).decode().split()


@pytest.mark.parametrize("variant", ["py", "c"])
def test_the_wake_up_is_lost(variant):
    driver, ids, output = played("sleep-race", variant, "lost")
    assert ids[-3:] == ["alarm", "lost", "for-ever"]
    assert output == ["sleeping", "for", "1", "s"]
    (thread,) = driver.state.threads.values()
    assert thread.waiting.name == "pause"
    assert not driver.state.timers


def test_the_wake_up_arrives():
    _, ids, output = played("sleep-race", "c", "arrives")
    assert {"waits", "woken", "awake"} <= set(ids)
    assert output[-1] == "awake"


def test_who_gets_the_lock_is_chosen():
    driver, _, first = played("mmap-queue", "c", "consumer-first")
    _, _, second = played("mmap-queue", "c", "producer-first")
    assert first[:6] == ["put", "message", "1", "got", "message", "1"]
    assert second[:9] == ["put", "message", "1", "put", "message", "2", "got", "message", "2"]
    assert driver.state.finished


def test_what_was_stepped_can_be_repeated_and_exactly_one_moves(tmp_path):
    command = (
        "sh",
        "-c",
        (
            "printf 'a\\nb\\n' | (read x; echo got $x; kill -USR1 $$; cat >&2) & trap : USR1; wait;"
            " echo end"
        ),
    )
    config = LaunchConfig(argv=command, cwd=str(tmp_path), terminal=True, hold=True)
    first, events = stepped(config, TURNS)
    assert first.state.finished
    steps = [e for e in events if isinstance(e, Stepped | Settled)]
    assert [type(e) for e in steps] == [Stepped, Settled] * (len(steps) // 2), (
        "no two were let go at once"
    )
    text = first.recorder.format_schedule("a shell")
    again, _ = stepped(config, parse_schedule(text))
    assert again.departed == ""
    assert [without_number(line) for line in again.recorder.lines] == [
        without_number(line) for line in first.recorder.lines
    ]


def without_number(line: str) -> str:
    """A line of a schedule; which pseudo-terminal it was depends on what else the machine has
    open.
    """
    return re.sub(r"pts/\d+", "pts/N", line)


def ipcviz(*words, cwd):
    return subprocess.run(
        [sys.executable, "-m", "ipcviz", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line_steps_saves_and_repeats(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    ran = ipcviz(
        "trace",
        "--step",
        "--save-schedule",
        "s",
        "-o",
        "t",
        "--",
        "sh",
        "-c",
        "seq 3 | wc -l; exit 3",
        cwd=tmp_path,
    )
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (3, "3", "")
    text = (tmp_path / "s").read_text()
    assert "1.1 write" in text
    again = ipcviz(
        "trace",
        "--schedule",
        "s",
        "-o",
        "t2",
        "--",
        "sh",
        "-c",
        "seq 3 | wc -l; exit 3",
        cwd=tmp_path,
    )
    assert (again.returncode, again.stdout.strip(), again.stderr) == (3, "3", "")
    typo = ipcviz("trace", "--schedule", "lost", "-o", "t3", "sleep-rac", cwd=tmp_path)
    assert (typo.returncode, typo.stdout) == (2, "")
    assert "no scenario 'sleep-rac'" in typo.stderr
    (tmp_path / "s").write_text("1 to exit_group\n1 read\n")
    other = ipcviz("trace", "--schedule", "s", "-o", "t3", "--", "true", cwd=tmp_path)
    assert (other.returncode, other.stderr) == (
        2,
        "ipcviz: Line 2 wants 1 to read, but it stands before exit_group.\n",
    )
