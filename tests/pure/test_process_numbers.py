"""Numbers of processes in inner PID namespaces, and as ours. Plain data."""

from __future__ import annotations

from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.numbers import Numbers

OUTSIDE, INIT, CHILD, NESTED = 4_000_001, 4_000_002, 4_000_003, 4_000_004
"""Above the kernel's limit: there are no such processes, so each namespace is that of its first."""


def numbers() -> Numbers:
    found = Numbers()
    found.add_thread(OUTSIDE, 1, ())
    found.add_thread(INIT, OUTSIDE, (1,))
    found.add_thread(NESTED, INIT, (2, 1))
    return found


def test_numbers_outside_are_ours() -> None:
    assert numbers().translate_number(OUTSIDE, 1) == 1
    assert numbers().translate_number(OUTSIDE, -7) == -7


def test_an_inner_number_is_whom_its_namespace_means() -> None:
    found = numbers()
    assert found.translate_number(INIT, 1) == INIT
    assert found.translate_number(INIT, 2) == NESTED, (
        "it has a number in each namespace above its own, too"
    )
    assert found.translate_number(NESTED, 1) == NESTED
    assert found.translate_number(INIT, -2) == -NESTED
    assert found.translate_number(INIT, 9) == 0
    assert (found.translate_number(INIT, 0), found.translate_number(INIT, -1)) == (0, -1)


def test_arguments_are_translated_or_said_to_be_strange() -> None:
    found = numbers()
    args: dict[str, Word] = {"pid": 2, "tid": 9, "signal": "SIGTERM"}
    found.translate_args(INIT, "tgkill", args)
    assert args == {"pid": NESTED, "tid": "9 of its PID namespace", "signal": "SIGTERM"}
    args = {"pid": 2}
    found.translate_args(OUTSIDE, "kill", args)
    assert args == {"pid": 2}


def test_a_number_that_is_used_again_is_another_process() -> None:
    found = numbers()
    found.add_thread(INIT, 1, ())
    assert found.translate_number(INIT, 2) == 2
