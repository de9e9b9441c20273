"""Loads and stores of variables, against programs that know what they do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter

import pytest

from ipcviz.cli.driver import Driver
from ipcviz.events import Accessed, Output, Trouble, VariableFound
from ipcviz.events.accesses import format_value, parse_variable
from ipcviz.kernel import instructions
from ipcviz.kernel.arch import find_native_arch
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.scenario import Story, explain_missing, find_scenario, prepare_launch, read_schedule
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration.harness import SOURCES
from tests.integration.lessons import configure_steps
from tests.integration.test_debug_info import marked_lines

NATIVE = find_native_arch()
pytestmark = pytest.mark.skipif(
    NATIVE is None, reason="debug registers are known of x86-64 and aarch64"
)


def watch(argv, *variables, **how):
    """All events of a run in full mode with these variables watched."""
    config = LaunchConfig(
        argv=tuple(argv), full=True, variables=tuple(map(parse_variable, variables)), **how
    )
    session = LiveSession(config)
    session.start()
    events = []
    try:
        while not session.finished:
            session.wait(5)
            events += session.drain()
    finally:
        session.close()
    return events


def accesses(events):
    return [event for event in events if isinstance(event, Accessed)]


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    """The program that counts, compiled for a size and at a level."""
    folder = tmp_path_factory.mktemp("counting")

    def build(kind, level):
        target = folder / f"{kind}{level}"
        if not target.exists():
            if not shutil.which("cc"):
                pytest.skip("no C compiler (cc)")
            source = SOURCES / "counted_accesses.c"
            command = ["cc", "-g", level, f"-DSIZE={kind}", "-pthread", "-w", source, "-o", target]
            subprocess.run(command, check=True)
        return str(target)

    return build


@pytest.mark.parametrize(
    ("kind", "level", "who", "turns"),
    [
        ("uint8", "-O0", "alone", 400),
        ("uint16", "-O2", "threads", 200),
        ("uint32", "-O2", "processes", 2500),
        ("uint64", "-O0", "threads", 300),
        ("int32", "-O0", "processes", 200),
    ],
)
def test_each_load_and_store_is_told_with_its_values(counting, kind, level, who, turns):
    """As many as the program makes, each with the value that it computes, by who makes it."""
    events = watch([counting(f"{kind}_t", level), str(turns), who], f"value=anonymous+0:{kind}")
    seen = accesses(events)
    threads = 1 if who == "alone" else 2
    assert Counter(event.op for event in seen) == {
        "load": threads * turns,
        "store": threads * turns,
    }
    assert not any(event.unseen for event in seen)
    size = int(kind.lstrip("uint")) // 8
    for n in range(threads * turns):
        load, store = seen[2 * n : 2 * n + 2]
        before, after = (3 * k % (1 << 8 * size) for k in (n, n + 1))
        assert (load.op, int.from_bytes(load.after, "little")) == ("load", before)
        assert (store.op, int.from_bytes(store.before, "little")) == ("store", before)
        assert int.from_bytes(store.after, "little") == after
        assert load.tid == store.tid
    assert len({event.tid for event in seen}) == threads
    assert len({event.pid for event in seen}) == (2 if who == "processes" else 1)
    assert len({event.variable for event in seen}) == 1, "one variable, whoever has it mapped"
    line = marked_lines("counted_accesses")["add"]
    assert {(os.path.basename(event.file), event.line) for event in seen} == {
        ("counted_accesses.c", line)
    }
    state = State()
    for event in events:
        state = reduce(state, event)
    (variable,) = state.variables.values()
    assert (variable.version, variable.lost) == (threads * turns, 0)


def test_odd_ways_to_have_a_variable(programs, tmp_path):
    """Behind a pointer, in one instruction, in a thread, a child, and in the next program; and a
    program that shuts SIGTRAP out is not disturbed.
    """
    path = programs["watched_oddly"]
    alone = subprocess.run([path], capture_output=True, text=True, check=True).stdout
    events = watch([path], "plain", "*behind", terminal=True)
    output = b"".join(event.data for event in events if isinstance(event, Output)).decode()
    assert output.split() == alone.split()
    assert alone.split("\n")[:4] == ["blocked 1", "ignored 1", "child exited 0", "plain 30"]
    names = {e.variable.key: e.variable.name for e in events if isinstance(e, VariableFound)}
    told = [(names[e.variable], e.op, format_value("int", e.after)) for e in accesses(events)]
    assert ("*behind", "store", "7") in told
    stores = [value for name, op, value in told if name == "plain" and op != "load"]
    assert stores == ["2", "10", "30", "40", "50"]
    (behind,) = [e for e in accesses(events) if names[e.variable] == "*behind" and e.op == "store"]
    assert behind.line == marked_lines("watched_oddly")["behind"]
    (update,) = [e for e in accesses(events) if e.line == marked_lines("watched_oddly")["update"]]
    if NATIVE.stops_before:
        # One instruction, or from a load-exclusive to its store-exclusive.
        assert (update.op, update.instruction.split()[0][:2]) == ("update", "ld")
    elif instructions.can_decode():
        assert (update.op, update.instruction.split()[0]) == ("update", "lock")
        assert format_value("int", update.before) == "4"
    else:
        assert update.op == "store"


def test_four_variables_at_once(programs):
    """Then there is one register for each, and what was stored is told by what has changed."""
    names = ("plain", "*behind", "wide", "real")
    events = watch([programs["watched_oddly"]], *names, terminal=True)
    infos = {e.variable.key: e.variable for e in events if isinstance(e, VariableFound)}
    stored = {
        infos[e.variable].name: format_value(infos[e.variable].encoding, e.after)
        for e in accesses(events)
        if e.op == "store"
    }
    assert {name: stored[name] for name in ("*behind", "wide", "real")} == {
        "*behind": "7",
        "wide": "-1",
        "real": "0.5",
    }


def test_what_is_not_there_is_said_once_and_the_program_runs(programs):
    events = watch([programs["watched_oddly"]], "nothing", "plain", terminal=True)
    said = [event.message for event in events if isinstance(event, Trouble)]
    assert len([message for message in said if "nothing is not watched" in message]) == 1
    assert accesses(events), "the other one is seen"
    events = watch(["/bin/true"], "plain")
    assert "compile it with -g" in next(e.message for e in events if isinstance(e, Trouble))


@pytest.mark.parametrize("variant", ["c", "py"])
@pytest.mark.parametrize(("name", "result"), [("lost", "9"), ("one-by-one", "10")])
def test_an_update_is_lost_by_schedule(variant, name, result):
    """Two processes that add 1 to a counter five times each come to 9, and it is told where."""
    scenario = find_scenario("sem-counter")
    if reason := explain_missing(scenario, variant):
        pytest.skip(reason)
    schedule, plan = read_schedule(name, scenario)
    story = Story(scenario)
    with prepare_launch(scenario, variant, plan.settings) as launch:
        session = LiveSession(configure_steps(launch))
        session.start()
        try:
            driver = Driver(session, schedule, story, patience=30)
            events = list(driver.iterate_events())
        finally:
            session.close()
    assert driver.departed == ""
    output = b"".join(event.data for event in events if isinstance(event, Output)).decode()
    assert output.split()[-1] == result
    reached = [scenario.story[place].id for place in story.progress.reached]
    assert ("lost" in reached) == (name == "lost")
    (variable,) = driver.state.variables.values()
    assert variable.lost == (name == "lost")
    assert format_value("int", variable.value) == result


@pytest.mark.parametrize("variant", ["c-lock", "py-lock"])
def test_with_a_lock_nothing_is_lost_in_turns(variant):
    """Stepped in turns, which loses an update at each turn without a lock."""
    scenario = find_scenario("sem-counter")
    if reason := explain_missing(scenario, variant):
        pytest.skip(reason)
    with prepare_launch(scenario, variant, {"times": 3}) as launch:
        from ipcviz.cli.driver import TURNS

        session = LiveSession(configure_steps(launch))
        session.start()
        try:
            driver = Driver(session, TURNS, Story(scenario))
            events = list(driver.iterate_events())
        finally:
            session.close()
    output = b"".join(event.data for event in events if isinstance(event, Output)).decode()
    assert output.split()[-1] == "6"
    (variable,) = driver.state.variables.values()
    assert variable.lost == 0


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="it has as many debug registers as x86-64"
)
@pytest.mark.parametrize(
    ("registers", "trouble", "seen"),
    [
        (2, "", True),
        (3, "own_watch asked for a debug register and got none (ENOSPC): 2 of the 4 watch", True),
        (4, "The kernel gives no debug registers: the machine has none, or somebody else", False),
    ],
)
def test_a_program_that_uses_debug_registers_itself(programs, registers, trouble, seen):
    """What it watches is counted as alone. Where there are too few for both, one sentence says so:
    two of four are ours, and the first two that it asks for are there; with all four it comes
    first.
    """
    first = "late" if registers == 4 else "early"
    argv = [programs["own_watch"], str(registers), first]
    alone = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\n")
    if "no debug register" in alone[0]:
        pytest.skip("this machine gives none to perf_event_open")
    events = watch(argv, "value=anonymous+0:long", terminal=True)
    output = b"".join(event.data for event in events if isinstance(event, Output)).decode()
    said = [event.message for event in events if isinstance(event, Trouble)]
    assert [message[: len(trouble)] for message in said] == ([trouble] if trouble else [])
    counts = [line for line in alone if "stores" in line]
    told = output.replace("\r", "").split("\n")
    assert [line for line in told if "stores" in line] == counts[: 2 if registers == 3 else None]
    assert Counter(event.op for event in accesses(events))["store"] == (100 if seen else 0)
