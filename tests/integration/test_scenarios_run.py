"""The scenarios' programs on their own, and what making them ready leaves behind: nothing."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ipcviz.cli.driver import Driver
from ipcviz.events import Trouble
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps import stepping
from ipcviz.scenario import (
    ScenarioError,
    Story,
    explain_missing,
    find_scenario,
    load_all,
    load_scenario,
    prepare_launch,
    read_schedule,
)
from ipcviz.scenario.compile import build_programs, cache_folder
from ipcviz.scenario.plans import find_begin
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration.harness import kernel_objects, list_left_objects
from tests.integration.lessons import configure_steps

QUICK = {
    "shell-pipeline": {"size": "3"},
    "browser": {"rest": "0.05"},
    "pipe-blocking": {"rest": "0.01"},
    "select-poll": {"rest": "0.05"},
    "pipe-atomicity": {"rest": "0.05"},
    "fifo-gzip": {"size": "2", "delay": "0.2"},
    "fifo-rendezvous": {"seconds": "0.3"},
    "fifo-timeout": {"late": "1.3"},
    "fifo-tail": {"seconds": "0.2"},
    "hierarchy": {"sizes": "1,8193", "messages": "20", "rounds": "1"},
    "mmap-queue": {"messages": "8", "put-delay": "0", "get-delay": "0.03"},
    "sleep-race": {"seconds": "1"},
    "sem-counter": {"times": "20"},
    "sigcont": {"seconds": "0.1"},
    "unsafe-handler": {"ticks": "2"},
}
HANG = {
    "connect2": ("py-forgets", "c-forgets"),
    "deadlock": ("py", "c"),
    "pipe-eof": ("py", "c"),
    "sem-named": ("py", "c", "c-mode"),
    "sigchld": ("py", "c"),
    "sysv-sem": ("py", "c"),
    "unsafe-handler": ("c",),
}
"""Variants whose lesson is that they may not end: it depends on the order in which they run."""
ENDS = {
    ("mmap-segv", "c"): -signal.SIGSEGV,
    ("eintr", "c"): 1,
    ("unix-stream", "py-stale"): 1,
    ("unix-stream", "c-stale"): 1,
}
"""How others end than with status 0."""
LEFT = {"sysv-shm": "shmdemo.key", "sysv-msg": "queue.key"}
"""What those leave in their folder whose lesson is what is left behind: the way to its key."""
VARIANTS = [(scenario.name, variant) for scenario in load_all() for variant in scenario.variants]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "cache"


def ready(name, variant, settings=None):
    scenario = find_scenario(name)
    if reason := explain_missing(scenario, variant):
        pytest.skip(reason)
    return prepare_launch(scenario, variant, {**QUICK.get(name, {}), **(settings or {})})


def run(launch, timeout=30):
    """Run outside ipcviz, in a process group of its own so that a left-over process is found."""
    child = subprocess.Popen(
        launch.argv,
        cwd=launch.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    wait_until(lambda: not is_group(child.pid))
    return child.returncode, output.decode()


def is_group(number):
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def see_hang(launch):
    """Run what may not end for a while, and end it."""
    child = subprocess.Popen(
        launch.argv, cwd=launch.cwd, stdout=subprocess.DEVNULL, start_new_session=True
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(1.0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    wait_until(lambda: not is_group(child.pid))


def wait_until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def run_alone(name, variant):
    """(status, output, what is in its folder, whether the folder is gone) of a variant; None for a
    status if it was ended by us.
    """
    with prepare_launch(find_scenario(name), variant, QUICK.get(name, {})) as launch:
        work = Path(launch.cwd)
        status, output = None, ""
        if variant in HANG.get(name, ()):
            see_hang(launch)
        else:
            status, output = run(launch)
        files = os.listdir(work)
    return status, output, files, not work.parent.exists()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What becomes of each variant that can run here, by scenario and variant. Most of the time
    they sleep, so scenarios run side by side.
    """
    place = tmp_path_factory.mktemp("alone")
    (place / "tmp").mkdir()
    before = kernel_objects(os.geteuid())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        patch.setattr("tempfile.tempdir", str(place / "tmp"))

        def run_all(scenario):
            return {
                (scenario.name, variant): run_alone(scenario.name, variant)
                for variant in scenario.variants
                if not explain_missing(scenario, variant)
            }

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = {}
            for results in pool.map(run_all, load_all()):
                found |= results
    assert not list_left_objects(os.geteuid(), before, seconds=10)
    return found


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_each_variant_runs_to_its_end_and_leaves_nothing(name, variant, alone):
    if (name, variant) not in alone:
        pytest.skip(explain_missing(find_scenario(name), variant))
    status, output, files, gone = alone[name, variant]
    assert gone
    if status is None:
        return
    assert status == ENDS.get((name, variant), 0), output
    assert files == ([LEFT[name]] if variant.endswith("-left") else [])
    if variant.endswith(("-past", "-ring")):
        return
    check = {
        "shell-pipeline": pipeline,
        "fifo-gzip": fifo,
        "mmap-queue": stack,
        "sleep-race": slept,
        "sem-counter": counted,
    }.get(name)
    if check is not None:
        check(output)


