"""Step mode on the screen: keys and clicks let one go, what is about to happen is shown, live runs
are held.
"""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from ipcviz.app.app import IpcvizApp
from ipcviz.app.bars import ProcessBar, StatusLine
from ipcviz.app.picture import Picture
from ipcviz.app.screens.question import QuestionScreen
from ipcviz.app.screens.running import RunScreen, SlowScreen
from ipcviz.app.screens.save import SaveScreen
from ipcviz.app.strip import StepStrip
from ipcviz.events import Breakpoint, HoldAll, Let, RunUntil, SendSignal
from ipcviz.model.steps.schedule import parse_schedule
from ipcviz.scenario import find_scenario
from tests import fakes, stepped
from tests.app.test_live import Stage


@asynccontextmanager
async def stage(session, order=None, size=(80, 24), scenario=None):
    clock = fakes.FrozenClock()
    app = IpcvizApp(session, "demo pair", clock=clock, order=order, scenario=scenario)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app._timer.pause()
        found = Stage(app, pilot, session, clock)
        await found.frame()
        await found.frame()
        yield found


def lets(s):
    return [c.tid for c in s.session.commands if isinstance(c, Let)]


async def steps(s, *keys):
    for key in keys:
        await s.press(key)
        await s.frame(0.1)


def strip(s):
    return s.text(s.panel(StepStrip))


async def test_what_is_about_to_happen_is_shown_before_it_does():
    async with stage(stepped.pair()) as s:
        words = " ".join(strip(s).splitlines()[2].split())
        assert words == "next writer is about to make a pipe n"
        assert "step mode" in s.text(s.panel(StatusLine))
        assert "n lets the next one go on" in strip(s)
        assert "1 writer" in s.screen_text(), "its digit is in the box"
        await steps(s, "n")
        assert "step 1" in strip(s)
        assert "made the pipe P1" in strip(s)
        assert "to fork" in strip(s)
        assert "to fork" in s.screen_text()
        assert "step" not in s.text(s.panel(ProcessBar))


async def test_all_take_turns_with_every_key_for_next():
    async with stage(stepped.pair()) as s:
        await steps(s, "n", "space", "right", "pagedown")
        assert lets(s) == [60, 60, 61, 60]
        assert "writer wrote 3 bytes to P1" in strip(s)


async def test_a_digit_lets_that_one_go_and_brackets_only_select():
    async with stage(stepped.pair()) as s:
        await steps(s, "n", "n", "2", "2")
        assert lets(s) == [60, 60, 61, 61]
        rows = strip(s).splitlines()
        assert "reader is blocked in read(3) on P1: it is empty" in rows[0]
        assert "read(3) P1" in s.screen_text()
        await steps(s, "2")
        assert lets(s) == [60, 60, 61, 61], "one that is blocked can't be let go"
        await steps(s, "left_square_bracket")
        assert s.app.live.view.pid == 60
        await steps(s, "1")
        assert "reader was woken" in strip(s)
        assert strip(s).splitlines()[2].split()[-3:] == ["or", "1", "2"]


async def test_a_click_on_the_strip_or_the_bar_lets_one_go_and_in_the_picture_it_selects():
    async with stage(stepped.pair(), size=(80, 30)) as s:
        await steps(s, "n", "n")
        rows = strip(s).splitlines()
        assert rows[2].endswith(" n, or 1 2 ")
        await s.pilot.click(StepStrip, offset=(rows[2].rindex("1"), 2))
        await s.frame(0.1)
        assert lets(s)[-1] == 60
        await s.pilot.click(StepStrip, offset=(20, 2))
        await s.frame(0.1)
        assert lets(s)[-1] == 61, "a click on who is next lets that one go"
        x = s.text(s.panel(ProcessBar)).index("writer")
        await s.pilot.click(ProcessBar, offset=(x, 0))
        await s.frame(0.1)
        assert lets(s)[-1] == 60
        picture = s.app.live.query_one(Picture)
        node = next(n for n in picture.scene.nodes if n.select == ("process", 61))
        rect = picture._layout_now.rects[node.id]
        count = len(lets(s))
        await s.pilot.click(Picture, offset=(rect.x + 2, rect.y + 1))
        await s.frame(0.1)
        assert s.app.live.view.pid == 61
        assert len(lets(s)) == count


async def test_the_picture_marks_who_is_held():
    async with stage(stepped.pair()) as s:
        await steps(s, "n", "n", "2", "2")
        node = next(
            n for n in s.app.live.query_one(Picture).scene.nodes if n.select == ("process", 60)
        )
        assert (node.letter, node.chip) == ("H", "held")
        assert "> write P1" in s.screen_text()


