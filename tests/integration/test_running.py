"""Running processes to choose from, and what hardly changes of one, against /proc and the system's
own tools.
"""

from __future__ import annotations

import os
import pwd
import resource
import subprocess
import sys
import time

import pytest

from ipcviz.cli.choosing import find_processes
from ipcviz.events import Inspect, ProcessFacts, Sample, Started
from ipcviz.kernel.running import LIMITS, list_processes
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.running import RunningProcess, list_running

pytestmark = pytest.mark.kernel

MINE = pwd.getpwuid(os.geteuid()).pw_name


def running(pid: int, blocked_in: str = "") -> RunningProcess:
    """A process as it is listed, once it is blocked in that."""
    deadline = time.monotonic() + 10
    while True:
        found = next((process for process in list_running() if process.pid == pid), None)
        if found is not None and found.blocked_in.startswith(blocked_in):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("program", "blocked_in"),
    [
        ("import os; os.read(0, 1)", "read(0) on a pipe"),
        ("import time; time.sleep(60)", "clock_nanosleep for time to pass"),
        ("import signal; signal.pause()", "pause for a signal"),
        (
            (
                "import socket; s = socket.socket(socket.AF_UNIX); s.bind('\\0'); s.listen();"
                " s.accept()"
            ),
            "accept4(3) on a socket",
        ),
        (
            (
                "import threading; threading.Lock().acquire(); a = threading.Lock(); a.acquire();"
                " a.acquire()"
            ),
            "futex",
        ),
        ("import subprocess; subprocess.run(['cat'])", "wait4 for a child"),
    ],
)
def test_a_process_is_listed_with_what_it_is_blocked_in(program, blocked_in):
    with subprocess.Popen([sys.executable, "-S", "-c", program], stdin=subprocess.PIPE) as child:
        try:
            found = running(child.pid, blocked_in)
        finally:
            child.kill()
    assert found.user == MINE
    assert found.command == (sys.executable, "-S", "-c", program)
    assert abs(found.started - time.time()) < 60
    assert found.threads == 1


def test_a_stopped_process_says_so_and_a_zombie_is_not_listed():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        running(child.pid, "read(0)")
        child.send_signal(19)
        running(child.pid, "stopped")
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert child.pid not in [process.pid for process in list_running()]


def test_kernel_threads_and_ourselves_are_not_listed():
    listed = {process.pid for process in list_running((os.getpid(),))}
    assert os.getpid() not in listed
    kernel = {
        process.pid for process in list_processes() if not process.command and process.parent == 2
    }
    assert not listed & kernel


def test_a_name_finds_the_only_process_that_has_it(tmp_path):
    name = f"only-{os.getpid()}"
    (tmp_path / name).symlink_to("/bin/sleep")
    with subprocess.Popen([tmp_path / name, "60"]) as one:
        try:
            running(one.pid, "clock_nanosleep")
            assert find_processes([name]) == ((one.pid,), "", "")
            with subprocess.Popen([tmp_path / name, "60"]) as other:
                running(other.pid, "clock_nanosleep")
                found = find_processes([str(one.pid), name])
                other.kill()
            assert found.pids == ()
            assert found.search == name
            assert (
                found.why_not_alone
                == f"2 processes are called {name} ({one.pid}, {other.pid}): name one by its PID."
            )
        finally:
            one.kill()


def test_the_facts_of_a_process_that_is_looked_at():
    """They come once it is asked for, are those of the kernel, and come again only if they
    change.
    """
    session = LiveSession(LaunchConfig(argv=("nice", "-n", "3", "cat"), terminal=True))
    facts: list[ProcessFacts] = []
    started: list[Started] = []
    pid, asked = 0, False
    try:
        session.start()
        deadline = time.monotonic() + 20
        while not facts and time.monotonic() < deadline:
            session.wait(0.1)
            for event in session.drain():
                started += [event] if isinstance(event, Started) else []
                facts += event.facts if isinstance(event, Sample) else ()
                pid = pid or getattr(event, "pid", 0)
            if pid and not asked:
                assert not facts
                asked = True
                session.send(Inspect(pid=pid))
        before = len(os.sched_getaffinity(pid))
        assert facts[0].pid == pid
        assert facts[0].user == MINE
        assert abs(facts[0].started - time.time()) < 60
        assert len(facts[0].cpus) == before
        limits = {limit.name: (limit.soft, limit.hard) for limit in facts[0].limits}
        for name, number in LIMITS.items():
            assert limits[name] == resource.prlimit(pid, number), name
        while (
            facts[-1].nice != os.getpriority(os.PRIO_PROCESS, pid) and time.monotonic() < deadline
        ):
            session.wait(0.1)
            facts += [
                one for event in session.drain() if isinstance(event, Sample) for one in event.facts
            ]
        assert facts[-1].nice == os.getpriority(os.PRIO_PROCESS, pid)
    finally:
        session.close()
    host = started[0].host
    assert host is not None
    assert host.cpus == os.cpu_count()
    assert host.memory == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert abs(started[0].began - time.time()) < 60
