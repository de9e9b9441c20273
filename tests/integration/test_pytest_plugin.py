"""The plugin for pytest, as it is there where ipcviz is installed: a test that hangs fails with the
reason, and without the option next to nothing is loaded.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from ipcviz import pytest_plugin

pytestmark = pytest.mark.kernel
TOP = Path(__file__).parents[2]
ENTRY_POINTS = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["entry-points"]

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


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder of installed packages: this ipcviz, with the entry points of pyproject.toml."""
    site = tmp_path_factory.mktemp("site")
    (site / "ipcviz").symlink_to(TOP / "ipcviz")
    about = site / "ipcviz-0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ipcviz\nVersion: 0.0\n")
    names = sorted(path.relative_to(TOP) for path in (TOP / "ipcviz").rglob("*.py"))
    (about / "RECORD").write_text("".join(f"{name},,\n" for name in names))
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in entries.items())
        for group, entries in ENTRY_POINTS.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(groups))
    return site


class Project:
    """A small project with tests, beside an installed ipcviz.

    Args:
        folder: Where it is.
        site: Where ipcviz is installed.
    """

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder = folder
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(site)}
        (folder / "test_some.py").write_text(TESTS)

    def list_words(self, *options: str) -> list[str]:
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        return [*words, "test_some.py"]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.list_words(*options),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


@pytest.fixture
def project(tmp_path, installed) -> Project:
    return Project(tmp_path, installed)


def test_a_test_that_hangs_fails_with_the_reason(project):
    done = project.run("--ipcviz-hang", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert "test_some.py::test_hangs still ran after 1 s." in done.stdout
    assert "seq waits for room in its pipe, and the only reader" in done.stdout
    assert "Read the pipe before you wait" in done.stdout
    assert "child.wait()" in done.stdout


def test_processes_that_share_the_tests_are_each_watched(project):
    done = project.run("-n", "2", "--ipcviz-hang", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert "test_some.py::test_hangs still ran after 1 s." in done.stdout
    assert "child.wait()" in done.stdout


KEPT = """\
import json
import sys

def pytest_unconfigure():
    with open("modules", "w") as file:
        json.dump([name for name in sys.modules if name.partition(".")[0] == "ipcviz"], file)
"""


def test_without_the_option_one_module_is_loaded_and_nothing_is_started(project):
    (project.folder / "conftest.py").write_text(KEPT)
    done = project.run("-k", "not hangs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    loaded = json.loads((project.folder / "modules").read_text())
    assert loaded == ["ipcviz", "ipcviz.pytest_plugin"]


@pytest.mark.parametrize(
    ("named", "conftest"),
    [
        (["-p", "ipcviz.pytest_plugin"], ""),
        ([], 'pytest_plugins = ["ipcviz.pytest_plugin"]'),
        (["-p", "ipcviz.pytest_plugin"], 'pytest_plugins = ["ipcviz.pytest_plugin"]'),
    ],
)
def test_who_names_it_too_has_it_once(project, named, conftest):
    (project.folder / "conftest.py").write_text(conftest)
    done = project.run("-W", "error", *named, "--ipcviz-hang", "9", "-k", "not hangs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_it_can_be_left_out(project):
    done = project.run("-p", "no:ipcviz.pytest_plugin", "--ipcviz-hang", "9")
    assert done.returncode == 4
    assert "unrecognized arguments: --ipcviz-hang" in done.stderr


@pytest.mark.parametrize("seconds", ["x", "nan", "inf", "-1"])
def test_what_is_no_time_is_said(project, seconds):
    done = project.run(f"--ipcviz-hang={seconds}")
    assert done.returncode == 4
    assert f"'{seconds}' is no number of seconds from 0 to 1e+06" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_left_if_pytest_is_killed(project):
    with subprocess.Popen(
        project.list_words("--ipcviz-hang", "99", "-k", "hangs"),
        cwd=project.folder,
        env={**project.environment, "TMPDIR": "."},
        stdout=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 30
        while not list(project.folder.glob("ipcviz-hang-*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
    while list(project.folder.glob("ipcviz-hang-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_where_there_is_no_linux_it_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(pytest_plugin.sys, "platform", "win32")
    config = SimpleNamespace(getoption=lambda name: 3.0)
    with pytest.raises(pytest.UsageError, match="needs Linux"):
        pytest_plugin.pytest_configure(config)
    pytest_plugin.pytest_configure(SimpleNamespace(getoption=lambda name: 0.0))
