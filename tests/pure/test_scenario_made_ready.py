"""What a scenario needs before it runs: its programs, a folder, a schedule; what a trace keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from ipcviz.scenario import ScenarioError, compile, kept, launch, plans, workplace
from ipcviz.scenario.format import Scenario
from ipcviz.scenario.loader import find_scenario

replace = msgspec.structs.replace


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.c").write_text("int main(void) { return 0; }\n")
    return folder


@pytest.fixture
def scenario(source: Path) -> Scenario:
    shipped = find_scenario("sleep-race")
    variant = replace(shipped.variants["c"], build={"a": ("a.c",)}, flags=("-lm",))
    return replace(shipped, folder=source, variants={"c": variant})


class Compiler:
    """Stands in the compiler's place: writes what it was called with into the program."""

    def __init__(self) -> None:
        self.status, self.output, self.calls = 0, b"", 0
        self.raises: Exception | None = None

    def run(self, argv: list[str], **kw) -> subprocess.CompletedProcess[bytes]:
        self.calls += 1
        if self.raises is not None:
            raise self.raises
        Path(argv[argv.index("-o") + 1]).write_text(" ".join(argv))
        return subprocess.CompletedProcess(argv, self.status, self.output)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Compiler:
    """A compiler that works, and a cache of our own for its programs."""
    found = Compiler()
    monkeypatch.setattr(subprocess, "run", found.run)
    monkeypatch.setenv("CC", sys.executable)
    monkeypatch.setattr(compile, "cache_folder", lambda: tmp_path / "cache")
    return found


def test_programs_are_compiled_once_and_kept(scenario, compiler, tmp_path):
    made = compile.build_programs(scenario, "c", tmp_path)
    assert made.parent == tmp_path / "cache"
    assert (made / "a").read_text().endswith(" ./a.c -lm"), "flags behind the sources"
    assert os.access(made / "a", os.X_OK)
    assert os.listdir(made) == ["a"], "nothing half made is left"
    assert compile.build_programs(scenario, "c", tmp_path) == made
    assert compiler.calls == 1


@pytest.mark.parametrize("change", ["source", "header", "flags"])
def test_programs_are_compiled_anew_when_they_could_differ(scenario, compiler, tmp_path, change):
    made = compile.build_programs(scenario, "c", tmp_path)
    if change == "source":
        (scenario.folder / "a.c").write_text("int main(void) { return 1; }\n")
    elif change == "header":
        (scenario.folder / "a.h").touch()
    else:
        scenario.variants["c"] = replace(scenario.variants["c"], flags=("-lrt",))
    assert compile.build_programs(scenario, "c", tmp_path) != made
    assert compiler.calls == 2


def test_without_a_cache_the_spare_folder_takes_them(scenario, compiler, tmp_path, monkeypatch):
    monkeypatch.setattr(compile, "cache_folder", lambda: None)
    spare = tmp_path / "spare"
    spare.mkdir()
    assert compile.build_programs(scenario, "c", spare) == spare
    assert (spare / "a").exists()
    foreign = tmp_path / "cache"
    foreign.mkdir()
    foreign.chmod(0o777)
    monkeypatch.setattr(compile, "cache_folder", lambda: foreign / "deeper" / "x")
    (foreign / "deeper").write_text("in the way")
    assert compile.build_programs(scenario, "c", spare) == spare, "it can't be made"


def test_a_cache_that_others_can_write_is_not_used(scenario, compiler, tmp_path):
    made = compile.build_programs(scenario, "c", tmp_path / "spare")
    made.chmod(0o777)
    spare = tmp_path / "spare"
    spare.mkdir()
    assert compile.build_programs(scenario, "c", spare) == spare


