"""Calls that ignored signals would cut short, where the corpus does not go: attached, and step by
step.
"""

from __future__ import annotations

import pytest

from tests.integration.attached import Attached, Target
from tests.integration.harness import Bench, Programs
from tests.integration.stepper import Stepper

pytestmark = pytest.mark.kernel


def rows_of(output: bytes) -> list[str]:
    return output.decode().splitlines()


@pytest.mark.parametrize("table", ["limits", "waits", "parts", "handled"])
def test_attached_they_end_as_alone(bench: Bench, programs: Programs, table: str) -> None:
    alone = bench.run([programs["cut_calls"], table])
    assert alone.status == 0
    with Target(bench, [programs["cut_calls"], table, "barrier", "go"], ("go",)) as target:
        target.at("go")
        with Attached(bench, [target.pid], "--trace") as watch:
            target.release("go")
            out, _ = target.process.communicate(timeout=30)
            watch.process.wait(30)
    assert rows_of(out) == rows_of(alone.stdout)


@pytest.mark.parametrize("row", ["epoll_wait", "recv_all", "semtimedop"])
def test_step_by_step_a_limit_is_kept(programs: Programs, row: str) -> None:
    with Stepper(programs["cut_calls"], "limits", "row", row, hold=False) as stepper:
        stepper.until(lambda: stepper.finished)
    assert b", in time" in stepper.output


def test_attached_a_signal_that_is_ignored_since_a_moment_is_not_felt(
    bench: Bench, programs: Programs
) -> None:
    """The program is only sampled by then: no call has told of what it does with the signal."""
    with Target(bench, [programs["ignores_late"], "barrier", "go"], ("go",)) as target:
        target.at("go")
        with Attached(bench, [target.pid], "--trace") as watch:
            target.release("go")
            out, _ = target.process.communicate(timeout=30)
            watch.process.wait(30)
    assert out == b"0 felt otherwise than alone\n"
