"""Sentences from plain events."""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Call,
    Closed,
    Counted,
    Coverage,
    Disposition,
    Exited,
    Mask,
    Opened,
    ProcessSample,
    Sample,
    SignalDelivered,
)
from ipcviz.events.signals import signal_name
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.narrate import NOISE, TURN, Sentence, narrate, signal_names
from tests import fakes


def tell(events) -> list[Sentence]:
    state, found = State(), []
    for event in events:
        after = reduce(state, event)
        sentence = narrate(event, state, after)
        if sentence is not None:
            found.append(sentence)
        state = after
    return found


def texts(events) -> list[str]:
    return [sentence.text for sentence in tell(events)]


@pytest.mark.parametrize(
    "sentence",
    [
        "sh[11] made the pipe P1: read end 3, write end 4",
        "sh[12] made descriptor 1 a duplicate of 4 (P1, write end), and no longer pts/3",
        "sh[12] executes cat FILE",
        "gzip[13] is blocked in read(0) on P1: it is empty",
        "cat[12] wrote 65,536 bytes to P1 (fd 1), of 131,072 that it had",
        "cat[12] is blocked in write(1) on P1: it is full: 62,029 B in 16 of 16 pages",
        (
            "cat[12] closed descriptor 1 (P1, write end): no writer is left: after what waits in it"
            " comes the end of file"
        ),
        "SIGCHLD (cat[12] exited) reached sh[11]: ignored",
        (
            "gzip[13] read end of file from P1 (fd 0): it is empty and no writer is left (cat[12]"
            " had the last write end)"
        ),
        "sh[11] waited for gzip[13]: it is gone",
        "The command ended with status 0",
    ],
)
def test_pipeline_is_told(sentence):
    assert sentence in texts(fakes.pipeline())


def test_last_writer_is_named_only_when_it_is_the_last():
    before = reduce_all(fakes.numbered(fakes.pipeline_start()[:5]))
    first = fakes.close(0.21, 11, 4, fakes.PIPE.key)
    sentence = narrate(first, before, reduce(before, first))
    assert sentence is not None
    assert sentence.text == "sh[11] closed descriptor 4 (P1, write end)"


def test_exit_says_which_ends_went_with_it():
    before = reduce_all(fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow()]))
    event = Exited(t=2.0, pid=12, signo=9)
    sentence = narrate(event, before, reduce(before, event))
    assert sentence is not None
    assert (
        sentence.text
        == "cat[12] was killed by SIGKILL, which no watched process was seen to send: no writer of"
        " P1 is left"
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "queue[31] mapped 4,096 bytes of queue.dat shared, rw-, at 0x7f0000000000",
        "queue[31] initialised the semaphore M2 to 4 (shared between processes)",
        "consumer[32] finds /full at 0 and must wait",
        "consumer[32] is blocked in sem_wait on /full: its value is 0",
        "queue[31] took M2: 4 to 3",
        "queue[31] posted /full: 0 to 1",
        "consumer[32] got /full after its wait",
    ],
)
def test_semaphores_are_told(sentence):
    assert sentence in texts(fakes.mmap_queue())


@pytest.mark.parametrize(
    "sentence",
    [
        "sleep2[41] catches SIGALRM from now on (SA_RESTART)",
        "sleep2[41] blocks SIGINT",
        "sleep2[41] armed a timer: SIGALRM in 1 s",
        "sleep2[42] sent SIGINT to sleep2[41]",
        "SIGALRM from its timer reached sleep2[41]: its handler runs",
        "sleep2[41] waits in pause, for a signal: what it catches is blocked",
    ],
)
def test_signals_are_told(sentence):
    assert sentence in texts(fakes.sleep_race())


def test_fifo_is_told():
    found = texts(fakes.fifo())
    assert "fifo.sh[21] made the FIFO /tmp/fifo" in found
    assert "fifo.sh[22] is blocked in openat on fifo: no writer has it open" in found
    assert "fifo.sh[21] removed the name /tmp/fifo" in found