def test_a_variant_without_programs_needs_no_compiler(scenario, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    plain = replace(scenario, variants={"c": replace(scenario.variants["c"], build={})})
    assert compile.build_programs(plain, "c", tmp_path) == tmp_path


def failure(scenario: Scenario, spare: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        compile.build_programs(scenario, "c", spare)
    return str(caught.value)


def test_why_a_program_can_not_be_compiled(scenario, compiler, tmp_path, monkeypatch):
    compiler.status, compiler.output = 1, b"a.c:1: error"
    words = failure(scenario, tmp_path)
    assert "'a' of 'sleep-race' does not compile" in words
    with pytest.raises(ScenarioError) as caught:
        compile.build_programs(scenario, "c", tmp_path)
    assert caught.value.details == "a.c:1: error"
    compiler.raises = subprocess.TimeoutExpired("cc", 60)
    assert "took over 60 seconds" in failure(scenario, tmp_path)
    compiler.raises = PermissionError(13, "Permission denied")
    assert failure(scenario, tmp_path).endswith("can't be compiled: Permission denied.")
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    (scenario.folder / "a.c").unlink()
    assert failure(scenario, tmp_path).endswith("a.c is no longer there.")
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "the C compiler that $CC names (no-such-compiler)" in failure(scenario, tmp_path)


def test_which_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", f"{sys.executable} -x 'a b'")
    assert compile.find_compiler() == (sys.executable, "-x", "a b")
    assert compile.without_compiler() == ""
    monkeypatch.setenv("CC", "'not closed")
    assert compile.find_compiler() is None
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compile.without_compiler().startswith("no C compiler (cc) is installed")


def test_what_can_be_launched(scenario, monkeypatch):
    shell = find_scenario("fifo-gzip")
    name = next(name for name, one in shell.variants.items() if one.language == "sh")
    with launch.prepare_launch(shell, name) as made:
        assert made.variant == name
        assert Path(made.cwd).is_dir()
        assert oct(Path(made.cwd).parent.stat().st_mode)[-3:] == "700"
        assert all(file.is_file() for file in made.sources)
        assert not any("{" in word for word in made.argv)
    assert not Path(made.cwd).parent.exists()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ScenarioError, match=r"can't run here: .*sh is not installed"):
        launch.prepare_launch(shell, name).__enter__()


def test_which_variant():
    scenario = find_scenario("sleep-race")
    assert launch.choose_variant(scenario, None) == scenario.default_variant
    assert launch.choose_variant(scenario, "c") == "c"
    with pytest.raises(ScenarioError, match=r"has no variant 'cc'; it has: .*Did you mean 'c'"):
        launch.choose_variant(scenario, "cc")
    with pytest.raises(ScenarioError) as caught:
        launch.choose_variant(scenario, "fortran")
    assert "Did you mean" not in str(caught.value)


def test_no_folder_can_be_made(monkeypatch):
    def refuse(**kw: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(ScenarioError, match="set TMPDIR"), workplace.make_workplace():
        raise AssertionError("unreachable")


def test_a_trace_keeps_the_scenario(scenario):
    assert kept.scenario_of(kept.meta_of(scenario)) == scenario
    assert kept.scenario_of({}) is None
    assert kept.scenario_of({"scenario": "{}"}) is None


def test_a_trace_keeps_the_sources_that_are_text_and_not_huge(source):
    scenario = replace(find_scenario("sleep-race"), folder=source)
    (source / "binary").write_bytes(b"\xff\xfe")
    (source / "huge").write_bytes(b"x" * ((1 << 20) + 1))
    (source / "large").write_bytes(b"x" * (1 << 20))
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "a.py").touch()
    assert sorted(kept.sources_of(scenario)) == ["a.c", "large"]
    for number in range(120):
        (source / f"n{number:03}").touch()
    assert len(kept.sources_of(scenario)) == 100


def test_what_leads_to_the_beginning_is_for_its_variants_alone():
    assert plans.find_begin(find_scenario("pipe-eof")) == "begin"
    assert plans.find_begin(find_scenario("pipe-eof"), "c-closed") == "begin"
    assert plans.find_begin(find_scenario("sleep-race")) == ""
    assert plans.find_begin(find_scenario("mmap-pages"), "py") == "begin"
    assert plans.find_begin(find_scenario("mmap-pages"), "c-unmap") == ""


def test_a_schedule_by_its_name_its_title_or_its_file(tmp_path):
    scenario = find_scenario("sleep-race")
    name, plan = next(iter(scenario.schedules.items()))
    assert plans.read_schedule(name, scenario)[1] == plan
    assert plans.read_schedule(plan.title, scenario)[1] == plan
    file = tmp_path / "order"
    file.write_text(plan.steps)
    schedule, none = plans.read_schedule(str(file), scenario)
    assert none is None
    assert schedule == plans.read_schedule(name, scenario)[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\n", "is no schedule: it is not text in UTF-8"),
        (b"# \n" * 400_000, "is larger than 1,048,576 bytes"),
        (b"sleeper to\n", ":1: "),
        (None, "There is no schedule"),
    ],
    ids=("not UTF-8", "too large", "no step", "not there"),
)
def test_a_file_that_is_no_schedule(data, words, tmp_path):
    file = tmp_path / "order"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ScenarioError) as caught:
        plans.read_schedule(str(file))
    assert words in str(caught.value)


def test_a_schedule_that_there_is_not():
    scenario = find_scenario("sleep-race")
    name = next(iter(scenario.schedules))
    with pytest.raises(ScenarioError, match=f"Did you mean '{name}'"):
        plans.read_schedule(name + "x", scenario)
    with pytest.raises(ScenarioError, match="neither a file nor one of the scenario's"):
        plans.read_schedule("/no/such", scenario)
    bare = replace(scenario, schedules={})
    with pytest.raises(ScenarioError, match="'sleep-race' ships no schedules"):
        plans.read_schedule("x", bare)


def test_who_asks_for_no_schedule_follows_the_one_that_shows_the_moment_or_the_beginning():
    find = plans.find_lesson_order
    assert find(find_scenario("select-poll")) == find(find_scenario("select-poll"), "c") == "beside"
    assert find(find_scenario("select-poll"), "py-poll") == "begin", "beside is for who reads alone"
    assert find(find_scenario("pipe-eof")) == "begin"
    assert find(find_scenario("sleep-race"), "c-sigsuspend") == ""
