"""Attaching to running processes: what is told is what /proc says, and they don't notice."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.kernel import descriptors, procfs
from ipcviz.kernel.arch import find_native_arch
from ipcviz.model.query import blocked_writers, list_holders
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.values import Why
from ipcviz.narrate.waits import describe_reason
from ipcviz.tracer.attached.watcher import Watcher
from ipcviz.tracer.config import AttachConfig
from ipcviz.tracer.emitter import Emitter
from tests.integration.attached import (
    Attached,
    Target,
    felt,
    felt_at_rest,
    holders_in_proc,
    settled,
)
from tests.integration.harness import Bench, Programs, by_turns

MODES = ("", "--trace")


def options(mode: str, *more: str) -> tuple[str, ...]:
    return (*([mode] if mode else []), *more)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def asleep(pid: int, call: str) -> bool:
    """Whether a process sleeps in the call of that number."""
    with open(f"/proc/{pid}/syscall") as file:
        return file.read().split()[0] == call


@pytest.mark.parametrize("mode", MODES)
def test_a_pipeline(bench: Bench, mode: str) -> None:
    """Every pipe's holders, and what each process sleeps in; and then the bytes go through as if
    nothing had been.
    """
    with Target(bench, ["sh", "-c", "cat | tr a b | cat; echo $?"]) as target:
        pids: list[int] = []
        for _ in target._patiently():
            pids = [target.pid, *children(target.pid)]
            if len(pids) == 4 and all(asleep(pid, "0") for pid in pids[1:]):
                break
        before = {pid: felt_at_rest(pid) for pid in pids}
        with Attached(bench, [target.pid], *options(mode, "--tree")) as run:
            truth = holders_in_proc(pids, "pipe:")

            def right(state: object) -> bool:
                told = list_holders(run.state)
                return {
                    k: {(h.pid, h.fd) for h in told.get(k, ())} for k in truth
                } == truth and all(wait_of(run.state, pid) for pid in pids)

            state = run.until(right)
            told = list_holders(state)
            assert {k: {(h.pid, h.fd) for h in told.get(k, ())} for k in truth} == truth
            assert len(truth) >= 4
            held = list_holders(state)
            for reader in pids[1:]:
                wait = wait_of(state, reader, held)
                assert wait is not None
                assert (wait.call, wait.fd, wait.why) == ("read", 0, Why.EMPTY)
                assert wait.object == os.readlink(f"/proc/{reader}/fd/0")
            shell = wait_of(state, target.pid)
            assert shell is not None
            assert shell.call in ("wait4", "waitid")
            assert state.started is not None
            assert state.started.mode == "attached"
            if mode:
                assert all(run.full(pid) for pid in pids)
            else:
                assert not any(process.full for process in state.processes.values())
                assert {felt(pid)[f"{pid} TracerPid"] for pid in pids} == {"0"}
            run.leave()
            assert isinstance(run.events[-1], ev.Finished)
            assert run.events[-1].detached == 4
        for pid in pids:
            assert settled(pid, before[pid]) == before[pid]
        out, err = target.process.communicate(b"banana\n")
        assert (target.process.returncode, out, err) == (0, b"bbnbnb\n0\n", b"")


@pytest.mark.parametrize("mode", MODES)
def test_a_blocked_writer(bench: Bench, programs: Programs, mode: str) -> None:
    """It is full short of its capacity, the writer is left in its call, and gets SIGPIPE when the
    reader goes.
    """
    with Target(bench, [programs["truth_blocked"]], ("blocked",)) as target:
        facts = target.at("blocked")
        key = os.readlink(f"/proc/{facts['pid']}/fd/{facts['read']}")
        before = felt_at_rest(facts["writer"])
        with Attached(bench, [target.pid], *options(mode, "--tree")) as run:
            state = run.until(
                lambda s: bool(blocked_writers(s, key)) and s.objects[key].level is not None
            )
            level = state.objects[key].level
            assert level is not None
            assert (level.queued, level.capacity, level.writable) == (
                facts["queued"],
                facts["capacity"],
                False,
            )
            assert level.slots == level.slots_total == 16
            wait = wait_of(state, facts["writer"], list_holders(state))
            assert wait is not None
            assert (wait.call, wait.fd, wait.object) == ("write", facts["write"], key)
            assert wait.waker_pids == (facts["pid"],)
            assert re.match(r"\d+", before[f"{facts['writer']} call"])
            assert (
                felt(facts["writer"])[f"{facts['writer']} call"]
                == before[f"{facts['writer']} call"]
            )
            target.release("blocked")
            state = run.until(lambda s: s.processes[facts["writer"]].fate != "alive")
            end = state.processes[facts["writer"]]
            assert end.fate != "alive"
            assert not end.exit_known or end.exit_signal == signal.SIGPIPE
            assert end.exit_known or not mode
            assert run.finish() == 0
            assert isinstance(run.events[-1], ev.Finished)
            assert run.events[-1].detached == 0
        out, _ = target.process.communicate()
        assert out == b"writer killed by 13\n"


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_cut_short(bench: Bench, programs: Programs, mode: str) -> None:
    """Threads in every call that a stop can cut short or shorten: attached to and left, again and
    again.
    """
    with Target(bench, [programs["attach_counts"]], ("busy", "calm")) as target:
        sent = 0
        for turn in range(4):
            facts = target.at("calm" if turn > 1 else "busy")
            with Attached(bench, [target.pid], *options(mode)) as run:
                threads = len(os.listdir(f"/proc/{target.pid}/task"))
                run.until(
                    lambda s, threads=threads: (
                        target.pid in s.processes
                        and len(s.processes[target.pid].threads) == threads
                    )
                )
                assert len(run.state.processes[target.pid].threads) == threads
                if mode:
                    run.until(
                        lambda s: any(
                            isinstance(e, ev.Call) and e.name == "epoll_wait" for e in run.events
                        )
                    )
                for _ in range(300):
                    os.kill(target.pid, facts["signal"])
                    sent += 1
                # In the middle of all that, by every way out.
                run.leave((signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGKILL)[turn])
            if turn == 1:
                target.release("busy")
        deadline = time.monotonic() + 5
        while felt(target.pid)[f"{target.pid} TracerPid"] != "0" and time.monotonic() < deadline:
            time.sleep(0.01)
        target.release("calm")
        out, err = target.process.communicate(timeout=20)
        assert (out.decode(), err) == (f"cut short 0, parts 0, signals {sent}, enough 1\n", b"")


@pytest.mark.parametrize("mode", MODES)
def test_pipes_that_are_locked_by_calls_that_sleep(
    bench: Bench, programs: Programs, mode: str
) -> None:
    """The tracer asks them in vain, and goes on."""
    with Target(bench, [programs["spliced"], "barrier", "go"], ("go",)) as target:
        target.at("go")
        with Attached(bench, [target.pid], *options(mode, "--tree")) as run:
            target.release("go")
            out, _ = target.process.communicate(timeout=20)
            assert run.process.wait(20) == 0
        assert out == bench.run([programs["spliced"]]).stdout


@pytest.mark.parametrize("mode", MODES)
def test_semaphores(bench: Bench, programs: Programs, mode: str) -> None:
    name = f"/ipcviz-attach-{os.getpid()}-{bench.actor.name}-{mode.strip('-')}"
    with Target(bench, [programs["truth_semaphores"], name, "keep"], ("semaphores",)) as target:
        facts = target.at("semaphores")
        waiters = [facts[f"waiter{i}"] for i in range(3)]
        before = {pid: felt_at_rest(pid) for pid in waiters}
        with Attached(bench, [target.pid], *options(mode, "--tree")) as run:

            def named(suffix: str) -> tuple[int | None, int]:
                found = [s for s in run.state.semaphores.values() if s.info.name == name + suffix]
                return (found[0].value, found[0].waiters) if found else (None, -1)

            def set_of() -> list[int | None]:
                return [s.value if s else None for s in map(run.state.semaphores.get, keys)]

            keys = [f"sysv:{facts['sysv']}:{i}" for i in range(3)]
            values = [facts["sysv0"], facts["sysv1"], facts["sysv2"]]
            state = run.until(
                lambda s: (
                    named("-0") == (0, 1)
                    and set_of() == values
                    and all(wait_of(s, waiter) is not None for waiter in waiters)
                )
            )
            assert named("") == (facts["named"], 0)
            assert named("-0") == (facts["empty"], 1)
            assert set_of() == values
            wait = wait_of(state, facts["waiter0"])
            assert wait is not None
            assert wait.call == "sem_wait"
            assert state.semaphores[wait.semaphore].info.name == f"{name}-0"
            other = wait_of(state, facts["waiter2"])
            assert other is not None
            assert other.call in ("semop", "semtimedop")
            run.leave()
        assert {pid: settled(pid, before[pid]) for pid in waiters} == before
        target.release("semaphores")
        assert target.process.wait(20) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("mode", MODES)
def test_a_stopped_process_stays_stopped(bench: Bench, mode: str, how: int) -> None:
    """With a signal pending, and going on afterwards as if nothing had been."""
    code = (
        "import signal, time, os\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'caught\\n'))\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})\n"
        "os.write(1, b'ready\\n')\n"
        "end = time.monotonic() + 60\n"
        "while time.monotonic() < end and not os.path.exists('over'): time.sleep(0.01)\n"
    )
    with Target(bench, [sys.executable, "-c", code]) as target:
        assert target.process.stdout is not None
        assert target.process.stdout.readline() == b"ready\n"
        os.kill(target.pid, signal.SIGSTOP)
        for _ in target._patiently():
            if felt(target.pid)[f"{target.pid} State"].startswith("T (stopped)"):
                break
        os.kill(target.pid, signal.SIGUSR1)
        os.kill(target.pid, signal.SIGUSR2)
        before = felt_at_rest(target.pid)
        with Attached(bench, [target.pid], *options(mode)) as run:
            state = run.until(
                lambda s: (
                    target.pid in s.processes
                    and (
                        bool(s.processes[target.pid].stopped_by)
                        or s.threads[target.pid].state == "T"
                    )
                )
            )
            if mode:
                assert state.processes[target.pid].stopped_by == signal.SIGSTOP
            else:
                assert state.threads[target.pid].state == "T"
            assert state.threads[target.pid].blocked == 1 << (signal.SIGUSR2 - 1)
            run.leave(how)
        assert settled(target.pid, before) == before
        os.kill(target.pid, signal.SIGCONT)
        assert target.process.stdout.readline() == b"caught\n"
        (bench.work / "over").touch()
        assert target.process.wait(20) == 0


@pytest.mark.parametrize("mode", MODES)
def test_the_first_thread_has_ended(bench: Bench, programs: Programs, mode: str) -> None:
    """The process goes on by its other thread, and what it has open is told, though /proc/PID/fd
    shows nothing.
    """
    with Target(bench, [programs["leader_exits"], "waits"], ("alone",)) as target:
        target.at("alone")
        (other,) = {int(tid) for tid in os.listdir(f"/proc/{target.pid}/task")} - {target.pid}
        with Attached(bench, [target.pid], *options(mode)) as run:
            state = run.until(
                lambda s: len(s.descriptors_of(target.pid)) > 0 and wait_of(s, other) is not None
            )
            assert {str(fd) for fd in state.descriptors_of(target.pid)} == set(
                os.listdir(f"/proc/{other}/fd")
            )
            assert wait_of(state, other) is not None
            run.leave()
        target.release("alone")
        out, err = target.process.communicate(timeout=20)
        assert (target.process.returncode, out, err) == (
            9,
            b"from a thread's child\nchild exited 0\n",
            b"",
        )


@pytest.mark.parametrize("mode", MODES)
def test_children_and_threads_come_and_go(bench: Bench, mode: str) -> None:
    code = (
        "import subprocess, sys, threading, time\nfor line in sys.stdin:\n    if line =="
        " 'child\\n': child = subprocess.Popen(['sleep', '60'])\n    if line == 'thread\\n': gate ="
        " threading.Event(); threading.Thread(target=gate.wait).start()\n    if line == 'end\\n':"
        " child.kill(); child.wait(); gate.set()\n    print('done', flush=True)\n"
    )
    with Target(bench, [sys.executable, "-c", code]) as target:
        stdin, stdout = target.process.stdin, target.process.stdout
        assert stdin is not None
        assert stdout is not None

        def do(word: bytes) -> None:
            stdin.write(word + b"\n")
            stdin.flush()
            assert stdout.readline() == b"done\n"

        do(b"thread")
        with Attached(bench, [target.pid], *options(mode, "--tree")) as run:
            run.until(
                lambda s: target.pid in s.processes and len(s.processes[target.pid].threads) == 2
            )
            assert len(run.state.processes[target.pid].threads) == 2
            do(b"child")
            (child,) = children(target.pid)
            state = run.until(lambda s: child in s.processes and s.processes[child].name == "sleep")
            assert state.processes[child].parent == target.pid
            assert state.processes[child].how in ("fork", "vfork", "clone")
            state = run.until(lambda s: wait_of(s, child) is not None)
            assert {h.pid for h in list_holders(state)[os.readlink(f"/proc/{child}/fd/0")]} == {
                target.pid,
                child,
            }
            do(b"end")
            state = run.until(
                lambda s: (
                    s.processes[child].fate == "gone" and len(s.processes[target.pid].threads) == 1
                )
            )
            assert state.processes[child].fate == "gone"
            assert state.processes[child].exit_signal == 9 or not state.processes[child].exit_known
            assert bool(mode) <= state.processes[child].exit_known
            assert len(state.processes[target.pid].threads) == 1
            run.leave()
        out, err = target.process.communicate()
        assert (target.process.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize("call", ["poll", "futex", "wait4", "epoll_wait", "read"])
def test_a_thread_that_was_asked_out_of_its_call(bench: Bench, call: str) -> None:
    """It goes on sleeping in the call that it was in, and that is what is told, by its name."""
    lines = {
        "poll": "p = select.poll(); p.register(r); p.poll(40000)",
        "futex": (
            "threading.Lock().acquire() and (l := threading.Lock()).acquire() and"
            " l.acquire(timeout=40)"
        ),
        "wait4": "os.fork() or time.sleep(60); os.wait()",
        "epoll_wait": "e = select.epoll(); e.register(r); e.poll(40)",
        "read": "os.read(r, 1)",
    }
    code = (
        "import os, select, threading, time\nr, w = os.pipe()\nprint(1,"
        f" flush=True)\n{lines[call]}\n"
    )
    with Target(bench, [sys.executable, "-c", code]) as target:
        assert target.process.stdout is not None
        target.process.stdout.readline()
        for _ in target._patiently():
            if Path(f"/proc/{target.pid}/wchan").read_text() not in ("0", ""):
                break
        with Attached(bench, [target.pid], "--trace") as run:
            if call != "epoll_wait":
                assert run.full(target.pid)
            state = run.until(lambda s: wait_of(s, target.pid) is not None)
            wait = wait_of(state, target.pid)
            assert wait is not None
            assert wait.call == call
            if call == "read":
                assert wait.object == os.readlink(f"/proc/{target.pid}/fd/{wait.fd}")
            time.sleep(0.2)
            run.read()
            found = [
                e.call for e in run.events if isinstance(e, ev.Waiting) and e.pid == target.pid
            ]
            assert set(found) == {call}
            assert run.state.processes[target.pid].full == (call != "epoll_wait")
            assert not [e for e in run.events if isinstance(e, ev.Call)]
            run.leave()
        for pid in [*children(target.pid), target.pid]:
            os.kill(pid, signal.SIGKILL)


def test_waits_that_began_before_the_watch(bench: Bench) -> None:
    """Each by its name, after a stop too, and from the first with the reason: nobody opens it,
    nobody accepts.
    """
    lines = {
        "poll": "select.poll().poll(100_000)",
        "clock_nanosleep": "ctypes.CDLL(None).sleep(100)",
        "futex": "(l := threading.Lock()).acquire() and l.acquire(timeout=100)",
        "openat": "os.mkfifo('fifo'); os.open('fifo', os.O_WRONLY)",
        "recvfrom": "(c := socket.socket(socket.AF_UNIX)).connect('listens'); c.recv(1)",
        "wait4": "os.wait()",
    }
    code = "import ctypes, os, select, signal, socket, sys, threading\n"
    code += "s = socket.socket(socket.AF_UNIX); s.bind('listens'); s.listen(3)\n"
    code += "".join(f"os.fork() or exec({line!r})\n" for line in [*lines.values()][:-1])
    code += "os.write(1, b'ready\\n')\nos.wait()\n"
    with Target(bench, [sys.executable, "-c", code]) as target:
        pids: list[int] = []

        def calls() -> list[str]:
            return [Path(f"/proc/{pid}/syscall").read_text().split()[0] for pid in pids]

        for _ in target._patiently():
            pids = [*children(target.pid), target.pid]
            if len(pids) == len(lines) and calls() == ["7", "230", "202", "257", "45", "61"]:
                break
        for signo in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                os.kill(pid, signo)
        for _ in target._patiently():
            if calls() == ["219", "219", "219", "257", "45", "61"]:
                break
        with Attached(bench, [target.pid], "--tree") as run:
            run.until(
                lambda s: all(pid in s.processes and wait_of(s, pid) is not None for pid in pids)
            )
            state, first = State(), {}
            for event in run.events:
                state = reduce(state, event)
                if isinstance(event, ev.Waiting):
                    wait = wait_of(state, event.pid)
                    first.setdefault(event.pid, (wait.call, describe_reason(state, wait)))
            told = dict(first[pid] for pid in pids)
            assert list(told) == list(lines)
            assert told["openat"] == "no reader has it open"
            assert "has not accepted it yet: the only one in the backlog of S1" in told["recvfrom"]
            run.leave()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_tables_of_those_that_sleep_are_not_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But now and then, and as soon as one has run."""
    code = (
        "import socket, sys\npairs = [socket.socketpair() for _ in range(400)]\nprint('ready',"
        " flush=True)\n"
    )
    code += (
        "sys.stdin.readline(); one = socket.socket(); print('done', flush=True);"
        " sys.stdin.readline()\n"
    )
    ours, theirs = socket.socketpair()
    arch = find_native_arch()
    assert arch is not None
    with Target(bench, [sys.executable, "-c", code]) as target, ours, theirs:
        stdin, stdout = target.process.stdin, target.process.stdout
        assert stdin is not None
        assert stdout is not None
        assert stdout.readline() == b"ready\n"
        for _ in target._patiently():
            if asleep(target.pid, "0"):
                break
        drain = threading.Thread(
            target=lambda: [None for _ in iter(lambda: theirs.recv(1 << 20), b"")], daemon=True
        )
        drain.start()
        watcher = Watcher(arch, AttachConfig(pids=(target.pid,)), Emitter(ours))
        watcher.begin()
        reads: list[str] = []
        for module, name in ((procfs, "read_links"), (descriptors, "read_table")):
            real = getattr(module, name)
            monkeypatch.setattr(
                module,
                name,
                lambda *a, real=real, name=name, **k: reads.append(name) or real(*a, **k),
            )
        for _ in range(20):
            watcher.sample()
        assert reads.count("read_links") <= 5
        assert reads.count("read_table") == 0
        stdin.write(b"go\n")
        stdin.flush()
        assert stdout.readline() == b"done\n"
        watcher.sample()
        state = watcher._context.state
        assert {str(fd) for fd in state.descriptors_of(target.pid)} == set(
            os.listdir(f"/proc/{target.pid}/fd")
        )
        ours.shutdown(socket.SHUT_WR)
        drain.join()
        target.process.communicate(b"end\n", timeout=20)