def begin_lesson(name, variant):
    """(where the run departed from the way to the beginning, threads held there)."""
    scenario = find_scenario(name)
    order, plan = read_schedule(find_begin(scenario, variant), scenario)
    with prepare_launch(scenario, variant, plan.settings) as launch:
        session = LiveSession(configure_steps(launch))
        session.start()
        try:
            driver = Driver(session, order, Story(scenario), patience=30)
            for _ in driver.iterate_events():
                pass
            return driver.departed, len(stepping.list_held(driver.state))
        finally:
            session.close()


@pytest.mark.kernel
def test_each_lesson_begins_where_somebody_can_be_let_go():
    """The schedule `begin` leads there, for each variant that it is for."""
    rows = [
        (name, variant)
        for name, variant in VARIANTS
        if find_begin(find_scenario(name), variant)
        and not explain_missing(find_scenario(name), variant)
    ]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = dict(zip(rows, pool.map(lambda row: begin_lesson(*row), rows), strict=True))
    assert len(found) > 40
    assert not {row: result for row, result in found.items() if result[0] or not result[1]}


def pipeline(output):
    assert output.startswith("status of the pipeline: 0\n")
    assert "3000000 file\n" in output
    assert int(re.search(r"(\d+) file\.gz", output)[1]) < 1_500_000


def fifo(output):
    assert output.count(" pipe\n") == 2
    assert output.startswith("prw")
    assert output.endswith("the same bytes came out\n")


def taken(output):
    assert re.findall(r"^put (?:message )?(\d+)$", output, re.M) == [str(n) for n in range(1, 9)]
    return [int(n) for n in re.findall(r"^got (?:message )?(\d+)$", output, re.M)]


def stack(output):
    got = taken(output)
    assert sorted(got) == list(range(1, 9))
    assert got != sorted(got)


def counted(output):
    assert re.fullmatch(r"2 x 20 additions: the counter is \d+\n", output)


def slept(output):
    assert output == "sleeping for 1 s\nawake\n"


@pytest.mark.parametrize("variant", ["py", "c"])
def test_a_ring_gives_the_messages_back_in_order(variant):
    with ready("mmap-queue", variant, {"order": "ring"}) as launch:
        status, output = run(launch)
    assert status == 0
    assert taken(output) == list(range(1, 9))


@pytest.mark.parametrize("variant", ["py", "c"])
def test_the_wake_up_is_lost_when_the_window_is_longer_than_the_alarm(variant):
    with ready("sleep-race", variant, {"window": "1.3"}) as launch:
        child = subprocess.Popen(launch.argv, cwd=launch.cwd, stdout=subprocess.PIPE)
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(3)
            status = Path(f"/proc/{child.pid}/status").read_text()
            assert re.search(r"^State:\s+S", status, re.M)
            assert re.search(r"^SigPnd:\s+0+$", status, re.M), (
                "nothing is pending: it was caught, and is over"
            )
        finally:
            child.kill()
            output, _ = child.communicate()
    assert output == b"sleeping for 1 s\n"


