"""The source panel on the screen: it follows who moves, and shows who is selected."""

from __future__ import annotations

import msgspec
import pytest

from ipcviz.app.panels import SourcePanel
from ipcviz.app.strip import StepStrip
from ipcviz.events import (
    Executed,
    Forked,
    Held,
    Inspect,
    Located,
    Poised,
    Settled,
    Started,
    Stepped,
    Waiting,
)
from tests.app.test_live import stage

TEXT = "".join(f"text of line {number}\n" for number in range(1, 201))


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "pair.py"
    file.write_text(TEXT)
    return str(file)


def begin(source):
    """Two processes that are held, on lines 100 and 150."""
    return [
        Started(argv=("pair",)),
        Forked(pid=11, parent=1, how="launched", name="one"),
        Executed(pid=11, path="/bin/one", name="one"),
        Held(),
        Forked(pid=12, parent=11, name="two"),
        *rest(source, 11, 100),
        *rest(source, 12, 150),
        Settled(step=0),
    ]


def rest(source, pid, line):
    poised = Poised(pid=pid, tid=pid, at="entry", call="read")
    return poised, Located(pid=pid, tid=pid, file=source, line=line, function="f")


def step(source, number, pid, line):
    return Stepped(step=number, pid=pid, tid=pid), *rest(source, pid, line), Settled(step=number)


def timed(events, n=1):
    return [
        msgspec.structs.replace(event, t=0.01 * number, n=number)
        for number, event in enumerate(events, n)
    ]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=str)
async def test_it_follows_who_moves_until_another_one_is_selected(source, size):
    events = timed(begin(source))
    async with stage(events, size=size) as s:
        await s.press("x")
        panel = s.app.focused
        assert isinstance(panel, SourcePanel)
        assert panel.border_title.startswith("Source: pair.py:100 in f, one")
        shown = s.screen_text()
        assert all(f"text of line {number}" in shown for number in range(97, 104))
        s.session.feed(*timed(step(source, 1, 12, 180), 20))
        await s.frame(0.1)
        assert "pair.py:180 in f, two" in panel.border_title
        assert ">180 text of line 180" in s.screen_text()
        assert "text of line 183" in s.screen_text()
        await s.press("right_square_bracket", "left_square_bracket")
        assert s.app.live.view.pid == 11
        assert "pair.py:100 in f, one" in panel.border_title
        assert ">100 text of line 100" in s.screen_text()
        s.session.feed(*timed(step(source, 2, 12, 5), 40))
        await s.frame(0.1)
        assert ">  5 text of line 5" in s.screen_text()
        assert "text of line 1 " in s.screen_text()


async def test_it_has_a_pane_of_its_own_from_120_columns_with_a_tab_a_process(source):
    for size, there in (((119, 36), False), ((120, 36), True)):
        async with stage(timed(begin(source)), size=size) as s:
            panes = s.app.live.query("#side-source").results(SourcePanel)
            assert any(pane.visible_now for pane in panes) is there
    async with stage(timed(begin(source)), size=(120, 36)) as s:
        await s.frame(0.1)
        pane = s.app.live.query_one("#side-source")
        assert ">100 text of line 100" in s.screen_text()
        assert pane.border_title == "Source: pair.py:100 in f, one | two pair.py:150"
        await s.pilot.click("#side-source", offset=(len("Source: pair.py:100 in f, one | t"), 0))
        await s.frame(0.1)
        assert s.app.live.view.pid == 12
        assert pane.border_title == "Source: pair.py:150 in f, two | one pair.py:100"
        assert ">150 text of line 150" in s.screen_text()


async def test_one_that_has_no_source_leaves_the_pane_to_one_that_has(source):
    events = begin(source)
    missing = Located(pid=12, tid=12, missing="debug information")
    moved = [Stepped(step=1, pid=12, tid=12), rest(source, 12, 150)[0], missing, Settled(step=1)]
    async with stage(timed([*events, *moved]), size=(120, 36)) as s:
        panel = s.panel(SourcePanel, "#side-source")
        assert "pair.py:100" in str(panel.border_title)
        assert "text of line 100" in s.screen_text()


async def test_a_shells_script_is_shown_about_where_it_is(tmp_path):
    script = tmp_path / "talk.sh"
    script.write_text("#!/bin/sh\n# seq\nseq 10 > data\ncat data\n")
    events = [
        Started(argv=("sh",)),
        Forked(pid=11, parent=1, how="launched", name="sh", argv=("sh", str(script))),
        Executed(pid=11, path="/bin/sh", name="sh", argv=("sh", str(script))),
        Forked(pid=12, parent=11, by=11, name="sh"),
        Executed(pid=12, path="/bin/cat", name="cat", argv=("cat", "data")),
    ]
    async with stage(timed(events)) as s:
        await s.press("x")
        await s.frame(0.1)
        panel = s.panel(SourcePanel)
        assert panel.border_title.startswith("Source: talk.sh:4, about (by the commands")
        assert "~4 cat data" in s.screen_text()


async def test_what_comes_next_has_its_line(source):
    async with stage(timed(begin(source))) as s:
        rows = s.text(s.panel(StepStrip)).splitlines()
        assert "(pair.py:100)" in next(row for row in rows if row.startswith(" next "))
        assert all(len(row) <= 80 for row in rows)


async def test_lines_are_asked_for_while_the_panel_can_be_seen():
    events = [
        Started(argv=("one",)),
        Forked(pid=11, parent=1, how="launched", name="one"),
        Executed(pid=11, path="/bin/one", name="one"),
        Waiting(pid=11, tid=11, call="pause"),
    ]
    async with stage(timed(events)) as s:
        asked = [c for c in s.session.commands if isinstance(c, Inspect)]
        assert not any(c.lines for c in asked)
        await s.press("x")
        await s.frame(0.1)
        assert s.session.commands[-1] == Inspect(pid=11, lines=True)
        assert "No line of one" in s.text(s.panel(SourcePanel))
        missing = Located(pid=11, tid=11, missing="debug information")
        s.session.feed(*timed([missing], 10))
        await s.frame(0.1)
        assert "compile it with -g" in s.screen_text()
        await s.press("l")
        await s.frame(0.1)
        assert s.session.commands[-1] == Inspect(pid=0)
