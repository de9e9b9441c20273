"""What is said while something takes long."""

from __future__ import annotations

import pytest

from ipcviz.cli import progress
from ipcviz.cli.progress import TaskProgress, describe_seconds


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(progress, "write_progress", lines.append)
    monkeypatch.setattr(progress, "can_show_progress", lambda: True)
    return lines


def test_what_is_done_at_once_needs_no_words(said):
    now = [0.0]
    task = TaskProgress("Drawing", lambda: now[0])
    now[0] = 0.9
    task.show_share(9, 10)
    task.clear()
    assert said == []


def test_it_says_how_much_and_how_long_and_is_taken_away(said):
    now = [0.0]
    task = TaskProgress("Drawing", lambda: now[0])
    for now[0], done in ((2.0, 5), (2.1, 6), (2.5, 0), (130.0, 7)):
        task.show_share(done, 15)
    task.show_count(1200, "steps")
    task.clear()
    task.clear()
    assert said == [
        "Drawing: 5 of 15, 4 s left",
        "Drawing: 0 of 15",
        "Drawing: 7 of 15, 2 min 29 s left",
        "",
    ]


def test_nobody_is_told_where_no_terminal_is(said, monkeypatch):
    monkeypatch.setattr(progress, "can_show_progress", lambda: False)
    now = [0.0]
    task = TaskProgress("x runs", lambda: now[0])
    now[0] = 9.0
    task.show_count(3, "steps")
    task.clear()
    assert said == []


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (-3, "0 s")]
)
def test_durations(seconds, words):
    assert describe_seconds(seconds) == words
