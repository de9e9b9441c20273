"""A program under observation behaves as it does alone."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import sys

import pytest

from ipcviz import events as ev
from tests.integration.corpus import COMMANDS, Entry
from tests.integration.corpus_means import MEANS
from tests.integration.harness import Actor, Bench, Outcome, Programs, actors, read_stream

CORPUS = COMMANDS + MEANS
ACTORS = actors()


def actors_for(place: int, entry: Entry, option: str) -> list[Actor]:
    """Root and the ordinary user take the commands in turns, so that the suite stays short.

    With `IPCVIZ_CORPUS=all` each of them runs every one. Where full mode has a run of its own, the user has that.
    """
    if os.environ.get("IPCVIZ_CORPUS") == "all":
        return ACTORS
    if option:
        return ACTORS[-1:]
    return ACTORS[:1] if entry.full or place % 2 else ACTORS[-1:]


CASES = [
    pytest.param(actor, entry, option, id=f"{actor.name}-{entry.name}{option}")
    for place, entry in enumerate(CORPUS)
    for option, wanted in (("", True), ("--full", entry.full), ("--pty", entry.pty))
    for actor in actors_for(place, entry, option)
    if wanted
]


@functools.cache
def alone(bench: Bench, entry: Entry, argv: tuple[str, ...], terminal: bool) -> Outcome:
    return bench.run(list(argv), stdin=entry.stdin, terminal=terminal, seconds=entry.seconds)


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 120
    assert len({entry.name for entry in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(("bench", "entry", "option"), CASES, indirect=["bench"])
def test_the_same_as_alone(bench: Bench, entry: Entry, option: str, request: pytest.FixtureRequest) -> None:
    for needed in entry.needs:
        if not shutil.which(needed):
            pytest.skip(f"{needed} is not installed")
    paths = {"python": sys.executable}
    if entry.programs:
        programs: Programs = request.getfixturevalue("programs")
        paths |= {name: programs[name] for name in entry.programs}
    argv = entry.argv(paths)
    expected = alone(bench, entry, tuple(argv), option == "--pty")
    assert b"time limit" not in expected.stderr
    options = [option] if option else []
    seen = bench.run(bench.observed(argv, *options), stdin=entry.stdin, seconds=entry.seconds)
    assert dataclasses.asdict(seen) == dataclasses.asdict(expected)
    stream = read_stream(bench.stream)
    assert [event.n for event in stream] == list(range(1, len(stream) + 1))
    assert isinstance(stream[0], ev.Started)
    assert isinstance(stream[-1], ev.Finished)
    assert stream[-1].left == 0
    told = next(event for event in stream if isinstance(event, ev.Finished))
    assert (128 + told.signo if told.signo else told.code) == expected.status


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
def test_what_ipcviz_inherits_goes_on_to_the_command(bench: Bench, programs: Programs, start: list[str]) -> None:
    argv = ["sh", "-c", f"{programs['self_check']} >self; exec {programs['self_check']}"]
    expected = bench.run([*start, *argv])
    seen = bench.run([*start, *bench.observed(argv)])
    assert dataclasses.asdict(seen) == dataclasses.asdict(expected)
