"""The plugin for pytest: a test that hangs fails with the reason."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel
TOP = Path(__file__).parents[2]

TESTS = """\
import subprocess
import time

def test_quick():
    pass

def test_hangs():
    child = subprocess.Popen(["seq", "99999"], stdout=subprocess.PIPE)
    try:
        child.wait()
    finally:
        child.kill()

def test_after():
    time.sleep(0.2)
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_some.py").write_text(TESTS)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "test_some.py"],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_a_test_that_hangs_fails_with_the_reason(tmp_path):
    done = run(tmp_path, "-p", "ipcviz.pytest_plugin", "--ipcviz-hang", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert "test_some.py::test_hangs still ran after 1 s." in done.stdout
    assert "seq waits for room in its pipe, and the only reader" in done.stdout
    assert "Read the pipe before you wait" in done.stdout
    assert "child.wait()" in done.stdout


def test_without_the_option_nothing_is_watched(tmp_path):
    done = run(tmp_path, "-p", "ipcviz.pytest_plugin", "-k", "not hangs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("seconds", ["x", "nan", "inf", "-1"])
def test_what_is_no_time_is_said(tmp_path, seconds):
    done = run(tmp_path, "-p", "ipcviz.pytest_plugin", f"--ipcviz-hang={seconds}")
    assert done.returncode == 4
    assert f"'{seconds}' is no number of seconds from 0 to 1e+06" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_left_if_pytest_is_killed(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    with subprocess.Popen(
        [*command, "-p", "ipcviz.pytest_plugin", "--ipcviz-hang", "99", "-k", "hangs"],
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(TOP), "TMPDIR": "."},
        stdout=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob("ipcviz-hang-*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
    while list(tmp_path.glob("ipcviz-hang-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
