"""The model: descriptor tables over fork, dup and exec; bytes; signals; semaphores.

Plain data, no kernel.
"""

import pytest

from ipcviz.events import (
    Call,
    Closed,
    Coverage,
    Disposition,
    Duplicated,
    Executed,
    Exited,
    Finished,
    Forked,
    HandlerReturned,
    Level,
    Mask,
    NameCreated,
    ObjectInfo,
    Opened,
    Poised,
    ProcessSample,
    Reaped,
    Sample,
    SemaphoreInfo,
    SemaphoreLevel,
    SemaphoreOp,
    Sent,
    SignalDelivered,
    Started,
    Table,
    TableEntry,
    Taken,
    ThreadCreated,
    ThreadExited,
    ThreadSample,
    Timer,
    Waiting,
)
from ipcviz.model import query
from ipcviz.model.draft import Draft
from ipcviz.model.mechanisms.signals import sent_and_pending
from ipcviz.model.parts import DescriptorPart, ObjectPart, ProcessPart, ThreadPart
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State, StateFields
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.waits import describe_wait, explain_wait

PIPE = ObjectInfo(key="pipe:[1]", kind="pipe", ino=1)
FIFO = ObjectInfo(key="5:9", kind="fifo", path="/tmp/meet")
TTY = ObjectInfo(key="3:4", kind="terminal", path="/dev/pts/0")


def call(name, *effects, pid=10, tid=0, t=1.0, **rest):
    return Call(t=t, pid=pid, tid=tid or pid, name=name, effects=effects, **rest)


def start():
    return [
        Started(t=0.0, argv=("sh",)),
        Forked(t=0.0, pid=10, parent=1, how="launched", name="sh"),
        Table(
            t=0.0,
            pid=10,
            reason="launched",
            entries=tuple(TableEntry(fd=fd, ofd=1, object=TTY, mode="rw") for fd in range(3)),
        ),
    ]


def piped(cloexec=False):
    return [
        *start(),
        call(
            "pipe2",
            Opened(fd=3, ofd=2, object=PIPE, mode="r", cloexec=cloexec),
            Opened(fd=4, ofd=3, object=PIPE, mode="w", cloexec=cloexec),
        ),
    ]


def ends(state, key="pipe:[1]"):
    return {(h.pid, h.fd, h.mode) for h in query.list_holders(state).get(key, ())}


def test_pipe_before_fork_gives_both_processes_both_ends():
    state = reduce_all([*piped(), Forked(t=2.0, pid=11, parent=10, by=10)])
    assert ends(state) == {(10, 3, "r"), (10, 4, "w"), (11, 3, "r"), (11, 4, "w")}
    assert state.open_files[2].references == 2
    assert state.tables[11][3].how == "inherited from 10"


def test_dup2_shares_the_description_and_closes_what_was_there():
    state = reduce_all([*piped(), call("dup2", Duplicated(fd=1, source=4))])
    assert state.tables[10][1].ofd == state.tables[10][4].ofd == 3
    assert state.open_files[3].references == 2
    assert state.open_files[1].references == 2, "the terminal lost one of its three descriptors"
    assert state.tables[10][1].how == "dup of 4"


def test_dup2_onto_itself_changes_nothing():
    before = reduce_all(piped())
    after = reduce(before, call("dup2", Duplicated(fd=4, source=4)))
    assert after.tables == before.tables
    assert after.open_files[3].references == 1


def test_exec_closes_close_on_exec_descriptors_only_there():
    state = reduce_all(
        [
            *piped(cloexec=True),
            Forked(t=2.0, pid=11, parent=10, by=10),
            Executed(t=3.0, pid=11, path="/bin/cat"),
        ]
    )
    assert ends(state) == {(10, 3, "r"), (10, 4, "w")}
    assert set(state.tables[11]) == {0, 1, 2}


def test_dup_clears_close_on_exec():
    state = reduce_all(
        [
            *piped(cloexec=True),
            call("dup2", Duplicated(fd=0, source=3)),
            Executed(t=3.0, pid=10, path="/bin/cat"),
        ]
    )
    assert ends(state) == {(10, 0, "r")}


