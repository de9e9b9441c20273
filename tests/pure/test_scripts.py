"""Where a shell is in its script, by the commands that it has run."""

from __future__ import annotations

import msgspec
import pytest

from ipcviz import events as ev
from ipcviz.app.scripts import find_script, guess_line, list_commands
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State

SCRIPT = (
    "#!/bin/sh",
    "# seq first",
    "seq 10 > data",
    "mkfifo pipe",
    "for i in 1 2; do",
    "    gzip -c < pipe > out.gz &",
    "    sleep 1",
    "done",
    "ls -l pipe",
    "ls -l data",
)


@pytest.mark.parametrize(
    ("commands", "line"),
    [
        ([], 0),
        (["seq 10"], 3),
        (["seq 10", "mkfifo pipe"], 4),
        (["seq 10", "/usr/bin/gzip -c"], 6),
        (["seq 10", "gzip -c", "sleep 1", "gzip -c"], 6),
        (["ls -l data"], 10),
        (["ls -l pipe", "ls -l data"], 10),
        (["rm -f x"], 0),
        (["first"], 0),
    ],
)
def test_the_line_of_the_last_command(commands, line):
    assert guess_line(SCRIPT, tuple(tuple(c.split()) for c in commands)) == line


def run(*events):
    state = State()
    for n, event in enumerate(events, 1):
        state = reduce(state, msgspec.structs.replace(event, n=n))
    return state


@pytest.mark.parametrize(
    ("argv", "script"),
    [
        (("sh", "/tmp/a.sh", "5"), "/tmp/a.sh"),
        (("/bin/bash", "-e", "/tmp/a.sh"), "/tmp/a.sh"),
        (("sh", "a.sh"), ""),
        (("sh", "-c", "/tmp/a.sh"), ""),
        (("sh",), ""),
        (("python3", "/tmp/a.py"), ""),
    ],
)
def test_only_a_shell_with_a_script_has_one(argv, script):
    state = run(ev.Forked(t=0.1, pid=10, parent=1, how="launched", name="x", argv=argv))
    assert find_script(state.processes[10]) == script
    assert find_script(None) == ""


def test_commands_are_what_its_children_have_executed():
    state = run(
        ev.Forked(t=0.1, pid=10, parent=1, how="launched", name="sh", argv=("sh", "/a.sh")),
        ev.Forked(t=0.2, pid=11, parent=10, by=10, name="sh"),
        ev.Executed(t=0.3, pid=11, path="/bin/seq", argv=("seq", "10"), name="seq"),
        ev.Forked(t=0.4, pid=12, parent=10, by=10, name="sh"),
    )
    assert list_commands(state, state.processes[10]) == (("seq", "10"),)
