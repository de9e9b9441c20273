"""The order of the course, and which scenarios were run here."""

from __future__ import annotations

import json
import stat

import pytest

from docs import make_course
from ipcviz.scenario import finished, load_all
from ipcviz.scenario.course import LESSONS, place_in_course, title_of_topic


def test_each_scenario_has_its_place_in_the_course():
    places = {(lesson.topic, name) for lesson in LESSONS for name in lesson.names}
    shipped = load_all()
    assert {(s.topic, s.name) for s in shipped} <= places
    order = [place_in_course(s.topic, s.name) for s in shipped]
    assert order == sorted(order)


def test_what_the_course_does_not_have_comes_last():
    rows = [("own", "b"), ("pipes", "zzz"), ("own", "a"), ("pipes", "pipe-eof"), ("files", "spool")]
    rows.sort(key=lambda row: place_in_course(*row))
    assert rows == [
        ("pipes", "pipe-eof"),
        ("pipes", "zzz"),
        ("files", "spool"),
        ("own", "a"),
        ("own", "b"),
    ]


@pytest.mark.parametrize(
    ("topic", "title"), [("memory", "Shared memory"), ("my-own", "My own"), ("pipes", "Pipes")]
)
def test_titles(topic, title):
    assert title_of_topic(topic) == title


def test_the_page_of_the_course_is_up_to_date():
    assert make_course.PAGE.read_text() == make_course.make_page(), "run python -m docs.make_course"
    assert set(make_course.EXERCISES) == {lesson.topic for lesson in LESSONS}


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "ipcviz" / "scenarios.json"


def test_what_was_run_is_kept(file):
    assert finished.read_finished() == frozenset()
    for name in ("b", "a", "b"):
        finished.add_finished(name)
    assert json.loads(file.read_bytes()) == ["a", "b"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert finished.read_finished() == {"a", "b"}


@pytest.mark.parametrize("kept", [b"", b"\xff", b"{}", b"[1, [], null]", b"[" * 9999, b'"x"'])
def test_a_file_that_makes_no_sense_says_nothing(file, kept):
    file.parent.mkdir()
    file.write_bytes(kept)
    assert finished.read_finished() == frozenset()


def test_where_nothing_can_be_kept_nothing_is(tmp_path, monkeypatch):
    (tmp_path / "ipcviz").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    finished.add_finished("a")
    assert finished.read_finished() == frozenset()
