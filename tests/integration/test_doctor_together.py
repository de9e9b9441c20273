"""Programs that hang for one reason each, and what the doctor says of them; and healthy ones."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ipcviz.diagnose import Doctor, Finding
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration.harness import Programs

PY = "import os, socket, subprocess, sys, threading, time, fcntl, signal\n"
LAUNCHER = r"""
import json, os, subprocess, sys, time
for argv in json.loads(sys.argv[1]):
    subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
    time.sleep(0.15)  # What begins at once is more than the tracer tells call by call.
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""
"""Starts all programs at once, and waits for them. So they are told apart in one session."""

HANGS: dict[str, tuple[str, ...]] = {
    # `c:` a way of tests/programs/doctor_hangs.c, `sh:` a script, `py:` a Python program.
    "wait-before-read": (
        "c:wait_before_read",
        "c:wait_for_grandchild",
        "py:p = subprocess.Popen(['seq', '100000'], stdout=subprocess.PIPE); p.wait()",
        "py:p = subprocess.Popen('seq 100000; true', shell=True, stderr=subprocess.PIPE,"
        " stdout=subprocess.PIPE); p.wait(); p.stdout.read()",
    ),
    "own-write-end": (
        "c:own_write_end",
        "c:waiters_write_end",
        "py:r, w = os.pipe(); os.write(w, b'x'); os.read(r, 1); os.read(r, 1)",
        "py:r, w = os.pipe(); os.fork() or (os.write(w, b'x'), os._exit(0)); f = os.fdopen(r);"
        " f.read()",
    ),
    "own-read-end": (
        "c:own_read_end",
        "c:waiters_read_end",
        "py:r, w = os.pipe(); os.write(w, bytes(200000))",
    ),
    "waits-for-input": (
        "c:waits_for_input",
        "py:p = subprocess.Popen(['cat'], stdin=subprocess.PIPE); p.wait()",
        "py:p = subprocess.Popen(['sort'], stdin=subprocess.PIPE); p.stdin.write(b'x\\n');"
        " p.stdin.flush(); p.wait()",
        "bash:coproc cat; wait",
    ),
    "feeding-circle": (
        "c:both_full",
        "c:both_empty",
        "c:coprocess",
        "py:p = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
        " p.stdin.write(bytes(300000)); p.stdin.flush()",
        "py:p = subprocess.Popen(['tr', 'a', 'b'], stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
        " p.stdin.write(b'a\\n'); p.stdin.flush(); p.stdout.readline()",
    ),
    "fifo-open": (
        "c:fifo_alone",
        "c:fifo_crossed",
        "sh:mkfifo alone; cat alone",
        "py:os.mkfifo('nobody'); open('nobody', 'w')",
    ),
    "dead-owner": ("c:dead_mutex", "c:dead_semaphore", "c:dead_system_v"),
    "private-semaphore": ("c:private_semaphore", "c:copied_semaphore"),
    "lock-order": (
        "c:mutex_order",
        "c:mutex_order_of_processes",
        "c:file_lock_order",
        """py:
        (r, w), (s, x) = os.pipe(), os.pipe()
        child = not os.fork()
        a, b = (os.open(n, os.O_RDWR | os.O_CREAT) for n in ("py1", "py2"))
        if child:
            fcntl.flock(b, fcntl.LOCK_EX); os.write(x, b"x"); os.read(r, 1)
            fcntl.flock(a, fcntl.LOCK_EX)
        else:
            fcntl.flock(a, fcntl.LOCK_EX); os.write(w, b"x"); os.read(s, 1)
            fcntl.flock(b, fcntl.LOCK_EX)
        """,
    ),
    "queue": ("c:queue_type", "c:queue_full"),
    "lost-wakeup": (
        "c:lost_usr1",
        "c:lost_alarm",
        "py:signal.signal(10, lambda *a: None); os.kill(os.getpid(), 10); signal.pause()",
    ),
    "handler-lock": ("c:handler_mutex",),
    "forked-lock": ("c:forked_mutex",),
    "stopped": (
        "c:stopped_child",
        "c:stopped_writer",
        "sh:(kill -STOP $(exec sh -c 'echo $PPID'); echo) | cat",
    ),
}

HEALTHY = (
    # A parent that waits for long, and children that sleep.
    "sh:sleep 2 & sleep 2; wait",
    "py:p = subprocess.Popen(['sleep', '2'], stdout=subprocess.PIPE); p.communicate()",
    # A barrier by the end of file, while a child is at work.
    "py:r, w = os.pipe(); os.fork() or (os.close(r), time.sleep(2), os._exit(0)); os.close(w);"
    " os.read(r, 1); os.wait()",
    # A server that holds both ends of its FIFO on purpose, and a client that comes late.
    "sh:mkfifo both; (sleep 1.5; echo x >both) & exec 3<>both; read line <&3; wait",
    # A thread that is waited for, and a semaphore whose poster is at work.
    "py:t = threading.Thread(target=time.sleep, args=(2,)); t.start(); t.join()",
    "py:s = threading.Semaphore(0); threading.Timer(1.5, s.release).start(); s.acquire()",
    # A co-process that is used well.
    "bash:coproc cat; echo x >&${COPROC[1]}; read -u ${COPROC[0]} line; exec {COPROC[1]}>&-; wait",
    # Accept with a client that comes.
    "py:s = socket.create_server(('127.0.0.1', 0)); threading.Timer(1.5, lambda:"
    " socket.create_connection(s.getsockname())).start(); s.accept()",
    # A full pipe whose reader is slow.
    "sh:seq 100000 | (sleep 1.5; cat)",
    # A process that is stopped for a moment.
    "sh:sleep 2 & kill -STOP $!; sleep 1; kill -CONT $!; wait",
    # asyncio and a pool at work.
    "py:import asyncio; asyncio.run(asyncio.create_subprocess_exec('sleep', '1.5'))",
    """py:
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(time.sleep, [1, 1])
    """,
)