async def test_a_live_run_is_held_by_space_and_goes_on_by_c():
    session = stepped.SteppedSession(stepped.pair().programs, {60: "writer"}, held=False)
    async with stage(session) as s:
        assert not s.panel(StepStrip).display
        await steps(s, "n")
        assert not s.session.commands or not isinstance(s.session.commands[-1], Let | HoldAll)
        await steps(s, "space")
        assert isinstance(s.session.commands[-1], HoldAll)
        assert s.panel(StepStrip).display
        await steps(s, "c")
        assert isinstance(s.app.screen, RunScreen)
        await steps(s, "enter")
        assert s.session.commands[-1] == RunUntil()
        assert not s.panel(StepStrip).display


async def test_a_breakpoint_is_chosen_by_its_words():
    async with stage(stepped.pair()) as s:
        await steps(s, "n", "n", "c")
        words = [text for text, _ in s.app.screen.choices]
        assert "P1 is full" in words
        assert "writer ends" in words
        for _ in range(words.index("P1 is full") + 1):
            await s.press("down")
        await s.press("space", "down", "down", "space", "enter")
        await s.frame(0.1)
        key = fakes.PIPE.key
        until = (Breakpoint(object=key, condition="full"), Breakpoint(object=key, condition="end"))
        assert s.session.commands[-1] == RunUntil(until=until)
        assert s.app.feed.steps.recorder.lines[-1] == "run until on=P1 is=full or on=P1 is=end"


async def test_slow_motion_takes_steps_by_itself_until_it_is_ended():
    async with stage(stepped.pair()) as s:
        await steps(s, "S")
        assert isinstance(s.app.screen, SlowScreen)
        await steps(s, "enter")
        count = len(lets(s))
        await s.frame(1.1)
        await s.frame(1.1)
        assert len(lets(s)) == count + 2
        assert "slow motion" in strip(s)
        await steps(s, "S")
        await s.frame(5)
        assert len(lets(s)) == count + 2


async def test_a_schedule_says_who_is_next_and_where_it_was_departed_from():
    order = (parse_schedule("1 to write\n1.1 until blocked\n1 write\nturns"), "it blocks")
    async with stage(stepped.pair(), order) as s:
        assert "by the schedule: it blocks, line 1 of 4" in strip(s)
        await steps(s, "n", "n", "n", "n")
        assert lets(s) == [60, 60, 61, 61]
        assert "line 3 of 4" in strip(s)
    async with stage(stepped.pair(), order) as s:
        await steps(s, "n", "n", "n")
        await s.press("1")
        await s.frame(0.1)
        assert lets(s)[-1] == 60
        assert "all take turns" in strip(s)
    async with stage(stepped.pair(), (parse_schedule("1 pipe2\n1 write"), "wrong")) as s:
        await steps(s, "n", "n")
        assert lets(s) == [60]
        assert "Line 2 wants 1 to write, but it stands before fork: all take turns." in strip(s)
        await steps(s, "n")
        assert lets(s) == [60, 60]


LESSON = "n follows the lesson's order; a digit or a click leaves it, and all take turns"


def lesson(text):
    """A lesson's own order, which nobody has asked for."""
    return parse_schedule(text), ""


async def test_the_next_step_of_a_lesson_is_that_of_its_order_and_this_is_said_once():
    async with stage(stepped.pair(), lesson("1 to write\n1.1 until blocked\n1 write\nturns")) as s:
        assert LESSON in strip(s)
        await steps(s, "n", "n", "n")
        assert lets(s) == [60, 60, 61]
        assert "n follows the lesson's order" in strip(s)
        assert s.app.feed.steps.schedule_line(s.app.feed.state)[:2] == (2, 4)
        assert LESSON not in strip(s)
        await steps(s, "n", "n")
        assert lets(s)[3:] == [61, 60], "in turns the writer would have written first"


async def test_a_digit_leaves_a_lessons_order_and_that_is_said_once():
    async with stage(stepped.pair(), lesson("1 to write\n1.1 until blocked\n1 write\nturns")) as s:
        await steps(s, "n", "n", "1")
        assert lets(s) == [60, 60, 60]
        assert "The lesson's order was left by hand: all take turns." in strip(s)
        await steps(s, "2")
        assert "left by hand" not in strip(s)
        assert "n lets the next one go on" in strip(s)


async def test_a_digit_does_not_leave_an_order_in_which_all_take_turns():
    async with stage(stepped.pair(), lesson("1 to fork\nturns")) as s:
        await steps(s, "n", "1", "2", "2")
        assert lets(s) == [60, 60, 61, 61]
        assert "left by hand" not in strip(s)
        assert "n lets the next one go on" in strip(s)
        await steps(s, "n")
        assert lets(s)[-1] == 60


