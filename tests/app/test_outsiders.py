"""Who is not watched, on the screen; and the last moment before an end was forced."""

from __future__ import annotations

import msgspec
import pytest

from ipcviz.app.bars import StatusLine
from ipcviz.app.panels import Buffers, Descriptors, LogPanel, Proc
from ipcviz.app.picture import Picture, graph
from ipcviz.app.screens.watching import WatchScreen
from ipcviz.events import (
    EndForced,
    Exited,
    Finished,
    Forked,
    MapEntry,
    Maps,
    ObjectInfo,
    Outside,
    Outsider,
    Outsiders,
    Started,
    Table,
    TableEntry,
    Waiting,
    Watch,
)
from ipcviz.model.reduce import reduce_all
from ipcviz.session.kept import KeptSession, LinesSession
from ipcviz.trace import TraceReader
from tests import fakes
from tests.app.test_live import stage
from tests.app.test_replay import kept, showing, text, until

PIPE = fakes.PIPE


def orphan(mode: str = "attached"):
    """cat reads from a pipe whose write end a sleep has that nobody watches."""
    rows = (TableEntry(fd=0, ofd=1, object=PIPE, mode="r"),)
    holder = Outsider(pid=77, name="sleep", fd=1, mode="w")
    return fakes.numbered(
        [
            Started(t=0.0, argv=("cat",), mode=mode),
            Forked(t=0.0, pid=12, parent=1, how="attached", name="cat", argv=("cat",)),
            Table(t=0.0, pid=12, entries=rows, reason="attached"),
            Waiting(t=0.1, began=0.1, pid=12, tid=12, call="read", args={"fd": 0}, object=PIPE.key),
            Outsiders(t=0.7, found=(Outside(object=PIPE.key, holders=(holder,)),)),
        ]
    )


async def test_who_is_not_watched_is_seen_on_a_wide_screen_at_once():
    async with stage(orphan(), (120, 36)) as s:
        await s.frame(3.0)
        shown = s.screen_text()
        for words in (
            "not watched: sleep[77]",
            "+ sleep",
            "(sleep[77]:1) > cat:0",
            "empty: sleep[77], not watched",
        ):
            assert words in shown


@pytest.mark.parametrize(("size", "panel"), [((120, 36), "#side-proc"), ((80, 24), "#proc")])
async def test_the_proc_panel_names_who_is_not_watched_once(size, panel):
    async with stage(orphan(), size) as s:
        await s.frame(3.0)
        if panel == "#proc":
            await s.press("r")
        assert s.text(s.panel(Proc, panel)).count("sleep[77]") == 1


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_no_heading_of_the_descriptors_is_cut(size):
    async with stage(orphan(), size) as s:
        await s.press("d")
        for panel in s.app.live.query(Descriptors):
            if panel.visible_now:
                heads = s.text(panel).splitlines()[0]
                assert "…" not in heads
                assert "OPEN FILE" in heads


async def test_who_is_not_watched_is_named_everywhere():
    async with stage(orphan()) as s:
        await s.frame(3.0)
        assert "not watched: sleep[77]" in s.text(s.panel(StatusLine))
        assert "sleep[77], which is not watched, has P1 open for writing" in s.text(
            s.panel(LogPanel)
        )
        await s.press("r")
        assert "empty: sleep[77], not" in s.text(s.panel(Proc))
        await s.press("u")
        assert "(sleep[77]:1) > cat:0" in s.text(s.panel(Buffers))
        assert "in ?, out ?" in s.text(s.panel(Buffers))
        await s.press("d")
        assert "(sleep[77]:1 w)" in s.text(s.panel(Descriptors))
        assert "not watched" in s.screen_text()
        picture = s.app.screen.query_one(Picture)
        picture.choose_node(next(n for n in picture.scene.nodes if n.kind == "outsider"))
        await s.pilot.pause()
        assert s.app.live.view.pid == 12, "it can't be selected like those that are watched"


