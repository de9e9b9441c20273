"""What has no name in a file system is named by what it is."""

from __future__ import annotations

from tests.integration.harness import Bench, Programs, read_stream
from tests.integration.test_truth_locks import sentences


def test_each_is_named(benches: dict[str, Bench], programs: Programs) -> None:
    bench = benches["user"]
    outcome = bench.run(bench.observed([programs["anonymous"]]))
    assert (outcome.status, outcome.stderr) == (0, b"")
    log = sentences(read_stream(bench.stream))
    made = {
        name: fd
        for name, _, fd in (line.partition(": ") for line in outcome.stdout.decode().splitlines())
    }
    assert made["seccomp listener"] != "-1"
    for name, fd in made.items():
        told = [
            text for text in log if f"made the {name} X" in text and f": descriptor {fd}" in text
        ]
        assert bool(told) == (fd != "-1"), name
