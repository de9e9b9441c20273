"""Programs that hang for one reason each, and what the doctor says of them; and healthy ones."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import posix_ipc
import pytest

from ipcviz.diagnose import Doctor, Finding
from ipcviz.scenario.remover import remove_objects
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration.harness import Programs

PY = "import os, socket, subprocess, sys, threading, time, fcntl, signal\n"
HANGS: dict[str, tuple[str, ...]] = {
    # `c:` a way of tests/programs/doctor_hangs.c, `sh:` a script, `py:` a Python program.
    "wait-before-read": (
        "c:wait_before_read",
        "c:wait_for_grandchild",
        "c:wait_over_socket_much",
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
    "orphan-keeps-pipe": (
        "bash:x=$(sleep 60 & echo hi); echo $x",
        "py:subprocess.run(['sh', '-c', 'sleep 60 & echo hi'], stdout=subprocess.PIPE)",
    ),
    "stdio-buffer": ("bash:while echo abc; do sleep 0.2; done | tr a b | cat",),
    "stale-semaphore": ("py:import posix_ipc; posix_ipc.Semaphore('NAME').acquire()",),
    "circle": (
        """py:
        import posix_ipc
        s = posix_ipc.Semaphore("NAME", posix_ipc.O_CREX, initial_value=1)
        s.acquire()
        if not os.fork():
            s.acquire()
        os.wait()
        """,
    ),
}
PROBABLE = {
    "fifo-open",
    "lost-wakeup",
    "queue",
    "stdio-buffer",
    "stale-semaphore",
    "circle",
    "c:both_empty",
    "c:coprocess",
    "c:dead_system_v",
    "py:p = subprocess.Popen(['tr', 'a', 'b'], stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
    " p.stdin.write(b'a\\n'); p.stdin.flush(); p.stdout.readline()",
}
"""Rules, and programs, whose findings are not certain: what is waited for has a name or a number by
which anybody can come to it, or bytes may lie where they can't be seen.
"""

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
    # A stage that reads to the end before it writes.
    "sh:(for i in 1 2 3 4 5; do echo $i; sleep 0.6; done) | sort -n | cat",
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


def _make_argv(text: str, programs: Programs, name: str = "") -> list[str]:
    language, _, rest = text.partition(":")
    rest = rest.replace("NAME", name)
    if language == "c":
        return [programs["doctor_hangs"], rest]
    if language == "py":
        return [sys.executable, "-c", PY + textwrap.dedent(rest).strip()]
    return [language, "-c", rest]


def examine_program(
    argv: Sequence[str], folder: Path, seconds: float, to_the_end: bool = False
) -> tuple[Doctor, bool]:
    """Run a program until something is found (unless `to_the_end`), it ends, or so much time has
    passed. Returns the doctor, and whether it has ended by itself.
    """
    folder.mkdir()
    session = LiveSession(LaunchConfig(argv=tuple(argv), cwd=str(folder)))
    patient = Doctor()
    began = time.time()
    try:
        session.start()
        until = time.monotonic() + seconds
        while not session.finished and time.monotonic() < until:
            if patient.findings and not to_the_end:
                break
            session.wait(0.2)
            patient.follow_events(session.drain())
            started = patient.state.started
            patient.examine(time.time() - started.began if started is not None else 0.0)
        if session.finished:
            patient.follow_events(session.drain())
    finally:
        session.close()
        remove_objects(folder, began)
    return patient, patient.state.finished


@pytest.fixture(scope="module")
def examined(
    programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Finding]]]:
    """What is found of each program that hangs, some at a time."""
    place = tmp_path_factory.mktemp("hangs")
    names = {rule: f"/ipcviz-{place.name}-{os.getpid()}-{rule}" for rule in HANGS}
    old = posix_ipc.Semaphore(names["stale-semaphore"], posix_ipc.O_CREX, initial_value=0)
    old.close()
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            tasks = {
                text: pool.submit(
                    examine_program,
                    _make_argv(text, programs, names[rule]),
                    place / f"{rule}-{number}",
                    30.0,
                )
                for rule, texts in HANGS.items()
                for number, text in enumerate(texts)
            }
            yield {text: list(task.result()[0].findings) for text, task in tasks.items()}
    finally:
        for name in names.values():
            with contextlib.suppress(posix_ipc.ExistentialError):
                posix_ipc.unlink_semaphore(name)


@pytest.mark.parametrize(
    ("rule", "text"), [(r, text) for r, texts in HANGS.items() for text in texts]
)
def test_a_program_that_hangs(rule: str, text: str, examined: dict[str, list[Finding]]) -> None:
    found = examined[text]
    assert {one.rule for one in found} == {rule}
    sure = not PROBABLE & {rule, text}
    assert {one.sure for one in found} == {sure}, [one.why_probable for one in found]
    for finding in found:
        assert finding.evidence
        assert finding.sentence.endswith(".")
        assert finding.mend.endswith(".")
        assert bool(finding.why_probable) == (not sure)


def test_programs_that_do_not_hang(programs: Programs, tmp_path: Path) -> None:
    """What has been mistaken for a fault, and is none."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        tasks = {
            text: pool.submit(
                examine_program, _make_argv(text, programs), tmp_path / f"{number}", 30.0
            )
            for number, text in enumerate(HEALTHY)
        }
        for text, task in tasks.items():
            patient, finished = task.result()
            assert not patient.findings, text
            assert finished, text


def test_a_semaphore_that_somebody_has_who_is_not_watched(tmp_path: Path) -> None:
    """Who waits for it waits for good reason: that it is stale can't be certain."""
    name = f"/ipcviz-had-{os.getpid()}"
    semaphore = posix_ipc.Semaphore(name, posix_ipc.O_CREX, initial_value=0)
    code = f"import posix_ipc; posix_ipc.Semaphore({name!r}, posix_ipc.O_CREAT).acquire()"
    try:
        patient, _ = examine_program([sys.executable, "-c", code], tmp_path / "run", 30.0)
    finally:
        semaphore.release()
        semaphore.close()
        posix_ipc.unlink_semaphore(name)
    assert [(one.rule, one.sure) for one in patient.findings] == [("stale-semaphore", False)]
    assert f"{name} has a name" in patient.findings[0].why_probable


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
