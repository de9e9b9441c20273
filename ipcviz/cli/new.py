"""`ipcviz new`: a small scenario that works, to be changed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

import ipcviz.scenario


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def new(*, path: Path) -> None:
    """Make a new scenario in the folder PATH: a small one that works, to be changed."""
    template = Path(ipcviz.scenario.__file__).parent / "template"
    try:
        if path.is_dir() and any(path.iterdir()):
            raise FileExistsError(0, "it is there already and not empty")
        shutil.copytree(template, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    except shutil.Error:
        click.echo(f"ipcviz: {str(path)!r} can't be filled: is the disk full? Choose another folder.", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"ipcviz: {str(path)!r} can't be made: {error.strerror}; choose another folder.", err=True)
        sys.exit(2)
    name = shlex.quote(str(path))
    click.echo(
        f"{path} is a scenario. Change it; then: ipcviz check {name}, ipcviz run {name if '/' in name else './' + name}"
    )
