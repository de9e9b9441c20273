"""The main screen, driven by keys and mouse, fed by a prepared session."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from textual.widgets import Static

from ipcviz.app.app import IpcvizApp
from ipcviz.app.bars import ProcessBar, StatusLine
from ipcviz.app.panels import (
    Buffers,
    Descriptors,
    LogPanel,
    MemoryPanel,
    Panel,
    Proc,
    Semaphores,
    SignalsPanel,
)
from ipcviz.app.panels.output import OutputRows
from ipcviz.app.picture import Picture
from ipcviz.app.screens.help import HelpScreen
from ipcviz.app.screens.modals import BlankScreen, SignalScreen, TroubleScreen
from ipcviz.app.textual_internals import keys_of
from ipcviz.events import (
    Exited,
    Forked,
    Input,
    Inspect,
    Level,
    Limit,
    Output,
    Peek,
    ProcessFacts,
    Reaped,
    Resize,
    Sample,
    SendSignal,
    Trouble,
)
from ipcviz.session.errors import SessionError
from tests import fakes
from tests.app.driven import Driven
from tests.seen import texts_of


class Stage(Driven):
    """An app on a terminal of some size, whose clock and session the test moves."""

    def panel(self, kind, id=None):
        return self.app.live.query(id or kind.__name__).first(kind)

    def text(self, panel: Panel) -> str:
        return "\n".join(row.text for row in panel.all_rows())

    def screen_text(self) -> str:
        return "\n".join(texts_of(self.app))


@asynccontextmanager
async def stage(events=(), size=(80, 24)):
    clock = fakes.FrozenClock()
    session = fakes.FakeSession(events, argv=("sh", "-c", "cat FILE | gzip"))
    app = IpcvizApp(session, "sh -c 'cat FILE | gzip'", clock=clock)
    # However long a picture takes to be drawn on a busy machine, a test looks at it.
    app.live.pace.patient = True
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app._timer.pause()
        found = Stage(app, pilot, session, clock)
        await found.frame()
        await found.frame()
        yield found


def flow():
    return fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow()])


async def test_log_and_bars_show_the_session():
    async with stage(flow()) as s:
        assert s.session.started
        assert "cat is blocked in write(1) on P1: it is full" in s.text(s.panel(LogPanel))
        bar = s.text(s.panel(ProcessBar))
        assert "1 S >sh<" in bar
        assert "3 R  gzip~" in bar
        assert "~1 sampled" in s.text(s.panel(StatusLine))


@pytest.mark.parametrize(
    ("key", "kind", "events", "expected"),
    [
        ("d", Descriptors, flow(), "pts/3 terminal"),
        ("u", Buffers, flow(), "62,029/65,536 16/16p"),
        ("m", Semaphores, fakes.mmap_queue(), "/full"),
        ("e", MemoryPanel, fakes.shared_memory(), "queue.dat"),
        ("s", SignalsPanel, fakes.sleep_race(), "SIGALRM"),
        ("r", Proc, flow(), "write(1) on P1, full: 62,029 B in 16 of 16 pages"),
        ("o", OutputRows, flow(), "gzip: working"),
    ],
)
async def test_each_panel_is_one_key_away(key, kind, events, expected):
    async with stage(events) as s:
        panel = s.panel(kind)
        before = panel.rebuilds
        await s.frame(1.0)
        assert panel.rebuilds == before, "a hidden panel does no work"
        await s.press(key)
        assert expected in s.text(panel)
        assert expected in s.screen_text()
        assert s.app.focused is panel


async def test_digits_and_clicks_select_and_every_panel_follows():
    async with stage(flow()) as s:
        await s.press("d", "2")
        panel = s.panel(Descriptors)
        assert "cat" in str(panel.border_title)
        assert "dup of 4" in s.text(panel)
        await s.press("right_square_bracket")
        assert s.app.live.view.pid == 13
        bar = s.panel(ProcessBar)
        x = s.text(bar).index("sh")
        await s.pilot.click(ProcessBar, offset=(x, 0))
        await s.pilot.pause()
        assert s.app.live.view.pid == 11
        await s.press("9")
        assert s.app.live.view.pid == 11


async def test_three_tables_in_a_row_and_what_just_closed():
    async with stage(flow()) as s:
        await s.press("d", "2")
        text = s.text(s.panel(Descriptors))
        line = next(row for row in text.splitlines() if "dup of 4" in row)
        assert "#11 w" in line
        assert "P1 pipe" in line
        assert "gzip:0 r" in line
        closed = [row for row in text.splitlines() if row.startswith("-")]
        assert len(closed) == 1
        assert "#11 w" in closed[0]
        await s.frame(4.0)
        assert not [row for row in s.text(s.panel(Descriptors)).splitlines() if row.startswith("-")]


async def test_waiting_bytes_are_asked_for_only_while_they_are_looked_at():
    async with stage(flow()) as s:
        assert not [c for c in s.session.commands if isinstance(c, Peek)]
        await s.press("u")
        await s.frame(0.6)
        assert s.session.commands[-1] == Peek(object=fakes.PIPE.key)
        text = s.text(s.panel(Buffers))
        assert "43 61 6c 6c 20 6d 65" in text
        assert "Call me Ishmael" in text
        assert "\x1b" not in text
        await s.press("l")
        await s.frame(0.6)
        assert s.session.commands[-1] == Peek(object="")


async def test_the_facts_of_a_process_are_asked_for_only_while_they_are_looked_at():
    async with stage(flow()) as s:
        assert not [c for c in s.session.commands if isinstance(c, Inspect)]
        await s.press("r", "2")
        await s.frame(0.6)
        assert [c for c in s.session.commands if isinstance(c, Inspect)][-1] == Inspect(pid=12)
        facts = ProcessFacts(
            pid=12, user="ada", started=1e9, cpus=(0,), limits=(Limit("open files", 1024, 1024),)
        )
        s.session.feed(Sample(t=2.1, n=90, facts=(facts,)))
        await s.frame(0.6)
        text = s.text(s.panel(Proc))
        assert "of user ada" in text
        assert "limits: open files 1,024" in text
        await s.press("l")
        await s.frame(0.6)
        assert s.session.commands[-1] == Inspect(pid=0)


async def test_freezing_stops_the_view_and_not_the_collection():
    async with stage(flow()) as s:
        await s.press("u", "f")
        before = s.text(s.panel(Buffers))
        s.session.feed(
            Sample(t=3, n=90, levels=(Level(object=fakes.PIPE.key, queued=7, capacity=65536),))
        )
        await s.frame(3.0)
        assert s.app.feed.state.objects[fakes.PIPE.key].level.queued == 7
        assert s.text(s.panel(Buffers)) == before
        assert " PAST " in s.text(s.panel(StatusLine))
        await s.press("l")
        await s.press("u")
        assert s.text(s.panel(Buffers)) == before, "coming back to it shows the same moment"
        await s.press("f")
        assert " 7/65,536" in s.text(s.panel(Buffers))


async def test_the_end_stays_and_can_be_read():
    async with stage(fakes.pipeline()) as s:
        assert "exit 0" in s.text(s.panel(StatusLine))
        bar = s.text(s.panel(ProcessBar))
        assert "cat 0" in bar
        assert "gzip 0" in bar
        time = s.app.feed.now
        await s.frame(100)
        assert s.app.feed.now == time
        await s.press("r")
        assert "exited 0" in s.text(s.panel(Proc))
        await s.press("i")
        assert s.session.commands == []


async def test_filter_and_its_end():
    async with stage(flow()) as s:
        log = s.panel(LogPanel)
        everything = len(log.all_rows())
        await s.press("slash", *"blocked", "space", *"-read")
        assert all("blocked" in row.text or row.text.startswith(" " * 10) for row in log.all_rows())
        assert 0 < len(log.all_rows()) < everything
        await s.press("enter", "escape")
        assert len(log.all_rows()) == everything


async def test_log_follows_its_end_unless_scrolled_away():
    async with stage(flow()) as s:
        log = s.panel(LogPanel)
        assert log.scroll_offset.y == log.max_scroll_y > 0
        await s.press("less_than_sign")
        assert log.scroll_offset.y == 0
        s.session.feed(*fakes.numbered(fakes.pipeline_end()))
        await s.frame(1)
        assert log.scroll_offset.y == 0
        assert "not following" in str(log.border_title)
        await s.press("G")
        await s.frame(1)
        assert log.scroll_offset.y == log.max_scroll_y


async def test_a_signal_is_sent_to_the_selected_process():
    async with stage(flow()) as s:
        await s.press("2", "K")
        assert isinstance(s.app.screen, SignalScreen)
        await s.press("down", "enter")
        assert s.session.commands == [SendSignal(pid=12, signo=15)]


async def test_typing_reaches_the_terminal_of_the_command():
    async with stage(flow()) as s:
        await s.press("i", *"hi [b]?", "enter", "x", "ctrl+c", "ctrl+d")
        typed = [c.data for c in s.session.commands if isinstance(c, Input)]
        assert typed == [b"hi [b]?\n", b"x\x03", b"\x04"]
        await s.press("escape")
        assert s.app.focused is s.panel(OutputRows)


async def test_zoom_takes_the_screen_and_gives_it_back():
    async with stage(flow()) as s:
        await s.press("u", "z")
        panel = s.panel(Buffers)
        assert panel.size.height > 18
        assert s.app.live.maximized is panel
        await s.press("z")
        assert s.app.live.maximized is None
        await s.press("z", "d")
        assert s.app.live.maximized is None
        assert s.app.focused is s.panel(Descriptors)


async def test_output_zooms_with_its_input_line():
    async with stage(flow()) as s:
        await s.press("o", "z")
        assert s.panel(OutputRows).size.height > 16
        assert "type to the command" in s.screen_text()


async def test_keys_pressed_at_once_after_i_are_typed():
    async with stage(flow()) as s:
        s.app.live.commands.action_type()
        assert s.app.focused is s.app.live.query_one("#typing")


async def test_help_names_the_panel_in_use_first():
    async with stage(flow()) as s:
        await s.press("u", "question_mark")
        assert isinstance(s.app.screen, HelpScreen)
        assert s.app.screen.query(Static).first().visual.plain.startswith("Buffers\n")
        assert "sampled" in s.screen_text()
        await s.press("escape")
        assert s.app.screen is s.app.live


@pytest.mark.parametrize("key", ["b", "full_stop"])
async def test_blank_and_back_by_any_key(key):
    async with stage(flow()) as s:
        await s.press(key)
        assert isinstance(s.app.screen, BlankScreen)
        assert s.screen_text().strip() == ""
        await s.press("d")
        assert s.app.screen is s.app.live
        assert s.app.focused is s.panel(LogPanel), "the key that wakes does nothing else"


async def test_keys_for_time_belong_to_no_panel():
    async with stage(flow()) as s:
        used = {key for owner in s.app.live.query(Panel) for key in keys_of(owner)}
        used |= keys_of(s.app.live.query_one(Picture))
        assert not used & {
            "space",
            "right",
            "n",
            "pagedown",
            "left",
            "p",
            "pageup",
            "home",
            "end",
            "g",
            "f",
        }


async def test_every_binding_has_an_id_and_a_tooltip():
    async with stage(flow()) as s:
        for owner in (s.app, s.app.live, *s.app.live.query(Panel)):
            for binding in type(owner).__dict__.get("BINDINGS", []):
                assert binding.id, binding
                assert binding.tooltip, binding


async def test_wide_screens_add_panels_that_follow():
    async with stage(flow(), size=(120, 36)) as s:
        side = s.app.live.query_one("#side-descriptors", Descriptors)
        assert "sh" in str(side.border_title)
        await s.press("2")
        assert "dup of 4" in s.text(side)
        await s.press("d")
        assert s.app.focused is side, "it stands there already"


@pytest.mark.parametrize("size", [(20, 5), (10, 3), (1, 1), (39, 30), (200, 9)])
async def test_a_tiny_terminal_gets_a_sentence(size):
    async with stage(flow(), size=size) as s:
        text = " ".join(s.screen_text().split())
        assert "ipcviz needs a terminal of".startswith(text) or text.startswith("ipcviz needs a")
        await s.pilot.resize_terminal(80, 24)
        await s.frame(1)
        assert "gzip" in s.screen_text()


async def test_markup_in_names_is_only_text():
    async with stage(fakes.fifo()) as s:
        assert "cat '[/foo]' '[pid]'" in s.text(s.panel(LogPanel))
        await s.press("slash", *"[/foo]", "enter")
        assert "[/foo]" in s.screen_text()
        await s.press("d", "3", "K")
        assert "cat" in s.screen_text()


async def test_binary_and_endless_output_stays_small():
    async with stage(flow()) as s:
        await s.press("o")
        for turn in range(20):
            s.session.feed(Output(t=1 + turn / 10, data=bytes(range(256)) * 256))
            await s.frame(0.1)
        assert len(s.panel(OutputRows).rows) < 5000
        assert "\x1b" not in s.screen_text()


async def test_trouble_is_said_and_can_be_copied():
    async with stage(flow()) as s:
        s.session.feed(Trouble(t=2, message="[gone]: the tracer ended.", fatal=True))
        await s.frame(1)
        assert isinstance(s.app.screen, TroubleScreen)
        assert "[gone]: the tracer ended." in s.screen_text()
        await s.press("y")
        assert s.app.clipboard == "[gone]: the tracer ended."
        await s.press("escape")
        assert s.app.screen is s.app.live


async def test_a_session_that_cannot_start_is_said():
    class Broken(fakes.FakeSession):
        def start(self):
            raise SessionError("nosuch was not found: check the name.")

    app = IpcvizApp(Broken(), "nosuch")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, TroubleScreen)
        assert app.trouble == "nosuch was not found: check the name."


async def test_a_burst_is_taken_in_over_frames():
    async with stage(flow()) as s:
        write = fakes.call(1.0, 12, "write", fd=1, obj=fakes.PIPE.key, ret=10)
        s.session.feed(*[write] * 20_000)
        s.clock.now += 0.1
        s.app.run_frame()
        assert s.app.feed.behind > 0
        await s.frame()
        assert s.app.feed.state.objects[fakes.PIPE.key].bytes_in == 65536 + 200_000
        assert "x20,00" in s.text(s.panel(LogPanel))


async def test_what_is_old_is_taken_in_before_the_screen_is_drawn(monkeypatch):
    monkeypatch.setattr("ipcviz.app.app.BREATH", 1e9)
    monkeypatch.setattr("ipcviz.app.app.LONGEST_BREATH", 1e9)
    async with stage(flow()) as s:
        shown = s.app.live.view
        s.clock.now += 5.0
        s.session.feed(fakes.call(2.0, 12, "write", fd=1, obj=fakes.PIPE.key, ret=10))
        s.app.run_frame(catches_up=True)
        assert s.app.feed.lag > 1.0
        assert s.app.live.view is shown, "there may be more, and that comes first"
        s.session.feed(fakes.call(s.app.feed.now, 12, "write", fd=1, obj=fakes.PIPE.key, ret=10))
        s.app.run_frame(catches_up=True)
        assert not s.app.feed.late
        assert s.app.live.view is not shown


async def test_the_screen_says_how_old_it_is():
    async with stage(flow()) as s:
        s.clock.now += 5.0
        s.session.feed(fakes.call(2.0, 12, "write", fd=1, obj=fakes.PIPE.key, ret=10))
        s.app.run_frame()
        assert " s behind" in s.text(s.panel(StatusLine))


@pytest.mark.parametrize("first", ["v", "l"])
async def test_shift_and_arrows_walk_in_the_picture_and_the_panels_keys_go_on_working(first):
    async with stage(flow()) as s:
        await s.press(first)
        focused = s.app.live.focused
        picture = s.app.live.query_one(Picture)
        before = picture.selected
        await s.press("left", "right", "pageup", "pagedown", "home", "end", "h")
        assert picture.selected == before
        await s.press("shift+right")
        assert picture.selected not in ("", before)
        assert s.app.live.focused is focused
        await s.press("v", "d", "v", "l")
        assert s.panel(LogPanel).display
        assert s.app.live.focused is s.panel(LogPanel)


async def test_memory_shows_who_maps_what_pages_and_changed_bytes():
    async with stage(fakes.shared_memory()) as s:
        await s.press("e", "z")
        text = s.text(s.panel(MemoryPanel))
        assert "1,228,800  queue, consumer" in text
        assert "queue private rw- 0x7f0000100000, 1.2M: Rss 8K, Pss 4K, dirty 4K" in text
        assert "Oc.." in text
        assert "then 192 pages that are not there, and 44 more pages, not looked at" in text
        assert "and 44 more pages, not looked at" in text
        assert "7 changed" in text
        assert "queue's private copy: 64 bytes from 4,096" in text
        line = next(row for row in text.splitlines() if row.startswith("    20 "))
        assert line.startswith("    20 [6a]6f 62 20[32]3a 20 5b")
        assert line.endswith("job 2: [/foo] ba")
        assert "\x1f" not in text
        spans = [span for row in s.panel(MemoryPanel).all_rows() for span in row.spans]
        lit = [text for text, style in spans if style == "lit-chip" and text != "*"]
        assert lit == ["04", ".", "1f", ".", "6a", "32", "j", "2"]


async def test_memory_that_nobody_maps_any_more_is_remembered():
    from ipcviz.events import Exited

    gone = [Exited(t=2, pid=31), Exited(t=2.1, pid=32)]
    async with stage(fakes.numbered([*fakes.shared_memory(), *gone])) as s:
        await s.press("e")
        text = s.text(s.panel(MemoryPanel))
        assert "not mapped now" in text
        assert "private copy" not in text
        assert "job 2" in text
    async with stage(flow()) as s:
        await s.press("e")
        assert "No memory that processes share so far." in s.text(s.panel(MemoryPanel))


async def test_what_is_selected_shows_its_inside():
    async with stage(fakes.notified()) as s:
        await s.press("d", "1")
        s.app.live.selection.select(key="anon:5")
        await s.frame()
        text = s.text(s.panel(Descriptors))
        assert "T1 timerfd: 1.5 s left" in text.replace("  ", " ")
        listed = [row for row in text.splitlines() if row.startswith("      lists")]
        assert [" ".join(row.split()) for row in listed] == [
            "lists 4 T1 EPOLLIN, 1.5 s left",
            "lists 5 E1 ready EPOLLIN|EPOLLET, counter 3",
            "lists 9 closed EPOLLOUT",
        ]


async def test_the_selected_process_is_scrolled_to():
    """Once: who scrolls on afterwards stays there."""
    many = [Forked(t=3.0, pid=pid, parent=11, how="fork", name="worker") for pid in range(20, 40)]
    async with stage(fakes.numbered([*fakes.pipeline_start(), *many])) as s:
        await s.press("r")
        panel = s.panel(Proc)
        assert panel.scroll_offset.y == 0
        last = next(p.pid for p in reversed(s.app.live.view.processes) if p.fate == "alive")
        s.app.live.selection.select(pid=last)
        await s.frame()
        rows = (panel.row_at(panel.scroll_offset.y + y) for y in range(panel.size.height))
        assert any(row and row.text.startswith(">") and f" {last}" in row.text for row in rows)
        await s.press("home")
        await s.frame(1.0)
        assert panel.scroll_offset.y == 0


async def test_the_selected_process_has_its_family_and_its_timers():
    async with stage(fakes.notified()) as s:
        await s.press("r", "1")
        rows = [row.strip() for row in s.text(s.panel(Proc)).splitlines()]
        assert any(
            row.startswith("group 11 (leads it), session 11 (leads it), terminal pts/3 (in the")
            for row in rows
        )
        assert "gets the orphans among its descendants (subreaper)" in rows
        assert "in another pid namespace, as process 1 there" in rows
        await s.press("s")
        timers = [
            " ".join(row.split()).lstrip("* ")
            for row in s.text(s.panel(SignalsPanel)).splitlines()
            if "timer" in row
        ]
        assert timers == [
            "timer 0 SIGRTMIN in 1.5 s, then every 3 s; CLOCK_MONOTONIC",
            "timer 1 SIGUSR1 not known; CLOCK_REALTIME; to lpd",
        ]


async def test_directories_that_processes_meet_in():
    async with stage(fakes.notified()) as s:
        await s.press("m")
        rows = [" ".join(row.split()) for row in s.text(s.panel(Semaphores)).splitlines()]
        place = next(row for row in rows if "/s/queue" in row)
        assert "lpr put in j1" in place
        assert "lpd: watch" in place


async def test_the_commands_terminal_changes_its_size_with_ours():
    async with stage(flow()) as s:
        assert not s.session.commands
        await s.pilot.resize_terminal(100, 40)
        await s.pilot.pause()
        assert s.session.commands == [Resize(rows=34, columns=100)]
        await s.pilot.resize_terminal(30, 8)
        await s.pilot.pause()
        assert s.session.commands[1:] == [Resize(rows=10, columns=30)]


async def test_the_picture_has_more_rows_while_there_are_many_processes():
    async with stage(flow()) as s:
        picture = s.app.live.query_one(Picture)
        few = picture.size.height
        born = [Forked(t=1.0, pid=20 + k, parent=11, by=11, name="sleep") for k in range(3)]
        s.session.feed(
            *fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow(), *born])[-3:]
        )
        await s.frame()
        await s.frame()
        many = picture.size.height
        assert many > few + 2
        ended = [
            Exited(t=2.0, pid=20),
            Reaped(t=2.0, pid=20, by=11),
            Exited(t=2.0, pid=21),
            Reaped(t=2.0, pid=21, by=11),
        ]
        s.session.feed(*ended)
        await s.frame()
        await s.frame()
        assert picture.size.height == many, "it jumps with every process"
        s.session.feed(Exited(t=2.0, pid=22), Reaped(t=2.0, pid=22, by=11))
        await s.frame()
        await s.frame()
        assert picture.size.height == many, "a shell's next command makes them many again"
        await s.frame(5.0)
        await s.frame()
        assert picture.size.height == few


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"attached": 0}, "attached 0 (nattch): it stays until it is removed"),
        ({"attached": 0, "removed": True}, "attached 0 (nattch), and removed: it is gone"),
        ({"attached": 2}, "attached 2 (nattch)"),
        ({"attached": 1, "removed": True}, "removed: it goes with the last of them"),
    ],
)
async def test_a_segment_that_no_watched_process_has_attached(facts, said):
    from ipcviz.events import Call, Mapped, MemorySample, ObjectInfo, Sample, Unmapped

    segment = ObjectInfo(key="shm:5", kind="shared memory", path="0x52006076", ino=5)
    events = [
        *(e for e in fakes.mmap_queue() if not isinstance(e, Call)),
        Call(
            t=2.0,
            pid=31,
            tid=31,
            name="shmat",
            effects=(Mapped(start=0x1000, length=4096, object=segment, prot="rw-"),),
        ),
        Call(
            t=2.1,
            pid=31,
            tid=31,
            name="shmdt",
            effects=(Unmapped(start=0x1000, length=4096),),
        ),
        Sample(t=2.2, memory=(MemorySample(object="shm:5", size=1024, data=b"left", **facts),)),
    ]
    async with stage(fakes.numbered(events)) as s:
        await s.press("e")
        assert said in s.text(s.panel(MemoryPanel))
