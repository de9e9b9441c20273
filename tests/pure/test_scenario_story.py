"""Stories follow plain events: what is reached, in whatever order, and what a run has made
impossible.
"""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec
import pytest

from ipcviz.events import (
    Call,
    Duplicated,
    Executed,
    Exited,
    Finished,
    Forked,
    HandlerReturned,
    Marker,
    NameCreated,
    ObjectInfo,
    Opened,
    Output,
    Poised,
    Reaped,
    SemaphoreInfo,
    SemaphoreOp,
    Sent,
    SignalDelivered,
    Waiting,
)
from ipcviz.model.maps import Map
from ipcviz.model.reduce import reduce
from ipcviz.model.state import Object, Semaphore, State
from ipcviz.model.waits.values import Why
from ipcviz.scenario import (
    Label,
    Question,
    Role,
    Scenario,
    Step,
    Story,
    Variant,
    When,
    find_scenario,
)
from ipcviz.scenario.matching import meets_condition
from ipcviz.scenario.reasons import is_because, is_phrase, reasons_of
from ipcviz.scenario.recognise import Recognised

SHELL, CAT, GZIP = 10, 11, 12
PIPE = ObjectInfo(key="pipe:[1]", kind="pipe")


def scenario(*story, questions=(), roles=None, objects=()):
    if roles is None:
        roles = (
            Role(name="shell", order=1),
            Role(name="cat", parent="shell", child=1),
            Role(name="gzip", program="gz*"),
        )
    return Scenario(
        name="test",
        folder=Path("/nowhere"),
        title="Test",
        topic="pipes",
        summary="A test.",
        learn=("nothing",),
        minutes=1,
        variants={"sh": Variant(command=("true",), language="sh")},
        roles=roles,
        objects=objects,
        story=story,
        questions=questions,
    )


class Run:
    """A story and the state that its events make."""

    def __init__(self, sheet):
        self.story = Story(sheet)
        self.state = State()
        self.n = 0

    def __call__(self, *events):
        moves = []
        for event in events:
            self.n += 1
            numbered = msgspec.structs.replace(event, n=self.n, t=self.n / 10)
            after = reduce(self.state, numbered)
            move = self.story.feed(numbered, self.state, after)
            self.state = after
            if move is not None:
                assert move.n == self.n
                moves.append(move)
        return moves


def born(pid, parent=SHELL):
    return Forked(t=0, pid=pid, parent=parent)


LAUNCHED = Forked(t=0, pid=SHELL, parent=1, how="launched", name="sh", argv=("sh", "pipeline.sh"))


def made_pipe(pid=SHELL, info=PIPE):
    effects = (
        Opened(fd=3, ofd=1, object=info, mode="r"),
        Opened(fd=4, ofd=2, object=info, mode="w"),
    )
    return Call(t=0, pid=pid, tid=pid, name="pipe2", effects=effects)


def call(pid, name, **facts):
    return Call(t=0, pid=pid, tid=pid, name=name, **facts)


def steps(*names):
    conditions = {
        "pipe": When(role="shell", call=("pipe", "pipe2")),
        "fork": When(event="forked", role="shell", child="cat"),
        "cat": When(role="cat", program="cat"),
        "write": When(role="cat", call="write", object="the pipe"),
        "gzip": When(role="gzip", event="executed"),
        "end": When(event="exited", role="cat"),
        "reaped": When(event="reaped", role="shell", child="cat"),
    }
    return tuple(Step(id=name, text=name, when=conditions[name]) for name in names)


def test_roles_come_from_order_parent_child_and_program():
    run = Run(scenario())
    run(
        LAUNCHED,
        born(CAT),
        born(GZIP),
        Executed(t=0, pid=GZIP, path="/usr/bin/gzip", argv=("gzip", "-c9")),
    )
    assert run.story.roles == {SHELL: "shell", CAT: "cat", GZIP: "gzip"}
    run(born(20, parent=CAT))
    assert 20 not in run.story.roles


