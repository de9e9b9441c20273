"""The budget of stops: a burst is paid for, a flood is not, and time pays it back."""

import socket

import pytest

from ipcviz.events import Forked, Marker
from ipcviz.kernel.arch import X86_64
from ipcviz.tracer import budget
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.policies import ATTACHED


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(budget, "time", clock)
    return clock


def test_a_burst_is_paid_for_and_no_more(clock):
    purse = budget.Budget(100.0)
    assert sum(purse.spend() for _ in range(1000)) == 100


def test_a_steady_rate_below_the_budget_is_paid_for_ever(clock):
    purse = budget.Budget(100.0)
    for _ in range(2000):
        clock.now += 0.0101
        assert purse.spend()


def test_a_steady_rate_above_it_is_not(clock):
    purse = budget.Budget(100.0)
    paid = 0
    for _ in range(4000):
        clock.now += 0.005
        paid += purse.spend()
    assert 2050 <= paid <= 2150, "20 seconds' worth and one burst"


def test_filled_again(clock):
    purse = budget.Budget(10.0)
    while purse.spend():
        pass
    purse.fill()
    assert purse.spend()


def test_a_burst_of_its_own(clock):
    purse = budget.Budget(10.0, 50.0)
    assert sum(purse.spend() for _ in range(1000)) == 50
    clock.now += 1.0
    assert sum(purse.spend() for _ in range(1000)) == 10
    assert purse.spent == 60


@pytest.fixture
def context(clock):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours))
        context.emit(Forked(t=0.0, n=1, pid=10, parent=1, how="launched", name="a"))
        yield context


def test_many_that_are_each_within_their_budgets_have_one_together(context, clock):
    processes = [context.new_process(pid) for pid in range(100, 200)]
    told = 0
    for _ in range(500):
        clock.now += 0.01
        for process in processes:
            reason = context.calls_over_budget(process)
            assert not reason or "all processes together" in reason
            told += not reason
    most = context.session_calls.burst + 5.0 * context.session_calls.rate
    assert 0.98 * most <= told <= most, "each makes 100 calls a second, all together 10,000"


def test_structural_calls_and_signals_have_a_budget(context, clock):
    process = context.new_process(10)
    reasons = [context.marks_over_budget(process) for _ in range(5000)]
    assert sum(not reason for reason in reasons) == process.marks.burst
    assert reasons[-1] == "more than 1,000 calls and signals a second"


@pytest.mark.parametrize("change", [{"holding": True}, {"stops_always": True}])
def test_where_each_stop_counts_or_none_can_be_passed_by_there_is_no_such_budget(context, change):
    for name, value in change.items():
        setattr(context, name, value)
    process = context.new_process(10)
    assert not any(context.marks_over_budget(process) for _ in range(5000))


def test_less_is_told_while_the_reader_is_late(context, clock, monkeypatch):
    process = context.new_process(10)
    assert not context.calls_over_budget(process)
    monkeypatch.setattr(Emitter, "late", True)
    assert "shown in time" in context.calls_over_budget(process)
    assert "shown in time" in context.marks_over_budget(process)


@pytest.mark.parametrize(
    ("change", "value"),
    [("", None), ("holding", True), ("stops_always", True), ("policy", ATTACHED)],
)
def test_of_very_many_processes_new_ones_are_not_stopped_at_each_data_call(context, change, value):
    for pid in range(10, 210):
        context.processes[pid] = context.new_process(pid)
    assert not context.too_many_processes()
    context.processes[210] = context.new_process(210)
    if change:
        setattr(context, change, value)
    assert context.too_many_processes() == ("" if change else "there are more than 200 processes")


def test_who_makes_very_many_processes_has_a_budget_for_them(context, clock):
    assert sum(context.births_over_budget() for _ in range(1000)) == 980
    clock.now += 0.5
    assert sum(context.births_over_budget() for _ in range(1000)) == 990


def test_what_was_counted_is_told_once(context):
    process = context.new_process(10)
    context.count_marks(process, "a storm")
    process.counted.update({3: 7, 288: 2})
    process.counted_signals.update({10: 5})
    context.emit_counted(process)
    context.emit_counted(process)
    context.emitter.emit(marker := Marker(pid=10, tid=10, text="the next"))
    assert marker.n == 4, "after a process, its coverage, and one count"
    assert context.state.processes[10].calls == 9
    assert not context.state.processes[10].full
    context.set_coverage(process, full=True, reason="quiet again")
    assert not process.counting
    assert not context.marks_over_budget(process)


def test_a_dear_stop_counts_for_several(clock):
    purse = budget.Budget(100.0)
    assert sum(purse.spend(4.0) for _ in range(1000)) == 25
    assert purse.spent == 100.0


def test_what_is_owed_for_a_dear_stop_is_earned_before_the_next(clock):
    purse = budget.Budget(10.0, 1.0)
    assert purse.spend(6.0)
    clock.now += 0.5
    assert not purse.spend()
    clock.now += 0.15
    assert purse.spend()


def test_the_price_of_a_stop_follows_the_time_that_it_takes():
    price = budget.Price()
    for _ in range(200):
        price.note(budget.STOP_SECONDS / 3)
    assert price.units == 1.0, "never cheaper: the numbers of stops hold, too"
    for _ in range(200):
        price.note(5 * budget.STOP_SECONDS)
    assert 4.9 < price.units <= 5.0
    before = price.units
    price.note(1.0)
    assert price.units - before < 0.2, "one program that is executed, say, does not change much"


def test_where_stops_are_dear_fewer_are_told(context, clock):
    for _ in range(200):
        context.price.note(4 * budget.STOP_SECONDS)
    process = context.new_process(10)
    told = sum(not context.marks_over_budget(process) for _ in range(5000))
    assert process.marks.burst / 4 <= told <= process.marks.burst / 3.9
    assert sum(not context.calls_over_budget(process) for _ in range(5000)) <= 1000 / 3.9
