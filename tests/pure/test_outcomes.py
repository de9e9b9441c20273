"""In which order a thread is resumed and what it did is emitted."""

import os
import socket

import pytest

from ipcviz.events import Call
from ipcviz.kernel import memory, ptrace, seccomp
from ipcviz.kernel.arch import X86_64, call_numbers
from ipcviz.tracer.calls.plans import Ask, make_plan
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.stops.engine import Engine
from ipcviz.tracer.stops.outcomes import LEAVE, LET_IN, LISTEN, PASS_BY, RESUME

NUMBERS = call_numbers(X86_64.table)


class Story:
    """An engine with one thread, and what is done with that in order."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = engine
        self.done: list[str] = []
        self.calls: list[Call] = []
        self.info: ptrace.SyscallInfo | None = None
        engine.add_root(os.getpid())
        (self.task,) = engine._context.tasks.values()
        self.task.process.executed = True
        words = {ptrace.CONT: "resumed", ptrace.SYSCALL: "resumed to its return"}
        words[ptrace.LISTEN] = "stays stopped"

        def resume(_tid: int, request: int, signo: int = 0) -> bool:
            self.done.append(words[request] + (f" with {signo}" if signo else ""))
            return True

        def read(*_: int) -> bytes:
            self.done.append("read")
            return b"x"

        def emit(event):
            self.done.append("emitted")
            self.calls += [event] if isinstance(event, Call) else []

        monkeypatch.setattr(ptrace, "resume_thread", resume)
        monkeypatch.setattr(ptrace, "syscall_info", lambda tid: self.info)
        monkeypatch.setattr(memory, "read_bytes", read)
        monkeypatch.setattr(engine._context, "emit", emit)

    def stop(self, status: int, info: ptrace.SyscallInfo) -> list[str]:
        self.done.clear()
        self.info = info
        self.engine.handle_stop(self.task.tid, status)
        return self.done

    def enter(self, name: str, *args: int) -> list[str]:
        raw = (*args, *(0 for _ in range(6 - len(args))))
        info = ptrace.SyscallInfo(
            ptrace.SYSCALL_INFO_SECCOMP,
            X86_64.audit,
            0,
            0,
            NUMBERS[name],
            raw,  # type: ignore[arg-type]
            data=seccomp.MARK,
        )
        return self.stop(ptrace.AT_MARK, info)

    def leave(self, result: int) -> list[str]:
        info = ptrace.SyscallInfo(
            ptrace.SYSCALL_INFO_EXIT, X86_64.audit, 0, 0, result=result, is_error=result < 0
        )
        return self.stop(ptrace.AT_CALL, info)


@pytest.fixture
def story(monkeypatch):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        engine = Engine(X86_64, LaunchConfig(argv=("a",), full=True), Emitter(ours))
        yield Story(engine, monkeypatch)


def test_a_thread_is_resumed_before_what_it_did_is_emitted(story):
    assert story.enter("write", 1, 4096, 1) == ["resumed to its return", "read"]
    assert story.leave(1) == ["resumed", "emitted"]
    (call,) = story.calls
    assert (call.name, call.ret, call.data) == ("write", 1, b"x")


def test_a_thread_that_may_be_held_is_resumed_last(story):
    story.engine._context.go_first = False
    assert story.enter("write", 1, 4096, 1) == ["read", "resumed to its return"]
    assert story.leave(1) == ["emitted", "resumed"]


def test_what_can_only_be_seen_at_the_return_is_looked_at_there(story, monkeypatch):
    monkeypatch.setattr(
        story.engine._calls.exits._consequences,
        "handle_success",
        lambda *_: story.done.append("looked at"),
    )
    story.enter("setsid")
    assert story.leave(0)[-2:] == ["looked at", "resumed"]


@pytest.mark.parametrize(
    ("outcome", "done"),
    [
        (RESUME, ["resumed"]),
        (LET_IN, ["resumed to its return"]),
        (PASS_BY, ["resumed"]),
        (LISTEN, ["stays stopped"]),
        (LEAVE, []),
    ],
)
def test_what_was_decided_is_carried_out(story, outcome, done):
    story.engine.carry_out(story.task, outcome)
    assert story.done == done


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("write", (Ask.DATA_BUDGET, Ask.LETTING_IN, Ask.DECODING)),
        ("rt_sigaction", (Ask.CONDITION, Ask.MARK_BUDGET, Ask.FORETELLING, Ask.DECODING)),
        ("close", (Ask.MARK_BUDGET, Ask.CLOSING, Ask.LETTING_IN, Ask.DECODING)),
        ("munmap", (Ask.MAPPING, Ask.DATA_BUDGET, Ask.DECODING)),
        ("clone", (Ask.CONDITION, Ask.ESCAPE)),
        ("stat", (Ask.MARKER,)),
    ],
)
def test_what_is_asked_at_an_entry(name, asks):
    assert make_plan(name, from_start=True, may_touch=True).asks == asks


def test_of_what_was_attached_to_no_call_is_let_in_before_it_is_looked_at():
    plan = make_plan("write", from_start=False, may_touch=False)
    assert plan.asks == (Ask.DATA_BUDGET, Ask.DECODING)
    assert not plan.moves
