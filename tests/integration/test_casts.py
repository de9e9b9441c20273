"""`ipcviz record`, `play` and `check` as a person calls them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte
import pytest

from ipcviz.app.casting import MOST_SECONDS
from ipcviz.app.chapters import MOST_CHAPTERS
from ipcviz.cli import recording_all
from ipcviz.cli.main import main
from ipcviz.export import check_cast, read_cast
from ipcviz.scenario import find_scenario, load_all
from ipcviz.scenario.kept import meta_of
from ipcviz.trace import TraceWriter
from tests import fakes

TOP = Path(__file__).parents[2]
IPCVIZ = (sys.executable, "-m", "ipcviz")


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    path = tmp_path_factory.mktemp("cast") / "t.ipcviz"
    writer = TraceWriter(
        path, meta={"title": "sleep-race (c)", **meta_of(find_scenario("sleep-race"))}
    )
    writer.add(fakes.sleep_race())
    writer.close()
    return path


@pytest.fixture(scope="module")
def cast(trace):
    """Made twice at once, in the most different environments; both have the same bytes."""
    odd = {
        **os.environ,
        "PYTHONHASHSEED": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "40",
        "LINES": "9",
        "TZ": "Asia/Tokyo",
        "TEXTUAL_COLOR_SYSTEM": "standard",
        "TEXTUAL_FILTERS": "dim",
        "TEXTUAL_THEME": "nord",
        "LC_ALL": "C",
    }
    bare = {"PYTHONHASHSEED": "2"}
    files = [trace.with_name(name) for name in ("odd.cast", "bare.cast")]
    runs = [
        subprocess.Popen(
            [*IPCVIZ, "record", str(trace), "-o", str(file), "--every-step"],
            cwd=TOP,
            env=env,
            stdin=subprocess.DEVNULL,
        )
        for file, env in zip(files, (odd, bare), strict=True)
    ]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert files[0].read_bytes() == files[1].read_bytes()
    return files[0]


def run(*words, **options):
    return subprocess.run(
        [*IPCVIZ, *words],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_the_same_trace_makes_the_same_bytes_whatever_the_environment(cast):
    found = check_cast(cast)
    assert (found.version, found.width, found.height, found.title) == (2, 80, 24, "sleep-race (c)")
    assert sum(event.code == "m" for event in found.events) == 7
    header = json.loads(cast.read_bytes().splitlines()[0])
    assert header["ipcviz"]["scenario"] == "sleep-race"
    assert list(cast.parent.glob(".*")) == [], "nothing that is not complete is left"


def test_check_says_what_it_found(cast, tmp_path):
    done = run("check", str(cast))
    assert (done.returncode, done.stderr) == (0, "")
    assert "80x24" in done.stdout
    assert "7 chapters" in done.stdout
    bad = tmp_path / "bad.cast"
    bad.write_bytes(cast.read_bytes() + b'[1, "o", "x"]\n')
    number = len(bad.read_bytes().splitlines())
    done = run("check", str(bad))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ipcviz: {bad}, line {number}: its time, 1, is before")


@pytest.fixture(scope="module")
def asciinema(tmp_path_factory):
    """A folder with asciinema, another reader of casts."""
    place = tmp_path_factory.mktemp("reader")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
    ]
    try:
        subprocess.run(
            [*pip, "--target", str(place), "asciinema==2.4.0"],
            check=True,
            timeout=60,
            capture_output=True,
        )
    except (subprocess.SubprocessError, OSError):
        pytest.skip("asciinema 2.4.0 can't be installed here")
    return place


def assert_played(cast, asciinema):
    """asciinema plays a cast to its end, and every byte of it."""
    done = subprocess.run(
        [sys.executable, "-m", "asciinema", "cat", str(cast)],
        env={**os.environ, "PYTHONPATH": str(asciinema), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.decode() == "".join(
        event.data for event in read_cast(cast).events if event.code == "o"
    )


def test_another_reader_of_casts_takes_it(cast, asciinema):
    assert_played(cast, asciinema)


SOME = ("pipe-blocking", "shell-pipeline", "sleep-race-cut")
"""Casts that are made in each run of the tests; IPCVIZ_CASTS=all makes the whole catalogue's."""


