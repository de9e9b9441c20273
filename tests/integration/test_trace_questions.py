"""The questions that docs/trace.md asks of a trace, put to one that has the answers: none is
blank.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.harness import CHECKOUT, Bench, Programs

QUESTIONS = dict(
    re.findall(
        r"\n([^\n]+):\n\n```sql\n(.*?)```",
        Path(CHECKOUT, "docs", "trace.md").read_text(),
        re.DOTALL,
    )
)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def asks(
    benches: dict[str, Bench], programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Rows]:
    """Answers a question by its first words, of a live run or of one step by step."""
    bench = benches["user"]
    traces = {}
    for mode in ("--pty", "--step"):
        target = tmp_path_factory.mktemp("traces") / "t.ipcviz"
        command = bench.observed([programs["questions"]], mode)
        command.remove("--jsonl")
        outcome = bench.run(command, seconds=30.0)
        assert (outcome.status, outcome.stderr) == (0, b"")
        target.write_bytes(bench.stream.read_bytes())
        traces[mode] = target

    def ask(beginning: str, mode: str = "--pty") -> Rows:
        (question,) = (sql for title, sql in QUESTIONS.items() if title.startswith(beginning))
        db = sqlite3.connect(f"file:{traces[mode]}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(question)]

    return ask


def test_all_questions_have_an_answer(asks):
    assert len(QUESTIONS) == 11
    for title in QUESTIONS:
        assert asks(title, "--step" if title.startswith("In step mode") else "--pty"), title


def test_what_happened_and_which_calls(asks):
    happened = asks("What happened")
    assert [row["type"] for row in happened[:3]] == ["started", "forked", "executed"]
    calls = [row for row in happened if row["type"] == "call"]
    assert calls
    assert all(row["name"] and row["ret"] is not None for row in calls)
    assert {row["name"]: row["calls"] for row in asks("Which calls")}["semtimedop"] == 2


def test_who_wrote_into_what_and_who_shares_it(asks):
    (row,) = asks("Who wrote")
    assert (row["name"], row["bytes"], row["label"][0]) == ("questions", 70000, "P")
    assert any(
        row["label"] and row["kind"] == "pipe" and row["who"].count("questions[") == 2
        for row in asks("Who uses")
    )


def test_who_was_blocked_on_what(asks):
    on = {
        (row["call"], (row["label"] or "").rstrip("0123456789[] "))
        for row in asks("Who was blocked")
    }
    assert {("write", "P"), ("semtimedop", "sem"), ("futex", "M")} <= on
    assert not {("write", ""), ("semtimedop", ""), ("futex", "")} & on


def test_the_family_and_how_each_ended(asks):
    rows = asks("The family tree")
    assert [(row["name"].strip(), row["exit_code"], row["exit_signal"]) for row in rows] == [
        ("questions", 0, 0),
        ("questions", 3, 0),
        ("questions", None, 9),
    ]
    assert all(row["seconds"] > 0 for row in rows)


def test_how_full_and_of_how_much(asks):
    rows = asks("How full")
    assert any(row["queued"] == row["capacity"] == 65536 and row["t"] > 0 for row in rows)
    assert all(row["label"] and row["queued"] is not None for row in rows)


def test_signals_and_semaphores(asks):
    assert any(
        (row["signal"], row["times"]) == ("SIGUSR1", 1) and row["first"] > 0
        for row in asks("Which signals")
    )
    done = {
        (row["label"][:3].rstrip("0123456789"), row["operation"]): row
        for row in asks("What was done")
    }
    assert {
        ("sem", "semtimedop"),
        ("sem", "semctl"),
        ("M", "sem_wait"),
        ("M", "sem_post"),
        ("M", "sem_init"),
    } <= set(done)
    assert done["M", "sem_wait"]["least_before"] == done["M", "sem_post"]["most_before"] == 0


def test_processor_time_and_memory(asks):
    rows = asks("Processor time")
    assert rows
    assert all(row["bytes"] > 0 and row["cpu_seconds"] is not None for row in rows)


def test_steps(asks):
    rows = asks("In step mode", "--step")
    assert {"1", "1.1"} <= {row["who"] for row in rows}
    assert all(row["operation"] for row in rows)
    assert any(
        "semtimedop" in row["operation"] and "call semtimedop" in (row["became"] or "")
        for row in rows
    )


def test_objects_are_told_whole_after_they_are_gone(benches, programs):
    bench = benches["user"]
    command = bench.observed([programs["questions"]])
    command.remove("--jsonl")
    assert bench.run(command).status == 0
    db = sqlite3.connect(bench.stream)
    rows = db.execute("SELECT key, kind, label, capacity FROM objects").fetchall()
    assert all(kind and label for _, kind, label, _ in rows)
    assert {"semaphore", "pipe"} <= {kind for _, kind, _, _ in rows}
    assert 65536 in {capacity for _, kind, _, capacity in rows if kind == "pipe"}
    assert 0 not in {capacity for *_, capacity in rows}


def test_json_lines_tell_what_calls_returned(benches, programs):
    bench = benches["user"]
    assert bench.run(bench.observed([programs["questions"]])).status == 0
    lines = [msgspec.json.decode(line) for line in bench.stream.read_bytes().splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    assert calls
    assert all("ret" in line for line in calls)
    assert any(line["ret"] == 0 for line in calls)
    assert all(
        "code" in line for line in lines if line["event"] in ("exited", "thread-exited", "finished")
    )
    assert all(line["object"] for line in calls if line["name"] in ("semtimedop", "semctl"))
    waits = [
        line
        for line in lines
        if line["event"] == "waiting" and line["call"] in ("semtimedop", "futex")
    ]
    assert {line["object"].partition(":")[0] for line in waits} == {"sysv", "sem"}
