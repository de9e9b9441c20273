"""The scenarios' C programs compile without a warning, with both of Linux's usual compilers."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from ipcviz.scenario import load_all

PROGRAMS = sorted(
    {
        (scenario.name, program, tuple(scenario.folder / name for name in sources), variant.flags)
        for scenario in load_all()
        for variant in scenario.variants.values()
        for program, sources in variant.build.items()
    }
)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_every_program_compiles_without_a_warning(compiler, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    said = {}
    for name, program, sources, flags in PROGRAMS:
        command = [compiler, "-O0", "-Wall", "-Wextra", "-Werror", *flags, *sources]
        done = subprocess.run(
            [*command, "-o", tmp_path / "program"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            said[name, program] = done.stderr
    assert not said
    assert PROGRAMS