def test_description_is_gone_with_its_last_descriptor():
    state = reduce_all(
        [*piped(), call("close", Closed(fd=4)), Forked(t=2.0, pid=11, parent=10, by=10)]
    )
    assert 3 not in state.open_files
    state = reduce_all([call("close", Closed(fd=3)), Exited(t=4.0, pid=11)], state)
    assert 2 not in state.open_files
    assert "pipe:[1]" in state.objects, "what was seen stays known"


def test_shared_descriptor_table_is_one_table():
    state = reduce_all(
        [*piped(), Forked(t=2.0, pid=11, parent=10, by=10, how="clone", shares_files=True)]
    )
    state = reduce(state, call("close", Closed(fd=4), pid=11))
    assert ends(state) == {(10, 3, "r"), (11, 3, "r")}
    state = reduce(state, Exited(t=3.0, pid=11))
    assert ends(state) == {(10, 3, "r")}


def test_exec_unshares_a_shared_table():
    state = reduce_all(
        [
            *piped(),
            Forked(t=2.0, pid=11, parent=10, by=10, how="clone", shares_files=True),
            Executed(t=3.0, pid=11, path="/bin/cat"),
            call("close", Closed(fd=4), pid=11),
        ]
    )
    assert (10, 4, "w") in ends(state)
    assert (11, 4, "w") not in ends(state)


def test_table_read_from_proc_replaces_what_was_computed():
    state = reduce_all(
        [
            *piped(),
            Table(
                t=2.0,
                pid=10,
                entries=(TableEntry(fd=7, ofd=9, object=FIFO, mode="w"),),
                differed=(3, 4, 7),
            ),
        ]
    )
    assert set(state.tables[10]) == {7}
    assert set(state.open_files) == {9}
    assert state.objects["5:9"].label == "meet"


def test_bytes_and_last_users_of_a_pipe():
    state = reduce_all(
        [
            *piped(),
            Forked(t=2.0, pid=11, parent=10, by=10),
            call("write", ret=100, object="pipe:[1]", args={"fd": 4}),
            call("read", ret=60, object="pipe:[1]", args={"fd": 3}, pid=11),
            call("write", ret=-1, error="EPIPE", object="pipe:[1]", args={"fd": 4}),
        ]
    )
    pipe = state.objects["pipe:[1]"]
    assert (pipe.bytes_in, pipe.bytes_out, pipe.last_writer, pipe.last_reader) == (100, 60, 10, 11)
    assert state.tables[10][4].used
    assert not state.tables[11][4].used


def test_sampling_a_holder_makes_the_byte_count_a_lower_bound():
    state = reduce_all([*piped(), Coverage(t=2.0, pid=10, full=False)])
    assert not state.objects["pipe:[1]"].exact
    assert not state.processes[10].full


def io(pid, read, written):
    return Sample(
        t=3.0,
        processes=(ProcessSample(pid=pid, state="R", chars_read=read, chars_written=written),),
    )


def test_bytes_of_a_sampled_process_come_from_proc_io():
    state = reduce_all(
        [
            *piped(),
            call("write", ret=100, object="pipe:[1]", args={"fd": 4}),
            io(10, 0, 100),
            Coverage(t=2.0, pid=10, full=False),
            io(10, 0, 5000),
        ]
    )
    assert (state.objects["pipe:[1]"].bytes_in, state.objects["pipe:[1]"].exact) == (5000, False)
    state = reduce_all([Coverage(t=4.0, pid=10, full=True), io(10, 0, 6000)], state)
    assert state.objects["pipe:[1]"].bytes_in == 5000, "traced calls say it again"


def test_bytes_of_a_sampled_process_are_not_guessed_between_two_objects():
    state = reduce_all(
        [
            *piped(),
            call("write", ret=100, object="pipe:[1]", args={"fd": 4}),
            call("write", ret=1, object="3:4", args={"fd": 1}),
            io(10, 0, 101),
            Coverage(t=2.0, pid=10, full=False),
            io(10, 0, 5000),
        ]
    )
    assert state.objects["pipe:[1]"].bytes_in == 100


