"""`ipcviz list`, `check` and `new`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from ipcviz.cli.check import check
from ipcviz.cli.list import list_scenarios
from ipcviz.cli.new import new
from ipcviz.scenario import find_scenario, load_scenario


@pytest.fixture
def runner():
    return CliRunner()


def test_list_is_a_table_by_topic(runner):
    done = runner.invoke(list_scenarios)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert (
        lines.index("Pipes")
        < lines.index("Named pipes")
        < lines.index("Semaphores")
        < lines.index("Signals")
    )
    assert any(
        "sleep-race" in line and "10 min" in line and "The lost wake-up" in line for line in lines
    )
    assert max(map(len, lines)) <= 80


def test_list_says_what_is_missing(runner, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "c can't run here: the C compiler that $CC names" in " ".join(
        runner.invoke(list_scenarios).stdout.split()
    )


def test_list_as_json(runner):
    found = {
        entry["name"]: entry
        for entry in json.loads(runner.invoke(list_scenarios, ["--json"]).stdout)
    }
    queue = found["mmap-queue"]
    assert queue["topic"] == "semaphores"
    assert queue["default"] == "py"
    assert {"py", "c", "py-ring"} <= set(queue["variants"])
    assert queue["run"] is False
    assert queue["parameters"]["order"] == {
        "type": "choice",
        "default": "stack",
        "allowed": "stack or ring",
        "help": queue["parameters"]["order"]["help"],
    }


def test_new_makes_one_that_works_and_check_says_so(runner, tmp_path):
    place = tmp_path / "with space"
    done = runner.invoke(new, [str(place)])
    assert done.exit_code == 0
    assert f"ipcviz check '{place}'" in done.stdout
    checked = runner.invoke(check, [str(place)])
    assert checked.exit_code == 0
    assert "nothing wrong found" in checked.stdout
    assert load_scenario(place).story
    ran = subprocess.run(
        ["sh", place / "talk.sh", "1"], capture_output=True, text=True, check=True, timeout=20
    )
    assert ran.stdout == "this is line 1\n"


def test_new_can_begin_with_another_one(runner, tmp_path):
    folder = tmp_path / "mine"
    done = runner.invoke(new, ["--like", "sleep-race", str(folder)])
    assert done.exit_code == 0
    assert load_scenario(folder).title == find_scenario("sleep-race").title
    assert {file.name for file in folder.iterdir()} == {
        file.name for file in find_scenario("sleep-race").folder.iterdir() if file.is_file()
    }
    wrong = runner.invoke(new, ["--like", "sleep-rac", str(tmp_path / "none")])
    assert "sleep-race" in str(wrong.exception)
    assert not (tmp_path / "none").exists()


def test_new_overwrites_nothing(runner, tmp_path):
    (tmp_path / "scenario.toml").write_text("mine")
    done = runner.invoke(new, [str(tmp_path)])
    assert done.exit_code == 2
    assert "it is there already and not empty" in done.stderr
    assert (tmp_path / "scenario.toml").read_text() == "mine"
    (tmp_path / "file").write_text("")
    done = runner.invoke(new, [str(tmp_path / "file" / "x")])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1


def test_check_says_what_is_wrong_and_where(runner, tmp_path):
    assert runner.invoke(new, [str(tmp_path / "s")]).exit_code == 0
    file = tmp_path / "s" / "scenario.toml"
    file.write_text(file.read_text().replace("minutes", "minuts"))
    for folder, words in (
        (
            tmp_path / "s",
            f"ipcviz: {file}:6: 'minuts' is not a key of the scenario; did you mean 'minutes'?",
        ),
        (tmp_path / "nothing", f"ipcviz: There is no scenario.toml in '{tmp_path / 'nothing'}'"),
    ):
        argv = [sys.executable, "-m", "ipcviz", "check", str(folder)]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert ended.stderr.startswith(words)