@pytest.mark.parametrize("variant", ["py-sigsuspend", "c-sigsuspend"])
def test_sigsuspend_loses_no_wake_up(variant):
    with ready("sleep-race", variant, {"window": "1.3"}) as launch:
        status, output = run(launch, timeout=10)
    assert status == 0
    slept(output)


def test_interrupted_programs_leave_nothing_either():
    with ready("fifo-gzip", "sh", {"delay": "30"}) as launch:
        child = subprocess.Popen(
            launch.argv, cwd=launch.cwd, start_new_session=True, stdout=subprocess.DEVNULL
        )
        fifo_path = Path(launch.cwd, "pipe")
        wait_until(fifo_path.exists)
        wait_until(Path(launch.cwd, "data").exists)
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(10)
        wait_until(lambda: os.listdir(launch.cwd) == [])
        wait_until(lambda: not _group_lives(child.pid))


def _group_lives(pgid):
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("name", "variant", "settings", "reached"),
    [
        (
            "shell-pipeline",
            "sh",
            {},
            {"pipe", "fork-cat", "cat-stdout", "gzip-stdin", "gzip-stdout", "cat", "gzip", "eof"},
        ),
        (
            "fifo-gzip",
            "sh",
            {"delay": "0.5"},
            {"mkfifo", "blocked", "writer", "reader", "gzip", "flow", "eof", "rm"},
        ),
        (
            "mmap-queue",
            "py",
            {},
            {"map", "init-lock", "init-full", "slot", "lock", "message", "take", "freed", "unlink"},
        ),
        (
            "mmap-queue",
            "c",
            {},
            {
                "map",
                "init-lock",
                "init-full",
                "slot",
                "lock",
                "message",
                "take",
                "freed",
                "no-slot",
            },
        ),
        ("sleep-race", "py", {}, {"caught", "alarm", "window", "waits", "woken", "awake"}),
        ("sleep-race", "c", {"window": "1.2"}, {"caught", "alarm", "window", "lost", "for-ever"}),
        (
            "sleep-race",
            "py-sigsuspend",
            {"window": "1.2"},
            {"blocked", "alarm", "window", "pending-kept", "awake"},
        ),
    ],
)
def test_the_story_is_told_by_the_events_of_a_real_run(name, variant, settings, reached):
    with ready(name, variant, settings) as launch:
        session = LiveSession(LaunchConfig(argv=launch.argv, cwd=launch.cwd, terminal=True))
        story, state, troubles = Story(find_scenario(name)), State(), []
        session.start()
        try:
            deadline = time.monotonic() + 30
            while not session.finished and time.monotonic() < deadline:
                session.wait(0.2)
                for event in session.drain():
                    after = reduce(state, event)
                    story.feed(event, state, after)
                    state = after
                    troubles += [event] if isinstance(event, Trouble) else []
                ids = {story.scenario.story[place].id for place in story.progress.reached}
                if "for-ever" in ids:
                    break
        finally:
            session.close()
    assert troubles == []
    assert reached <= ids
    if name == "mmap-queue":
        assert set(story.labels.values()) == {"shared.dat", "_lock", "_empty", "_full"}


def test_programs_are_compiled_once_and_again_when_they_change(tmp_path, cache):
    source = find_scenario("sleep-race")
    if reason := explain_missing(source, "c"):
        pytest.skip(reason)
    shutil.copytree(source.folder, tmp_path / "mine")
    mine = load_scenario(tmp_path / "mine")
    first = build_programs(mine, "c", tmp_path)
    assert first.parent == cache_folder()
    stamp = (first / "sleep_pause").stat().st_mtime_ns
    assert build_programs(mine, "c", tmp_path) == first
    assert (first / "sleep_pause").stat().st_mtime_ns == stamp
    with open(tmp_path / "mine" / "sleep_pause.c", "a") as file:
        file.write("/* changed */\n")
    second = build_programs(mine, "c", tmp_path)
    assert second != first
    assert sorted(os.listdir(second)) == ["sleep_pause"]


