"""`ipcviz new`: a small scenario that works, to be changed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

import ipcviz.scenario
from ipcviz.cli.completing import complete_scenarios
from ipcviz.cli.words import RemembersWords
from ipcviz.messages import exit_with_error, write_line
from ipcviz.scenario import find_scenario


@click.command(cls=RemembersWords)
@click.option(
    "--like",
    metavar="SCENARIO",
    shell_complete=complete_scenarios,
    help="Begin with the programs and the story of this one.",
)
@click.argument("path", type=click.Path(path_type=Path))
def new(*, path: Path, like: str | None) -> None:
    """Make a new scenario in the folder PATH, to be changed: it works as it is.

    Without --like it is a small one of a shell and a pipe; where standard input is a terminal, it
    is asked for.
    """
    if like is None and _is_asked_for():
        like = click.prompt(
            "Like which scenario? (Enter: a shell and a pipe)", default="", show_default=False
        )
    template = Path(ipcviz.scenario.__file__).parent / "template"
    if like:
        template = find_scenario(like).folder
    existed = False
    try:
        existed = path.is_dir()
        if existed and any(path.iterdir()):
            raise FileExistsError(0, "it is there already and not empty")
        shutil.copytree(
            template, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    except shutil.Error:
        _empty_folder(path, remove=not existed)
        exit_with_error(f"{str(path)!r} can't be filled: is the disk full? Choose another folder.")
    except OSError as error:
        exit_with_error(f"{str(path)!r} can't be made: {error.strerror}; choose another folder.")
    name = shlex.quote(str(path))
    write_line(
        f"{path} is a scenario. Change it; then: ipcviz check {name}, ipcviz run"
        f" {name if '/' in name else './' + name}"
    )


def _is_asked_for() -> bool:
    """Whether somebody is there who could answer a question."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _empty_folder(folder: Path, *, remove: bool) -> None:
    """Take away again what was put into a folder that was empty or not there: half a scenario is
    none.
    """
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if remove:
        folder.rmdir()
