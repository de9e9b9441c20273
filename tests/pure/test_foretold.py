"""Sentences that claim the future: they stand in one module, and are sure only where nothing else
can come.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipcviz.events import (
    Call,
    DeathSignal,
    Disposition,
    Mask,
    NameRemoved,
    ObjectInfo,
    Passed,
    Started,
    Timer,
    Waiting,
)
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.waits.future import find_newcomers
from ipcviz.narrate import narrate
from ipcviz.narrate.future import explain_seals
from tests import picture_states as systems

ROOT = Path(__file__).parents[2]
FORETELLS = re.compile(
    r"\b(will|won't|shall|never|forever|going to|impossible|no longer possible)\b|\bfor ever\b"
    r"|\b((nobody|no one|nothing) can|cannot|can't)\b[^.;]*\b(any more|ever)\b",
    re.IGNORECASE,
)
MAY = {"ipcviz/narrate/future.py"}
ASKS = {
    # What is foretold by nobody: questions, what a key does, what ipcviz itself can't do.
    "What will happen?": "asks the class",
    "never": "an answer in the table of calls",
    "ipcviz: the stream can't be written any more: _.": "says what happened to ipcviz's own output",
}


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The strings of a module that are no docstrings, an f-string as one, with their lines."""
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.add(node.value)
        if isinstance(node, ast.JoinedStr):
            inside.update(node.values)
            parts = (part.value if isinstance(part, ast.Constant) else "_" for part in node.values)
            yield node.lineno, "".join(str(part) for part in parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield node.lineno, node.value


def test_only_one_module_claims_the_future():
    found = []
    for path in sorted((ROOT / "ipcviz").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name not in MAY:
            lines = texts(ast.parse(path.read_text()))
            found += [f"{name}:{n}: {t}" for n, t in lines if FORETELLS.search(t) and t not in ASKS]
    assert not found, "\n".join(found)


def test_no_story_claims_the_future():
    found = []
    for path in sorted((ROOT / "scenarios").rglob("scenario.toml")):
        scenario = tomllib.loads(path.read_text())
        for step in scenario["story"]:
            said = [step.get(key, "") for key in ("title", "text", "otherwise")]
            found += [f"{path.parent.name}: {text}" for text in said if FORETELLS.search(text)]
    assert not found, "\n".join(found)


P = systems.pipe(1)
FIFO = ObjectInfo(key="8:77", kind="fifo", path="/tmp/door", dev=8, ino=77)


def both_ends(thing: ObjectInfo = P) -> systems.Maker:
    """A process that has both ends (3, 4), and reads."""
    m = systems.Maker()
    m.launch(10, "server")
    if thing is P:
        m.pipe(10, 3, 4, P)
    else:
        m.open(10, 3, thing, "r")
        m.open(10, 4, thing, "w")
    return m


def told(m: systems.Maker) -> str:
    """The sentence about the last event."""
    state = State()
    for event in m.events[:-1]:
        state = reduce(state, event)
    said = narrate(m.events[-1], state, reduce(state, m.events[-1]))
    return said.text if said is not None else ""


def effect(m: systems.Maker, name: str, *effects, thing: str = "") -> None:
    m.add(Call, pid=10, tid=10, name=name, object=thing, effects=effects)


ALONE = "only it itself has the write end (fd 4)"


def test_a_wait_that_nothing_known_ends():
    m = both_ends()
    effect(m, "alarm", Timer(signo=14, seconds=0.0))
    m.wait(10, "read", 3, P.key)
    assert told(m).endswith(f"{ALONE}: that will not change by itself")


@pytest.mark.parametrize(
    ("thing", "effects", "words"),
    [
        (
            P,
            [("rt_sigaction", Disposition(signo=10, action="catch"))],
            "its own handler of SIGUSR1 could end that",
        ),
        (
            P,
            [("rt_sigaction", Disposition(signo=s, action="catch")) for s in (10, 12)],
            "a signal handler of its own could end that",
        ),
        (P, [("alarm", Timer(signo=14, seconds=9.0))], "its timer for SIGALRM could end that"),
        (
            P,
            [
                ("rt_sigaction", Disposition(signo=14, action="catch")),
                ("setitimer", Timer(signo=14, seconds=9.0)),
            ],
            "its timer for SIGALRM could end that",
        ),
        (P, [("prctl", DeathSignal(signo=15))], "SIGTERM at its parent's end could end that"),
        (FIFO, [], "whoever opens door by its name could end that"),
        (
            FIFO,
            [("rt_sigaction", Disposition(signo=2, action="catch"))],
            "its own handler of SIGINT or whoever opens door by its name could end that",
        ),
    ],
)
def test_a_wait_that_something_could_end(thing, effects, words):
    m = both_ends(thing)
    for name, one in effects:
        effect(m, name, one)
    m.wait(10, "read", 3, thing.key)
    assert told(m).endswith(f"{ALONE}; {words}")


@pytest.mark.parametrize(
    "effects",
    [
        [
            ("rt_sigaction", Disposition(signo=10, action="catch")),
            ("rt_sigprocmask", Mask(blocked=1 << 9)),
        ],
        [("rt_sigaction", Disposition(signo=33, action="catch"))],
        [
            ("rt_sigaction", Disposition(signo=14, action="ignore")),
            ("alarm", Timer(signo=14, seconds=9.0)),
        ],
        [("setitimer", Timer(signo=27, seconds=9.0, clock="CPU time"))],
    ],
)
def test_what_does_not_reach_it_ends_no_wait(effects):
    m = both_ends()
    for name, one in effects:
        effect(m, name, one)
    m.wait(10, "read", 3, P.key)
    assert told(m).endswith(f"{ALONE}: that will not change by itself")


def test_a_time_limit_ends_a_wait():
    m = both_ends()
    m.add(Waiting, pid=10, tid=10, call="read", args={"fd": 3}, object=P.key, deadline=9.0)
    assert told(m).split("; ")[1].startswith("its timeout could end that")


def test_an_end_that_went_outside_may_be_used_there():
    m = both_ends()
    away = ObjectInfo(
        key="socket:[5]", kind="unix socket", ino=5, peer="socket:[6]", detail="stream"
    )
    m.open(10, 5, away, "rw")
    effect(m, "sendmsg", Passed(fds=(4,)), thing=away.key)
    m.wait(10, "read", 3, P.key)
    assert told(m).endswith(f"{ALONE}; somebody who is not watched and has P1 could end that")
    m.close(10, 4)
    assert told(m).endswith("no watched writer is left")


def test_an_end_under_way_may_be_received():
    m = both_ends()
    for number, fd in ((5, 5), (6, 6)):
        peer = f"socket:[{11 - number}]"
        one = ObjectInfo(
            key=f"socket:[{number}]", kind="unix socket", ino=number, peer=peer, detail="stream"
        )
        m.open(10, fd, one, "rw")
    effect(m, "sendmsg", Passed(fds=(4,)), thing="socket:[5]")
    m.wait(10, "read", 3, P.key)
    assert told(m).endswith(
        f"{ALONE}; whoever receives the descriptor that waits in S2 could end that"
    )
    m.close(10, 4)
    assert told(m).endswith("(P1, write end)"), "the message has it open still"


def test_a_fifo_can_be_opened_again_until_its_name_is_gone():
    m = both_ends(FIFO)
    m.close(10, 4)
    assert told(m).endswith(
        "after what waits in it comes the end of file, unless a writer opens it"
    )
    m = both_ends(FIFO)
    m.close(10, 3)
    assert told(m).endswith("with SIGPIPE or EPIPE, unless a reader opens it")
    m = both_ends(FIFO)
    effect(m, "unlink", NameRemoved(path="/tmp/door", object=FIFO.key))
    m.close(10, 4)
    assert told(m).endswith("after what waits in it comes the end of file")


def test_of_what_was_attached_to_others_may_have_the_ends():
    m = both_ends()
    m.events[0] = Started(t=m.events[0].t, n=1, mode="attached")
    assert [change.by for change in find_newcomers(m.state, P.key)] == ["outside"]
    m.close(10, 4)
    assert told(m).endswith("no watched writer is left")


def test_seals_are_for_ever():
    assert (
        explain_seals("F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_WRITE")
        == ": nobody can write it, shrink it or grow it any more"
    )
    assert (
        explain_seals("F_SEAL_FUTURE_WRITE") == ": nobody can map or open it anew to write any more"
    )
    assert explain_seals("0") == ""