def test_exec_from_a_thread_leaves_one_thread_and_default_handlers():
    state = reduce_all(
        [
            *start(),
            ThreadCreated(t=1.0, pid=10, tid=12, by=10),
            call("rt_sigprocmask", Mask(blocked=4), tid=12),
            call("rt_sigaction", Disposition(signo=2, action="catch")),
            call("rt_sigaction", Disposition(signo=13, action="ignore")),
            Executed(t=2.0, pid=10, path="/bin/true", former=12),
        ]
    )
    assert state.processes[10].threads == (10,)
    assert state.threads[10].blocked == 4, "the caller's mask survives execve"
    assert set(state.processes[10].handling) == {13}, (
        "ignored stays ignored, caught is default again"
    )


def test_thread_exit_and_process_end():
    state = reduce_all(
        [*start(), ThreadCreated(t=1.0, pid=10, tid=12), ThreadExited(t=2.0, pid=10, tid=12)]
    )
    assert state.processes[10].threads == (10,)
    state = reduce_all([Exited(t=3.0, pid=10, signo=9), Reaped(t=4.0, pid=10, by=1)], state)
    assert (state.processes[10].fate, state.processes[10].exit_signal) == ("gone", 9)
    assert not state.threads
    assert 10 not in state.tables


def test_finished_says_how_it_ended():
    state = reduce_all([*start(), Finished(t=1.0, code=130, signo=2, left=1)])
    assert (state.command_code, state.command_signal, state.finished) == (130, 2, False)
    assert reduce(state, Finished(t=2.0, code=130, signo=2)).finished


def test_waiting_until_the_call_returns():
    state = reduce_all(
        [
            *piped(),
            Waiting(
                t=2.0, pid=10, tid=10, call="read", args={"fd": 3}, object="pipe:[1]", began=1.5
            ),
        ]
    )
    wait = wait_of(state, 10, query.list_holders(state))
    assert wait is not None
    assert describe_wait(state, wait) == "read(3) on P1, empty"
    assert wait.waker_pids == (10,)
    state = reduce(state, call("read", ret=1, object="pipe:[1]", args={"fd": 3}))
    assert wait_of(state, 10) is None


def test_full_is_said_with_pages_when_the_pipe_is_short_of_its_capacity():
    level = Level(
        object="pipe:[1]", queued=62_029, capacity=65_536, slots=16, slots_total=16, writable=False
    )
    state = reduce_all(
        [
            *piped(),
            Waiting(t=2.0, pid=10, tid=10, call="write", args={"fd": 4}, object="pipe:[1]"),
            Sample(t=2.0, levels=(level,)),
        ]
    )
    wait = wait_of(state, 10, query.list_holders(state))
    assert wait is not None
    assert explain_wait(state, wait) == "full: 62,029 B in 16 of 16 pages"
    assert [t.tid for t in query.blocked_writers(state, "pipe:[1]")] == [10]


def test_open_of_a_fifo_waits_for_the_end_that_is_missing():
    state = reduce_all(
        [
            *start(),
            Waiting(
                t=1.0,
                pid=10,
                tid=10,
                call="openat",
                object="5:9",
                args={"path": "/tmp/meet", "flags": "O_WRONLY"},
            ),
        ]
    )
    wait = wait_of(state, 10)
    assert wait is not None
    assert explain_wait(state, wait) == "no reader has it open"
    assert state.objects["5:9"].label == "meet"


def test_standard_signal_sent_again_while_pending_is_coalesced():
    state = reduce_all(
        [
            *start(),
            Forked(t=1.0, pid=11, parent=10, by=10),
            *(call("kill", Sent(target=11, signo=10), t=2.0 + i, began=2.0 + i) for i in range(3)),
            *(
                call("rt_sigqueueinfo", Sent(target=11, signo=34), t=6.0 + i, began=6.0 + i)
                for i in range(2)
            ),
        ]
    )
    assert [s.coalesced for s in state.sent] == [False, True, True, False, False]
    assert (sent_and_pending(state, 11, 10), sent_and_pending(state, 11, 34)) == (3, 2)
    state = reduce(state, SignalDelivered(t=9.0, pid=11, tid=11, signo=10, sender=10))
    assert state.sent[0].delivered == 9.0
    assert state.sent[1].delivered is None
    state = reduce(state, call("kill", Sent(target=11, signo=10), t=10.0, began=10.0))
    assert sent_and_pending(state, 11, 10) == 1, "those that came with the first are over"