def _make_argv(text: str, programs: Programs) -> list[str]:
    language, _, rest = text.partition(":")
    if language == "c":
        return [programs["doctor_hangs"], rest]
    if language == "py":
        return [sys.executable, "-c", PY + textwrap.dedent(rest).strip()]
    return [language, "-c", rest]


def _run(
    argvs: Sequence[Sequence[str]], folder: Path, seconds: float, wanted: int
) -> tuple[Doctor, dict[int, list[Finding]]]:
    """Run programs in one session, until so many have findings. Returns these by the number of the
    program.
    """
    argv = (sys.executable, "-c", LAUNCHER, json.dumps(argvs))
    session = LiveSession(LaunchConfig(argv=argv, cwd=str(folder)))
    patient = Doctor()
    found: dict[int, list[Finding]] = {}
    try:
        session.start()
        until = time.monotonic() + seconds
        while not session.finished and time.monotonic() < until and len(found) < wanted:
            session.wait(0.2)
            patient.follow(session.drain())
            started = patient.state.started
            patient.examine(time.time() - started.began if started is not None else 0.0)
            found = {}
            for finding in patient.findings:
                found.setdefault(_find_number(patient, finding), []).append(finding)
    finally:
        session.close()
    return patient, found


def _find_number(patient: Doctor, finding: Finding) -> int:
    """Which program a finding is about: lineages are `1.3.1` for a child of the third one."""
    processes = patient.state.processes
    lines = [processes[one.pid].lineage for one in finding.processes if one.pid in processes]
    return next((int(line.split(".")[1]) for line in lines if "." in line), 0)


NAMED = ("fifo-open", "queue", "lost-wakeup"), ("dead-owner", "private-semaphore", "handler-lock")
"""Rules of waits that anybody who is watched could end: all have to be at rest before they tell."""
BY_CALLS = tuple(HANGS.keys() - {rule for rules in NAMED for rule in rules})


@pytest.mark.parametrize("rules", [BY_CALLS, *NAMED], ids=["calls", "names", "memory"])
def test_programs_that_hang(rules: tuple[str, ...], programs: Programs, tmp_path: Path) -> None:
    """Many at once: each hangs by itself, and is told by the rule that names its reason."""
    rows = [(rule, text) for rule in rules for text in HANGS[rule]]
    argvs = [_make_argv(text, programs) for _, text in rows]
    _, found = _run(argvs, tmp_path, 20.0, len(rows))
    wrong = {
        text: [(one.rule, one.sentence) for one in found.get(number, [])]
        for number, (rule, text) in enumerate(rows, 1)
        if rule not in {one.rule for one in found.get(number, [])}
    }
    assert not wrong
    for findings in found.values():
        for finding in findings:
            assert finding.evidence
            assert finding.sentence.endswith(".")
            assert finding.mend.endswith(".")


def test_programs_that_do_not_hang(programs: Programs, tmp_path: Path) -> None:
    """What has been mistaken for a fault, and is none."""
    argvs = [_make_argv(text, programs) for text in HEALTHY]
    patient, found = _run(argvs, tmp_path, 20.0, len(argvs) + 1)
    assert patient.state.finished
    assert not {HEALTHY[number - 1]: findings for number, findings in found.items()}


def _doctor(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ipcviz", "doctor", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_first_line_names_the_source_line(tmp_path: Path) -> None:
    source = tmp_path / "mp.py"
    source.write_text(
        "import subprocess\n"
        "p = subprocess.Popen(['seq', '100000'], stdout=subprocess.PIPE)\n"
        "p.wait()\n"
    )
    log = tmp_path / "found.sarif"
    done = _doctor("--until-hang", "--sarif", str(log), "--", sys.executable, str(source))
    assert done.returncode == 1
    assert done.stdout == ""
    first = done.stderr.splitlines()[0]
    assert "seq waits for room in its pipe, and the only reader, python" in first
    assert " (mp.py:3), waits for seq to end. Read the pipe before you wait" in first
    (result,) = json.loads(log.read_text())["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("wait-before-read", "error")
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 3}


def test_running_processes_are_looked_at() -> None:
    code = "import subprocess; subprocess.Popen(['cat'], stdin=subprocess.PIPE).wait()"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        done = _doctor("--pid", str(process.pid))
        assert done.returncode == 1
        assert "[waits-for-input]" in done.stderr
        assert "Not sure: only sampled" in done.stderr
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name one of"),
        (("--pid", str(2**22 + 1)), "no process"),
        (("--pid", "1", "--until-hang"), "what runs already is not ended"),
    ],
)
def test_what_can_not_be_looked_at_is_one_sentence(words: tuple[str, ...], said: str) -> None:
    done = _doctor(*words)
    assert done.returncode == 2
    assert said.lower() in done.stderr.lower()
    assert done.stderr.count("\n") == 1
