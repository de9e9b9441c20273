"""The findings panel: what is wrong, from the moment on at which it is, and how it is mended."""

from __future__ import annotations

import msgspec

from ipcviz.app.bars import PanelBar
from ipcviz.app.panels.findings import FindingsPanel
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


async def test_a_row_selects_its_process():
    async with stage(apart(with_a_short_write()), size=(100, 36)) as s:
        await s.press("F", "less_than_sign", "enter")
        assert s.app.live.view.pid == 12


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
