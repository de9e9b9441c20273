"""The doctor on plain data: what is a hang and what is none, and that its table is complete."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from docs import make_doctor
from ipcviz import events as ev
from ipcviz.cli.sarif import make_sarif
from ipcviz.diagnose import Doctor
from ipcviz.diagnose.diagnosis import Diagnosis
from ipcviz.diagnose.pages import BY_NAME, PAGES, RulePage
from ipcviz.diagnose.words import PartyNames
from ipcviz.model.query import list_holders
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.model.waits.hangs import list_hangs
from ipcviz.scenario import find_scenario
from tests.doctor_programs import ALL, PROGRAMS
from tests.pure.test_circles import BOTH_READ, LOOKED_AT, ONE, TWO, asleep, born, has, mutex

FIFO = ev.ObjectInfo(key="8:9", kind="fifo", path="/f", dev=8, ino=9)
CHILD = ev.Forked(t=0.5, pid=13, parent=12, how="fork", name="d")
REST = tuple(asleep(pid, "pause") for pid in (11, 12))
ALL_OTHERS = tuple(ev.Exited(t=1.0, pid=pid, code=0) for pid in (11, 12))


def hanging(*events: ev.Event, now: float = 9.0) -> list[tuple[int, ...]]:
    state = reduce_all([*born(), *events])
    return [hang.pids for hang in list_hangs(state, list_holders(state), now)]


def told(*events: ev.Event, now: float = 9.0) -> list[tuple[str, bool]]:
    patient = Doctor()
    patient.follow_events([*born(), *events])
    patient.examine(now)
    return [(one.rule, one.sure) for one in patient.findings]


def test_a_circle_hangs_at_once_and_the_third_one_does_not() -> None:
    assert hanging(*BOTH_READ, now=2.0) == [(10, 11)]
    assert told(*BOTH_READ, now=2.0) == [("feeding-circle", False)]


def test_who_sleeps_in_a_write_may_have_put_there_what_a_sleeping_reader_waits_for() -> None:
    """A long write has filled the pipe, and its reader, which was woken, has not run yet."""
    ends = (has(10, 3, "w", ONE), has(11, 3, "r", ONE))
    reads = asleep(11, "read", ONE.key, fd=3, count=65536)
    writes = asleep(10, "write", ONE.key, fd=3, count=262144)
    assert hanging(*ends, reads, writes, now=2.0) == []
    assert told(*ends, reads, writes, now=2.0) == []


@pytest.mark.parametrize(
    ("name", "words", "mend"),
    [
        ("sort", "sort writes only when its input has ended, and the end does not come: a has the"
         " other end open (fd 4)", "Close that end"),
        ("tr", "tr has read, and has written nothing: its output is probably still in its stdio"
         " buffer", "Flush tr's output"),
        ("bash", "and nothing is on its way", "Agree who speaks first"),
    ],
)  # fmt: skip
def test_why_a_reader_has_not_answered(name: str, words: str, mend: str) -> None:
    doctor = Doctor()
    took = ev.Call(
        t=1.5, pid=11, tid=11, name="read", ret=4, object=TWO.key, args={"fd": 0, "count": 99}
    )
    doctor.follow_events(
        [
            *born(),
            ev.Executed(t=0.5, pid=11, path=f"/bin/{name}", argv=(name,), name=name),
            has(10, 3, "r", ONE),
            has(10, 4, "w", TWO),
            has(11, 0, "r", TWO),
            has(11, 1, "w", ONE),
            took,
            asleep(10, "read", ONE.key, fd=3),
            asleep(11, "read", TWO.key, fd=0),
        ]
    )
    (found,) = doctor.examine(9.0)
    assert words in found.sentence
    assert found.mend.startswith(mend)
    assert not found.sure


@pytest.mark.parametrize(
    "more",
    [
        has(12, 5, "w", ONE),
        ev.Call(
            t=1.0, pid=11, tid=11, name="alarm",
            effects=(ev.Timer(change="set", signo=14, seconds=9.0),),
        ),
        asleep(10, "read", ONE.key, fd=3, timeout=500),
        ev.Resumed(t=3.0, pid=10, tid=10),
    ],
    ids=["a third one could write", "a timer", "a limit", "one runs"],
)  # fmt: skip
def test_who_can_be_woken_does_not_hang(more: ev.Event) -> None:
    assert hanging(*BOTH_READ, more) == []
    assert told(*BOTH_READ, more) == []


def test_who_waits_for_those_that_hang_is_no_part_of_it() -> None:
    waiting = (CHILD, mutex(13, 10), asleep(12, "wait4", pid=-1))
    assert hanging(*BOTH_READ, *waiting) == [(10, 11)]


def test_a_fifo_that_somebody_who_runs_could_open() -> None:
    opening = asleep(10, "openat", FIFO.key, flags="O_WRONLY")
    made = ev.Call(
        t=1.0, pid=10, tid=10, name="mknod",
        effects=(ev.Opened(fd=9, ofd=99, object=FIFO, mode="path"),),
    )  # fmt: skip
    assert told(made, opening) == []
    assert told(made, opening, *ALL_OTHERS) == [("fifo-open", False)]


def test_a_lock_of_one_that_runs_and_of_one_that_waits() -> None:
    assert told(mutex(10, 11)) == []
    assert told(mutex(10, 11), mutex(11, 10)) == [("lock-order", True)]


def test_a_daemon_and_sleepers_are_well() -> None:
    for call, args in (
        ("accept", {"fd": 3}),
        ("pause", {}),
        ("nanosleep", {}),
        ("read", {"fd": 0}),
    ):
        assert told(asleep(10, call, **args), *ALL_OTHERS) == []


def test_what_is_only_sampled_is_not_sure() -> None:
    sampled = ev.Coverage(t=1.5, pid=10, full=False)
    assert told(*BOTH_READ, sampled, LOOKED_AT) == [("feeding-circle", False)]


def test_a_finding_has_what_proves_it_and_can_be_written() -> None:
    patient = Doctor()
    patient.follow_events([*born(), *BOTH_READ])
    patient.examine(2.0)
    (finding,) = patient.findings
    assert finding.objects == (ONE.key, TWO.key)
    assert "pipe2" in finding.origins[0].words
    assert "a[10] is in read(3)" in finding.evidence[0].text
    (result,) = make_sarif(patient.findings)["runs"][0]["results"]
    assert finding.sentence in result["message"]["text"]
    assert Doctor(ignored=("feeding-circle",)).examine() == ()


@pytest.mark.parametrize(
    ("reason", "words"),
    [("launched", "which was there before the watch"), ("sample", "how it was made was not seen")],
)
def test_where_a_descriptor_came_from_that_no_call_told_of(reason: str, words: str) -> None:
    entries = (
        ev.TableEntry(fd=3, ofd=77, object=ONE, mode="r"),
        ev.TableEntry(fd=4, ofd=1004, object=TWO, mode="w"),
    )
    table = ev.Table(t=1.0, pid=10, reason=reason, entries=entries)
    doctor = Doctor()
    doctor.follow_events([*born(), *BOTH_READ[1:4], table, *BOTH_READ[4:]])
    (found,) = doctor.examine(9.0)
    assert words in found.origins[0].words


def test_each_rule_has_a_page_and_a_row_in_the_docs() -> None:
    top = Path(__file__).parents[2]
    rules = (top / "ipcviz" / "diagnose" / "rules").glob("*.py")
    source = "".join(path.read_text() for path in rules)
    text = (top / "docs" / "doctor.md").read_text()
    for page in PAGES:
        assert f'"{page.name}"' in source
        assert f"| `{page.name}` |" in text
        assert bool(page.probable_if) == (page.certainty != "sure"), page.name
        if page.scenario:
            assert find_scenario(page.scenario)
    assert len(BY_NAME) == len(PAGES)


def test_the_tables_of_rules_in_the_docs_are_up_to_date() -> None:
    text = make_doctor.PAGE.read_text(encoding="utf-8")
    assert text == make_doctor.make_page(text), "run python -m docs.make_doctor"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_rule_has_three_programs_and_three_near_misses(page: RulePage) -> None:
    some = PROGRAMS[page.name]
    assert len(set(some.wrong)) >= 3
    assert len(set(some.near)) >= 3
    assert not set(some.near) & {text for one in PROGRAMS.values() for text in one.wrong}
    assert set(some.guesses or ()) <= set(some.wrong)
    if page.certainty == "sure":
        assert some.guesses == ()
    elif page.certainty == "probable":
        assert some.guesses is ALL


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_rule_has_a_program_in_each_language_or_a_reason_why_not(page: RulePage) -> None:
    some = PROGRAMS[page.name]
    languages = {text.partition(":")[0].replace("bash", "sh") for text in some.wrong}
    assert languages.isdisjoint(some.lacking)
    assert languages | set(some.lacking) == {"c", "py", "sh"}
    assert all(some.lacking.values())


def test_each_program_is_for_one_rule() -> None:
    wrong = [text for some in PROGRAMS.values() for text in some.wrong]
    assert len(set(wrong)) == len(wrong)
    assert set(PROGRAMS) == set(BY_NAME)


def test_who_has_just_ended_may_have_ended_a_wait_for_what_anybody_can_end() -> None:
    """What a call of its did to another thread is told after its end, sometimes."""
    waits = asleep(10, "pause")
    ends = tuple(ev.Exited(t=8.8, pid=pid, code=0) for pid in (11, 12))
    assert hanging(waits, *ends, now=9.0) == []
    assert hanging(waits, *ends, now=9.5) == [(10,)]


def test_what_follows_a_forced_end_is_not_the_programs_doing() -> None:
    """Whoever hung when the end was forced did so by himself."""
    diagnosis, state = Diagnosis(), State()
    ended = ev.Exited(t=3.0, pid=10, signo=13)
    for event in [*born(), *BOTH_READ, ev.EndForced(t=2.5, living=3), ended]:
        before, state = state, reduce(state, event)
        diagnosis.follow_event(event, before, state)
    assert [one.rule for one in diagnosis.find_until(state.n)] == ["feeding-circle"]
    assert not diagnosis.examine(60.0), "nor is it looked again"


def test_a_page_names_the_scenario_that_shows_its_rule() -> None:
    page = BY_NAME["dropped-lock"]
    assert page.shown_by == "Shown by: ipcviz run lock-file"
    assert BY_NAME["wait-before-read"].shown_by == ""
    assert [text for _, text in page.parts] == [page.looks, page.why, page.mend, page.evidence]


def test_what_no_state_refers_to_is_forgotten() -> None:
    """A service that starts processes for years needs no more memory for it."""
    patient = Doctor()
    patient.follow_events([*born(), CHILD, has(13, 3, "r", ONE), *BOTH_READ])
    known = patient.history
    assert (13 in known.born, known.made.keys() >= {1303}) == (True, True)
    known.forget(reduce_all([*born(), *BOTH_READ]))
    assert 13 not in known.born
    assert known.born.keys() == {10, 11, 12}
    assert 1303 not in known.made
    assert known.made


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/srv/mp.py", "mp.py (line 3)"),
        ("/srv/lib/queue.py", "mp.py (queue.py:3)"),
    ],
)
def test_a_process_is_called_what_waits_call_it(file, name):
    """One thing has one name: `python3` here and `mp.py` there are two processes to who reads."""
    argv = ("python3", "/srv/mp.py")
    events = [
        ev.Forked(t=0.0, pid=40, parent=1, how="launched", name="python3", argv=argv),
        ev.Executed(t=0.1, pid=40, path="/p", argv=argv, name="python3"),
        ev.Located(t=0.2, pid=40, tid=40, file=file, line=3, function="f", language="python"),
    ]
    state = reduce_all([msgspec.structs.replace(e, n=n) for n, e in enumerate(events, 1)])
    assert state.processes[40].called == "mp.py[40]"
    assert PartyNames(state, [40]).name_at(40) == name
