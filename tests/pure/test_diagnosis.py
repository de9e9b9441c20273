"""The doctor is called at the first look, and has seen all that came before."""

from ipcviz.diagnose import BETWEEN, Diagnosis
from ipcviz.diagnose.doctor import Doctor
from ipcviz.events import Call
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from tests import picture_states as systems


def follow(diagnosis, events):
    state = State()
    for event in events:
        after = reduce(state, event)
        diagnosis.follow_event(event, state, after)
        state = after


def broken():
    """A program that reads a pipe's end of file again and again."""
    m = systems.Maker(("tail",))
    m.launch(20, "tail")
    thing = systems.pipe(71)
    m.open(20, 0, thing, "r")
    for _ in range(80):
        m.t -= 0.0098  # All of it within the time in which nobody looks.
        m.add(Call, pid=20, tid=20, name="read", args={"fd": 0}, object=thing.key, ret=0)
    return m.events


def test_what_came_before_the_first_look_is_found_at_it():
    events = broken()
    assert events[-1].t < BETWEEN
    late, at_once = Diagnosis(), Diagnosis(Doctor())
    follow(late, events)
    follow(at_once, events)
    assert not late.find_until(10**9)
    assert not late.examine(events[-1].t)
    late.examine(BETWEEN)
    assert late.find_until(10**9) == at_once.find_until(10**9)
    assert [one.rule for one in late.find_until(10**9)] == ["end-of-file-loop"]


def test_a_run_that_is_over_at_once_is_looked_at_all_the_same():
    events = broken()
    diagnosis = Diagnosis()
    follow(diagnosis, events)
    assert diagnosis.examine(events[-1].t, last=True)
    assert diagnosis.find_until(10**9)
    assert not diagnosis.examine(events[-1].t, last=True)
