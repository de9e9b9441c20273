"""Columns take what their content needs, and give way where there is no room."""

from __future__ import annotations

import pytest

from ipcviz.app.panels.cells import choose_widths, measure_columns


@pytest.mark.parametrize(
    ("need", "least", "room", "widths"),
    [
        ((5, 6, 7), (4, 4, 4), 30, [5, 6, 19]),
        ((5, 20, 7), (4, 4, 4), 24, [5, 12, 7]),
        ((5, 20, 20), (4, 8, 8), 25, [5, 10, 10]),
        ((9, 20, 20), (4, 8, 8), 14, [4, 8, 2]),
        ((9, 20, 20), (4, 8, 8), 10, [4, 6, 0]),
        ((3, 0, 3), (4, 4, 4), 3, [3, 0, 0]),
    ],
)
def test_the_widest_gives_way_first_and_the_last_one_gets_the_rest(need, least, room, widths):
    assert choose_widths(need, least, room) == widths


def test_a_column_needs_what_its_longest_text_has_as_it_is_shown():
    assert measure_columns(("NAME", "KIND"), [("a\n", "pipe"), ("日本語", "x")]) == [6, 4]
