"""What the doctor says of programs that hang, and of programs that do not."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ipcviz.bench.verdicts import measure_rules, measure_verdicts
from ipcviz.cli.doctor import explain
from ipcviz.diagnose.pages import BY_NAME
from tests.integration.examined import examine_program
from tests.integration.screens import on_terminal

pytestmark = pytest.mark.kernel
TOP = Path(__file__).parents[2]
DOCTOR = (sys.executable, "-m", "ipcviz", "doctor")

SURE = {"own_read_end": "own-read-end", "mutex_order": "lock-order"}
PROBABLE = {"both_empty": "feeding-circle", "fifo_alone": "fifo-open"}
OTHERS = {
    "wait-before-read": (
        "python3",
        "-c",
        "import subprocess as s; s.Popen(['seq', '99999'], stdout=s.PIPE).wait()",
    ),
    "waits-for-input": (
        "python3",
        "-c",
        "import subprocess as s; p = s.Popen(['cat'], stdin=s.PIPE); p.wait()",
    ),
    "own-write-end": ("python3", "-c", "import os; r, w = os.pipe(); os.read(r, 1)"),
    "stopped": ("sh", "-c", "sh -c 'kill -STOP $$' & wait"),
}
HEALTHY = (
    "seq 1 20000 | sort -rn | gzip -c | wc -c",
    "(sleep 1; echo hi) | cat",
    "for i in 1 2; do (sleep 0.8) & done; wait",
    "mkfifo f; (sleep 1; echo x > f) & cat f; wait",
    "coproc cat; echo hi >&${COPROC[1]}; read x <&${COPROC[0]}; sleep 1; kill $COPROC_PID",
    "python3 -c \"import subprocess as s; s.run(['cat'], input=b'x' * 200000, stdout=-1)\"",
    'python3 -c "import multiprocessing as m; p = m.Pool(2); p.map(abs, range(99)); p.close()"',
    'python3 -c "import threading as t; e = t.Event(); t.Timer(1, e.set).start(); e.wait()"',
)


def examine(argv, folder, *flags):
    """Run the doctor: (its status, its findings, what it said)."""
    folder.mkdir(exist_ok=True)
    file = folder / "found.json"
    done = subprocess.run(
        [*DOCTOR, "--json", str(file), *flags, "--", *argv],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(TOP)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    found = json.loads(file.read_bytes()) if file.exists() else []
    return done.returncode, found, done.stderr


@pytest.fixture(scope="module")
def hangs(tmp_path_factory):
    """What is said of each program that hangs, by its name."""
    place = tmp_path_factory.mktemp("doctor")
    program = place / "hangs"
    source = TOP / "tests" / "programs" / "doctor_hangs.c"
    subprocess.run(
        ["cc", "-g", "-O0", "-w", "-pthread", str(source), "-o", str(program), "-lrt"], check=True
    )
    cases = {name: (str(program), name) for name in (*SURE, *PROBABLE)} | OTHERS
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        tasks = {}
        for name, argv in cases.items():
            flags = ("--timeout", "6") if name in PROBABLE else ("--until-hang", "--timeout", "30")
            tasks[name] = pool.submit(examine, argv, place / f"in-{name}", *flags)
        return {name: task.result() for name, task in tasks.items()}


@pytest.mark.parametrize(("name", "rule"), (SURE | {rule: rule for rule in OTHERS}).items())
def test_a_hang_is_named_when_it_exists(hangs, name, rule):
    status, found, said = hangs[name]
    assert status == 1, said
    assert {(one["rule"], one["sure"]) for one in found} == {(rule, True)}, said
    assert found[0]["sentence"] in said
    assert found[0]["mend"] in said
    assert found[0]["evidence"], said


@pytest.mark.parametrize(("name", "rule"), PROBABLE.items())
def test_what_is_not_certain_is_said_as_such(hangs, name, rule):
    status, found, said = hangs[name]
    assert status == 1, said
    assert {(one["rule"], one["sure"]) for one in found} == {(rule, False)}, said
    assert "probably: " in said


def test_a_finding_says_who_and_where_its_descriptors_came_from(hangs):
    _, found, said = hangs["waits-for-input"]
    one = found[0]
    assert "cat waits for input from its pipe" in one["sentence"]
    assert one["sentence"].endswith("waits for cat to end.")
    assert [party["name"] for party in one["processes"]] == ["python3", "cat"]
    assert any(origin["call"] == "pipe2" for origin in one["origins"]), said


def test_what_is_healthy_is_left_in_peace(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        tasks = {
            command: pool.submit(examine, ("bash", "-c", command), tmp_path / f"{number}")
            for number, command in enumerate(HEALTHY)
        }
        for command, task in tasks.items():
            status, found, said = task.result()
            assert (status, found) == (0, []), f"{command}: {said}"


def test_the_commands_output_passes_through_and_its_trace_says_the_same(tmp_path):
    trace = tmp_path / "t.ipcviz"
    program = "import os; print('hi', flush=True); r, w = os.pipe(); os.read(r, 1)"
    run = subprocess.run(
        [*DOCTOR, "--until-hang", "--", "python3", "-c", program],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "hi\n")
    subprocess.run(
        [
            *DOCTOR[:-1],
            "trace",
            "-o",
            str(trace),
            "--",
            "timeout",
            "3",
            sys.executable,
            "-c",
            program,
        ],
        cwd=TOP,
        capture_output=True,
        timeout=60,
        check=False,
    )
    again = subprocess.run(
        [*DOCTOR, str(trace)], cwd=TOP, capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 1
    assert "own-write-end" in again.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--", "no-such-command"], "no-such-command"),
        (["no-such-file"], "put -- before a command"),
        (["--ignore", "nosuch", "--", "true"], "'ipcviz explain' lists them"),
        (["--timeout", "1", __file__], "put -- before it"),
        ([__file__], "is no trace"),
        (["--pid"], "Name the processes by their PIDs or names"),
        (["--pid", "--pid", "1"], "Name the processes by their PIDs or names"),
        (["--pid", "no-such-name"], "No process of yours is called no-such-name"),
        (["--pid", "0"], "no process 0"),
        (["--pid", "99999999999"], "no process 99999999999"),
        (["--pid", "--", "true"], "Name one of"),
    ],
)
def test_what_can_not_be_examined_is_one_sentence(words, says):
    done = subprocess.run(
        [*DOCTOR, *words],
        cwd=TOP,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def patient():
    """A process that waits for its child, which waits for input from it."""
    code = "import subprocess as s; p = s.Popen(['cat'], stdin=s.PIPE); p.wait()"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as process:
        yield process
        os.killpg(process.pid, signal.SIGKILL)


def test_who_hangs_is_chosen_from_a_table(patient):
    command = [*DOCTOR, "--timeout", "2", "--pid"]
    with on_terminal(*command, env={**os.environ, "PYTHONPATH": str(TOP)}) as there:
        there.until("Examine")
        there.press(f"{patient.pid} wait4".encode())
        there.until(" 1 of ")
        there.press(b"\r")
        there.until("tells more.")
        assert "waits for input from its pipe" in there.text().replace("\n", "")
        assert there.end() == "exit 1"
        assert there.given_back()


def test_a_rule_can_be_ignored(tmp_path):
    argv = OTHERS["own-write-end"]
    status, found, _ = examine(argv, tmp_path, "--ignore", "own-write-end", "--timeout", "2")
    assert (status, found) == (0, [])


@pytest.mark.parametrize("rule", [*BY_NAME])
def test_each_rule_is_explained(rule):
    done = CliRunner().invoke(explain, [rule], catch_exceptions=False)
    assert done.exit_code == 0
    assert BY_NAME[rule].title in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("full", [False, True])
def test_a_mutex_that_is_locked_twice(programs, tmp_path, full):
    """Its owner is who waits for it. In live mode no call of the mutex is seen, only the wait."""
    patient, _ = examine_program([programs["locks_twice"]], tmp_path / "run", full=full)
    (found,) = patient.findings
    assert (found.rule, found.sure) == ("lock-order", True)
    assert "thread 2 of locks_twice waits for the mutex at 0x" in found.sentence
    assert "which it has itself" in found.sentence
    assert "a mutex that it has itself" in found.evidence[0].text


def test_what_the_doctor_costs_is_measured() -> None:
    rules = measure_rules(1, 50)
    assert rules.ours > 0
    assert rules.theirs > 0
    assert rules.facts["events"] > 250
    verdict = measure_verdicts(1, 5, 8)
    assert (verdict.unit, verdict.promise, verdict.facts["missed"]) == ("ms", 50.0, 0)
    assert verdict.facts["hanging"] == 5
    assert verdict.kept is (verdict.ours <= 50)