def test_what_a_call_takes_is_pending_no_more():
    """sigwait and signalfd take signals without a delivery: the next sending does not merge with
    them.
    """
    state = reduce_all(
        [
            *start(),
            Forked(t=1.0, pid=11, parent=10, by=10),
            call("kill", Sent(target=11, signo=10), t=2.0, began=2.0),
            call("rt_sigtimedwait", Taken(signo=10, code="SI_USER", sender=10), pid=11, t=3.0),
            call("kill", Sent(target=11, signo=10), t=4.0, began=4.0),
        ]
    )
    assert [(s.delivered, s.coalesced) for s in state.sent] == [(3.0, False), (None, False)]
    assert state.delivered[-1].action == "taken"
    # Its calls are not traced any more: a look finds it gone.
    state = reduce(state, Sample(t=5.0, processes=(ProcessSample(11, "S", "sh", 10),)))
    assert state.sent[1].lost
    state = reduce(state, call("kill", Sent(target=11, signo=10), t=6.0, began=6.0))
    assert not state.sent[2].coalesced


def test_sigkill_is_seen_by_the_end_alone():
    state = reduce_all(
        [
            *start(),
            Forked(t=1.0, pid=11, parent=10, by=10),
            call("kill", Sent(target=11, signo=9), t=2.0, began=2.0),
            Exited(t=2.5, pid=11, signo=9),
        ]
    )
    assert state.sent[0].delivered == 2.5


def test_a_handler_that_is_for_once():
    once = Disposition(signo=10, action="catch", flags=("SA_RESETHAND",))
    state = reduce_all(
        [*start(), call("rt_sigaction", once), SignalDelivered(t=2.0, pid=10, tid=10, signo=10)]
    )
    # /proc may show it for a moment more.
    late = ProcessSample(10, "R", "sh", 1, caught=1 << 9)
    state = reduce(state, Sample(t=2.1, processes=(late,)))
    assert state.processes[10].handling[10].action == "default"


def test_delivery_seen_before_the_senders_call_returned():
    state = reduce_all(
        [
            *start(),
            Forked(t=1.0, pid=11, parent=10, by=10),
            SignalDelivered(t=2.1, pid=11, tid=11, signo=10, sender=10),
            call("kill", Sent(target=11, signo=10), t=2.2, began=2.0),
        ]
    )
    assert state.sent[0].delivered == 2.1


def test_mask_inside_and_after_a_handler():
    state = reduce_all(
        [
            *start(),
            call("rt_sigaction", Disposition(signo=10, action="catch", mask=1 << 11)),
            SignalDelivered(t=2.0, pid=10, tid=10, signo=10),
        ]
    )
    assert state.threads[10].blocked == 1 << 9 | 1 << 11
    assert state.threads[10].handlers == (10,)
    state = reduce(state, HandlerReturned(t=3.0, pid=10, tid=10, blocked=0))
    assert (state.threads[10].blocked, state.threads[10].handlers) == (0, ())


@pytest.mark.parametrize(("interval", "left"), [(0.0, 0), (2.0, 1)])
def test_alarm_is_armed_until_it_rings(interval, left):
    state = reduce_all(
        [*start(), call("setitimer", Timer(signo=14, seconds=1.0, interval=interval))]
    )
    assert state.timers[10, 14].due == 2.0
    state = reduce(state, SignalDelivered(t=2.0, pid=10, tid=10, signo=14, code="SI_KERNEL"))
    assert len(state.timers) == left


SEM = SemaphoreInfo(key="sem:1:2:0", kind="unnamed", object="1:2")