def test_a_role_by_an_argument_and_a_pid_that_is_used_again():
    run = Run(scenario(roles=(Role(name="reader", argument="*/reader.py"),)))
    run(
        LAUNCHED,
        born(CAT),
        Executed(t=0, pid=CAT, path="/usr/bin/python3", argv=("python3", "/x/reader.py")),
    )
    assert run.story.roles == {CAT: "reader"}
    run(born(CAT))
    assert run.story.roles == {}


def test_steps_are_reached_in_the_order_of_the_events_and_each_once():
    run = Run(scenario(*steps("pipe", "fork", "cat", "gzip")))
    assert run.story.step is None
    moves = run(LAUNCHED, made_pipe(), born(CAT), born(GZIP))
    assert [move.step for move in moves] == [0, 1]
    # gzip was quicker than cat: both are told, as they happened.
    moves = run(
        Executed(t=0, pid=GZIP, path="/usr/bin/gzip"),
        Executed(t=0, pid=CAT, path="/bin/cat"),
        made_pipe(),
    )
    assert [move.step for move in moves] == [3, 2]
    assert run.story.step.id == "cat"
    assert run.story.pending == ()


def test_what_a_process_that_has_ended_can_no_longer_do_is_skipped():
    run = Run(scenario(*steps("pipe", "fork", "write", "end", "reaped")))
    moves = run(LAUNCHED, born(CAT), Exited(t=0, pid=CAT))
    assert [(move.step, [skip.step for skip in move.skipped]) for move in moves] == [
        (1, []),
        (3, [2]),
    ]
    assert moves[1].skipped[0].reason == "Not in this run: cat ended before that."
    assert [move.step for move in run(Reaped(t=0, pid=CAT, by=SHELL))] == [4]
    (last,) = run(Exited(t=0, pid=SHELL), Finished(t=0, code=0))
    assert (last.step, [skip.step for skip in last.skipped]) == (None, [0])


def test_a_role_that_many_may_have_is_only_over_with_the_run():
    run = Run(scenario(Step(id="w", text="w", when=When(role="gzip", call="write"))))
    run(LAUNCHED, born(GZIP), Executed(t=0, pid=GZIP, path="/bin/gzip"))
    assert run(Exited(t=0, pid=GZIP)) == []
    assert run(Finished(t=0, code=0, left=1)) == []
    (move,) = run(Finished(t=0, code=0))
    assert move.skipped[0].reason == "Not in this run: everything ended before that."


def test_after_unless_and_otherwise():
    delivered = When(event="signal-delivered", signal="SIGALRM")
    waits = When(call="pause", blocked=True)
    sheet = scenario(
        Step(id="alarm", text="", when=When(call="alarm")),
        Step(
            id="waits",
            text="",
            when=waits,
            after=("alarm",),
            unless=delivered,
            otherwise="It came too early.",
        ),
        Step(id="woken", text="", when=delivered, after=("waits",)),
        Step(id="lost", text="", when=delivered, after=("alarm",), unless=waits),
        Step(id="for-ever", text="", when=waits, after=("lost",)),
    )
    alarm, paused = call(SHELL, "alarm"), Waiting(t=0, pid=SHELL, tid=SHELL, call="pause")
    signalled = SignalDelivered(t=0, pid=SHELL, tid=SHELL, signo=signal.SIGALRM)
    right = Run(sheet)
    moves = right(LAUNCHED, signalled, alarm, paused, signalled)
    assert [(move.step, [skip.step for skip in move.skipped]) for move in moves] == [
        (0, []),
        (1, [3, 4]),
        (2, []),
    ]
    lost = Run(sheet)
    moves = lost(LAUNCHED, paused, alarm, signalled, paused)
    assert [(move.step, [skip.step for skip in move.skipped]) for move in moves] == [
        (0, []),
        (3, [1, 2]),
        (4, []),
    ]
    assert moves[1].skipped[0].reason == "It came too early."
    assert moves[1].skipped[1].reason == "Not in this run: what leads to it did not happen."