async def test_where_a_lessons_order_is_not_possible_all_take_turns_and_that_is_said_once():
    async with stage(stepped.pair(), lesson("1 pipe2\n1 write")) as s:
        await steps(s, "n", "n")
        assert lets(s) == [60]
        words = "This run went another way than the lesson's order: all take turns."
        assert words in strip(s)
        await steps(s, "n")
        assert lets(s) == [60, 60]
        assert words not in strip(s)


async def test_a_lesson_that_waits_for_who_sleeps_is_left_by_the_second_key():
    text = "1 to write\n1.1 until blocked\n1.1 exit_group"
    async with stage(stepped.pair(), lesson(text)) as s:
        await steps(s, "n", "n", "n", "n", "n")
        made = lets(s)
        assert "The lesson's order waits for one who sleeps: n again leaves it." in strip(s)
        assert "waits for 1.1 to exit_group" in strip(s)
        await steps(s, "n")
        assert lets(s) == made
        assert "The lesson's order waited in vain: all take turns." in strip(s)
        await steps(s, "n")
        assert lets(s) == [*made, 60]
    async with stage(stepped.pair(), (parse_schedule(text), "asked for")) as s:
        await steps(s, *"nnnnnnn")
        assert lets(s) == made, "who asks for a schedule has it, and no other"


async def test_a_lesson_waits_for_time_however_often_one_asks():
    order = lesson("1 alarm\nuntil SIGALRM pending on 1\n1 pause")
    session = stepped.sleeper()
    async with stage(session, order) as s:
        await steps(s, "n", "n", "n", "n")
        assert lets(s) == [70]
        assert "The lesson's order waits for SIGALRM to be pending on 1." in strip(s)
        session.arrive(70, 14)
        await s.frame(0.1)
        await steps(s, "n")
        assert lets(s) == [70, 70]


async def test_who_lets_all_run_has_left_a_lessons_order():
    async with stage(stepped.pair(), lesson("1 to write\n1.1 until blocked\nturns")) as s:
        await steps(s, "n", "c", "c")
        assert isinstance(s.session.commands[-1], RunUntil)
        assert not s.app.feed.steps.following


async def test_who_is_named_next_at_the_end_of_a_schedule_goes_on_at_the_next_key():
    async with stage(stepped.pair(), (parse_schedule("1 to write"), "short")) as s:
        while "line 1 of 1" in strip(s):
            await steps(s, "n")
        assert "the schedule is done: all take turns" in strip(s)
        before = lets(s)
        await steps(s, "n")
        assert len(lets(s)) == len(before) + 1
        assert "The schedule is done: all take turns." in strip(s)


async def test_slow_motion_rests_at_the_end_of_a_schedule():
    async with stage(stepped.pair(), (parse_schedule("1 to write"), "short")) as s:
        await steps(s, "S", "enter")
        for _ in range(4):
            await s.frame(1.1)
        assert "The schedule is done: all take turns." in strip(s)
        count = len(lets(s))
        await s.frame(5)
        assert len(lets(s)) == count


async def test_keys_pressed_faster_than_steps_settle_are_kept():
    async with stage(stepped.pair()) as s:
        await s.press("n", "n", "n")
        assert lets(s) == [60]
        for _ in range(4):
            await s.frame(0.1)
        assert lets(s) == [60, 60, 61]


async def test_time_that_passes_is_shown_as_what_it_makes_pending():
    async with stage(stepped.sleeper()) as s:
        await steps(s, "n")
        s.session.arrive(70, 14)
        await s.frame(1)
        assert "pending  SIGALRM" in s.screen_text()
        assert "sleeper is about to take SIGALRM, which is pending; then to wait" in strip(s)
        await steps(s, "n")
        assert "to run its handler for SIGALRM" in strip(s)