@pytest.mark.kernel
@pytest.mark.parametrize(
    "lesson",
    [
        lesson
        for lesson in recording_all.list_lessons(load_all())
        if lesson.name in SOME or os.environ.get("IPCVIZ_CASTS") == "all"
    ],
    ids=lambda lesson: lesson.name,
)
def test_a_cast_of_the_catalogue_is_a_lesson(lesson, tmp_path, asciinema):
    if lesson.missing:
        pytest.skip(lesson.missing)
    file = tmp_path / "lesson.cast"
    done = run("record", *lesson.words, "-o", str(file))
    assert done.returncode == 0, done.stderr
    found = check_cast(file)
    labels = [event.data for event in found.events if event.code == "m"]
    scenario = find_scenario(lesson.words[0])
    parts = [step.title for step in scenario.story]
    told = [n for n, label in enumerate(labels) if label.startswith(tuple(parts))]
    assert told[0] <= 3, "it begins where the lesson begins"
    assert len(labels) <= MOST_CHAPTERS
    assert found.duration <= MOST_SECONDS
    assert file.stat().st_size <= 400_000
    assert_played(file, asciinema)


def test_a_scenarios_story_makes_the_chapters(trace, tmp_path):
    file = tmp_path / "x.cast"
    done = run("record", str(trace), "-o", str(file))
    assert "9 chapters, 0:" in done.stdout
    labels = [event.data for event in check_cast(file).events if event.code == "m"]
    assert len(labels) == 9
    assert sum(label.startswith("Question: ") for label in labels) == 1


@pytest.mark.kernel
def test_the_casts_of_several_scenarios_at_once(tmp_path, monkeypatch, capsys):
    lessons = [
        recording_all.PlannedCast("race", ("sleep-race", "--schedule", "lost")),
        recording_all.PlannedCast("steps", ("sleep-race", "--schedule", "arrives")),
        recording_all.PlannedCast("none", ("no-such-scenario",)),
        recording_all.PlannedCast("here", ("sleep-race",), missing="it needs a compiler"),
    ]
    monkeypatch.setattr(recording_all, "list_lessons", lambda scenarios: lessons)
    folder = tmp_path / "new" / "casts"
    monkeypatch.chdir(TOP)
    assert recording_all.record_catalogue(str(folder), ("--size", "100x30")) == 2
    out, err = capsys.readouterr()
    assert sorted(file.name for file in folder.iterdir()) == ["race.cast", "steps.cast"]
    assert "2 of 3 casts are in" in out
    assert "here is left out: it needs a compiler" in err
    assert "no-such-scenario" in err
    cast = check_cast(folder / "race.cast")
    assert (cast.width, cast.height) == (100, 30)
    assert "Asleep, and no alarm is set" in [e.data for e in cast.events if e.code == "m"][-1]


