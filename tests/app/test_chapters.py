"""Which moments of a run a cast stops at."""

from __future__ import annotations

import msgspec
import pytest

from ipcviz.app.casting import MOST_SECONDS, Wanted, make_cast, plan_seconds
from ipcviz.app.chapters import CastChapter, CastStep, choose_lesson, list_steps
from ipcviz.cli.recording_all import list_lessons
from ipcviz.export import read_cast
from ipcviz.scenario import find_scenario, load_all
from ipcviz.scenario.plans import find_cast
from tests import fakes

SCENARIO = find_scenario("sleep-race")
IDS = [step.id for step in SCENARIO.story]
ALARM, LOST = IDS.index("alarm"), IDS.index("lost")


def steps_with(*, count=40, told=None, asks=None, turns=(), repeats=()):
    told, asks = told or {}, asks or {}
    return [
        CastStep(
            n=at * 10,
            repeats=at in repeats,
            turns=at in turns,
            told=told.get(at, ()),
            asks=asks.get(at, -1),
        )
        for at in range(count)
    ]


def test_parts_questions_answers_and_what_leads_there():
    steps = steps_with(told={10: ((100, ALARM),), 20: ((200, LOST),)}, asks={19: 0}, turns={15, 16})
    found = choose_lesson(steps, SCENARIO)
    assert [chapter for chapter in found if chapter.place >= 0] == [
        CastChapter(100, "story", ALARM),
        CastChapter(190, "question", 0),
        CastChapter(200, "story", LOST),
        CastChapter(200, "answer", 0),
    ]
    rest = [chapter.n for chapter in found if chapter.place < 0]
    assert rest == [80, 90, 150, 160, 180, 190, 370, 380, 390]


def test_turns_go_before_what_leads_there_and_parts_are_never_left_out():
    steps = steps_with(told={10: ((100, ALARM),), 20: ((200, LOST),)}, asks={19: 0}, turns={15})
    numbers = [chapter.n for chapter in choose_lesson(steps, SCENARIO, most=6)]
    assert numbers == [100, 150, 190, 200, 200, 390]
    assert [c.n for c in choose_lesson(steps, SCENARIO, most=1)] == [100, 190, 200, 200, 390]


def test_preparations_lead_nowhere():
    """What is told of them is shown; the operations around it are no part of the lesson."""
    steps = steps_with(told={10: ((100, ALARM),), 20: ((200, LOST),)}, count=21)
    steps = [
        msgspec.structs.replace(step, prepares=at < 19 and at != 10)
        for at, step in enumerate(steps)
    ]
    assert [chapter.n for chapter in choose_lesson(steps, SCENARIO)] == [100, 190, 200]


def test_what_is_made_before_the_first_step_is_preparation():
    stepped = list_steps(fakes.stepped())
    assert not stepped[-1].prepares
    assert not any(step.prepares for step in list_steps(fakes.pipeline()))


def test_a_turn_that_says_what_was_said_is_no_turn():
    told = {10: ((100, ALARM),), 30: ((300, LOST),)}
    steps = steps_with(told=told, turns={5, 15, 25}, repeats={15})
    assert [c.n for c in choose_lesson(steps, SCENARIO, most=4)] == [100, 250, 300, 390]


def test_turns_behind_the_last_part_are_no_part_of_the_lesson():
    told = {10: ((100, ALARM),), 20: ((200, LOST),)}
    steps = steps_with(told=told, turns={15, 25, 26, 27})
    chapters = [c.n for c in choose_lesson(steps, SCENARIO, most=60)]
    assert 150 in chapters
    assert not {250, 260, 270} & set(chapters)
    assert chapters[-1] == 390


def test_two_parts_in_one_step_have_a_chapter_each():
    steps = steps_with(told={10: ((93, ALARM), (97, LOST))}, count=11)
    found = [c for c in choose_lesson(steps, SCENARIO) if c.kind == "story"]
    assert found == [CastChapter(93, "story", ALARM), CastChapter(100, "story", LOST)]


def test_a_run_that_reached_no_part_has_no_lesson():
    assert choose_lesson(steps_with(turns={3}), SCENARIO) == ()


def test_what_has_more_to_read_is_shown_longer_but_not_for_ever():
    chapters = [CastChapter(1), CastChapter(1, "question", 0), CastChapter(2, "story", LOST)]
    short, asked, told = plan_seconds(chapters, SCENARIO, 2.0)
    assert short == 2.0
    assert asked > told > short
    assert plan_seconds(chapters, SCENARIO, 4.0) == pytest.approx(
        [2 * short, 2 * asked, 2 * told], abs=0.02
    )
    many = plan_seconds(chapters * 100, SCENARIO, 2.0)
    before = 2.0  # the picture before the first chapter
    assert MOST_SECONDS - 4 < before + sum(many) <= MOST_SECONDS


def test_a_lesson_shows_the_question_and_then_its_answer(tmp_path):
    path = tmp_path / "x.cast"
    events = fakes.sleep_race()
    with path.open("wb") as file:
        made = make_cast(lambda: iter(events), file, Wanted(), title="t", scenario=SCENARIO)
    cast = read_cast(path)
    labels = [event.data for event in cast.events if event.code == "m"]
    assert made.chapters == len(labels)
    assert cast.duration == pytest.approx(made.seconds + 2.0, abs=0.1)
    told = [i for i, step in enumerate(SCENARIO.story) if any(step.text in at for at in labels)]
    assert len(told) == 3
    asked = [i for i, label in enumerate(labels) if label.startswith("Question: ")]
    answered = [i for i, label in enumerate(labels) if label.startswith("Answer: pause waits")]
    assert len(asked) == len(answered) == 1
    assert asked[0] < answered[0]


def test_every_step_is_there_for_the_asking():
    steps = list_steps(fakes.sleep_race(), SCENARIO)
    assert [place for step in steps for _, place in step.told]


def test_a_cast_follows_the_schedule_that_shows_the_moment():
    scenario = find_scenario("sleep-race")
    assert find_cast(scenario) == find_cast(scenario, "c") == "lost"
    assert find_cast(scenario, "c-sigsuspend") == "", "the schedule is not for this variant"
    assert find_cast(find_scenario("pipe-fork")) == ""


def test_the_whole_catalogue_is_a_cast_for_each_schedule():
    lessons = list(list_lessons(load_all()))
    names = [lesson.name for lesson in lessons]
    assert len(set(names)) == len(names)
    assert {"sleep-race", "sleep-race-mended", "sem-counter-one-by-one"} <= set(names)
    assert "sleep-race-lost" not in names, "that is what the scenario's own cast shows"
    assert not any(name.endswith("-begin") for name in names)
    words = {lesson.name: lesson.words for lesson in lessons}
    assert words["sleep-race-mended"] == ("sleep-race", "--schedule", "mended")
