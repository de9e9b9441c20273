"""What a story tells is so at the moment at which it is told, in whatever order the processes are
let go.
"""

from __future__ import annotations

import random

import pytest

from ipcviz.cli.driver import Driver
from ipcviz.events import Let, SignalDelivered
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps import stepping
from ipcviz.scenario import Story, explain_missing, find_scenario, prepare_launch, read_schedule
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration.stepper import Stepper

ALRM = 14
SEEDS = range(3)


class Seen:
    """A moment at which a step was told, with what had happened before it."""

    def __init__(self, state, story, events):
        self.state, self.events = state, events
        self.pids = {role: pid for pid, role in story.roles.items()}
        self.keys = {label: key for key, label in story.labels.items()}

    def thread(self, role):
        return self.state.threads[self.pids[role]]

    def is_armed(self):
        return any(timer.armed for timer in self.state.timers.values())

    def came(self):
        return [e for e in self.events if isinstance(e, SignalDelivered) and e.signo == ALRM]

    def blocks_alarm(self):
        return bool(self.thread("sleeper").blocked >> (ALRM - 1) & 1)

    def value(self, name):
        return self.state.semaphores[self.keys[name]].value


CLAIMS = {
    ("sleep-race", "caught"): lambda s: s.state.processes[s.pids["sleeper"]].handling,
    ("sleep-race", "blocked"): lambda s: s.blocks_alarm() and not s.came(),
    ("sleep-race", "window"): lambda s: not s.came() and s.thread("sleeper").waiting is None,
    ("sleep-race", "waits"): lambda s: s.thread("sleeper").waiting is not None and not s.came(),
    ("sleep-race", "woken"): lambda s: s.came()[-1].outcome == "EINTR",
    ("sleep-race", "lost"): lambda s: not s.is_armed() and len(s.came()) == 1,
    ("sleep-race", "for-ever"): lambda s: s.thread("sleeper").waiting and not s.is_armed(),
    ("mmap-queue", "init-lock"): lambda s: s.value("_lock") == 1,
    ("mmap-queue", "init-full"): lambda s: s.value("_full") == 0,
    ("mmap-queue", "no-slot"): lambda s: s.value("_empty") == 0,
    ("mmap-queue", "no-message"): lambda s: s.value("_full") == 0,
}


def check(scenario, story, event, before, state, events):
    """Hold a step that an event has reached against the moment. Returns its id; empty if none."""
    move = story.feed(event, before, state)
    if move is None or move.step is None:
        return ""
    step = scenario.story[move.step]
    claim = CLAIMS.get((scenario.name, step.id))
    assert claim is None or claim(Seen(state, story, events)), f"{step.id}: {step.text}"
    return step.id


def launch_of(scenario, variant, settings):
    if reason := explain_missing(scenario, variant):
        pytest.skip(reason)
    return prepare_launch(scenario, variant, settings)


def await_alarm(stepper):
    def is_pending():
        state = stepper.state
        found = [stepping.find_pending_signals(state, t) for t in state.threads.values()]
        return any(mask >> (ALRM - 1) & 1 for mask in found)

    stepper.until(is_pending)


def let_go(stepper, tid):
    begin = len(stepper.events)
    stepper.session.send(Let(tid=tid))
    stepper.until(lambda: stepper.finished or stepper.resting_since(begin))


@pytest.mark.parametrize(
    ("name", "plan", "variant"),
    [
        ("sleep-race", "lost", "c"),
        ("sleep-race", "arrives", "c"),
        ("sleep-race", "mended", "c-sigsuspend"),
        ("mmap-queue", "producer-first", "c"),
        ("mmap-queue", "consumer-first", "c"),
    ],
)
def test_what_is_told_is_so_under_each_schedule(name, plan, variant):
    scenario = find_scenario(name)
    schedule, found = read_schedule(plan, scenario)
    story, state, events, told = Story(scenario), State(), [], []
    with launch_of(scenario, variant, found.settings) as launch:
        config = LaunchConfig(argv=launch.argv, cwd=launch.cwd, terminal=True, hold=True)
        session = LiveSession(config)
        session.start()
        try:
            driver = Driver(session, schedule, Story(scenario), patience=20)
            for event in driver.iterate_events():
                before, state = state, reduce(state, event)
                events.append(event)
                told.append(check(scenario, story, event, before, state, events))
        finally:
            session.close()
    assert sum(map(bool, told)) >= 4


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "variant", "settings"),
    [
        ("sleep-race", "c", {"seconds": 1}),
        ("sleep-race", "c-sigsuspend", {"seconds": 1}),
        ("mmap-queue", "c", {"put-delay": 0.0, "get-delay": 0.0, "messages": 3, "slots": 1}),
    ],
)
def test_what_is_told_is_so_in_any_order(name, variant, settings, seed):
    scenario, choose = find_scenario(name), random.Random(seed)
    story, state, taken, told = Story(scenario), State(), 0, []
    with (
        launch_of(scenario, variant, settings) as launch,
        Stepper(*launch.argv, cwd=launch.cwd) as stepper,
    ):
        for _ in range(120):
            for event in stepper.events[taken:]:
                before, state = state, reduce(state, event)
                taken += 1
                seen = stepper.events[:taken]
                told.append(check(scenario, story, event, before, state, seen))
            held = stepping.list_held(stepper.state)
            if not held or stepper.finished:
                break
            if choose.random() < 0.1 and stepper.state.timers:
                # Somebody looks at the screen for longer than the alarm takes.
                await_alarm(stepper)
            let_go(stepper, choose.choice(held).tid)
    assert sum(map(bool, told)) >= 3
