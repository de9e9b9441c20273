"""How a wide and high screen is split between picture, story and panels."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ipcviz.app.screens.room import LEAST_BELOW, LEAST_SIDE, Need, Split, split_room


def split(need, *, pointing=False, story=7, beside=9, rows=30, width=120):
    return split_room(width, rows, need, pointing=pointing, story=story, beside=beside)


def test_a_picture_that_needs_little_leaves_half_to_the_story():
    assert split(Need(30, 10)) == Split(60, 15)
    assert split(Need(30, 10), pointing=True) == Split(65, 15)


def test_a_picture_gets_the_rows_that_the_story_can_do_without():
    assert split(Need(30, 18)) == Split(60, 12)
    assert split(Need(30, 23)) == Split(60, 7)


def test_the_story_goes_beside_a_picture_that_needs_its_rows():
    assert split(Need(30, 24)) == Split(60, 0, beside=True)
    assert split(Need(30, 24), story=0) == Split(60, LEAST_BELOW)
    assert split(Need(30, 24), beside=0) == Split(60, 7)
    assert split(Need(30, 24), beside=25) == Split(60, 7), "nothing else would have room there"


def test_a_picture_gets_the_columns_that_it_needs_up_to_what_the_panels_need():
    assert split(Need(74, 10)).left == 74
    assert split(Need(200, 10)).left == 120 - LEAST_SIDE


@given(
    st.integers(110, 300),
    st.integers(12, 80),
    st.integers(0, 400),
    st.integers(0, 400),
    st.integers(0, 12),
    st.integers(0, 20),
    st.booleans(),
)
def test_all_have_some_room_whatever_is_needed(
    width, rows, columns, height, story, beside, pointing
):
    found = split_room(
        width, rows, Need(columns, height), pointing=pointing, story=story, beside=beside
    )
    assert 0 < found.left <= width - LEAST_SIDE
    assert found.beside == (found.below == 0)
    if not found.beside:
        assert found.below >= (story or LEAST_BELOW)
        assert found.below <= max(rows // 2, story or LEAST_BELOW)


def test_what_was_given_is_not_taken_back():
    assert Need(60, 10).grow(Need(40, 20)) == Need(60, 20)
