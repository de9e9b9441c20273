"""Source lines: from events to the state, to the words of the picture and the rows of the panel."""

from __future__ import annotations

import os
from types import SimpleNamespace

import msgspec
import pytest

from ipcviz.app.feed import Feed
from ipcviz.app.panels.source import SourcePanel
from ipcviz.app.picture import graph
from ipcviz.app.sources import MOST_COLUMNS, SourceTexts, split_lines
from ipcviz.events import (
    Call,
    Event,
    Executed,
    Exited,
    Forked,
    Held,
    Located,
    Poised,
    Released,
    Resumed,
    Settled,
    Stepped,
    Waiting,
)
from ipcviz.export.names import Names
from ipcviz.kernel import python_frames
from ipcviz.kernel.python_frames import runs_python
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import State
from ipcviz.trace.schema import columns_of
from tests import fakes

FILE = "/src/queue.c"
TEXT = "".join(f"line {number}\n" for number in range(1, 61))


def located(pid=10, line=34, **more):
    return Located(pid=pid, tid=pid, file=FILE, line=line, function="put", **more)


def begin(*events):
    """A command in step mode that is held before a read, and what comes then."""
    first = (
        Forked(pid=10, parent=1, how="launched", name="queue"),
        Executed(pid=10, path="/bin/queue", name="queue", argv=("queue",)),
        Held(),
        Poised(pid=10, tid=10, at="entry", call="read"),
        located(),
        Settled(step=0),
    )
    return fakes.numbered([*first, *events])


def state_after(*events: Event) -> State:
    return reduce_all(begin(*events))


def test_a_line_is_known_while_its_thread_is_at_rest():
    """It goes with the thread's rest, and not with that of others."""
    assert state_after().threads[10].source.line == 34
    other = (
        Forked(pid=11, parent=10, name="queue"),
        Poised(pid=11, tid=11, at="start"),
        located(11, 40),
    )
    state = state_after(*other, Stepped(step=1, pid=11, tid=11))
    assert state.threads[10].source.line == 34
    assert state.threads[11].source is None
    assert state.moved == 11


@pytest.mark.parametrize(
    "event",
    [
        Stepped(step=1, pid=10, tid=10),
        Released(),
        Poised(pid=10, tid=10, at="return", call="read"),
        Executed(pid=10, path="/bin/other", name="other"),
        Exited(pid=10, code=0),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_line_is_forgotten_when_its_thread_runs_on(event):
    thread = state_after(event).threads.get(10)
    assert thread is None or thread.source is None


@pytest.mark.parametrize(
    "event",
    [Resumed(pid=10, tid=10), Call(pid=10, tid=10, name="read", ret=1)],
    ids=lambda event: type(event).__name__,
)
def test_the_line_of_a_blocked_thread_is_forgotten_when_it_goes_on(event):
    blocked = (Waiting(pid=10, tid=10, call="read"), located(line=35))
    before = (Released(), *blocked)
    assert state_after(*before).threads[10].source.line == 35
    assert state_after(*before, event).threads[10].source is None
    alone = (Released(), located(line=35), event)
    assert state_after(*alone).threads[10].source is None


def test_why_no_line_is_known_is_of_the_program_that_runs():
    none = Located(pid=10, tid=10, missing="debug information")
    state = state_after(none)
    assert state.processes[10].located.missing == "debug information"
    again = state_after(none, Executed(pid=10, path="/bin/other", name="other"))
    assert again.processes[10].located is None


def test_to_be_asked_where_it_is_is_no_change_of_a_thread():
    assert state_after(Released(), located()).changed == ()


def test_a_trace_has_function_and_line_in_its_columns():
    assert columns_of(located()) == ("", "put", 34, "")


def test_a_cast_names_no_folder_of_one_run():
    event = msgspec.structs.replace(located(), file="/tmp/ipcviz-abcd1234/queue.c")
    assert Names().rename_event(event).file == "/tmp/ipcviz/queue.c"


# The picture.


def rows_in_box(state):
    node = next(
        node for node in graph.build_scene(state, size=(100, 20)).nodes if node.id == "p:10"
    )
    return [line.text for line in node.lines]


def test_a_box_names_the_line_and_keeps_its_row_while_the_process_moves():
    assert "queue.c:34" in rows_in_box(state_after())
    at = rows_in_box(state_after()).index("queue.c:34")
    assert rows_in_box(state_after(Stepped(step=1, pid=10, tid=10)))[at] == ""
    assert "queue.c:34" not in rows_in_box(state_after(Released()))


def test_a_box_has_no_row_for_a_program_without_lines():
    state = state_after(
        Executed(pid=10, path="/bin/other", name="other"),
        Located(pid=10, tid=10, missing="debug information"),
    )
    assert "" not in rows_in_box(state)


# The panel.


class Texts(SourceTexts):
    """One source file, without a disk."""

    def __init__(self, text=TEXT):
        super().__init__(lambda: {"queue.c": text}, kept_first=True)


def view_of(state):
    session, clock = fakes.FakeSession(), fakes.FrozenClock()
    feed = Feed(session, clock)
    feed.state = state
    return feed.make_view().select(10, "")


def panel_rows(state, texts=None, width=60, **how):
    panel = SourcePanel()
    panel.texts = texts or Texts(**how)
    view = view_of(state)
    return panel.title_of(view), [row.text for row in panel.build_rows(view, width)]


def test_the_panel_has_the_whole_file_with_its_line_marked():
    title, rows = panel_rows(state_after())
    assert title == "Source: queue.c:34 in put, queue[10]"
    assert len(rows) == 60
    assert rows[33].rstrip() == ">34 line 34"
    assert rows[32].rstrip() == " 33 line 33"


def test_the_panel_marks_where_others_are():
    other = (
        Forked(pid=11, parent=10, name="queue"),
        Poised(pid=11, tid=11, at="entry", call="read"),
        located(11, 40),
    )
    _, rows = panel_rows(state_after(*other))
    assert rows[39] == "<40 line 40  queue[11]"


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((Located(pid=10, tid=10, missing="debug information"),), "compile it with -g"),
        ((Located(pid=10, tid=10, missing="pystack"),), "pip install pystack"),
        ((Located(pid=10, tid=10, missing="frames"),), "can't read"),
        ((Located(pid=10, tid=10, missing="time"),), "too long"),
        ((), "in code of which no source line is known"),
        ((Released(),), "runs: its line is read when it is held"),
        ((Exited(pid=10, code=0),), "has ended"),
    ],
)
def test_the_panel_says_in_one_sentence_why_there_is_no_line(events, words):
    again = Poised(pid=10, tid=10, at="return", call="read")
    title, rows = panel_rows(state_after(again, *events), width=200)
    assert title == "Source"
    assert len(rows) == 1
    assert words in rows[0]