def test_repeated_data_calls_share_a_group_and_other_objects_do_not():
    flow = fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow(), *fakes.pipeline_end()])
    writes = [s for s in tell(flow) if "wrote" in s.text and "read" not in s.text]
    to_pipe = [s for s in writes if s.objects == (fakes.PIPE.key,)]
    assert len(to_pipe) == 2
    assert len({s.group for s in to_pipe}) == 1
    assert {s.group for s in writes if s.objects == (fakes.OUT.key,)} & {
        s.group for s in to_pipe
    } == set()
    assert sum(s.amount for s in to_pipe) == 65536 + 131072


def test_library_loading_is_noise():
    state = reduce_all(fakes.numbered(fakes.pipeline_start()))
    library = fakes.ObjectInfo(key="8:900", kind="file", path="/usr/lib/x86_64-linux-gnu/libc.so.6")
    event = fakes.call(2, 12, "openat", Opened(fd=5, ofd=99, object=library, mode="r"), ret=5)
    sentence = narrate(event, state, reduce(state, event))
    assert sentence is not None
    assert sentence.weight == NOISE


def test_what_changes_nothing_is_not_told():
    state = reduce_all(fakes.sleep_race())
    same_mask = fakes.call(2, 41, "rt_sigprocmask", Mask(blocked=state.threads[41].blocked))
    same_action = fakes.call(2, 41, "rt_sigaction", Disposition(signo=14, action="catch"))
    for event in (same_mask, same_action):
        assert narrate(event, state, reduce(state, event)) is None


def test_an_unknown_process_and_object_do_not_matter():
    event = Call(t=1, pid=77, tid=78, name="read", args={"fd": 9}, ret=5, object="pipe:[1]")
    sentence = narrate(event, State(), reduce(State(), event))
    assert sentence is not None
    assert sentence.text == "process[77/78] read 5 bytes from an object that is not known (fd 9)"
    closed = Call(t=1, pid=77, tid=77, name="close", effects=(Closed(fd=4),))
    assert (
        narrate(closed, State(), reduce(State(), closed)).text == "process[77] closed descriptor 4"
    )


def test_a_fatal_signal_is_a_turn():
    state = reduce_all(fakes.numbered(fakes.pipeline_start()))
    event = SignalDelivered(
        t=2, pid=12, tid=12, signo=13, code="SI_KERNEL", action="terminate", interrupted="write"
    )
    sentence = narrate(event, state, reduce(state, event))
    assert sentence.text == "SIGPIPE reached cat[12]: it ends"
    assert sentence.weight == TURN


def signal_of(state, **facts):
    event = SignalDelivered(t=2, pid=12, tid=12, **facts)
    return narrate(event, state, reduce(state, event)).text


def test_why_the_kernel_sent_a_signal():
    state = reduce_all(fakes.numbered(fakes.pipeline_start()))
    terminal = ProcessSample(12, "S", "cat", 1, 12, 12, 136 << 8 | 3, foreground=12)
    state = reduce(state, Sample(t=1.5, processes=(terminal,)))
    kernel = {"code": "SI_KERNEL", "action": "terminate"}
    assert (
        signal_of(state, signo=2, **kernel)
        == "SIGINT from a key of its terminal pts/3 reached cat[12]: it ends"
    )
    assert "since it read from its terminal pts/3 in the background" in signal_of(
        state, signo=21, **kernel
    )
    own = {"sender": 12, "code": "SI_USER", "action": "terminate"}
    assert "since nobody is left to read what it wrote" in signal_of(state, signo=13, **own)
    ended = reduce(state, Sample(t=1.6, processes=(ProcessSample(12, "S", "cat", 1, 12, 11),)))
    assert "since its terminal is gone" in signal_of(state, signo=1, **kernel)
    stopped = reduce(ended, SignalDelivered(t=1.7, pid=12, tid=12, signo=19, action="stop"))
    assert "its group was stopped, and nobody in its session is left" in signal_of(
        stopped, signo=1, **kernel
    )
    leaderless = reduce(ended, Exited(t=1.8, pid=11))
    assert "since the leader of its session, sh[11], has ended" in signal_of(
        leaderless, signo=1, **kernel
    )
    outside = {"sender": 9, "sender_name": "systemd", "code": "SI_USER", "action": "terminate"}
    assert "from systemd[9], which is not watched, reached" in signal_of(state, signo=15, **outside)


