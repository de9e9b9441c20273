"""A class raises its hands, and the questions with their guesses are in one place."""

from __future__ import annotations

from msgspec.structs import replace

from ipcviz.app.notes.host import NotesHost
from ipcviz.app.questions import Questions, Tally
from ipcviz.app.screens.question import QuestionScreen, QuestionsScreen
from ipcviz.events import Poised
from ipcviz.model.state import State, Thread
from ipcviz.scenario import Progress, Question, Step, Story, When, find_scenario
from tests import stepped
from tests.app.test_stepping import lets, stage, steps, strip


def test_hands_are_counted_and_the_last_one_taken_back():
    tally = Tally(3)
    assert tally.counts == ()
    for choice in (1, 1, 2, 0):
        tally.add_hand(choice)
    tally.remove_last()
    assert tally.counts == (0, 2, 1)
    for _ in range(5):
        tally.remove_last()
    assert tally.counts == ()


def test_each_question_is_judged_though_another_one_came_between():
    scenario = find_scenario("shell-pipeline")
    ids = [step.id for step in scenario.story]
    questions = Questions()
    for question in scenario.questions[:2]:
        questions.begin_asking(question)
        questions.add_guess(question, 0)
    second = ids.index(scenario.questions[1].ids[0])
    questions.reveal_answer(scenario, Progress(reached=(second,)))
    assert [bool(guess.verdict) for guess in questions.guesses] == [False, True]
    first = ids.index(scenario.questions[0].ids[0])
    questions.reveal_answer(scenario, Progress(reached=(second, first)))
    assert all(guess.verdict for guess in questions.guesses)


def test_a_question_that_waits_for_its_answer_keeps_no_other_from_being_asked():
    scenario = find_scenario("sleep-race")
    story = (
        Step(id="one", text="a", when=When(call="read")),
        Step(id="two", text="b", when=When(call="pause"), after=("none",)),
    )
    story = (Step(id="none", text="c", when=When(call="alarm")), *story)
    asked = [
        Question(before=name, text="?", choices=("a", "b"), answer="a") for name in ("one", "two")
    ]
    told = Story(replace(scenario, story=story, questions=tuple(asked)))
    told.progress = Progress(reached=(0,))
    state = State()
    for call in ("read", "pause"):
        poised = Poised(t=1, pid=5, tid=5, at="entry", call=call)
        state = replace(state, threads=state.threads.set(5, Thread(5, 5, poised=poised)))
        questions = Questions()
        if call == "pause":
            questions.add_guess(asked[0], 0)
        found = questions.find_question(told, state, 5)
        assert found is not None
        assert found.ids == (("one",) if call == "read" else ("two",))


async def test_a_show_of_hands_takes_many_digits_and_then_reveals():
    scenario = find_scenario("sleep-race")
    async with stage(stepped.sleeper(), scenario=scenario) as s:
        host = NotesHost(s.app)
        await steps(s, "n", "n")
        assert isinstance(s.app.screen, QuestionScreen)
        await steps(s, "Q", "1", "2", "2", "2", "3", "backspace")
        assert isinstance(s.app.screen, QuestionScreen)
        assert lets(s) == [70]
        page = host.make_page()
        assert page.question.counts == (1, 3, 0)
        assert page.question.open
        shown = s.screen_text()
        assert "pause waits for another signal" in shown
        assert "███ 3" in shown
        await steps(s, "n")
        assert lets(s) == [70, 70]
        assert "as 3 of 4 hands said" in strip(s)
        assert host.make_page().question is None or not host.make_page().question.open

        await steps(s, "Q")
        assert isinstance(s.app.screen, QuestionsScreen)
        told = str(s.app.screen.query_one("#told").render())
        assert "1 of 2 questions were asked" in told
        assert "hands of a class are counted" in told
        assert "███ 3  pause waits for another signal" in told
        await steps(s, "h")
        assert "one guess" in str(s.app.screen.query_one("#told").render())
        await steps(s, "escape")
        assert s.app.screen is s.app.live


async def test_without_a_scenario_it_is_said_that_there_are_no_questions():
    async with stage(stepped.pair()) as s:
        await steps(s, "Q")
        assert s.app.screen is s.app.live