def test_a_kept_progress_is_a_way_back():
    run = Run(scenario(*steps("pipe", "fork")))
    run(LAUNCHED, made_pipe())
    kept, state = run.story.progress, run.state
    run(born(CAT))
    assert run.story.pending == ()
    run.story.progress, run.state = kept, state
    assert run.story.pending == (1,)
    assert run.story.roles == {SHELL: "shell"}
    assert [move.step for move in run(born(CAT))] == [1]


def test_a_question_is_asked_once_all_before_it_is_told_and_not_afterwards():
    asked = Question(before="cat", text="?", choices=("a", "b"), answer="a")
    run = Run(scenario(*steps("pipe", "fork", "cat"), questions=(asked,)))
    assert run.story.question is None
    run(LAUNCHED, made_pipe())
    assert run.story.question is None
    run(born(CAT))
    assert run.story.question is asked
    run(Executed(t=0, pid=CAT, path="/bin/cat"))
    assert run.story.question is None


def test_objects_are_named_by_kind_path_and_order():
    objects = (
        Label(name="second", kind="pipe", order=2),
        Label(name="data", kind="file", path="*.dat"),
        Label(name="other pipe", kind="pipe"),
    )
    run = Run(scenario(objects=objects))
    second = ObjectInfo(key="pipe:[2]", kind="pipe")
    file = ObjectInfo(key="1:5", kind="file", path="/tmp/x/shared.dat (deleted)")
    opened = call(SHELL, "openat", effects=(Opened(fd=9, ofd=9, object=file, mode="rw"),))
    run(LAUNCHED, made_pipe(), opened, made_pipe(info=second))
    assert run.story.labels == {"pipe:[1]": "other pipe", "pipe:[2]": "second", "1:5": "data"}


def test_semaphores_are_named_by_file_and_offset_by_order_and_by_name():
    file = ObjectInfo(key="1:5", kind="file", path="/tmp/x/shared.dat")
    infos = [
        SemaphoreInfo(key=f"sem:1:5:{at}", kind="unnamed", object="1:5", offset=at)
        for at in (0, 32, 64)
    ]
    named = SemaphoreInfo(key="sem:1:9:0", kind="named", name="/go", object="1:9")
    state = State(
        objects=Map({"1:5": Object(info=file, label="shared.dat")}),
        semaphores=Map({info.key: Semaphore(info=info, label="M") for info in (*infos, named)}),
    )
    objects = (
        Label(name="_full", kind="semaphore", path="shared.dat", offset=64),
        Label(name="go", kind="semaphore", path="go"),
        Label(name="second", kind="semaphore", path="shared.dat", order=2),
    )
    early = Story(scenario(objects=objects))
    made = msgspec.structs.replace(state, semaphores=Map())
    for info in (infos[2], named):
        poised = Poised(t=0, pid=1, tid=1, at="semaphore", op="init", semaphore=info)
        early.feed(poised, made, made)
    assert early.labels == {"sem:1:5:64": "_full"}, "named before its sem_init"
    story = Story(scenario(objects=objects))
    story.feed(Output(t=0, data=b""), State(), state)
    assert story.labels == {"sem:1:5:64": "_full", "sem:1:9:0": "go", "sem:1:5:32": "second"}