@pytest.mark.parametrize(
    ("action", "outcome", "words"),
    [
        ("handler", "EINTR", "its handler runs, and its read fails with EINTR"),
        ("handler", "again", "its handler runs; its read goes on afterwards"),
        ("handler", "", "its handler runs, and cut short its read"),
        ("stop", "again", "it stops; its read goes on afterwards"),
        ("terminate", "", "it ends"),
    ],
)
def test_what_becomes_of_a_call_that_was_cut_short(action, outcome, words):
    state = reduce_all(fakes.numbered(fakes.pipeline_start()))
    text = signal_of(state, signo=10, action=action, interrupted="read", outcome=outcome)
    assert text == f"SIGUSR1 reached cat[12]: {words}"


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "SIGHUP"),
        (17, "SIGCHLD"),
        (31, "SIGSYS"),
        (34, "SIGRTMIN"),
        (36, "SIGRTMIN+2"),
        (33, "signal 33"),
    ],
)
def test_signal_names(number, name):
    assert signal_name(number) == name


def test_sets_of_signals():
    assert signal_names(0) == "no signal"
    assert signal_names(1 << 1 | 1 << 16) == "SIGINT, SIGCHLD"
    assert signal_names((1 << 64) - 1) == "all signals"
    assert signal_names(((1 << 31) - 1) & ~(1 << 1)) == "all signals but SIGINT"


def test_each_message_of_a_queue_is_told_with_what_it_says():
    groups = []
    for data in (b"one", b"two", b"two"):
        args = {"id": 3, "msg": "type 1", "count": 3}
        [sentence] = tell([Call(t=1.0, pid=1, tid=1, name="msgsnd", args=args, data=data)])
        assert f'"{data.decode()}"' in sentence.text
        groups.append(sentence.group)
    assert groups[0] != groups[1] == groups[2]


def test_what_is_only_counted_is_told_as_one():
    before = reduce_all(fakes.numbered(fakes.pipeline_start()))
    counted = Counted(
        t=2.0, pid=12, calls={"accept": 48_211, "close": 3, "dup": 2, "open": 1}, signals={10: 5}
    )
    after = reduce(before, counted)
    assert after.processes[12].calls == before.processes[12].calls + 48_217
    sentence = narrate(counted, before, after)
    assert sentence is not None
    assert (
        sentence.text
        == "cat[12], only counted: 48,211 calls of accept, 3 calls of close, 2 calls of dup, 1"
        " other call, 5 signals SIGUSR1"
    )


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (48_211, "48,211 calls of accept (the first failed: ENOTSOCK)"),
        (1, "1 call of accept (failed: ENOTSOCK)"),
    ],
)
def test_of_what_is_only_counted_it_is_said_how_the_first_failed(times, text):
    before = reduce_all(fakes.numbered(fakes.pipeline_start()))
    counted = Counted(t=2.0, pid=12, calls={"accept": times}, errors={"accept": "ENOTSOCK"})
    sentence = narrate(counted, before, reduce(before, counted))
    assert sentence is not None
    assert sentence.text == f"cat[12], only counted: {text}"


def test_from_when_on_calls_are_only_counted():
    before = reduce_all(fakes.numbered(fakes.pipeline_start()))
    inside = SignalDelivered(t=1.0, pid=12, tid=12, signo=10, action="handler")
    before = reduce(before, inside)
    assert before.threads[12].handlers == (10,)
    event = Coverage(t=2.0, pid=12, full=False, calls=False, reason="a storm")
    after = reduce(before, event)
    assert after.threads[12].handlers == (), "nobody tells when they are left"
    sentence = narrate(event, before, after)
    assert sentence is not None
    assert sentence.text.endswith(
        "are only counted from here on (a storm): what it has open is sampled"
    )