async def test_a_signal_from_the_screen_is_a_step_of_the_schedule(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with stage(stepped.sleeper()) as s:
        await steps(s, "W")
        assert not isinstance(s.app.screen, SaveScreen), "nothing was made yet"
        await steps(s, "n", "K", "down", "enter", "n")
        assert SendSignal(pid=70, signo=15) in s.session.commands
        await steps(s, "W")
        assert isinstance(s.app.screen, SaveScreen)
        await steps(s, "enter")
        text = (tmp_path / "demo.schedule").read_text()
        assert text.splitlines()[2:] == [
            "1 alarm",
            "signal SIGTERM to 1",
            "until SIGTERM pending on 1",
            "1 pause",
        ]
        parse_schedule(text)


async def test_many_that_are_held_take_no_more_rows():
    many = {80: [stepped.Op("fork", becomes=f"forks {81 + i}") for i in range(9)]}
    many |= {81 + i: [stepped.Op("pause", becomes="blocks")] for i in range(9)}
    async with stage(stepped.SteppedSession(many, {80: "parent"})) as s:
        for _ in range(9):
            await steps(s, "1")
        assert len(strip(s).splitlines()) == 3
        assert strip(s).splitlines()[-1].endswith("n, or 2 3 4 5 6 7 8 9 ")


async def test_a_question_comes_before_the_step_that_answers_it():
    async with stage(stepped.sleeper(), scenario=find_scenario("sleep-race")) as s:
        await steps(s, "n")
        assert lets(s) == [70], "nothing is asked before all that leads to it was told"
        await steps(s, "n")
        assert isinstance(s.app.screen, QuestionScreen)
        assert lets(s) == [70], "first the guess, then the step"
        assert "wait for a signal (pause)" in s.screen_text(), (
            "what is about to happen can still be seen"
        )
        await steps(s, "2")
        assert s.app.screen is s.app.live
        assert lets(s) == [70, 70]
        assert "Right, pause waits for another signal" in strip(s)


@pytest.mark.parametrize("key", ["escape", "pagedown"])
async def test_a_question_is_skipped_with_one_key_and_not_asked_again(key):
    async with stage(stepped.sleeper(), scenario=find_scenario("sleep-race")) as s:
        await steps(s, "n", "1", key)
        assert s.app.screen is s.app.live
        assert lets(s) == [70, 70]
        assert "The answer was: pause waits for another signal" in strip(s)


async def test_no_question_stops_slow_motion():
    async with stage(stepped.sleeper(), scenario=find_scenario("sleep-race")) as s:
        await steps(s, "S", "enter")
        for _ in range(3):
            await s.frame(1.1)
        assert s.app.screen is s.app.live
        assert lets(s) == [70, 70]


async def test_data_is_escaped_once_and_never_markup():
    op = stepped.Op("write", data=b"[/foo]\n\x1b[31m\\", args={"fd": 9, "count": 13})
    async with stage(stepped.SteppedSession({90: [op]}, {90: "[b]"})) as s:
        assert r'to write 13 bytes to descriptor 9: "[/foo]\n\x1b[31m\\"' in s.screen_text()
        assert "[b]" in strip(s)


async def test_the_past_of_steps_says_what_became_and_who_went_next_and_forward_leads_on():
    async with stage(stepped.pair()) as s:
        await steps(s, "n", "n", "2", "2")
        now = strip(s)
        await steps(s, "left", "left")
        rows = strip(s).splitlines()
        assert "step 2" in rows[0]
        assert "writer forked reader" in rows[0]
        assert rows[2].startswith(" next  reader is about")
        await steps(s, "2")
        assert lets(s) == [60, 60, 61, 61], "in the past nobody is let go"
        await steps(s, "right", "n")
        assert strip(s) == now
        await steps(s, "n")
        assert lets(s) == [60, 60, 61, 61, 60]


async def test_the_last_step_stays_on_the_screen():
    async with stage(stepped.sleeper()) as s:
        s.session.programs[70][1:2] = []
        await steps(s, "n", "n")
        assert s.app.feed.state.finished
        assert "sleeper exited with status 0" in s.screen_text()
        assert strip(s).splitlines()[0].startswith(" step 2 ")


async def test_how_many_lines_a_step_is_told_in_does_not_move_the_picture():
    async with stage(stepped.pair()) as s:
        picture, seen = s.app.live.query_one(Picture), set()
        for keys in (("n",), ("n",), ("2",), ("2",)):
            await steps(s, *keys)
            s.app.live.query_one(StepStrip).styles.height = 4 + len(seen) % 2
            await s.frame()
            seen.add((picture.size.height, keys))
        assert len({height for height, _ in seen}) == 1
        assert {height for height, _ in seen} == {9}


async def test_a_standstill_is_told_with_why_and_the_keys_that_are_of_use():
    session = stepped.SteppedSession({70: [stepped.Op("pause", becomes="blocks")]}, {70: "sleeper"})
    order = (parse_schedule("1 until blocked"), "asleep")
    async with stage(session, order) as s:
        await steps(s, "n", "n", "n", "n")
        rows = " ".join(strip(s).split())
        assert "next nobody can go on: sleeper waits for a signal (pause)" in rows
        assert "no timer is armed, and nobody is left to send one" in rows
        assert "K sends a signal, left goes back" in rows
        assert "all take turns" not in s.screen_text()