@pytest.mark.kernel
def test_a_scenario_is_run_for_its_cast(tmp_path):
    file = tmp_path / "x.cast"
    done = run(
        "record",
        "sleep-race",
        "--schedule",
        "lost",
        "-o",
        str(file),
        "--size",
        "100x30",
        "--hold",
        "0.5",
        "--every-step",
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = check_cast(file)
    assert (found.width, found.height) == (100, 30)
    labels = [event.data for event in found.events if event.code == "m"]
    assert labels[0] == "sleeper was launched"
    assert labels[-1] == "sleeper waits in pause, for a signal: SIGINT or SIGALRM", (
        "that we ended it then is no part of it"
    )
    assert found.duration == (len(labels) + 1) * 0.5
    assert os.listdir(tmp_path) == ["x.cast"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["record", "no-such", "-o", "x"], "no-such"),
        (["record", "{trace}", "-o", "/no/such/folder/x"], "can't be written"),
        (["record", "{trace}", "-o", "{tmp}/x", "--steps", "50-"], "7 steps"),
        (["record", "{trace}", "-o", "{tmp}/x", "--steps", "5-2"], "--steps"),
        (["record", "{trace}", "-o", "{tmp}/x", "--size", "10x10"], "--size"),
        (["record", "-o", "{tmp}/x"], "Name a scenario"),
        (["record", "--all", "{trace}", "-o", "{tmp}/x"], "--all"),
        (["record", "--all", "-o", "{trace}"], "can't be made a folder"),
        (["record", "{trace}", "-o", "{tmp}/x", "--hold", "0"], "--hold"),
        (["record", "{trace}", "-o", "{tmp}/x", "--variant", "c"], "--variant"),
        (["record", "{trace}", "-o", "{tmp}/x", "--schedule", "lost"], "--schedule"),
        (["record", "sleep-race", "-o", "{tmp}/x", "--schedule", "no-such"], "no-such"),
        (["record", "{cast}", "-o", "{tmp}/x"], "no trace"),
        (["play", "{trace}"], "ipcviz replay"),
        (["play", "{tmp}/none"], "can't be read"),
        (["play", "{cast}"], "there is none"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(
    words, sentence, trace, cast, tmp_path, monkeypatch, capsys
):
    words = [word.format(trace=trace, cast=cast, tmp=tmp_path) for word in words]
    monkeypatch.setattr(sys, "argv", ["ipcviz", *words])
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(os, "isatty", lambda fd: False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert sentence in said
    assert said.startswith("ipcviz: ")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


class Terminal:
    """A terminal with a player in it."""

    def __init__(self, cast, columns=80, rows=25, command=()):
        self.master, self.slave = os.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.player = subprocess.Popen(
            command or [*IPCVIZ, "play", str(cast)],
            cwd=TOP,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.2):
        if select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.raw += data
            self.stream.feed(data)
            return True
        return False

    def until(self, text):
        deadline = time.monotonic() + 30
        while text not in "\n".join(self.screen.display):
            assert time.monotonic() < deadline, "\n".join(self.screen.display)
            self.read()

    def press(self, keys, then):
        os.write(self.master, keys)
        self.until(then)

    def end(self):
        deadline = time.monotonic() + 30
        while self.player.poll() is None:
            assert time.monotonic() < deadline
            self.read()
        while self.read(0):
            pass
        return self.player.returncode

    def restored(self):
        """Whether the terminal is as it was."""
        return termios.tcgetattr(self.slave) == self.before and self.raw.endswith(
            b"\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
        )

    def close(self):
        if self.player.poll() is None:
            self.player.kill()
            self.player.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def terminal(cast, **options):
    found = Terminal(cast, **options)
    try:
        yield found
    finally:
        found.close()


def test_the_keys_of_class(cast):
    labels = [event.data[:40] for event in read_cast(cast).events if event.code == "m"]
    with terminal(cast) as there:
        there.until(" 0/7 before the first step")
        for number, key in enumerate((b" ", b"\x1b[C", b"n", b"\x1b[6~"), 1):
            there.press(key, f" {number}/7 {labels[number - 1]}")
        for number, key in ((3, b"\x1b[D"), (2, b"p"), (1, b"\x1b[5~")):
            there.press(key, f" {number}/7 {labels[number - 1]}")
        there.press(b"\x1b[F", " 7/7")
        there.press(b"\x1b[H", " 0/7")
        there.press(b"g5", "go to chapter (0 to 7): 5")
        there.press(b"\r", f" 5/7 {labels[4]}")
        there.press(b"?", "chapter before")
        there.press(b"x", " 5/7")
        os.write(there.master, b".")
        while any(row.strip() for row in there.screen.display):
            there.read()
        there.press(b"b", " 5/7")
        there.resize(60, 20)
        there.until("5/7 cut: the cast is 80x24, the terminal 60x20")
        there.resize(80, 25)
        there.until(" 5/7")
        os.write(there.master, b"q")
        assert there.end() == 0
        assert there.restored()


def test_it_plays_by_itself(tmp_path):
    lines = [{"version": 3, "term": {"cols": 40, "rows": 5}}, [0, "o", "one"]]
    lines += [[0.05, "o", word] for word in (" two", " three", "\x1b]0;title\x07\x1b[6n four")]
    file = tmp_path / "x.cast"
    file.write_text("\n".join(map(json.dumps, lines)))
    with terminal(file) as there:
        there.until("one two three four")
        assert b"title" not in there.raw
        assert b"\x1b[6n" not in there.raw
        there.press(b"\x1b[H", "one two three four")
        os.write(there.master, b"\x03")
        assert there.end() == 130
        assert there.restored()


def test_signals_leave_the_terminal_as_it_was(cast):
    with terminal(cast) as there:
        there.until(" 0/7")
        there.press(b"s", "playing")
        there.player.terminate()
        assert there.end() == 128 + signal.SIGTERM
        assert there.restored()


def test_the_shell_gets_its_terminal_back_while_it_is_stopped(cast):
    script = "set -m; \"$@\"; stty -a | grep -q ' icanon' && echo 'in order'; fg; echo status $?"
    with terminal(cast, command=("sh", "-c", script, "sh", *IPCVIZ, "play", str(cast))) as there:
        there.until(" 0/7")
        there.press(b" ", " 1/7")
        os.write(there.master, b"\x1a")
        while there.raw.count(b"\x1b[?1049h") < 2:
            assert there.read(30)
        there.press(b" ", " 2/7")
        os.write(there.master, b"q")
        assert there.end() == 0
        assert b"in order" in there.raw
        assert b"status 0" in there.raw
