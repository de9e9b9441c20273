"""Names that a package offers are imported when they are asked for, and a screen needs few."""

import importlib
import subprocess
import sys

import pytest

from ipcviz.late import import_late

PACKAGES = ("ipcviz.app.panels", "ipcviz.export", "ipcviz.scenario", "ipcviz.trace")

FOR_LATER = (
    "ipcviz.app.notes",
    "ipcviz.app.panels.memory",
    "ipcviz.app.panels.output",
    "ipcviz.app.recording",
    "ipcviz.app.replay",
    "ipcviz.app.screens.help",
    "ipcviz.app.screens.question",
    "ipcviz.scenario.loader",
    "ipcviz.scenario.plans",
    "tomllib",
)
"""What a command's first screen needs nothing of."""


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_has_each_name_that_it_offers(name):
    package = importlib.import_module(name)
    for each in package.__all__:
        found = getattr(package, each)
        assert getattr(importlib.import_module(found.__module__), each) is found


def test_a_name_that_is_nowhere_is_refused_as_a_module_refuses_it():
    with pytest.raises(AttributeError, match="module 'ipcviz' has no attribute 'nothing'"):
        import_late("ipcviz", {"UserError": "errors"})("nothing")


def test_the_first_screen_of_a_command_imports_only_what_it_needs():
    script = "import sys, ipcviz.cli.run, ipcviz.app.app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert [name for name in FOR_LATER if name in done.stdout.split()] == []
