"""What is left out of the step line where it has no room, and what is not."""

from __future__ import annotations

import pytest

from ipcviz.app.strip import fit_clauses

FORKED = "shell forked cat"
LONG = "cat closed descriptor 1 (the pipe, write end): no writer is left"
RUNS = "shell executes /usr/bin/python3 /home/ann/demo/number.py"


@pytest.mark.parametrize(
    ("clauses", "width", "most", "lines"),
    [
        ([FORKED, "SIGCHLD is pending"], 40, 1, ["shell forked cat; SIGCHLD is pending"]),
        ([FORKED, "SIGCHLD is pending"], 30, 2, ["shell forked cat; SIGCHLD is", "pending"]),
        ([FORKED, "SIGCHLD is pending"], 30, 1, ["shell forked cat; …"]),
        ([LONG], 50, 1, ["cat closed descriptor 1 (the pipe, write end): …"]),
        ([LONG], 45, 1, ["cat closed descriptor 1 (the pipe, …"]),
        ([RUNS], 60, 1, [RUNS]),
        ([RUNS], 50, 1, ["shell executes …/python3 …/number.py"]),
    ],
)
def test_clauses_are_left_out_whole_before_words_are(clauses, width, most, lines):
    assert fit_clauses(clauses, width, most) == lines
