"""What can't be attached to: one sentence with the mend, and exit status 2."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ipcviz.kernel import procfs, ptrace
from ipcviz.tracer.attached import attach
from tests.integration.attached import Attached, Target
from tests.integration.harness import Bench
from tests.integration.puppet import Puppet, gone_pid, until


def refused(bench: Bench, *arguments: str) -> str:
    outcome = subprocess.run(
        [
            *bench.actor.prefix,
            sys.executable,
            "-m",
            "ipcviz",
            "attach",
            "--jsonl",
            "-o",
            "stream",
            *arguments,
        ],
        cwd=bench.work,
        env=bench.environment(""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 2, outcome.stderr
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("ipcviz: ")
    assert outcome.stderr.count("\n") == 1
    assert outcome.stderr.rstrip()[-1] in ".)"
    assert not (bench.work / "stream").exists()
    return outcome.stderr


@pytest.mark.parametrize("mode", ["", "--trace"])
def test_no_such_process(bench: Bench, mode: str) -> None:
    bench.clear()
    arguments = [mode] if mode else []
    pid = gone_pid()
    assert f"no process {pid}" in refused(bench, *arguments, str(pid))
    assert "no process 0" in refused(bench, *arguments, "0")
    assert "no process 99999999999" in refused(bench, *arguments, "99999999999")
    assert "no process -5" in refused(bench, *arguments, "--", "-5")


def test_not_a_number(bench: Bench) -> None:
    bench.clear()
    assert "firefox" in refused(bench, "firefox")
    assert "PID" in refused(bench)


def test_a_thread(bench: Bench) -> None:
    code = (
        "import threading, sys\nt = threading.Thread(target=sys.stdin.read);"
        " t.start()\nprint(t.native_id, flush=True)"
    )
    with Target(bench, [sys.executable, "-c", code]) as target:
        assert target.process.stdout is not None
        tid = int(target.process.stdout.readline())
        text = refused(bench, str(tid))
        assert f"{tid} is a thread" in text
        assert f"attach to {target.pid}." in text
        target.process.kill()


def test_a_thread_of_the_kernel(bench: Bench) -> None:
    bench.clear()
    if Path("/proc/2/comm").read_text() != "kthreadd\n":
        pytest.skip("this PID namespace shows no threads of the kernel")
    assert "kernel" in refused(bench, "2")


def test_a_zombie(bench: Bench) -> None:
    bench.clear()
    child = subprocess.Popen(["true"])
    until(lambda: Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    text = refused(bench, str(child.pid))
    assert "has ended" in text
    assert f"[{os.getpid()}]" in text
    child.wait()


def test_another_users_process(bench: Bench) -> None:
    if bench.actor.uid == os.getuid():
        pytest.skip("root may look at anyone's, and an ordinary user's are all that there are")
    puppet = Puppet()
    try:
        bench.clear()
        text = refused(bench, str(puppet.pid))
        assert "a process of root" in text
        assert "run ipcviz as root (" in text
    finally:
        puppet.close()


def test_ipcviz_itself() -> None:
    with pytest.raises(attach.AttachError, match="itself"):
        attach.check_processes([os.getpid()], spare=[os.getpid()])


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("1", "ptrace_scope=0"),
        ("2", "as root"),
        ("3", "next boot"),
        ("", "container"),
        ("0", "container"),
    ],
)
def test_yama(monkeypatch: pytest.MonkeyPatch, scope: str, words: str) -> None:
    """The kernel refuses, and the sentence says by which setting, and what to do."""
    puppet = Puppet()
    real = ptrace._read_text
    try:
        monkeypatch.setattr(attach, "_find_refusal", lambda pid: errno.EPERM)
        monkeypatch.setattr(
            ptrace,
            "_read_text",
            lambda path: scope if path.endswith("ptrace_scope") else real(path),
        )
        with pytest.raises(attach.AttachError, match=words) as caught:
            attach.check_processes([puppet.pid])
        assert str(caught.value).count(".\n") == 0
        assert "python" in str(caught.value)
    finally:
        puppet.close()


def test_hidden_from_its_own_user(monkeypatch: pytest.MonkeyPatch) -> None:
    puppet = Puppet()
    try:
        monkeypatch.setattr(procfs, "read_fd_numbers", lambda pid: None)
        with pytest.raises(attach.AttachError, match="PR_SET_DUMPABLE"):
            attach.check_processes([puppet.pid])
    finally:
        puppet.close()


def test_gone_between_the_check_and_the_look(bench: Bench) -> None:
    """Checked, then killed before the tracer came to it: said by the tracer, and status 2."""
    bench.clear()
    code = (
        "import os, signal, sys, ipcviz.session.live as live\n"
        "from ipcviz.cli.main import main\n"
        "start = live.LiveSession.start\n"
        "def late(self):\n"
        "    os.kill(int(sys.argv[-1]), signal.SIGKILL)\n"
        "    while os.path.exists('/proc/' + sys.argv[-1] + '/exe'): pass\n"
        "    start(self)\n"
        "live.LiveSession.start = late\n"
        "main()\n"
    )
    for mode in ([], ["--trace"]):
        with Target(bench, ["sleep", "60"]) as target:
            argv = [
                sys.executable,
                "-c",
                code,
                "attach",
                *mode,
                "--jsonl",
                "-o",
                "stream",
                str(target.pid),
            ]
            done = subprocess.run(
                [*bench.actor.prefix, *argv],
                cwd=bench.work,
                env=bench.environment(""),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 2, done
            assert str(target.pid) in done.stderr
            assert "Traceback" not in done.stderr
            assert done.stderr.count("\n") == 1


def test_traced_already(bench: Bench) -> None:
    """--trace is refused; samples are not."""
    with (
        Target(bench, ["sleep", "60"]) as target,
        Attached(bench, [target.pid], "--trace") as first,
    ):
        first.until(
            lambda s: target.pid in s.processes and s.processes[target.pid].sample is not None
        )
        text = refused(bench, "--trace", str(target.pid))
        assert "is traced already by" in text
        assert "without --trace" in text
        stream = bench.keep / "second"
        argv = [
            sys.executable,
            "-m",
            "ipcviz",
            "attach",
            "--jsonl",
            "-o",
            str(stream),
            "--seconds",
            "0.3",
        ]
        assert bench.start([*argv, str(target.pid)]).wait(20) == 0
        assert b'"finished"' in stream.read_bytes()
        first.leave(signal.SIGINT)
        target.process.kill()
