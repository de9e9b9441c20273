"""The picture as a widget: what it repaints, what it selects, how it looks."""

import pytest
from msgspec import structs
from textual.app import App
from textual.geometry import Region, Size

from ipcviz.app.picture import Picture
from ipcviz.app.picture.routes import Rect
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import State
from tests import picture_states as systems


class Shell(App):
    CSS = "Picture { height: 1fr; }"

    def __init__(self, state, theme="textual-dark"):
        super().__init__()
        self.start, self.look = state, theme
        self.told = []

    def compose(self):
        yield Picture(self.start)

    def on_mount(self):
        self.theme = self.look

    def on_picture_selected(self, event):
        self.told.append((event.kind, event.key))


def text(app):
    picture = app.query_one(Picture)
    return "\n".join(picture.render_line(y).text for y in range(picture.size.height))


async def test_a_click_selects_and_says_what():
    app = Shell(systems.pipeline_full())
    async with app.run_test(size=(80, 24)) as pilot:
        picture = app.query_one(Picture)
        rect = picture._layout_now.rects["p:12"]
        await pilot.click(Picture, offset=(rect.x + 3, rect.y + 1))
        assert app.told == [("process", 12)]
        rect = picture._layout_now.rects["o:pipe:[4711]"]
        await pilot.click(Picture, offset=(rect.x + 3, rect.middle))
        assert app.told[-1] == ("object", "pipe:[4711]")
        await pilot.click(Picture, offset=(0, 0))
        assert len(app.told) == 2


async def test_shift_and_arrow_keys_walk_along_the_pipeline():
    app = Shell(systems.pipeline_full())
    async with app.run_test(size=(80, 24)) as pilot:
        app.query_one(Picture).focus()
        app.query_one(Picture).show_selection("process", 12)
        await pilot.press("shift+right", "shift+right", "shift+right", "shift+left")
        assert app.told == [
            ("object", "pipe:[4711]"),
            ("process", 13),
            ("object", "8:101"),
            ("process", 13),
        ]


async def test_the_selected_one_has_a_double_frame():
    app = Shell(systems.pipeline_full())
    async with app.run_test(size=(80, 24)) as pilot:
        assert "╔" not in text(app)
        app.query_one(Picture).show_selection("process", 13)
        await pilot.pause()
        assert text(app).count("╔") == 1
        assert app.told == []


async def test_a_new_state_repaints_only_the_rows_that_changed(monkeypatch):
    m = systems.pipeline_maker(("cat",), ("wc",))
    m.level(systems.pipe(4711), 100)
    app = Shell(m.state)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        picture = app.query_one(Picture)
        picture.lit = frozenset()
        picture.state = m.state
        await pilot.pause()
        regions = []
        everything = Region(0, 0, *picture.size)
        monkeypatch.setattr(
            picture, "refresh", lambda *rows, **kw: regions.extend(rows or [everything])
        )
        m.level(systems.pipe(4711), 60000)
        picture.state = reduce_all(m.events)
        assert 1 <= len(regions) <= 3
        assert all(r.height == 1 for r in regions)
        regions.clear()
        picture.state = reduce_all(m.events)
        assert regions == []


async def test_enter_opens_a_group():
    app = Shell(systems.fan(20))
    async with app.run_test(size=(120, 36)) as pilot:
        picture = app.query_one(Picture)
        group = next(n for n in picture.scene.nodes if n.kind == "group")
        picture.focus()
        picture.choose_node(group)
        await pilot.press("enter")
        assert len([n for n in picture.scene.nodes if n.kind == "process"]) == 21
        await pilot.press("enter")
        assert any(n.kind == "group" for n in picture.scene.nodes)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (80, 24)])
async def test_any_size_and_nothing_to_show_are_fine(size):
    for state in (State(), systems.tree(), systems.client_server(5)):
        app = Shell(state)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            assert text(app) is not None


async def test_what_is_too_large_can_be_scrolled_to():
    app = Shell(systems.pipeline_maker(*[("cat",)] * 12).state)
    async with app.run_test(size=(50, 6)) as pilot:
        picture = app.query_one(Picture)
        await pilot.pause()
        assert picture.virtual_size.height > 6
        last = max(picture.scene.nodes, key=lambda n: picture._layout_now.rects[n.id].y)
        picture.choose_node(last)
        await pilot.pause()
        assert picture.scroll_offset.y > 0


async def test_a_part_without_anything_in_it_is_not_what_is_shown():
    app = Shell(systems.client_server(6))
    async with app.run_test(size=(50, 6)) as pilot:
        await pilot.pause()
        picture = app.query_one(Picture)
        layout = picture._layout_now
        moved = {i: Rect(r.x, r.y + 60, r.w, r.h) for i, r in layout.rects.items()}
        picture._layout_now = structs.replace(
            layout, rects=moved, extent=(layout.extent[0], layout.extent[1] + 60)
        )
        picture.virtual_size = Size(*picture._layout_now.extent)
        await pilot.pause()
        picture._show_something()
        await pilot.pause()
        assert picture.scroll_offset.y > 40


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
@pytest.mark.parametrize("name", ["pipeline_full", "mmap_queue"])
def test_looks(snap_compare, name, size, theme):
    if theme == "textual-light" and size == (120, 36):
        pytest.skip("one light picture of each is enough")
    assert snap_compare(Shell(systems.ALL[name](), theme), terminal_size=size)


def compile_files(living, ended):
    """A make with so many compilers at work, and others that have ended a moment ago."""
    m = systems.Maker(("make",))
    m.launch(30, "make")
    for number in range(ended):
        m.fork(30, 60 + number, f"old{number}")
        m.add(systems.Exited, pid=60 + number)
        m.add(systems.Reaped, pid=60 + number, by=30)
    for number in range(living):
        m.fork(30, 40 + number, f"cc{number}")
    m.wait(30, "wait4")
    return m


@pytest.mark.parametrize(("ended", "boxes"), [(1, 1), (12, 0), (40, 0)])
async def test_the_ended_go_before_they_push_the_living_out_of_sight(ended, boxes):
    m = compile_files(3, ended)
    app = Shell(m.state)
    async with app.run_test(size=(80, 12)) as pilot:
        picture = app.query_one(Picture)
        living = {f"p:{pid}" for pid in (30, 40, 41, 42)}
        drawn = {n.id for n in picture.scene.nodes}
        assert living <= drawn
        assert len(drawn - living) == boxes
        assert picture._layout_now.extent == (80, 12)
        assert (f"{picture.scene.recent} just ended" in text(app)) is not bool(boxes)
        m.fork(30, 43, "cc3")
        m.add(systems.Exited, pid=40)
        m.add(systems.Reaped, pid=40, by=30)
        picture.state = m.state
        await pilot.pause()
        assert ("p:40" in {n.id for n in picture.scene.nodes}) is bool(boxes), "not by turns"
        m.t += 10
        m.wait(30, "wait4")
        picture.state = m.state
        await pilot.pause()
        assert "just ended" not in text(app)
        m.add(systems.Exited, pid=41)
        m.add(systems.Reaped, pid=41, by=30)
        picture.state = m.state
        await pilot.pause()
        assert "p:41" in {n.id for n in picture.scene.nodes}, "there is room for it again"
