"""The budget of stops: a burst is paid for, a flood is not, and time pays it back."""

import pytest

from ipcviz.tracer import budget


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
