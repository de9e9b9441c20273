"""A program under observation behaves as it does alone."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import shutil
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from ipcviz import events as ev
from ipcviz.cli.driver import Driver
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration.corpus import COMMANDS, Entry
from tests.integration.corpus_means import MEANS
from tests.integration.harness import (
    EVERYONE,
    NO_USER,
    Actor,
    Bench,
    Outcome,
    Programs,
    actors,
    read_stream,
)

CORPUS = COMMANDS + MEANS
ACTORS = actors()


def actors_for(place: int, entry: Entry, option: str) -> list[Actor]:
    """Root and the ordinary user take the commands in turns, so that the suite stays short.

    With `IPCVIZ_CORPUS=all` each of them runs every one, in full mode too. Where full mode has a
    run of its own, the user has that.
    """
    if EVERYONE:
        return ACTORS
    if option:
        return ACTORS[-1:]
    return ACTORS[:1] if entry.full or place % 2 else ACTORS[-1:]


WATCHED = ("given_late", "robust_mutex", "sem_own", "sem_shared", "sem_waits")
"""Fixture programs with shared memory of no file: its first word is watched, which they use."""
OPTIONS = {
    "--watch": ["--full", "--watch", "anonymous+0:long", "--watch", "n=anonymous+8:int"],
}
"""What an option of a case stands for; others for themselves."""


CASES = [
    pytest.param(actor, entry, option, id=f"{actor.name}-{entry.name}{option}")
    for place, entry in enumerate(CORPUS)
    for option, wanted in (
        ("", True),
        ("--full", entry.full or EVERYONE),
        ("--pty", entry.pty),
        # Those of cut calls spin on their shared memory, and each turn is a stop.
        (
            "--watch",
            (EVERYONE and "cut_calls" not in entry.programs)
            or bool({*entry.programs} & {*WATCHED}),
        ),
    )
    for actor in actors_for(place, entry, option)
    if wanted
]


@functools.cache
def alone(bench: Bench, entry: Entry, argv: tuple[str, ...], terminal: bool) -> Outcome:
    return bench.run(list(argv), stdin=entry.stdin, terminal=terminal, seconds=entry.seconds)


def compare(bench: Bench, entry: Entry, option: str, programs: Programs | None) -> None:
    """Run a command alone and observed, and look for any difference."""
    paths = {"python": sys.executable}
    if programs is not None:
        paths |= {name: programs[name] for name in entry.programs}
    argv = entry.argv(paths)
    expected = alone(bench, entry, tuple(argv), option == "--pty")
    assert b"time limit" not in expected.stderr
    options = OPTIONS.get(option, [option] if option else [])
    seen = bench.run(bench.observed(argv, *options), stdin=entry.stdin, seconds=entry.seconds)
    assert dataclasses.asdict(seen) == dataclasses.asdict(expected)
    stream = read_stream(bench.stream)
    assert [event.n for event in stream] == list(range(1, len(stream) + 1))
    assert isinstance(stream[0], ev.Started)
    assert isinstance(stream[-1], ev.Finished)
    assert stream[-1].left == 0
    told = next(event for event in stream if isinstance(event, ev.Finished))
    assert (128 + told.signo if told.signo else told.code) == expected.status


Comparisons = dict[str, "concurrent.futures.Future[None]"]
"""By the test's name."""


@pytest.fixture(scope="module")
def comparisons(request: pytest.FixtureRequest, benches: dict[str, Bench]) -> Iterator[Comparisons]:
    """Every comparison that is wanted: each actor's one after the other, root's and the user's at
    the same time.

    They are different users, so neither takes what the other leaves behind for its own; and no
    command is run by both at once.
    """
    found: Comparisons = {}
    busy: dict[str, threading.Lock] = collections.defaultdict(threading.Lock)
    with contextlib.ExitStack() as stack:
        workers, places = {}, {}
        for name, bench in benches.items():
            places[name] = place = Bench(bench.actor)
            stack.callback(place.close)
            workers[name] = concurrent.futures.ThreadPoolExecutor(1)
            stack.callback(workers[name].shutdown, cancel_futures=True)

        def one(name: str, entry: Entry, option: str, programs: Programs | None) -> None:
            with busy[entry.name]:
                compare(places[name], entry, option, programs)

        for item in request.session.items:
            if (
                isinstance(item, pytest.Function)
                and item.originalname == test_the_same_as_alone.__name__
            ):
                actor, entry, option = (
                    item.callspec.params[key] for key in ("actor", "entry", "option")
                )
                if actor.name in workers and all(map(shutil.which, entry.needs)):
                    programs = (
                        request.getfixturevalue("programs")
                        if entry.programs and shutil.which("cc")
                        else None
                    )
                    found[item.nodeid] = workers[actor.name].submit(
                        one, actor.name, entry, option, programs
                    )
        yield found


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 120
    assert len({entry.name for entry in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(("actor", "entry", "option"), CASES)
def test_the_same_as_alone(
    actor: Actor,
    entry: Entry,
    option: str,
    comparisons: Comparisons,
    request: pytest.FixtureRequest,
) -> None:
    for needed in entry.needs:
        if not shutil.which(needed):
            pytest.skip(f"{needed} is not installed")
    if entry.programs:
        request.getfixturevalue("programs")
    if request.node.nodeid not in comparisons:
        pytest.skip(NO_USER)
    comparisons[request.node.nodeid].result()


@pytest.mark.parametrize(
    "start",
    [
        ["env", "--ignore-signal=INT,QUIT,HUP,TTOU"],
        ["env", "--block-signal=USR1,TERM,INT,CHLD"],
        ["env", "--ignore-signal=CHLD"],
        ["sh", "-c", 'exec 7</dev/null 9>&1; exec "$@"', "sh"],
        ["sh", "-c", 'ulimit -n 80; ulimit -c 0; umask 077; exec nice -n 3 "$@"', "sh"],
        ["sh", "-c", 'exec <&-; exec "$@"', "sh"],
        ["sh", "-c", 'exec >&- 2>&-; exec "$@"', "sh"],
        ["setsid"],
    ],
    ids=lambda start: " ".join(start[1:3]),
)
def test_what_ipcviz_inherits_goes_on_to_the_command(
    bench: Bench, programs: Programs, start: list[str]
) -> None:
    argv = ["sh", "-c", f"{programs['self_check']} >self; exec {programs['self_check']}"]
    expected = bench.run([*start, *argv])
    seen = bench.run([*start, *bench.observed(argv)])
    assert dataclasses.asdict(seen) == dataclasses.asdict(expected)


@pytest.mark.parametrize("hold", [False, True])
def test_who_closes_its_terminal_gets_no_sighup_and_can_open_it_again(hold: bool) -> None:
    script = "exec <&- >&- 2>&-; sleep 0.2; echo back > /dev/tty; exit 3"
    session = LiveSession(LaunchConfig(argv=("sh", "-c", script), terminal=True, hold=hold))
    session.start()
    try:
        driver = Driver(session)
        events = list(driver.iterate_events()) if hold else list(_drain_all(session))
    finally:
        session.close()
    assert not [e for e in events if isinstance(e, ev.SignalDelivered) and e.signo == 1]
    assert b"".join(e.data for e in events if isinstance(e, ev.Output)) == b"back\r\n"
    assert [e.code for e in events if isinstance(e, ev.Finished)] == [3]


def _drain_all(session: LiveSession) -> Iterator[ev.Event]:
    deadline = time.monotonic() + 20
    while not session.finished:
        assert time.monotonic() < deadline
        session.wait(0.1)
        yield from session.drain()
    yield from session.drain()
