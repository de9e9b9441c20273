"""The findings panel: what is wrong, from the moment on at which it is, and how it is mended."""

from __future__ import annotations

import msgspec
import pytest
from textual.widgets import Static

from ipcviz.app.bars import PanelBar
from ipcviz.app.panels.findings import FindingsPanel
from ipcviz.app.picture import Picture
from ipcviz.app.screens.rule import RuleScreen
from ipcviz.diagnose.pages import BY_NAME
from tests import fakes
from tests.app.test_past import kept, stage
from tests.seen import apart


def with_a_short_write():
    """The beginning of a pipeline, whose first stage writes a part, and closes."""
    cut = fakes.call(2.0, 12, "write", fd=1, obj=fakes.PIPE.key, ret=100)
    cut = msgspec.structs.replace(cut, args={**cut.args, "count": 5000})
    return fakes.numbered([*fakes.pipeline_start(), cut, fakes.close(3.0, 12, 1, fakes.PIPE.key)])


def bar(s):
    return s.app.live.query_one(PanelBar).all_rows()[0].text


async def test_what_is_wrong_is_shown_from_when_it_is_so():
    events = apart(with_a_short_write())
    async with stage(events[:-1], size=(100, 36)) as s:
        assert " F " not in bar(s)
        await s.press("F")
        assert s.text(FindingsPanel) == "Nothing wrong was found so far."
        s.session.feed(events[-1])
        await s.frame(3)
        assert "[F Find" in bar(s)
        said = s.text(FindingsPanel)
        assert "wrote 100 of 5000 bytes to P1, and closed descriptor 1" in said
        assert "Mend: Write in a loop" in said
        assert "[short-write]" in said
        await s.press("left")
        assert s.text(FindingsPanel) == "Nothing wrong was found so far."
        await s.press("end")
        assert "wrote 100 of 5000" in s.text(FindingsPanel)


def drawn(s):
    """Every row of the picture, without styles."""
    return "\n".join(
        "".join(text for text, _ in runs) for runs in s.app.live.query_one(Picture)._rows
    )


def with_two_faults():
    """The same, and one of another process."""
    cut = fakes.call(4.0, 11, "write", fd=4, obj=fakes.PIPE.key, ret=100)
    cut = msgspec.structs.replace(cut, args={**cut.args, "count": 5000})
    closed = fakes.close(5.0, 11, 4, fakes.PIPE.key)
    return apart(fakes.numbered([*with_a_short_write(), cut, closed]))


async def test_a_look_at_a_hang_between_two_views_takes_nothing_from_the_shown_one():
    """Its finding is made anew with other words; a resize asks the view that is shown."""
    async with stage(apart(with_a_short_write()), size=(100, 36)) as s:
        await s.press("F", "down")
        panel, view = s.app.live.query_one(FindingsPanel), s.app.live.view
        assert view.selected_finding is not None
        known = s.app.feed.past.diagnosis._doctor._found
        for key, one in known.items():
            known[key] = msgspec.structs.replace(one, sentence="In other words.")
        assert panel.title_of(view).startswith("Findings: 1 of 1")


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_picture_marks_what_the_selected_finding_speaks_of(size):
    async with stage(apart(with_a_short_write()), size=size) as s:
        assert "!" not in drawn(s)
        await s.press("F")
        assert s.app.live.view.pid == 12, "the finding's process is selected, too"
        assert "! marks cat, P1" in str(s.app.live.query_one(FindingsPanel).border_title)
        assert "!cat" in drawn(s)
        assert "!P1" in drawn(s)
        assert "!sh" not in drawn(s)
        await s.press("l")
        assert "!" not in drawn(s), "another panel is shown"
        await s.press("F")
        assert "!cat" in drawn(s)
        s.app.live.selection.select(pid=11)
        await s.pilot.pause()
        assert "!" not in drawn(s), "something else is selected"


async def test_up_and_down_go_from_finding_to_finding():
    async with stage(with_two_faults(), size=(100, 36)) as s:
        await s.press("F")
        panel = s.app.live.query_one(FindingsPanel)
        marked = []
        for key in ("down", "down", "up", "k"):
            await s.press(key)
            marked.append(s.app.live.view.selected_finding.processes[0].name)
        assert marked == ["cat", "cat", "sh", "sh"]
        assert s.text(FindingsPanel).startswith(">!")
        assert str(panel.border_title).startswith("Findings: 1 of 2, ! marks sh")


async def test_a_newer_finding_does_not_take_the_selection():
    events = with_two_faults()
    async with stage(events[:-1], size=(100, 36)) as s:
        await s.press("F")
        s.session.feed(events[-1])
        await s.frame(3)
        panel = s.app.live.query_one(FindingsPanel)
        assert panel.title_of(s.app.live.view).startswith("Findings: 2 of 2, ! marks cat")
        assert panel.row_at(panel.cursor).text.startswith(">!")


async def test_enter_explains_the_rule():
    async with stage(apart(with_a_short_write()), size=(80, 24)) as s:
        await s.press("F", "enter")
        page = s.app.screen
        assert isinstance(page, RuleScreen)
        told = " ".join(str(part.content) for part in page.query(Static))
        for _, text in BY_NAME["short-write"].parts:
            assert text in told
        await s.press("escape")
        assert s.app.screen is s.app.live


async def test_a_trace_is_searched_if_it_is_short(tmp_path, monkeypatch):
    events = apart(with_a_short_write())
    async with stage((), session=kept(tmp_path / "short", events), size=(100, 36)) as s:
        await s.frame(5)
        await s.press("F")
        assert "wrote 100 of 5000" in s.text(FindingsPanel)
    monkeypatch.setattr("ipcviz.app.replay._SEARCHED", 3)
    async with stage((), session=kept(tmp_path / "long", events), size=(100, 36)) as s:
        await s.frame(5)
        await s.press("F")
        assert "'ipcviz doctor TRACE' does that" in s.text(FindingsPanel)
