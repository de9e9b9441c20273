"""Lessons as a teacher goes through them who only presses `n`: the command line chooses the order,
and the moment that the lesson is about comes onto the screen.
"""

import pytest

from ipcviz.scenario import find_scenario
from tests.integration.screens import IPCVIZ, OnTerminal

pytestmark = pytest.mark.kernel

MOST = 60
"""Keys after which the moment must have come."""


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        (
            "select-poll",
            ["in read(3) on pipe 1", "3 wrote 21 bytes to pipe 3", "Asleep beside the"],
        ),
        (
            "posix-mq",
            ["3 of 3", "priority 9 from", "priority 5 from", 'priority 1 from tasks: "floor"'],
        ),
        ("sigchld", ["child 3 exited", "took SIGCHLD (child 1 exited)", "nobody can go on"]),
    ],
)
def test_who_only_presses_n_sees_the_lessons_moment(name, seen):
    there = OnTerminal([*IPCVIZ, "run", name])
    try:
        there.until("n follows the lesson's order; a digit or a click leaves it")
        pressed = 0
        while seen and pressed < MOST:
            # A key before the last step is at rest is kept; one in a question leaves that.
            before, waits = there.text(), 50
            there.press(b"n")
            pressed += 1
            while there.text() == before and waits:
                waits -= not there.read()
            while seen and seen[0] in there.text():
                seen = seen[1:]
        assert not seen, f"not seen in {pressed} keys: {seen}\n{there.text()}"
        assert find_scenario(name).title in there.text()
    finally:
        there.close()
