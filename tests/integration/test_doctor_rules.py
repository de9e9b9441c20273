"""Programs that do one thing wrong each, and what the doctor says of them; and programs that do
nearly the same, and are right: those of `tests.doctor_programs`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import posix_ipc
import pytest

from ipcviz.diagnose import Finding
from ipcviz.diagnose.pages import BY_NAME
from tests.doctor_programs import PERL, PROGRAMS, RIGHT, RulePrograms
from tests.integration.examined import examine_all, examine_program, remove_names
from tests.integration.harness import Programs

# The first test waits until all programs have run: minutes, where others have the processors, too.
pytestmark = pytest.mark.timeout(400)
HANGS: Final = {rule: PROGRAMS[rule] for rule in PROGRAMS if BY_NAME[rule].hangs}
ALONE: Final = frozenset(
    {
        "circle", "dead-owner", "fifo-open", "handler-lock", "left-behind", "lost-wakeup", "queue",
        "nobody-left", "private-semaphore", "stale-semaphore",
    }
)  # fmt: skip
"""Rules whose programs run alone: whoever goes on beside them could come to what they wait for, or
what they leave is told together at the end.
"""


def _list_wrong(rules: Mapping[str, RulePrograms]) -> list[tuple[str, str]]:
    return [(rule, text) for rule, some in rules.items() for text in some.wrong]


def _list_near(rules: Mapping[str, RulePrograms]) -> list[str]:
    return list(dict.fromkeys(text for some in rules.values() for text in some.near))


@pytest.fixture(scope="module")
def examined(
    programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Finding]]]:
    """What is found of each program, some at a time."""
    place = tmp_path_factory.mktemp("examined")
    alone = {text for rule in ALONE for some in PROGRAMS[rule][:2] for text in some}
    wrong = {text for _, text in _list_wrong(PROGRAMS)}
    hanging = {text for _, text in _list_wrong(HANGS)}
    texts = [*(text for _, text in _list_wrong(PROGRAMS)), *_list_near(PROGRAMS), *RIGHT]
    names = {text: f"ipcviz-{place.name}-{os.getpid()}-{n}" for n, text in enumerate(texts)}
    for text in PROGRAMS["stale-semaphore"].wrong:
        posix_ipc.Semaphore(f"/{names[text]}", posix_ipc.O_CREX, initial_value=0).close()
    try:
        yield examine_all(
            programs,
            {text: text not in alone for text in texts},
            names,
            place,
            to_the_end=lambda text: text not in hanging,
            is_expected=lambda text, found: bool(found) or text not in wrong,
        )
    finally:
        remove_names(names.values())


def _skip_without_perl(text: str) -> None:
    if PERL in text and shutil.which("perl") is None:
        pytest.skip("there is no Perl")


@pytest.mark.parametrize(("rule", "text"), _list_wrong(PROGRAMS))
def test_a_program_that_is_wrong(rule: str, text: str, examined: dict[str, list[Finding]]) -> None:
    _skip_without_perl(text)
    found, guesses = examined[text], PROGRAMS[rule].guesses
    assert {one.rule for one in found} == {rule}
    sure = guesses is not None and text not in guesses
    assert {one.sure for one in found} == {sure}, [one.why_probable for one in found]
    for finding in found:
        assert finding.evidence
        assert finding.sentence.endswith(".")
        assert finding.mend.endswith(".")
        assert bool(finding.why_probable) == (not sure)


@pytest.mark.parametrize("text", [*_list_near(PROGRAMS), *RIGHT])
def test_a_program_that_is_right(text: str, examined: dict[str, list[Finding]]) -> None:
    _skip_without_perl(text)
    assert [one.sentence for one in examined[text]] == []


def test_a_semaphore_that_somebody_has_who_is_not_watched(tmp_path: Path) -> None:
    """Who waits for it waits for good reason: that it is stale can't be certain."""
    name = f"/ipcviz-had-{os.getpid()}"
    semaphore = posix_ipc.Semaphore(name, posix_ipc.O_CREX, initial_value=0)
    code = f"import posix_ipc; posix_ipc.Semaphore({name!r}, posix_ipc.O_CREAT).acquire()"
    try:
        patient, _ = examine_program([sys.executable, "-c", code], tmp_path / "run", 30.0)
    finally:
        semaphore.release()
        semaphore.close()
        posix_ipc.unlink_semaphore(name)
    assert [(one.rule, one.sure) for one in patient.findings] == [("stale-semaphore", False)]
    assert f"{name} has a name" in patient.findings[0].why_probable


def _doctor(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ipcviz", "doctor", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_first_line_names_the_source_line(tmp_path: Path) -> None:
    source = tmp_path / "mp.py"
    source.write_text(
        "import subprocess\n"
        "p = subprocess.Popen(['seq', '100000'], stdout=subprocess.PIPE)\n"
        "p.wait()\n"
    )
    log = tmp_path / "found.sarif"
    done = _doctor("--until-hang", "--sarif", str(log), "--", sys.executable, str(source))
    assert done.returncode == 1
    assert done.stdout == ""
    first = done.stderr.splitlines()[0]
    assert "seq waits for room in its pipe, and the only reader, mp.py (line 3), waits for" in first
    assert " waits for seq to end. Read the pipe before you wait" in first
    (result,) = json.loads(log.read_text())["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("wait-before-read", "error")
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 3}


def test_running_processes_are_looked_at() -> None:
    code = "import subprocess; subprocess.Popen(['cat'], stdin=subprocess.PIPE).wait()"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        done = _doctor("--pid", str(process.pid))
        assert done.returncode == 1
        assert "[waits-for-input]" in done.stderr
        assert "Not sure: only sampled" in done.stderr
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name one of"),
        (("--pid", str(2**22 + 1)), "no process"),
        (("--pid", "1", "--until-hang"), "what runs already is not ended"),
    ],
)
def test_what_can_not_be_looked_at_is_one_sentence(words: tuple[str, ...], said: str) -> None:
    done = _doctor(*words)
    assert done.returncode == 2
    assert said.lower() in done.stderr.lower()
    assert done.stderr.count("\n") == 1


def test_a_trace_tells_the_same_and_no_fault_of_this_kind_ends_a_command(tmp_path: Path) -> None:
    """It is said when its command has ended by itself, and of its trace, too."""
    script = "printf 'a\\nb\\n' | while read -r x; do cat >/dev/null; done; sleep 0.5; echo done"
    trace, log = tmp_path / "t.ipcviz", tmp_path / "found.json"
    doctor = [sys.executable, "-m", "ipcviz", "doctor"]
    live = subprocess.run(
        [*doctor, "--until-hang", "--json", str(log), "--", "bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (live.returncode, live.stdout) == (1, "done\n")
    (found,) = json.loads(log.read_bytes())
    assert (found["rule"], found["sure"]) == ("shared-input", True)
    argv = [sys.executable, "-m", "ipcviz", "trace", "-o", str(trace), "--", "bash", "-c", script]
    subprocess.run(argv, check=True, timeout=60, stdout=subprocess.DEVNULL)
    again = subprocess.run(
        [*doctor, str(trace)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 1
    assert "cat, which bash started, has read from the input" in again.stderr
    assert again.stderr.count("[shared-input]") == 1
