"""The controllers that the main screen is composed of, each without the others and without a
terminal.
"""

from __future__ import annotations

from collections import Counter

import pytest

from ipcviz.app.feed import Feed
from ipcviz.app.questions import Questions
from ipcviz.app.screens.commands import Commands
from ipcviz.app.screens.controller import ControlledScreen, Controller
from ipcviz.app.screens.live import LiveScreen
from ipcviz.app.screens.modals import SignalScreen
from ipcviz.app.screens.pace import Crowding, Pace
from ipcviz.app.screens.question import QuestionScreen
from ipcviz.app.screens.selection import Selection
from ipcviz.app.screens.stepping import StepControl
from ipcviz.app.screens.timeline import Timeline
from ipcviz.events import HoldAll, Inspect, Let, Peek
from ipcviz.events import Input as TypedInput
from ipcviz.scenario import find_scenario
from tests import fakes, stepped


class FakeStage:
    """A screen for controllers that keeps what they do to it."""

    def __init__(self, session, *, kept=False, scenario=None):
        self.source = Feed(session, fakes.FrozenClock(), scenario)
        self.kept, self.command = kept, "demo"
        self.at, self.view, self.focused = 0, None, None
        self.notes, self.asked, self.timers = [], [], []
        self.source.pump(1.0)
        self.view = self.source.make_view()

    def notify(self, message, **_options):
        self.notes.append(message)

    def ask(self, screen, answered):
        self.asked.append((screen, answered))

    def refresh_bindings(self):
        pass

    def set_timer(self, _delay, callback):
        self.timers.append(callback)

    @property
    def sent(self):
        return self.source.session.commands


def flow(**options):
    events = fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow()])
    return FakeStage(fakes.FakeSession(events), **options)


def timeline(stage):
    stage.steps, stage.places, stage.hints = [], [], []
    return Timeline(
        stage,
        select=lambda view: view,
        step=lambda: stage.steps.append(1),
        show_place=stage.places.append,
        ask_place=stage.hints.append,
    )


def test_time_goes_back_forward_and_to_now():
    stage = flow()
    time = timeline(stage)
    moments = stage.source.past.moments
    assert not time.check_action("now", ())
    time.action_back()
    assert stage.at == moments[len(moments) - 2]
    assert stage.view.past
    assert stage.places[-1].place == len(moments) - 1
    assert time.check_action("now", ())
    time.action_first()
    assert stage.at == moments[0]
    time.action_back()
    assert stage.notes == ["This is the first moment"]
    time.action_next()
    assert stage.at == moments[1]
    time.action_now()
    assert (stage.at, stage.view.past) == (0, False)
    time.action_next()
    assert stage.steps == [1], "in the present the next step is somebody else's"


@pytest.mark.parametrize(
    ("text", "place", "note"),
    [("2", 2, ""), ("0.0s", 1, ""), ("x", 0, "A moment is a number"), ("", 0, "")],
)
def test_time_goes_where_was_typed(text, place, note):
    stage = flow()
    time = timeline(stage)
    time.action_goto()
    assert "a moment from 1 to" in stage.hints[0]
    time.go_to_text(text)
    moments = stage.source.past.moments
    assert stage.at == (moments[place - 1] if place else 0)
    assert [one[: len(note)] for one in stage.notes] == ([note] if note else [])


def test_the_present_is_not_shown_over_the_past():
    stage = flow()
    time = timeline(stage)
    time.action_first()
    shown = stage.view
    time.update()
    time.show_present(stage.source.make_view())
    assert stage.view is shown


def selection(stage, scheduling=False):
    stage.advanced = []
    return Selection(
        stage, is_scheduling=lambda: scheduling, advance=lambda pid: stage.advanced.append(pid)
    )


def test_a_selection_is_added_to_a_view():
    stage = flow()
    chosen = selection(stage)
    view = chosen.apply(stage.view)
    assert view.pid == view.state.root
    assert view.object == fakes.PIPE.key, "the first buffer that is in use"
    chosen.action_slot(2)
    assert stage.view.slots[stage.view.pid] == 2
    first = stage.view.pid
    chosen.action_process(1)
    assert stage.view.pid != first
    chosen.action_process(-1)
    assert stage.view.pid == first
    chosen.action_slot(9)
    assert stage.notes == ["No process has the digit 9"]
    chosen.select(key="gone")
    assert stage.view.object == fakes.PIPE.key, "what is there no more is not selected"


def test_a_digit_lets_a_process_go_where_all_are_held():
    stage = flow()
    before = stage.view
    selection(stage, scheduling=True).action_slot(1)
    assert stage.advanced == [next(pid for pid, slot in before.slots.items() if slot == 1)]
    assert stage.view is before


def control(stage, questions=None):
    stage.forward, stage.shown, stage.selected = [], [], []
    return StepControl(
        stage,
        questions=questions or Questions(),
        select=stage.selected.append,
        go_forward=lambda: stage.forward.append(1),
        refresh=lambda: stage.shown.append(1),
    )


def test_a_live_run_is_held_first():
    stage = flow()
    steps = control(stage)
    steps.step_next()
    assert stage.notes[0].startswith("Everything runs")
    assert steps.check_action("hold", ())
    assert not steps.check_action("run_on", ())
    steps.action_hold_or_next()
    assert stage.sent == [HoldAll()]


def test_the_past_and_a_trace_are_not_held():
    for stage in (flow(), flow(kept=True)):
        stage.at = 0 if stage.kept else 5
        steps = control(stage)
        steps.action_hold()
        steps.action_run_on()
        assert len(stage.notes) == 2
        assert not stage.sent
        assert not steps.check_action("hold", ())
    stage = flow()
    stage.at = 5
    control(stage).action_hold_or_next()
    assert stage.forward == [1]