def test_traced_calls_are_told(bench: Bench) -> None:
    """Once every thread is followed, each write is told, and its bytes."""
    with (
        Target(bench, ["sh", "-c", "while read line; do echo $line; done"]) as target,
        Attached(bench, [target.pid], "--trace") as run,
    ):
        assert run.full(target.pid)
        stdin, stdout = target.process.stdin, target.process.stdout
        assert stdin is not None
        assert stdout is not None
        for n in range(20):
            stdin.write(b"%d\n" % n)
            stdin.flush()
            assert stdout.readline() == b"%d\n" % n

        def written() -> list[bytes]:
            return [e.data for e in run.events if isinstance(e, ev.Call) and e.name == "write"]

        run.until(lambda _: len(written()) >= 20)
        assert written() == [b"%d\n" % n for n in range(20)]
        stdin.close()
        target.process.stdin = None
        assert target.process.wait(20) == 0
        assert run.finish() == 0
        assert [(e.code, e.signo) for e in run.events if isinstance(e, ev.Exited)] == [(0, 0)]


WAYS = [(mode, how) for how in ("ctrl+q", signal.SIGTERM, signal.SIGKILL) for mode in MODES]


@pytest.mark.parametrize(
    ("bench", "mode", "how"), by_turns([*WAYS[:2], *WAYS[3:1:-1], *WAYS[4:]]), indirect=["bench"]
)
def test_leaving_the_screen(bench: Bench, mode: str, how: str | int) -> None:
    """However it ends, what was attached to runs on."""
    with Target(
        bench, ["sh", "-c", "exec 3>pipe-of-ours; while read line; do echo $line; done"]
    ) as target:
        for _ in target._patiently():
            if asleep(target.pid, "0"):
                break
        before = felt_at_rest(target.pid)
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, (40, 140))
        argv = [sys.executable, "-m", "ipcviz", "attach", *options(mode), str(target.pid)]
        screen = bench.start(argv, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        os.set_blocking(master, False)
        shown = b""
        for _ in target._patiently():
            with contextlib.suppress(BlockingIOError):
                shown += os.read(master, 1 << 20)
            if b"sampled" in shown and b"pipe-of-ours" in shown:
                break
        assert b"sampled" in shown
        assert b"pipe-of-ours" in shown
        assert felt(target.pid)[f"{target.pid} TracerPid"] != "0" or not mode
        if how == "ctrl+q":
            os.write(master, b"\x11")
        else:
            screen.send_signal(int(how))
        for _ in target._patiently():
            with contextlib.suppress(OSError):
                shown += os.read(master, 1 << 20)
            if screen.poll() is not None:
                break
        assert screen.poll() == {"ctrl+q": 0, signal.SIGTERM: 143, signal.SIGKILL: -9}[how]
        with contextlib.suppress(OSError):
            shown += os.read(master, 1 << 20)
        # The terminal is given back (rmcup), unless nobody was left to do that.
        assert (b"\x1b[?1049l" in shown) == (how != signal.SIGKILL)
        os.close(master)
        assert settled(target.pid, before) == before
        out, err = target.process.communicate(b"still here\n")
        assert (target.process.returncode, out, err) == (0, b"still here\n", b"")


def test_a_screen_needs_a_terminal(bench: Bench) -> None:
    with Target(bench, ["sleep", "60"]) as target:
        argv = [sys.executable, "-m", "ipcviz", "attach", str(target.pid)]
        done = subprocess.run(
            [*bench.actor.prefix, *argv], cwd=bench.work, env=bench.environment(""),
            stdin=subprocess.DEVNULL,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert b"--jsonl" in done.stderr
        target.process.kill()
