"""What the doctor finds in the kept runs of its programs: the rules, without a kernel.

After a changed sentence: `python -m tests.keep_cases --found`, and read what changed in
`tests/cases/found.json`. After a changed program: `python -m tests.keep_cases RULE`.
"""

from __future__ import annotations

import pytest

from ipcviz.diagnose.diagnosis import BETWEEN, Diagnosis
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from tests.doctor_programs import PROGRAMS
from tests.kept_cases import (
    describe_findings,
    examine_case,
    list_programs,
    read_cases,
    read_found,
)


@pytest.mark.parametrize("name", list_programs())
def test_what_is_found_in_the_runs_of_a_rule(name: str) -> None:
    """Each program's run is kept; the rules that it is for find something, as sure as they are to
    be, and no other rule does.
    """
    known, examined = read_found(), []
    for case, events in read_cases(name):
        findings = examine_case(case, events)
        expected = {
            rule: some.guesses is not None and case.program not in some.guesses
            for rule, some in PROGRAMS.items()
            if case.program in some.wrong
        }
        assert {one.rule: one.sure for one in findings} == expected, case.program
        assert describe_findings(findings) == known[case.program]
        examined.append(case.program)
    assert tuple(examined) == list_programs()[name]


@pytest.mark.parametrize("name", list_programs())
def test_a_session_that_is_followed_finds_the_same(name: str) -> None:
    """The screen and a trace have no moments but those of the events, and the last one."""
    for case, events in read_cases(name):
        diagnosis, state = Diagnosis(), State()
        for event in events:
            before, state = state, reduce(state, event)
            diagnosis.follow_event(event, before, state)
        diagnosis.examine(case.looks[-1][1] + BETWEEN)
        expected = {rule for rule, some in PROGRAMS.items() if case.program in some.wrong}
        assert {one.rule for one in diagnosis.find_until(state.n)} == expected, case.program
        assert diagnosis.find_until(0) == ()


def test_what_is_to_be_found_is_of_runs_that_are_kept() -> None:
    assert set(read_found()) == {text for some in list_programs().values() for text in some}
