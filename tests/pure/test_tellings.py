"""All that is said of kept runs, word by word. After a change that is meant:
`python -m tests.tellings`, and read what it prints.
"""

from __future__ import annotations

import pytest

from tests.tellings import ENDING, FOLDER, list_changes, list_tellings, tell_run


@pytest.mark.parametrize("name", list_tellings())
def test_what_is_said_of_a_run(name: str) -> None:
    changes = list_changes(name, tell_run(name))
    assert not changes, "\n".join(changes[:60])


def test_no_telling_is_of_a_run_that_is_gone() -> None:
    assert {path.name.removesuffix(ENDING) for path in FOLDER.iterdir()} == set(list_tellings())