def test_semaphore_value_and_waiters_over_operations():
    def op(name, value, pid, t):
        return SemaphoreOp(t=t, pid=pid, tid=pid, op=name, semaphore=SEM, value=value)

    state = reduce_all(
        [
            *start(),
            Forked(t=0.5, pid=11, parent=10, by=10),
            SemaphoreOp(t=1.0, pid=10, tid=10, op="init", semaphore=SEM, initial=1),
            op("wait", 1, 10, 2.0),
            op("wait", 0, 11, 3.0),
            Waiting(t=3.1, pid=11, tid=11, call="futex"),
        ]
    )
    semaphore = state.semaphores["sem:1:2:0"]
    assert (semaphore.label, semaphore.value, semaphore.last_pid, semaphore.last_op) == (
        "M1",
        0,
        10,
        "wait",
    )
    assert [t.tid for t in query.list_waiters(state, "sem:1:2:0")] == [11]
    wait = wait_of(state, 11)
    assert wait is not None
    assert describe_wait(state, wait) == "sem_wait on M1, 0, taken by sh[10]"
    woken = reduce_all([Poised(t=3.9, pid=11, tid=11, at="return", call="futex")], state)
    assert not query.list_waiters(woken, "sem:1:2:0"), "it sleeps no more"
    assert query.count_woken(woken, "sem:1:2:0") == 1
    state = reduce_all([op("post", 0, 10, 4.0), op("acquired", None, 11, 4.1)], state)
    assert state.semaphores["sem:1:2:0"].last_pid == 11
    assert not query.list_waiters(state, "sem:1:2:0")


def test_sampled_semaphore_value_wins_over_the_computed_one():
    state = reduce_all(
        [
            *start(),
            SemaphoreOp(t=1.0, pid=10, tid=10, op="post", semaphore=SEM, value=4),
            Sample(t=2.0, semaphores=(SemaphoreLevel(info=SEM, value=3, waiters=0),)),
        ]
    )
    assert state.semaphores["sem:1:2:0"].value == 3


def test_destroyed_semaphore_is_gone():
    state = reduce_all(
        [
            *start(),
            SemaphoreOp(t=1.0, pid=10, tid=10, op="init", semaphore=SEM, initial=1),
            SemaphoreOp(t=2.0, pid=10, tid=10, op="destroy", semaphore=SEM, value=1),
        ]
    )
    assert not state.semaphores


def test_sample_sets_states_and_masks():
    line = ThreadSample(tid=10, state="S", blocked=1, pending=2)
    state = reduce_all(
        [
            *start(),
            Sample(t=1.0, processes=(ProcessSample(pid=10, state="S", ppid=7, threads=(line,)),)),
        ]
    )
    thread = state.threads[10]
    assert (thread.state, thread.blocked, thread.pending, state.processes[10].parent) == (
        "S",
        1,
        2,
        7,
    )


def test_dispositions_follow_proc_status():
    """What was inherited, or set before we came, is known from SigIgn and SigCgt alone."""
    state = reduce_all(
        [
            *start(),
            call("rt_sigaction", Disposition(signo=2, action="catch", flags=("SA_RESTART",))),
            call("rt_sigaction", Disposition(signo=3, action="catch")),
            Sample(
                t=1.0, processes=(ProcessSample(pid=10, state="S", ignored=1 << 12, caught=1 << 1),)
            ),
        ]
    )
    handling = state.processes[10].handling
    assert {signo: how.action for signo, how in handling.items()} == {2: "catch", 13: "ignore"}
    assert handling[2].flags == ("SA_RESTART",)


def test_changed_names_what_the_last_event_touched_and_nothing_else():
    state = reduce_all([*piped(), call("close", Closed(fd=4))])
    assert DescriptorPart(10, 4) in state.changed
    assert DescriptorPart(10, 3) not in state.changed


def test_reduce_leaves_the_earlier_state_as_it_was():
    before = reduce_all(piped())
    keys, tables = set(before.objects), before.tables
    reduce_all([call("close", Closed(fd=4)), Exited(t=5.0, pid=10)], before)
    assert set(before.objects) == keys
    assert before.tables is tables
    assert 4 in before.tables[10]


