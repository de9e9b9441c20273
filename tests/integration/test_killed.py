"""ipcviz is ended in the middle: nothing that it launched is left, and no object of its own."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
from pathlib import Path

import pytest

from ipcviz import events as ev
from tests.integration.harness import (
    Bench,
    Programs,
    by_turns,
    contents,
    kernel_objects,
    list_left_objects,
    read_stream,
    settled,
    tagged,
)
from tests.integration.watched import Watched

COMMAND = [
    "bash",
    "-c",
    "setsid sleep 100 & yes | cat >/dev/null & (trap '' TERM INT; sleep 100) & sleep 100; echo on",
]


def tracer_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("TracerPid:\t")[1].split()[0])


def in_full_swing(run: Watched) -> int:
    """Wait until all of the command's processes are there; a process of it."""
    state = run.until(
        lambda s: sum(p.name in ("sleep", "yes", "cat") for p in s.processes.values()) == 5
    )
    names = [p.name for p in state.processes.values() if p.fate == "alive"]
    assert sorted(name for name in names if name != "bash") == [
        "cat",
        "sleep",
        "sleep",
        "sleep",
        "yes",
    ]
    return next(p.pid for p in state.processes.values() if p.name == "cat")


WAYS = [
    (victim, signo)
    for signo in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for victim in ("command line", "tracer")
    # Only the command line is at the terminal.
    if victim == "command line" or signo in (signal.SIGKILL, signal.SIGTERM)
]
WITH_OPTIONS = [(*way, "--no-pty") for way in WAYS] + [(*way, "--pty") for way in reversed(WAYS)]


@pytest.mark.parametrize(
    ("bench", "victim", "signo", "option"), by_turns(WITH_OPTIONS), indirect=["bench"]
)
def test_nothing_is_left(bench: Bench, victim: str, signo: signal.Signals, option: str) -> None:
    before = kernel_objects(bench.actor.uid)
    with Watched(bench, COMMAND, (), option) as run:
        one = in_full_swing(run)
        os.kill(run.process.pid if victim == "command line" else tracer_of(one), signo)
        run.process.wait(10)
        left = settled(lambda: tagged(run.tag), 5.0)
        for pid, _ in left:
            os.kill(pid, signal.SIGKILL)
        assert not left
        assert run.process.returncode != 0
    assert not contents(bench.temporary)
    assert not contents(bench.work)
    assert not list_left_objects(bench.actor.uid, before)
    assert read_stream_until_cut(bench)


def read_stream_until_cut(bench: Bench) -> list[ev.Event]:
    """Whatever came before the end can be read; at most the last line is cut."""
    data = bench.stream.read_bytes()
    whole = data[: data.rindex(b"\n") + 1]
    bench.stream.write_bytes(whole)
    return read_stream(bench.stream)


def test_the_terminals_interrupt_is_for_the_command(bench: Bench) -> None:
    """^C at the terminal goes to the whole foreground group: the command decides what it does, as
    it would alone.
    """
    # No child to wait for: bash has a race of its own there, if SIGINT comes while it sets the
    # handler for that wait.
    script = "trap 'echo caught; exit 6' INT; echo ready >ready; while :; do read -t 1 line; done"
    master, slave = os.openpty()
    bench.clear()
    process = bench.start(
        bench.observed(["bash", "-c", script]),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    assert settled(lambda: [] if (bench.work / "ready").exists() else [1], 10) == []
    os.write(master, b"\x03")
    assert process.wait(10) == 6
    assert b"caught" in os.read(master, 1000)
    os.close(master)


def test_a_semaphore_in_use_is_not_left_broken(bench: Bench, programs: Programs) -> None:
    """Killed while breakpoints are set, ipcviz takes the launched processes with it, and no file is
    changed.
    """
    libc = next(
        Path(line.split()[-1])
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "/libc.so.6" in line
    )
    before = libc.read_bytes()
    with Watched(bench, ["sh", "-c", f"while :; do {programs['sem_shared']}; done"], ()) as run:
        run.until(lambda s: len(s.semaphores) >= 2)
        os.kill(run.process.pid, signal.SIGKILL)
        run.process.wait(10)
        assert not settled(lambda: tagged(run.tag), 5.0)
    assert libc.read_bytes() == before


def test_the_reader_of_our_output_goes_away(bench: Bench) -> None:
    """`ipcviz trace ... | head -1`: the command gets its SIGPIPE, as it would alone."""
    argv = bench.observed(["sh", "-c", "yes; echo $? >status"])
    bench.clear()
    with bench.start(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == b"y\n"
        process.stdout.close()
        assert process.wait(20) == 0
    assert (bench.work / "status").read_text() == "141\n"


def test_the_reader_of_the_commands_terminal_goes_away(bench: Bench) -> None:
    """With a terminal of its own, what the command writes goes through us: then we die of SIGPIPE,
    and it with us.
    """
    argv = bench.observed(["yes"], "--pty")
    bench.clear()
    with bench.start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(3) == b"y\r\n"
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr.read() == b""
