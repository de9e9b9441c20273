"""Step mode on the real kernel: exactly one thread moves, what is said of it is so, and programs
don't notice.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import ipcviz.events as ev
from ipcviz.kernel import procfs
from ipcviz.model.steps import stepping
from ipcviz.scenario import find_scenario, prepare_launch
from ipcviz.scenario.format import Value
from tests.integration.harness import Programs
from tests.integration.lessons import run_lesson
from tests.integration.stepper import Stepper

SCENARIOS = Path(__file__).parents[2] / "scenarios"
POOL = """
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool: print(pool.map(abs, range(-6, 0)))
"""
MAKEFILE = (
    "all: a b\na: ; @cat Makefile | wc -l > a; echo a is built\nb: a ; @cat a; echo b is built\n"
)


def _kinds(events: Iterable[ev.Event], *kinds: type[ev.Event]) -> list[ev.Event]:
    return [event for event in events if isinstance(event, kinds)]


def _check_moves(stepper: Stepper, step: list[ev.Event], asleep: set[int]) -> None:
    """Only the thread that was let go did anything, and what it has made by vfork; others at most
    came out of the calls that they were blocked in.
    """
    moved = next(event for event in step if isinstance(event, ev.Stepped))
    made = {e.pid for e in step if isinstance(e, ev.Forked) and e.how == "vfork"}
    step = [event for event in step if getattr(event, "pid", 0) not in made]
    for event in step:
        if isinstance(event, ev.Call) and event.tid != moved.tid:
            assert event.tid in asleep, f"{event} although only {moved} was let go"
        if isinstance(event, ev.SemaphoreOp) and event.op == "acquired":
            continue  # computed from its return
        if isinstance(event, ev.Executed | ev.SemaphoreOp | ev.Marker) and event.pid != moved.pid:
            raise AssertionError(f"{event} although only {moved} was let go")
    returns = [event.tid for event in step if isinstance(event, ev.Call) and event.tid != moved.tid]
    assert len(returns) == len(set(returns)), "a thread that was woken went on after its return"


def _check_rest(stepper: Stepper) -> None:
    """Every thread is stopped or asleep, as /proc has it, and those that are held are stopped."""
    for thread in stepper.state.threads.values():
        look = procfs.read_stat(thread.pid, thread.tid)
        if look is None:
            continue
        assert look.state in ("t" if thread.poised else "SDTtZ"), (thread, look.state)


@pytest.mark.parametrize(
    "argv",
    [
        ("sh", "-c", "seq 1 300 | grep 7 | sort -rn | head -3; exit 7"),
        ("make", "-j2"),
        (sys.executable, "pool.py"),
        (
            "bash",
            "-c",
            (
                "trap 'echo usr1' USR1; kill -USR1 $$; cat <(echo x) | tr x y; (exit 3) & wait $!;"
                " echo $?"
            ),
        ),
    ],
    ids=["pipeline", "make", "pool", "bash"],
)
def test_from_the_first_to_the_last_operation_it_is_as_alone(
    tmp_path: Path, argv: tuple[str, ...]
) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "pool.py").write_text(POOL)
    alone = subprocess.run(
        argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    for name in ("a", "b"):
        (tmp_path / name).unlink(missing_ok=True)
    with Stepper(*argv, cwd=str(tmp_path)) as stepper:
        _steps_to_the_end(stepper)
        assert stepper.state.command_code == alone.returncode
        assert stepper.output.replace(b"\r\n", b"\n") == alone.stdout


def _steps_to_the_end(stepper: Stepper) -> None:
    """Let all take turns, and see at each step that only one moved and that all is at rest then."""
    asleep: set[int] = set()
    while not stepper.finished:
        if not stepper.held:
            stepper.until(lambda: bool(stepper.held) or stepper.finished)
            continue
        step = stepper.next()
        if any(isinstance(event, ev.Settled) for event in step):
            _check_moves(stepper, step, asleep)
            _check_rest(stepper)
        asleep = {thread.tid for thread in stepper.state.threads.values() if not thread.poised}
    stepped = [event.step for event in stepper.events if isinstance(event, ev.Stepped)]
    assert stepped == list(range(len(stepped))), "a step was lost"
    settled = [event.step for event in stepper.events if isinstance(event, ev.Settled)]
    assert settled == sorted(set(settled)), "a step came to rest twice"
    assert not [event for event in stepper.events if isinstance(event, ev.Table) and event.differed]


RUNS = [
    ("shell-pipeline", "sh", {"size": 1}, 0),
    ("fifo-gzip", "sh", {"size": 1, "delay": 0}, 0),
    *(
        ("mmap-queue", variant, {"messages": 3, "put-delay": 0, "get-delay": 0, "order": order}, 0)
        for variant in ("py", "c")
        for order in ("stack", "ring")
    ),
    *(
        ("sleep-race", variant, {"seconds": 1}, 0)
        for variant in ("py", "c", "py-sigsuspend", "c-sigsuspend")
    ),
]


@pytest.mark.parametrize(
    ("name", "variant", "values", "status"),
    RUNS,
    ids=[f"{r[0]}-{r[1]}-{r[2].get('order', '')}" for r in RUNS],
)
def test_every_scenario_steps_from_first_to_last(
    name: str, variant: str, values: dict[str, Value], status: int
) -> None:
    with (
        prepare_launch(find_scenario(name), variant, values) as launch,
        Stepper(*launch.argv, cwd=launch.cwd) as stepper,
    ):
        _steps_to_the_end(stepper)
        assert stepper.state.command_code == status


ODD = (
    "exec_thread",
    "vfork_exec",
    "daemon",
    "sem_static",
    "signals_exact",
    "raw_clone",
    "spliced",
    "given_late",
    "fuse_memory",
)


@pytest.mark.parametrize("name", ODD)
def test_odd_programs_end_as_alone(programs: Programs, tmp_path: Path, name: str) -> None:
    alone = subprocess.run([programs[name]], cwd=tmp_path, stdout=subprocess.PIPE, check=False)
    with Stepper(programs[name], cwd=str(tmp_path)) as stepper:
        stepper.to_the_end()
        assert stepper.state.command_code == alone.returncode
        assert stepper.output.replace(b"\r\n", b"\n") == alone.stdout


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "arrives"])
def test_the_viewer_decides_whether_the_wake_up_is_lost(lost: bool) -> None:
    program = SCENARIOS / "signals" / "sleep-race" / "sleep_pause.py"
    with Stepper(sys.executable, str(program), "1", "0") as stepper:
        stepper.to("1", "pause")
        pid = stepper.state.root
        if lost:
            stepper.until(lambda: bool(procfs.read_status(pid).shared_pending >> 13 & 1))  # type: ignore[union-attr]
            stepper.until(lambda: bool(stepper.state.processes[pid].sample.pending >> 13 & 1))  # type: ignore[union-attr]
            assert stepper.poised == {"1": "pause"}
            stepper.let("1")
            assert stepper.poised == {"1": "SIGALRM"}
            stepper.to("1", "rt_sigreturn")
            stepper.to("1", "pause")
            stepper.let("1")
            thread = stepper.state.threads[pid]
            assert thread.waiting is not None
            assert thread.waiting.name == "pause"
            assert not any(timer for timer in stepper.state.timers if timer[0] == pid)
            assert b"awake" not in stepper.output
        else:
            stepper.let("1")
            stepper.until(
                lambda: stepper.poised == {"1": "SIGALRM"}
            )  # woken by time: held, and nothing ran
            assert not _kinds(stepper.events, ev.SignalDelivered)
            stepper.to_the_end()
            assert b"awake" in stepper.output


def test_a_blocked_one_that_is_woken_is_held_at_its_return(programs: Programs) -> None:
    with Stepper("sh", "-c", "echo 12345 | cat") as stepper:
        stepper.to("1", "wait4")
        stepper.to("1.1", "write")
        stepper.to("1.2", "read")
        stepper.let("1.2")
        assert (
            stepper.state.threads[stepper.state.processes[_pid(stepper, "1.2")].pid].waiting
            is not None
        )
        step = stepper.let("1.1")
        calls = [(event.name, event.ret) for event in step if isinstance(event, ev.Call)]
        assert calls == [("write", 6), ("read", 6)] or calls == [("read", 6), ("write", 6)]
        assert stepper.poised["1.2"] == "return"
        pipe = next(event.object for event in step if isinstance(event, ev.Call))
        assert stepper.state.objects[pipe].level.queued == 0  # type: ignore[union-attr]
        stepper.let("1.2")
        assert stepper.poised["1.2"] == "write"


def _pid(stepper: Stepper, lineage: str) -> int:
    return next(p.pid for p in stepper.state.processes.values() if p.lineage == lineage)


def test_a_signal_that_is_sent_is_held_at_its_delivery() -> None:
    code = "import signal; signal.signal(signal.SIGUSR1, lambda *_: print('caught', flush=True))"
    code += "; import time; time.sleep(0.01)"
    with Stepper(sys.executable, "-I", "-S", "-c", code) as stepper:
        stepper.to("1", "clock_nanosleep")
        pid = stepper.state.root
        stepper.send(ev.SendSignal(pid=pid, signo=10))
        stepper.until(
            lambda: bool((s := stepper.state.processes[pid].sample) and s.pending >> 9 & 1)
        )
        assert stepper.poised == {"1": "clock_nanosleep"}
        stepper.let("1")
        assert stepper.poised == {"1": "SIGUSR1"}
        thread = stepper.held[0]
        assert thread.poised is not None
        assert thread.poised.action == "handler"
        stepper.let("1")
        assert [e.signo for e in stepper.events if isinstance(e, ev.SignalDelivered)] == [10]
        stepper.to_the_end()
        assert b"caught" in stepper.output


def test_one_that_only_computes_is_held_in_its_own_code() -> None:
    code = "import os; os.pipe()\nwhile True: pass"
    with Stepper(sys.executable, "-I", "-S", "-c", code) as stepper:
        stepper.to("1", "pipe2")
        stepper.let("1")
        assert stepper.poised == {"1": "run"}
        _check_rest(stepper)
        stepper.let("1")
        assert stepper.poised == {"1": "run"}


def test_semaphores_are_stepped_one_operation_at_a_time(programs: Programs) -> None:
    with Stepper(programs["sem_shared"]) as stepper:
        while not any(operation.startswith("sem_wait") for operation in stepper.poised.values()):
            stepper.next()
        name = next(who for who, operation in stepper.poised.items() if operation == "sem_wait")
        thread = next(
            t for t in stepper.held if t.poised is not None and t.poised.at == "semaphore"
        )
        assert thread.poised is not None
        before, key = thread.poised.value, thread.poised.semaphore.key  # type: ignore[union-attr]
        step = stepper.let(name)
        operations = [e for e in step if isinstance(e, ev.SemaphoreOp) and e.semaphore.key == key]
        assert [(e.op, e.value) for e in operations][:1] == [("wait", before)]
        if before:
            assert stepper.state.semaphores[key].value == before - 1


def test_a_live_run_is_held_at_once_and_goes_on_where_it_was() -> None:
    argv = (
        "sh",
        "-c",
        "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done | cat; head -c 3000000 /dev/zero | wc -c",
    )
    with Stepper(*argv, hold=False) as stepper:
        stepper.until(lambda: len(stepper.state.processes) >= 3)
        stepper.send(ev.HoldAll())
        stepper.until(lambda: stepper.resting)
        _check_rest(stepper)
        before = {
            pid: procfs.read_run_count(pid)
            for pid, p in stepper.state.processes.items()
            if p.fate == "alive"
        }
        count = len(_kinds(stepper.events, ev.Call))
        assert {pid: procfs.read_run_count(pid) for pid in before} == before
        assert len(_kinds(stepper.events, ev.Call)) == count
        stepper.send(ev.RunUntil())
        stepper.until(lambda: stepper.session.finished)
        assert stepper.output.strip() == b"3000000"
        assert stepper.state.command_code == 0


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (ev.Breakpoint(event="forked"), "1"),
        (ev.Breakpoint(event="exited"), ""),
        (ev.Breakpoint(event="call", call="write"), ""),
    ],
    ids=["forked", "exited", "write"],
)
def test_a_live_run_ends_at_its_breakpoint(point: ev.Breakpoint, expected: str) -> None:
    with Stepper("sh", "-c", "echo 1 | cat; echo 2 | cat; echo 3") as stepper:
        stepper.send(ev.RunUntil(until=(point,)))
        stepper.until(lambda: stepper.resting and len(_kinds(stepper.events, ev.Held)) == 2)
        held = _kinds(stepper.events, ev.Held)[-1]
        at = stepper.events.index(held)
        before = [e for e in stepper.events[:at] if e.__struct_config__.tag == point.event]
        if point.call:
            before = [e for e in before if isinstance(e, ev.Call) and e.name == point.call]
        assert before, "it was not held behind what the breakpoint names"
        assert b"3" not in stepper.output
        stepper.send(ev.RunUntil())
        stepper.until(lambda: stepper.session.finished)
        assert stepper.output.replace(b"\r", b"") == b"1\n2\n3\n"


def test_full_is_a_breakpoint() -> None:
    with Stepper("sh", "-c", "yes | sleep 100") as stepper:
        stepper.send(ev.RunUntil(until=(ev.Breakpoint(condition="full"),)))
        stepper.until(lambda: stepper.resting and len(_kinds(stepper.events, ev.Held)) == 2)
        full = [
            o
            for o in stepper.state.objects.values()
            if o.level is not None and o.level.queued == 65536
        ]
        assert full


def test_what_is_held_ends_with_the_session() -> None:
    with Stepper("sh", "-c", "sleep 100 | sleep 100") as stepper:
        stepper.to("1", "wait4")
        pids = [pid for pid, process in stepper.state.processes.items() if process.fate == "alive"]
        assert len(pids) == 3
    left = [
        look for pid in pids if (look := procfs.read_stat(pid)) is not None and look.state != "Z"
    ]
    assert not left


def test_a_child_of_vfork_takes_its_makers_turn(tmp_path: Path) -> None:
    command = "import os; os.posix_spawnp('true', ['true'], {}); os.wait()"
    with Stepper(sys.executable, "-c", command, cwd=str(tmp_path)) as stepper:
        while not any(isinstance(e, ev.Forked) and e.how == "vfork" for e in stepper.events):
            stepper.next()
        assert stepper.poised == {"1.1": "execve"}, "its maker sleeps in the call"
        stepper.let("1.1")
        assert stepper.poised["1"] == "return"


def test_a_search_along_path_is_no_operation(tmp_path: Path) -> None:
    search = f"{tmp_path}/none:{tmp_path}:/usr/bin:/bin"
    command = f"import os; os.execvpe('true', ['true'], {{'PATH': {search!r}}})"
    with Stepper(sys.executable, "-c", command, cwd=str(tmp_path)) as stepper:
        stepper.to("1", "execve")
        assert stepper.held[0].poised.args["path"] == "/usr/bin/true"
        stepper.let("1")
        assert stepper.state.processes[stepper.held[0].pid].name == "true"


def test_what_is_unset_is_not_in_the_commands_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    lesson = run_lesson("pipe-fork", "py")
    written = [e.data for e in lesson.events if isinstance(e, ev.Call) and e.name == "write"]
    assert b"5000\n" in written, "in one write, as alone"


def test_what_nobody_can_notice_is_no_operation(tmp_path: Path) -> None:
    """A shell copies its terminal at a redirection, and notes that a child has ended; grep reads
    of itself; all of them close the terminal at their ends.
    """
    command = "trap '' HUP; echo one > file; /bin/true; grep -c one file /proc/self/status; exit 0"
    with Stepper("dash", "-c", command, cwd=str(tmp_path)) as stepper:
        stepper.to_the_end()
        assert stepper.state.command_code == 0
        caught = {e.signo for e in _kinds(stepper.events, ev.SignalDelivered)}
    poised = [e for e in stepper.events if isinstance(e, ev.Poised)]
    names = [stepping.name_operation(e) for e in poised]
    assert {"write", "openat", "execve", "wait4"} <= set(names)
    assert not {"fcntl", "rt_sigreturn", "SIGCHLD"} & set(names), names
    assert caught == {17}
    terminal = {k for k, o in stepper.state.objects.items() if o.info.kind == "terminal"}
    assert not [e for e in poised if e.call == "close" and e.object in terminal]
