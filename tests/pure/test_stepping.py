"""Step mode in the model: who is held, whose turn it is, names that are the same in every run, what
is a moment.
"""

from __future__ import annotations

import pytest

from ipcviz.events import (
    Call,
    Forked,
    Held,
    Poised,
    ProcessSample,
    Released,
    Sample,
    Settled,
    Stepped,
    ThreadCreated,
    ThreadSample,
    Waiting,
)
from ipcviz.model.noise import is_own_script
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.model.steps import stepping
from ipcviz.model.steps.moments import is_moment
from ipcviz.model.steps.visible import MOST_SHORT_WAITS, ShortWaits, is_visible


def _family() -> State:
    return reduce_all(
        [
            Forked(t=0, n=1, pid=90, parent=1, how="launched", name="sh"),
            Forked(t=1, n=2, pid=40, parent=90, by=90),
            Forked(t=2, n=3, pid=50, parent=90, by=90),
            Forked(t=3, n=4, pid=30, parent=40, by=40),
            ThreadCreated(t=4, n=5, pid=50, tid=51, by=50),
            Held(t=5, n=6),
        ]
    )


def _poise(state: State, *tids: int, at: str = "entry", call: str = "read") -> State:
    for tid in tids:
        state = reduce(state, Poised(t=6, pid=state.threads[tid].pid, tid=tid, at=at, call=call))  # type: ignore[arg-type]
    return state


def test_names_follow_the_family_and_not_the_numbers() -> None:
    state = _family()
    assert [stepping.name_thread(state, tid) for tid in (90, 40, 50, 30, 51)] == [
        "1",
        "1.1",
        "1.2",
        "1.1.1",
        "1.2/2",
    ]
    assert stepping.find_thread(state, "1.2/2") == 51
    assert stepping.name_thread(state, 51, {50: "consumer"}) == "consumer/2"
    assert stepping.find_thread(state, "consumer", {50: "consumer"}) == 50
    assert stepping.find_thread(state, "1.7") == 0


def test_all_take_turns_elders_first() -> None:
    state = _poise(_family(), 90, 30, 51, 50)
    assert [thread.tid for thread in stepping.list_held(state)] == [90, 30, 50, 51]
    order, last = [], 0
    for _ in range(5):
        last = stepping.find_next_in_turn(state, last)
        order.append(last)
    assert order == [90, 30, 50, 51, 90]


def test_the_turn_passes_on_from_one_that_is_blocked_now() -> None:
    state = _poise(_family(), 90, 51)
    assert stepping.find_next_in_turn(state, 40) == 51
    assert stepping.find_next_in_turn(state, 4711) == 90


def test_one_that_is_let_go_is_no_longer_held_until_it_is_again() -> None:
    state = _poise(_family(), 40)
    state = reduce(state, Stepped(t=7, step=1, pid=40, tid=40))
    assert (state.step, state.moving, stepping.list_held(state)) == (1, 40, ())
    state = reduce(_poise(state, 40), Settled(t=8, step=1))
    assert state.moving == 0
    assert len(stepping.list_held(state)) == 1
    state = reduce(state, Released(t=9))
    assert not state.stepping
    assert not stepping.list_held(state)


@pytest.mark.parametrize(
    ("name", "args", "visible"),
    [
        ("pipe2", {}, True),
        ("openat", {"path": "/usr/lib/libc.so.6"}, False),
        ("openat", {"path": "fifo"}, True),
        ("rt_sigaction", {"signal": "SIGINT", "new": "catch"}, True),
        ("rt_sigaction", {"signal": "SIGINT", "new": "default"}, False),
        ("read", {"fd": 77}, False),
        ("brk", {}, False),
    ],
)
def test_what_others_can_notice_is_visible(
    name: str, args: dict[str, int | str], visible: bool
) -> None:
    assert is_visible(_family(), 90, name, args) is visible


def test_a_mask_that_changes_by_a_few_signals_is_visible_and_that_of_libc_is_not() -> None:
    state = _family()
    alarm, nearly_all = 1 << 13, (1 << 64) - 1
    assert is_visible(state, 90, "rt_sigprocmask", {"how": "SIG_BLOCK", "set": alarm})
    assert not is_visible(state, 90, "rt_sigprocmask", {"how": "SIG_BLOCK", "set": nearly_all})
    assert not is_visible(state, 90, "rt_sigprocmask", {"how": "SIG_SETMASK", "set": 0})
    assert not is_visible(state, 90, "rt_sigprocmask", {"how": "SIG_UNBLOCK", "set": 3 << 31})


def test_an_interpreter_that_reads_its_script_is_only_starting() -> None:
    assert is_own_script(("/usr/bin/python3.11", "-I", "prog.py", "data"), "/home/me/prog.py")
    assert is_own_script(("sh", "./fifo.sh"), "./fifo.sh")
    assert not is_own_script(("python3", "prog.py", "data"), "data")
    assert not is_own_script(("cat", "prog.py"), "prog.py")
    assert not is_own_script(("sh", "-c"), "/tmp/x")


def test_at_rest_is_the_moment_in_step_mode_and_each_operation_in_a_live_run() -> None:
    held = _family()
    live = reduce(held, Released(t=6))
    call = Call(t=7, pid=90, tid=90, name="pipe2")
    waits = Waiting(t=7, pid=90, tid=90, call="wait4")
    assert is_moment(call, live, reduce(live, call))
    assert is_moment(waits, live, reduce(live, waits))
    assert not is_moment(call, held, reduce(held, call))
    rest = Settled(t=8, step=1)
    assert is_moment(rest, held, reduce(held, rest))
    unseen = Call(t=7, pid=90, tid=90, name="brk")
    assert not is_moment(unseen, live, reduce(live, unseen))


def test_a_pending_signal_comes_before_the_call_unless_it_is_blocked_or_ignored() -> None:
    state = _poise(_family(), 50)
    thread = state.threads[50]

    def with_pending(mask: int, blocked: int = 0) -> int:
        sample = ProcessSample(
            pid=50,
            state="t",
            pending=mask,
            threads=(ThreadSample(tid=50, state="t", blocked=blocked),),
        )
        now = reduce(state, Sample(t=8, processes=(sample,)))
        return stepping.comes_first(now, now.threads[50])

    assert stepping.comes_first(state, thread) == 0
    assert with_pending(1 << 13) == 14
    assert with_pending(1 << 13, blocked=1 << 13) == 0
    assert with_pending(1 << 16) == 0, "SIGCHLD is ignored by default"


def test_a_short_wait_that_is_repeated_is_no_turn():
    waits = ShortWaits()
    assert not waits.count_wait(35, 0x1000), "the first time it is an operation like all others"
    waits.begin_step()
    assert [waits.count_wait(35, 0x1000) for _ in range(MOST_SHORT_WAITS + 1)] == [
        True
    ] * MOST_SHORT_WAITS + [False]
    assert waits.repeated == MOST_SHORT_WAITS + 1
    waits.begin_step()
    assert waits.count_wait(35, 0x1000), "the next step has as many"
    assert not waits.count_wait(35, 0x2000), "another place"
    assert not waits.count_wait(7, 0x1000), "another call"
    waits.clear()
    assert not waits.count_wait(35, 0x1000), "it has done something else meanwhile"
