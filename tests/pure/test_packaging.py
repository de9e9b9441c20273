"""What pyproject.toml promises of dependencies: each has bounds on both sides, so that none breaks
an install later.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ipcviz

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
NEEDED = [Requirement(text) for text in (*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["dev"])]


@pytest.mark.parametrize("needed", NEEDED, ids=lambda needed: needed.name)
def test_each_dependency_has_an_oldest_and_a_newest(needed):
    signs = {one.operator for one in needed.specifier}
    assert needed.name == "ipcviz" or signs == {">=", "<"}


def test_what_only_linux_can_install_is_asked_for_there_alone():
    asked = [
        one.name
        for one in NEEDED
        if one.marker is None or one.marker.evaluate({"sys_platform": "darwin"})
    ]
    assert {"psutil", "textual"} <= set(asked)
    assert "posix_ipc" not in asked


def test_this_python_is_named():
    assert (
        "Programming Language :: Python :: {}.{}".format(*sys.version_info)
        in PROJECT["classifiers"]
    )


def test_it_says_that_it_has_types():
    assert Path(ipcviz.__file__).with_name("py.typed").is_file()