CAST = Recognised(
    roles=Map({CAT: "cat", SHELL: "shell"}),
    labels=Map({"pipe:[1]": "the pipe", "s": "_full"}),
)
SHEET = scenario(
    objects=(Label(name="the pipe", kind="pipe"), Label(name="fifo", kind="fifo", path="meet"))
)
SEMAPHORE = SemaphoreInfo(key="s", kind="unnamed")
READ = call(CAT, "read", args={"fd": 0, "count": 512}, object="pipe:[1]", ret=0)
FAILED = call(CAT, "write", args={"fd": 1}, object="pipe:[1]", ret=-1, error="EPIPE")
OPENS = call(CAT, "openat", args={"path": "/tmp/meet", "flags": "O_WRONLY|O_CLOEXEC"}, ret=3)
MADE = call(CAT, "mknodat", args={"path": "meet"}, effects=(NameCreated(path="meet"),))
DUP = call(CAT, "dup2", args={"fd": 4, "newfd": 1}, ret=1, effects=(Duplicated(fd=1, source=4),))
KILL = call(
    CAT,
    "kill",
    args={"pid": 7, "signal": "SIGUSR1"},
    effects=(Sent(target=7, signo=signal.SIGUSR1),),
)
DIED = Exited(t=0, pid=CAT, signo=signal.SIGPIPE)
CUT = SignalDelivered(t=0, pid=CAT, tid=CAT, signo=signal.SIGALRM, interrupted="pause")
LEFT = HandlerReturned(t=0, pid=CAT, tid=CAT, jumped=True)
POST = SemaphoreOp(t=0, pid=CAT, tid=CAT, op="post", semaphore=SEMAPHORE, value=0)


@pytest.mark.parametrize(
    ("when", "event", "met"),
    [
        (When(call="read"), READ, True),
        (When(call="write"), READ, False),
        (When(call="read", role="shell"), READ, False),
        (When(call="read", role=("shell", "cat")), READ, True),
        (When(call="read", object="the pipe", fd=0, result=0), READ, True),
        (When(call="read", object="fifo"), READ, False),
        (When(call="read", fd=1), READ, False),
        (When(call="read", result=1), READ, False),
        (When(call="read", failed=True), READ, False),
        (When(call="read", failed=False), READ, True),
        (When(call="read", blocked=True), READ, False),
        (When(event="handler-returned"), LEFT, True),
        (When(jumped=True), LEFT, True),
        (When(jumped=False), LEFT, False),
        (When(call="read", args={"count": 512}), READ, True),
        (When(call="read", args={"size": 512}), READ, False),
        (When(call="write", error="EPIPE", failed=True), FAILED, True),
        (When(call="write", error=("EAGAIN", "EINTR")), FAILED, False),
        (When(call="write", result=-1), FAILED, False),
        (When(call="openat", object="fifo", args={"flags": "*O_WRONLY*"}), OPENS, True),
        (When(call="openat", object="fifo", args={"flags": "O_RDONLY*"}), OPENS, False),
        (When(call="mknodat", object="fifo"), MADE, True),
        (When(call="dup2", fd=1), DUP, True),
        (When(call="dup2", fd=0), DUP, False),
        (When(call="kill", signal="SIGUSR1"), KILL, True),
        (When(call="kill", signal="SIGUSR2"), KILL, False),
        (When(event="exited", signal="SIGPIPE"), DIED, True),
        (When(event="exited", code=0), DIED, False),
        (When(event="exited", code=0), Exited(t=0, pid=CAT), True),
        (When(event="exited", signal="SIGPIPE"), Exited(t=0, pid=CAT), False),
        (
            When(event="signal-delivered", signal="SIGALRM", interrupted="pause", action="handler"),
            CUT,
            True,
        ),
        (When(interrupted="read"), CUT, False),
        (When(op="post", object="_full", value=0), POST, True),
        (When(op="post", value=1), POST, False),
        (When(op="wait"), POST, False),
        (When(op="post", object="the pipe"), POST, False),
        (When(marker="between *"), Marker(t=0, pid=CAT, tid=CAT, text="between two lines"), True),
        (When(marker="between"), Marker(t=0, pid=CAT, tid=CAT, text="between two lines"), False),
        (When(program="gzip"), Executed(t=0, pid=CAT, path="/usr/bin/gzip"), True),
        (When(program="gzip"), Executed(t=0, pid=CAT, path="/usr/bin/zip", name="gzip"), True),
        (When(event="reaped", role="shell", child="cat"), Reaped(t=0, pid=CAT, by=SHELL), True),
        (When(event="reaped", role="cat"), Reaped(t=0, pid=CAT, by=SHELL), False),
        (When(event="continued"), READ, False),
    ],
)
def test_conditions(when, event, met):
    assert meets_condition(when, SHEET, CAST, event, State()) is met


