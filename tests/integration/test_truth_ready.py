"""What poll, select and epoll wait for, against what the program has put into them."""

from __future__ import annotations

import sys

import pytest

from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.waits import explain_wait
from tests.integration.harness import Bench
from tests.integration.test_truth_locks import MODES
from tests.integration.watched import Watched

PROGRAM = """
import os, select, socket, sys
r, w = os.pipe()
a, b = socket.socketpair()
pid = os.fork()
if pid == 0:
    if sys.argv[1] == "select":
        select.select([r, a], [], [])
    else:
        waiter = select.poll() if sys.argv[1] == "poll" else select.epoll()
        for end in (r, a.fileno()):
            waiter.register(end, select.POLLIN)
        waiter.poll()
    os._exit(0)
with open("new", "w") as facts:
    facts.write(f"child {pid}\\nr {r}\\na {a.fileno()}\\n")
os.rename("new", "ready.ready")
os.read(os.open("ready.go", os.O_RDONLY), 1)
os.write(w, b"x")
os.waitpid(pid, 0)
"""


@MODES
@pytest.mark.parametrize("name", ["poll", "select", "epoll"])
def test_what_is_waited_for(bench: Bench, name: str, options: tuple[str, ...]) -> None:
    with Watched(bench, [sys.executable, "-c", PROGRAM, name], ("ready",), *options) as run:
        facts = run.at("ready")

        def told(state: State) -> str:
            wait = wait_of(state, facts["child"])
            return explain_wait(state, wait) if wait is not None else ""

        def labels(state: State) -> list[str]:
            return [
                thing.label
                for which in "ra"
                if (thing := state.object_at(facts["child"], facts[which]))
            ]

        state = run.until(lambda s: "readable" in told(s) and len(labels(s)) == 2)
        first, second = labels(state)
        one, two = f"{first} (readable)", f"{second} (readable)"
        assert told(state) in (f"for {one} or {two}", f"for {two} or {one}")
        run.release("ready")
        assert run.finish() == 0