def test_one_is_let_go_at_a_time():
    stage = FakeStage(stepped.pair())
    steps = control(stage)
    assert steps.is_scheduling
    pid = next(iter(stage.view.state.processes))
    steps.advance_process(pid)
    assert stage.selected == [pid]
    assert [type(command) for command in stage.sent] == [Let]
    assert stage.shown == [1]


def test_the_question_comes_before_the_step():
    scenario = find_scenario("sleep-race")
    asked = scenario.questions[0]

    class AlwaysAsks(Questions):
        def find_question(self, story, state, tid):
            return asked

    stage = FakeStage(stepped.pair())
    questions = AlwaysAsks()
    control(stage, questions).step_next()
    (screen, answered) = stage.asked[0]
    assert isinstance(screen, QuestionScreen)
    assert not stage.sent, "nothing is let go before somebody has guessed, or has not"
    answered(None)
    assert [type(command) for command in stage.sent] == [Let]


def test_what_is_looked_at_is_asked_for_and_nothing_else():
    stage = flow()
    commands = Commands(stage, open_typing=lambda: None)
    view = stage.view.select(12, fakes.PIPE.key)
    commands.request_details(view, contents=False, facts=False, lines=False)
    assert not stage.sent
    commands.request_details(view, contents=True, facts=True, lines=False)
    commands.request_details(view, contents=True, facts=True, lines=False)
    assert stage.sent == [Peek(object=fakes.PIPE.key), Inspect(pid=12)]
    commands.request_details(view, contents=False, facts=True, lines=False)
    assert stage.sent[2:] == [Peek(object="")]
    commands.request_details(view, contents=False, facts=False, lines=True)
    assert stage.sent[3:] == [Inspect(pid=12, lines=True)]
    commands.send_input(b"x")
    assert stage.sent[4:] == [TypedInput(data=b"x")]


def test_a_signal_is_chosen_for_what_lives():
    stage = flow()
    commands = Commands(stage, open_typing=lambda: None)
    commands.action_signal()
    assert stage.notes == ["The selected process has ended: select one that lives"]
    stage.view = stage.view.select(stage.view.state.root, "")
    commands.action_signal()
    (screen, answered) = stage.asked[0]
    assert isinstance(screen, SignalScreen)
    answered(15)
    assert stage.sent[-1].signo == 15
    assert not Commands(flow(kept=True), open_typing=lambda: None).check_action("signal", ())


def test_a_dear_picture_rests():
    pace = Pace()
    pace.add_cost(1.0, 1.01)
    assert pace.may_draw(1.01, must=False), "cheap"
    pace.add_cost(2.0, 2.1)
    assert not pace.may_draw(2.2, must=False)
    assert pace.may_draw(2.2, must=True)
    assert pace.may_draw(2.5, must=False)
    pace.patient = True
    assert pace.may_draw(2.2, must=False)


def test_a_crowd_has_more_room_for_a_while():
    crowding = Crowding()
    assert not crowding.update(4, 0.0, past=False)
    assert crowding.update(5, 1.0, past=False)
    assert crowding.update(4, 9.0, past=False)
    assert crowding.update(3, 4.0, past=False), "not so soon"
    assert not crowding.update(3, 5.0, past=False)
    assert crowding.update(5, 6.0, past=True)
    assert not crowding.update(3, 6.0, past=True)


def verdict_on(choice, *, reached=(), skipped=()):
    scenario = find_scenario("sleep-race")
    question = scenario.questions[0]
    place = [step.id for step in scenario.story].index(question.ids[0])
    questions = Questions()
    questions.add_guess(question, choice)

    class Progress:
        pass

    Progress.reached = [place] if reached else []
    Progress.skipped = []
    questions.reveal_answer(scenario, Progress)
    return question, questions.verdict


def test_a_guess_is_judged_once_the_answer_was_seen():
    question, verdict = verdict_on(None)
    assert verdict == ""
    right = question.choices.index(question.answer)
    assert verdict_on(right, reached=(1,))[1].startswith(f"Right, {question.answer}")
    assert verdict_on((right + 1) % 2, reached=(1,))[1].startswith("Not ")
    assert verdict_on(None, reached=(1,))[1].startswith("The answer was: ")


def test_every_key_of_the_screen_has_an_owner():
    actions = Counter(action for kind in LiveScreen.CONTROLLERS for action in kind.find_actions())
    assert max(actions.values()) == 1
    ids = []
    for kind in LiveScreen.CONTROLLERS:
        for binding in kind.BINDINGS:
            assert hasattr(kind, f"action_{binding.action.partition('(')[0]}"), binding
            assert binding.id
            assert binding.tooltip
            ids.append(binding.id)
    assert len(ids) == len(set(ids))
    assert {
        kind.__name__ for kind in LiveScreen.__mro__ if kind.__module__.startswith("ipcviz")
    } == {
        "LiveScreen",
        "ControlledScreen",
        "PanelScreen",
    }


def test_two_controllers_may_not_have_one_action():
    class One(Controller):
        def action_go(self):
            pass

    class Other(Controller):
        def action_go(self):
            pass

    with pytest.raises(TypeError, match="two actions 'go'"):
        type("Screen", (ControlledScreen,), {"CONTROLLERS": (One, Other)})
    screen = type("Screen", (ControlledScreen,), {"CONTROLLERS": (One,)})()
    with pytest.raises(TypeError, match="not given: One"):
        screen.set_controllers()
