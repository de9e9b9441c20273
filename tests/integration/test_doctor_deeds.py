"""Programs that do one thing wrong each, and what the doctor says of them; and programs that do
nearly the same, and are right.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipcviz.diagnose import Finding
from ipcviz.diagnose.doctor import DEEDS
from ipcviz.diagnose.pages import BY_NAME
from tests.integration.harness import Programs
from tests.integration.test_doctor_rules import examine_program

pytestmark = pytest.mark.kernel

PY = "import os, socket, subprocess, sys, time, fcntl, signal, mmap\n"
FAULTS: dict[str, tuple[str, ...]] = {
    # `c:` a way of tests/programs/doctor_deeds.c, `sh:` a script, `py:` a Python program.
    "short-write": (
        "c:short",
        "py:r, w = os.pipe(); os.set_blocking(w, False); os.write(w, bytes(100000)); os.close(w)",
        "py:a, b = socket.socketpair(); a.setblocking(False); a.send(bytes(10**7)); a.close()",
    ),
    "end-of-file-loop": (
        "py:r, w = os.pipe(); os.close(w)\nfor _ in range(60): os.read(r, 1)",
        """py:
        os.mkfifo("f")
        if os.fork() == 0:
            open("f", "w").close()
            os._exit(0)
        f = os.open("f", os.O_RDONLY)
        os.wait()
        for _ in range(60): os.read(f, 10)
        """,
        "sh:mkfifo f; (echo x > f) & exec 3<f; i=0;"
        " while [ $i -lt 60 ]; do read -r line <&3; i=$((i + 1)); done",
    ),
    "broken-pipe-loop": (
        "c:broken",
        """py:
        a, b = socket.socketpair()
        b.close()
        for _ in range(20):
            try: a.send(b"x")
            except OSError: pass
        """,
        "bash:trap '' PIPE; (sleep 0.2; for i in {1..30}; do echo $i; done) 2>/dev/null | true",
    ),
    "sigpipe-death": (
        "c:sigpipe",
        "py:signal.signal(13, signal.SIG_DFL); r, w = os.pipe(); os.close(r); os.write(w, b'x')",
        "py:signal.signal(13, signal.SIG_DFL); a, b = socket.socketpair(); b.close(); a.send(b'x')",
    ),
    "mixed-writes": (
        "c:mixed",
        """py:
        r, w = os.pipe()
        if os.fork() == 0:
            os._exit(os.write(w, bytes(90000)) < 0)
        time.sleep(0.1)
        os.read(r, 4096)
        if os.fork() == 0:
            os._exit(os.write(w, b"late") < 0)
        os.close(w)
        time.sleep(0.1)
        while os.read(r, 4096): time.sleep(0.02)
        """,
        """py:
        os.mkfifo("f")
        if os.fork() == 0:
            os._exit(os.write(os.open("f", os.O_WRONLY), bytes(90000)) < 0)
        f = os.open("f", os.O_RDONLY)
        time.sleep(0.1)
        os.read(f, 4096)
        if os.fork() == 0:
            os._exit(os.write(os.open("f", os.O_WRONLY), b"late") < 0)
        time.sleep(0.1)
        while os.read(f, 4096): time.sleep(0.02)
        """,
    ),
    "shared-input": (
        "bash:printf 'a\\nb\\nc\\n' | while read -r x; do cat >/dev/null; done",
        "bash:printf 'a\\nb\\nc\\n' >f; while read -r x; do head -c 100 >/dev/null; done <f",
        "py:open('f', 'w').write('1\\n2\\n3\\n'); f = os.open('f', os.O_RDONLY); os.dup2(f, 0);"
        " os.read(0, 2); subprocess.run(['wc', '-l'], stdout=-3); os.read(0, 2)",
    ),
    "output-twice": (
        "c:printed_twice",
        "py:sys.stdout = open('o', 'w'); print('hello', end=''); os.fork() and os.wait()",
    ),
    "datagram-cut": (
        "py:a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.send(bytes(99));"
        " b.recv(10)",
        "py:a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in 'ab');"
        " a.bind(('127.0.0.1', 0)); b.sendto(bytes(50), a.getsockname()); a.recv(20)",
        "py:a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET); a.send(bytes(99));"
        " b.recv(10)",
    ),
    "merged-signals": (
        "py:signal.signal(10, lambda *_: None); signal.pthread_sigmask(signal.SIG_BLOCK, [10]);"
        " os.kill(os.getpid(), 10); os.kill(os.getpid(), 10)",
        """py:
        signal.signal(12, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, [12])
        pid = os.getpid()
        if os.fork() == 0:
            os.kill(pid, 12)
            os.kill(pid, 12)
            os._exit(0)
        os.wait()
        """,
    ),
    "interrupted-call": ("c:interrupted", "c:lock_interrupted", "c:wait_interrupted"),
    "shared-nonblocking": (
        "py:a, b = socket.socketpair(); a.setblocking(False); subprocess.run(['cat'], stdin=a)",
        """py:
        r, w = os.pipe()
        if os.fork() == 0:
            os.set_blocking(r, False)
            os._exit(0)
        os.wait()
        subprocess.run(["cat"], stdin=r)
        """,
    ),
    "ignored-term": (
        "sh:sh -c 'trap \"\" TERM; sleep 4' & sleep 0.5; kill $!; wait",
        """py:
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_BLOCK, [15])
            time.sleep(4)
            os._exit(0)
        time.sleep(0.5)
        os.kill(pid, 15)
        os.wait()
        """,
    ),
    "zombies": (
        "c:zombies",
        "c:zombies_coalesced",
        "py:ps = [subprocess.Popen(['true']) for _ in range(3)]; time.sleep(7)",
    ),
    "address-in-use": (
        "py:s = socket.socket(socket.AF_UNIX); s.bind('a'); s.close();"
        " socket.socket(socket.AF_UNIX).bind('a')",
        """py:
        s = socket.create_server(("127.0.0.1", 0))
        if os.fork() == 0:
            time.sleep(1.5)
            os._exit(0)
        address = s.getsockname()
        s.close()
        socket.socket().bind(address)
        """,
        "py:s = socket.create_server(('127.0.0.1', 0)); socket.socket().bind(s.getsockname())",
    ),
    "left-behind": (
        "c:semaphore_left /NAME",
        "c:segment_left",
        "py:os.open('/dev/shm/NAME', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)",
    ),
    "beyond-the-file": (
        "c:beyond",
        "py:f = os.open('x', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 4096);"
        " m = mmap.mmap(f, 4096); os.ftruncate(f, 0); m[0]",
    ),
    "mapped-empty": ("c:mapped_early", "c:segment_early /NAME"),
    "private-mapping": (
        "c:private",
        """py:
        open("x", "wb").write(bytes(4096))
        f = os.open("x", os.O_RDWR)
        m = mmap.mmap(f, 4096, mmap.MAP_PRIVATE)
        if os.fork() == 0:
            m = mmap.mmap(os.open("x", os.O_RDWR), 4096)
            os._exit(0)
        os.wait()
        """,
    ),
    "dropped-lock": (
        "c:lock_dropped",
        "py:f = os.open('x', os.O_RDWR | os.O_CREAT); fcntl.lockf(f, fcntl.LOCK_EX);"
        " os.close(os.open('x', os.O_RDWR))",
        "py:f = open('x', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); open('x').read(); time.sleep(0.1)",
    ),
}
PROBABLE = frozenset({"output-twice", "merged-signals", "private-mapping"})
SURE_IN_PART = {"c:zombies": False, "c:zombies_coalesced": True}
SURE_IN_PART["py:ps = [subprocess.Popen(['true']) for _ in range(3)]; time.sleep(7)"] = False

RIGHT: tuple[str, ...] = (
    # A write that is continued; one that fails for lack of room.
    "c:short_continued",
    "py:r, w = os.pipe(); os.set_blocking(w, False); n = os.write(w, bytes(100000));"
    " os.read(r, 65536); os.write(w, bytes(100000 - n)); os.close(w)",
    # An end of file that is taken for one, and a FIFO that is opened anew.
    "sh:seq 10 | cat",
    "sh:mkfifo f; (echo a > f; sleep 0.9; echo b > f) & read x < f; sleep 0.4; read x < f; wait",
    # A first stage that is ended by SIGPIPE; who takes EPIPE for the end.
    "sh:yes | head -1",
    "c:broken_once",
    "sh:trap '' PIPE; seq 100000 2>/dev/null | head -1",
    # Short writes of several into one pipe.
    "c:whole",
    "bash:(for i in {1..99}; do echo aaaaaaa; done & for i in {1..99}; do echo b; done; wait) | wc",
    # One after the other reads the same input; a child that has another one.
    "bash:printf 'a\\nb\\n' | (read -r x; cat)",
    "bash:printf 'a\\nb\\n' | while read -r x; do cat </dev/null; done",
    "c:flushed",
    # A datagram that is looked at first; a stream, which has no borders.
    "py:a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.send(bytes(20));"
    " b.recv(5, socket.MSG_PEEK); b.recv(100)",
    "py:a, b = socket.socketpair(); a.send(bytes(20)); b.recv(5); b.recv(100)",
    # Signals that come one after the other; calls that are made again.
    "py:signal.signal(10, lambda *_: None)\nfor _ in range(3): os.kill(os.getpid(), 10)",
    "c:retried",
    "c:restarted",
    # O_NONBLOCK that a program has set for itself.
    "py:r, w = os.pipe(); os.set_blocking(r, False)\n"
    "try: os.read(r, 1)\nexcept BlockingIOError as e: print(e, file=sys.stderr)",
    # SIGTERM that is let in, and that is followed by SIGKILL.
    "sh:sleep 4 & sleep 0.3; kill $!; wait",
    "sh:sh -c 'trap \"exit 0\" TERM; sleep 3' & sleep 0.3; kill $!; wait",
    # Children that are waited for late, but are.
    "py:ps = [subprocess.Popen(['true']) for _ in range(3)]; time.sleep(2); [p.wait() for p in ps]",
    # An address that is free again; a name that is removed first.
    "py:s = socket.create_server(('127.0.0.1', 0)); a = s.getsockname(); s.close();"
    " socket.socket().bind(a)",
    "py:s = socket.socket(socket.AF_UNIX); s.bind('a'); s.close(); os.unlink('a');"
    " socket.socket(socket.AF_UNIX).bind('a')",
    # What is removed in the end.
    "c:semaphore_removed /NAME",
    "c:segment_removed",
    "py:os.open('/dev/shm/NAME', os.O_RDWR | os.O_CREAT | os.O_EXCL); os.unlink('/dev/shm/NAME')",
    # The last byte of the file's last page; a file that is sized first.
    "c:within",
    "c:mapped_late",
    "c:shared",
    # A private mapping of what is only read: so are libraries mapped.
    """py:
    open("x", "wb").write(bytes(4096))
    m = mmap.mmap(os.open("x", os.O_RDONLY), 4096, mmap.MAP_PRIVATE)
    if os.fork() == 0:
        m = mmap.mmap(os.open("x", os.O_RDWR), 4096)
        os._exit(0)
    os.wait()
    """,
    # Locks of an open file description, and one that ends with its only descriptor.
    "c:lock_kept",
    "py:f = os.open('x', os.O_RDWR | os.O_CREAT); fcntl.flock(f, fcntl.LOCK_EX);"
    " os.close(os.open('x', os.O_RDWR))",
    "py:f = os.open('x', os.O_RDWR | os.O_CREAT); fcntl.lockf(f, fcntl.LOCK_EX); os.close(f)",
)


def _make_argv(text: str, programs: Programs, name: str) -> list[str]:
    language, _, rest = text.partition(":")
    rest = rest.replace("NAME", name)
    if language == "c":
        return [programs["doctor_deeds"], *rest.split()]
    if language == "py":
        return [sys.executable, "-c", PY + textwrap.dedent(rest).strip()]
    return [language, "-c", rest]


@pytest.fixture(scope="module")
def examined(
    programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Finding]]]:
    """What is found of each program, some at a time."""
    place = tmp_path_factory.mktemp("deeds")
    texts = [*(text for some in FAULTS.values() for text in some), *RIGHT]
    names = [f"ipcviz-{place.name}-{os.getpid()}-{number}" for number in range(len(texts))]
    try:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            tasks = {
                text: pool.submit(
                    examine_program, _make_argv(text, programs, name), place / name, 30.0, True
                )
                for name, text in zip(names, texts, strict=True)
            }
            yield {text: list(task.result()[0].findings) for text, task in tasks.items()}
    finally:
        for name in names:
            for left in (f"/dev/shm/{name}", f"/dev/shm/sem.{name}"):
                Path(left).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, texts in FAULTS.items() for text in texts]
)
def test_a_program_that_is_wrong(rule: str, text: str, examined: dict[str, list[Finding]]) -> None:
    found = examined[text]
    assert {one.rule for one in found} == {rule}
    sure = SURE_IN_PART.get(text, rule not in PROBABLE)
    assert {one.sure for one in found} == {sure}, [one.why_probable for one in found]
    for finding in found:
        assert finding.evidence
        assert finding.sentence.endswith(".")
        assert finding.mend.endswith(".")
        assert not BY_NAME[rule].hangs


@pytest.mark.parametrize("text", RIGHT)
def test_a_program_that_is_right(text: str, examined: dict[str, list[Finding]]) -> None:
    assert [one.sentence for one in examined[text]] == []


def test_each_rule_about_deeds_has_a_program() -> None:
    assert set(FAULTS) == {page.name for page in BY_NAME.values() if not page.hangs}
    assert len(DEEDS) == len(set(DEEDS))


def test_a_trace_tells_the_same_and_no_fault_of_this_kind_ends_a_command(tmp_path: Path) -> None:
    """It is said when its command has ended by itself, and of its trace, too."""
    script = "printf 'a\\nb\\n' | while read -r x; do cat >/dev/null; done; sleep 0.5; echo done"
    trace, log = tmp_path / "t.ipcviz", tmp_path / "found.json"
    doctor = [sys.executable, "-m", "ipcviz", "doctor"]
    live = subprocess.run(
        [*doctor, "--until-hang", "--json", str(log), "--", "bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (live.returncode, live.stdout) == (1, "done\n")
    (found,) = json.loads(log.read_bytes())
    assert (found["rule"], found["sure"]) == ("shared-input", True)
    argv = [sys.executable, "-m", "ipcviz", "trace", "-o", str(trace), "--", "bash", "-c", script]
    subprocess.run(argv, check=True, timeout=60, stdout=subprocess.DEVNULL)
    again = subprocess.run(
        [*doctor, str(trace)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 1
    assert "cat, which bash started, has read from the input" in again.stderr
    assert again.stderr.count("[shared-input]") == 1