def test_a_file_that_is_not_there_or_too_short_is_said():
    state = state_after()
    _, rows = panel_rows(state, SourceTexts(), width=200)
    assert rows == ["/src/queue.c can't be read: No such file or directory."]
    _, rows = panel_rows(state, Texts("one line\n"), width=200)
    assert rows == ["/src/queue.c has 1 line, and no line 34."]


# Files.


def test_whatever_a_file_holds_each_line_takes_one_row_without_controls():
    hostile = b'printf("a\\n");\r\n\x1b[31mred\x07\n\xff\xfe[/foo]\n\tx\0y\n' + b"z" * 10_000
    lines = split_lines(hostile)
    assert lines[0] == 'printf("a\\n");'
    assert lines[1] == "\\x1b[31mred\\x07"
    assert lines[2] == "\\xff\\xfe[/foo]"
    assert lines[3] == "    x\\0y"
    assert len(lines[4]) == MOST_COLUMNS
    assert all(line.isprintable() for line in lines)


def test_texts_of_a_trace_come_before_the_disk_and_those_of_a_scenario_after(tmp_path):
    there = tmp_path / "queue.c"
    there.write_text("on disk\n")
    kept = {"queue.c": "kept\n", "other/queue.c": "another\n"}
    assert SourceTexts(lambda: kept, kept_first=True).read_text(str(there)).lines == ("kept",)
    assert SourceTexts(lambda: kept).read_text(str(there)).lines == ("on disk",)
    there.unlink()
    assert SourceTexts(lambda: kept).read_text(str(there)).lines == ("kept",)
    deeper = SourceTexts(lambda: kept, kept_first=True).read_text("/a/other/./queue.c")
    assert deeper.lines == ("another",)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "folder"])
def test_what_is_no_file_is_not_opened(tmp_path, make):
    make(tmp_path / "queue.c")
    found = SourceTexts().read_text(str(tmp_path / "queue.c"))
    assert found.lines == ()
    assert "can't be read" in found.trouble


def test_names_that_are_no_paths_are_not_opened():
    assert SourceTexts().read_text("<string>").trouble == "<string> is in no file."
    assert "can't be read" in SourceTexts().read_text("/a\0b").trouble


def test_a_process_that_is_gone_is_no_python():
    assert not runs_python(1 << 22, [])


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["/home/a/mine.py", "/usr/lib/python3.11/queue.py"], "/home/a/mine.py"),
        (["/usr/lib/python3.11/runpy.py", "/usr/lib/python3.11/queue.py"], "queue.py"),
        (["/home/a/mine.py", "<frozen importlib._bootstrap>"], "/home/a/mine.py"),
        (["<frozen runpy>", "/usr/lib/python3.11/queue.py", "<frozen os>"], "queue.py"),
        (["<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>"], ""),
        (["<string>"], "<string>"),
    ],
)
def test_the_line_is_of_the_users_program_and_in_a_file(files, chosen):
    """Outermost first. While an interpreter starts, all its frames are of modules in itself."""
    frames = [
        SimpleNamespace(
            code=SimpleNamespace(filename=file, scope="f", location=SimpleNamespace(lineno=3))
        )
        for file in files
    ]
    line = python_frames._choose_line(SimpleNamespace(frames=frames))
    assert line.file.endswith(chosen) if chosen else line is None
