"""The source lines of threads at rest, against what the sources themselves are marked with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from ipcviz.events import Inspect, Located, Poised, Sample, Waiting
from ipcviz.kernel import procfs, python_frames
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import AttachConfig, LaunchConfig
from tests.integration.harness import SOURCES
from tests.integration.stepper import Stepper

SOURCE = SOURCES / "source_lines.c"
SCRIPT = """\
import os

there, back = os.pipe(), os.pipe()


def answer():
    os.read(there[0], 1)  # line: child reads
    os.write(back[1], b"b")  # line: child writes


if os.fork() == 0:
    answer()
    os._exit(0)
os.write(there[1], b"a")  # line: parent writes
os.read(back[0], 1)  # line: parent reads
os.wait()  # line: wait
"""
PATIENCE = 20.0
PYTHONS = {"this": sys.executable, "system": "/usr/bin/python3"}


def marked(text):
    """The marks of a source, by line."""
    found = (
        (n, re.search(r"line: ([\w ]+\w)", line)) for n, line in enumerate(text.split("\n"), 1)
    )
    return {number: mark[1] for number, mark in found if mark}


def build(folder, *flags):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc)")
    target = folder / "program"
    subprocess.run(["cc", *flags, "-w", SOURCE, "-o", target], check=True)
    return str(target)


def step_through(*argv):
    """All events of a run step by step."""
    with Stepper(*argv) as stepper:
        while stepper.held:
            stepper.next()
        return stepper.events


def lines_of(events):
    return [event for event in events if isinstance(event, Located)]


def calls_by_mark(events, marks):
    """The calls before and in which threads were, by the marks of the lines that were told then."""
    found, at = {}, {}
    for event in events:
        if isinstance(event, Poised | Waiting):
            at[event.tid] = event.call
        elif isinstance(event, Located) and event.line in marks and at.get(event.tid):
            found.setdefault(marks[event.line], set()).add(at[event.tid])
    return found


@pytest.mark.parametrize("flags", [("-g", "-O0"), ("-g", "-O2")], ids=str)
def test_lines_of_a_compiled_program_are_those_of_its_calls(tmp_path, flags):
    """Also of the call that it makes itself, and of one that it is blocked in."""
    events = step_through(build(tmp_path, *flags))
    calls = calls_by_mark(events, marked(SOURCE.read_text()))
    # How libc makes these differs from machine to machine.
    assert {calls.pop(mark).pop() for mark in ("first pipe", "second pipe")} <= {"pipe", "pipe2"}
    assert calls.pop("fork") & {"fork", "clone"}
    assert calls == {
        "child reads": {"read"},
        "child writes": {"write"},
        "parent writes": {"write"},
        "parent reads": {"read"},
        "wait": {"wait4"},
    }
    assert {event.file for event in lines_of(events)} == {str(SOURCE)}
    if flags == ("-g", "-O0"):
        names = {event.line: event.function for event in lines_of(events)}
        by_mark = {marked(SOURCE.read_text()).get(line): name for line, name in names.items()}
        assert by_mark["child reads"] == "answer"
        assert by_mark["parent writes"] == "ask"


@pytest.mark.parametrize("python", PYTHONS)
def test_lines_of_a_python_program_are_those_of_its_calls(tmp_path, python):
    if not python_frames.can_read_frames():
        pytest.skip("pystack is not installed")
    if not os.access(PYTHONS[python], os.X_OK):
        pytest.skip("no such Python")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    events = step_through(PYTHONS[python], str(script))
    calls = calls_by_mark(events, marked(SCRIPT))
    assert calls == {
        "child reads": {"read"},
        "child writes": {"write"},
        "parent writes": {"write"},
        "parent reads": {"read"},
        "wait": {"wait4"},
    }
    own = [event for event in lines_of(events) if event.file == str(script)]
    assert {event.language for event in own} == {"python"}
    assert {event.function for event in own} == {"<module>", "answer"}


def test_without_pystack_a_python_has_no_lines_and_that_is_said_once(monkeypatch, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os\nos.pipe()\nos.pipe()\n")
    blind = tmp_path / "sitecustomize.py"
    blind.write_text(
        "import sys, importlib.abc\n"
        "class Blind(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'pystack':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Blind())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told = lines_of(
        step_through(
            "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable,
            str(script),
        )
    )
    assert [(event.file, event.missing) for event in told] == [("", "pystack")]


def test_a_program_without_debug_information_is_looked_at_once(tmp_path):
    told = lines_of(step_through(build(tmp_path, "-O0")))
    assert {event.missing for event in told} == {"debug information"}
    assert len(told) == len({event.pid for event in told})


# Without step mode.


def events_until(session, seen):
    """The events of a session until one is so."""
    events, deadline = [], time.monotonic() + PATIENCE
    while not any(map(seen, events)):
        assert time.monotonic() < deadline, events[-5:]
        session.wait(0.2)
        events += session.drain()
    return events


def sleeper(folder):
    """A C program that is blocked in a read for ever, and the line of that."""
    source = folder / "blocked.c"
    source.write_text(
        "#include <unistd.h>\nint main(void)\n{\n    int p[2];\n    char c;\n    pipe(p);\n"
        "    while (1)\n        read(p[0], &c, 1);\n}\n"
    )
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc)")
    subprocess.run(["cc", "-g", "-O0", source, "-o", folder / "blocked"], check=True)
    return str(folder / "blocked"), 8


def is_blocked(event):
    return isinstance(event, Waiting) and event.call == "read"


def test_in_a_live_run_lines_are_read_of_the_selected_process_alone(tmp_path):
    path, line = sleeper(tmp_path)
    session = LiveSession(LaunchConfig(argv=(path,)))
    session.start()
    try:
        events = events_until(session, is_blocked)
        pid = next(event.pid for event in events if is_blocked(event))
        session.send(Inspect(pid=pid))
        events += events_until(session, lambda event: isinstance(event, Sample) and event.facts)
        assert not lines_of(events), "facts alone need no lines"
        session.send(Inspect(pid=pid, lines=True))
        found = events_until(session, lambda event: isinstance(event, Located))
        told = lines_of(found)
        assert [(event.line, event.function) for event in told] == [(line, "main")]
    finally:
        session.close()


def test_what_was_attached_to_tells_where_it_is_blocked(tmp_path):
    path, line = sleeper(tmp_path)
    with subprocess.Popen([path]) as process:
        try:
            while procfs.read_stat(process.pid).state != "S":
                os.sched_yield()
            session = LiveSession(AttachConfig(pids=(process.pid,)))
            session.start()
            try:
                session.send(Inspect(pid=process.pid, lines=True))
                told = lines_of(events_until(session, lambda e: isinstance(e, Located)))
                assert [(event.line, event.function) for event in told] == [(line, "main")]
            finally:
                session.close()
        finally:
            process.kill()
