"""The numbers of the moments: a bit for each event."""

import sys
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcviz.app.past.moments import Moments

NUMBERS = st.lists(st.integers(1, 30_000), unique=True).map(sorted)


@given(NUMBERS, st.lists(st.integers(0, 40_000), max_size=20))
def test_it_answers_like_a_sorted_list(numbers, asked):
    moments = Moments(numbers)
    assert len(moments) == len(numbers)
    assert [moments[i] for i in range(len(numbers))] == numbers
    if numbers:
        assert moments[-1] == numbers[-1]
    for n in (*asked, *numbers[:20], *(n + 1 for n in numbers[:20])):
        at = bisect_left(numbers, n)
        assert moments.count_until(n) == bisect_right(numbers, n)
        assert moments.find_before(n) == (numbers[at - 1] if at else 0)
        assert moments.find_after(n) == next((m for m in numbers if m > n), 0)


def test_what_is_not_later_is_not_added():
    moments = Moments([5, 5, 3, 9])
    assert [moments[0], moments[1], len(moments)] == [5, 9, 2]
    with pytest.raises(IndexError):
        moments[2]


def test_a_trace_with_absurd_numbers_takes_no_room():
    moments = Moments([1, 1 << 40, 1 << 60])
    assert [moments[i] for i in range(3)] == [1, 1 << 40, 1 << 60]
    assert (moments.find_before(1 << 60), moments.find_after(2), moments.count_until(1 << 50)) == (
        1 << 40,
        1 << 40,
        2,
    )


def test_a_million_moments_take_less_than_a_byte_each():
    moments = Moments(range(1, 1_000_001))
    assert sum(map(sys.getsizeof, moments._blocks)) < 200_000
    assert moments[765_432] == 765_433
