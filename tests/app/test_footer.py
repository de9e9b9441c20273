"""The row of keys at the bottom: what works now, and the mouse."""

from __future__ import annotations

from textual.app import App
from textual.binding import Binding

from ipcviz.app.footer import KeyFooter
from ipcviz.app.panels.registry import PANELS
from tests import stepped
from tests.app.test_stepping import stage
from tests.seen import texts_of


class Keys(App[None]):
    """An app with keys: one that works, one that does not now, one that is not shown."""

    BINDINGS = [
        Binding("g", "note('go')", "Go", tooltip="Go on"),
        Binding("down", "note('down')", "Down"),
        Binding("h", "note('hidden')", "Hidden", show=False),
        Binding("d", "refused", "Refused"),
    ]

    def __init__(self):
        super().__init__()
        self.noted = []
        self.bells = 0

    def compose(self):
        yield KeyFooter()

    def check_action(self, action, parameters):
        return None if action == "refused" else True

    def action_note(self, what):
        self.noted.append(what)

    def action_refused(self):
        raise AssertionError("it is refused")

    def bell(self):
        self.bells += 1


async def test_each_key_stands_there_with_its_word_and_a_click_is_as_the_key():
    app = Keys()
    async with app.run_test(size=(60, 4)) as pilot:
        await pilot.pause()
        row = texts_of(app)[-1]
        assert row.startswith(" g Go  ↓ Down  d Refused ")
        assert row.rstrip().endswith("▏^p palette")
        assert "Hidden" not in row
        await pilot.click(KeyFooter, offset=(row.index("Down"), 0))
        await pilot.pause()
        assert app.noted == ["down"]
        await pilot.click(KeyFooter, offset=(row.index("Refused"), 0))
        assert app.bells == 1
        await pilot.hover(KeyFooter, offset=(row.index("Go"), 0))
        assert app.query_one(KeyFooter).tooltip == "Go on"
        await pilot.hover(KeyFooter, offset=(row.index("Refused") + 12, 0))
        assert app.query_one(KeyFooter).tooltip is None


async def test_where_there_is_no_room_keys_are_cut_and_the_palette_stays():
    app = Keys()
    async with app.run_test(size=(20, 4)) as pilot:
        await pilot.pause()
        assert texts_of(app)[-1].rstrip().endswith("▏^p palette")


async def test_what_can_not_be_seen_at_first_is_there_once_a_view_was_shown():
    async with stage(stepped.pair()) as s:
        for name in PANELS:
            assert s.app.live.query(f"#{name}"), name
        order = [child.id for child in s.app.live.query_one("#panels").children]
        assert order == list(PANELS)