def test_two_that_compile_at_once_do_no_harm(tmp_path):
    scenario = find_scenario("mmap-queue")
    if reason := explain_missing(scenario, "c"):
        pytest.skip(reason)
    found, errors = [], []

    def work():
        try:
            found.append(build_programs(scenario, "c", tmp_path))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(found)) == 1
    assert os.listdir(found[0]) == ["queue"]


def test_the_compilers_words_are_shown(tmp_path):
    source = find_scenario("sleep-race")
    if reason := explain_missing(source, "c"):
        pytest.skip(reason)
    shutil.copytree(source.folder, tmp_path / "mine")
    (tmp_path / "mine" / "sleep_pause.c").write_text("int main(void) { return nothing; }\n")
    with (
        pytest.raises(ScenarioError) as caught,
        prepare_launch(load_scenario(tmp_path / "mine"), "c"),
    ):
        pass
    assert "'sleep_pause' of 'mine' does not compile" in caught.value.message
    assert "sleep_pause.c:1" in caught.value.details
    assert "nothing" in caught.value.details
    assert not any(Path(tmp_path, "tmp").iterdir())


def test_without_a_compiler_it_is_said_and_the_default_still_runs(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    scenario = find_scenario("mmap-queue")
    assert "no-such-compiler" in explain_missing(scenario, "c")
    assert explain_missing(scenario, scenario.default_variant) == ""
    with (
        pytest.raises(
            ScenarioError, match="Variant 'c' of 'mmap-queue' can't run here: the C compiler"
        ),
        prepare_launch(scenario, "c"),
    ):
        pass
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "")
    assert (
        explain_missing(scenario, "c")
        == "no C compiler (cc) is installed: install gcc or clang, or set CC"
    )
    assert (
        explain_missing(find_scenario("shell-pipeline"), "sh")
        == "cat is not installed; gzip is not installed; seq is not installed; sh is not installed"
    )


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    if reason := explain_missing(find_scenario("sleep-race"), "c"):
        pytest.skip(reason)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with ready("sleep-race", "c") as launch:
        program = Path(launch.argv[0])
        assert program.is_relative_to(tmp_path / "tmp")
        assert run(launch)[0] == 0
    assert not program.exists()
    assert not any(Path(tmp_path, "tmp").iterdir())


def test_a_cache_that_others_can_write_is_not_trusted(tmp_path, cache):
    if reason := explain_missing(find_scenario("sleep-race"), "c"):
        pytest.skip(reason)
    with ready("sleep-race", "c") as launch:
        folder = Path(launch.argv[0]).parent
    assert folder.is_relative_to(cache)
    folder.chmod(0o777)
    with ready("sleep-race", "c") as launch:
        assert not Path(launch.argv[0]).is_relative_to(cache)


def test_variants_and_parameters_that_are_not_there():
    scenario = find_scenario("sleep-race")
    with (
        pytest.raises(ScenarioError, match=r"no variant 'pyy'; it has: py, .* Did you mean 'py'\?"),
        prepare_launch(scenario, "pyy"),
    ):
        pass
    with (
        pytest.raises(ScenarioError, match="seconds can't be '0'"),
        prepare_launch(scenario, None, {"seconds": "0"}),
    ):
        pass


def test_the_folder_goes_even_when_ipcviz_is_killed(tmp_path):
    code = (
        "import sys, time\n"
        "from ipcviz.scenario import find_scenario, prepare_launch\n"
        "with prepare_launch(find_scenario('sleep-race')) as launch:\n"
        "    print(launch.cwd, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    work = Path(child.stdout.readline().strip())
    assert work.is_dir()
    (work / "left").write_text("")
    child.kill()
    child.communicate()
    wait_until(lambda: not work.parent.exists())


def test_no_temporary_folder(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with (
        pytest.raises(ScenarioError, match="set TMPDIR"),
        prepare_launch(find_scenario("sleep-race")),
    ):
        pass
