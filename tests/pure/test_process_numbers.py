"""Numbers of processes in inner PID namespaces, and as ours. Plain data."""

from __future__ import annotations

from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.numbers import Numbers

OUTSIDE, INIT, CHILD, NESTED = 4_000_001, 4_000_002, 4_000_003, 4_000_004
"""Above the kernel's limit: there are no such processes, so each namespace is that of its first."""


def numbers() -> Numbers:
    found = Numbers()
    found.born(OUTSIDE, 1, ())
    found.born(INIT, OUTSIDE, (1,))
    found.born(NESTED, INIT, (2, 1))
    return found


def test_numbers_outside_are_ours() -> None:
    assert numbers().ours(OUTSIDE, 1) == 1
    assert numbers().ours(OUTSIDE, -7) == -7


def test_an_inner_number_is_whom_its_namespace_means() -> None:
    found = numbers()
    assert found.ours(INIT, 1) == INIT
    assert found.ours(INIT, 2) == NESTED, "it has a number in each namespace above its own, too"
    assert found.ours(NESTED, 1) == NESTED
    assert found.ours(INIT, -2) == -NESTED
    assert found.ours(INIT, 9) == 0
    assert (found.ours(INIT, 0), found.ours(INIT, -1)) == (0, -1)


def test_arguments_are_translated_or_said_to_be_strange() -> None:
    found = numbers()
    args: dict[str, Word] = {"pid": 2, "tid": 9, "signal": "SIGTERM"}
    found.translate(INIT, "tgkill", args)
    assert args == {"pid": NESTED, "tid": "9 of its PID namespace", "signal": "SIGTERM"}
    args = {"pid": 2}
    found.translate(OUTSIDE, "kill", args)
    assert args == {"pid": 2}


def test_a_number_that_is_used_again_is_another_process() -> None:
    found = numbers()
    found.born(INIT, 1, ())
    assert found.ours(INIT, 2) == 2