def test_a_wait_is_matched_by_what_the_model_says_of_it():
    run = Run(scenario(objects=(Label(name="the pipe", kind="pipe"),)))
    run(LAUNCHED, made_pipe())
    waiting = Waiting(
        t=1, n=9, pid=SHELL, tid=SHELL, call="read", args={"fd": 3}, object="pipe:[1]"
    )
    after = reduce(run.state, waiting)
    cast = run.story.progress.cast
    for when, met in (
        (When(role="shell", call="read", object="the pipe", blocked=True, because="empty"), True),
        (When(call="read", because="full"), False),
        (When(call="read", blocked=True, fd=3), True),
        (When(call="read", blocked=True, fd=4), False),
        (When(call="read"), False),
    ):
        assert meets_condition(when, run.story.scenario, cast, waiting, after) is met


def test_the_shipped_sleep_race_tells_both_ways():
    """The C program's events as the tracer gives them, by hand: in time, and too late."""
    setting = call(SHELL, "rt_sigaction", args={"signal": "SIGALRM", "new": "catch"})
    alarm = call(SHELL, "alarm", args={"seconds": 1})
    window = Marker(t=0, pid=SHELL, tid=SHELL, text="between alarm and pause")
    paused = Waiting(t=0, pid=SHELL, tid=SHELL, call="pause")
    signalled = SignalDelivered(t=0, pid=SHELL, tid=SHELL, signo=signal.SIGALRM)
    sheet = find_scenario("sleep-race")
    ids = [step.id for step in sheet.story]
    in_time, too_late = Run(sheet), Run(sheet)
    in_time(LAUNCHED, setting, alarm, window, paused, signalled, Exited(t=0, pid=SHELL))
    assert [ids[place] for place in in_time.story.progress.reached] == [
        "caught", "alarm", "window", "waits", "woken", "awake",
    ]  # fmt: skip
    too_late(LAUNCHED, setting, alarm, window, signalled, paused)
    assert [ids[place] for place in too_late.story.progress.reached] == [
        "caught", "alarm", "window", "lost", "for-ever",
    ]  # fmt: skip
    (move,) = too_late(Exited(t=0, pid=SHELL, signo=signal.SIGKILL))
    assert [ids[skip.step] for skip in move.skipped] == [
        "slow", "jumped", "cut", "awake",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("because", "found"),
    [
        ("empty", True),
        ("emp*", True),
        (("full", "empty"), True),
        ("full", False),
        ("no-writer", False),
        ("empt?, and it wants *", True),
    ],
)
def test_a_reason_is_matched_by_its_name(because, found):
    assert is_because((because,) if isinstance(because, str) else because, Why.EMPTY) is found


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("for a child", "child"),
        ("full: 62,029 B in 16 of 16 pages", "full"),
        ("full: *", "full"),
        ("no reader has it open", "no-reader"),
        ("for time to pass", "time"),
        ("held exclusively by *", "lock"),
        ("a mutex held by *", "mutex"),
        ("for S1, which listens at *", "answer"),
        ("0, taken by *", "semaphore"),
        ("its counter is 0", "empty"),
    ],
)
def test_the_screens_words_mean_the_names_still(words, name):
    assert reasons_of(words) == {name}
    assert is_phrase(words)
    assert not is_phrase(name)


def test_a_reason_that_is_none_means_nothing():
    assert not reasons_of("because it is tired")
    assert not is_phrase("because it is tired")
