"""`ipcviz trace`: which options are ipcviz's own, and which are the command's."""

from __future__ import annotations

import click
import pytest

from ipcviz.cli.trace import trace


def parse(*words: str) -> dict[str, object]:
    return trace.make_context("trace", list(words)).params


@pytest.mark.parametrize(
    ("words", "output", "command"),
    [
        (["-o", "F", "ls", "-l", "-o"], "F", ("ls", "-l", "-o")),
        (["-o", "F", "--", "sleep-race", "-o", "G"], "F", ("sleep-race", "-o", "G")),
        (["-o", "F", "sleep-race"], "F", ("sleep-race",)),
        (["sleep-race", "-o", "F"], "F", ("sleep-race",)),
        (["sleep-race", "--schedule", "lost", "-o", "F"], "F", ("sleep-race",)),
    ],
)
def test_behind_a_scenario_options_are_ours_and_behind_a_command_its_own(words, output, command):
    found = parse(*words)
    assert (found["output"], found["command"]) == (output, command)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sleep-race", "-o", "F", "--nope"], "No such option"),
        (["ls", "-o", "F"], "Missing option"),
        (["-o", "F"], "Missing argument"),
        (["--nope", "sleep-race"], "No such option"),
    ],
)
def test_what_is_missing_is_said(words, says):
    with pytest.raises(click.UsageError) as caught:
        parse(*words)
    assert says in caught.value.format_message()