async def test_an_attached_session_watches_it_too():
    async with stage(orphan()) as s:
        await s.press("A")
        assert isinstance(s.app.screen, WatchScreen)
        assert "sleep[77] has the other end of P1" in s.screen_text()
        await s.press("enter")
        assert s.session.commands[-1] == Watch(pid=77)
        names = [command.title for command in s.app.get_system_commands(s.app.screen)]
        assert "Watch sleep[77] too" in names


async def test_beside_a_command_the_command_line_is_said():
    async with stage(orphan("live")) as s:
        await s.press("A")
        assert "ipcviz attach 77 12" in s.screen_text()
        await s.press("enter")
        assert not any(isinstance(command, Watch) for command in s.session.commands)


async def test_without_an_outsider_nothing_is_asked():
    async with stage(orphan()[:-1]) as s:
        await s.press("A")
        assert s.app.screen is s.app.live


def hang():
    """cat waits, and after 60 seconds ipcviz is left."""
    events = orphan("live")[:-1]
    end = [
        EndForced(t=60.0, living=1),
        Exited(t=60.1, pid=12, signo=9),
        Finished(t=60.1, code=137, signo=9),
    ]
    return fakes.numbered([*events, *end])


async def test_a_trace_opens_on_the_last_moment_before_its_end_was_forced(tmp_path):
    async with showing(KeptSession(TraceReader(kept(tmp_path / "t", hang())))) as (app, pilot):
        status = text(app, StatusLine)
        assert "before leaving ipcviz" in status
        assert "1:00" in status, "it is shown as it was when that was done"
        assert app.live.view.state.processes[12].fate == "alive"
        await pilot.press("r")
        await pilot.pause()
        told = "\n".join(row.text for row in app.live.query_one("#proc", Proc).all_rows())
        assert "read(0) on P1, empty, 59.9 s" in told
        await pilot.press("end")
        await pilot.pause()
        assert app.live.view.state.processes[12].fate != "alive"
        assert "before leaving" not in text(app, StatusLine)
        await pilot.press("home")
        await pilot.pause()
        assert "before leaving" not in text(app, StatusLine)


async def test_lines_do_so_when_the_last_one_has_come(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in hang()))
    session = LinesSession(path.open("rb"))
    async with showing(session) as (app, pilot):
        await until(pilot, lambda: app.run_frame() or app.feed.over)
        app.run_frame()
        await pilot.pause()
        assert "before leaving ipcviz" in text(app, StatusLine)


async def test_one_that_ended_by_itself_opens_at_its_end(tmp_path):
    async with showing(KeptSession(TraceReader(kept(tmp_path / "t", fakes.pipeline())))) as (
        app,
        _,
    ):
        assert not app.live.at
        assert app.feed.forced is None


def test_memory_that_one_process_alone_has_comes_last_and_where_there_is_room():
    own = ObjectInfo(key="8:9", kind="file", path="/tmp/hsperfdata/12", dev=8, ino=9)
    shared = ObjectInfo(key="8:8", kind="shared memory", path="/dev/shm/both", dev=8, ino=8)

    def scene(*processes: int, rows: int, more: bool = False):
        events = [*orphan("live")]
        for pid in processes:
            if pid != 12:
                events.append(Forked(t=0.5, pid=pid, parent=12, name="cat"))
            entries = (
                (MapEntry(start=4096, length=4096, object=own, prot="rw-"),) if pid == 12 else ()
            )
            if more:
                entries += (MapEntry(start=8192, length=4096, object=shared, prot="rw-"),)
            events.append(Maps(t=0.6, pid=pid, entries=entries))
        return graph.build_scene(reduce_all(fakes.numbered(events)), size=(80, rows))

    ids = [n.id for n in scene(12, rows=12).nodes]
    assert ids[-1] == "o:8:9", "it is the last of all"
    assert "o:8:9" not in {n.id for n in scene(12, rows=9).nodes}, (
        "beside the pipe there is no room"
    )
    both = {n.id for n in scene(12, 13, rows=12, more=True).nodes}
    assert "o:8:8" in both, "what is shared is always drawn"
    assert "o:8:9" not in both
