"""Real programs that hang, and some that only look so: the circle that is told of them, and how
certain it is.
"""

from __future__ import annotations

import os
import signal
import sys
import textwrap

import pytest

from ipcviz.model.query import list_holders
from ipcviz.model.state import State
from ipcviz.model.waits.circles import list_circles
from ipcviz.narrate.circles import describe_circle
from tests.integration.attached import Attached, Target
from tests.integration.harness import Bench, Programs
from tests.integration.watched import Watched

START = """
import fcntl, os, socket, sys, threading, time
def ready(name):
    open(name + ".part", "w").write(f"pid {os.getpid()}\\n")
    os.rename(name + ".part", name + ".ready")
"""

HANG = {
    "pipes both ways": (
        """
        (r, w), (s, x) = os.pipe(), os.pipe()
        if os.fork():
            os.close(r); os.close(x); ready("up")
            os.write(w, bytes(200000))
        else:
            os.close(w); os.close(s)
            os.write(x, bytes(200000))
        """
    ),
    "a parent that waits": (
        """
        r, w = os.pipe()
        if os.fork():
            os.close(w); ready("up"); os.wait()
        else:
            os.close(r); os.write(w, bytes(200000))
        """
    ),
    "file locks": (
        """
        one, two = (os.open(name, os.O_RDWR | os.O_CREAT) for name in "ab")
        r, w = os.pipe()
        if os.fork():
            fcntl.flock(one, fcntl.LOCK_EX); os.write(w, b"x"); time.sleep(0.1)
            ready("up"); fcntl.flock(os.open("b", os.O_RDWR), fcntl.LOCK_EX)
        else:
            mine = os.open("b", os.O_RDWR)
            fcntl.flock(mine, fcntl.LOCK_EX); os.read(r, 1)
            fcntl.flock(os.open("a", os.O_RDWR), fcntl.LOCK_EX)
        """
    ),
}

GO_ON = {
    "a third one could write": (
        """
        (r, w), (s, x) = os.pipe(), os.pipe()
        if not os.fork(): time.sleep(1000)
        """
    ),
    "another thread could write": (
        """
        (r, w), (s, x) = os.pipe(), os.pipe()
        threading.Thread(target=time.sleep, args=(1000,)).start()
        """
    ),
}
BOTH_READ = """
    if os.fork():
        os.close(w); os.close(s); ready("up"); os.read(r, 1)
    else:
        os.close(r); os.close(x); os.read(s, 1)
    """


def program(text: str, then: str = "") -> list[str]:
    return [sys.executable, "-c", START + textwrap.dedent(text) + textwrap.dedent(then)]


def told(state: State) -> list[str]:
    return [
        describe_circle(state, one) for one in list_circles(state, list_holders(state), state.t + 1)
    ]


@pytest.mark.parametrize("text", HANG.values(), ids=HANG)
def test_who_hangs_is_proved_to(bench: Bench, text: str) -> None:
    with Watched(bench, program(text), ()) as run:
        run.at("up")
        (words,) = told(run.until(lambda state: bool(told(state))))
        assert words.endswith(" wait for each other")
        assert "probably" not in words


@pytest.mark.parametrize(
    ("meals", "ending"),
    [
        ("0", " wait for each other"),
        ("3000", " probably wait for each other (who is to post is not known)"),
    ],
    ids=["stopped at", "over the budget"],
)
def test_a_round_table_hangs(
    benches: dict[str, Bench], programs: Programs, meals: str, ending: str
) -> None:
    """Five private semaphores: also where they were used so often that their operations are not
    seen any more.
    """
    with Watched(benches["user"], [programs["round_table"], meals], ()) as run:
        run.at("seated")
        (words,) = told(run.until(lambda state: bool(told(state))))
        assert words.endswith(ending)
        assert words.count("/") == 5
        os.kill(run.state.root, signal.SIGKILL)


def test_who_hangs_and_is_only_looked_at_probably_does(bench: Bench) -> None:
    with Target(bench, program(HANG["file locks"])) as target:
        target.at("up")
        with Attached(bench, [target.pid], "--tree") as run:
            (words,) = told(run.until(lambda state: bool(told(state))))
            assert words.endswith(" probably wait for each other (only sampled)")
        for pid in run.state.processes:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("text", GO_ON.values(), ids=GO_ON)
def test_who_could_still_be_woken_is_in_no_circle(bench: Bench, text: str) -> None:
    """Not even for a moment, and not after a long time."""
    with Watched(bench, program(text, BOTH_READ), (), "--full") as run:
        run.at("up")

        def both_read(state: State) -> bool:
            waiting = [thread.waiting for thread in state.threads.values()]
            return sum(1 for call in waiting if call is not None and call.name == "read") == 2

        assert both_read(run.until(both_read))
        assert told(run.state) == []
