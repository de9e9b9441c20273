"""Which thread a signal that was sent to a whole process is for."""

import signal
import socket
from types import SimpleNamespace

import pytest

from ipcviz.events import Call, Disposition, Forked, ProcessSample, Sample, Started, ThreadCreated
from ipcviz.kernel import procfs, ptrace
from ipcviz.kernel.arch import X86_64
from ipcviz.tracer.config import AttachConfig, LaunchConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.stops.signals import SignalStops
from ipcviz.tracer.tasks import Task


@pytest.mark.parametrize(
    ("signo", "passes"),
    [
        (signal.SIGUSR1, True),
        pytest.param(
            signal.SIGCONT, False, id="SIGCONT: sent once more, it would take a SIGSTOP away"
        ),
        pytest.param(
            signal.SIGTSTP, False, id="SIGTSTP: sent once more, it would take a SIGCONT away"
        ),
    ],
)
def test_a_signal_that_a_busy_thread_took_is_passed_on_to_the_first(
    monkeypatch: pytest.MonkeyPatch, signo: int, passes: bool
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours))
        caught = Disposition(signo=signo, action="catch", flags=(), mask=0)
        for event in (
            Started(t=0.0, n=1),
            Forked(t=0.0, n=2, pid=10, parent=1, how="launched", name="a"),
            ThreadCreated(t=0.0, n=3, pid=10, tid=11, by=10),
            Call(t=1.0, n=4, pid=10, tid=10, name="rt_sigaction", effects=(caught,)),
        ):
            context.emit(event)
        process = context.new_process(10)
        process.tasks = {tid: Task(tid, process) for tid in (10, 11)}
        sent = ptrace.SigInfo(signo=signo, error=0, code=0, pid=1, uid=0, address=0, value=0)
        monkeypatch.setattr(ptrace, "signal_info", lambda tid: sent)
        stops = SignalStops(context, None, None, None)  # type: ignore[arg-type]
        assert stops.is_passed_on(process.tasks[11], signo) is passes
        assert not stops.is_passed_on(process.tasks[10], signo)


@pytest.mark.parametrize("full", [False, True])
def test_a_sampled_process_that_was_attached_to_may_ignore_a_signal_by_now(
    monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    """It was stopped at no call that says so: the call that the signal cut short is made again."""
    bit = 1 << signal.SIGUSR1 - 1
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, AttachConfig(pids=(10,), trace=True), Emitter(ours))
        context.emit(Started(t=0.0, n=1))
        context.emit(Forked(t=0.0, n=2, pid=10, parent=1, how="launched", name="a"))
        process = context.new_process(10)
        process.executed, process.full = True, full
        process.tasks = {10: Task(10, process)}
        undone = []

        def look(_: object) -> None:
            row = ProcessSample(pid=10, ppid=1, name="a", state="S", ignored=bit)
            context.emit(Sample(processes=(row,)))

        calls = SimpleNamespace(
            refresh_dispositions=look,
            mending=SimpleNamespace(undo_cut=lambda task, action: undone.append(action(12))),
        )
        sent = ptrace.SigInfo(signo=10, error=0, code=0, pid=1, uid=0, address=0, value=0)
        monkeypatch.setattr(ptrace, "signal_info", lambda tid: sent)
        monkeypatch.setattr(
            procfs, "read_status", lambda pid: SimpleNamespace(ignored=bit, caught=0)
        )
        stops = SignalStops(context, calls, None, None)  # type: ignore[arg-type]
        stops.deliver_signal(process.tasks[10], signal.SIGUSR1)
        assert undone == ([] if full else ["terminate"])