def test_events_of_unknown_processes_do_not_raise():
    state = reduce_all(
        [
            call("read", ret=1, object="nowhere", args={"fd": 3}, pid=99),
            Exited(t=2.0, pid=98),
            Reaped(t=2.0, pid=97),
            Waiting(t=2.0, pid=96, tid=96, call="read"),
        ],
        State(),
    )
    assert state.processes[98].fate == "zombie"


def test_a_fifo_that_was_just_made_is_not_the_one_whose_inode_it_has():
    old, new = (
        ObjectInfo(key="8:1", kind="fifo", path=path, dev=8, ino=1)
        for path in ("/tmp/old", "/tmp/new")
    )
    opened = Opened(fd=3, ofd=50, object=old, mode="rw")
    state = reduce_all([call("openat", opened, ret=3), call("close", Closed(fd=3))])
    assert state.objects["8:1"].label == "old"
    made = call("mknodat", NameCreated(path="/tmp/new", object="8:1"))
    state = reduce_all(
        [made, call("openat", Opened(fd=3, ofd=51, object=new, mode="rw"), ret=3)], state
    )
    assert state.objects["8:1"].label == "new"


def test_the_way_from_a_descriptor_to_its_object():
    state = reduce_all(
        [
            *piped(),
            call("dup2", Duplicated(fd=7, source=4)),
            Forked(t=2.0, pid=11, parent=10, by=10),
        ]
    )
    row = state.find_descriptor(11, 7)
    assert row.ofd == 3
    assert state.find_description(11, 7) is state.description_of(row) is state.open_files[3]
    assert state.object_at(11, 7) is state.object_of(state.open_files[3]) is state.objects[PIPE.key]
    assert state.object_key_at(11, 7) == PIPE.key
    assert state.object_keys_of(11) == {TTY.key, PIPE.key}
    assert {row.fd: file.ofd for row, file in state.descriptions_of(11)} == {
        0: 1,
        1: 1,
        2: 1,
        3: 2,
        4: 3,
        7: 3,
    }
    assert {(p.pid, row.fd) for p, row in state.references_to(3)} == {
        (10, 4),
        (10, 7),
        (11, 4),
        (11, 7),
    }


@pytest.mark.parametrize(
    ("pid", "fd"), [(10, 9), (99, 3)], ids=["no such descriptor", "no such process"]
)
def test_the_way_ends_where_nothing_is_known(pid, fd):
    state = reduce_all(piped())
    assert (
        state.find_descriptor(pid, fd)
        is state.find_description(pid, fd)
        is state.object_at(pid, fd)
        is None
    )
    assert state.object_key_at(pid, fd) == ""
    assert state.object_of(None) is state.description_of(None) is None


def test_who_has_ended_refers_to_nothing():
    state = reduce_all([*piped(), Forked(t=2.0, pid=11, parent=10, by=10), Exited(t=3.0, pid=11)])
    assert {p.pid for p, _ in state.references_to(3)} == {10}
    assert state.object_keys_of(11) == set()


def test_a_draft_takes_over_every_field_and_gives_it_back():
    # Whatever is declared as a field of a state goes through a draft: each has a value here that it
    # has in no state otherwise.
    names = StateFields.__struct_fields__
    assert State.__struct_fields__ == names
    marks = {name: object() for name in names}
    draft = Draft.begin(State(**marks), marks["t"])
    assert {name: getattr(draft, name) for name in names} == marks
    after = draft.finish(7)
    assert {name: getattr(after, name) for name in names} == {**marks, "n": 7, "changed": ()}
    with pytest.raises(AttributeError):
        after.n = 8


def test_a_draft_leaves_the_state_as_it_was_and_names_what_changed():
    before = reduce_all(piped())
    after = reduce(before, call("close", Closed(fd=3)))
    assert 3 in before.tables[10]
    assert 3 not in after.tables[10]
    assert after.changed == (ProcessPart(10), DescriptorPart(10, 3), ObjectPart(PIPE.key))
    assert ThreadPart(10) not in after.changed, "a part is equal to one of its own type alone"
